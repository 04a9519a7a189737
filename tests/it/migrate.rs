//! The migrator on PostgreSQL: what is applied, undone and refused; `tables` has what the triggers
//! and unique indexes of our own tables refuse.
//! SQLite has the same promises beside the code, in `src/schema/tests.rs`.

mod tables;

use std::time::Duration;

use phiseal::schema::{Doing, MigrateError, MigrationState, Migrations, Refusal};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::support::database;
use crate::support::database::Database;

/// Valid as an identifier, and a trap for whoever splices it into SQL.
const ODD_SCHEMA: &str = "Our \"Own\" $$ {{schema}} -- 'x";

async fn migrated(name: &str) -> Database {
    let db = database(name).await;
    assert_eq!(
        up(&db, "phiseal").await,
        Ok(vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    );
    db
}

async fn up(db: &Database, schema: &str) -> Result<Vec<i64>, MigrateError> {
    let mut conn = db.connection().await;
    Migrations::own_in_postgres(&mut conn, schema)?
        .up(None)
        .await
}

async fn down(db: &Database, schema: &str, to: Option<i64>) -> Result<Vec<i64>, MigrateError> {
    let mut conn = db.connection().await;
    Migrations::own_in_postgres(&mut conn, schema)?
        .down(to)
        .await
}

/// `Err` holds the SQLSTATE.
async fn run(db: &Database, sql: &str) -> Result<(), String> {
    db.try_exec(sql).await.map_err(|error| {
        let code = error.as_database_error().and_then(|e| e.code());
        code.expect(sql).into_owned()
    })
}

fn refused() -> Result<(), String> {
    Err("PS001".to_owned())
}

/// Everything the migrations make, as the server describes it.
async fn catalog(db: &Database) -> Vec<Vec<Option<String>>> {
    db.rows(
        "WITH ours AS (SELECT c.* FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                       WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema')
         SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
                a.attnotnull::text, c.reloptions::text, pg_get_expr(d.adbin, d.adrelid)
             FROM ours c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
             LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
         UNION ALL SELECT 'constraint', conname::text, pg_get_constraintdef(p.oid), '', '', ''
             FROM pg_constraint p JOIN ours c ON c.oid = p.conrelid
         UNION ALL SELECT 'index', indexname::text, indexdef, '', '', ''
             FROM pg_indexes WHERE schemaname !~ '^(pg_|information)'
         UNION ALL SELECT 'trigger', tgname::text, pg_get_triggerdef(t.oid), tgenabled::text, '', ''
             FROM pg_trigger t JOIN ours c ON c.oid = t.tgrelid WHERE NOT tgisinternal
         UNION ALL SELECT 'function', proname::text, pg_get_functiondef(p.oid), '', '', ''
             FROM pg_proc p WHERE pronamespace::regnamespace::text !~ '^(pg_|information)'
         ORDER BY 1, 2, 3",
    )
    .await
}

fn new_key(id: u32, status: &str) -> String {
    format!(
        "INSERT INTO phiseal.encryption_keys (key_id, purpose, version, algorithm, status,
             kek_ref, wrapped_key, check_value, created_by)
         VALUES ({id}, 'cell', {id}, 'AES-256-GCM', '{status}', 'wk:0', '\\xe801', '\\x00', 'test')"
    )
}

fn to_status(id: u32, status: &str) -> String {
    let wipe = match status {
        "destroyed" => ", wrapped_key = NULL",
        _ => "",
    };
    format!("UPDATE phiseal.encryption_keys SET status = '{status}'{wipe} WHERE key_id = {id}")
}

/// Makes key `id` and brings it to `status` by legal steps.
async fn key_at(db: &Database, id: u32, status: &str) {
    db.exec(&new_key(id, "pre_active")).await;
    let way: &[&str] = match status {
        "pre_active" => &[],
        "active" => &["active"],
        "suspended" => &["active", "suspended"],
        "deactivated" => &["active", "deactivated"],
        "compromised" => &["compromised"],
        _ => &["destroyed"],
    };
    for step in way {
        db.exec(&to_status(id, step)).await;
    }
}

async fn rotated(db: &Database) {
    key_at(db, 1, "deactivated").await;
    key_at(db, 2, "active").await;
    db.exec(
        "INSERT INTO phiseal.key_rotation_history (from_key_id, to_key_id, reason, actor)
         VALUES (1, 2, 'scheduled', 'test')",
    )
    .await;
}

fn new_field(state: &str) -> String {
    format!(
        "INSERT INTO phiseal.encrypted_field_metadata (table_label, column_label, schema_name,
             table_name, column_name, sealed_column, key_columns, key_types, source_type, form, state)
         VALUES ('public.patients', 'ssn', 'public', 'patients', 'ssn', 'ssn_sealed', '[\"id\"]',
             '[\"i\"]', 'text', 'beside', '{state}')"
    )
}

fn new_entry(at: &str) -> String {
    format!(
        "INSERT INTO phiseal.audit_log (entry_id, at, actor, action, subject, prev_mac, mac)
         VALUES (1, {at}, 'test', 'keys.create', '{{}}', '', '\\x01')"
    )
}

#[tokio::test]
async fn up_after_down_makes_the_same_catalog_whatever_the_schema_is_called() {
    let db = database("migrate_catalog").await;
    assert_eq!(
        up(&db, ODD_SCHEMA).await,
        Ok(vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    );
    assert_eq!(up(&db, ODD_SCHEMA).await, Ok(vec![]));
    let before = catalog(&db).await;
    let undone = down(&db, ODD_SCHEMA, Some(0)).await;
    assert_eq!(undone, Ok(vec![11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]));
    let left = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class
                WHERE relkind = 'r' AND relnamespace::regnamespace::text !~ '^(pg_|information)'";
    let left = db.scalar(left).await;
    assert_eq!(left.as_deref(), Some("migration_lock migrations_engine"));
    assert_eq!(
        up(&db, ODD_SCHEMA).await,
        Ok(vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    );
    assert_eq!(catalog(&db).await, before);
}

#[tokio::test]
async fn a_checksum_does_not_depend_on_the_schema_but_on_the_file() {
    let db = migrated("migrate_checksum").await;
    assert_eq!(
        up(&db, "other").await,
        Ok(vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    );
    let differing = "SELECT count(*) FROM phiseal.migrations_engine
                     NATURAL FULL JOIN other.migrations_engine AS o (version, name, checksum, o_at, o_progress)
                     WHERE applied_at IS NULL OR o_at IS NULL";
    assert_eq!(db.count(differing).await, 0);
    db.exec("UPDATE phiseal.migrations_engine SET checksum = '' WHERE version = 3")
        .await;
    let stopped = Err(MigrateError::ChecksumDiffers { version: 3 });
    assert_eq!(up(&db, "phiseal").await, stopped);
    assert_eq!(down(&db, "phiseal", None).await, stopped);
    db.exec("INSERT INTO other.migrations_engine VALUES (12, 'later', '')")
        .await;
    let stopped = Err(MigrateError::UnknownApplied { version: 12 });
    assert_eq!(up(&db, "other").await, stopped);
    assert_eq!(down(&db, "other", None).await, stopped);
}

#[tokio::test]
async fn status_changes_nothing_and_tells_applied_from_pending() {
    let db = database("migrate_status").await;
    let mut conn = db.connection().await;
    let mut schema = Migrations::own_in_postgres(&mut conn, "phiseal").unwrap();
    let fresh = schema.status().await.unwrap();
    assert!(fresh.iter().all(|s| s.state == MigrationState::Pending));
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'phiseal'";
    assert_eq!(db.count(schemas).await, 0);
    assert_eq!(schema.up(Some(2)).await, Ok(vec![1, 2]));
    assert_eq!(schema.down(None).await, Ok(vec![2]));
    let all = schema.status().await.unwrap();
    assert_eq!((all.len(), all[0].state), (11, MigrationState::Applied));
    let stamp = all[0].applied_at.as_deref().unwrap();
    assert!(stamp.len() == "2026-01-01T00:00:00.000Z".len() && stamp.ends_with('Z'));
    assert_eq!(
        (all[1].state, &all[1].applied_at),
        (MigrationState::Pending, &None)
    );
}

#[tokio::test]
async fn a_name_that_is_no_schema_is_refused() {
    let db = database("migrate_name").await;
    for name in ["", "a\0b", &"a".repeat(64)] {
        assert_eq!(up(&db, name).await, Err(MigrateError::SchemaName));
    }
}

#[tokio::test]
async fn no_session_state_is_left_for_the_next_user_of_a_pooled_connection() {
    let db = database("migrate_pooler").await;
    let mut conn = db.connection().await;
    Migrations::own_in_postgres(&mut conn, "phiseal")
        .unwrap()
        .up(None)
        .await
        .unwrap();
    let left = "SELECT (SELECT count(*)::text FROM pg_prepared_statements),
                       (SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory'),
                       current_setting('lock_timeout')";
    let left = crate::support::database::rows_of(&mut conn, left).await;
    assert_eq!(left[0], ["0", "0", "0"].map(|s| Some(s.to_owned())));
}

#[tokio::test]
async fn two_migrators_at_once_apply_each_migration_once() {
    let db = database("migrate_two").await;
    let (one, two) = tokio::join!(up(&db, "phiseal"), up(&db, "phiseal"));
    let mut applied = [one.unwrap(), two.unwrap()].concat();
    applied.sort_unstable();
    assert_eq!(applied, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
}

#[tokio::test]
async fn a_migrator_waits_for_another_that_is_in_the_middle_of_its_work() {
    let db = database("migrate_wait").await;
    let mut conn = db.connection().await;
    let first = Migrations::own_in_postgres(&mut conn, "phiseal")
        .unwrap()
        .up(Some(1))
        .await;
    assert_eq!(first, Ok(vec![1]));
    let pool = db.pool();
    let mut other = pool.begin().await.unwrap();
    sqlx::query("SELECT FROM phiseal.migration_lock FOR UPDATE")
        .execute(&mut *other)
        .await
        .unwrap();
    let release = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let before = db
            .count("SELECT count(*) FROM phiseal.migrations_engine")
            .await;
        other.commit().await.unwrap();
        before
    };
    let (applied, before) = tokio::join!(up(&db, "phiseal"), release);
    assert_eq!(
        (applied, before),
        (Ok(vec![2, 3, 4, 5, 6, 7, 8, 9, 10, 11]), 1)
    );
}

#[tokio::test]
async fn down_does_not_overlook_a_field_that_is_being_sealed() {
    let db = migrated("migrate_race").await;
    let mut sealer = db.pool().begin().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(new_field("sealing")))
        .execute(&mut *sealer)
        .await
        .unwrap();
    let waited = down(&db, "phiseal", None).await;
    assert_eq!(waited, Err(MigrateError::LockTimeout { attempts: 12 }));
    sealer.commit().await.unwrap();
    let refusal = Refusal::SealedFields;
    let refused = down(&db, "phiseal", None).await;
    assert_eq!(
        refused,
        Err(MigrateError::Refused {
            version: 11,
            refusal
        })
    );
}

#[tokio::test]
async fn a_failing_migration_leaves_nothing_of_itself_and_keeps_those_before() {
    let db = database("migrate_failing").await;
    db.exec("CREATE SCHEMA phiseal; CREATE TABLE phiseal.lanes (x int)")
        .await;
    let failed = MigrateError::Database {
        doing: Doing::Applying(3),
        sqlstate: "42P07".to_owned(),
        constraint: None,
    };
    assert_eq!(up(&db, "phiseal").await, Err(failed));
    let runs = "SELECT count(*) FROM pg_class WHERE relname = 'runs'";
    assert_eq!(db.count(runs).await, 0);
    db.exec("DROP TABLE phiseal.lanes").await;
    assert_eq!(
        up(&db, "phiseal").await,
        Ok(vec![3, 4, 5, 6, 7, 8, 9, 10, 11])
    );
}

#[tokio::test]
async fn a_role_that_may_not_create_schemas_migrates_one_that_is_its_own() {
    let db = database("migrate_role").await;
    let role = db.role("migrator", "").await;
    db.exec(&format!("CREATE SCHEMA ours AUTHORIZATION {}", role.name))
        .await;
    let mut conn = PgConnection::connect(&role.url).await.unwrap();
    let ours = Migrations::own_in_postgres(&mut conn, "ours")
        .unwrap()
        .up(None)
        .await;
    assert_eq!(ours, Ok(vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]));
    let denied = Migrations::own_in_postgres(&mut conn, "new")
        .unwrap()
        .up(None)
        .await;
    let expected = MigrateError::Database {
        doing: Doing::History,
        sqlstate: "42501".to_owned(),
        constraint: None,
    };
    assert_eq!(denied, Err(expected));
}

#[tokio::test]
async fn down_is_refused_while_a_field_is_sealed_or_records_are_under_six_years_old() {
    let refused = |refusal| {
        Err(MigrateError::Refused {
            version: 11,
            refusal,
        })
    };
    let db = migrated("migrate_sealed").await;
    db.exec(&new_field("finalized")).await;
    assert_eq!(
        down(&db, "phiseal", Some(0)).await,
        refused(Refusal::SealedFields)
    );
    db.exec("UPDATE phiseal.encrypted_field_metadata SET state = 'restored'")
        .await;
    rotated(&db).await;
    assert_eq!(
        down(&db, "phiseal", Some(0)).await,
        refused(Refusal::YoungHistory)
    );
    db.exec(
        "UPDATE phiseal.key_rotation_history
         SET finished_at = now() - interval '6 years 1 day', outcome = 'complete'",
    )
    .await;
    assert_eq!(
        down(&db, "phiseal", Some(0)).await,
        Ok(vec![11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1])
    );

    let db = migrated("migrate_young").await;
    db.exec(&new_entry("now() - interval '6 years' + interval '1 day'"))
        .await;
    assert_eq!(
        down(&db, "phiseal", None).await,
        refused(Refusal::YoungAudit)
    );
    let db = migrated("migrate_old").await;
    db.exec(&new_entry("now() - interval '6 years 1 day'"))
        .await;
    assert_eq!(down(&db, "phiseal", None).await, Ok(vec![11]));
}
