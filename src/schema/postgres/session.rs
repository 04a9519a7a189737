//! How a session runs the text of a migration: its search path, its time limits, what of its errors
//! passes, and what the text leaves behind.

use sqlx::{AssertSqlSafe, PgConnection};

use crate::schema::error::{Doing, Failure};
use crate::schema::history::Way;
use crate::schema::migrator::LOCK_TIMEOUT_MS;
use crate::schema::script::Statement;
use crate::schema::set::Version;
use crate::store::postgres::sql::OWNERS_NAMES;

/// What begins a transaction of the migrations' own statements.
pub(in crate::schema) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// What a file leaves in its session: settings, roles, temporary tables, prepared statements, cursors,
/// locks.
pub(in crate::schema) const END_OF_FILE: &str = "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; \
     DISCARD TEMP; DEALLOCATE ALL; CLOSE ALL; UNLISTEN *; SELECT pg_catalog.pg_advisory_unlock_all()";

/// A migration takes as long as it takes, whatever its role is set to; for a transaction, or for the
/// session. Newer servers have the last two.
pub(in crate::schema) fn no_timeouts(local: bool) -> String {
    let set = if local { "SET LOCAL" } else { "SET" };
    let newer = ["idle_session_timeout", "transaction_timeout"].map(|name| {
        format!(
            "SELECT pg_catalog.set_config('{name}', '0', {local})
             WHERE pg_catalog.current_setting('{name}', true) IS NOT NULL;"
        )
    });
    format!("{set} statement_timeout = 0; {}", newer.concat())
}

/// One at a time, so that a refusal has a line.
pub(super) async fn run_statements(
    conn: &mut PgConnection,
    version: Version,
    way: Way,
    statements: impl Iterator<Item = &Statement>,
) -> Result<(), Failure> {
    for statement in statements {
        let doing = Doing::Statement {
            version,
            undoing: way == Way::Down,
            line: statement.line,
        };
        let done = run(conn, statement.text.clone()).await;
        done.map_err(failure(doing))?;
        // How long a lock is waited for is not the file's to say: the application waits behind it.
        if statement.sets_lock_timeout() {
            let ours = run(conn, lock_timeout()).await;
            ours.map_err(failure(doing))?;
        }
    }
    Ok(())
}

/// The search path by name, without the role's own, and temporary tables last: functions that keep
/// the path they were made with (`SET search_path FROM CURRENT`) then mean the same for every role.
pub(in crate::schema) const SEARCH_PATH: &str = "(SELECT pg_catalog.concat_ws(', ', pg_catalog.string_agg(\
     pg_catalog.quote_ident(name), ', ' ORDER BY place), 'pg_temp') \
     FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) WITH ORDINALITY AS path (name, place))";

pub(super) async fn search_where_tables_go(tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    let sql =
        format!("{OWNERS_NAMES} SELECT pg_catalog.set_config('search_path', {SEARCH_PATH}, true)");
    run(tx, sql).await
}

pub(super) fn lock_timeout() -> String {
    format!("SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
}

/// Runs text without parameters, of any number of statements.
pub(in crate::schema) async fn run(tx: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(tx).await?;
    Ok(())
}

pub(in crate::schema) fn failure(doing: Doing) -> impl Fn(sqlx::Error) -> Failure + Copy {
    move |error| Failure::of(&error, doing, is_busy)
}

/// A lock not granted, a deadlock, a serialization failure: nothing of the transaction is left.
fn is_busy(sqlstate: &str) -> bool {
    matches!(sqlstate, "55P03" | "40P01" | "40001")
}

pub(super) fn sqlstate(error: &sqlx::Error) -> Option<String> {
    let code = error.as_database_error()?.code()?;
    Some(code.into_owned())
}
