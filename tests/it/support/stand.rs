//! A database that is ready to be sealed: tables made, plan written, migrated, keys created.

use super::database::Database;
use super::phiseal::Finished;
use super::sqlite::Sqlite;
use super::{Phiseal, Project, database, sqlite};
use crate::oracle::{FieldCheck, Keys, NonceLedger, Source};
use serde_json::Value;

/// A PostgreSQL database and the operator's folder.
pub struct Stand {
    pub db: Database,
    pub project: Project,
}

/// A SQLite file and the operator's folder.
pub struct SqliteStand {
    pub file: Sqlite,
    pub project: Project,
}

impl Stand {
    /// Runs `sql`, then sets up for a plan of the given tables.
    pub async fn new(name: &str, sql: &str, tables: &str) -> Self {
        Self::on(database(name).await, sql, tables).await
    }

    /// The same on a database the test made.
    pub async fn on(db: Database, sql: &str, tables: &str) -> Self {
        db.exec(sql).await;
        let project = Project::new();
        project.plan(&db.url(), tables);
        install(&project).await;
        Self { db, project }
    }

    /// Where the oracle reads.
    pub fn source(&self) -> Source<'_> {
        Source::Postgres(&self.db, "phiseal")
    }

    /// The program, to be prepared further.
    pub fn phiseal(&self, args: &[&str]) -> Phiseal {
        self.project.phiseal(args)
    }

    /// Runs the program with `--json`, and gives back what it said on success.
    pub async fn json(&self, args: &[&str]) -> Value {
        json(&self.project, args, 0).await
    }

    /// The same, ending with this exit code.
    pub async fn json_code(&self, args: &[&str], code: i32) -> Value {
        json(&self.project, args, code).await
    }

    /// All keys and fields, as the oracle reads them.
    pub async fn keys(&self) -> Keys {
        let keys = Keys::load(self.source(), self.project.key_line()).await;
        keys.unwrap()
    }

    /// Opens every value of a field and compares it with the same column of `saved`, a copy of the
    /// table from before, and asserts that all are sealed. How many values were opened.
    pub async fn expect_sealed(&self, label: &str, columns: &[&str], saved: &str) -> usize {
        expect_sealed(&self.keys().await, self.source(), label, columns, saved).await
    }
}

impl SqliteStand {
    /// Runs `sql`, then sets up for a plan of the given tables.
    pub async fn new(sql: &str, tables: &str) -> Self {
        let (file, project) = (sqlite().await, Project::new());
        file.exec(sql).await;
        project.plan(&file.url(), tables);
        install(&project).await;
        Self { file, project }
    }

    /// Where the oracle reads.
    pub fn source(&self) -> Source<'_> {
        Source::Sqlite(&self.file)
    }

    /// Runs the program with `--json`, ending with this exit code.
    pub async fn json_code(&self, args: &[&str], code: i32) -> Value {
        json(&self.project, args, code).await
    }

    /// As [`Stand::expect_sealed`].
    pub async fn expect_sealed(&self, label: &str, columns: &[&str], saved: &str) -> usize {
        let keys = Keys::load(self.source(), self.project.key_line()).await;
        expect_sealed(&keys.unwrap(), self.source(), label, columns, saved).await
    }
}

/// Makes the program's tables and the first keys.
pub async fn install(project: &Project) {
    for args in [&["migrate", "up"], &["keys", "create"]] {
        project.phiseal(args).run().await.expect_code(0);
    }
}

async fn json(project: &Project, args: &[&str], code: i32) -> Value {
    let done = run_json(project, args).await;
    done.expect_code(code).json()
}

async fn run_json(project: &Project, args: &[&str]) -> Finished {
    let args = [args, &["--json"]].concat();
    project.phiseal(&args).run().await
}

async fn expect_sealed(
    keys: &Keys,
    source: Source<'_>,
    label: &str,
    columns: &[&str],
    saved: &str,
) -> usize {
    let ledger = &mut NonceLedger::default();
    let mut opened = 0;
    for column in columns {
        let check = FieldCheck::against(keys.field(label, column), saved, column);
        let checked = keys.check(source, &check, ledger).await;
        assert!(
            checked.faults.is_empty(),
            "{label}.{column}: {:#?}",
            checked.faults
        );
        checked.expect_all_sealed();
        assert_eq!(checked.equal, checked.opened, "{label}.{column}");
        opened += checked.opened;
    }
    assert_eq!((ledger.cell_repeats, ledger.key_repeats), (0, 0));
    opened
}
