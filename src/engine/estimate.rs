//! Estimates what sealing a table will take: rows, bytes, growth, write-ahead log, time.
//! Owns the formulae and their sources; `estimate/width.rs` has the lengths of rows, `estimate/block.rs`
//! what happens to a block, and `estimate/rewrite.rs` the runs that write rows again. Reads statistics, so every number is approximate and
//! is shown with a `~`.

mod block;
mod rewrite;
mod width;

use crate::plan::TablePlan;
use crate::store::HeapPosition;
use crate::store::catalog::{IndexFacts, TableFacts};
use block::{BLOCK_BYTES, Block, POINTER_BYTES, Stay};
pub use rewrite::{Rewrite, rewrite};
use width::Width;

/// The second version of a key shares one entry with the first (nbtdedup.c): a row's place, aligned.
const SECOND_ENTRY_BYTES: f64 = 16.0;
/// The share of a leaf page that a new index leaves free (90 % are filled), and how much of it may be
/// used before pages are split in two.
const LEAF_FILLED: f64 = 0.9;
const SPLIT_FROM: f64 = 0.11;
/// How fast pages split beyond that, as a share of the index for a share of added bytes.
const SPLIT_SLOPE: f64 = 5.0;
/// The server removes dead entries instead of splitting a page, if they point into few blocks
/// (nbtdedup.c, bottom-up deletion). It cannot where one transaction fills the page.
const FEW_BLOCKS_ROWS: u32 = 20;
const FILLED_FROM: f64 = 0.1;
const FILLED_SLOPE: f64 = 50.0;
/// An entry of a blind index: 4 of line pointer, 8 of header, 32 of value, in pages two thirds full.
const BLIND_ENTRY_BYTES: f64 = 48.0 / 0.67;
/// Bytes of log for an update beside what it adds to the row: headers, block references, both line
/// pointers (heapam_xlog.h).
const UPDATE_RECORD: f64 = 60.0;
/// Where a row leaves its block, it is locked first, and the record names a second block.
const LEAVE_RECORD: f64 = 54.0;
/// A new entry of an index: headers and the entry.
const ENTRY_RECORD: f64 = 96.0;
/// The record of a pruned row: numbers of lines, and its part of the header.
const PRUNE_RECORD: f64 = 10.0;
/// A split logs half of a page.
const SPLIT_LOGGED: f64 = 0.5;
/// Seconds of the server for a row, for each byte of log, and for each new entry of an index (two
/// cores, PostgreSQL 15, fsync on).
const WRITE_SECONDS_PER_ROW: f64 = 3e-6;
const WRITE_SECONDS_PER_BYTE: f64 = 11e-9;
const WRITE_SECONDS_PER_ENTRY: f64 = 4e-6;
/// Seconds to read and seal a row if nothing was measured.
const WORK_SECONDS_PER_ROW: f64 = 5e-6;
/// Characters of a row's place and version in the log, each with quotes and a comma.
const LOGGED_PLACE_BYTES: f64 = 24.0;

/// What a few windows showed.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Rows in the windows.
    pub rows: u64,
    /// How long it took to read and seal them, one after the other, in seconds.
    pub seconds: f64,
    /// How many lanes will work at a time.
    pub lanes: u32,
    /// What the columns of the plan became, in the plan's order.
    pub sealed: Vec<SealedLength>,
}

/// The sealed values of one column of a sample.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SealedLength {
    /// The average length of a sealed value, in bytes.
    pub bytes: f64,
    /// The share of rows that have a value.
    pub share: f64,
}

/// What a run will take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Rows of the table.
    pub rows: u64,
    /// Rows that are still to be sealed.
    pub rows_left: u64,
    /// Bytes of the table now, with TOAST and indexes.
    pub bytes: u64,
    /// Bytes by which its files grow, with TOAST and indexes.
    pub growth_bytes: u64,
    /// Bytes of write-ahead log.
    pub wal_bytes: u64,
    /// The duration in seconds, if the run takes all that the machine has.
    pub seconds: u64,
}

/// What an estimate depends on besides the table and the plan.
#[derive(Debug, Clone, Copy, Default)]
pub struct Conditions<'a> {
    /// What was measured; without it, lengths are those of the statistics, and the time is that of
    /// another machine.
    pub sample: Option<&'a Sample>,
    /// The share of rows still to be sealed; `None` means all.
    pub left: Option<f64>,
    /// Whether an old transaction keeps the server from removing dead versions during the run.
    pub horizon_stands: bool,
    /// Whether the run reads in key order, so that it meets all rows of a block at once.
    pub key_order: bool,
}

/// Estimates a backfill of the columns of `plan`.
///
/// - a value of n bytes is stored in n + 34 bytes and a header; in text form in 4 + 4/3 (n + 34)
/// - growth of a table in PostgreSQL = the rows that leave their blocks, what is written beside the
///   rows (TOAST), the pages of indexes that split, and new blind indexes; the versions of rows that
///   stay are replaced in their blocks
/// - log = every page of the table and its indexes once, since the first change of a page after a
///   checkpoint logs all of it (`full_page_writes`), and a record for each version and entry
/// - seconds = the longer one of reading and sealing, and of writing; with several lanes both share
///   the machine
pub fn backfill(table: &TableFacts, plan: &TablePlan, on: Conditions<'_>) -> Estimate {
    let left = on.left.unwrap_or(1.0);
    let rows = (table.rows.max(0) as f64 * left).ceil();
    let blind = plan.columns.iter().filter(|one| one.blind_index.is_some());
    let width = width::of(table, plan, on.sample);
    whole(table, blind.count(), (rows, width), on)
}

/// Estimates a run that writes so many rows, and builds so many blind indexes.
fn whole(
    table: &TableFacts,
    blind: usize,
    (rows, width): (f64, Width),
    on: Conditions<'_>,
) -> Estimate {
    let written = match table.heap_bytes > 0 {
        true => in_heap(table, blind, (rows, width), on),
        false => in_file(table, blind, (rows, width)),
    };
    let work = match on.sample {
        Some(sample) if sample.rows > 0 => sample.seconds / sample.rows as f64,
        _ => WORK_SECONDS_PER_ROW,
    };
    let write = rows * WRITE_SECONDS_PER_ROW
        + written.wal * WRITE_SECONDS_PER_BYTE
        + written.entries * WRITE_SECONDS_PER_ENTRY;
    let seconds = match on.sample.map_or(1, |sample| sample.lanes) {
        0 | 1 => write.max(rows * work),
        _ => (write + rows * work) / 2.0,
    };
    Estimate {
        rows: table.rows.max(0) as u64,
        rows_left: rows as u64,
        bytes: table.bytes.max(0) as u64,
        growth_bytes: written.growth as u64,
        wal_bytes: written.wal as u64,
        seconds: seconds.ceil() as u64,
    }
}

/// What a run writes, in bytes and in entries of indexes.
#[derive(Default)]
struct Written {
    growth: f64,
    wal: f64,
    entries: f64,
}

/// In PostgreSQL.
fn in_heap(
    table: &TableFacts,
    blind: usize,
    (rows, width): (f64, Width),
    on: Conditions<'_>,
) -> Written {
    if rows < 1.0 {
        return Written::default();
    }
    let share = rows / (table.rows.max(1) as f64);
    let heap = table.heap_bytes as f64;
    let a_block = (table.rows.max(1) as f64 / (heap / BLOCK_BYTES)).max(1.0);
    let block = Block {
        rows: a_block.round() as u32,
        old: width.old,
        new: width.new,
        pruned: !on.horizon_stands,
    };
    let passes = match on.key_order {
        true => 1,
        false => HeapPosition::passes_for(a_block),
    };
    let stay = block.after(passes);
    let leaving = rows * stay.leave;
    let moved = leaving * (width.new + POINTER_BYTES);
    let new_indexes = table.rows.max(0) as f64 * share * BLIND_ENTRY_BYTES * blind as f64;
    let splits: f64 = (table.indexes.iter())
        .map(|index| index.bytes as f64 * share * split_share(index, &block, stay, table.rows))
        .sum();
    let index_bytes: f64 = table.indexes.iter().map(|index| index.bytes as f64).sum();
    let touched = (stay.leave * 100.0).min(1.0);
    let pages = share * (heap + index_bytes * LEAF_FILLED * touched);
    let toast = rows * width.toast;
    let entries = leaving * table.indexes.len() as f64 + rows * width.pieces;
    let records = rows * (UPDATE_RECORD + PRUNE_RECORD)
        + (rows - leaving) * width.added.max(0.0)
        + leaving * (width.new + LEAVE_RECORD)
        + entries * ENTRY_RECORD;
    Written {
        growth: moved + toast + splits + new_indexes,
        wal: pages + records + toast + splits * SPLIT_LOGGED + new_indexes,
        entries,
    }
}

/// By which share of itself an index grows.
fn split_share(index: &IndexFacts, block: &Block, stay: Stay, rows: i64) -> f64 {
    let entry = index.bytes as f64 * LEAF_FILLED / rows.max(1) as f64;
    let second = SECOND_ENTRY_BYTES / entry.max(1.0);
    let removable = index.follows_storage && block.pruned && block.rows >= FEW_BLOCKS_ROWS;
    let share = match removable {
        true => (stay.peak * second - FILLED_FROM) * FILLED_SLOPE,
        false => (stay.leave * second - SPLIT_FROM) * SPLIT_SLOPE,
    };
    share.clamp(0.0, 1.0)
}

/// In SQLite: a row is replaced in its place, and the journal or log takes each changed page.
fn in_file(table: &TableFacts, blind: usize, (rows, width): (f64, Width)) -> Written {
    let share = rows / (table.rows.max(1) as f64);
    let growth = rows * (width.added.max(0.0) + BLIND_ENTRY_BYTES * blind as f64);
    Written {
        growth,
        wal: growth + table.bytes.max(0) as f64 * share,
        entries: 0.0,
    }
}

/// Bytes by which the server's log grows if it takes each batch with its bound values: those of a
/// row are its place, its version, and each sealed value and blind index as hex digits.
pub fn log_bytes(table: &TableFacts, plan: &TablePlan) -> u64 {
    let width = width::of(table, plan, None);
    let values = 2.0 * (width.added.max(0.0) + width.toast);
    (table.rows.max(0) as f64 * (values + LOGGED_PLACE_BYTES)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{ColumnPlan, SealTo, TriggerPolicy};
    use crate::store::catalog::ColumnFacts;

    fn table() -> TableFacts {
        TableFacts {
            rows: 34_000,
            bytes: 14_000_000,
            heap_bytes: 8_192_000,
            row_bytes: 236,
            indexes: vec![IndexFacts {
                bytes: 2_000_000,
                ..IndexFacts::default()
            }],
            columns: vec![ColumnFacts {
                name: "ssn".to_owned(),
                base_type: "text".to_owned(),
                width: 12,
                ..ColumnFacts::default()
            }],
            ..TableFacts::default()
        }
    }

    fn plan(target: SealTo, pad_to: u32) -> TablePlan {
        TablePlan {
            name: "public.patients".parse().unwrap(),
            label: None,
            tenant_column: None,
            triggers: TriggerPolicy::Refuse,
            on_untrusted_seal: None,
            columns: vec![ColumnPlan {
                name: "ssn".parse().unwrap(),
                target,
                blind_index: None,
                pad_to,
            }],
        }
    }

    fn all() -> Conditions<'static> {
        Conditions::default()
    }

    #[test]
    fn rows_that_find_room_in_their_block_do_not_grow_the_table() {
        let beside = plan(SealTo::Beside("ssn_sealed".parse().unwrap()), 0);
        let quiet = backfill(&table(), &beside, all());
        // A row of 236 bytes becomes one of 284 with its line pointer: a quarter leaves its block.
        let again = 34_000.0 * 284.0;
        let share = quiet.growth_bytes as f64 / again;
        assert!((0.2..0.45).contains(&share), "{share}");
        let standing = Conditions {
            horizon_stands: true,
            ..all()
        };
        let standing = backfill(&table(), &beside, standing);
        assert!(standing.growth_bytes as f64 > again, "{standing:?}");
        assert!(standing.wal_bytes > quiet.wal_bytes);
    }

    #[test]
    fn a_long_value_is_written_beside_its_row() {
        let mut long = table();
        long.columns[0].width = 5_000;
        let beside = plan(SealTo::Beside("ssn_sealed".parse().unwrap()), 0);
        let estimate = backfill(&long, &beside, all());
        assert!(estimate.growth_bytes > 34_000 * 5_000, "{estimate:?}");
        assert!(estimate.growth_bytes < 34_000 * 5_500, "{estimate:?}");
    }

    #[test]
    fn what_was_measured_replaces_the_statistics() {
        let beside = plan(SealTo::Beside("ssn_sealed".parse().unwrap()), 0);
        let sample = Sample {
            rows: 100,
            seconds: 2.0,
            lanes: 1,
            sealed: vec![SealedLength {
                bytes: 45.0,
                share: 0.0,
            }],
        };
        let empty = Conditions {
            sample: Some(&sample),
            ..all()
        };
        let estimate = backfill(&table(), &beside, empty);
        assert_eq!(estimate.seconds, 680);
        let full = backfill(&table(), &beside, all());
        assert!(estimate.growth_bytes < full.growth_bytes);
    }

    #[test]
    fn only_what_is_left_is_estimated() {
        let beside = plan(SealTo::Beside("ssn_sealed".parse().unwrap()), 0);
        let share = |left| {
            let left = Some(left);
            backfill(&table(), &beside, Conditions { left, ..all() })
        };
        let (whole, tenth, none) = (share(1.0), share(0.1), share(0.0));
        assert_eq!((tenth.rows, tenth.rows_left), (34_000, 3_400));
        let ratio = |a: u64, b: u64| a as f64 / b as f64;
        assert!((ratio(whole.growth_bytes, tenth.growth_bytes) - 10.0).abs() < 0.1);
        assert!((ratio(whole.wal_bytes, tenth.wal_bytes) - 10.0).abs() < 0.1);
        assert_eq!((none.growth_bytes, none.wal_bytes, none.seconds), (0, 0, 0));
    }

    #[test]
    fn a_file_grows_by_what_is_added() {
        // The 11 bytes and the end mark fill a bucket of 16: 50 sealed bytes, 67 characters and the
        // prefix.
        let file = TableFacts {
            heap_bytes: 0,
            ..table()
        };
        let estimate = backfill(&file, &plan(SealTo::InPlace, 16), all());
        assert_eq!(estimate.growth_bytes, 34_000 * (4 + 67 + 1 - 12));
    }

    #[test]
    fn an_empty_table_takes_nothing() {
        let estimate = backfill(&TableFacts::default(), &plan(SealTo::InPlace, 0), all());
        assert_eq!(estimate, Estimate::default());
    }
}
