//! The life of a key: every move, legal and not, refused or done by the database itself; suspension,
//! compromise and destruction by the program.

use std::time::Duration;

use super::{active, all_under, json, number, on_both, postgres};
use crate::support::{Base, Fixture};
use serde_json::json;

const STATES: [&str; 6] = [
    "pre_active",
    "active",
    "suspended",
    "deactivated",
    "compromised",
    "destroyed",
];

/// NIST SP 800-57 Part 1, section 7; a key that ever sealed is destroyed from deactivated or
/// compromised only.
const LEGAL: [(&str, &str); 12] = [
    ("pre_active", "active"),
    ("pre_active", "compromised"),
    ("pre_active", "destroyed"),
    ("active", "suspended"),
    ("active", "deactivated"),
    ("active", "compromised"),
    ("suspended", "active"),
    ("suspended", "deactivated"),
    ("suspended", "compromised"),
    ("deactivated", "compromised"),
    ("deactivated", "destroyed"),
    ("compromised", "destroyed"),
];

/// The way from the making of a key to a state.
fn way(to: &str) -> &'static [&'static str] {
    match to {
        "pre_active" => &[],
        "active" => &["active"],
        "suspended" => &["active", "suspended"],
        "deactivated" => &["active", "deactivated"],
        "compromised" => &["active", "compromised"],
        _ => &["active", "deactivated", "destroyed"],
    }
}

on_both!(every_move_is_made_or_refused_by_the_database, 1, moves);

async fn moves(fixture: Fixture) {
    let keys = fixture.source().own("encryption_keys");
    let transitions = fixture.source().own("key_transitions");
    let blob = match fixture.base {
        Base::Postgres(_) => "'\\x00'::bytea",
        Base::Sqlite(_) => "x'00'",
    };
    let become_of = |id: i64, state: &str| {
        let wiped = if state == "destroyed" {
            ", wrapped_key = NULL"
        } else {
            ""
        };
        format!(
            "UPDATE {keys} SET status = '{state}', changed_by = 'tester', reason = 'why'{wiped} WHERE key_id = {id}"
        )
    };
    let mut id = 1000;
    for from in STATES {
        for to in STATES.into_iter().filter(|to| *to != from) {
            id += 1;
            fixture
                .exec(&format!(
                    "INSERT INTO {keys} (key_id, tenant, purpose, version, algorithm, kek_ref, wrapped_key,
                        check_value, created_by)
                     VALUES ({id}, 't{id}', 'cell', 1, 'AES-256-GCM', 'wk:1', {blob}, {blob}, 'tester')"
                ))
                .await;
            for step in way(from) {
                fixture.exec(&become_of(id, step)).await;
            }
            let refused = fixture.refusal(&become_of(id, to)).await;
            let legal = LEGAL.contains(&(from, to));
            assert_eq!(refused.is_none(), legal, "{from} to {to}: {refused:?}");
            let now = fixture
                .scalar(&format!("SELECT status FROM {keys} WHERE key_id = {id}"))
                .await;
            assert_eq!(now.as_deref(), Some(if legal { to } else { from }));
            // Each move that was made has its time and its actor, and none that was refused.
            let noted = format!(
                "SELECT count(*) FROM {transitions} WHERE key_id = {id} AND actor = 'tester' AND at IS NOT NULL"
            );
            let expected = 1 + way(from).len() as i64 + i64::from(legal);
            assert_eq!(number(&fixture, &noted).await, expected, "{from} to {to}");
        }
    }
    for sql in [
        format!("UPDATE {transitions} SET actor = 'other'"),
        format!("DELETE FROM {transitions}"),
        format!("DELETE FROM {keys}"),
    ] {
        assert!(fixture.refusal(&sql).await.is_some(), "{sql}");
    }
}

on_both!(
    suspended_it_seals_nothing_and_resumed_it_does_again,
    50,
    suspend
);

async fn suspend(fixture: Fixture) {
    let key = active(&fixture, "cell").await.to_string();
    let reason = ["--reason", "looking into it"];
    let run = |verb: &'static str| [&["keys", verb, &key][..], &reason].concat();
    json(&fixture, &run("suspend"), 0).await;
    fixture
        .exec("INSERT INTO patients (id, ssn) VALUES (900, 'new')")
        .await;
    let refused = json(&fixture, &["backfill"], 7).await;
    assert!(
        refused["error"]["code"].as_str().unwrap().starts_with("E0"),
        "{refused}"
    );
    assert_eq!(
        json(&fixture, &["rotate"], 7).await["error"]["code"],
        "E0430"
    );
    // It goes on opening.
    json(&fixture, &["verify"], 6).await;
    // Run again, it waits for the transactions of now.
    json(&fixture, &run("suspend"), 0).await;
    json(&fixture, &run("resume"), 0).await;
    assert_eq!(
        json(&fixture, &run("resume"), 7).await["error"]["code"],
        "E0440"
    );
    fixture.backfill().await;
    json(&fixture, &["verify"], 0).await;
    json(&fixture, &["audit", "verify"], 0).await;
}

on_both!(
    a_compromised_key_is_left_at_once_and_destroyed,
    400,
    compromise
);

async fn compromise(fixture: Fixture) {
    let key = active(&fixture, "cell").await;
    let id = key.to_string();
    let args = ["keys", "compromise", &id, "--reason", "laptop lost"];
    let done = json(&fixture, &args, 0).await;
    assert_eq!(done["rows_resealed"], 400, "{done}");
    assert_eq!(done["rotations"][0]["kind"], "compromise");
    assert_eq!(done["rotations"][0]["reason"], "compromised: laptop lost");
    let status = format!(
        "SELECT status FROM {} WHERE key_id = {key}",
        fixture.source().own("encryption_keys")
    );
    assert_eq!(
        fixture.scalar(&status).await.as_deref(),
        Some("compromised")
    );
    all_under(&fixture, active(&fixture, "cell").await).await;
    let destroy = ["keys", "destroy", &id, "--reason", "laptop lost"];
    assert_eq!(json(&fixture, &destroy, 2).await["error"]["code"], "E0115");
    let wrong = [&destroy[..], &["--confirm", "1"]].concat();
    assert_eq!(json(&fixture, &wrong, 2).await["error"]["code"], "E0115");
    let confirmed = [&destroy[..], &["--confirm", &id]].concat();
    let done = json(&fixture, &confirmed, 0).await;
    assert_eq!(done["destroyed"], json!([key]));
    assert!(done["unknown"].as_str().unwrap().contains("backups"));
    assert_eq!(fixture.scalar(&status).await.as_deref(), Some("destroyed"));
    let wiped = format!(
        "SELECT count(*) FROM {} WHERE key_id = {key} AND wrapped_key IS NULL AND destroyed_at IS NOT NULL",
        fixture.source().own("encryption_keys")
    );
    assert_eq!(number(&fixture, &wiped).await, 1);
    // The chain still verifies: what can no longer be checked by itself is attested.
    json(&fixture, &["audit", "verify"], 0).await;
    json(&fixture, &["verify"], 0).await;
    assert_eq!(
        json(&fixture, &confirmed, 7).await["error"]["code"],
        "E0440"
    );
}

on_both!(
    a_renamed_table_is_rotated_and_its_key_not_destroyed_before,
    40,
    renamed
);

async fn renamed(fixture: Fixture) {
    let first = active(&fixture, "cell").await;
    // Another one takes its name, as where a table is put aside and made anew.
    fixture
        .exec(
            "ALTER TABLE patients RENAME TO people;
             CREATE TABLE patients (id integer primary key, ssn text, note text, dob text,
                ssn_sealed text, ssn_bidx text, dob_sealed text)",
        )
        .await;
    let (id, reason) = (first.to_string(), "old");
    let destroy = ["keys", "destroy", &id, "--confirm", &id, "--reason", reason];
    assert_eq!(
        json(&fixture, &destroy, 7).await["error"]["code"],
        "E0440",
        "its values are counted"
    );
    json(&fixture, &["rotate"], 0).await;
    json(&fixture, &destroy, 0).await;
    fixture
        .exec("DROP TABLE patients; ALTER TABLE people RENAME TO patients")
        .await;
    let second = active(&fixture, "cell").await;
    assert_ne!(first, second);
    all_under(&fixture, second).await;
}

on_both!(a_key_in_use_is_not_destroyed, 20, in_use);

async fn in_use(fixture: Fixture) {
    let key = active(&fixture, "cell").await.to_string();
    let args = ["keys", "destroy", &key, "--confirm", &key, "--reason", "no"];
    assert_eq!(json(&fixture, &args, 7).await["error"]["code"], "E0440");
    let args = [
        "keys",
        "destroy",
        "12345",
        "--confirm",
        "12345",
        "--reason",
        "no",
    ];
    assert_eq!(json(&fixture, &args, 7).await["error"]["code"], "E0427");
    all_under(&fixture, key.parse().unwrap()).await;
}

#[tokio::test]
async fn an_entry_of_the_audit_that_was_changed_after_its_key_was_destroyed_is_found() {
    let fixture = postgres("rotate_attest", 20).await;
    let old = active(&fixture, "cell").await.to_string();
    json(&fixture, &["rotate"], 0).await;
    let args = [
        "keys",
        "destroy",
        &old,
        "--confirm",
        &old,
        "--reason",
        "old",
    ];
    json(&fixture, &args, 0).await;
    json(&fixture, &["audit", "verify"], 0).await;
    let under = format!("SELECT count(*) FROM phiseal.audit_log WHERE key_id = {old}");
    assert!(number(&fixture, &under).await > 0);
    fixture
        .exec(
            "ALTER TABLE phiseal.audit_log DISABLE TRIGGER audit_log_append_only;
            UPDATE phiseal.audit_log SET actor = 'nobody' WHERE entry_id = 2;
            ALTER TABLE phiseal.audit_log ENABLE ALWAYS TRIGGER audit_log_append_only",
        )
        .await;
    let broken = json(&fixture, &["audit", "verify"], 6).await;
    assert_eq!(broken["error"]["code"], "E0307", "{broken}");
}

/// A writer that seals by itself, and holds its transaction open, while the key is rotated away and
/// destroyed: what it sealed is waited for and re-sealed, and nothing comes after.
#[tokio::test]
async fn nothing_is_sealed_under_a_key_that_was_rotated_away_in_flight() {
    let fixture = postgres("rotate_in_flight", 200).await;
    let old = active(&fixture, "cell").await;
    // A value that was sealed for this row goes out and comes back: sealed by the application, so to speak.
    fixture
        .exec("CREATE TABLE kept AS SELECT * FROM patients")
        .await;
    let mut writer = fixture.db().connection().await;
    let run = |sql: &'static str| sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
    run("BEGIN; SET LOCAL phiseal.sealer = 'on'; UPDATE patients SET dob_sealed = NULL WHERE id = 1;
        UPDATE patients SET dob_sealed = (SELECT dob_sealed FROM kept WHERE id = 1) WHERE id = 1")
        .execute(&mut writer)
        .await
        .unwrap();
    let rotate = fixture.project.phiseal(&["rotate", "--json"]).spawn();
    // The writer holds nothing up: the keys change at once. Its row, and its transaction, are waited for.
    while active(&fixture, "cell").await == old {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let key = active(&fixture, "cell").await;
    run("COMMIT").execute(&mut writer).await.unwrap();
    rotate.wait().await.expect_code(0);
    fixture.exec("DROP TABLE kept").await;
    all_under(&fixture, key).await;
    // A seal of before, written now, is refused.
    let stale = fixture
        .refusal(&format!(
            "BEGIN; SET LOCAL phiseal.sealer = 'on';
             UPDATE patients SET dob_sealed = '\\xe701'::bytea || substr(int8send({old}), 5, 4) || substr(dob_sealed, 7)
             WHERE id = 2; COMMIT"
        ))
        .await;
    assert!(stale.is_some_and(|message| message.contains("not active")));
    let id = old.to_string();
    let args = ["keys", "destroy", &id, "--confirm", &id, "--reason", "old"];
    json(&fixture, &args, 0).await;
    all_under(&fixture, key).await;
}
