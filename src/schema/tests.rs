//! The migrator on SQLite: what is applied, undone and refused.
//! PostgreSQL has the same promises in `tests/it/migrate.rs`.

use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::*;

mod tables;
mod without_strict;

const SIX_YEARS_AND_A_DAY: &str = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-6 years', '-1 day')";

async fn empty() -> SqliteConnection {
    SqliteConnection::connect("sqlite::memory:").await.unwrap()
}

async fn migrated() -> SqliteConnection {
    let mut conn = empty().await;
    Migrations::own_in_sqlite(&mut conn).up(None).await.unwrap();
    conn
}

async fn run(conn: &mut SqliteConnection, sql: impl Into<String>) -> Result<u64, String> {
    let sql = sqlx::AssertSqlSafe(sql.into());
    match sqlx::raw_sql(sql).execute(conn).await {
        Ok(done) => Ok(done.rows_affected()),
        Err(error) => Err(error
            .as_database_error()
            .unwrap()
            .code()
            .unwrap()
            .into_owned()),
    }
}

async fn catalog(conn: &mut SqliteConnection) -> Vec<(String, Option<String>)> {
    sqlx::query_as("SELECT name, sql FROM sqlite_schema WHERE name LIKE 'phiseal%' ORDER BY name")
        .fetch_all(conn)
        .await
        .unwrap()
}

async fn one<T>(conn: &mut SqliteConnection, sql: &'static str) -> T
where
    T: for<'r> sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite> + Send + Unpin,
{
    sqlx::query_scalar(sql).fetch_one(conn).await.unwrap()
}

fn new_key(id: u32, status: &str) -> String {
    format!(
        "INSERT INTO phiseal_encryption_keys (key_id, purpose, version, algorithm, status,
             kek_ref, wrapped_key, check_value, created_by)
         VALUES ({id}, 'cell', {id}, 'AES-256-GCM', '{status}', 'wk:0', x'e801', x'00', 'test')"
    )
}

fn to_status(id: u32, status: &str) -> String {
    let wipe = if status == "destroyed" {
        ", wrapped_key = NULL"
    } else {
        ""
    };
    format!("UPDATE phiseal_encryption_keys SET status = '{status}'{wipe} WHERE key_id = {id}")
}

/// Makes key `id` and brings it to `status` by legal steps.
async fn key_at(conn: &mut SqliteConnection, id: u32, status: &str) {
    run(conn, new_key(id, "pre_active")).await.unwrap();
    let way: &[&str] = match status {
        "pre_active" => &[],
        "active" => &["active"],
        "suspended" => &["active", "suspended"],
        "deactivated" => &["active", "deactivated"],
        "compromised" => &["compromised"],
        _ => &["destroyed"],
    };
    for step in way {
        assert_eq!(
            run(conn, to_status(id, step)).await,
            Ok(1),
            "{id} to {step}"
        );
    }
}

async fn rotated(conn: &mut SqliteConnection) {
    key_at(conn, 1, "deactivated").await;
    key_at(conn, 2, "active").await;
    run(
        conn,
        "INSERT INTO phiseal_key_rotation_history (from_key_id, to_key_id, reason, actor)
         VALUES (1, 2, 'scheduled', 'test')",
    )
    .await
    .unwrap();
}

fn new_field(state: &str) -> String {
    format!(
        "INSERT INTO phiseal_encrypted_field_metadata (table_label, column_label, schema_name,
             table_name, column_name, sealed_column, key_columns, key_types, source_type, form, state)
         VALUES ('patients', 'ssn', '', 'patients', 'ssn', 'ssn_sealed', '[\"id\"]', '[\"i\"]',
             'TEXT', 'beside', '{state}')"
    )
}

fn new_entry(at: &str) -> String {
    format!(
        "INSERT INTO phiseal_audit_log (entry_id, at, actor, action, subject, prev_mac, mac)
         VALUES (1, {at}, 'test', 'keys.create', '{{}}', x'', x'01')"
    )
}

#[tokio::test]
async fn up_applies_all_in_order_and_a_second_up_nothing() {
    let mut conn = empty().await;
    let mut schema = Migrations::own_in_sqlite(&mut conn);
    assert_eq!(
        schema.up(None).await,
        Ok(vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    );
    assert_eq!(schema.up(None).await, Ok(vec![]));
}

#[tokio::test]
async fn up_and_down_stop_at_the_version_asked_for() {
    let mut conn = empty().await;
    let mut schema = Migrations::own_in_sqlite(&mut conn);
    assert_eq!(schema.up(Some(3)).await, Ok(vec![1, 2, 3]));
    assert_eq!(schema.down(Some(1)).await, Ok(vec![3, 2]));
    assert_eq!(
        schema.up(None).await,
        Ok(vec![2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    );
    assert_eq!(schema.down(None).await, Ok(vec![11]));
    for missing in [schema.up(Some(99)).await, schema.down(Some(99)).await] {
        assert_eq!(missing, Err(MigrateError::NoSuchVersion { version: 99 }));
    }
}

#[tokio::test]
async fn up_after_down_makes_the_same_catalog_and_down_leaves_no_table_of_ours() {
    let mut conn = migrated().await;
    let before = catalog(&mut conn).await;
    let undone = Migrations::own_in_sqlite(&mut conn).down(Some(0)).await;
    assert_eq!(undone, Ok(vec![11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]));
    let left: Vec<String> = catalog(&mut conn)
        .await
        .into_iter()
        .map(|row| row.0)
        .collect();
    assert_eq!(left, ["phiseal_migrations_engine"]);
    Migrations::own_in_sqlite(&mut conn).up(None).await.unwrap();
    assert_eq!(catalog(&mut conn).await, before);
}

#[tokio::test]
async fn down_of_an_untouched_database_does_nothing() {
    let mut conn = empty().await;
    assert_eq!(
        Migrations::own_in_sqlite(&mut conn).down(None).await,
        Ok(vec![])
    );
    assert!(catalog(&mut conn).await.is_empty());
}

#[tokio::test]
async fn status_tells_applied_pending_changed_and_unknown() {
    let mut conn = empty().await;
    let states = |all: Vec<MigrationStatus>| all.into_iter().map(|s| s.state).collect::<Vec<_>>();
    let fresh = Migrations::own_in_sqlite(&mut conn).status().await.unwrap();
    assert_eq!(states(fresh), [MigrationState::Pending; 11]);
    assert!(
        catalog(&mut conn).await.is_empty(),
        "status changes nothing"
    );

    Migrations::own_in_sqlite(&mut conn)
        .up(Some(2))
        .await
        .unwrap();
    run(
        &mut conn,
        "UPDATE phiseal_migrations_engine SET checksum = x'00' WHERE version = 2;
         INSERT INTO phiseal_migrations_engine (version, name, checksum) VALUES (77, 'later', x'00')",
    )
    .await
    .unwrap();
    let all = Migrations::own_in_sqlite(&mut conn).status().await.unwrap();
    assert_eq!(all[0].name, "keys");
    assert_eq!(
        all[0].applied_at.as_ref().unwrap().len(),
        "2026-01-01T00:00:00.000Z".len()
    );
    assert_eq!(all[11].version, 77);
    assert_eq!(
        states(all),
        [
            MigrationState::Applied,
            MigrationState::ChecksumDiffers,
            MigrationState::Pending,
            MigrationState::Pending,
            MigrationState::Pending,
            MigrationState::Pending,
            MigrationState::Pending,
            MigrationState::Pending,
            MigrationState::Pending,
            MigrationState::Pending,
            MigrationState::Pending,
            MigrationState::Unknown,
        ]
    );
}

#[tokio::test]
async fn a_changed_migration_stops_up_and_down() {
    let mut conn = empty().await;
    Migrations::own_in_sqlite(&mut conn)
        .up(Some(2))
        .await
        .unwrap();
    run(
        &mut conn,
        "UPDATE phiseal_migrations_engine SET checksum = x'00' WHERE version = 1",
    )
    .await
    .unwrap();
    let mut schema = Migrations::own_in_sqlite(&mut conn);
    let refused = Err(MigrateError::ChecksumDiffers { version: 1 });
    assert_eq!(schema.up(None).await, refused);
    assert_eq!(schema.down(None).await, refused);
}

#[tokio::test]
async fn a_database_of_a_newer_program_stops_up_and_down() {
    let mut conn = migrated().await;
    run(
        &mut conn,
        "INSERT INTO phiseal_migrations_engine (version, name, checksum) VALUES (12, 'later', x'00')",
    )
    .await
    .unwrap();
    let mut schema = Migrations::own_in_sqlite(&mut conn);
    let refused = Err(MigrateError::UnknownApplied { version: 12 });
    assert_eq!(schema.up(None).await, refused);
    assert_eq!(schema.down(None).await, refused);
}

#[tokio::test]
async fn a_failing_migration_leaves_nothing_of_itself_and_keeps_those_before() {
    let mut conn = empty().await;
    run(&mut conn, "CREATE TABLE phiseal_lanes (x)")
        .await
        .unwrap();
    let failed = Migrations::own_in_sqlite(&mut conn).up(None).await;
    assert_eq!(
        failed,
        Err(MigrateError::Database {
            doing: Doing::Applying(3),
            sqlstate: "1".to_owned(),
            constraint: None,
        })
    );
    let runs: i64 = one(
        &mut conn,
        "SELECT count(*) FROM sqlite_schema WHERE name = 'phiseal_runs'",
    )
    .await;
    assert_eq!(runs, 0);
    run(&mut conn, "DROP TABLE phiseal_lanes").await.unwrap();
    assert_eq!(
        Migrations::own_in_sqlite(&mut conn).up(None).await,
        Ok(vec![3, 4, 5, 6, 7, 8, 9, 10, 11])
    );
}

#[tokio::test]
async fn a_second_migrator_waits_for_the_lock_and_says_when_it_gives_up() {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new()
        .filename(directory.path().join("ours.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(Duration::from_millis(1));
    let mut holder = options.connect().await.unwrap();
    let mut waiting = options.connect().await.unwrap();

    run(&mut holder, "BEGIN IMMEDIATE").await.unwrap();
    let given_up = Migrations::own_in_sqlite(&mut waiting).up(None).await;
    assert_eq!(given_up, Err(MigrateError::LockTimeout { attempts: 12 }));

    let release = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        run(&mut holder, "COMMIT").await
    };
    let mut schema = Migrations::own_in_sqlite(&mut waiting);
    let (applied, released) = tokio::join!(schema.up(None), release);
    assert_eq!(
        (applied, released.is_ok()),
        (Ok(vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]), true)
    );
}

#[tokio::test]
async fn down_is_refused_while_a_field_is_sealed() {
    for state in [
        "prepared",
        "sealing",
        "sealed",
        "verified",
        "opened",
        "finalized",
        "scrubbed",
    ] {
        let mut conn = migrated().await;
        run(&mut conn, new_field(state)).await.unwrap();
        let refused = Migrations::own_in_sqlite(&mut conn).down(Some(0)).await;
        let expected = MigrateError::Refused {
            version: 11,
            refusal: Refusal::SealedFields,
        };
        assert_eq!(refused, Err(expected), "{state}");
    }
    for state in ["declared", "restored"] {
        let mut conn = migrated().await;
        run(&mut conn, new_field(state)).await.unwrap();
        let undone = Migrations::own_in_sqlite(&mut conn).down(Some(0)).await;
        assert_eq!(
            undone,
            Ok(vec![11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
            "{state}"
        );
    }
}

#[tokio::test]
async fn down_is_refused_while_audit_entries_are_under_six_years_old() {
    let mut conn = migrated().await;
    run(
        &mut conn,
        new_entry("strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-6 years', '+1 day')"),
    )
    .await
    .unwrap();
    let refused = Migrations::own_in_sqlite(&mut conn).down(None).await;
    let expected = MigrateError::Refused {
        version: 11,
        refusal: Refusal::YoungAudit,
    };
    assert_eq!(refused, Err(expected));

    let mut conn = migrated().await;
    run(&mut conn, new_entry(SIX_YEARS_AND_A_DAY))
        .await
        .unwrap();
    assert_eq!(
        Migrations::own_in_sqlite(&mut conn).down(None).await,
        Ok(vec![11])
    );
}

#[tokio::test]
async fn down_is_refused_while_rotation_history_is_under_six_years_old() {
    let mut conn = migrated().await;
    rotated(&mut conn).await;
    let refused = Migrations::own_in_sqlite(&mut conn).down(Some(0)).await;
    let expected = MigrateError::Refused {
        version: 11,
        refusal: Refusal::YoungHistory,
    };
    assert_eq!(refused, Err(expected));

    run(
        &mut conn,
        format!(
            "UPDATE phiseal_key_rotation_history
             SET finished_at = {SIX_YEARS_AND_A_DAY}, outcome = 'complete'"
        ),
    )
    .await
    .unwrap();
    let undone = Migrations::own_in_sqlite(&mut conn).down(Some(0)).await;
    assert_eq!(undone, Ok(vec![11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]));
}
