//! Facts of the library and the file.
//! Owns the list of our own tables, by which an installation is recognised.

use sqlx::sqlite::SqliteConnection;

use super::super::connect::FileOpener;
use super::super::guard::mark;
use super::super::sql::literal;
use super::{broken, one};
use crate::store::{Result, ServerFacts};

/// phiseal's own tables, all of which must exist.
const OWN_TABLES: [&str; 17] = [
    "phiseal_encryption_keys",
    "phiseal_key_rotation_history",
    "phiseal_key_transition_entries",
    "phiseal_encrypted_field_metadata",
    "phiseal_runs",
    "phiseal_lanes",
    "phiseal_procedures",
    "phiseal_pace_requests",
    "phiseal_pace_reports",
    "phiseal_quarantine",
    "phiseal_audit_log",
    "phiseal_audit_head",
    "phiseal_mark",
    "phiseal_guard_mark",
    "phiseal_guard_gaps",
    "phiseal_sealed_relations",
    "phiseal_end_of_tables",
];

/// Facts of the library and the file.
pub(crate) async fn server(
    conn: &mut SqliteConnection,
    opener: &FileOpener,
) -> Result<ServerFacts> {
    let version: String = one(conn, "SELECT sqlite_version()").await?;
    let encoding: String = one(conn, "SELECT encoding FROM pragma_encoding").await?;
    let names = OWN_TABLES.map(literal).join(", ");
    let sql =
        format!("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ({names})");
    let own: i64 = one(conn, &sql).await?;
    let number = version.split('.').fold(0_i64, |number, part| {
        number * 1000 + part.parse::<i64>().unwrap_or(0)
    });
    let installed = usize::try_from(own) == Ok(OWN_TABLES.len());
    Ok(ServerFacts {
        guard_gaps: match installed {
            true => mark::gaps(conn).await?,
            false => Vec::new(),
        },
        version: format!("SQLite {version}"),
        version_num: number,
        // Spelled as PostgreSQL does.
        encoding: encoding.replace("UTF-", "UTF"),
        read_only: opener.is_read_only(conn).await?,
        broken_objects: broken::objects(conn).await?,
        installed,
        ..ServerFacts::default()
    })
}
