//! The census: how many values each key seals, in every registered column and in phiseal's own
//! tables.
//! Owns how a large table is counted: range by range, so that no statement runs for long.
//! Needs no key: the server compares the first bytes of each value.

use std::collections::BTreeMap;

use super::error::EngineError;
use crate::crypto::KeyId;
use crate::store::{Access, Extent, SealedCount, Store};

/// The number of values by key.
pub type Census = BTreeMap<KeyId, u64>;

/// About how many rows one statement counts.
const ROWS_A_PIECE: u64 = 500_000;

/// Counts the values of all tables.
///
/// # Errors
/// What the store reports.
pub async fn take(store: &dyn Store, tables: &[Access]) -> Result<Census, EngineError> {
    let mut census = Census::new();
    for access in tables {
        for count in of_table(store, access).await? {
            if let Some(key_id) = count.key_id {
                *census.entry(key_id).or_default() += count.values;
            }
        }
    }
    for count in store.quarantine_summary(&[], 0).await?.counts {
        if let Some(key_id) = KeyId::new(count.key_id) {
            *census.entry(key_id).or_default() += count.entries;
        }
    }
    Ok(census)
}

/// Counts the values of one table.
///
/// # Errors
/// What the store reports.
pub async fn of_table(store: &dyn Store, access: &Access) -> Result<Vec<SealedCount>, EngineError> {
    let table = &access.table;
    let relations = store.relations(access).await?;
    let rows = Extent::rows(&store.extents(&relations).await?);
    let pieces = u32::try_from(rows / ROWS_A_PIECE + 1).unwrap_or(u32::MAX);
    let mut counts = Vec::new();
    for relation in relations {
        let mut after = None;
        for bound in store.cut_by_key(table, &relation, pieces).await? {
            let (lower, upper) = (after.as_ref(), Some(&bound));
            counts.extend(store.census(table, &relation, lower, upper).await?);
            after = Some(bound);
        }
        counts.extend(store.census(table, &relation, after.as_ref(), None).await?);
    }
    Ok(counts)
}
