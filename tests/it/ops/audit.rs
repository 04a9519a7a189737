//! `phiseal audit`.

use serde_json::json;

use super::ground::{Db, Ground, on_both};

on_both!(
    audit_holds_and_has_the_noted_head,
    audit_names_the_entry_that_was_changed,
    audit_finds_a_cut_off_end_only_by_a_noted_head,
);

async fn audit_holds_and_has_the_noted_head(ground: Ground) {
    let ground = ground.migrated().await;
    let empty = ground.ask(&["audit", "head"], 0).await;
    assert_eq!(
        (&empty["head"], &empty["entry_id"]),
        (&json!("0:"), &json!(0))
    );
    ground.run(&["keys", "create"]).await.expect_code(0);
    let head = ground.ask(&["audit", "head"], 0).await;
    assert_eq!(head["entry_id"], 2);
    assert!(head["at"].as_str().unwrap().ends_with('Z'));
    let noted = head["head"].as_str().unwrap();
    let printed = ground.run(&["audit", "head"]).await.expect_code(0).stdout;
    assert_eq!(printed.trim_end(), noted);

    let verified = ground.ask(&["audit", "verify"], 0).await;
    assert_eq!(
        verified,
        json!({"verified": true, "entries": 2, "head": noted})
    );
    // More may have come since.
    ground
        .run(&["keys", "create", "--tenant", "x"])
        .await
        .expect_code(0);
    ground
        .run(&["audit", "verify", "--head", noted])
        .await
        .expect_code(0);
    ground
        .run(&["audit", "verify", "--head", "0:"])
        .await
        .expect_code(0);
    for bad in ["2", "2:zz", "x:00", "2:00"] {
        assert_eq!(
            ground.refused(&["audit", "verify", "--head", bad], 2).await,
            "E0109"
        );
    }
    let other = format!("2:{}", "00".repeat(32));
    assert_eq!(
        ground
            .refused(&["audit", "verify", "--head", &other], 6)
            .await,
        "E0307"
    );
}

async fn audit_names_the_entry_that_was_changed(ground: Ground) {
    let ground = ground.keyed().await;
    let log = ground.own("audit_log");
    let change = format!("UPDATE {log} SET actor = 'nobody' WHERE entry_id = 2");
    ground.tamper("audit_log", "update", &change).await;
    let answer = ground.ask(&["audit", "verify"], 6).await;
    assert_eq!(answer["error"]["code"], "E0307");
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("entry 2"), "{message}");
}

async fn audit_finds_a_cut_off_end_only_by_a_noted_head(ground: Ground) {
    let ground = ground.keyed().await;
    let noted = ground.ask(&["audit", "head"], 0).await["head"].clone();
    let (log, head) = (ground.own("audit_log"), ground.own("audit_head"));
    let cut = format!("DELETE FROM {log} WHERE entry_id = 2");
    ground.tamper("audit_log", "delete", &cut).await;
    assert_eq!(ground.refused(&["audit", "verify"], 6).await, "E0307");

    let back =
        format!("UPDATE {head} SET entry_id = 1, mac = (SELECT mac FROM {log} WHERE entry_id = 1)");
    match &ground.db {
        Db::Postgres(_) => ground.tamper("audit_head", "", &back).await,
        Db::Sqlite(_) => ground.exec(&back).await,
    }
    // In itself, the shorter chain holds.
    let alone = ground.run(&["audit", "verify"]).await.expect_code(0);
    assert!(alone.stderr.contains("--head"), "{}", alone.stderr);
    let noted = noted.as_str().unwrap();
    let answer = ground.ask(&["audit", "verify", "--head", noted], 6).await;
    assert_eq!(answer["error"]["code"], "E0307");
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("entry 2"), "{message}");
}
