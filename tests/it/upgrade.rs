//! A database that version 0.1.0 made, with an open backfill, an open rotation, a row in quarantine and a
//! restored field, goes on with this program: nothing is lost, nothing is done twice, every value opens.

use crate::oracle::{FieldCheck, NonceLedger};
use crate::support::dump::ran;
use crate::support::{Base, Fixture, Project, database, sqlite};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The tables of the plan, their columns, and how many values each has.
pub const TABLES: [(&str, &[(&str, usize)]); 5] = [
    ("people", &[("ssn", 60), ("name", 52), ("note", 60)]),
    ("clinics", &[("phone", 40)]),
    ("visits", &[("reason", 165)]),
    ("orders", &[("memo", 165)]),
    ("refused", &[("code", 2)]),
];

fn stored(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/upgrade")
        .join(name)
}

/// As it is after a dump of version 0.1.0 was restored: without the guards' UPDATE triggers.
pub async fn postgres() -> Fixture {
    let db = database("upgrade").await;
    let file = stored("postgres.sql").display().to_string();
    ran(
        "psql",
        &["-X", "-q", "-o", "/dev/null", "-f", &file, &db.url()],
    )
    .await;
    let project = Project::with_key(include_str!("upgrade/wrapping.key").trim());
    project.plan(&db.url(), include_str!("upgrade/postgres.toml"));
    let base = Base::Postgres(db);
    Fixture { base, project }
}

#[tokio::test]
async fn a_restored_postgres_database_of_0_1_0_goes_on() {
    goes_on(postgres().await).await;
}

#[tokio::test]
async fn a_postgres_database_of_0_1_0_with_its_guards_goes_on() {
    let fixture = postgres().await;
    fixture.exec(include_str!("upgrade/guards.sql")).await;
    goes_on(fixture).await;
}

#[tokio::test]
async fn a_sqlite_file_of_0_1_0_goes_on() {
    goes_on(sqlite_file().await).await;
}

pub async fn sqlite_file() -> Fixture {
    let file = sqlite().await;
    file.exec(include_str!("upgrade/sqlite.sql")).await;
    let project = Project::with_key(include_str!("upgrade/wrapping.key").trim());
    project.plan(&file.url(), include_str!("upgrade/sqlite.toml"));
    let base = Base::Sqlite(file);
    Fixture { base, project }
}

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

pub fn planned(fixture: &Fixture, table: &str) -> String {
    match fixture.base {
        Base::Postgres(_) => format!("public.{table}"),
        Base::Sqlite(_) => table.to_owned(),
    }
}

async fn goes_on(fixture: Fixture) {
    assert_eq!(
        json(&fixture, &["status"], 3).await["error"]["code"],
        "E0515"
    );
    let applied = json(&fixture, &["migrate", "up"], 0).await;
    assert!(
        !applied["applied"].as_array().unwrap().is_empty(),
        "{applied}"
    );
    let again = json(&fixture, &["migrate", "up"], 0).await;
    assert_eq!(again["applied"], serde_json::json!([]), "nothing to do");
    what_was_open_is_shown(&fixture).await;

    let orders = planned(&fixture, "orders");
    let resumed = json(&fixture, &["backfill", "--table", &orders], 0).await;
    assert_eq!(resumed["resumed"], true, "{resumed}");
    let rotated = json(&fixture, &["rotate"], 0).await;
    assert_eq!(
        (&rotated["outcome"], &rotated["resumed"]),
        (&"complete".into(), &true.into()),
        "{rotated}"
    );
    nothing_is_open(&fixture).await;
    // The row that a trigger refuses is still refused.
    json(&fixture, &["backfill"], 6).await;

    restored_stays_restored(&fixture).await;
    the_row_is_in_quarantine(&fixture).await;
    every_value_is_as_it_was(&fixture, 1).await;
    let mut verify = vec!["verify".to_owned()];
    for (table, _) in TABLES.iter().filter(|(table, _)| *table != "refused") {
        verify.extend(["--table".to_owned(), planned(&fixture, table)]);
    }
    let verify: Vec<&str> = verify.iter().map(String::as_str).collect();
    let verified = json(&fixture, &verify, 0).await;
    assert_eq!(
        (&verified["failed"], &verified["unsealed"]),
        (&0.into(), &0.into()),
        "{verified}"
    );
    json(&fixture, &["audit", "verify"], 0).await;

    the_old_keys_can_go(&fixture).await;
    the_guard_guards(&fixture).await;
    json(&fixture, &["backfill"], 0).await;
    json(&fixture, &["verify"], 0).await;
    json(&fixture, &["audit", "verify"], 0).await;
    let status = json(&fixture, &["status"], 0).await;
    // The keys of the fixture are due some day.
    let attention = status["attention"].as_array().unwrap();
    assert!(
        attention
            .iter()
            .all(|line| line.to_string().contains("due")),
        "{status}"
    );
}

async fn what_was_open_is_shown(fixture: &Fixture) {
    let status = json(fixture, &["status", "--check"], 10).await;
    let open: Vec<(&str, &str)> = status["runs"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|run| run["finished_at"].is_null())
        .map(|run| {
            (
                run["kind"].as_str().unwrap(),
                run["table"].as_str().unwrap_or_default(),
            )
        })
        .collect();
    let (orders, visits) = (planned(fixture, "orders"), planned(fixture, "visits"));
    for expected in [("backfill", orders.as_str()), ("rotate", visits.as_str())] {
        assert!(open.contains(&expected), "{open:?}");
    }
    restored_stays_restored(fixture).await;
    the_row_is_in_quarantine(fixture).await;
}

async fn nothing_is_open(fixture: &Fixture) {
    let runs = fixture.source().own("runs");
    let open = format!("SELECT count(*) FROM {runs} WHERE finished_at IS NULL");
    assert_eq!(fixture.scalar(&open).await.as_deref(), Some("0"));
    let history = fixture.source().own("key_rotation_history");
    let open = format!("SELECT count(*) FROM {history} WHERE finished_at IS NULL");
    assert_eq!(fixture.scalar(&open).await.as_deref(), Some("0"));
}

async fn restored_stays_restored(fixture: &Fixture) {
    let status = json(fixture, &["status"], 0).await;
    let letters = planned(fixture, "letters");
    let field = status["fields"]
        .as_array()
        .unwrap()
        .iter()
        .find(|f| f["table"] == letters.as_str());
    assert_eq!(field.unwrap()["state"], "restored", "{status}");
    let plain = "SELECT count(*) FROM letters WHERE body = 'body ' || id";
    assert_eq!(fixture.scalar(plain).await.as_deref(), Some("30"));
}

/// The entry of the fixture is there, and no other: a rotation gives the row another tag, and lists it once.
async fn the_row_is_in_quarantine(fixture: &Fixture) {
    let listed = json(fixture, &["quarantine", "list"], 0).await;
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 1, "{listed:?}");
    for entry in listed {
        assert_eq!(entry["table"], planned(fixture, "refused").as_str());
        assert_eq!(entry["step"], "backfill");
    }
    let quarantine = fixture.source().own("quarantine");
    let first = format!("SELECT state FROM {quarantine} WHERE quarantine_id = 1");
    assert_eq!(fixture.scalar(&first).await.as_deref(), Some("open"));
}

// Every value of the plan's tables opens to what it was, `waiting` of them are not sealed.
pub async fn every_value_is_as_it_was(fixture: &Fixture, waiting: usize) {
    truth(fixture).await;
    let keys = fixture.keys().await;
    let ledger = &mut NonceLedger::default();
    let mut unsealed = 0;
    for (table, columns) in TABLES {
        for (column, values) in columns {
            let field = keys.field(&planned(fixture, table), column);
            let check = FieldCheck::against(field, &format!("truth_{table}"), column);
            let checked = keys.check(fixture.source(), &check, ledger).await;
            assert!(
                checked.faults.is_empty(),
                "{table}.{column}: {:#?}",
                checked.faults
            );
            assert_eq!(checked.opened, checked.equal, "{table}.{column}");
            assert_eq!(checked.opened, *values, "{table}.{column}");
            unsealed += checked.unsealed;
        }
    }
    assert_eq!(unsealed, waiting);
    assert_eq!((ledger.cell_repeats, ledger.key_repeats), (0, 0));
}

// The values of the file as tables, `truth_people` and so on, with the keys of each.
async fn truth(fixture: &Fixture) {
    let mut rows: BTreeMap<(String, String), BTreeMap<String, String>> = BTreeMap::new();
    let mut file = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_path(stored("truth.csv"))
        .unwrap();
    for record in file.records().map(Result::unwrap) {
        let at = (record[0].to_owned(), record[2].to_owned());
        let row = rows.entry(at).or_default();
        row.insert(
            record[1].to_owned(),
            format!("'{}'", record[3].replace('\'', "''")),
        );
    }
    for (table, columns) in TABLES {
        let names: Vec<&str> = columns.iter().map(|(column, _)| *column).collect();
        let key = if table == "visits" {
            "clinic integer, id integer"
        } else {
            "id integer"
        };
        let mut sql = format!(
            "DROP TABLE IF EXISTS truth_{table}; CREATE TABLE truth_{table} ({key}, {} text);",
            names.join(" text, ")
        );
        for ((_, key), values) in rows.iter().filter(|((of, _), _)| of == table) {
            let value = |name: &&str| values.get(*name).map_or("NULL", String::as_str);
            let values: Vec<&str> = names.iter().map(value).collect();
            sql += &format!(
                "INSERT INTO truth_{table} VALUES ({}, {});",
                key.replace(' ', ", "),
                values.join(", ")
            );
        }
        fixture.exec(&sql).await;
    }
}

// A key is kept as long as the row in quarantine is named under it, and goes once that is mended.
async fn the_old_keys_can_go(fixture: &Fixture) {
    let keys = fixture.source().own("encryption_keys");
    let old =
        format!("SELECT key_id FROM {keys} WHERE status = 'deactivated' ORDER BY tenant, version");
    let old = fixture.source().rows(&old).await;
    let old: Vec<String> = old.into_iter().flatten().flatten().collect();
    assert_eq!(old.len(), 3);
    for mended in [false, true] {
        if mended {
            fixture
                .exec("UPDATE refused SET code = 'three' WHERE id = 3")
                .await;
            json(fixture, &["quarantine", "retry"], 0).await;
            json(fixture, &["backfill"], 0).await;
            assert_eq!(
                json(fixture, &["quarantine", "list"], 0).await,
                serde_json::json!([])
            );
        }
        for key in &old {
            let status = format!("SELECT status FROM {keys} WHERE key_id = {key}");
            if fixture.scalar(&status).await.as_deref() == Some("destroyed") {
                continue;
            }
            let destroy = [
                "keys",
                "destroy",
                key,
                "--confirm",
                key,
                "--reason",
                "trial",
                "--json",
            ];
            let done = fixture.project.phiseal(&destroy).run().await;
            let gone = fixture.scalar(&status).await.as_deref() == Some("destroyed");
            assert_eq!(gone, done.code() == Some(0), "{done:?}");
            if !gone {
                assert!(!mended && done.code() == Some(7), "{done:?}");
                assert!(done.stdout.contains("quarantine"), "{done:?}");
            }
        }
    }
    let left = format!("SELECT count(*) FROM {keys} WHERE status = 'deactivated'");
    assert_eq!(fixture.scalar(&left).await.as_deref(), Some("0"));
}

// What an application changes loses its seal, at once.
async fn the_guard_guards(fixture: &Fixture) {
    for (table, column) in [("people", "name"), ("orders", "memo"), ("visits", "reason")] {
        let change = format!("UPDATE {table} SET {column} = 'changed' WHERE id = 1");
        fixture.exec(&change).await;
        let seal = format!("SELECT {column}_sealed FROM {table} WHERE id = 1");
        assert_eq!(fixture.scalar(&seal).await, None, "{table}");
    }
}
