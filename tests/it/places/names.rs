//! Names that change, and names that were never right.

use super::*;

/// The label of the table `notes`.
fn label(postgres: bool) -> &'static str {
    if postgres { "public.notes" } else { "notes" }
}

async fn follows_a_renamed_table(postgres: bool) {
    let fixture = notes("renamed", postgres).await;
    fixture.exec("ALTER TABLE notes RENAME TO remarks").await;
    // The plan with the old name is refused, and the hint has the new one.
    let (code, text) = refused(&fixture, &["backfill"], 3).await;
    assert_eq!(code, "E0201");
    assert!(text.contains("remarks"), "{text}");
    // Whoever looks is told.
    let (content, attention) = check(&fixture).await;
    assert!(!content && attention.contains("remarks"), "{attention}");
    // With the new one everything goes on under the same label.
    fixture
        .project
        .plan(&fixture.url(), &plan(BESIDE, &named(&fixture, "remarks")));
    fixture
        .exec("INSERT INTO remarks (id, note) VALUES (5, 'plain 5')")
        .await;
    assert_eq!(fixture.backfill().await["values_sealed"], 1);
    let verified = run(&fixture, &["verify", "--json"])
        .await
        .expect_code(0)
        .json();
    assert_eq!(
        (&verified["values_verified"], &verified["failed"]),
        (&5.into(), &0.into())
    );
    let (content, attention) = check(&fixture).await;
    assert!(content, "{attention}");
    run(&fixture, &["rotate"]).await.expect_code(0);
    all_sealed(&fixture, label(postgres)).await;
    let fields = run(&fixture, &["fields", "list", "--json"])
        .await
        .expect_code(0)
        .json();
    assert_eq!(fields.as_array().unwrap().len(), 1);
    assert_eq!(fields[0]["relation"], named(&fixture, "remarks"));
    assert_eq!(fields[0]["health"], "good");
}

#[tokio::test]
async fn a_renamed_table_keeps_its_label_in_postgresql() {
    follows_a_renamed_table(true).await;
}

#[tokio::test]
async fn a_renamed_table_keeps_its_label_in_sqlite() {
    follows_a_renamed_table(false).await;
}

#[tokio::test]
async fn a_table_that_was_moved_to_another_schema_is_found_there() {
    let fixture = notes("moved", true).await;
    fixture
        .exec("CREATE SCHEMA clinic; ALTER TABLE notes SET SCHEMA clinic")
        .await;
    // Rotation is of what is registered, whatever the plan says.
    let done = run(&fixture, &["rotate", "--json"])
        .await
        .expect_code(0)
        .json();
    assert_eq!(done["rows_resealed"], 4);
    fixture
        .project
        .plan(&fixture.url(), &plan(BESIDE, "clinic.notes"));
    fixture.backfill().await;
    all_sealed(&fixture, "public.notes").await;
}

async fn follows_a_renamed_column(postgres: bool) {
    let fixture = notes("renamed_column", postgres).await;
    fixture
        .exec("ALTER TABLE notes RENAME COLUMN note TO remark")
        .await;
    let (code, text) = refused(&fixture, &["backfill"], 3).await;
    assert_eq!(code, "E0202");
    assert!(text.contains("remark"), "{text}");
    let table = named(&fixture, "notes");
    let renamed = plan(BESIDE, &table).replace("name = \"note\"", "name = \"remark\"");
    fixture.project.plan(&fixture.url(), &renamed);
    fixture.backfill().await;
    // The guard is the one of the new name.
    fixture
        .exec("UPDATE notes SET remark = 'another' WHERE id = 1")
        .await;
    let blank = fixture.scalar("SELECT count(*)::text FROM notes WHERE note_sealed IS NULL");
    let blank_sqlite =
        fixture.scalar("SELECT CAST(count(*) AS TEXT) FROM notes WHERE note_sealed IS NULL");
    let blank = if postgres {
        blank.await
    } else {
        blank_sqlite.await
    };
    assert_eq!(blank.as_deref(), Some("1"));
    assert_eq!(fixture.backfill().await["values_sealed"], 1);
    run(&fixture, &["verify"]).await.expect_code(0);
    let fields = run(&fixture, &["fields", "list", "--json"])
        .await
        .expect_code(0)
        .json();
    assert_eq!(fields.as_array().unwrap().len(), 1);
    assert_eq!(fields[0]["column"], "note");
}

#[tokio::test]
async fn a_renamed_column_keeps_its_label_in_postgresql() {
    follows_a_renamed_column(true).await;
}

#[tokio::test]
async fn a_renamed_column_keeps_its_label_in_sqlite() {
    follows_a_renamed_column(false).await;
}

async fn refuses_a_mistyped_column(postgres: bool) {
    let fixture = notes("mistyped", postgres).await;
    let table = named(&fixture, "notes");
    fixture
        .exec("INSERT INTO notes (id, note) VALUES (9, 'not sealed')")
        .await;
    let typo = plan(BESIDE, &table).replace("name = \"note\"", "name = \"nota\"");
    fixture.project.plan(&fixture.url(), &typo);
    for command in ["backfill", "verify"] {
        let (code, _) = refused(&fixture, &[command], 3).await;
        assert_eq!(code, "E0202", "{command}");
    }
}

#[tokio::test]
async fn a_mistyped_plaintext_column_is_refused_in_postgresql() {
    refuses_a_mistyped_column(true).await;
}

#[tokio::test]
async fn a_mistyped_plaintext_column_is_refused_in_sqlite() {
    refuses_a_mistyped_column(false).await;
}

#[tokio::test]
async fn a_plaintext_column_that_was_dropped_is_no_mistake() {
    let fixture = notes("dropped_column", true).await;
    fixture.exec("CREATE TABLE saved AS SELECT id, note FROM notes; ALTER TABLE notes DROP COLUMN note CASCADE").await;
    run(&fixture, &["backfill"]).await.expect_code(0);
    run(&fixture, &["verify"]).await.expect_code(0);
    // A column of that name that was added later is another one.
    fixture.exec("ALTER TABLE notes ADD COLUMN note text").await;
    run(&fixture, &["verify"]).await.expect_code(0);
}

/// A column that took the name of one that was renamed is another one: its values were never sealed.
async fn tells_columns_of_one_name_apart(postgres: bool) {
    for column in ["note", "note_sealed"] {
        let fixture = notes("one_name", postgres).await;
        let kind = match (column, postgres) {
            ("note", _) => "text",
            (_, true) => "bytea",
            (_, false) => "BLOB",
        };
        fixture
            .exec(&format!(
                "ALTER TABLE notes RENAME COLUMN {column} TO {column}_old; ALTER TABLE notes ADD COLUMN {column} {kind}"
            ))
            .await;
        let (content, attention) = check(&fixture).await;
        assert!(
            !content && attention.contains(&format!("{column}_old")),
            "{attention}"
        );
        let (code, text) = refused(&fixture, &["backfill"], 3).await;
        assert_eq!(code, "E0240", "{text}");
    }
}

#[tokio::test]
async fn a_new_column_of_an_old_name_is_another_one_in_postgresql() {
    tells_columns_of_one_name_apart(true).await;
}

#[tokio::test]
async fn a_new_column_of_an_old_name_is_another_one_in_sqlite() {
    tells_columns_of_one_name_apart(false).await;
}

#[tokio::test]
async fn a_table_whose_last_partition_was_detached_is_no_missing_table() {
    let fixture = Fixture::postgres("last_leaf", LEAVES, &plan(BESIDE, "public.events")).await;
    fixture.backfill().await;
    fixture
        .exec("ALTER TABLE events DETACH PARTITION events_1; ALTER TABLE events DETACH PARTITION events_2")
        .await;
    fixture
        .exec("UPDATE events_1 SET note = 'changed' WHERE id = 2")
        .await;
    run(&fixture, &["backfill"]).await.expect_code(0);
    run(&fixture, &["verify"]).await.expect_code(0);
    let done = run(&fixture, &["rotate", "--json"])
        .await
        .expect_code(0)
        .json();
    assert_eq!(done["rows_resealed"], 10);
}

async fn refuses_a_second_table(postgres: bool) {
    let fixture = notes("recreated", postgres).await;
    fixture
        .exec(
            "ALTER TABLE notes RENAME TO notes_2025; CREATE TABLE notes (id INTEGER PRIMARY KEY, note text);
             INSERT INTO notes VALUES (1, 'new year')",
        )
        .await;
    let (code, text) = refused(&fixture, &["backfill"], 3).await;
    assert_eq!(code, "E0241");
    assert!(text.contains("notes_2025"), "{text}");
    // Rotation and destruction are of the table that has the label.
    let old = run(&fixture, &["rotate", "--json"])
        .await
        .expect_code(0)
        .json();
    assert_eq!(old["rows_resealed"], 4);
    // With a label of its own the new table is sealed, too.
    let table = named(&fixture, "notes");
    let own = plan(BESIDE, &table).replace(
        "[[table.column]]",
        "label = \"notes of 2026\"\n[[table.column]]",
    );
    let both = format!("{own}{}", plan(BESIDE, &named(&fixture, "notes_2025")));
    fixture.project.plan(&fixture.url(), &both);
    assert_eq!(fixture.backfill().await["values_sealed"], 1);
    run(&fixture, &["verify"]).await.expect_code(0);
    all_sealed(&fixture, "notes of 2026").await;
    all_sealed(&fixture, label(postgres)).await;
}

#[tokio::test]
async fn a_table_made_again_after_a_rename_needs_a_label_of_its_own_in_postgresql() {
    refuses_a_second_table(true).await;
}

#[tokio::test]
async fn a_table_made_again_after_a_rename_needs_a_label_of_its_own_in_sqlite() {
    refuses_a_second_table(false).await;
}

async fn refuses_anothers_label(postgres: bool) {
    let fixture = notes("borrowed", postgres).await;
    fixture
        .exec("CREATE TABLE memos (id INTEGER PRIMARY KEY, note text); INSERT INTO memos VALUES (1, 'memo')")
        .await;
    let label = format!("label = \"{}\"\n[[table.column]]", label(postgres));
    let borrowed = plan(IN_PLACE, &named(&fixture, "memos")).replace("[[table.column]]", &label);
    fixture.project.plan(&fixture.url(), &borrowed);
    let (code, _) = refused(&fixture, &["backfill"], 3).await;
    assert_eq!(code, "E0241");
    assert_eq!(
        fixture.scalar("SELECT note FROM memos").await.as_deref(),
        Some("memo")
    );
}

#[tokio::test]
async fn the_label_of_another_table_is_refused_in_postgresql() {
    refuses_anothers_label(true).await;
}

#[tokio::test]
async fn the_label_of_another_table_is_refused_in_sqlite() {
    refuses_anothers_label(false).await;
}

const LEAVES: &str = "CREATE TABLE events (id int, year int, note text, note_sealed bytea, PRIMARY KEY (id, year)) PARTITION BY LIST (year);
    CREATE TABLE events_1 PARTITION OF events FOR VALUES IN (2024);
    CREATE TABLE events_2 PARTITION OF events FOR VALUES IN (2025);
    INSERT INTO events SELECT i, 2024 + i % 2, 'event ' || i FROM generate_series(1, 10) i;";

#[tokio::test]
async fn two_partitions_of_one_table_are_refused() {
    let both = format!(
        "{}{}",
        plan(BESIDE, "public.events_1"),
        plan(BESIDE, "public.events_2")
    );
    let fixture = Fixture::postgres("two_leaves", LEAVES, &both).await;
    let (code, text) = refused(&fixture, &["backfill"], 3).await;
    assert_eq!(code, "E0241", "{text}");
    // Nor one after the other.
    fixture
        .project
        .plan(&fixture.url(), &plan(BESIDE, "public.events_1"));
    assert_eq!(fixture.backfill().await["values_sealed"], 5);
    fixture
        .project
        .plan(&fixture.url(), &plan(BESIDE, "public.events_2"));
    let (code, _) = refused(&fixture, &["backfill"], 3).await;
    assert_eq!(code, "E0241");
}

#[tokio::test]
async fn a_detached_partition_is_rotated_with_the_others() {
    let fixture = Fixture::postgres("detached", LEAVES, &plan(BESIDE, "public.events")).await;
    assert_eq!(fixture.backfill().await["values_sealed"], 10);
    fixture
        .exec("ALTER TABLE events DETACH PARTITION events_1; ALTER TABLE events_1 RENAME TO archive_2024")
        .await;
    let done = run(&fixture, &["rotate", "--json"])
        .await
        .expect_code(0)
        .json();
    assert_eq!(done["rows_resealed"], 10);
    let key = done["from_key_ids"][0].to_string();
    run(
        &fixture,
        &[
            "keys",
            "destroy",
            &key,
            "--confirm",
            &key,
            "--reason",
            "test",
        ],
    )
    .await
    .expect_code(0);
    let fields = run(&fixture, &["fields", "list", "--json"])
        .await
        .expect_code(0)
        .json();
    assert_eq!(fields[0]["detached"][0], "public.archive_2024");
    // A write that no guard saw is found when it is attached again.
    fixture
        .exec(
            "UPDATE archive_2024 SET note = 'changed' WHERE id = 2;
             ALTER TABLE events ATTACH PARTITION archive_2024 FOR VALUES IN (2024)",
        )
        .await;
    let (content, attention) = check(&fixture).await;
    assert!(
        !content && attention.contains("not compared"),
        "{attention}"
    );
    let mended = fixture.backfill().await;
    assert_eq!(
        (&mended["values_compared"], &mended["values_mended"]),
        (&5.into(), &1.into())
    );
    all_sealed(&fixture, "public.events").await;
    assert!(check(&fixture).await.0);
    // A partition that is made as one has had its guard from the beginning.
    fixture
        .exec("CREATE TABLE events_3 PARTITION OF events FOR VALUES IN (2026); INSERT INTO events VALUES (11, 2026, 'new')")
        .await;
    let (content, attention) = check(&fixture).await;
    assert!(content, "{attention}");
    assert_eq!(fixture.backfill().await["values_compared"], 0);
}
