//! `phiseal init --schema`: PHI is found by names and by the form of values, and no value is shown.

use std::sync::Arc;

use phiseal::ident::{Ident, TableName};
use phiseal::store::postgres::PostgresStore;
use phiseal::store::sqlite::SqliteStore;
use phiseal::store::{Form, Store};
use serde_json::{Value, json};

use super::on_both;
use crate::support::{Base, Fixture};

on_both!(
    a_form_means_the_same_in_both_databases,
    a_schema_is_proposed_by_names_and_values_and_shows_none,
    what_is_sealed_already_is_not_proposed_again,
    an_unknown_schema_and_two_ways_at_once_are_refused,
    problems_are_printed,
);

/// Texts, and the forms that they have.
const TEXTS: &[(&str, &[Form])] = &[
    ("078-05-1120", &[Form::Ssn]),
    ("078051120", &[Form::Number]),
    ("ada@example.org", &[Form::Email]),
    ("ada@example", &[]),
    ("ada lovelace@example.org", &[]),
    ("a@b@example.org", &[]),
    ("(555) 010-0199", &[Form::Phone]),
    ("+49 30 901820", &[Form::Phone]),
    ("555-0199", &[Form::Phone, Form::Number]),
    ("-1234567", &[Form::Number]),
    ("38.0820992752824", &[]),
    ("192.168.100.12", &[Form::Ip]),
    ("2001:db8::1", &[Form::Ip]),
    ("12:30:45", &[]),
    ("00:1a:2b:3c:4d:5e", &[]),
    ("40506", &[Form::Postcode, Form::Number]),
    ("40506-1234", &[Form::Postcode, Form::Phone, Form::Number]),
    ("SW1A 1AA", &[Form::Postcode]),
    ("K1A 0B1", &[Form::Postcode]),
    ("245 Simonis Harbor", &[Form::Street]),
    ("1999-12-31", &[Form::Day, Form::LongAgo]),
    ("1899-12-31", &[]),
    ("2999-12-31", &[]),
    ("12/31/1999", &[]),
    ("E11.9", &[Form::Icd]),
    ("S72.001A", &[Form::Icd]),
    ("E11", &[]),
    ("MRN-0012345", &[Form::Number]),
    ("Seen today for a cough", &[Form::Prose]),
    ("Seen today", &[]),
    ("57fc736c-3587-76f3-f469-88465cb26020", &[Form::Uuid]),
    ("$2b$12$abcdefghijklmnopqrstuv", &[Form::Digest]),
    ("d41d8cd98f00b204e9800998ecf8427e", &[Form::Digest]),
    ("it's [a] $1.00 100% \\ text", &[Form::Prose]),
    ("   ", &[]),
];

async fn store(fixture: &Fixture) -> Arc<dyn Store> {
    let url = fixture.url();
    match &fixture.base {
        Base::Postgres(_) => {
            let schema = Ident::new("phiseal").unwrap();
            Arc::new(PostgresStore::connect(&url, &schema).await.unwrap())
        }
        Base::Sqlite(_) => Arc::new(SqliteStore::connect(&url).await.unwrap()),
    }
}

async fn a_form_means_the_same_in_both_databases(fixture: Fixture) {
    // One table for each text, since only counts come back.
    for (at, (text, _)) in TEXTS.iter().enumerate() {
        let text = text.replace('\'', "''");
        fixture
            .exec(&format!(
                "CREATE TABLE t{at} (\"C x\" text); INSERT INTO t{at} VALUES ('{text}'), (NULL), ('')"
            ))
            .await;
    }
    let store = store(&fixture).await;
    let column = [Ident::new("C x").unwrap()];
    for (at, (text, expected)) in TEXTS.iter().enumerate() {
        let table: TableName = fixture.table(&format!("t{at}")).parse().unwrap();
        let counts = store.forms(&table, &column).await.unwrap();
        let found: Vec<Form> = (Form::ALL.into_iter())
            .filter(|form| counts[0].of(*form) > 0)
            .collect();
        let mut expected = expected.to_vec();
        expected.sort_by_key(|form| *form as usize);
        assert_eq!(found, expected, "{text}");
        let values = u64::from(!text.trim().is_empty());
        assert_eq!(
            (counts[0].values, counts[0].distinct),
            (values, values),
            "{text}"
        );
    }
}

/// Patients whose columns have telling names, telling values, or neither.
async fn clinic(fixture: &Fixture) {
    let (day, series) = match &fixture.base {
        Base::Postgres(_) => (
            "date '1950-01-01' + n * 300",
            "generate_series(1, 60) AS s (n)",
        ),
        Base::Sqlite(_) => (
            "date('1950-01-01', (n * 300) || ' days')",
            "(WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 60) SELECT n FROM s)",
        ),
    };
    fixture
        .exec(&format!(
            "CREATE TABLE patients (id integer PRIMARY KEY, \"firstName\" text, c1 text, c2 date, email text, \
                 phone_type text, status text, created_at timestamp, password_hash text);
             INSERT INTO patients SELECT n, 'Zachariah' || n, '078-05-' || (1100 + n), {day}, 'nobody', 'home', 'new', \
                 NULL, 'd41d8cd98f00b204e9800998ecf8427e' FROM {series};
             CREATE TABLE visits (id integer PRIMARY KEY, patient_id integer REFERENCES patients (id), notes text);
             CREATE TABLE suppliers (id integer PRIMARY KEY, notes text, email text)"
        ))
        .await;
}

/// `init --schema` into a new plan file: its answer, and all that it wrote.
async fn init(fixture: &Fixture, plan: &str) -> (Value, String) {
    let schema = match &fixture.base {
        Base::Postgres(_) => "public",
        Base::Sqlite(_) => "main",
    };
    let url = fixture.url();
    let mut args = vec![
        "--plan",
        plan,
        "--database-url",
        &url,
        "init",
        "--schema",
        schema,
    ];
    let text = fixture.project.phiseal(&args).run().await.expect_code(0);
    let file = fixture.project.dir().join(plan);
    let written = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    args.push("--json");
    let answer = fixture.project.phiseal(&args).run().await.expect_code(0);
    let all = [
        &text.stdout,
        &text.stderr,
        &written,
        &answer.stdout,
        &answer.stderr,
    ];
    let all: Vec<&str> = all.into_iter().map(String::as_str).collect();
    (answer.json(), all.join("\n"))
}

/// The columns of a table that are proposed: name, kind, confidence, whether active.
fn proposed(answer: &Value, table: &str) -> Vec<String> {
    let tables = answer["tables"].as_array().unwrap();
    let table = tables.iter().find(|one| one["name"] == table);
    let columns = table.map(|table| table["columns"].as_array().unwrap().clone());
    let text = |column: &Value, key: &str| column[key].as_str().unwrap().to_owned();
    let line = |column: Value| {
        format!(
            "{} {} {} {}",
            text(&column, "name"),
            text(&column, "kind"),
            text(&column, "confidence"),
            column["active"]
        )
    };
    columns.unwrap_or_default().into_iter().map(line).collect()
}

async fn a_schema_is_proposed_by_names_and_values_and_shows_none(fixture: Fixture) {
    clinic(&fixture).await;
    let (answer, all) = init(&fixture, "found.toml").await;
    assert_eq!(answer["tables_looked_at"], 3, "{answer}");
    assert_eq!(answer["columns_looked_at"], 15);
    assert_eq!(answer["not_sampled"], json!([]));
    assert_eq!(
        proposed(&answer, &fixture.table("patients")),
        [
            "firstName name high true",
            "c1 SSN high true",
            "c2 date of birth medium true",
            // Named like one, but no value is one.
            "email e-mail medium true",
        ]
    );
    assert_eq!(
        proposed(&answer, &fixture.table("visits")),
        ["notes free text high true"]
    );
    assert_eq!(
        proposed(&answer, &fixture.table("suppliers")),
        ["email e-mail low false"]
    );
    for value in ["Zachariah", "078-05", "1950-", "nobody", "d41d8cd9"] {
        assert!(!all.contains(value), "{value} is in {all}");
    }
    assert!(
        all.contains("60 of 60 sampled values look like a social security number"),
        "{all}"
    );
    let wide = all
        .lines()
        .filter(|line| !line.starts_with(['{', '#']) && line.contains("sampled"));
    assert!(
        wide.clone().all(|line| line.chars().count() <= 80),
        "{:?}",
        wide.collect::<Vec<_>>()
    );

    // What is active works as it stands, up to preflight.
    let (url, key) = (fixture.url(), fixture.project.key_file());
    let run = |args: &[&str]| {
        let args = [&["--plan", "found.toml"], args].concat();
        let program = fixture.project.phiseal(&args).env("DATABASE_URL", &url);
        program.env("PHISEAL_KEY_FILE", &key).run()
    };
    run(&["migrate", "up"]).await.expect_code(0);
    run(&["keys", "create"]).await.expect_code(0);
    run(&["plan"]).await.expect_code(0);
}

async fn what_is_sealed_already_is_not_proposed_again(fixture: Fixture) {
    clinic(&fixture).await;
    let name = fixture.table("patients");
    let fixture = fixture.keyed().await;
    let column = "[[table.column]]\nname = \"c1\"\nseal_into = \"c1_sealed\"";
    let tables = format!("[[table]]\nname = \"{name}\"\n{column}\n");
    fixture.project.plan(&fixture.url(), &tables);
    fixture.backfill().await;
    let (answer, _) = init(&fixture, "again.toml").await;
    let found = proposed(&answer, &name);
    assert!(
        !found.iter().any(|column| column.starts_with("c1")),
        "{found:?}"
    );
    assert!(
        found.contains(&"firstName name high true".to_owned()),
        "{found:?}"
    );
}

async fn an_unknown_schema_and_two_ways_at_once_are_refused(fixture: Fixture) {
    clinic(&fixture).await;
    let url = fixture.url();
    for (args, code, error) in [
        (&["--schema", "publik"][..], 3, "E0140"),
        (&["--schema", "public", "--table", "patients"], 2, "E0141"),
        (&["--schema", "public", "--column", "email"], 2, "E0101"),
        (&["--schema", "public", "--set", "webqx"], 2, "E0101"),
    ] {
        let args = [&["--database-url", &url, "init"], args].concat();
        assert_eq!(fixture.refused(&args, code).await, error, "{args:?}");
    }
    assert!(!fixture.project.plan_file().exists());
}

async fn problems_are_printed(fixture: Fixture) {
    fixture
        .exec(
            "CREATE TABLE keyless (ssn text);
             CREATE TABLE patients (id integer PRIMARY KEY, ssn text);
             CREATE VIEW seen AS SELECT id, ssn FROM patients",
        )
        .await;
    let (url, keyless, view) = (
        fixture.url(),
        fixture.table("keyless"),
        fixture.table("seen"),
    );
    let named = [
        "--database-url",
        &url,
        "init",
        "--table",
        &view,
        "--table",
        &keyless,
        "--column",
        "ssn",
    ];
    let done = fixture.project.phiseal(&named).run().await.expect_code(0);
    let said = &done.stdout;
    assert!(
        said.contains("(the database was not touched). 2 problems to fix:"),
        "{said}"
    );
    assert!(
        said.contains(&format!("{view}: it is a view [E0203]")),
        "{said}"
    );
    assert!(
        said.contains(&format!("{keyless}: it has no primary key")),
        "{said}"
    );
    let file = std::fs::read_to_string(fixture.project.plan_file()).unwrap();
    assert!(
        file.contains("# Note: [E0203] to fix: it is a view"),
        "{file}"
    );
    // Views are no tables of a schema, and a table without a key is.
    let (answer, _) = init(&fixture, "all.toml").await;
    let problems = answer["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 1, "{answer}");
    assert_eq!(problems[0]["code"], "E0207");
    assert_eq!(problems[0]["table"], keyless.as_str());
}

#[tokio::test]
async fn a_table_that_is_locked_keeps_nobody_waiting_and_is_named() {
    let fixture = Fixture::empty_postgres("phi_locked").await;
    clinic(&fixture).await;
    let mut other = fixture.db().pool().begin().await.unwrap();
    sqlx::query("LOCK TABLE patients IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *other)
        .await
        .unwrap();
    let (answer, all) = init(&fixture, "locked.toml").await;
    let why = "the server told nothing of it in time: does somebody hold a lock on it?";
    let expected = json!([{ "table": "public.patients", "why": why }]);
    assert_eq!(answer["not_sampled"], expected);
    assert!(
        all.contains("public.patients: the server told nothing"),
        "{all}"
    );
    assert_eq!(
        proposed(&answer, "public.visits"),
        ["notes free text high true"]
    );
    assert_eq!(answer["tables_looked_at"], 2);
    other.rollback().await.unwrap();
}

#[tokio::test]
async fn a_table_that_the_role_may_not_read_is_said_to_be() {
    let fixture = Fixture::empty_postgres("phi_denied").await;
    clinic(&fixture).await;
    let role = fixture.db().role("phi_reader", "").await;
    fixture
        .exec(&format!(
            "GRANT SELECT ON visits, suppliers TO {}",
            role.name
        ))
        .await;
    let args = [
        "--json",
        "--database-url",
        &role.url,
        "init",
        "--schema",
        "public",
    ];
    let answer = fixture
        .project
        .phiseal(&args)
        .run()
        .await
        .expect_code(0)
        .json();
    const DENIED: &str = "this role may not read it, so only names and types were judged";
    let why = &answer["not_sampled"];
    assert_eq!(why, &json!([{ "table": "public.patients", "why": DENIED }]));
}
