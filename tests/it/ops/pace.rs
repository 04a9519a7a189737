//! `phiseal pause|resume|speed`, what `status` says of them, and progress as JSON.

use serde_json::{Value, json};

use super::on_both;
use crate::support::{Base, Fixture};

on_both!(
    a_pause_holds_for_later_runs_until_it_is_resumed,
    a_pause_is_acknowledged_once_every_process_says_that_it_waits,
    a_holder_of_lanes_that_says_nothing_has_not_stopped,
    a_speed_is_asked_for_shown_and_taken_back,
    options_of_speed_that_say_nothing_are_refused,
    a_table_is_known_by_its_registered_names,
    what_holds_for_all_tables_is_not_taken_back_for_one,
    a_pause_of_yesterday_needs_a_person,
    without_the_wrapping_key_a_pause_holds_all_the_same,
    progress_is_json_lines_with_json_and_text_without,
);

/// How many audit entries of this action there are.
async fn noted(fixture: &Fixture, action: &str) -> String {
    let log = fixture.own("audit_log");
    let sql = format!("SELECT count(*) FROM {log} WHERE action = '{action}'");
    fixture.scalar(&sql).await.unwrap()
}

/// A process on another host says how it is; it lives for as long as the test takes.
async fn says(fixture: &Fixture, process: u32, waits_for: &str) {
    let reports = fixture.own("pace_reports");
    let soon = match fixture.base {
        Base::Postgres(_) => "now() + interval '10 minutes'",
        Base::Sqlite(_) => "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+10 minutes')",
    };
    let holder = format!("elsewhere/boot/{process}/9/0");
    fixture
        .exec(&format!(
            "DELETE FROM {reports} WHERE holder = '{holder}';
             INSERT INTO {reports} (holder, table_label, kind, run_id, duty, waits_for, waits_seconds,
                 rows_per_second, transactions, reported_at)
             VALUES ('{holder}', 'a.visits', 'backfill', 7, 0.03, {waits_for}, 74, 1200.5, 99, {soon})"
        ))
        .await;
}

async fn a_pause_holds_for_later_runs_until_it_is_resumed(fixture: Fixture) {
    let fixture = fixture.keyed().await;
    let answer =
        |request: &str| json!({"request": request, "tables": [], "runs": [], "acknowledged": true});
    assert_eq!(fixture.ask(&["pause"], 0).await, answer("pause"));
    assert_eq!(noted(&fixture, "pace.pause").await, "1");
    let status = fixture.ask(&["status", "--check"], 0).await;
    let request = &status["requests"][0];
    assert_eq!(
        (&request["request"], &request["table"], &request["until"]),
        (&json!("pause"), &Value::Null, &Value::Null)
    );
    assert!(
        request["actor"].as_str().unwrap().contains('@'),
        "{request}"
    );
    assert!(request["requested_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(status["pace"], json!([]));
    let text = fixture.run(&["status"]).await.expect_code(0).stdout;
    assert!(
        text.contains("asked       all tables: paused, by "),
        "{text}"
    );

    let said = fixture.run(&["pause"]).await.expect_code(0).stdout;
    assert!(
        said.starts_with("paused: all tables\nno run is under way"),
        "{said}"
    );
    assert!(said.ends_with("to go on: phiseal resume\n"), "{said}");
    assert_eq!(fixture.ask(&["resume"], 0).await, answer("resume"));
    assert_eq!(fixture.ask(&["status"], 0).await["requests"], json!([]));
    let said = fixture.run(&["resume"]).await.expect_code(0).stdout;
    assert_eq!(said, "nothing was paused: all tables\n");
    assert_eq!(noted(&fixture, "pace.resume").await, "1");
    fixture.run(&["audit", "verify"]).await.expect_code(0);
}

async fn a_pause_is_acknowledged_once_every_process_says_that_it_waits(fixture: Fixture) {
    let fixture = fixture.keyed().await;
    let paused = "'paused by me@here since 2026-01-01T00:00:00Z'";
    says(&fixture, 11, paused).await;
    says(&fixture, 12, "'standby b is 14 s behind'").await;
    let answer = fixture.ask(&["pause"], 8).await;
    assert_eq!(answer["acknowledged"], false, "{answer}");
    assert_eq!(
        answer["runs"][0],
        json!({
            "table": "a.visits", "kind": "backfill", "run_id": 7, "holder": "elsewhere/boot/11/9/0",
            "waits_for": "paused by me@here since 2026-01-01T00:00:00Z"
        })
    );
    let said = fixture.run(&["pause"]).await.expect_code(8).stdout;
    assert!(
        said.contains("process 12 on elsewhere has not said that it stops"),
        "{said}"
    );
    // A request stays whether it was acknowledged or not.
    assert_eq!(
        fixture.ask(&["status"], 0).await["requests"][0]["request"],
        "pause"
    );

    says(&fixture, 12, paused).await;
    let answer = fixture.ask(&["pause"], 0).await;
    assert_eq!(
        (
            &answer["acknowledged"],
            answer["runs"].as_array().unwrap().len()
        ),
        (&json!(true), 2)
    );
    let said = fixture.run(&["pause"]).await.expect_code(0).stdout;
    let stopped =
        "backfill of a.visits (run 7) stopped: process 12 on elsewhere keeps its lanes and renews";
    assert!(said.contains(stopped), "{said}");
    let status = fixture.ask(&["status"], 0).await;
    assert_eq!(status["pace"].as_array().unwrap().len(), 2, "{status}");
    assert_eq!(status["pace"][0]["duty"], 0.03);
    let text = fixture.run(&["status"]).await.expect_code(0).stdout;
    assert!(
        text.contains("running     backfill a.visits\n              waiting "),
        "{text}"
    );
    let text = fixture.run(&["status", "runs"]).await.expect_code(0).stdout;
    assert!(
        text.contains("WORKING NOW") && text.contains("process 11 on elsewhere"),
        "{text}"
    );

    let answer = fixture.ask(&["resume"], 8).await;
    assert_eq!(answer["acknowledged"], false, "{answer}");
    says(&fixture, 11, "NULL").await;
    says(&fixture, 12, "'the window 22:00-05:00 UTC is closed'").await;
    let answer = fixture.ask(&["resume"], 0).await;
    assert_eq!(answer["acknowledged"], true, "{answer}");
}

async fn a_holder_of_lanes_that_says_nothing_has_not_stopped(fixture: Fixture) {
    let fixture = fixture.keyed().await;
    let (runs, lanes) = (fixture.own("runs"), fixture.own("lanes"));
    let future = match fixture.base {
        Base::Postgres(_) => "now() + interval '10 minutes'",
        Base::Sqlite(_) => "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+10 minutes')",
    };
    fixture
        .exec(&format!(
            "INSERT INTO {runs} (kind, table_label, digest, state, actor)
                 VALUES ('rotate', 'a.visits', 'd', 'running', 'me@here');
             INSERT INTO {lanes} (run_id, lane_no, relation, holder, lease_until)
                 VALUES (1, 0, 'a.visits', 'elsewhere/boot/4711/9/0', {future})"
        ))
        .await;
    let answer = fixture.ask(&["pause", "--table", "a.visits"], 8).await;
    assert_eq!(answer["tables"], json!(["a.visits"]));
    assert_eq!(answer["runs"][0]["holder"], "elsewhere/boot/4711/9/0");
    assert_eq!(answer["runs"][0]["kind"], "rotate");
    fixture
        .exec(&format!(
            "UPDATE {lanes} SET lease_until = NULL, holder = NULL"
        ))
        .await;
    fixture.ask(&["pause", "--table", "a.visits"], 0).await;
}

async fn a_speed_is_asked_for_shown_and_taken_back(fixture: Fixture) {
    let fixture = fixture.keyed().await;
    assert_eq!(fixture.ask(&["speed"], 0).await, json!({"requests": []}));
    let answer = fixture.ask(&["speed", "fast", "--for", "12h"], 0).await;
    assert_eq!(
        answer,
        json!({
            "request": "speed", "tables": [], "runs": [], "acknowledged": null, "pace": "fast",
            "rows_per_second_max": null, "seconds": 43_200
        })
    );
    let shown = fixture.ask(&["speed"], 0).await;
    assert_eq!(shown["requests"][0]["pace"], "fast", "{shown}");
    assert!(
        shown["requests"][0]["until"]
            .as_str()
            .unwrap()
            .ends_with('Z')
    );
    // Another request for the same tables takes its place.
    let answer = fixture.ask(&["speed", "--rows-per-second", "500"], 0).await;
    assert_eq!(
        (
            &answer["pace"],
            &answer["rows_per_second_max"],
            &answer["seconds"]
        ),
        (&Value::Null, &json!(500), &json!(86_400))
    );
    let text = fixture.run(&["speed"]).await.expect_code(0).stdout;
    assert!(text.contains("all tables  at most 500 rows/s"), "{text}");
    assert_eq!(text.lines().count(), 2, "{text}");
    assert_eq!(noted(&fixture, "pace.speed").await, "2");

    let answer = fixture.ask(&["speed", "plan"], 0).await;
    assert_eq!(answer["pace"], "plan");
    assert_eq!(fixture.ask(&["speed"], 0).await, json!({"requests": []}));
    let text = fixture.run(&["speed", "plan"]).await.expect_code(0).stdout;
    assert_eq!(text, "nothing was asked for: all tables\n");
    assert_eq!(noted(&fixture, "pace.speed").await, "3");
}

async fn options_of_speed_that_say_nothing_are_refused(fixture: Fixture) {
    let fixture = fixture.keyed().await;
    for args in [
        &["speed", "--for", "2h"][..],
        &["speed", "plan", "--for", "2h"],
        &["speed", "plan", "--rows-per-second", "9"],
        &["speed", "fast", "--for", "0s"],
        &["speed", "fast", "--for", "9000h"],
        &["speed", "fast", "--for", "soon"],
        &["speed", "windowed"],
        &["speed", "--rows-per-second", "0"],
        &["backfill", "--pace", "windowed"],
    ] {
        assert_eq!(fixture.refused(args, 2).await, "E0101", "{args:?}");
    }
    assert_eq!(fixture.ask(&["speed"], 0).await, json!({"requests": []}));
}

async fn a_table_is_known_by_its_registered_names(fixture: Fixture) {
    let fixture = fixture.one_refused().await;
    let label = fixture.table("patients");
    for name in ["patients", &label] {
        let answer = fixture.ask(&["pause", "--table", name], 0).await;
        assert_eq!(answer["tables"], json!([label]), "{name}");
        let said = fixture
            .run(&["resume", "--table", name])
            .await
            .expect_code(0)
            .stdout;
        assert!(said.starts_with(&format!("resumed: {label}\n")), "{said}");
    }
    for command in ["pause", "resume", "speed"] {
        let refused = fixture.ask(&[command, "--table", "patient"], 2).await;
        assert_eq!(refused["error"]["code"], "E0120", "{refused}");
        let hint = refused["error"]["hint"].as_str().unwrap();
        assert_eq!(hint, format!("did you mean {label}?"));
    }
}

async fn what_holds_for_all_tables_is_not_taken_back_for_one(fixture: Fixture) {
    let fixture = fixture.one_refused().await;
    fixture.ask(&["pause"], 0).await;
    fixture.ask(&["pause", "--table", "patients"], 0).await;
    fixture.ask(&["speed", "fast"], 0).await;
    for args in [
        &["resume", "--table", "patients"][..],
        &["speed", "plan", "--table", "patients"],
    ] {
        assert_eq!(fixture.refused(args, 2).await, "E0121", "{args:?}");
    }
    let requests = fixture.ask(&["status"], 0).await["requests"].clone();
    assert_eq!(requests.as_array().unwrap().len(), 3, "{requests}");
    // Without a table, all pauses end, and what is asked of speed stays.
    fixture.ask(&["resume"], 0).await;
    let requests = fixture.ask(&["status"], 0).await["requests"].clone();
    assert_eq!(requests[0]["request"], "speed", "{requests}");
    assert_eq!(requests.as_array().unwrap().len(), 1, "{requests}");
}

async fn a_pause_of_yesterday_needs_a_person(fixture: Fixture) {
    let fixture = fixture.keyed().await;
    fixture.ask(&["pause"], 0).await;
    fixture.run(&["status", "--check"]).await.expect_code(0);
    let yesterday = match fixture.base {
        Base::Postgres(_) => "now() - interval '25 hours'",
        Base::Sqlite(_) => "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-25 hours')",
    };
    let requests = fixture.own("pace_requests");
    fixture
        .exec(&format!("UPDATE {requests} SET requested_at = {yesterday}"))
        .await;
    let status = fixture.ask(&["status", "--check"], 10).await;
    let reason = status["attention"][0].as_str().unwrap();
    assert!(
        reason.starts_with("all runs have been paused for more than a day"),
        "{reason}"
    );
    assert!(reason.ends_with("`phiseal resume`"), "{reason}");
    // A request that is made again is of today.
    fixture.ask(&["pause"], 0).await;
    fixture.run(&["status", "--check"]).await.expect_code(0);
}

async fn without_the_wrapping_key_a_pause_holds_all_the_same(fixture: Fixture) {
    let fixture = fixture.keyed().await;
    std::fs::remove_file(fixture.project.key_file()).unwrap();
    let paused = fixture.run(&["pause"]).await.expect_code(0);
    assert!(
        paused.stderr.contains("the audit log has no entry"),
        "{}",
        paused.stderr
    );
    assert_eq!(noted(&fixture, "pace.pause").await, "0");
    assert_eq!(
        fixture.ask(&["status"], 0).await["requests"][0]["request"],
        "pause"
    );
    fixture.run(&["resume"]).await.expect_code(0);
}

async fn progress_is_json_lines_with_json_and_text_without(fixture: Fixture) {
    let fixture = fixture.one_refused().await;
    let label = fixture.table("patients");
    let run = fixture.run(&["backfill", "--json", "--pace", "fast"]).await;
    let lines: Vec<Value> = run
        .stderr
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |event: &str| lines.iter().find(|line| line["event"] == event).unwrap();
    for line in [of("begin"), of("end")] {
        assert_eq!(
            (&line["kind"], &line["table"]),
            (&json!("backfill"), &json!(label))
        );
        assert!(line["time"].as_str().unwrap().ends_with('Z'), "{line}");
        for member in ["rows", "rows_estimate", "rows_per_second", "waits_seconds"] {
            assert!(line[member].is_number(), "{member} in {line}");
        }
        assert_eq!(line["waits_for"], Value::Null);
    }
    assert!(
        !run.stderr.contains(&format!("backfill {label}: about ")),
        "{}",
        run.stderr
    );
    let text = fixture.run(&["backfill"]).await.stderr;
    assert!(
        text.contains(&format!("backfill {label}: about ")),
        "{text}"
    );
    assert!(!text.contains("\"event\""), "{text}");
}
