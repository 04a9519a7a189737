//! Migration sets and folders: the migrator as an operator meets it, through the real program.
//! The catalogs are read by `pg_dump`, which shares nothing with the program's own comparison.

mod adopt;
mod apart;
mod both_ways;
mod conventions;
mod corpus;
mod dump;
mod folder;
mod locks;
mod losses;
mod marks;
mod met;
mod security;
mod sets;

use serde_json::Value;

use crate::support::database::Database;
use crate::support::{Phiseal, Project};

/// Runs `phiseal migrate …` against the database, in a folder without a plan file.
async fn migrate(db: &Database, arguments: &[&str], code: i32) -> Value {
    let project = Project::new();
    let url = db.url();
    let fixture = ["--database-url", &url, "--json"];
    let all = [&["migrate"], arguments, &fixture].concat();
    let run = Phiseal::new(all).cwd(project.dir()).run().await;
    let run = run.expect_code(code);
    serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {}", run.stdout))
}

/// The code of the error that it ends with.
async fn refused(db: &Database, arguments: &[&str], code: i32) -> (String, String) {
    let value = migrate(db, arguments, code).await;
    let text = |key: &str| value["error"][key].as_str().unwrap().to_owned();
    (text("code"), text("message"))
}
