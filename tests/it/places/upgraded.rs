//! A database that knows nothing of relations yet: what an earlier version left, or a dump of the schema without.

use super::*;

#[tokio::test]
async fn what_is_not_recorded_is_compared_once() {
    let fixture = notes("unrecorded", true).await;
    fixture
        .exec(
            "DELETE FROM phiseal.sealed_relations; ALTER TABLE notes DISABLE TRIGGER ALL;
             UPDATE notes SET note = 'stale' WHERE id = 2; ALTER TABLE notes ENABLE ALWAYS TRIGGER \"~phiseal_i\";
             ALTER TABLE notes ENABLE ALWAYS TRIGGER \"~phiseal_u\"",
        )
        .await;
    let (content, attention) = check(&fixture).await;
    assert!(
        !content && attention.contains("not compared"),
        "{attention}"
    );
    let done = fixture.backfill().await;
    assert_eq!(
        (&done["values_compared"], &done["values_mended"]),
        (&4.into(), &1.into())
    );
    assert!(check(&fixture).await.0);
}

#[tokio::test]
async fn two_tables_with_the_guard_of_one_label_are_told_apart_by_a_person() {
    let fixture = notes("two_guards", true).await;
    fixture
        .exec(
            "DELETE FROM phiseal.sealed_relations; ALTER TABLE notes RENAME TO notes_2025;
             CREATE TABLE notes (LIKE notes_2025 INCLUDING ALL); INSERT INTO notes (id, note) VALUES (1, 'new year')",
        )
        .await;
    // As the version before made it: a second guard of the same functions.
    let made = fixture
        .scalar("SELECT replace(pg_get_triggerdef(oid), 'notes_2025', 'notes') FROM pg_trigger WHERE tgname = '~phiseal_u'")
        .await
        .unwrap();
    fixture.exec(&made).await;
    let (code, text) = refused(&fixture, &["backfill"], 3).await;
    assert_eq!(code, "E0241", "{text}");
    let (code, text) = refused(&fixture, &["rotate"], 3).await;
    assert_eq!(code, "E0241", "{text}");
    let (content, attention) = check(&fixture).await;
    assert!(!content && attention.contains("notes_2025"), "{attention}");
    let rebind = [
        "fields",
        "rebind",
        "public.notes",
        "--to",
        "public.notes_2025",
        "--reason",
        "archived by rename",
    ];
    run(&fixture, &rebind).await.expect_code(0);
    run(&fixture, &["rotate"]).await.expect_code(0);
    all_sealed(&fixture, "public.notes").await;
}
