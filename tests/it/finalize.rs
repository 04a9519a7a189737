//! `phiseal finalize`: the plaintext goes once every value was opened, nothing that an application
//! writes meanwhile is lost, and what is not done is not said to be done.
//! Owns the table that these tests finalize, and what they ask of it.

mod changed;
mod given_back;
mod kills;
mod meanwhile;
mod partitions;
mod phases;
mod refusals;
mod upgraded;
mod way;

use crate::backfill::beside;
use crate::oracle::{Cell, KeyPart, NonceLedger, row_key, seal};
use crate::support::phiseal::Running;
use crate::support::{Base, Fixture};
use rustix::process::Signal;
use serde_json::Value;
use sqlx::AssertSqlSafe;
use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_millis(10);
/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// People, of whom every third has no note, and a copy of them. For both databases.
fn people(rows: u32) -> String {
    format!(
        "CREATE TABLE people (id integer PRIMARY KEY, ssn text, note text, other integer);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO people SELECT i, 'ssn ' || i, CASE WHEN i % 3 > 0 THEN 'note ' || i END, i FROM n;
         CREATE TABLE saved AS SELECT * FROM people;"
    )
}

/// Sealed people, both columns beside.
async fn postgres(name: &str, rows: u32) -> Fixture {
    let plan = beside("public.people", &["ssn", "note"]);
    let fixture = Fixture::postgres(name, &people(rows), &plan).await;
    fixture.backfill().await;
    fixture
}

async fn sqlite(rows: u32) -> Fixture {
    let fixture = Fixture::sqlite(&people(rows), &beside("people", &["ssn", "note"])).await;
    fixture.backfill().await;
    fixture
}

/// A test of both databases, with so many people.
macro_rules! on_both {
    ($name:ident, $rows:expr, $body:ident) => {
        mod $name {
            #[tokio::test]
            async fn in_postgres() {
                let fixture = $crate::finalize::postgres(stringify!($name), $rows).await;
                super::$body(fixture).await;
            }

            #[tokio::test]
            async fn in_sqlite() {
                super::$body($crate::finalize::sqlite($rows).await).await;
            }
        }
    };
}
pub(crate) use on_both;

/// Arguments of a finalize that asks nobody and observes nothing.
fn arguments<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["finalize", "--yes", "--observe", "0s"][..], more].concat()
}

/// A finalize that hides nothing, with these further arguments; it must end with this code.
async fn finalize(fixture: &Fixture, more: &[&str], code: i32) -> Value {
    let more = [&["--grace", "0s"], more].concat();
    fixture.json_code(&arguments(&more), code).await
}

/// The same, refused; the code of its error.
async fn refusal(fixture: &Fixture, more: &[&str], code: i32) -> String {
    let answer = finalize(fixture, more, code).await;
    answer["error"]["code"].as_str().unwrap().to_owned()
}

async fn undo(fixture: &Fixture) -> Value {
    fixture.json(&["finalize", "--undo"]).await
}

async fn number(fixture: &Fixture, sql: &str) -> i64 {
    let text = fixture.scalar(sql).await;
    text.and_then(|text| text.parse().ok()).expect(sql)
}

/// The names of a table's columns that begin like this.
async fn columns(fixture: &Fixture, table: &str, prefix: &str) -> Vec<String> {
    let sql = match fixture.base {
        Base::Postgres(_) => format!(
            "SELECT attname FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0
             AND NOT attisdropped ORDER BY attnum"
        ),
        Base::Sqlite(_) => format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid"),
    };
    let rows = fixture.source().rows(&sql).await;
    let names = rows.into_iter().filter_map(|row| row.into_iter().next()?);
    names.filter(|name| name.starts_with(prefix)).collect()
}

async fn has(fixture: &Fixture, column: &str) -> bool {
    let columns = columns(fixture, "people", column).await;
    columns.iter().any(|name| name == column)
}

/// The name of the one hidden column of a table.
async fn hidden(fixture: &Fixture, table: &str) -> String {
    let found = columns(fixture, table, "~phiseal_hidden_").await;
    assert_eq!(found.len(), 1, "{found:?}");
    format!("\"{}\"", found[0])
}

/// The state of a field.
async fn state(fixture: &Fixture, column: &str) -> String {
    let fields = fixture.source().own("encrypted_field_metadata");
    let sql = format!("SELECT state FROM {fields} WHERE column_label = '{column}'");
    fixture.scalar(&sql).await.unwrap()
}

/// What a finalize that is not finished would do next.
async fn next_phase(fixture: &Fixture) -> Option<String> {
    let procedures = fixture.source().own("procedures");
    let sql =
        format!("SELECT phase FROM {procedures} WHERE kind = 'finalize' AND finished_at IS NULL");
    fixture.scalar(&sql).await
}

async fn until_phase(fixture: &Fixture, phase: &str) {
    let deadline = Instant::now() + PATIENCE;
    while next_phase(fixture).await.as_deref() != Some(phase) {
        assert!(Instant::now() < deadline, "it never came to {phase}");
        tokio::time::sleep(LOOK).await;
    }
}

/// Begins a finalize that would wait for long at the end of this phase, and kills it there.
async fn stopped_at(fixture: &Fixture, phase: &str, more: &[&str]) {
    let more = [&["--grace", "600s"], more].concat();
    let run = fixture.phiseal(&arguments(&more)).spawn();
    until_phase(fixture, phase).await;
    kill(fixture, run).await;
}

/// Kills a run, and waits until the server does nothing more for it.
async fn kill(fixture: &Fixture, mut run: Running) {
    run.signal(Signal::KILL);
    run.wait().await;
    if let Base::Postgres(db) = &fixture.base {
        db.settled().await;
    }
}

/// How many rows of the table are other ones than those of the copy.
async fn differences(fixture: &Fixture, table: &str, saved: &str, columns: &str) -> i64 {
    let side = |table: &str| format!("SELECT {columns} FROM {table}");
    let (left, right) = (side(table), side(saved));
    let either = |a: &str, b: &str| format!("SELECT count(*) FROM ({a} EXCEPT {b}) AS d");
    let there = number(fixture, &either(&left, &right)).await;
    let missing = number(fixture, &either(&right, &left)).await;
    there + missing
}

/// Every value opens to what the copy says.
async fn sealed_as_saved(fixture: &Fixture, columns: &[&str]) {
    let label = fixture.table("people");
    fixture.expect_sealed(&label, columns, "saved").await;
}

/// The plaintext is as in the copy, and everything is sealed.
async fn as_it_was(fixture: &Fixture) {
    let differ = differences(fixture, "people", "saved", "id, ssn, note, other").await;
    assert_eq!(differ, 0);
    sealed_as_saved(fixture, &["ssn", "note"]).await;
}

/// A value of a person as an application seals it itself, as SQL.
async fn sealed(fixture: &Fixture, column: &str, id: i64, plain: &str) -> String {
    let keys = fixture.keys().await;
    let active = keys
        .keys
        .iter()
        .find(|(_, key)| key.tenant.is_empty() && key.purpose == "cell" && key.status == "active");
    let (key_id, key) = active.expect("an active key");
    let (row_key, table) = (row_key(&[KeyPart::Int(id)]), fixture.table("people"));
    let cell = Cell {
        tenant: "",
        table: &table,
        column,
        row_key: &row_key,
    };
    let mut nonce = [0; 12];
    getrandom::fill(&mut nonce).unwrap();
    let key = key.key.as_ref().unwrap();
    let bytes = hex::encode(seal(&cell, key, *key_id, nonce, plain.as_bytes(), 0));
    match fixture.base {
        Base::Postgres(_) => format!("'\\x{bytes}'::bytea"),
        Base::Sqlite(_) => format!("x'{bytes}'"),
    }
}

/// A transaction of an application that says that it seals.
fn trusted(fixture: &Fixture, sql: &str) -> String {
    match fixture.base {
        Base::Postgres(_) => format!("BEGIN; SET LOCAL phiseal.sealer = 'on'; {sql}; COMMIT"),
        Base::Sqlite(_) => format!(
            "PRAGMA foreign_keys = ON; BEGIN IMMEDIATE; INSERT INTO phiseal_mark (mark) VALUES ('sealer');
             {sql}; DELETE FROM phiseal_mark; COMMIT"
        ),
    }
}

/// What an application's write is refused with, as the guard says it: `PS007` and so on.
async fn guard_says(fixture: &Fixture, sql: &str) -> String {
    if let Base::Postgres(db) = &fixture.base {
        // One connection: what was refused leaves a transaction open.
        let mut connection = db.pool().acquire().await.unwrap();
        let done = sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut *connection)
            .await;
        let _ = sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await;
        let Err(error) = done else {
            return "nothing".to_owned();
        };
        let code = error.as_database_error().and_then(|error| error.code());
        return code.unwrap_or_default().into_owned();
    }
    let Some(said) = fixture.refusal(sql).await else {
        return "nothing".to_owned();
    };
    let at = said.find("phiseal PS").expect(&said) + "phiseal ".len();
    said[at..at + 5].to_owned()
}

/// The chain of the audit log holds, and these are the actions of finalizes in it.
async fn audited(fixture: &Fixture) -> Vec<String> {
    fixture.json(&["audit", "verify"]).await;
    let log = fixture.source().own("audit_log");
    let sql = format!("SELECT action FROM {log} WHERE action LIKE 'finalize.%' ORDER BY entry_id");
    let rows = fixture.source().rows(&sql).await;
    rows.into_iter()
        .filter_map(|row| row.into_iter().next()?)
        .collect()
}

/// Nothing is sealed twice with one nonce, and every sealed value opens to that of the ledger.
async fn as_the_ledger_says(fixture: &Fixture, label: &str, column: &str, ledger: &str) {
    let nonces = &mut NonceLedger::default();
    let checked = fixture.check_against((label, column), ledger, nonces).await;
    checked.expect_all_sealed();
    assert_eq!(checked.opened, checked.equal, "{label}.{column}");
    assert_eq!((nonces.cell_repeats, nonces.key_repeats), (0, 0));
}
