//! `phiseal init`.

use serde_json::json;

use super::on_both;
use crate::support::{Base, Fixture};

on_both!(init_writes_a_plan_that_works, init_refuses_and_suggests,);

async fn application(fixture: &Fixture) {
    fixture
        .exec(
            "CREATE TABLE patients (id integer PRIMARY KEY, clinic_id integer NOT NULL,
                 ssn varchar(11), email text, \"lastName\" text, note text);
             CREATE UNIQUE INDEX patients_ssn ON patients (ssn);
             CREATE INDEX patients_email ON patients (email);
             CREATE TABLE visits (id integer PRIMARY KEY, note text)",
        )
        .await;
}

async fn init_writes_a_plan_that_works(fixture: Fixture) {
    application(&fixture).await;
    let table = fixture.table("patients");
    let args = [
        "--json", "init", "--table", &table, "--column", "ssn", "--column", "email", "--column",
        "lastName",
    ];
    let (url, key) = (fixture.url(), fixture.project.key_file());
    let run = |args: &[&str]| {
        let program = fixture.project.phiseal(args).env("DATABASE_URL", &url);
        program.env("PHISEAL_KEY_FILE", &key).run()
    };
    let answer = run(&args).await.expect_code(0).json();
    let proposed = &answer["tables"][0];
    assert_eq!(proposed["name"], table.as_str());
    assert_eq!(proposed["tenant_column"], "clinic_id");
    assert_eq!(
        proposed["columns"][0]["blind_index"],
        json!({"normalise": "digits", "unique": true})
    );
    assert_eq!(
        proposed["columns"][1]["blind_index"],
        json!({"normalise": "caseless", "unique": false})
    );
    assert_eq!(proposed["columns"][2]["name"], "lastName");
    assert_eq!(proposed["columns"][2]["blind_index"], json!(null));
    let plan = std::fs::read_to_string(fixture.project.plan_file()).unwrap();
    assert!(!plan.contains(&url), "{plan}");
    assert!(plan.contains("# tenant_column = "), "{plan}");
    assert!(plan.contains("patients_email"), "{plan}");
    assert!(plan.contains("\npace = \"polite\" "), "{plan}");

    // It never writes over a plan.
    let again = run(&args).await.expect_code(2).json();
    assert_eq!(again["error"]["code"], "E0106");
    assert_eq!(
        std::fs::read_to_string(fixture.project.plan_file()).unwrap(),
        plan
    );

    // What it says is next can be done.
    run(&["migrate", "up"]).await.expect_code(0);
    run(&["keys", "create"]).await.expect_code(0);
    run(&["plan"]).await.expect_code(0);
}

async fn init_refuses_and_suggests(fixture: Fixture) {
    application(&fixture).await;
    let url = fixture.url();
    let no_url = ["init", "--table", "patients", "--column", "ssn"];
    assert_eq!(fixture.refused(&no_url, 2).await, "E0103");
    let refused = async |args: &[&str], code: i32, error: &str| {
        let args = [&["--database-url", &url, "init"], args].concat();
        let answer = fixture.ask(&args, code).await;
        assert_eq!(answer["error"]["code"], error, "{answer}");
        answer["error"].to_string()
    };
    refused(&["--column", "ssn"], 2, "E0107").await;
    refused(&["--table", "patients"], 2, "E0101").await;
    let table = refused(&["--table", "patient", "--column", "ssn"], 3, "E0201").await;
    let meant = match fixture.base {
        Base::Postgres(_) => "did you mean public.patients?",
        Base::Sqlite(_) => "did you mean patients?",
    };
    assert!(table.contains(meant), "{table}");
    let column = refused(&["--table", "patients", "--column", "emial"], 3, "E0202").await;
    assert!(column.contains("did you mean email?"), "{column}");
    let none = [
        "--table", "patients", "--table", "visits", "--column", "ssn",
    ];
    refused(&none, 3, "E0107").await;
    assert!(!fixture.project.plan_file().exists());
}
