//! SQLite's SQL on our own tables, and the transactions that run it.
//! Owns what `store/ledger` needs to know of this database. A writing transaction holds the file's one
//! write lock from its start, so what it reads is still true when it writes.

use std::ops::DerefMut;

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;

use super::connect::ControlTransaction;
use super::sql::bound;
use super::{SqliteStore, relations};
use crate::store::ledger::PresentNames;
use crate::store::ledger::dialect::Dialect;
use crate::store::ledger::session::statement as ledger_statement;
use crate::store::ledger::session::{
    Number, OwnRow, OwnTables, OwnTransaction, Session, Statement,
};
use crate::store::{FieldRecord, Result, StoreError};

/// SQL for our own tables, whose names begin with `phiseal_`.
#[derive(Clone)]
pub(crate) struct SqliteDialect;

impl Dialect for SqliteDialect {
    fn table(&self, name: &str) -> String {
        format!("phiseal_{name}")
    }

    fn now(&self) -> &'static str {
        "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
    }

    /// Times are stored as text in the form that is wanted.
    fn time_text(&self, column: &str) -> String {
        column.to_owned()
    }

    fn time_value(&self, value: &str) -> String {
        value.to_owned()
    }

    fn now_text(&self) -> String {
        self.now().to_owned()
    }

    fn seconds_from_now(&self, value: &str) -> String {
        format!("strftime('%Y-%m-%dT%H:%M:%fZ', 'now', {value} || ' seconds')")
    }

    fn seconds_until(&self, column: &str) -> String {
        format!("(julianday({column}) - julianday('now')) * 86400.0")
    }

    fn for_update(&self) -> &'static str {
        ""
    }

    fn for_update_skip_locked(&self) -> &'static str {
        ""
    }

    fn is_integer(&self, column: &str) -> String {
        format!("typeof({column}) = 'integer'")
    }

    fn is_bytes(&self, column: &str) -> String {
        format!("typeof({column}) = 'blob'")
    }

    fn is_ours(&self, before: i64) -> String {
        format!("t.transition_id > {before}")
    }

    fn is_duplicate(&self, error: &StoreError) -> bool {
        // SQLITE_CONSTRAINT_UNIQUE and SQLITE_CONSTRAINT_PRIMARYKEY.
        matches!(error, StoreError::RowRefused { sqlstate, .. }
            if sqlstate == "SQLITE_CONSTRAINT_8" || sqlstate == "SQLITE_CONSTRAINT_6")
    }
}

/// Our own tables on a connection.
pub(crate) struct SqliteSession<C>(pub(super) C);

#[async_trait]
impl<C: DerefMut<Target = SqliteConnection> + Send> Session for SqliteSession<C> {
    type Dialect = SqliteDialect;

    fn dialect(&self) -> &SqliteDialect {
        &SqliteDialect
    }

    async fn execute(&mut self, statement: Statement) -> Result<u64> {
        let done = bound(statement.sql, statement.values)
            .execute(&mut *self.0)
            .await?;
        Ok(done.rows_affected())
    }

    async fn fetch<T: OwnRow>(&mut self, statement: Statement) -> Result<Vec<T>> {
        let rows = bound(statement.sql, statement.values)
            .fetch_all(&mut *self.0)
            .await;
        let decode = |row| T::from_row(row).map_err(|_| StoreError::Unexpected { what: T::WHAT });
        rows?.iter().map(decode).collect()
    }

    /// Does nothing: the write lock is waited for when the transaction begins.
    async fn limit_lock_wait(&mut self, _seconds: u32) -> Result<()> {
        Ok(())
    }

    async fn newest_change(&mut self) -> Result<i64> {
        let newest = "SELECT coalesce(max(transition_id), 0) FROM phiseal_key_transitions";
        let Number(newest) = self
            .fetch_one(ledger_statement(newest), "the newest change of a key")
            .await?;
        Ok(newest)
    }
}

#[async_trait]
impl OwnTransaction for SqliteSession<ControlTransaction> {
    async fn commit(self) -> Result<()> {
        self.0.commit().await
    }
}

#[async_trait]
impl OwnTables for SqliteStore {
    type Transaction = SqliteSession<ControlTransaction>;

    async fn begin_read(&self) -> Result<Self::Transaction> {
        Ok(SqliteSession(self.control.begin("BEGIN").await?))
    }

    async fn begin_write(&self) -> Result<Self::Transaction> {
        Ok(SqliteSession(self.control.begin("BEGIN IMMEDIATE").await?))
    }
}

#[async_trait]
impl PresentNames for SqliteStore {
    async fn locate(
        &self,
        transaction: &mut Self::Transaction,
        fields: &mut [FieldRecord],
    ) -> Result<()> {
        relations::locate(&mut transaction.0, fields).await
    }

    async fn follow(
        &self,
        transaction: &mut Self::Transaction,
        label: &str,
        field: &FieldRecord,
    ) -> Result<()> {
        relations::follow(&mut transaction.0, label, &field.table_name).await
    }
}
