//! A database with the program's own tables, a key and a plan in place, and the few things every
//! hard test does there: run the backfill, ask the oracle.

use super::database::{Database, database};
use super::project::Project;
use super::sqlite::{Sqlite, sqlite};
use crate::oracle::{Checked, FieldCheck, Keys, NonceLedger, Source};
use serde_json::Value;

/// Either database.
pub enum Base {
    Postgres(Database),
    Sqlite(Sqlite),
}

/// A prepared database and the operator's folder.
pub struct Ground {
    pub base: Base,
    pub project: Project,
}

impl Ground {
    /// On the shared server: runs `ddl`, writes the plan of `tables`, migrates and makes keys.
    pub async fn postgres(name: &str, ddl: &str, tables: &str) -> Self {
        let db = database(name).await;
        Self::new(Base::Postgres(db), ddl, tables).await
    }

    /// In a file.
    pub async fn sqlite(ddl: &str, tables: &str) -> Self {
        Self::new(Base::Sqlite(sqlite().await), ddl, tables).await
    }

    /// In a database that the test made.
    pub async fn new(base: Base, ddl: &str, tables: &str) -> Self {
        let ground = Self {
            base,
            project: Project::new(),
        };
        ground.exec(ddl).await;
        ground.project.plan(&ground.url(), tables);
        for args in [&["migrate", "up"][..], &["keys", "create"]] {
            ground.project.phiseal(args).run().await.expect_code(0);
        }
        ground
    }

    pub fn url(&self) -> String {
        match &self.base {
            Base::Postgres(db) => db.url(),
            Base::Sqlite(file) => file.url(),
        }
    }

    /// The PostgreSQL database.
    pub fn db(&self) -> &Database {
        match &self.base {
            Base::Postgres(db) => db,
            Base::Sqlite(_) => panic!("a SQLite file"),
        }
    }

    pub fn source(&self) -> Source<'_> {
        match &self.base {
            Base::Postgres(db) => Source::Postgres(db, "phiseal"),
            Base::Sqlite(file) => Source::Sqlite(file),
        }
    }

    /// Runs statements.
    pub async fn exec(&self, sql: &str) {
        match &self.base {
            Base::Postgres(db) => db.exec(sql).await,
            Base::Sqlite(file) => file.exec(sql).await,
        }
    }

    /// Runs statements that may be refused; the message of the refusal.
    pub async fn refusal(&self, sql: &str) -> Option<String> {
        let sql = sqlx::AssertSqlSafe(sql);
        let undo = sqlx::AssertSqlSafe("ROLLBACK");
        // What was refused may have left a transaction open.
        let done = match &self.base {
            Base::Postgres(db) => {
                let mut connection = db.pool().acquire().await.unwrap();
                let done = sqlx::raw_sql(sql).execute(&mut *connection).await.map(drop);
                let _ = sqlx::raw_sql(undo).execute(&mut *connection).await;
                done
            }
            Base::Sqlite(file) => {
                let mut connection = file.pool().acquire().await.unwrap();
                let done = sqlx::raw_sql(sql).execute(&mut *connection).await.map(drop);
                let _ = sqlx::raw_sql(undo).execute(&mut *connection).await;
                done
            }
        };
        done.err().map(|error| error.to_string())
    }

    /// The first value of the first row.
    pub async fn scalar(&self, sql: &str) -> Option<String> {
        match &self.base {
            Base::Postgres(db) => db.scalar(sql).await,
            Base::Sqlite(file) => file.scalar(sql).await,
        }
    }

    /// A backfill that must end well; what it counted.
    pub async fn backfill(&self) -> Value {
        let run = self.project.phiseal(&["backfill", "--json"]).run().await;
        run.expect_code(0).json()
    }

    pub async fn keys(&self) -> Keys {
        let keys = Keys::load(self.source(), self.project.key_line()).await;
        keys.unwrap()
    }

    /// What the oracle finds in a field, against the plaintext beside it.
    pub async fn check(&self, table: &str, column: &str, ledger: &mut NonceLedger) -> Checked {
        let keys = self.keys().await;
        let check = FieldCheck::beside(keys.field(table, column));
        keys.check(self.source(), &check, ledger).await
    }

    /// The same against a copy that the test keeps.
    pub async fn check_against(
        &self,
        (table, column): (&str, &str),
        copy: &str,
        ledger: &mut NonceLedger,
    ) -> Checked {
        let keys = self.keys().await;
        let check = FieldCheck::against(keys.field(table, column), copy, column);
        keys.check(self.source(), &check, ledger).await
    }
}
