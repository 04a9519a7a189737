//! Windows in the order of storage: ranges of places (`ctid`), where the server can scan one.
//! Owns the arithmetic of blocks, groups and passes, and how many passes there are. A row is in exactly one pass over one group, as
//! long as it stays where it is; what moves meanwhile is for the sweep.

use std::time::Duration;

use sqlx::{PgConnection, Row};

use super::committed;
use super::fault::map;
use super::sql::{query, raw};
use super::{PostgresStore, timed};
use crate::crypto::envelope::OVERHEAD_BYTES;
use crate::quote;
use crate::store::{HeapPlace, Mark, Moment, Result, Sealed, StoreError, Target, Versions, Visits};

/// The first version that scans a range of places.
const RANGE_SCANS: i32 = 140_000;
/// Blocks that are gone through in all passes before the next ones are: few enough to stay in the
/// server's cache, and enough that the first pass is durable where the second one reads.
const GROUP_BLOCKS: u32 = 8192;
/// Windows of a pass over a group, at least: what is read ahead is then of the same pass.
const WINDOWS_A_PASS: u32 = 8;
/// A window is at least this many blocks, where there are as many.
const WINDOW_BLOCKS_MIN: u32 = 64;
/// A server whose answers take longer than this is far: each window waits for several of them, so there are fewer.
const FAR: Duration = Duration::from_millis(5);
const WINDOWS_A_PASS_FAR: u32 = 2;
const WINDOW_BLOCKS_MIN_FAR: u32 = 1024;

/// A range of places is scanned in order, and by nothing else: no plan must take an index or the
/// whole table instead.
pub(super) const SETTINGS: &str = "SET LOCAL enable_tidscan = on; SET LOCAL enable_seqscan = off; \
     SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off; SET LOCAL enable_bitmapscan = off; \
     SET LOCAL max_parallel_workers_per_gather = 0;";

/// Passes where rows are written again: more of them leave more rows in their block, where no index
/// needs to know, and each looks at every block once more.
const PASSES: u8 = 8;
/// Passes where rows grow by more than [`GROWTH_MUCH`]: most of them leave their block whatever the
/// order. Measured in docs/decisions/0010.
const PASSES_MUCH_GROWTH: u8 = 3;
/// Of their length.
const GROWTH_MUCH: f64 = 0.5;

/// Places that cut a relation into ranges, as [`crate::store::Store::cut_storage`] has it.
pub(super) async fn cut(
    store: &PostgresStore,
    target: &Target,
    relation: &str,
    pieces: u32,
    visits: Visits,
) -> Result<Option<Vec<HeapPlace>>> {
    let standing = standing(store, relation).await?;
    let Some((storage, _)) = standing.filter(|(storage, _)| storage.blocks > 0) else {
        return Ok(None);
    };
    let passes = match visits {
        Visits::Looking => 1,
        Visits::Rewriting => PASSES,
        Visits::Growing if growth(store, target, relation).await? > GROWTH_MUCH => {
            PASSES_MUCH_GROWTH
        }
        Visits::Growing => PASSES,
    };
    Ok(Some(bounds(&storage, pieces, passes)))
}

/// By how much of its length a row grows in which all fields are sealed, as the server's statistics
/// have it; 0 where there are none.
async fn growth(store: &PostgresStore, target: &Target, relation: &str) -> Result<f64> {
    let names: Vec<String> = target
        .fields
        .iter()
        .filter(|field| matches!(field.sealed, Sealed::Beside { .. }))
        .map(|field| field.column.as_str().to_owned())
        .collect();
    let overhead = OVERHEAD_BYTES * names.len();
    let mut tx = store.begin().await?;
    let row = query(
        "SELECT (SELECT coalesce(sum(s.avg_width), 0)::float8 FROM pg_catalog.pg_stats s \
           WHERE s.schemaname = n.nspname AND s.tablename = c.relname AND NOT s.inherited AND s.attname = ANY ($2)), \
         CASE WHEN c.reltuples > 0 THEN pg_relation_size(c.oid)::float8 / c.reltuples END \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.oid = to_regclass($1)"
            .to_owned(),
    )
    .bind(relation.to_owned())
    .bind(names)
    .fetch_optional(&mut *tx)
    .await
    .map_err(map)?;
    committed(tx).await?;
    let Some(row) = row else { return Ok(0.0) };
    let width: f64 = row.try_get(0).map_err(map)?;
    let length: Option<f64> = row.try_get(1).map_err(map)?;
    Ok(length.map_or(0.0, |length| (width + overhead as f64) / length))
}

/// This moment, as [`crate::store::Store::moment`] has it.
pub(super) async fn moment(store: &PostgresStore, relation: &str) -> Result<Option<Moment>> {
    let standing = standing(store, relation).await?;
    Ok(standing.map(|(storage, oldest)| Moment {
        storage: storage.id,
        oldest,
    }))
}

/// A relation's storage as it stands, and the oldest transaction under way; `None` where there is no
/// storage, or none that the server scans ranges of.
async fn standing(store: &PostgresStore, relation: &str) -> Result<Option<(Storage, String)>> {
    let mut tx = store.begin().await?;
    let row = query(
        "SELECT current_setting('server_version_num')::int4, pg_relation_filenode(to_regclass($1))::text, \
         pg_relation_size(to_regclass($1)) / current_setting('block_size')::int8, \
         pg_snapshot_xmin(pg_current_snapshot())::text"
            .to_owned(),
    )
    .bind(relation.to_owned())
    .fetch_one(&mut *tx)
    .await
    .map_err(map)?;
    committed(tx).await?;
    let version: i32 = row.try_get(0).map_err(map)?;
    let id: Option<String> = row.try_get(1).map_err(map)?;
    let blocks: Option<i64> = row.try_get(2).map_err(map)?;
    let blocks = u32::try_from(blocks.unwrap_or_default()).unwrap_or(u32::MAX);
    let oldest = row.try_get(3).map_err(map)?;
    let storage = id.filter(|_| version >= RANGE_SCANS);
    Ok(storage.map(|id| (Storage { id, blocks }, oldest)))
}

fn bounds(storage: &Storage, pieces: u32, passes: u8) -> Vec<HeapPlace> {
    let pieces = pieces.clamp(1, storage.blocks);
    (0..=pieces)
        .map(|i| {
            let block = u64::from(storage.blocks) * u64::from(i) / u64::from(pieces);
            // The last one goes on to wherever the relation then ends: rows come meanwhile.
            let block = match i == pieces {
                true => u32::MAX,
                false => u32::try_from(block).unwrap_or(u32::MAX),
            };
            HeapPlace::begin(&storage.id, block, passes)
        })
        .collect()
}

/// A relation's storage as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Storage {
    /// Its identity; empty where there is none.
    id: String,
    blocks: u32,
}

impl Storage {
    /// `before` is what begins the transaction, in the same message.
    pub(super) async fn now(conn: &mut PgConnection, before: &str, relation: &str) -> Result<Self> {
        let sql = format!(
            "{before} SELECT coalesce(pg_relation_filenode(r)::text, ''), \
             coalesce(pg_relation_size(r) / current_setting('block_size')::int8, 0)::text \
             FROM (SELECT to_regclass({})) AS t(r)",
            quote::literal(relation)
        );
        let rows = timed(raw(sql).fetch_all(conn)).await?;
        let row = rows.last().ok_or(StoreError::Unexpected {
            what: "a relation without storage",
        })?;
        let blocks: String = row.try_get(1).map_err(map)?;
        Ok(Self {
            id: row.try_get(0).map_err(map)?,
            blocks: blocks.parse().unwrap_or(u32::MAX),
        })
    }
}

/// One window: from behind a place up to a block, in one pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    from: HeapPlace,
    /// Before this block.
    until: u32,
    group: u32,
    /// Before this block the group ends.
    group_end: u32,
    range_end: u32,
}

impl Window {
    /// The window behind `after`. Where the storage is another one by now, the range is begun again;
    /// a look back to a moment is over, since places meant something else then.
    pub(super) fn new(
        after: &HeapPlace,
        upto: Option<&Mark>,
        storage: &Storage,
        versions: &Versions,
        answers_take: Duration,
    ) -> Result<Self> {
        let Some(Mark::Heap(end)) = upto else {
            return Err(StoreError::Unexpected {
                what: "a range of places without an end",
            });
        };
        let from = if after.storage == storage.id {
            after.clone()
        } else {
            after.begin_again(&storage.id)
        };
        let range_end = match versions {
            Versions::Before(moment) | Versions::Since(moment) if moment.storage != storage.id => 0,
            _ => end.block.min(storage.blocks),
        };
        let into = from.block.saturating_sub(from.first) / GROUP_BLOCKS * GROUP_BLOCKS;
        let group = from.first.saturating_add(into);
        let group_end = group.saturating_add(GROUP_BLOCKS).min(range_end);
        let (windows, blocks_min) = match answers_take > FAR {
            true => (WINDOWS_A_PASS_FAR, WINDOW_BLOCKS_MIN_FAR),
            false => (WINDOWS_A_PASS, WINDOW_BLOCKS_MIN),
        };
        let blocks = (group_end.saturating_sub(group) / windows).max(blocks_min);
        let until = from.block.saturating_add(blocks).min(group_end);
        Ok(Self {
            from,
            until,
            group,
            group_end,
            range_end,
        })
    }

    pub(super) fn storage(&self) -> &str {
        &self.from.storage
    }

    /// The condition that the rows of this window meet, of a table `t`.
    pub(super) fn condition(&self, versions: &Versions) -> String {
        let HeapPlace {
            block,
            line,
            pass,
            passes,
            ..
        } = self.from;
        let mut condition = format!(
            "t.ctid > '({block},{line})'::pg_catalog.tid AND t.ctid < '({},0)'::pg_catalog.tid",
            self.until
        );
        if passes > 1 {
            // The last byte of a place is the lower one of its line.
            condition.push_str(&format!(
                " AND pg_catalog.get_byte(pg_catalog.tidsend(t.ctid), 5) % {passes} = {pass}"
            ));
        }
        let of_age = match versions {
            Versions::All => None,
            Versions::Before(moment) => Some((">", moment)),
            Versions::Since(moment) => Some(("<=", moment)),
        };
        if let Some((sign, moment)) = of_age {
            // Ages count back from now, so that it does not matter where numbers began again. The
            // number in a frozen row may be of an earlier round: then it may be met twice, never not.
            condition.push_str(&format!(
                " AND pg_catalog.age(t.xmin) {sign} pg_catalog.age({}::pg_catalog.xid8::pg_catalog.xid)",
                quote::literal(&moment.oldest)
            ));
        }
        condition
    }

    /// Behind a row of this window.
    pub(super) fn behind(&self, (block, line): (u32, u16)) -> Mark {
        Mark::Heap(HeapPlace {
            block,
            line,
            ..self.from.clone()
        })
    }

    /// Behind all of this window; `None` where the range ends with it.
    pub(super) fn end(&self) -> Option<Mark> {
        let (block, pass) = if self.group >= self.range_end {
            // Cut off meanwhile.
            return None;
        } else if self.until < self.group_end {
            (self.until, self.from.pass)
        } else if self.from.pass + 1 < self.from.passes {
            (self.group, self.from.pass + 1)
        } else if self.group_end < self.range_end {
            (self.group_end, 0)
        } else {
            return None;
        };
        Some(Mark::Heap(HeapPlace {
            block,
            line: 0,
            pass,
            ..self.from.clone()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(id: &str, blocks: u32) -> Storage {
        Storage {
            id: id.to_owned(),
            blocks,
        }
    }

    fn begin(block: u32) -> HeapPlace {
        HeapPlace::begin("1", block, PASSES)
    }

    /// Every window of a range, as (pass, from, until).
    fn walk(first: u32, end: u32) -> Vec<(u8, u32, u32)> {
        let upto = Mark::Heap(begin(end));
        let mut at = begin(first);
        let mut windows = Vec::new();
        loop {
            let window = Window::new(
                &at,
                Some(&upto),
                &storage("1", u32::MAX),
                &Versions::All,
                Duration::ZERO,
            )
            .unwrap();
            windows.push((window.from.pass, window.from.block, window.until));
            match window.end() {
                Some(Mark::Heap(next)) => at = next,
                _ => return windows,
            }
        }
    }

    #[test]
    fn every_block_of_a_range_is_in_every_pass_once() {
        for (first, end) in [(0, 1), (0, 64), (3, 70), (100, 5000), (7, 20_000)] {
            let windows = walk(first, end);
            for pass in 0..begin(0).passes {
                let mut next = first;
                for (_, from, until) in windows.iter().filter(|window| window.0 == pass) {
                    assert_eq!(*from, next);
                    assert!(until > from);
                    next = *until;
                }
                assert_eq!(next, end);
            }
        }
    }

    #[test]
    fn a_group_is_gone_through_in_all_passes_before_the_next() {
        let windows = walk(0, 3 * GROUP_BLOCKS);
        let order: Vec<(u32, u8)> = windows.iter().map(|w| (w.1 / GROUP_BLOCKS, w.0)).collect();
        assert!(order.is_sorted(), "{order:?}");
    }

    #[test]
    fn behind_a_row_the_same_window_goes_on() {
        let upto = Mark::Heap(begin(100));
        let window = Window::new(
            &begin(10),
            Some(&upto),
            &storage("1", 100),
            &Versions::All,
            Duration::ZERO,
        )
        .unwrap();
        let Mark::Heap(next) = window.behind((20, 7)) else {
            panic!()
        };
        assert_eq!(
            (next.first, next.block, next.line, next.pass),
            (10, 20, 7, 0)
        );
        let next = Window::new(
            &next,
            Some(&upto),
            &storage("1", 100),
            &Versions::All,
            Duration::ZERO,
        )
        .unwrap();
        assert!(
            next.condition(&Versions::All).contains("'(20,7)'"),
            "{}",
            next.condition(&Versions::All)
        );
    }

    #[test]
    fn other_storage_begins_the_range_again() {
        let upto = Mark::Heap(begin(100));
        let at = HeapPlace {
            block: 50,
            line: 3,
            pass: 1,
            ..begin(10)
        };
        let window = Window::new(
            &at,
            Some(&upto),
            &storage("2", 100),
            &Versions::All,
            Duration::ZERO,
        )
        .unwrap();
        assert_eq!(window.from, begin(10).begin_again("2"));
    }

    #[test]
    fn ranges_are_of_all_blocks() {
        let blocks = |all, pieces| {
            bounds(&storage("1", all), pieces, PASSES)
                .iter()
                .map(|p| p.block)
                .collect::<Vec<_>>()
        };
        assert_eq!(blocks(10, 1), [0, u32::MAX]);
        assert_eq!(blocks(10, 4), [0, 2, 5, 7, u32::MAX]);
        assert_eq!(blocks(2, 16), [0, 1, u32::MAX]);
    }

    #[test]
    fn the_last_range_ends_where_the_relation_does() {
        let upto = Mark::Heap(begin(u32::MAX));
        let window = |at: u32, blocks| {
            Window::new(
                &begin(at),
                Some(&upto),
                &storage("1", blocks),
                &Versions::All,
                Duration::ZERO,
            )
            .unwrap()
        };
        assert_eq!(window(0, 10).until, 10);
        // Cut off in the meantime: nothing is left, and it ends.
        assert_eq!(window(20, 10).end(), None);
    }

    #[test]
    fn a_look_back_is_over_where_the_storage_was_exchanged() {
        let upto = Mark::Heap(begin(100));
        let moment = Moment {
            storage: "1".to_owned(),
            oldest: "700".to_owned(),
        };
        for versions in [Versions::Before(moment.clone()), Versions::Since(moment)] {
            let window = |id| {
                Window::new(
                    &begin(0),
                    Some(&upto),
                    &storage(id, 100),
                    &versions,
                    Duration::ZERO,
                )
                .unwrap()
            };
            assert!(window("1").end().is_some());
            assert_eq!((window("2").until, window("2").end()), (0, None));
        }
    }
}
