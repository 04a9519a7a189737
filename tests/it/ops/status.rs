//! `phiseal status`.

use serde_json::{Value, json};

use super::on_both;
use crate::support::{Base, Fixture};

on_both!(
    status_of_nothing_is_well,
    status_shows_fields_runs_keys_and_quarantine,
    status_check_sees_interrupted_runs_and_lost_lanes,
    status_needs_no_wrapping_key,
);

async fn status_of_nothing_is_well(fixture: Fixture) {
    let fixture = fixture.planned();
    assert_eq!(fixture.refused(&["status"], 3).await, "E0515");
    fixture.run(&["migrate", "up"]).await.expect_code(0);
    let status = fixture.ask(&["status", "--check"], 0).await;
    for list in ["fields", "runs", "lanes", "keys", "quarantine", "attention"] {
        assert_eq!(status[list], json!([]), "{list}");
    }
    let text = fixture.run(&["status"]).await.expect_code(0).stdout;
    for line in [
        "running     nothing",
        "attention   nothing needs a person",
        "fields      none",
        "keys        none",
        "quarantine  nothing",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    let silent = fixture.run(&["status", "--check"]).await.expect_code(0);
    assert_eq!((silent.stdout.as_str(), silent.stderr.as_str()), ("", ""));
}

async fn status_shows_fields_runs_keys_and_quarantine(fixture: Fixture) {
    let fixture = fixture.one_refused().await;
    let status = fixture.ask(&["status"], 0).await;
    let table = fixture.table("patients");
    assert_eq!(status["fields"][0]["table"], table.as_str());
    assert_eq!(status["fields"][0]["column"], "ssn");
    assert_eq!(status["fields"][0]["sealed_column"], "ssn_sealed");
    let run = &status["runs"][0];
    assert_eq!(
        (&run["kind"], &run["state"]),
        (&json!("backfill"), &json!("done"))
    );
    assert_eq!(run["rows_written"], 2);
    assert_eq!(run["quarantined"], 1);
    let keys = status["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    // Two values, and the key of the row in quarantine.
    for key in keys {
        let expected = if key["purpose"] == "cell" { 3 } else { 0 };
        assert_eq!(key["rows"], expected, "{key}");
    }
    assert_eq!(status["quarantine"].as_array().unwrap().len(), 1);

    let check = fixture.ask(&["status", "--check"], 10).await;
    let reasons = attention(&check);
    assert!(reasons.contains("1 row of"), "{reasons}");
    let text = fixture.run(&["status"]).await.expect_code(0).stdout;
    assert!(
        text.contains("fields      1: 1 sealing") && text.contains("1 row is for a person"),
        "{text}"
    );
    let text = fixture.run(&["status", "fields"]).await.expect_code(0);
    assert!(text.stdout.contains("ssn_sealed"), "{}", text.stdout);
    let wrong = fixture.run(&["status", "--check"]).await.expect_code(10);
    assert_eq!(
        wrong.stdout,
        format!("1 row of {table} is in quarantine: `phiseal quarantine list`\n")
    );
    let part = fixture.ask(&["status", "runs"], 0).await;
    assert_eq!(part["runs"], status["runs"]);
    assert_eq!(part.get("fields"), None);

    assert_eq!(
        fixture.refused(&["status", "--table", "visits"], 2).await,
        "E0105"
    );
    let asked = fixture.ask(&["status", "--table", "patients"], 0).await;
    assert_eq!(asked["runs"], status["runs"]);
    assert_eq!(asked["fields"], status["fields"]);
}

async fn status_check_sees_interrupted_runs_and_lost_lanes(fixture: Fixture) {
    let fixture = fixture.migrated().await;
    let (runs, lanes) = (fixture.own("runs"), fixture.own("lanes"));
    fixture
        .exec(&format!(
            "INSERT INTO {runs} (kind, table_label, digest, state, actor, error_code)
                 VALUES ('backfill', 'patients', 'd', 'interrupted', 'me@here', 'E0605')"
        ))
        .await;
    let reasons = attention(&fixture.ask(&["status", "--check"], 10).await);
    assert!(
        reasons.contains("run 1 (backfill of patients) was interrupted (E0605)"),
        "{reasons}"
    );
    fixture.run(&["status"]).await.expect_code(0);

    // Running, with a lane whose lease is over, and one whose lease is not.
    fixture
        .exec(&format!(
            "UPDATE {runs} SET state = 'running', error_code = NULL"
        ))
        .await;
    fixture.run(&["status", "--check"]).await.expect_code(0);
    let (past, future) = match fixture.base {
        Base::Postgres(_) => ("now() - interval '1 minute'", "now() + interval '1 minute'"),
        Base::Sqlite(_) => (
            "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-1 minute')",
            "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+1 minute')",
        ),
    };
    fixture
        .exec(&format!(
            "INSERT INTO {lanes} (run_id, lane_no, relation, holder, lease_until)
                 VALUES (1, 0, 'patients', 'elsewhere/boot/4711/9/0', {future})"
        ))
        .await;
    fixture.run(&["status", "--check"]).await.expect_code(0);
    fixture
        .exec(&format!(
            "INSERT INTO {lanes} (run_id, lane_no, relation, holder, lease_until)
                 VALUES (1, 1, 'patients', 'elsewhere/boot/4712/9/0', {past})"
        ))
        .await;
    let status = fixture.ask(&["status", "--check"], 10).await;
    assert_eq!(status["lanes"].as_array().unwrap().len(), 2);
    let reasons = attention(&status);
    let lost = "run 1 (backfill of patients): process 4712 on elsewhere no longer works on it";
    assert!(reasons.contains(lost), "{reasons}");
    assert!(!reasons.contains("4711"), "{reasons}");
}

async fn status_needs_no_wrapping_key(fixture: Fixture) {
    let fixture = fixture.keyed().await;
    std::fs::remove_file(fixture.project.key_file()).unwrap();
    fixture.run(&["status", "--check"]).await.expect_code(0);
}

fn attention(status: &Value) -> String {
    let reasons = status["attention"].as_array().unwrap();
    let lines: Vec<&str> = reasons
        .iter()
        .map(|reason| reason.as_str().unwrap())
        .collect();
    lines.join("\n")
}
