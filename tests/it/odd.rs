//! What real schemas have and tidy ones have not: types, keys, names and rows that no run can work on as they are,
//! and one table that fails among others. Each is seen beforehand, or keeps nothing else from being done.

mod columns;
mod keys;
mod names;
mod rows;
mod runs;
mod several;

use crate::support::Fixture;
use serde_json::Value;

/// Runs the program with `--json`; what it said, ending with this exit code.
pub async fn json(fixture: &Fixture, args: &[&str], code: i32) -> Value {
    let args = [args, &["--json"]].concat();
    let run = fixture.project.phiseal(&args).run().await;
    run.expect_code(code).json()
}

/// The codes of refusals or warnings of a plan, sorted, each once.
pub fn codes(plan: &Value, kind: &str) -> Vec<String> {
    let mut codes: Vec<String> = plan[kind]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["code"].as_str().unwrap().to_owned())
        .collect();
    codes.sort();
    codes.dedup();
    codes
}

/// A number that the database answers.
pub async fn number(fixture: &Fixture, sql: &str) -> i64 {
    let text = fixture.scalar(sql).await;
    text.and_then(|text| text.parse().ok()).expect(sql)
}
