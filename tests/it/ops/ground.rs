//! What the tests of the operator commands stand on: one database of either kind, a folder with
//! plan and wrapping key, and the program run in it.

use serde_json::Value;

use crate::support::database::Database;
use crate::support::phiseal::Finished;
use crate::support::sqlite::Sqlite;
use crate::support::{Project, database, sqlite};

/// Runs each test on both databases: `name(ground)` is the test's body.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => { $(
        mod $name {
            #[tokio::test]
            async fn in_postgres() {
                let ground = $crate::ops::ground::Ground::postgres(stringify!($name)).await;
                super::$name(ground).await;
            }

            #[tokio::test]
            async fn in_sqlite() {
                super::$name($crate::ops::ground::Ground::sqlite().await).await;
            }
        }
    )+ };
}
pub(super) use on_both;

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

/// A database, and an operator's folder beside it.
pub struct Ground {
    pub project: Project,
    pub db: Db,
}

pub enum Db {
    Postgres(Database),
    Sqlite(Sqlite),
}

impl Ground {
    pub async fn postgres(name: &str) -> Self {
        Self {
            project: Project::new(),
            db: Db::Postgres(database(name).await),
        }
    }

    pub async fn sqlite() -> Self {
        Self {
            project: Project::new(),
            db: Db::Sqlite(sqlite().await),
        }
    }

    /// A plan of no table.
    pub fn planned(self) -> Self {
        self.project.plan(&self.url(), "");
        self
    }

    /// The same, and our own tables are there.
    pub async fn migrated(self) -> Self {
        let ground = self.planned();
        ground.run(&["migrate", "up"]).await.expect_code(0);
        ground
    }

    /// The same, and the keys for no tenant are there.
    pub async fn keyed(self) -> Self {
        let ground = self.migrated().await;
        ground.run(&["keys", "create"]).await.expect_code(0);
        ground
    }

    /// Patients 1, 3 and 42, of whom the last has an ssn so long that a trigger refuses every
    /// write to its row; a backfill has sealed the others.
    pub async fn one_refused(self) -> Self {
        let ground = self.keyed().await;
        ground
            .exec("CREATE TABLE patients (id integer PRIMARY KEY, ssn text)")
            .await;
        ground
            .exec(&format!(
                "INSERT INTO patients (id, ssn) VALUES (1, '111-11-1111'), (42, '{}'),
                     (3, '333-33-3333')",
                "x".repeat(100)
            ))
            .await;
        ground
            .exec(match ground.db {
                Db::Postgres(_) => REFUSAL_IN_POSTGRES,
                Db::Sqlite(_) => REFUSAL_IN_SQLITE,
            })
            .await;
        let tables = format!(
            "[[table]]\nname = \"{}\"\ntriggers = \"fire\"\n\
             [[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"",
            ground.table("patients")
        );
        ground.project.plan(&ground.url(), &tables);
        ground.run(&["backfill"]).await.expect_code(6);
        ground
    }

    pub fn url(&self) -> String {
        match &self.db {
            Db::Postgres(db) => db.url(),
            Db::Sqlite(db) => db.url(),
        }
    }

    /// A table of the application, as a plan names it.
    pub fn table(&self, name: &str) -> String {
        match self.db {
            Db::Postgres(_) => format!("public.{name}"),
            Db::Sqlite(_) => name.to_owned(),
        }
    }

    /// A table of our own.
    pub fn own(&self, name: &str) -> String {
        match self.db {
            Db::Postgres(_) => format!("phiseal.{name}"),
            Db::Sqlite(_) => format!("phiseal_{name}"),
        }
    }

    pub async fn exec(&self, sql: &str) {
        match &self.db {
            Db::Postgres(db) => db.exec(sql).await,
            Db::Sqlite(db) => db.exec(sql).await,
        }
    }

    pub async fn scalar(&self, sql: &str) -> Option<String> {
        match &self.db {
            Db::Postgres(db) => db.scalar(sql).await,
            Db::Sqlite(db) => db.scalar(sql).await,
        }
    }

    /// Runs statements that the triggers of our own tables would refuse.
    pub async fn tamper(&self, table: &str, trigger: &str, sql: &str) {
        let own = self.own(table);
        match &self.db {
            Db::Postgres(db) => {
                db.exec(&format!("ALTER TABLE {own} DISABLE TRIGGER USER"))
                    .await;
                db.exec(sql).await;
                db.exec(&format!("ALTER TABLE {own} ENABLE TRIGGER USER"))
                    .await;
            }
            Db::Sqlite(db) => {
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
