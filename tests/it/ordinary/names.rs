//! One label, one table: put aside and made anew, renamed, detached, and a label that is taken.

use super::{
    active, destroyed, in_place, json, named, notes_open, number, on_both, planned, refused, status,
};
use crate::support::{Base, Fixture};

on_both!(
    a_table_put_aside_keeps_its_label_and_its_keys,
    a_label_of_another_table_is_refused,
    a_renamed_table_is_the_same_table,
    a_field_ends_only_when_nothing_is_sealed_any_more,
);

// Last year's rows put aside by a rename, and an empty table made in their place.
async fn a_table_put_aside_keeps_its_label_and_its_keys(fixture: Fixture) {
    let anew = match fixture.base {
        Base::Postgres(_) => "CREATE TABLE notes (LIKE notes_old INCLUDING ALL)",
        Base::Sqlite(_) => "CREATE TABLE notes (id integer PRIMARY KEY, note text)",
    };
    fixture
        .exec(&format!("ALTER TABLE notes RENAME TO notes_old; {anew}"))
        .await;
    fixture
        .exec("INSERT INTO notes VALUES (1, 'new 1'), (2, 'new 2')")
        .await;
    let (code, said) = status(&fixture).await;
    assert_eq!(code, Some(10), "{said}");
    let (code, _) = refused(&fixture, &["backfill"], 3).await;
    assert_eq!(code, "E0241");
    let plain = "SELECT count(*) FROM notes WHERE note LIKE 'new %'";
    assert_eq!(
        number(&fixture, plain).await,
        2,
        "nothing was sealed under the other's label"
    );
    let label = named(&fixture, "notes");
    let old = active(&fixture).await;
    let rotated = json(&fixture, &["rotate"], 0).await;
    assert_eq!(
        (&rotated["outcome"], &rotated["rows_resealed"]),
        (&"complete".into(), &30.into())
    );
    assert!(destroyed(&fixture, &old).await);
    notes_open(&fixture, "notes_old", &label, "saved").await;
    // With a label of its own the new one is a table like others.
    let plans = in_place(&fixture, "notes_old", Some(&label))
        + &in_place(&fixture, "notes", Some("notes of this year"));
    planned(&fixture, &plans);
    json(&fixture, &["backfill"], 0).await;
    let verified = json(&fixture, &["verify"], 0).await;
    assert_eq!(verified["values_verified"], 32, "{verified}");
}

// Two tables under one label would share the keys of their cells.
async fn a_label_of_another_table_is_refused(fixture: Fixture) {
    fixture
        .exec("CREATE TABLE memos (id integer PRIMARY KEY, note text); INSERT INTO memos VALUES (1, 'memo 1')")
        .await;
    let label = named(&fixture, "notes");
    planned(&fixture, &in_place(&fixture, "memos", Some(&label)));
    for command in ["backfill", "verify"] {
        let (code, _) = refused(&fixture, &[command], 3).await;
        assert_eq!(code, "E0241", "{command}");
    }
    let memo = "SELECT note FROM memos WHERE id = 1";
    assert_eq!(fixture.scalar(memo).await.as_deref(), Some("memo 1"));
    planned(&fixture, &in_place(&fixture, "notes", None));
    let old = active(&fixture).await;
    json(&fixture, &["rotate"], 0).await;
    assert!(destroyed(&fixture, &old).await);
    notes_open(&fixture, "notes", &label, "saved").await;
}

async fn a_renamed_table_is_the_same_table(fixture: Fixture) {
    let label = named(&fixture, "notes");
    fixture.exec("ALTER TABLE notes RENAME TO remarks").await;
    // The plan still says the old name: the hint says the new one.
    let (code, said) = refused(&fixture, &["backfill"], 3).await;
    assert_eq!(code, "E0201");
    assert!(said.contains("remarks"), "{said}");
    planned(&fixture, &in_place(&fixture, "remarks", None));
    json(&fixture, &["backfill"], 0).await;
    let verified = json(&fixture, &["verify"], 0).await;
    assert_eq!(
        (&verified["values_verified"], &verified["failed"]),
        (&30.into(), &0.into())
    );
    let fields = format!(
        "SELECT count(*) FROM {}",
        fixture.source().own("encrypted_field_metadata")
    );
    assert_eq!(number(&fixture, &fields).await, 1, "registered once");
    notes_open(&fixture, "remarks", &label, "saved").await;
    let listed = json(&fixture, &["fields", "list"], 0).await;
    let field = &listed[0];
    assert_eq!(field["column"], "note", "{listed}");
    let relation = field["relation"].as_str().unwrap_or_default();
    assert!(relation.contains("remarks"), "{listed}");
    for name in ["table", "state", "health"] {
        assert!(!field[name].is_null(), "{name} in {listed}");
    }
    let (code, said) = status(&fixture).await;
    assert_eq!(code, Some(0), "{said}");
}

async fn a_field_ends_only_when_nothing_is_sealed_any_more(fixture: Fixture) {
    let label = named(&fixture, "notes");
    let forget = ["fields", "forget", &label, "--reason", "retired", "--yes"];
    let (code, _) = refused(&fixture, &forget, 3).await;
    assert_eq!(code, "E0254");
    fixture.exec("DROP TABLE notes").await;
    let (code, said) = status(&fixture).await;
    assert_eq!(code, Some(10), "{said}");
    json(&fixture, &forget, 0).await;
    planned(&fixture, "");
    let (code, said) = status(&fixture).await;
    assert_eq!(code, Some(0), "{said}");
    let old = active(&fixture).await;
    json(&fixture, &["rotate"], 0).await;
    assert!(destroyed(&fixture, &old).await);
    json(&fixture, &["audit", "verify"], 0).await;
}

const VISITS: &str = "CREATE TABLE visits (id int, day date, note text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
    CREATE TABLE visits_24 PARTITION OF visits FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
    CREATE TABLE visits_25 PARTITION OF visits FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
    INSERT INTO visits SELECT g, date '2024-02-01' + g * 5, 'note ' || g FROM generate_series(1, 100) g;
    CREATE TABLE saved AS SELECT * FROM visits;";

#[tokio::test]
async fn a_detached_leaf_is_rotated_along_and_holds_its_key() {
    let plan = "[[table]]\nname = \"public.visits\"\n[[table.column]]\nname = \"note\"\n\
        in_place = \"application-reads-both-forms\"\n";
    let fixture = Fixture::postgres("detached", VISITS, plan).await;
    fixture.backfill().await;
    json(&fixture, &["verify"], 0).await;
    fixture
        .exec("ALTER TABLE visits DETACH PARTITION visits_24")
        .await;
    let old = active(&fixture).await;
    let done = fixture.project.phiseal(&["rotate", "--json"]).run().await;
    let complete = done.code() == Some(0) && done.json()["outcome"] == "complete";
    // What it reached, it may end; what it did not reach, it says, and the key stays.
    assert_eq!(destroyed(&fixture, &old).await, complete, "{done:?}");
    assert!(complete, "a detached leaf is a member still: {done:?}");
    notes_open(&fixture, "visits_24", "public.visits", "saved").await;
    // Nobody guards it while it is apart.
    fixture
        .exec("UPDATE visits_24 SET note = 'apart' WHERE id = 1; UPDATE saved SET note = 'apart' WHERE id = 1")
        .await;
    let attach = "ALTER TABLE visits ATTACH PARTITION visits_24 FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')";
    fixture.exec(attach).await;
    let (code, said) = status(&fixture).await;
    assert_eq!(code, Some(10), "{said}");
    assert!(said.contains("not compared"), "{said}");
    json(&fixture, &["backfill"], 0).await;
    json(&fixture, &["verify"], 0).await;
    notes_open(&fixture, "visits", "public.visits", "saved").await;
    let (code, said) = status(&fixture).await;
    assert_eq!(code, Some(0), "{said}");
}
