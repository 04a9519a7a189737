//! The guard of a column that is sealed in place.

use crate::oracle::NonceLedger;
use crate::support::Ground;

const PLAN: &str = "[[table]]\nname = \"public.notes\"\n[[table.column]]\nname = \"note\"\n\
    in_place = \"application-reads-both-forms\"\n";

#[tokio::test]
async fn in_place_plaintext_is_taken_and_a_seal_is_moved_to_no_other_row() {
    let ddl = "CREATE TABLE notes (id int PRIMARY KEY, note text);
        INSERT INTO notes SELECT i, 'note ' || i FROM generate_series(1, 10) i;
        CREATE TABLE saved AS TABLE notes";
    let ground = Ground::postgres("guard_in_place", ddl, PLAN).await;
    ground.backfill().await;
    let moved = ground
        .refusal("UPDATE notes SET id = 20 WHERE id = 1")
        .await;
    assert!(moved.is_some_and(|said| said.contains("phiseal")));
    // With a new plaintext the row may go where it likes.
    ground
        .exec(
            "UPDATE notes SET id = 20, note = 'moved' WHERE id = 2;
             UPDATE notes SET note = 'ps1.is how this note begins' WHERE id = 3;
             INSERT INTO notes VALUES (21, 'new');
             UPDATE saved SET id = 20, note = 'moved' WHERE id = 2;
             UPDATE saved SET note = 'ps1.is how this note begins' WHERE id = 3;
             INSERT INTO saved VALUES (21, 'new')",
        )
        .await;
    ground.backfill().await;
    let ledger = &mut NonceLedger::default();
    let checked = ground
        .check_against(("public.notes", "note"), "saved", ledger)
        .await;
    checked.expect_all_sealed();
    assert_eq!(checked.equal, 11);
    ground
        .exec("UPDATE phiseal.encryption_keys SET status = 'deactivated' WHERE purpose = 'cell'")
        .await;
    let stale = "INSERT INTO notes SELECT 30, note FROM notes WHERE id = 4";
    let said = ground.refusal(stale).await.expect("an inactive key");
    assert!(said.contains("phiseal"), "{said}");
    // Nothing stands in the way of a plaintext, nor of a row left as it is.
    ground
        .exec("UPDATE notes SET note = 'plain' WHERE id = 4; UPDATE notes SET note = note WHERE id = 5")
        .await;
}
