//! Sealed text in the column of the plaintext, and values there that look sealed.

use crate::oracle::{Cell, KeyPart, row_key, seal};
use crate::support::Fixture;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const PLAN: &str = "[[table]]\nname = \"public.notes\"\n\
    [[table.column]]\nname = \"note\"\nin_place = \"application-reads-both-forms\"\n";

#[tokio::test]
async fn text_is_sealed_in_its_own_column_and_reads_back_as_it_was() {
    let sql = "CREATE TABLE notes (id int PRIMARY KEY, other text, note text);
        INSERT INTO notes SELECT i, 'kept', CASE WHEN i % 7 = 0 THEN NULL WHEN i % 5 = 0 THEN ''
            ELSE E'it''s\\nnote ' || i || ' 🩺' END FROM generate_series(-500, 1500) i;
        CREATE TABLE saved AS TABLE notes;";
    let fixture = Fixture::postgres("in_place", sql, PLAN).await;
    let done = fixture.json(&["backfill"]).await;
    let values = fixture.db().count("SELECT count(note) FROM saved").await;
    assert_eq!(done["values_sealed"], values);
    let opened = fixture
        .expect_sealed("public.notes", &["note"], "saved")
        .await;
    assert_eq!(i64::try_from(opened).unwrap(), values);
    assert_eq!(
        fixture
            .db()
            .count("SELECT count(*) FROM notes WHERE other = 'kept'")
            .await,
        2001
    );
    // What the application writes afterwards is sealed by the next run, and nothing else is touched.
    for table in ["notes", "saved"] {
        let update = format!("UPDATE {table} SET note = 'written later' WHERE id IN (7, 8, 9)");
        fixture.db().exec(&update).await;
    }
    assert_eq!(fixture.json(&["backfill"]).await["rows_sealed"], 3);
    fixture
        .expect_sealed("public.notes", &["note"], "saved")
        .await;
    let verified = fixture.json(&["verify"]).await;
    assert_eq!(
        (&verified["failed"], &verified["unsealed"]),
        (&0.into(), &0.into())
    );
}

#[tokio::test]
async fn text_that_only_begins_like_a_sealed_value_is_sealed_as_the_plaintext_it_is() {
    let sql = "CREATE TABLE notes (id int PRIMARY KEY, note text);
        INSERT INTO notes VALUES (1, 'ps1.'), (2, 'ps1.garbage!'), (3, 'ps1.AAAA'),
            (4, 'ps1.5wEAAAAH'), (5, 'ps1.' || repeat('A', 200)), (6, 'ps2.x'), (7, 'PS1.5wEA'),
            (8, 'ps1.5wE' || repeat('=', 60)), (9, 'plain');
        CREATE TABLE saved AS TABLE notes;";
    let fixture = Fixture::postgres("lookalike", sql, PLAN).await;
    let done = fixture.json(&["backfill"]).await;
    assert_eq!(
        (&done["rows_sealed"], &done["quarantined"]),
        (&9.into(), &0.into())
    );
    assert_eq!(
        fixture
            .expect_sealed("public.notes", &["note"], "saved")
            .await,
        9
    );
    assert_eq!(fixture.json(&["backfill"]).await["rows_found"], 0);
}

#[tokio::test]
async fn a_value_that_parses_as_sealed_and_does_not_open_is_quarantined_and_never_sealed() {
    let sql = "CREATE TABLE notes (id int PRIMARY KEY, note text);
        INSERT INTO notes VALUES (1, 'plain'), (2, NULL), (3, NULL), (4, NULL), (5, 'plain too');";
    let fixture = Fixture::postgres("unopened", sql, PLAN).await;
    fixture.json(&["backfill"]).await;
    let keys = fixture.keys().await;
    let (id, own) = keys.keys.iter().find(|(_, k)| k.purpose == "cell").unwrap();
    let sealed_for = |row: i64, key: &[u8; 32], key_id: u32| {
        let row_key = row_key(&[KeyPart::Int(row)]);
        let cell = Cell {
            tenant: "",
            table: "public.notes",
            column: "note",
            row_key: &row_key,
        };
        let sealed = seal(&cell, key, key_id, [9; 12], b"a value", 0);
        format!("ps1.{}", URL_SAFE_NO_PAD.encode(sealed))
    };
    let unknown = if *id == 77 { 78 } else { 77 };
    let own = own.key.as_ref().unwrap();
    // 2: under a key that does not exist; 3: under ours, for another row; 4: good.
    for (row, text) in [
        (2, sealed_for(2, &[5; 32], unknown)),
        (3, sealed_for(1, own, *id)),
        (4, sealed_for(4, own, *id)),
    ] {
        let set = format!("UPDATE notes SET note = '{text}' WHERE id = {row}");
        fixture.db().exec(&set).await;
    }
    let before = fixture.db().rows("SELECT * FROM notes ORDER BY id").await;
    let done = fixture.json_code(&["backfill"], 6).await;
    assert_eq!(
        (&done["rows_sealed"], &done["quarantined"]),
        (&0.into(), &2.into()),
        "{done}"
    );
    assert_eq!(
        fixture.db().rows("SELECT * FROM notes ORDER BY id").await,
        before
    );
    // Listed once, however often the backfill runs.
    fixture.json_code(&["backfill"], 6).await;
    let listed = "SELECT count(*) FROM phiseal.quarantine WHERE state = 'open'";
    assert_eq!(fixture.db().count(listed).await, 2);
    let verified = fixture.json_code(&["verify"], 6).await;
    assert_eq!(
        (&verified["failed"], &verified["values_verified"]),
        (&2.into(), &3.into())
    );
}
