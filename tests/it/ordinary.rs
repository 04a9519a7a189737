//! Ordinary life of a database, one case each: a table put aside, a partition detached, a trigger that changes
//! what is written, a column renamed or dropped, a label used twice, a plan mistyped. On both databases where
//! it applies. `ddl` mixes them at random.

mod columns;
mod names;
mod triggers;

use crate::oracle::NonceLedger;
use crate::support::{Base, Fixture};
use serde_json::Value;

/// Notes sealed in place: nothing but the seal holds the value.
const NOTES: &str = "CREATE TABLE notes (id integer PRIMARY KEY, note text);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30)
    INSERT INTO notes SELECT i, 'note ' || i FROM n;";

async fn json(fixture: &Fixture, args: &[&str], code: i32) -> Value {
    let args = [args, &["--json"]].concat();
    fixture
        .project
        .phiseal(&args)
        .run()
        .await
        .expect_code(code)
        .json()
}

/// The code and the hint with which a command is refused.
async fn refused(fixture: &Fixture, args: &[&str], code: i32) -> (String, String) {
    let error = &json(fixture, args, code).await["error"];
    let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    (
        text("code"),
        format!("{} {}", text("message"), text("hint")),
    )
}

async fn number(fixture: &Fixture, sql: &str) -> i64 {
    let text = fixture.scalar(sql).await;
    text.and_then(|text| text.parse().ok()).expect(sql)
}

async fn status(fixture: &Fixture) -> (Option<i32>, String) {
    let done = fixture.project.phiseal(&["status", "--check"]).run().await;
    (done.code(), done.stdout)
}

/// A table as the plan and the registry call it.
fn named(fixture: &Fixture, table: &str) -> String {
    match fixture.base {
        Base::Postgres(_) => format!("public.{table}"),
        Base::Sqlite(_) => table.to_owned(),
    }
}

fn in_place(fixture: &Fixture, table: &str, label: Option<&str>) -> String {
    let label = label.map_or(String::new(), |label| format!("label = {label:?}\n"));
    format!(
        "[[table]]\nname = {:?}\n{label}[[table.column]]\nname = \"note\"\n\
         in_place = \"application-reads-both-forms\"\n",
        named(fixture, table)
    )
}

fn planned(fixture: &Fixture, tables: &str) {
    fixture.project.plan(&fixture.url(), tables);
}

/// The active cell key of no tenant.
async fn active(fixture: &Fixture) -> String {
    let keys = fixture.source().own("encryption_keys");
    let sql = format!(
        "SELECT key_id FROM {keys} WHERE purpose = 'cell' AND status = 'active' AND tenant = ''"
    );
    fixture.scalar(&sql).await.expect("an active key")
}

async fn status_of(fixture: &Fixture, key: &str) -> String {
    let keys = fixture.source().own("encryption_keys");
    let sql = format!("SELECT status FROM {keys} WHERE key_id = {key}");
    fixture.scalar(&sql).await.expect("a key")
}

/// Destroys the key, or is refused because it is still used. Whether it is gone.
async fn destroyed(fixture: &Fixture, key: &str) -> bool {
    let args = [
        "keys",
        "destroy",
        key,
        "--confirm",
        key,
        "--reason",
        "trial",
        "--json",
    ];
    let done = fixture.project.phiseal(&args).run().await;
    let gone = status_of(fixture, key).await == "destroyed";
    assert_eq!(gone, done.code() == Some(0), "{done:?}");
    assert!(gone || done.code() == Some(7), "{done:?}");
    gone
}

/// The guard's triggers of a table, each with the statements that make it again as it was.
async fn guards(fixture: &Fixture, table: &str) -> Vec<(String, String)> {
    let sql = match fixture.base {
        Base::Postgres(_) => format!(
            "SELECT tgname, pg_get_triggerdef(oid) || format('; ALTER TABLE {table} ENABLE ALWAYS TRIGGER %I', tgname)
             FROM pg_trigger WHERE tgrelid = '{table}'::regclass AND tgname LIKE '~phiseal%' ORDER BY tgname"
        ),
        Base::Sqlite(_) => format!(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = '{table}'
             AND name GLOB '~phiseal*' ORDER BY name"
        ),
    };
    let rows = fixture.source().rows(&sql).await;
    assert!(rows.len() >= 2, "no guard on {table}");
    let pair = |row: Vec<Option<String>>| Some((row[0].clone()?, row[1].clone()?));
    rows.into_iter().filter_map(pair).collect()
}

/// The statement that takes a trigger away.
fn dropped(fixture: &Fixture, trigger: &str, table: &str) -> String {
    match fixture.base {
        Base::Postgres(_) => format!("DROP TRIGGER \"{trigger}\" ON {table}"),
        Base::Sqlite(_) => format!("DROP TRIGGER \"{trigger}\""),
    }
}

/// Every note of a table opens under the label and is what it was.
async fn notes_open(fixture: &Fixture, table: &str, label: &str, saved: &str) {
    let keys = fixture.keys().await;
    let mut field = keys.field(label, "note");
    table.clone_into(&mut field.table);
    let check = crate::oracle::FieldCheck::against(field, saved, "note");
    let checked = keys
        .check(fixture.source(), &check, &mut NonceLedger::default())
        .await;
    assert!(checked.faults.is_empty(), "{table}: {:#?}", checked.faults);
    assert_eq!(checked.opened, checked.equal, "{table}");
    assert!(checked.opened > 0, "{table}");
}

/// A test of both databases: notes, sealed.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => { $(
        mod $name {
            #[tokio::test]
            async fn in_postgres() {
                let name = stringify!($name);
                let plan = "[[table]]\nname = \"public.notes\"\n[[table.column]]\nname = \"note\"\n\
                    in_place = \"application-reads-both-forms\"\n";
                let fixture = $crate::support::Fixture::postgres(name, $crate::ordinary::NOTES, plan).await;
                fixture.exec("CREATE TABLE saved AS SELECT * FROM notes").await;
                fixture.backfill().await;
                super::$name(fixture).await;
            }

            #[tokio::test]
            async fn in_sqlite() {
                let plan = "[[table]]\nname = \"notes\"\n[[table.column]]\nname = \"note\"\n\
                    in_place = \"application-reads-both-forms\"\n";
                let fixture = $crate::support::Fixture::sqlite($crate::ordinary::NOTES, plan).await;
                fixture.exec("CREATE TABLE saved AS SELECT * FROM notes").await;
                fixture.backfill().await;
                super::$name(fixture).await;
            }
        }
    )+ };
}
use on_both;
