//! The sets' security, tried with real roles by the scripts beside this file: all of it holds on
//! what the migrations make, and no script passes where a piece of it was taken away.

use sqlx::{AssertSqlSafe, Connection, Row};

use super::sets::migrated;
use crate::support::database::Database;

const WHITE_CROSS: &str = concat!(
    include_str!("white_cross_rows.sql"),
    include_str!("white_cross.sql")
);
const FACILITY: &str = include_str!("facility.sql");
const WEBQX: &str = include_str!("webqx.sql");

/// The last row's value, or what the server says of the statement that ended the script.
async fn outcome(db: &Database, script: &str) -> Result<String, String> {
    // A session of its own: no setting was ever made in it, and its transaction ends with it.
    let mut session = db.connection().await;
    let rows = sqlx::raw_sql(AssertSqlSafe(script))
        .fetch_all(&mut session)
        .await;
    session.close().await.unwrap();
    let last = rows.map_err(|e| e.to_string())?.pop();
    let last = last.expect("a script without a row");
    Ok(last.try_get(0).unwrap())
}

async fn holds_and_finds_what_is_taken_away(set: &str, script: &str, taken_away: &[&str]) {
    let db = migrated(set, "security").await;
    let holds = Ok("all hold".to_owned());
    assert_eq!(outcome(&db, script).await, holds, "{set}");
    for sabotage in taken_away {
        // The script rolls back the transaction that is open already.
        let sabotaged = format!("BEGIN;\n{sabotage};\n{script}");
        let found = outcome(&db, &sabotaged).await;
        let error = found.expect_err(sabotage);
        assert!(error.contains("EXPECTED"), "{set}: {sabotage}: {error}");
    }
    assert_eq!(outcome(&db, script).await, holds, "{set}, a second time");
}

#[tokio::test]
async fn white_cross_holds_and_its_script_finds_what_is_taken_away() {
    let taken_away = [
        "ALTER TABLE students DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE sessions DISABLE ROW LEVEL SECURITY",
        "CREATE POLICY hole ON health_records USING (true)",
        "GRANT SELECT ON students TO PUBLIC",
        "GRANT EXECUTE ON FUNCTION app_find_user(text) TO PUBLIC",
        "DROP TRIGGER append_only_row ON audit_logs",
        "DROP TRIGGER append_only_statement ON audit_logs",
        "DROP TRIGGER append_only_truncate ON tamper_alerts",
        "ALTER TABLE audit_logs ENABLE TRIGGER append_only_row,
             ENABLE TRIGGER append_only_statement",
    ];
    holds_and_finds_what_is_taken_away("white_cross", WHITE_CROSS, &taken_away).await;
}

#[tokio::test]
async fn facility_holds_and_its_script_finds_what_is_taken_away() {
    let taken_away = [
        "ALTER TABLE client DISABLE ROW LEVEL SECURITY",
        "DROP POLICY facility_tenant_isolation ON client",
        "DROP TRIGGER system_audit_log_append_only ON system_audit_log",
        "ALTER TABLE system_audit_log ENABLE TRIGGER system_audit_log_append_only",
    ];
    holds_and_finds_what_is_taken_away("facility", FACILITY, &taken_away).await;
}

#[tokio::test]
async fn webqx_holds_and_its_script_finds_what_is_taken_away() {
    let taken_away = [
        "ALTER TABLE insurance_info DISABLE ROW LEVEL SECURITY",
        "CREATE POLICY hole ON patients USING (true)",
        "GRANT EXECUTE ON FUNCTION purge_audit_logs() TO PUBLIC",
        "DROP TRIGGER audit_logs_keep_rows ON audit_logs",
        "DROP TRIGGER user_audit_log_keep ON user_audit_log",
        "ALTER TABLE audit_logs ENABLE TRIGGER audit_logs_keep_rows",
    ];
    holds_and_finds_what_is_taken_away("webqx", WEBQX, &taken_away).await;
}
