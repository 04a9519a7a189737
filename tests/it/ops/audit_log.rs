//! `phiseal audit list` and `phiseal audit export`, which need no key. What is exported is checked by a
//! program that shares no code with the one that wrote it.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::on_both;
use crate::oracle::{Key, Keys, check_log};
use crate::support::{Base, Fixture};

on_both!(
    an_exported_log_is_checked_by_another_program_with_the_keys_and_without,
    an_exported_file_is_new_and_for_its_owner_alone,
    a_list_is_as_wide_as_a_terminal_and_says_who_did_what,
    entries_are_listed_by_kind_time_and_number,
);

/// A fixture with a rotated and destroyed key, so that there is an attestation.
async fn with_history(fixture: Fixture) -> Fixture {
    let fixture = fixture.keyed().await;
    fixture
        .exec("CREATE TABLE patients (id integer PRIMARY KEY, ssn text)")
        .await;
    fixture
        .exec("INSERT INTO patients VALUES (1, '111-11-1111'), (2, '222-22-2222')")
        .await;
    let tables = format!(
        "[[table]]\nname = \"{}\"\n[[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"",
        fixture.table("patients")
    );
    fixture.project.plan(&fixture.url(), &tables);
    fixture.ask(&["backfill"], 0).await;
    let rotated = fixture.ask(&["rotate", "--reason", "trial"], 0).await;
    let old = rotated["from_key_ids"][0].to_string();
    let destroy = [
        "keys",
        "destroy",
        &old,
        "--confirm",
        &old,
        "--reason",
        "old",
    ];
    fixture.ask(&destroy, 0).await;
    fixture
}

/// The program in the folder, without the wrapping key.
async fn without_key(fixture: &Fixture, args: &[&str]) -> String {
    let key = fixture.project.key_file();
    let away = key.with_extension("away");
    std::fs::rename(&key, &away).unwrap();
    let done = fixture.run(args).await.expect_code(0);
    std::fs::rename(&away, &key).unwrap();
    done.stdout
}

fn faults(log: &str, keys: Option<&Keys>) -> Vec<String> {
    check_log(log, |id| -> Option<Key> {
        keys?.keys.get(&id).and_then(|key| key.key)
    })
}

/// The log with a change of one line, which is found by its type and number.
fn changed(log: &str, kind: &str, number: i64, change: impl Fn(&mut Value)) -> String {
    let line = |line: &str| {
        let mut value: Value = serde_json::from_str(line).unwrap();
        let id = value["entry_id"]
            .as_i64()
            .or(value["transition_id"].as_i64());
        if value["type"] == kind && id == Some(number) {
            change(&mut value);
        }
        value.to_string()
    };
    log.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn without(log: &str, number: i64) -> String {
    let marks = format!("\"entry_id\":{number},");
    log.lines()
        .filter(|line| !line.contains(&marks))
        .collect::<Vec<_>>()
        .join("\n")
}

async fn an_exported_log_is_checked_by_another_program_with_the_keys_and_without(fixture: Fixture) {
    let fixture = with_history(fixture).await;
    let log = without_key(&fixture, &["audit", "export", "--output", "-"]).await;
    let keys = fixture.keys().await;
    let keys = Some(&keys);
    assert_eq!(faults(&log, keys), [""; 0]);
    assert_eq!(faults(&log, None), [""; 0]);
    let head = fixture.ask(&["audit", "head"], 0).await;
    let first: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!(first["head"], head["head"]);
    let last = head["entry_id"].as_i64().unwrap();
    assert!(last >= 7, "{last}");
    assert!(
        log.contains("\"audit.attest\"") && log.contains("\"type\":\"change\""),
        "{log}"
    );

    // The last entry is under a living key, and no attestation follows it.
    let forged = changed(&log, "entry", last, |line| line["actor"] = json!("nobody"));
    assert_eq!(
        faults(&forged, keys),
        [format!("entry {last} has another MAC")]
    );
    assert_eq!(
        faults(&forged, None),
        [""; 0],
        "without the keys, contents are not proven"
    );
    // The first one is under the destroyed key: the attestation covers it.
    let forged = changed(&log, "entry", 1, |line| line["actor"] = json!("nobody"));
    let found = faults(&forged, None);
    assert!(
        found.len() == 1 && found[0].contains("attests other entries"),
        "{found:?}"
    );
    for (forged, fault) in [
        (without(&log, 3), "entry 4 after 2"),
        (without(&log, last), "the log does not end with its head"),
        (
            changed(&log, "change", 1, |line| line["reason"] = json!("x")),
            "names other changes",
        ),
        (
            changed(&log, "change", 1, |line| line["transition_id"] = json!(900)),
            "names other changes",
        ),
    ] {
        let found = faults(&forged, None);
        assert!(
            found.iter().any(|found| found.contains(fault)),
            "{fault}: {found:?}"
        );
    }
}

async fn an_exported_file_is_new_and_for_its_owner_alone(fixture: Fixture) {
    let fixture = fixture.keyed().await;
    let path = fixture.project.dir().join("log.jsonl");
    let file = path.to_str().unwrap();
    let export = ["audit", "export", "--output", file];
    let said = fixture.ask(&export, 0).await;
    let head = fixture.ask(&["audit", "head"], 0).await;
    assert_eq!(
        said,
        json!({ "file": file, "entries": 2, "changes": 4, "head": head["head"] })
    );
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let log = std::fs::read_to_string(&path).unwrap();
    assert_eq!(log.lines().count(), 7);
    assert!(log.ends_with('\n'));
    assert_eq!(fixture.refused(&export, 2).await, "E0106");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), log);
    let nowhere = fixture.project.dir().join("missing/log.jsonl");
    let export = ["audit", "export", "--output", nowhere.to_str().unwrap()];
    assert_eq!(fixture.refused(&export, 2).await, "E0108");
}

async fn a_list_is_as_wide_as_a_terminal_and_says_who_did_what(fixture: Fixture) {
    let fixture = with_history(fixture).await;
    let listed = without_key(&fixture, &["audit", "list"]).await;
    for line in listed.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let label = match fixture.base {
        Base::Postgres(_) => "public.patients",
        Base::Sqlite(_) => "patients",
    };
    let actions = [
        "key.create",
        "backfill.begin",
        "rotate.begin",
        "audit.attest",
        "key.destroy",
    ];
    let mut lines = listed.lines();
    assert!(lines.next().unwrap().starts_with("NO "), "{listed}");
    for action in actions {
        assert!(
            lines.any(|line| line.contains(action)),
            "{action}, in this order: {listed}"
        );
    }
    assert!(listed.contains(&format!("{label}, run 1")), "{listed}");

    let all = fixture.ask(&["audit", "list"], 0).await;
    let first = &all[0];
    assert_eq!(
        (&first["entry_id"], &first["action"]),
        (&json!(1), &json!("key.create"))
    );
    assert_eq!(first["subject"]["version"], 1);
    assert!(first["actor"].as_str().unwrap().contains('@'));
}

async fn entries_are_listed_by_kind_time_and_number(fixture: Fixture) {
    let empty = fixture.migrated().await;
    assert_eq!(empty.ask(&["audit", "list"], 0).await, json!([]));
    let fixture = with_history(empty).await;
    let last = fixture.ask(&["audit", "head"], 0).await["entry_id"]
        .as_i64()
        .unwrap();
    let numbers = async |args: &[&str]| -> Vec<i64> {
        let args = [&["audit", "list"], args].concat();
        let listed = fixture.ask(&args, 0).await;
        let numbers = listed.as_array().unwrap().iter();
        numbers
            .map(|entry| entry["entry_id"].as_i64().unwrap())
            .collect()
    };
    let every: Vec<i64> = (1..=last).collect();
    assert_eq!(numbers(&[]).await, every);
    assert_eq!(numbers(&["--limit", "2"]).await, [last - 1, last]);
    assert_eq!(numbers(&["--kind", "key.create"]).await, [1, 2]);
    assert_eq!(
        numbers(&["--kind", "key.create", "--limit", "1"]).await,
        [2]
    );
    assert_eq!(numbers(&["--kind", "nothing"]).await, [0; 0]);
    let rotations = numbers(&["--kind", "rotate", "--kind", "key.destroy"]).await;
    assert!(
        rotations.len() >= 3 && rotations.is_sorted(),
        "{rotations:?}"
    );

    let all = fixture.ask(&["audit", "list"], 0).await;
    let at = all[2]["at"].as_str().unwrap();
    assert_eq!(numbers(&["--since", at]).await, every[2..]);
    assert_eq!(numbers(&["--until", at]).await, every[..3]);
    let day = &at[..10];
    assert_eq!(
        numbers(&["--since", "2000-01-01", "--until", "2000-12-31"]).await,
        [0; 0]
    );
    assert!(numbers(&["--since", day]).await.len() == every.len());

    let said = fixture
        .run(&["audit", "list", "--limit", "2"])
        .await
        .expect_code(0);
    assert!(
        said.stderr
            .contains(&format!("{} entries before these", last - 2)),
        "{}",
        said.stderr
    );
    let none = fixture
        .run(&["audit", "list", "--kind", "x"])
        .await
        .expect_code(0)
        .stdout;
    assert!(none.contains("audit, backfill, key, rotate"), "{none}");
    assert_eq!(
        fixture
            .refused(&["audit", "list", "--since", "yesterday"], 2)
            .await,
        "E0101"
    );
}
