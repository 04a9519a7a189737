//! Who may only read verifies: on the primary and on a hot standby, with and without the wrapping key.
//! Nothing that such a role runs writes anything.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::connect;
use crate::support::cluster::{Cluster, TEST_SETTINGS};
use crate::support::database::{Database, Role};
use crate::support::standby::Standby;
use crate::support::{Fixture, Project};

const TABLE: &str = "CREATE SCHEMA app; CREATE TABLE app.patients (id int PRIMARY KEY, ssn text);
    INSERT INTO app.patients SELECT g, 's' || g FROM generate_series(1, 30) g;";

const PLAN: &str = r#"
[[table]]
name = "app.patients"
[[table.column]]
name = "ssn"
seal_into = "ssn_sealed"
"#;

/// What commands of an auditor say, without the wrapping key.
const WITHOUT_KEY: [&[&str]; 10] = [
    &["status"],
    &["status", "--census"],
    &["keys", "list"],
    &["fields", "list"],
    &["runs", "list"],
    &["quarantine", "list"],
    &["audit", "list"],
    &["audit", "head"],
    &["audit", "export", "--output", "-"],
    &["grants", "auditor", "--to", "x"],
];

/// A digest of all of phiseal's tables and of the application's.
const STATE: &str = "
    SELECT md5(string_agg(md5(t::text), '' ORDER BY t::text)) FROM (
        SELECT 'patients' AS of, p::text AS t FROM app.patients p
        UNION ALL SELECT 'fields', f::text FROM phiseal.encrypted_field_metadata f
        UNION ALL SELECT 'relations', r::text FROM phiseal.sealed_relations r
        UNION ALL SELECT 'quarantine', q::text FROM phiseal.quarantine q
        UNION ALL SELECT 'runs', r::text FROM phiseal.runs r
        UNION ALL SELECT 'audit', a::text FROM phiseal.audit_log a
        UNION ALL SELECT 'reports', a::text FROM phiseal.pace_reports a
        UNION ALL SELECT 'probe', a::text FROM phiseal.pace_probe a) AS t";

/// A sealed table and an auditor, whose plan is in the folder.
async fn audited(name: &str) -> (Fixture, Role) {
    let fixture = Fixture::postgres(name, TABLE, PLAN).await;
    fixture.backfill().await;
    let auditor = fixture.db().role("auditor", "").await;
    let args = ["grants", "auditor", "--to", &auditor.name];
    let script = fixture.run(&args).await.expect_code(0).stdout;
    fixture.exec(&script).await;
    plan_of(&fixture.project, &auditor.url);
    (fixture, auditor)
}

fn plan_of(project: &Project, url: &str) {
    let plan = format!(
        "[database]\nurl = {url:?}\nowner = \"postgres\"\n[keys]\nprovider = \"file\"\npath = {:?}\n{PLAN}",
        project.key_file()
    );
    project.plan_text(&plan);
}

#[tokio::test]
async fn a_role_that_may_only_read_verifies_and_records_nothing() {
    let (fixture, _) = audited("read_only").await;
    let before = fixture.scalar(STATE).await;
    let report = fixture.project.dir().join("report.json");
    let verify = ["verify", "--report", report.to_str().unwrap()];
    let done = fixture.run(&verify).await.expect_code(0);
    assert!(
        done.stderr.contains("may only read phiseal's tables"),
        "{}",
        done.stderr
    );
    assert!(
        done.stderr.contains("nothing is recorded in the database"),
        "{}",
        done.stderr
    );
    assert!(!done.stderr.contains("probe"), "{}", done.stderr);
    assert!(done.stdout.contains("30 values"), "{}", done.stdout);
    let mode = std::fs::metadata(&report).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let report: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert_eq!(report["recorded"], false);
    assert_eq!(report["values_verified"], 30);
    assert_eq!(report["fields"][0]["column"], "ssn");
    assert_eq!(report["failures_complete"], true);
    fixture.run(&verify).await.expect_code(2);
    for args in WITHOUT_KEY {
        fixture.run(args).await.expect_code(0);
    }
    for args in [&["keys", "check"][..], &["audit", "verify"]] {
        fixture.run(args).await.expect_code(0);
    }
    assert_eq!(fixture.scalar(STATE).await, before);
    let state = "SELECT DISTINCT state FROM phiseal.encrypted_field_metadata";
    assert_eq!(fixture.scalar(state).await.as_deref(), Some("sealed"));
    // Whoever may write records the same verification.
    plan_of(&fixture.project, &fixture.url());
    let done = fixture.run(&["verify"]).await.expect_code(0);
    assert!(
        !done.stderr.contains("nothing is recorded"),
        "{}",
        done.stderr
    );
    assert_eq!(fixture.scalar(state).await.as_deref(), Some("verified"));
}

#[tokio::test]
async fn what_is_wrong_is_found_and_stands_in_the_report_alone() {
    let (fixture, _) = audited("wrong").await;
    fixture
        .exec(
            "ALTER TABLE app.patients DISABLE TRIGGER ALL;
             UPDATE app.patients SET ssn_sealed = set_byte(ssn_sealed, 20, 0) WHERE id IN (3, 4);
             UPDATE app.patients SET ssn_sealed = NULL WHERE id = 5;
             ALTER TABLE app.patients ENABLE TRIGGER ALL",
        )
        .await;
    let before = fixture.scalar(STATE).await;
    let report = fixture.project.dir().join("report.json");
    let verify = ["verify", "--report", report.to_str().unwrap(), "--json"];
    let said = fixture.run(&verify).await.expect_code(6).json();
    let report: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert_eq!(
        (&report["failed"], &report["unsealed"]),
        (&said["failed"], &said["unsealed"])
    );
    assert_eq!(report["unsealed"], 1);
    assert_eq!(report["failures"].as_array().unwrap().len(), 2);
    assert!(!report.to_string().contains("s3"), "{report}");
    assert_eq!(fixture.scalar(STATE).await, before);
    assert_eq!(
        fixture.json(&["quarantine", "list"]).await,
        serde_json::json!([])
    );
}

#[tokio::test]
async fn without_the_wrapping_key_an_auditor_is_told_what_can_be_checked() {
    let (fixture, _) = audited("keyless").await;
    std::fs::remove_file(fixture.project.key_file()).unwrap();
    for args in WITHOUT_KEY {
        fixture.run(args).await.expect_code(0);
    }
    for (args, said) in [
        (
            &["verify"][..],
            "no value can be opened, so nothing was verified",
        ),
        (
            &["audit", "verify"],
            "no entry's MAC can be checked, so nothing was verified",
        ),
    ] {
        let done = fixture.run(args).await.expect_code(7);
        assert!(done.stderr.contains(said), "{}", done.stderr);
        assert!(
            done.stderr.contains("`phiseal audit export`"),
            "{}",
            done.stderr
        );
        assert!(done.stderr.contains("E0405"), "{}", done.stderr);
    }
    let report = fixture.project.dir().join("report.json");
    fixture
        .run(&["verify", "--report", report.to_str().unwrap()])
        .await
        .expect_code(7);
    assert!(!report.exists());
}

/// A server that only reads, whoever asks.
#[tokio::test]
async fn a_database_that_takes_no_writes_is_verified() {
    let (fixture, _) = audited("frozen").await;
    plan_of(&fixture.project, &fixture.url());
    let freeze = format!(
        "ALTER DATABASE {} SET default_transaction_read_only = on",
        fixture.db().name()
    );
    fixture.exec(&freeze).await;
    let done = fixture.run(&["verify"]).await.expect_code(0);
    assert!(
        done.stderr.contains("the database takes no writes"),
        "{}",
        done.stderr
    );
    let refused = fixture
        .run(&["backfill", "--json"])
        .await
        .expect_code(3)
        .json();
    assert_eq!(refused["error"]["code"], "E0214");
}

#[tokio::test]
async fn on_a_hot_standby_an_auditor_verifies_and_reads_everything() {
    let settings = [TEST_SETTINGS, &["max_wal_senders=4"]].concat();
    let primary = Cluster::start_with(&settings);
    let db = Database::create(&primary.url("postgres"), "standby", "ENCODING 'UTF8'").await;
    db.exec(TABLE).await;
    let project = Project::new();
    project.plan(&db.url(), PLAN);
    for args in [
        &["migrate", "up"][..],
        &["keys", "create"],
        &["backfill"],
        &["rotate"],
    ] {
        project.phiseal(args).run().await.expect_code(0);
    }
    let auditor = db.role("auditor", "").await;
    let args = ["grants", "auditor", "--to", &auditor.name];
    let script = project.phiseal(&args).run().await.expect_code(0).stdout;
    db.exec(&script).await;
    let standby_server = Standby::of(&primary);
    let here = standby_server.url(db.name());
    let login = format!("{0}:{0}@", auditor.name);
    let standby = here.replace("postgres@", &login);
    let mut conn = connect(&standby).await;
    let recovering: bool = sqlx::query_scalar("SELECT pg_is_in_recovery()")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert!(recovering);
    plan_of(&project, &standby);
    for pace in ["polite", "fast"] {
        let args = ["verify", "--pace", pace, "--json"];
        let done = project.phiseal(&args).run().await.expect_code(0);
        assert_eq!(done.json()["values_verified"], 30);
        assert!(
            done.stderr.contains("the database takes no writes"),
            "{}",
            done.stderr
        );
    }
    for args in WITHOUT_KEY {
        project.phiseal(args).run().await.expect_code(0);
    }
    for args in [&["audit", "verify"][..], &["keys", "check"]] {
        project.phiseal(args).run().await.expect_code(0);
    }
    plan_of(&project, &here);
    let refused = project
        .phiseal(&["backfill", "--json"])
        .run()
        .await
        .expect_code(3)
        .json();
    assert_eq!(refused["error"]["code"], "E0214");
}
