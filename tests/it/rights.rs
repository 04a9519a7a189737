//! Nobody gains rights through phiseal, and nobody else's objects run with the operator's rights.

mod auditor;
mod grants;
mod guard_functions;
mod names;
mod operator;
mod own_schema;
mod planted;
mod roles;
mod shadows;
mod sqlite;

use sqlx::{Connection, PgConnection};

/// A session of a role.
async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

/// Runs statements as a role; the SQLSTATE of a refusal.
async fn attempt(url: &str, sql: &str) -> Option<String> {
    let mut conn = connect(url).await;
    let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&mut conn)
        .await;
    done.err().map(|error| {
        let refused = error.as_database_error().and_then(|e| e.code());
        refused.map_or_else(|| error.to_string(), |code| code.into_owned())
    })
}
