//! Streams: bounded memory, output while the input goes on, signals, keys that are rotated meanwhile, and who
//! opened what in the audit log.

use super::{lines, of_people, people};
use crate::support::Fixture;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

async fn sealed(fixture: &Fixture) -> String {
    let select = "SELECT ssn_sealed::text FROM people WHERE clinic = 'north' AND no = 1";
    fixture.scalar(select).await.unwrap()
}

/// The entries of the audit log whose action begins with `word`, the oldest first.
async fn entries(fixture: &Fixture, word: &str) -> Vec<(String, Value)> {
    let select = format!(
        "SELECT action, subject FROM {} WHERE action LIKE '{word}.%' ORDER BY entry_id",
        fixture.own("audit_log")
    );
    let rows = fixture.db().rows(&select).await;
    let entry = |row: Vec<Option<String>>| {
        let [action, subject] = <[_; 2]>::try_from(row).unwrap().map(Option::unwrap);
        (action, serde_json::from_str(&subject).unwrap())
    };
    rows.into_iter().map(entry).collect()
}

#[tokio::test]
async fn a_hundred_thousand_rows_take_no_more_memory_than_a_few() {
    const ROWS: usize = 100_000;
    let fixture = people("scripts_memory").await;
    let row = json!({ "clinic": "north", "no": 1, "ssn_sealed": sealed(&fixture).await, "more": "x".repeat(1000) });
    let chunk = format!("{row}\n").repeat(1000);
    let mut open = of_people(&fixture, "open", &[]).piped().spawn();
    let mut stdin = open.stdin();
    for _ in 0..ROWS / 1000 {
        stdin.write_all(chunk.as_bytes()).await.unwrap();
    }
    let peak = open.memory_peak();
    drop(stdin);
    let opened = open.wait().await.expect_code(0);
    assert_eq!(opened.stdout.matches("142-52-0042").count(), ROWS);
    let whole = chunk.len() * ROWS / 1000;
    assert!(
        peak < whole as u64 / 2,
        "{peak} bytes, for an input of {whole}"
    );
    assert!(
        opened.stderr.contains("opened 100000 values"),
        "{}",
        opened.stderr
    );
}

#[tokio::test]
async fn a_row_comes_out_while_the_next_is_waited_for_and_a_signal_ends_it_with_whole_rows() {
    let fixture = people("scripts_signal").await;
    let row = json!({ "clinic": "north", "no": 1, "ssn_sealed": sealed(&fixture).await });
    let mut open = of_people(&fixture, "open", &[]).piped().spawn();
    let mut stdin = open.stdin();
    stdin
        .write_all(format!("{row}\n").as_bytes())
        .await
        .unwrap();
    // The entry stands before the first value is out.
    while entries(&fixture, "open").await.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    open.signal(Signal::INT);
    assert!(open.says("stopping").await);
    let ended = open.wait().await.expect_code(5);
    assert!(ended.stderr.contains("E0605"), "{}", ended.stderr);
    for row in lines(&ended) {
        assert_eq!(row["ssn"], "142-52-0042");
    }
    let actions: Vec<String> = entries(&fixture, "open")
        .await
        .into_iter()
        .map(|(action, _)| action)
        .collect();
    assert_eq!(actions, ["open.begin", "open.end"]);
}

#[tokio::test]
async fn a_stream_that_is_open_goes_on_when_keys_are_rotated() {
    let fixture = people("scripts_rotated").await;
    let row = |sealed: &str| json!({ "clinic": "north", "no": 1, "ssn_sealed": sealed });
    let mut open = of_people(&fixture, "open", &[]).piped().spawn();
    let mut stdin = open.stdin();
    let before = row(&sealed(&fixture).await);
    stdin
        .write_all(format!("{before}\n").as_bytes())
        .await
        .unwrap();
    while entries(&fixture, "open").await.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    fixture.run(&["rotate"]).await.expect_code(0);
    let after = row(&sealed(&fixture).await);
    assert_ne!(before, after);
    stdin
        .write_all(format!("{after}\n{before}\n").as_bytes())
        .await
        .unwrap();
    drop(stdin);
    let opened = open.wait().await.expect_code(0);
    let values: Vec<Value> = lines(&opened)
        .iter()
        .map(|row| row["ssn"].clone())
        .collect();
    assert_eq!(values, ["142-52-0042"; 3]);
}

#[tokio::test]
async fn the_audit_log_says_who_opened_how_many_values_of_what() {
    let fixture = people("scripts_audit").await;
    let good = json!({ "clinic": "north", "no": 1, "ssn_sealed": sealed(&fixture).await });
    let bad = json!({ "clinic": "north", "no": 2, "ssn_sealed": sealed(&fixture).await });
    let input = format!("{good}\n{good}\n{bad}\n");
    of_people(&fixture, "open", &[])
        .env("USER", "ada")
        .reads(input)
        .run()
        .await
        .expect_code(6);
    let field = json!({ "table": "public.people", "column": "ssn" });
    let mut counted = field.clone();
    counted["values"] = json!(2);
    counted["failed"] = json!(0);
    let expected = [
        ("open.begin".to_owned(), field),
        ("open.end".to_owned(), counted),
    ];
    assert_eq!(entries(&fixture, "open").await, expected);
    let actor = fixture
        .scalar("SELECT actor FROM phiseal.audit_log ORDER BY entry_id DESC LIMIT 1")
        .await;
    assert!(actor.unwrap().starts_with("ada@"));
    // Nothing to open, nothing to note.
    of_people(&fixture, "open", &[])
        .reads("")
        .run()
        .await
        .expect_code(0);
    assert_eq!(entries(&fixture, "open").await.len(), 2);
    let row = json!({ "clinic": "north", "no": 1, "ssn": "1" }).to_string();
    of_people(&fixture, "seal", &[])
        .reads(row)
        .run()
        .await
        .expect_code(0);
    assert_eq!(entries(&fixture, "seal").await.len(), 2);
    fixture.run(&["audit", "verify"]).await.expect_code(0);
}

#[tokio::test]
async fn a_role_that_may_only_read_opens_values_and_is_told_that_it_is_not_recorded() {
    let fixture = people("scripts_reader").await;
    let role = fixture.db().role("reader", "").await;
    fixture
        .exec(&format!(
            "GRANT USAGE ON SCHEMA phiseal TO {0}; GRANT SELECT ON ALL TABLES IN SCHEMA phiseal TO {0};
             GRANT SELECT ON people TO {0}",
            role.name
        ))
        .await;
    let row = json!({ "clinic": "north", "no": 1, "ssn_sealed": sealed(&fixture).await });
    let open = of_people(&fixture, "open", &["--database-url", &role.url]);
    let opened = open.reads(row.to_string()).run().await.expect_code(0);
    assert_eq!(lines(&opened)[0]["ssn"], "142-52-0042");
    assert!(
        opened.stderr.contains("not recorded in the audit log"),
        "{}",
        opened.stderr
    );
    assert!(entries(&fixture, "open").await.is_empty());
}
