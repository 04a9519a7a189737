//! Estimates what sealing a table will take: rows, bytes, growth, write-ahead log, time.
//! Owns the formulae and their sources. Reads statistics, so every number is approximate and is
//! shown with a `~`. Where it must choose it takes the upper bound: NULLs are counted as values.

use crate::plan::{SealTo, TablePlan};
use crate::store::catalog::{ColumnFacts, TableFacts};

/// Bytes of magic, suite, key id, nonce and tag (docs/FORMAT.md).
const ENVELOPE_BYTES: f64 = 34.0;
/// Bytes of the prefix `ps1.`.
const PREFIX_BYTES: f64 = 4.0;
/// A varlena up to 126 bytes has a header of one byte, a longer one of four (postgres.h).
const SHORT_VARLENA_MAX: f64 = 126.0;
/// Bytes of an index entry: 4 of line pointer, 8 of tuple header, and a key of about 16, aligned
/// (itup.h); pages of a growing btree are about two thirds full.
const INDEX_ENTRY_BYTES: f64 = 28.0 / 0.67;
/// Bytes of log beside the tuple: a heap update logs its record header, block references and both
/// line pointers; an index insertion logs about as much (xlogrecord.h, heapam_xlog.h).
const WAL_RECORD_BYTES: f64 = 60.0;
/// Rows per second of one lane if nothing was measured: a plain `UPDATE` of 250-byte rows with a
/// uuid key and three more indexes, two cores, PostgreSQL 15.
const ROWS_PER_SECOND: f64 = 50_000.0;

/// Characters of a row's place and version in the log, each with quotes and a comma.
const LOGGED_PLACE_BYTES: f64 = 24.0;

/// The time that a few windows took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Rows in the windows.
    pub rows: u64,
    /// How long they took, one after the other, in seconds.
    pub seconds: f64,
    /// How many lanes will work at a time.
    pub lanes: u32,
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
    /// Bytes by which its files grow before VACUUM: the new version of each row and index entries.
    pub growth_bytes: u64,
    /// Bytes of write-ahead log.
    pub wal_bytes: u64,
    /// The duration in seconds.
    pub seconds: u64,
}

/// Estimates a backfill of the columns of `plan`. Without a `sample` it assumes a rate; `left` is
/// the share of rows still to be sealed, and `None` means all.
///
/// - a value of n bytes is stored in n + 34 bytes and a header; in text form in 4 + 4/3 (n + 34)
/// - an UPDATE writes the whole row again: growth = rows × (row + what is added), and an entry in
///   every index, since full pages have no room for heap-only updates
/// - log = growth, a record for each row and index entry, and every page of the table once, since
///   the first change of a page after a checkpoint logs all of it (`full_page_writes`)
/// - seconds = rows × time of a row in the sample / lanes
pub fn backfill(
    table: &TableFacts,
    plan: &TablePlan,
    sample: Option<Sample>,
    left: Option<f64>,
) -> Estimate {
    let left = left.unwrap_or(1.0);
    let all = table.rows.max(0) as f64;
    let rows = (all * left).ceil();
    let added: f64 = plan
        .columns
        .iter()
        .map(|column| added_bytes(table, column))
        .sum();
    let blind_indexes = plan
        .columns
        .iter()
        .filter(|column| column.blind_index.is_some())
        .count();
    let new_row = table.row_bytes.max(0) as f64 + added;
    let entries = rows * (table.indexes.len() + blind_indexes) as f64;
    let growth = rows * new_row + entries * INDEX_ENTRY_BYTES;
    let records = (rows + entries) * WAL_RECORD_BYTES;
    let bytes = table.bytes.max(0) as f64;
    let pages = bytes * left;
    let seconds_per_row = match sample {
        Some(sample) if sample.rows > 0 => {
            sample.seconds / sample.rows as f64 / f64::from(sample.lanes.max(1))
        }
        _ => 1.0 / ROWS_PER_SECOND,
    };
    Estimate {
        rows: all as u64,
        rows_left: rows as u64,
        bytes: bytes as u64,
        growth_bytes: growth as u64,
        wal_bytes: (growth + records + pages) as u64,
        seconds: (rows * seconds_per_row).ceil() as u64,
    }
}

/// Bytes by which the server's log grows if it takes each batch with its bound values: those of a
/// row are its place, its version, and each sealed value and blind index as hex digits.
pub fn log_bytes(table: &TableFacts, plan: &TablePlan) -> u64 {
    let sealed: f64 = plan
        .columns
        .iter()
        .map(|column| added_bytes(table, column))
        .sum();
    (table.rows.max(0) as f64 * (2.0 * sealed + LOGGED_PLACE_BYTES)) as u64
}

/// The bytes that one column adds to a row.
fn added_bytes(table: &TableFacts, column: &crate::plan::ColumnPlan) -> f64 {
    let facts = table
        .columns
        .iter()
        .find(|facts| facts.name == column.name.as_str());
    let plain = facts.map_or(0.0, text_bytes);
    let padded = match f64::from(column.pad_to) {
        0.0 => plain,
        bucket => ((plain + 1.0) / bucket).ceil() * bucket,
    };
    let envelope = padded + ENVELOPE_BYTES;
    let text = PREFIX_BYTES + (4.0 * envelope / 3.0).ceil();
    let sealed = match &column.target {
        SealTo::InPlace => stored(text) - facts.map_or(0.0, |facts| facts.width as f64),
        SealTo::Beside(name) => {
            let sealed = table
                .columns
                .iter()
                .find(|facts| facts.name == name.as_str());
            let is_text =
                sealed.is_some_and(|facts| matches!(facts.base_type.as_str(), "text" | "varchar"));
            stored(if is_text { text } else { envelope })
        }
    };
    let index = column.blind_index.as_ref();
    sealed + index.map_or(0.0, |index| stored(f64::from(index.bits.div_ceil(8))))
}

fn stored(bytes: f64) -> f64 {
    bytes + if bytes <= SHORT_VARLENA_MAX { 1.0 } else { 4.0 }
}

/// The average length of a value's text. For varlena types the statistics have it, header included;
/// other types have text of roughly one length.
fn text_bytes(facts: &ColumnFacts) -> f64 {
    let typical = match facts.base_type.as_str() {
        "bool" | "int2" => 4.0,
        "int4" | "date" => 10.0,
        "int8" | "float4" => 12.0,
        "float8" => 18.0,
        "time" | "interval" => 15.0,
        "timestamp" => 26.0,
        "timestamptz" => 29.0,
        "uuid" => 36.0,
        _ => return (facts.width as f64 - 1.0).max(0.0),
    };
    if facts.array {
        (facts.width as f64).max(typical)
    } else {
        typical
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{ColumnPlan, SealTo, TriggerPolicy};

    fn table() -> TableFacts {
        TableFacts {
            rows: 1_000,
            bytes: 400_000,
            row_bytes: 250,
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

    #[test]
    fn growth_is_the_row_again_with_the_envelope_and_its_header() {
        let beside = plan(SealTo::Beside("ssn_sealed".parse().unwrap()), 0);
        let estimate = backfill(&table(), &beside, None, None);
        assert_eq!(estimate.growth_bytes, 1_000 * (250 + 11 + 34 + 1));
        assert_eq!(estimate.wal_bytes, estimate.growth_bytes + 60_000 + 400_000);
        assert_eq!(estimate.seconds, 1);
    }

    #[test]
    fn in_place_and_padding_count_what_replaces_the_plaintext() {
        // The 11 bytes and the end mark fill a bucket of 16: 50 sealed bytes, 67 characters and the
        // prefix.
        let estimate = backfill(&table(), &plan(SealTo::InPlace, 16), None, None);
        assert_eq!(estimate.growth_bytes, 1_000 * (250 + 4 + 67 + 1 - 12));
    }

    #[test]
    fn a_sample_sets_the_time_and_lanes_divide_it() {
        let sample = Sample {
            rows: 100,
            seconds: 2.0,
            lanes: 4,
        };
        let estimate = backfill(&table(), &plan(SealTo::InPlace, 0), Some(sample), None);
        assert_eq!(estimate.seconds, 5);
    }

    #[test]
    fn only_what_is_left_is_estimated() {
        let beside = plan(SealTo::Beside("ssn_sealed".parse().unwrap()), 0);
        let all = backfill(&table(), &beside, None, None);
        let tenth = backfill(&table(), &beside, None, Some(0.1));
        assert_eq!((tenth.rows, tenth.rows_left), (1_000, 100));
        assert_eq!(tenth.growth_bytes, all.growth_bytes / 10);
        assert_eq!(tenth.wal_bytes, all.wal_bytes / 10);
        let none = backfill(&table(), &beside, None, Some(0.0));
        assert_eq!((none.growth_bytes, none.wal_bytes, none.seconds), (0, 0, 0));
    }

    #[test]
    fn an_empty_table_takes_nothing() {
        let estimate = backfill(
            &TableFacts::default(),
            &plan(SealTo::InPlace, 0),
            None,
            None,
        );
        assert_eq!(estimate, Estimate::default());
    }
}
