//! PostgreSQL's SQL on our own tables, and the transactions that run it.
//! Owns what `store/ledger` needs to know of this database.

use std::ops::DerefMut;

use async_trait::async_trait;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres};

use super::sql::{query, run, time_text};
use super::{PostgresStore, relations, timed};
use crate::ident::Ident;
use crate::store::ledger::PresentNames;
use crate::store::ledger::dialect::Dialect;
use crate::store::ledger::session::{Bind, OwnRow, OwnTables, OwnTransaction, Session, Statement};
use crate::store::postgres::transaction::Transaction;
use crate::store::{FieldRecord, Result, StoreError};

/// SQL for our own tables in this schema.
#[derive(Clone)]
pub(crate) struct PostgresDialect(pub(super) Ident);

impl Dialect for PostgresDialect {
    fn table(&self, name: &str) -> String {
        format!("{}.{name}", self.0.quoted())
    }

    fn now(&self) -> &'static str {
        "clock_timestamp()"
    }

    fn time_text(&self, column: &str) -> String {
        time_text(column)
    }

    fn time_value(&self, value: &str) -> String {
        format!("CAST({value} AS timestamptz)")
    }

    fn now_text(&self) -> String {
        time_text(self.now())
    }

    fn seconds_from_now(&self, value: &str) -> String {
        format!("clock_timestamp() + make_interval(secs => {value})")
    }

    fn seconds_until(&self, column: &str) -> String {
        format!("extract(epoch FROM {column} - clock_timestamp())::float8")
    }

    fn for_update(&self) -> &'static str {
        "FOR UPDATE"
    }

    fn for_update_skip_locked(&self) -> &'static str {
        "FOR UPDATE SKIP LOCKED"
    }

    fn is_integer(&self, column: &str) -> String {
        format!("{column} IS NOT NULL")
    }

    fn is_bytes(&self, column: &str) -> String {
        format!("{column} IS NOT NULL")
    }

    fn is_ours(&self, _before: i64) -> String {
        "t.xmin = pg_current_xact_id()::xid".to_owned()
    }

    fn is_duplicate(&self, error: &StoreError) -> bool {
        matches!(error, StoreError::RowRefused { sqlstate, .. } if sqlstate == "23505")
    }
}

/// Our own tables on a connection that is in a transaction.
pub(crate) struct PostgresSession<C> {
    pub(super) conn: C,
    dialect: PostgresDialect,
}

impl<C> PostgresSession<C> {
    pub(super) fn new(conn: C, schema: &Ident) -> Self {
        Self {
            conn,
            dialect: PostgresDialect(schema.clone()),
        }
    }
}

impl PostgresStore {
    /// Our own tables in a transaction that is open on this connection.
    pub(super) fn session<'c>(
        &self,
        conn: &'c mut PgConnection,
    ) -> PostgresSession<&'c mut PgConnection> {
        PostgresSession::new(conn, &self.schema)
    }
}

fn bound(statement: Statement) -> Query<'static, Postgres, PgArguments> {
    let bind = |query: Query<'static, Postgres, PgArguments>, value| match value {
        Bind::Text(text) => query.bind(text),
        Bind::Integer(number) => query.bind(number),
        Bind::Bytes(bytes) => query.bind(bytes),
        Bind::Real(number) => query.bind(number),
        Bind::Bool(truth) => query.bind(truth),
    };
    statement
        .values
        .into_iter()
        .fold(query(statement.sql), bind)
}

/// The text of a statement whose values are all numbers, with the numbers in it, for a message that is
/// sent with others and so takes no values. The quoted name of our schema may contain anything.
pub(super) fn inlined(statement: &Statement) -> Result<String> {
    let number = |at: usize| match statement.values.get(at.wrapping_sub(1)) {
        Some(Bind::Integer(Some(value))) => Ok(value.to_string()),
        _ => Err(StoreError::unexpected("a value that is not a number")),
    };
    let mut sql = String::new();
    for (at, part) in statement.sql.split('"').enumerate() {
        if at > 0 {
            sql.push('"');
        }
        let is_quoted = at % 2 == 1;
        if is_quoted {
            sql.push_str(part);
            continue;
        }
        let mut pieces = part.split('$');
        sql.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
            let (placeholder, rest) = piece.split_at(digits);
            sql.push_str(&number(placeholder.parse().unwrap_or_default())?);
            sql.push_str(rest);
        }
    }
    Ok(sql)
}

#[async_trait]
impl<C: DerefMut<Target = PgConnection> + Send> Session for PostgresSession<C> {
    type Dialect = PostgresDialect;

    fn dialect(&self) -> &PostgresDialect {
        &self.dialect
    }

    async fn execute(&mut self, statement: Statement) -> Result<u64> {
        let done = timed(bound(statement).execute(&mut *self.conn)).await?;
        Ok(done.rows_affected())
    }

    async fn fetch<T: OwnRow>(&mut self, statement: Statement) -> Result<Vec<T>> {
        let rows = timed(bound(statement).fetch_all(&mut *self.conn)).await?;
        let decode = |row| T::from_row(row).map_err(|_| StoreError::Unexpected { what: T::WHAT });
        rows.iter().map(decode).collect()
    }

    async fn limit_lock_wait(&mut self, seconds: u32) -> Result<()> {
        let limit = format!("SELECT pg_catalog.set_config('lock_timeout', '{seconds}s', true)");
        run(&mut self.conn, limit).await
    }

    async fn newest_change(&mut self) -> Result<i64> {
        Ok(0)
    }
}

#[async_trait]
impl OwnTransaction for PostgresSession<Transaction> {
    async fn commit(self) -> Result<()> {
        self.conn.commit().await
    }
}

#[async_trait]
impl OwnTables for PostgresStore {
    type Transaction = PostgresSession<Transaction>;

    async fn begin_read(&self) -> Result<Self::Transaction> {
        Ok(PostgresSession::new(self.begin().await?, &self.schema))
    }

    async fn begin_write(&self) -> Result<Self::Transaction> {
        self.begin_read().await
    }
}

#[async_trait]
impl PresentNames for PostgresStore {
    async fn locate(
        &self,
        transaction: &mut Self::Transaction,
        fields: &mut [FieldRecord],
    ) -> Result<()> {
        relations::locate(self, &mut transaction.conn, fields).await
    }

    async fn follow(
        &self,
        transaction: &mut Self::Transaction,
        label: &str,
        field: &FieldRecord,
    ) -> Result<()> {
        let table = relations::table_name(field.schema_name.clone(), field.table_name.clone())?;
        relations::follow(self, &mut transaction.conn, label, &table).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ledger::session::statement;

    #[test]
    fn numbers_take_the_place_of_placeholders_and_a_name_is_left_alone() {
        let sql = r#"UPDATE "a$1""$2".lanes SET x = x + $2, y = $1 WHERE z = $10"#;
        let mut numbers = statement(sql);
        for number in 1..=10_i64 {
            numbers = numbers.bind(-number);
        }
        assert_eq!(
            inlined(&numbers).unwrap(),
            r#"UPDATE "a$1""$2".lanes SET x = x + -2, y = -1 WHERE z = -10"#
        );
    }

    #[test]
    fn a_text_is_never_put_into_a_statement() {
        assert!(inlined(&statement("SELECT $1").bind("x")).is_err());
        assert!(inlined(&statement("SELECT $2").bind(1_i64)).is_err());
    }
}
