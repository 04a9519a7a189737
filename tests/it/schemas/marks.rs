//! `phiseal init --schema` on the tables of the platforms' sets, against the columns that their plan files mark.
//! The tables are empty, so names, types and foreign keys alone are judged. The figures are those of
//! docs/decisions/0036, less a little: a change of a rule may not make them worse unseen.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::migrate;
use crate::support::database;
use crate::support::{Phiseal, Project};

/// The columns that the plan file of a set marks.
fn marked(set: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("migrations")
        .join(set);
    let text = std::fs::read_to_string(path.join("phiseal.toml")).unwrap();
    let mut table = String::new();
    let mut columns = BTreeSet::new();
    let mut is_column = false;
    for line in text.lines() {
        match line.split_once(" = ") {
            Some(("name", name)) if is_column => {
                columns.insert(format!("{table}.{}", name.trim_matches('"')));
            }
            Some(("name", name)) => table = name.trim_matches('"').to_owned(),
            _ if line.starts_with("[[") => is_column = line == "[[table.column]]",
            _ => {}
        }
    }
    columns
}

/// The columns of one of these confidences that `init --schema public` proposes.
fn proposed(answer: &Value, confidences: &[&str]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for table in answer["tables"].as_array().unwrap() {
        for column in table["columns"].as_array().unwrap() {
            if confidences.contains(&column["confidence"].as_str().unwrap()) {
                let (table, column) = (table["name"].as_str(), column["name"].as_str());
                all.insert(format!("{}.{}", table.unwrap(), column.unwrap()));
            }
        }
    }
    all
}

/// Percent of `all` that are in `found`.
fn share(found: &BTreeSet<String>, all: &BTreeSet<String>) -> usize {
    100 * found.intersection(all).count() / all.len()
}

async fn finds(set: &str, marks: usize, recall: usize, precision: usize) {
    let db = database(&format!("marks_{set}")).await;
    migrate(&db, &["up", "--set", set], 0).await;
    let project = Project::new();
    let url = db.url();
    let args = [
        "--json",
        "--database-url",
        &url,
        "init",
        "--schema",
        "public",
    ];
    let answer = Phiseal::new(args).cwd(project.dir()).run().await;
    let answer = answer.expect_code(0).json();
    let marked = marked(set);
    assert_eq!(marked.len(), marks, "the plan file was not understood");
    let active = proposed(&answer, &["high", "medium"]);
    let missed: Vec<_> = marked.difference(&active).collect();
    let wrong: Vec<_> = active.difference(&marked).collect();
    assert!(share(&active, &marked) >= recall, "{set} misses {missed:?}");
    assert!(
        share(&marked, &active) >= precision,
        "{set} proposes {wrong:?}"
    );
}

#[tokio::test]
async fn most_marked_columns_of_white_cross_are_found() {
    finds("white_cross", 170, 87, 93).await;
}

#[tokio::test]
async fn most_marked_columns_of_facility_are_found() {
    finds("facility", 27, 88, 82).await;
}

#[tokio::test]
async fn most_marked_columns_of_webqx_are_found() {
    finds("webqx", 22, 95, 95).await;
}
