//! The guard of a column that is sealed in place.

use crate::oracle::NonceLedger;
use crate::support::Fixture;

const PLAN: &str = "[[table]]\nname = \"public.notes\"\n[[table.column]]\nname = \"note\"\n\
    in_place = \"application-reads-both-forms\"\n";

#[tokio::test]
async fn in_place_plaintext_is_taken_and_a_seal_is_moved_to_no_other_row() {
    let ddl = "CREATE TABLE notes (id int PRIMARY KEY, note text);
        INSERT INTO notes SELECT i, 'note ' || i FROM generate_series(1, 10) i;
        CREATE TABLE saved AS TABLE notes";
    let fixture = Fixture::postgres("guard_in_place", ddl, PLAN).await;
    fixture.backfill().await;
    let moved = fixture
        .refusal("UPDATE notes SET id = 20 WHERE id = 1")
        .await;
    assert!(moved.is_some_and(|said| said.contains("phiseal")));
    // With a new plaintext the row may go where it likes.
    fixture
        .exec(
            "UPDATE notes SET id = 20, note = 'moved' WHERE id = 2;
             UPDATE notes SET note = 'ps1.is how this note begins' WHERE id = 3;
             INSERT INTO notes VALUES (21, 'new');
             UPDATE saved SET id = 20, note = 'moved' WHERE id = 2;
             UPDATE saved SET note = 'ps1.is how this note begins' WHERE id = 3;
             INSERT INTO saved VALUES (21, 'new')",
        )
        .await;
    fixture.backfill().await;
    let ledger = &mut NonceLedger::default();
    let checked = fixture
        .check_against(("public.notes", "note"), "saved", ledger)
        .await;
    checked.expect_all_sealed();
    assert_eq!(checked.equal, 11);
    fixture
        .exec("UPDATE phiseal.encryption_keys SET status = 'deactivated' WHERE purpose = 'cell'")
        .await;
    let stale = "INSERT INTO notes SELECT 30, note FROM notes WHERE id = 4";
    let said = fixture.refusal(stale).await.expect("an inactive key");
    assert!(said.contains("phiseal"), "{said}");
    // Nothing stands in the way of a plaintext, nor of a row left as it is.
    fixture
        .exec("UPDATE notes SET note = 'plain' WHERE id = 4; UPDATE notes SET note = note WHERE id = 5")
        .await;
}

#[tokio::test]
async fn in_place_an_index_goes_with_its_value_and_is_written_by_nobody_else() {
    let ddl = "CREATE TABLE notes (id int PRIMARY KEY, note text);
        INSERT INTO notes SELECT i, 'note ' || i FROM generate_series(1, 10) i";
    let plan = PLAN.to_owned()
        + "blind_index = { column = \"note_bidx\", normalise = \"exact\", bits = 256 }\n";
    let fixture = Fixture::postgres("guard_in_place_index", ddl, &plan).await;
    fixture.backfill().await;
    fixture
        .exec(
            "UPDATE notes SET note = 'new' WHERE id = 1; UPDATE notes SET note = note WHERE id = 2",
        )
        .await;
    let blank = "SELECT string_agg(id::text, ' ' ORDER BY id) FROM notes WHERE note_bidx IS NULL";
    assert_eq!(fixture.scalar(blank).await.as_deref(), Some("1"));
    let alone = fixture
        .refusal("UPDATE notes SET note_bidx = NULL WHERE id = 3")
        .await;
    assert!(alone.is_some_and(|said| said.contains("trusted writer")));
    // A copy of a value brings no index along.
    fixture
        .exec("INSERT INTO notes SELECT 20, 'other', note_bidx FROM notes WHERE id = 3")
        .await;
    assert_eq!(fixture.scalar(blank).await.as_deref(), Some("1 20"));
    fixture.backfill().await;
    assert_eq!(fixture.scalar(blank).await, None);
    let verify = fixture.project.phiseal(&["verify", "--json"]).run().await;
    assert_eq!(verify.expect_code(0).json()["failed"], 0);
}
