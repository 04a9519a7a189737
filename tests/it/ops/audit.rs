//! `phiseal audit`.

use serde_json::json;

use super::on_both;
use crate::support::{Base, Fixture};

on_both!(
    audit_holds_and_has_the_noted_head,
    audit_names_the_entry_that_was_changed,
    audit_finds_a_cut_off_end_by_a_noted_head_or_by_the_changes_it_named,
    audit_finds_whatever_is_not_of_the_chain,
    audit_finds_a_head_that_is_missing_doubled_or_unreadable,
);

async fn audit_holds_and_has_the_noted_head(fixture: Fixture) {
    let fixture = fixture.migrated().await;
    let empty = fixture.ask(&["audit", "head"], 0).await;
    assert_eq!(
        (&empty["head"], &empty["entry_id"]),
        (&json!("0:"), &json!(0))
    );
    fixture.run(&["keys", "create"]).await.expect_code(0);
    let head = fixture.ask(&["audit", "head"], 0).await;
    assert_eq!(head["entry_id"], 2);
    assert!(head["at"].as_str().unwrap().ends_with('Z'));
    let noted = head["head"].as_str().unwrap();
    let printed = fixture.run(&["audit", "head"]).await.expect_code(0).stdout;
    assert_eq!(printed.trim_end(), noted);

    let verified = fixture.ask(&["audit", "verify"], 0).await;
    assert_eq!(
        verified,
        json!({"verified": true, "entries": 2, "head": noted})
    );
    // More may have come since.
    fixture
        .run(&["keys", "create", "--tenant", "x"])
        .await
        .expect_code(0);
    fixture
        .run(&["audit", "verify", "--head", noted])
        .await
        .expect_code(0);
    fixture
        .run(&["audit", "verify", "--head", "0:"])
        .await
        .expect_code(0);
    for bad in ["2", "2:zz", "x:00", "2:00"] {
        assert_eq!(
            fixture
                .refused(&["audit", "verify", "--head", bad], 2)
                .await,
            "E0109"
        );
    }
    let other = format!("2:{}", "00".repeat(32));
    assert_eq!(
        fixture
            .refused(&["audit", "verify", "--head", &other], 6)
            .await,
        "E0307"
    );
}

async fn audit_names_the_entry_that_was_changed(fixture: Fixture) {
    let fixture = fixture.keyed().await;
    let log = fixture.own("audit_log");
    let change = format!("UPDATE {log} SET actor = 'nobody' WHERE entry_id = 2");
    fixture.tamper("audit_log", "update", &change).await;
    let answer = fixture.ask(&["audit", "verify"], 6).await;
    assert_eq!(answer["error"]["code"], "E0307");
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("entry 2"), "{message}");
}

async fn audit_finds_a_cut_off_end_by_a_noted_head_or_by_the_changes_it_named(fixture: Fixture) {
    let fixture = fixture.keyed().await;
    let noted = fixture.ask(&["audit", "head"], 0).await["head"].clone();
    let (log, head) = (fixture.own("audit_log"), fixture.own("audit_head"));
    let cut = format!("DELETE FROM {log} WHERE entry_id = 2");
    fixture.tamper("audit_log", "delete", &cut).await;
    assert_eq!(fixture.refused(&["audit", "verify"], 6).await, "E0307");

    let back =
        format!("UPDATE {head} SET entry_id = 1, mac = (SELECT mac FROM {log} WHERE entry_id = 1)");
    match &fixture.base {
        Base::Postgres(_) => fixture.tamper("audit_head", "", &back).await,
        Base::Sqlite(_) => fixture.exec(&back).await,
    }
    // In itself, the shorter chain holds, but a change of a key is in none of its entries.
    let alone = fixture.ask(&["audit", "verify"], 6).await;
    let message = alone["error"]["message"].as_str().unwrap();
    assert!(message.contains("of a key: no entry names it"), "{message}");
    let noted = noted.as_str().unwrap();
    let answer = fixture.ask(&["audit", "verify", "--head", noted], 6).await;
    assert_eq!(answer["error"]["code"], "E0307");
}

/// Without the constraints and triggers that would keep a tamperer with less rights out.
async fn laid_open(fixture: &Fixture) {
    let sql = match fixture.base {
        Base::Postgres(_) => {
            "ALTER TABLE phiseal.audit_log DISABLE TRIGGER USER, DROP CONSTRAINT audit_log_pkey, \
                 DROP CONSTRAINT audit_log_entry_id_check, ALTER entry_id DROP NOT NULL, ALTER actor DROP NOT NULL; \
             ALTER TABLE phiseal.audit_head DISABLE TRIGGER USER, DROP CONSTRAINT audit_head_pkey, \
                 DROP CONSTRAINT audit_head_id_check, ALTER entry_id DROP NOT NULL, ALTER mac DROP NOT NULL"
        }
        Base::Sqlite(_) => {
            "CREATE TABLE log AS SELECT * FROM phiseal_audit_log; DROP TABLE phiseal_audit_log; \
             CREATE TABLE phiseal_audit_log (entry_id, at, actor, action, subject, key_id, prev_mac, mac); \
             INSERT INTO phiseal_audit_log SELECT * FROM log; \
             CREATE TABLE head AS SELECT * FROM phiseal_audit_head; DROP TABLE phiseal_audit_head; \
             CREATE TABLE phiseal_audit_head (id, entry_id, mac); \
             INSERT INTO phiseal_audit_head SELECT * FROM head"
        }
    };
    fixture.exec(sql).await;
    fixture.ask(&["audit", "verify"], 0).await;
}

/// What `audit verify` says of what `sql` did, which `undo` undoes.
async fn is_found(fixture: &Fixture, sql: &str, undo: &str, place: &str) {
    fixture.exec(sql).await;
    let answer = fixture.ask(&["audit", "verify"], 6).await;
    assert_eq!(answer["error"]["code"], "E0307", "{sql}");
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains(place), "{sql}: {message}");
    fixture.exec(undo).await;
    fixture.ask(&["audit", "verify"], 0).await;
}

async fn audit_finds_whatever_is_not_of_the_chain(fixture: Fixture) {
    let fixture = fixture.keyed().await;
    laid_open(&fixture).await;
    let log = fixture.own("audit_log");
    for (number, place) in [
        ("0", "entry 0:"),
        ("-5", "entry -5:"),
        ("-9223372036854775807", "entry -9223372036854775807:"),
        ("3", "entry 3:"),
        ("900", "entry 900:"),
        ("9223372036854775807", "entry 9223372036854775807:"),
        ("NULL", "an entry without a number"),
    ] {
        let insert = format!(
            "INSERT INTO {log} SELECT {number}, at, actor, action, subject, key_id, prev_mac, mac \
             FROM {log} WHERE entry_id = 1"
        );
        let undo = format!("DELETE FROM {log} WHERE entry_id IS NULL OR entry_id NOT IN (1, 2)");
        is_found(&fixture, &insert, &undo, place).await;
    }
    let kept = format!("CREATE TABLE kept AS SELECT * FROM {log} WHERE entry_id = 2");
    fixture.exec(&kept).await;
    let again =
        format!("DELETE FROM {log} WHERE entry_id = 2; INSERT INTO {log} SELECT * FROM kept");
    let twice = format!("INSERT INTO {log} SELECT * FROM kept");
    is_found(&fixture, &twice, &again, "entry 2: there are several").await;
    let mut unreadable = vec![format!("UPDATE {log} SET actor = NULL WHERE entry_id = 2")];
    if let Base::Sqlite(_) = fixture.base {
        for value in ["x'ff'", "CAST(x'ff' AS TEXT)", "7"] {
            unreadable.push(format!(
                "UPDATE {log} SET subject = {value} WHERE entry_id = 2"
            ));
        }
        unreadable.push(format!("UPDATE {log} SET mac = 'text' WHERE entry_id = 2"));
        unreadable.push(format!(
            "UPDATE {log} SET key_id = 'text' WHERE entry_id = 2"
        ));
        let odd = format!("UPDATE {log} SET entry_id = 'two' WHERE entry_id = 2");
        let undo = format!(
            "DELETE FROM {log} WHERE entry_id = 'two'; INSERT INTO {log} SELECT * FROM kept"
        );
        is_found(&fixture, &odd, &undo, "an entry without a number").await;
    }
    for sql in unreadable {
        is_found(&fixture, &sql, &again, "entry 2:").await;
    }
}

async fn audit_finds_a_head_that_is_missing_doubled_or_unreadable(fixture: Fixture) {
    let fixture = fixture.keyed().await;
    laid_open(&fixture).await;
    let head = fixture.own("audit_head");
    fixture
        .exec(&format!("CREATE TABLE kept AS SELECT * FROM {head}"))
        .await;
    let undo = format!("DELETE FROM {head}; INSERT INTO {head} SELECT * FROM kept");
    for sql in [
        format!("DELETE FROM {head}"),
        format!("INSERT INTO {head} SELECT * FROM kept"),
        format!("INSERT INTO {head} SELECT 2, entry_id, mac FROM kept"),
        format!("UPDATE {head} SET mac = NULL"),
        format!("UPDATE {head} SET entry_id = NULL"),
    ] {
        is_found(&fixture, &sql, &undo, "its head").await;
    }
    for (number, place) in [
        ("3", "entry 3:"),
        ("1", "entry 2:"),
        ("0", "entry 1:"),
        ("-1", "entry 0:"),
    ] {
        let sql = format!("UPDATE {head} SET entry_id = {number}");
        is_found(&fixture, &sql, &undo, place).await;
    }
}
