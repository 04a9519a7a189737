//! What a batch compares before it commits: the table's definition.
//! Owns its digest.

use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::sql::{Bind, bound};
use crate::store::{Result, Table};

/// A digest of the table's definition and its triggers.
pub(super) async fn fingerprint(conn: &mut SqliteConnection, table: &Table) -> Result<String> {
    const DEFINITION: &str = "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema \
        WHERE type IN ('table', 'trigger') AND tbl_name = ? COLLATE NOCASE ORDER BY type, name";
    let rows = bound(DEFINITION, [Bind::from(table.name.name.as_str())])
        .fetch_all(conn)
        .await?;
    let mut digest = Sha256::new();
    for row in rows {
        let line: String = row.try_get(0)?;
        digest.update((line.len() as u64).to_be_bytes());
        digest.update(line);
    }
    Ok(hex::encode(digest.finalize()))
}
