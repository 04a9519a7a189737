//! The fixture of the integration tests: a database of either kind and an operator's folder with plan
//! and wrapping key. Owns its set-up, and what most tests do with it: run the program, read the
//! database, ask the oracle.

use super::database::{Database, database};
use super::phiseal::{Finished, Phiseal};
use super::project::Project;
use super::sqlite::{Sqlite, sqlite};
use crate::oracle::{Checked, FieldCheck, Keys, NonceLedger, Source};
use serde_json::Value;

const REFUSAL_IN_POSTGRES: &str = "
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'refused' USING ERRCODE = '23514', CONSTRAINT = 'ssn_length';
    END $$;
    CREATE TRIGGER refuse BEFORE UPDATE ON patients FOR EACH ROW
        WHEN (length(NEW.ssn) > 20) EXECUTE FUNCTION refuse()";

const REFUSAL_IN_SQLITE: &str = "
    CREATE TRIGGER refuse BEFORE UPDATE ON patients WHEN length(NEW.ssn) > 20 BEGIN
        SELECT RAISE(ABORT, 'refused');
    END";

/// Either database.
pub enum Base {
    Postgres(Database),
    Sqlite(Sqlite),
}

/// A prepared database and the operator's folder.
pub struct Fixture {
    pub base: Base,
    pub project: Project,
}

impl Fixture {
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
        let fixture = Self {
            base,
            project: Project::new(),
        };
        fixture.exec(ddl).await;
        fixture.project.plan(&fixture.url(), tables);
        install(&fixture.project).await;
        fixture
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

    /// The SQLite file.
    pub fn file(&self) -> &Sqlite {
        match &self.base {
            Base::Postgres(_) => panic!("a PostgreSQL database"),
            Base::Sqlite(file) => file,
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

    /// The program, to be prepared further.
    pub fn phiseal(&self, args: &[&str]) -> Phiseal {
        self.project.phiseal(args)
    }

    /// Runs the program with `--json`, and gives back what it said on success.
    pub async fn json(&self, args: &[&str]) -> Value {
        self.json_code(args, 0).await
    }

    /// The same, ending with this exit code.
    pub async fn json_code(&self, args: &[&str], code: i32) -> Value {
        let args = [args, &["--json"]].concat();
        self.run(&args).await.expect_code(code).json()
    }

    /// Opens every value of a field and compares it with the same column of `saved`, a copy of the
    /// table from before, and asserts that all are sealed. How many values were opened.
    pub async fn expect_sealed(&self, label: &str, columns: &[&str], saved: &str) -> usize {
        let keys = self.keys().await;
        let ledger = &mut NonceLedger::default();
        let mut opened = 0;
        for column in columns {
            let check = FieldCheck::against(keys.field(label, column), saved, column);
            let checked = keys.check(self.source(), &check, ledger).await;
            let faults = &checked.faults;
            assert!(faults.is_empty(), "{label}.{column}: {faults:#?}");
            checked.expect_all_sealed();
            assert_eq!(checked.equal, checked.opened, "{label}.{column}");
            opened += checked.opened;
        }
        assert_eq!((ledger.cell_repeats, ledger.key_repeats), (0, 0));
        opened
    }

    /// An empty database on the shared server, and a folder without a plan.
    pub async fn empty_postgres(name: &str) -> Self {
        Self {
            project: Project::new(),
            base: Base::Postgres(database(name).await),
        }
    }

    /// The same in a file.
    pub async fn empty_sqlite() -> Self {
        Self {
            project: Project::new(),
            base: Base::Sqlite(sqlite().await),
        }
    }

    /// A plan of no table.
    pub fn planned(self) -> Self {
        self.project.plan(&self.url(), "");
        self
    }

    /// The same, and our own tables are there.
    pub async fn migrated(self) -> Self {
        let fixture = self.planned();
        fixture.run(&["migrate", "up"]).await.expect_code(0);
        fixture
    }

    /// The same, and the keys for no tenant are there.
    pub async fn keyed(self) -> Self {
        let fixture = self.migrated().await;
        fixture.run(&["keys", "create"]).await.expect_code(0);
        fixture
    }

    /// Patients 1, 3 and 42, of whom the last has an ssn so long that a trigger refuses every
    /// write to its row; a backfill has sealed the others.
    pub async fn one_refused(self) -> Self {
        let fixture = self.keyed().await;
        fixture
            .exec("CREATE TABLE patients (id integer PRIMARY KEY, ssn text)")
            .await;
        fixture
            .exec(&format!(
                "INSERT INTO patients (id, ssn) VALUES (1, '111-11-1111'), (42, '{}'),
                     (3, '333-33-3333')",
                "x".repeat(100)
            ))
            .await;
        fixture
            .exec(match fixture.base {
                Base::Postgres(_) => REFUSAL_IN_POSTGRES,
                Base::Sqlite(_) => REFUSAL_IN_SQLITE,
            })
            .await;
        let tables = format!(
            "[[table]]\nname = \"{}\"\ntriggers = \"fire\"\n\
             [[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"",
            fixture.table("patients")
        );
        fixture.project.plan(&fixture.url(), &tables);
        fixture.run(&["backfill"]).await.expect_code(6);
        fixture
    }

    /// A table of the application, as a plan names it.
    pub fn table(&self, name: &str) -> String {
        match self.base {
            Base::Postgres(_) => format!("public.{name}"),
            Base::Sqlite(_) => name.to_owned(),
        }
    }

    /// A table of our own.
    pub fn own(&self, name: &str) -> String {
        match self.base {
            Base::Postgres(_) => format!("phiseal.{name}"),
            Base::Sqlite(_) => format!("phiseal_{name}"),
        }
    }

    /// Runs statements that the triggers of our own tables would refuse.
    pub async fn tamper(&self, table: &str, trigger: &str, sql: &str) {
        let own = self.own(table);
        match &self.base {
            Base::Postgres(db) => {
                db.exec(&format!("ALTER TABLE {own} DISABLE TRIGGER USER"))
                    .await;
                db.exec(sql).await;
                db.exec(&format!("ALTER TABLE {own} ENABLE TRIGGER USER"))
                    .await;
            }
            Base::Sqlite(db) => {
                db.exec(&format!("DROP TRIGGER phiseal_{table}_{trigger}"))
                    .await;
                db.exec(sql).await;
            }
        }
    }

    /// The program in the folder, to its end.
    pub async fn run(&self, args: &[&str]) -> Finished {
        self.project.phiseal(args).run().await
    }

    /// The same with `--json`: it must end with this code, and stdout is the answer.
    pub async fn ask(&self, args: &[&str], code: i32) -> Value {
        let args = [&["--json"], args].concat();
        self.run(&args).await.expect_code(code).json()
    }

    /// The code of the error that a command is refused with.
    pub async fn refused(&self, args: &[&str], code: i32) -> String {
        let answer = self.ask(args, code).await;
        assert_eq!(answer["exit_code"], code);
        let hint = answer["error"]["hint"].as_str().unwrap();
        assert!(!hint.is_empty() && !hint.ends_with('.'), "{hint}");
        answer["error"]["code"].as_str().unwrap().to_owned()
    }
}

/// Makes the program's tables and the first keys.
pub async fn install(project: &Project) {
    for args in [&["migrate", "up"], &["keys", "create"]] {
        project.phiseal(args).run().await.expect_code(0);
    }
}
