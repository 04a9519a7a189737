//! Migration 6 of our tables in SQLite: no row changes, older programs read the file, and what STRICT refused is
//! refused by CHECK.

use sqlx::Row;

use super::*;

/// A row in every table of migrations 1 to 5: an open run with its lane, a rotation, quarantine, a field that
/// was restored, an audit chain old enough to be undone. Numbers, blobs and text that a copy might change.
const ROWS: &str = "
    INSERT INTO phiseal_encrypted_field_metadata (table_label, column_label, schema_name, table_name, column_name,
        sealed_column, key_columns, key_types, source_type, form, state, pad_to)
        VALUES ('t ''q\"', 'ssn', '', 't', 'ssn', 'ssn_sealed', '[\"id\"]', '[\"i\"]', 'TEXT', 'beside', 'restored', 64);
    INSERT INTO phiseal_runs (run_id, kind, table_label, digest, actor) VALUES (41, 'backfill', 't', 'd', 'me');
    INSERT INTO phiseal_lanes (run_id, lane_no, relation, lower, cursor, seq, fence, holder)
        VALUES (41, 0, '\"t\"', x'00ff', x'', 7, 3, 'h/1/2/3/0');
    INSERT INTO phiseal_quarantine (quarantine_id, run_id, table_label, row_tag, key_sealed, key_id, step, reason)
        VALUES (9, 41, 't', '0123456789abcdef', x'e701', 1, 'seal', 'é');
    INSERT INTO phiseal_rotation_counts (run_id, lane_no, history_id, from_key_id, rows_found)
        VALUES (41, 0, 1, 1, 9223372036854775807);
    UPDATE phiseal_key_rotation_history SET finished_at = '1999-01-01T00:00:00.000Z', outcome = 'complete',
        started_at = started_at, census = '{\"1\": 0}';
    UPDATE phiseal_audit_head SET entry_id = 1, mac = x'01';
    -- A number that was given and is free again is not given twice.
    INSERT INTO phiseal_runs (run_id, kind, table_label, digest, actor, state, finished_at)
        VALUES (77, 'restore', 'u', 'd', 'me', 'done', '1999');
    DELETE FROM phiseal_runs WHERE run_id = 77";

const TABLES: [&str; 12] = [
    "phiseal_encryption_keys",
    "phiseal_key_transitions",
    "phiseal_key_rotation_history",
    "phiseal_encrypted_field_metadata",
    "phiseal_runs",
    "phiseal_lanes",
    "phiseal_rotation_counts",
    "phiseal_quarantine",
    "phiseal_audit_log",
    "phiseal_audit_head",
    "phiseal_migrations_engine",
    "sqlite_sequence",
];

async fn at_5() -> SqliteConnection {
    let mut conn = empty().await;
    Migrations::own_in_sqlite(&mut conn)
        .up(Some(5))
        .await
        .unwrap();
    rotated(&mut conn).await;
    run(&mut conn, new_entry("'1999-01-01T00:00:00.000Z'"))
        .await
        .unwrap();
    run(&mut conn, ROWS).await.unwrap();
    conn
}

/// Every row of every table, each value with its class, by rowid.
async fn contents(conn: &mut SqliteConnection) -> Vec<String> {
    let mut all = Vec::new();
    for table in TABLES {
        let columns = format!(
            "SELECT group_concat('typeof(' || name || ') || quote(' || name || ')', ' || ') \
            FROM pragma_table_info('{table}')"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(columns))
            .fetch_one(&mut *conn)
            .await
            .unwrap();
        let columns: String = row.get(0);
        let condition = match table {
            "phiseal_migrations_engine" => "version < 6",
            "sqlite_sequence" => "name <> 'phiseal_guard_gaps'",
            _ => "1",
        };
        let rows =
            format!("SELECT rowid || {columns} FROM {table} WHERE {condition} ORDER BY rowid");
        let rows = sqlx::query(sqlx::AssertSqlSafe(rows))
            .fetch_all(&mut *conn)
            .await
            .unwrap();
        assert!(!rows.is_empty(), "{table} has no row to lose");
        all.extend(
            rows.iter()
                .map(|row| format!("{table} {}", row.get::<String, _>(0))),
        );
    }
    all
}

/// Indexes and triggers, less the one trigger that is written otherwise.
async fn objects(conn: &mut SqliteConnection) -> Vec<(String, Option<String>)> {
    sqlx::query_as(
        "SELECT type || ' ' || name, sql FROM sqlite_schema WHERE type IN ('index', 'trigger') \
         AND name NOT IN ('phiseal_encryption_keys_update', 'phiseal_mark_insert', 'phiseal_mark_update', \
         'sqlite_autoindex_phiseal_mark_never_1') ORDER BY 1",
    )
    .fetch_all(conn)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_database_of_migration_5_keeps_every_row_index_trigger_and_sequence() {
    let mut conn = at_5().await;
    let (rows, made) = (contents(&mut conn).await, objects(&mut conn).await);
    let catalog_5 = catalog(&mut conn).await;
    assert_eq!(
        Migrations::own_in_sqlite(&mut conn).up(Some(6)).await,
        Ok(vec![6])
    );
    assert_eq!(contents(&mut conn).await, rows);
    assert_eq!(objects(&mut conn).await, made);
    let whole: String = one(&mut conn, "PRAGMA integrity_check").await;
    assert_eq!(whole, "ok");
    let refers: i64 = one(&mut conn, "SELECT count(*) FROM pragma_foreign_key_check").await;
    assert_eq!(refers, 0);
    let run_id = "INSERT INTO phiseal_runs (kind, table_label, digest, actor) \
        VALUES ('rotate', 'v', 'd', 'me') RETURNING run_id";
    let run_id: i64 = one(&mut conn, run_id).await;
    assert_eq!(run_id, 78);
    run(&mut conn, "DELETE FROM phiseal_runs WHERE run_id = 78")
        .await
        .unwrap();

    assert_eq!(
        Migrations::own_in_sqlite(&mut conn).down(None).await,
        Ok(vec![6])
    );
    let rows_less_the_sequence = |rows: Vec<String>| -> Vec<String> {
        rows.into_iter()
            .filter(|row| !row.contains("sequence"))
            .collect()
    };
    assert_eq!(
        rows_less_the_sequence(contents(&mut conn).await),
        rows_less_the_sequence(rows)
    );
    // The history is the migrator's own, and needs no STRICT.
    let own = |all: Vec<(String, Option<String>)>| -> Vec<_> {
        all.into_iter()
            .filter(|(name, _)| name != "phiseal_migrations_engine")
            .collect()
    };
    assert_eq!(own(catalog(&mut conn).await), own(catalog_5));
}

#[tokio::test]
async fn the_history_that_an_earlier_program_made_strict_is_so_no_more() {
    let mut conn = empty().await;
    let made = "CREATE TABLE phiseal_migrations_engine (
                     version    INTEGER PRIMARY KEY,
                     name       TEXT    NOT NULL,
                     checksum   BLOB    NOT NULL,
                     applied_at TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
                 ) STRICT";
    run(&mut conn, made).await.unwrap();
    Migrations::own_in_sqlite(&mut conn).up(None).await.unwrap();
    let strict: i64 = one(
        &mut conn,
        "SELECT count(*) FROM pragma_table_list WHERE strict",
    )
    .await;
    assert_eq!(strict, 0);
    let versions: i64 = one(&mut conn, "SELECT count(*) FROM phiseal_migrations_engine").await;
    assert_eq!(versions, 11);
}

#[tokio::test]
async fn a_mark_that_stood_is_noted_as_a_gap() {
    let mut conn = at_5().await;
    run(
        &mut conn,
        "INSERT INTO phiseal_mark VALUES ('engine'), ('engine'), ('sealer')",
    )
    .await
    .unwrap();
    Migrations::own_in_sqlite(&mut conn).up(None).await.unwrap();
    let gaps: String = one(
        &mut conn,
        "SELECT group_concat(mark) FROM (SELECT mark FROM phiseal_guard_gaps ORDER BY mark)",
    )
    .await;
    assert_eq!(gaps, "engine,sealer");
    let marks: i64 = one(&mut conn, "SELECT count(*) FROM phiseal_mark").await;
    assert_eq!(marks, 0);
}

#[tokio::test]
async fn every_column_takes_the_classes_that_strict_took_and_no_other() {
    let mut conn = at_5().await;
    Migrations::own_in_sqlite(&mut conn).up(None).await.unwrap();
    // Only the CHECKs are asked: what the triggers say comes before.
    let drop: String = one(
        &mut conn,
        "SELECT group_concat('DROP TRIGGER ' || name, ';') FROM sqlite_schema WHERE type = 'trigger'",
    )
    .await;
    run(&mut conn, drop).await.unwrap();
    let mut asked = 0;
    for table in &TABLES[..10] {
        let columns = format!("SELECT name || ' ' || type FROM pragma_table_info('{table}')");
        let columns: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(columns))
            .fetch_all(&mut conn)
            .await
            .unwrap();
        for column in columns {
            let (name, class) = column.split_once(' ').unwrap();
            let other = match class {
                "INTEGER" => "'x'",
                "BLOB" => "'x'",
                _ => "x'ff'",
            };
            let change = format!("UPDATE {table} SET {name} = {other}");
            let done = run(&mut conn, &change).await;
            // A constraint, or the mismatch that a rowid's own column answers.
            assert!(
                matches!(
                    done.as_ref().map_err(String::as_str),
                    Err("275" | "20" | "787")
                ),
                "{change}: {done:?}"
            );
            asked += 1;
        }
    }
    assert_eq!(asked, 132);
}
