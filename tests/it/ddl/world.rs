//! One database of one sequence: its tables, what applications wrote, the plan, and the steps so far.

use super::model::{Entry, Place, Relation, Shape};
use crate::oracle::{Keys, Source};
use crate::support::database::try_rows_of;
use crate::support::phiseal::Finished;
use crate::support::{Base, Project, Rows, database, sqlite};
use serde_json::Value;
use sqlx::postgres::PgDatabaseError;
use std::collections::HashMap;
use std::time::Duration;

/// What is wrong, in one line; no values.
pub type Fault = String;

/// How long one command may take before that is a fault.
const PATIENCE: Duration = Duration::from_secs(150);

pub struct World {
    pub seed: u64,
    pub base: Base,
    pub project: Project,
    pub relations: Vec<Relation>,
    pub plan: Vec<Entry>,
    /// The last value that an application wrote, by row and column.
    pub truth: HashMap<(i64, &'static str), Option<String>>,
    pub history: Vec<String>,
    /// The number of the step: makes values and names new.
    pub step: u64,
    next_uid: i64,
}

/// How a command ended.
pub struct Done {
    pub code: i32,
    pub json: Value,
}

/// Why a statement was refused.
#[derive(Debug)]
pub struct Refused {
    pub state: String,
    pub message: String,
    /// The functions that were running, in PostgreSQL.
    pub context: String,
}

impl World {
    pub async fn postgres(seed: u64) -> Self {
        let base = Base::Postgres(database("ddl").await);
        let mut world = Self::of(seed, base);
        world
            .make(&["public.people", "public.visits", "public.clinics"])
            .await;
        world
    }

    pub async fn sqlite(seed: u64) -> Self {
        let base = Base::Sqlite(sqlite().await);
        let mut world = Self::of(seed, base);
        world.make(&["people", "visits", "clinics"]).await;
        world
    }

    fn of(seed: u64, base: Base) -> Self {
        Self {
            seed,
            base,
            project: Project::new(),
            relations: Vec::new(),
            plan: Vec::new(),
            truth: HashMap::new(),
            history: Vec::new(),
            step: 0,
            next_uid: 1,
        }
    }

    async fn make(&mut self, names: &[&str; 3]) {
        let partitioned = self.is_postgres();
        for (name, shape) in names
            .iter()
            .zip([Shape::People, Shape::Visits, Shape::Clinics])
        {
            let mut ddl = shape.ddl(name);
            let mut made = vec![Relation::new(name, shape, Place::Alone)];
            if partitioned && shape == Shape::Visits {
                made[0].place = Place::Root;
                ddl.push_str(" PARTITION BY LIST (part)");
                for part in [1, 2] {
                    let leaf = format!("{name}_{part}");
                    ddl.push_str(&format!(
                        "; CREATE TABLE {leaf} PARTITION OF {name} FOR VALUES IN ({part})"
                    ));
                    let mut relation = Relation::new(&leaf, shape, Place::Leaf((*name).to_owned()));
                    relation.part = part;
                    made.push(relation);
                }
            }
            self.run(&ddl)
                .await
                .unwrap_or_else(|e| panic!("{}", e.message));
            self.plan.push(Entry::of(&made[0]));
            self.relations.extend(made);
        }
        if partitioned {
            self.run("CREATE SCHEMA archive")
                .await
                .unwrap_or_else(|e| panic!("{}", e.message));
        }
        for name in self.holders() {
            self.insert(&name, 8).await.expect("the first rows");
        }
        self.write_plan();
        for args in [&["migrate", "up"], &["keys", "create"]] {
            self.project.phiseal(args).run().await.expect_code(0);
        }
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self.base, Base::Postgres(_))
    }

    pub fn source(&self) -> Source<'_> {
        match &self.base {
            Base::Postgres(db) => Source::Postgres(db, "phiseal"),
            Base::Sqlite(file) => Source::Sqlite(file),
        }
    }

    pub fn url(&self) -> String {
        match &self.base {
            Base::Postgres(db) => db.url(),
            Base::Sqlite(file) => file.url(),
        }
    }

    pub async fn keys(&self) -> Keys {
        Keys::load(self.source(), self.project.key_line())
            .await
            .unwrap()
    }

    pub fn write_plan(&self) {
        let tables: Vec<String> = self.plan.iter().map(Entry::toml).collect();
        self.project.plan(&self.url(), &tables.join("\n"));
    }

    pub fn relation(&self, name: &str) -> Option<&Relation> {
        self.relations.iter().find(|r| r.name == name)
    }

    pub fn relation_mut(&mut self, name: &str) -> Option<&mut Relation> {
        self.relations.iter_mut().find(|r| r.name == name)
    }

    /// Names of the tables that hold rows, in order.
    pub fn holders(&self) -> Vec<String> {
        self.names(Relation::holds_rows)
    }

    pub fn names(&self, of: impl Fn(&Relation) -> bool) -> Vec<String> {
        let mut names: Vec<String> = self
            .relations
            .iter()
            .filter(|r| of(r))
            .map(|r| r.name.clone())
            .collect();
        names.sort();
        names
    }

    /// A relation and, of a root, its attached leaves.
    pub fn family(&self, name: &str) -> Vec<String> {
        self.names(|r| r.name == name || r.place == Place::Leaf(name.to_owned()))
    }

    /// A name that nothing has.
    pub fn new_name(&self, like: &str) -> String {
        let stem = like.split("_s").next().unwrap_or(like);
        format!("{stem}_s{}", self.step)
    }

    pub fn uid(&mut self) -> i64 {
        self.next_uid += 1;
        self.next_uid
    }

    /// Runs statements as an application or a DBA would.
    pub async fn run(&self, sql: &str) -> Result<Rows, Refused> {
        let done = match &self.base {
            Base::Postgres(db) => try_rows_of(&mut db.connection().await, sql).await,
            // A connection of the pool may remember what was defined before.
            Base::Sqlite(file) => {
                let fresh = "SELECT 1 FROM sqlite_schema LIMIT 0";
                file.try_rows(&format!("{fresh}; {sql}")).await
            }
        };
        done.map_err(|error| {
            let refusal = error.as_database_error();
            let state = refusal.and_then(|e| e.code()).unwrap_or_default();
            let postgres = refusal.and_then(|e| e.try_downcast_ref::<PgDatabaseError>());
            Refused {
                state: state.into_owned(),
                message: error.to_string(),
                context: postgres
                    .and_then(|e| e.r#where())
                    .unwrap_or_default()
                    .to_owned(),
            }
        })
    }

    /// Runs a statement that changes definitions, and notes the step. Whether it went through.
    pub async fn ddl(&mut self, what: &str, sql: &str) -> bool {
        match self.run(sql).await {
            Ok(_) => {
                self.history.push(what.to_owned());
                true
            }
            Err(refused) => {
                let why = if self.is_postgres() {
                    &refused.state
                } else {
                    &refused.message
                };
                self.history.push(format!("{what}: refused ({why})"));
                false
            }
        }
    }

    /// Runs the program, whichever way it ends, unless it is a fault of its own.
    pub async fn command(&mut self, args: &[&str]) -> Result<Done, Fault> {
        let words = args.join(" ");
        let all = [args, &["--json"]].concat();
        let run = self.project.phiseal(&all).timeout(PATIENCE).run().await;
        let json = serde_json::from_str(&run.stdout).unwrap_or(Value::Null);
        let said = said(&run, &json);
        self.history.push(format!("phiseal {words} -> {said}"));
        let Some(code) = run.code() else {
            return Err(format!("phiseal {words}: {}", run.status));
        };
        if code == 1 || !(0..=10).contains(&code) || run.stderr.contains("panicked at") {
            return Err(format!(
                "phiseal {words} ended with {said}: a fault of the program"
            ));
        }
        if json.is_null() {
            return Err(format!(
                "phiseal {words} --json: not a JSON value on stdout"
            ));
        }
        Ok(Done { code, json })
    }
}

// Exit code, and of what it said the part that holds no values.
fn said(run: &Finished, json: &Value) -> String {
    let mut said = run
        .code()
        .map_or("a signal".to_owned(), |code| code.to_string());
    let numbers = [
        "rows_found",
        "rows_sealed",
        "rows_compared",
        "rows_resealed",
        "rows_verified",
        "failed",
        "unsealed",
        "quarantined",
        "outcome",
    ];
    if let Some(code) = json["error"]["code"].as_str() {
        said += &format!(" {code}");
    }
    for name in numbers {
        if !json[name].is_null() {
            said += &format!(" {name}={}", json[name]);
        }
    }
    said
}
