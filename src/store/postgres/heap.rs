//! Windows in storage order: ranges of places (`ctid`), on servers that can scan such a range.
//! Owns the present storage of a relation and the number of passes. As long as a row
//! stays in its place, exactly one pass over one group reads it; the sweep processes the rows that
//! move.

mod window;

use sqlx::{PgConnection, Row};

use super::sql::{raw, scalar, set_local, tuple};
use super::{PostgresStore, timed};
use crate::quote;
use crate::store::{HeapPosition, Horizon, PassKind, Result, StoreError};
pub(super) use window::Window;

/// The first server version that scans a range of places.
const RANGE_SCANS: i32 = 140_000;
/// Settings that leave the planner only one plan, the scan of a range of places in order: no index
/// and no scan of the whole table.
pub(super) const SETTINGS: &str = set_local!(
    "enable_tidscan" = "on",
    "enable_seqscan" = "off",
    "enable_indexscan" = "off",
    "enable_indexonlyscan" = "off",
    "enable_bitmapscan" = "off",
    "max_parallel_workers_per_gather" = "0",
);

/// Implements [`crate::store::Rows::cut_by_storage`].
pub(super) async fn cut_by_storage(
    store: &PostgresStore,
    relation: &str,
    pieces: u32,
    pass_kind: PassKind,
) -> Result<Option<Vec<HeapPosition>>> {
    let storage_now = storage_now(store, relation).await?;
    let Some((storage, _)) = storage_now.filter(|(storage, _)| storage.blocks > 0) else {
        return Ok(None);
    };
    let passes = match pass_kind {
        PassKind::Looking => 1,
        PassKind::Rewriting => HeapPosition::passes_for(rows_a_block(store, relation).await?),
    };
    Ok(Some(bounds(&storage, pieces, passes)))
}

/// How many rows a block has, according to the server's statistics; many without statistics.
async fn rows_a_block(store: &PostgresStore, relation: &str) -> Result<f64> {
    let mut tx = store.begin().await?;
    let found: Option<f64> = scalar(
        "SELECT reltuples::float8 / nullif(relpages, 0) FROM pg_catalog.pg_class \
         WHERE oid = to_regclass($1) AND reltuples > 0",
    )
    .bind(relation.to_owned())
    .fetch_optional(&mut *tx)
    .await?
    .flatten();
    tx.commit().await?;
    Ok(found.unwrap_or(f64::INFINITY))
}

/// Implements [`crate::store::Rows::horizon`].
pub(super) async fn horizon(store: &PostgresStore, relation: &str) -> Result<Option<Horizon>> {
    let storage_now = storage_now(store, relation).await?;
    Ok(storage_now.map(|(storage, oldest)| Horizon {
        storage: storage.id,
        oldest,
    }))
}

/// A relation's present storage and the oldest open transaction. `None` if the relation has no
/// storage, or the server cannot scan ranges of it.
async fn storage_now(store: &PostgresStore, relation: &str) -> Result<Option<(Storage, String)>> {
    let mut tx = store.begin().await?;
    let (version, id, blocks, oldest): (i32, Option<String>, Option<i64>, String) = tuple(
        "SELECT current_setting('server_version_num')::int4, pg_relation_filenode(to_regclass($1))::text, \
         pg_relation_size(to_regclass($1)) / current_setting('block_size')::int8, \
         pg_snapshot_xmin(pg_current_snapshot())::text",
    )
    .bind(relation.to_owned())
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    let blocks = u32::try_from(blocks.unwrap_or_default()).unwrap_or(u32::MAX);
    let storage = id.filter(|_| version >= RANGE_SCANS);
    Ok(storage.map(|id| (Storage { id, blocks }, oldest)))
}

fn bounds(storage: &Storage, pieces: u32, passes: u8) -> Vec<HeapPosition> {
    let pieces = pieces.clamp(1, storage.blocks);
    (0..=pieces)
        .map(|i| {
            let block = u64::from(storage.blocks) * u64::from(i) / u64::from(pieces);
            let begin = u32::try_from(block).unwrap_or(u32::MAX);
            let place = HeapPosition::begin(&storage.id, begin, passes);
            match i == pieces {
                // The last range has no end, since blocks may be added during the run.
                true => HeapPosition {
                    block: HeapPosition::OPEN,
                    ..place
                },
                false => place,
            }
        })
        .collect()
}

/// A relation's present storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Storage {
    /// Its identity; empty if the relation has no storage.
    id: String,
    blocks: u32,
}

impl Storage {
    /// Reads the present storage. `before` is the SQL that begins the transaction, sent in the same
    /// message.
    pub(super) async fn now(conn: &mut PgConnection, before: &str, relation: &str) -> Result<Self> {
        let sql = format!(
            "{before} SELECT coalesce(pg_relation_filenode(r)::text, ''), \
             coalesce(pg_relation_size(r) / current_setting('block_size')::int8, 0)::text \
             FROM (SELECT to_regclass({})) AS t(r)",
            quote::literal(relation)
        );
        let rows = timed(raw(sql).fetch_all(conn)).await?;
        let row = rows
            .last()
            .ok_or(StoreError::unexpected("a relation without storage"))?;
        let blocks: String = row.try_get(1)?;
        Ok(Self {
            id: row.try_get(0)?,
            blocks: blocks.parse().unwrap_or(u32::MAX),
        })
    }
}
