//! What other commands, tools and triggers do between the freeze and the removal: keys that are rotated
//! or destroyed, a dump that is restored elsewhere, a plan of fewer columns.

use super::changed::{goes_on, hidden_people};
use super::{
    as_it_was, columns, finalize, guard_says, has, next_phase, number, postgres, refusal,
    sealed_as_saved, state, stopped_at,
};
use crate::support::Fixture;

#[tokio::test]
async fn a_key_that_is_rotated_and_destroyed_meanwhile_takes_no_value_with_it() {
    let (fixture, _) = hidden_people("lost_key").await;
    let key = fixture
        .scalar("SELECT key_id FROM phiseal.encryption_keys WHERE purpose = 'cell'")
        .await
        .unwrap();
    let destroy = [
        "keys",
        "destroy",
        &key,
        "--confirm",
        &key,
        "--reason",
        "test",
    ];
    assert_ne!(
        fixture.run(&destroy).await.code(),
        Some(0),
        "values are sealed under it"
    );
    fixture.json(&["rotate"]).await;
    fixture.run(&destroy).await.expect_code(0);
    goes_on(&fixture).await.expect_code(0);
    sealed_as_saved(&fixture, &["ssn", "note"]).await;
    fixture.json(&["verify"]).await;
}

#[tokio::test]
async fn a_dump_restored_in_the_grace_period_is_finalized_or_given_back() {
    use crate::support::dump::{Way, restored};
    use crate::support::{Base, Project};
    let (fixture, _) = hidden_people("lost_dump").await;
    for undo in [true, false] {
        let (copy, said) = restored(fixture.db(), "lost_dump_copy", Way::Plain).await;
        assert_eq!(said, "");
        let project = Project::with_key(fixture.project.key_line());
        let plan = crate::backfill::beside("public.people", &["ssn", "note"]);
        project.plan(&copy.url(), &plan);
        let base = Base::Postgres(copy);
        let copy = Fixture { base, project };
        if undo {
            copy.json(&["finalize", "--undo", "--column", "ssn"]).await;
            as_it_was(&copy).await;
        } else {
            goes_on(&copy).await.expect_code(0);
            assert!(columns(&copy, "people", "~phiseal").await.is_empty());
            sealed_as_saved(&copy, &["ssn", "note"]).await;
        }
    }
}

#[tokio::test]
async fn a_plan_of_one_column_leaves_the_other_as_it_is() {
    let fixture = postgres("lost_one", 60).await;
    let one = crate::backfill::beside("public.people", &["ssn"]);
    let both = crate::backfill::beside("public.people", &["ssn", "note"]);
    fixture.project.plan(&fixture.url(), &one);
    finalize(&fixture, &[], 0).await;
    assert!(!has(&fixture, "ssn").await && has(&fixture, "note").await);
    fixture
        .exec("UPDATE people SET note = 'other' WHERE id = 3; UPDATE saved SET note = 'other' WHERE id = 3")
        .await;
    fixture.project.plan(&fixture.url(), &both);
    assert_eq!(refusal(&fixture, &[], 3).await, "E0610");
    fixture.backfill().await;
    assert_eq!(state(&fixture, "ssn").await, "finalized");
    finalize(&fixture, &["--plaintext", "keep"], 0).await;
    // An undo is of the one that is not removed.
    super::undo(&fixture).await;
    assert_eq!(state(&fixture, "ssn").await, "finalized");
    fixture
        .exec("UPDATE people SET note = note || '' WHERE id = 4")
        .await;
    finalize(&fixture, &[], 0).await;
    sealed_as_saved(&fixture, &["ssn", "note"]).await;
    fixture.json(&["restore"]).await;
    as_it_was(&fixture).await;
}

/// Triggers of the application while values are set to NULL: they may not put one back.
#[tokio::test]
async fn a_trigger_that_puts_the_plaintext_back_stops_a_blank() {
    let sql = format!(
        "{} CREATE FUNCTION back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.ssn IS NULL THEN NEW.ssn := OLD.ssn; END IF; RETURN NEW; END $$;
         CREATE TRIGGER back BEFORE UPDATE ON people FOR EACH ROW WHEN (NEW.id = 7) EXECUTE FUNCTION back();",
        super::people(60)
    );
    for (name, how, code) in [("lost_fire", "fire", 9), ("lost_suppress", "suppress", 0)] {
        let plan = crate::backfill::beside("public.people", &["ssn"]).replacen(
            "[[table.column]]",
            &format!("triggers = \"{how}\"\n[[table.column]]"),
            1,
        );
        let fixture = Fixture::postgres(name, &sql, &plan).await;
        fixture.backfill().await;
        finalize(&fixture, &["--plaintext", "blank"], code).await;
        let done = state(&fixture, "ssn").await == "finalized";
        assert_eq!(done, code == 0, "{how}");
        sealed_as_saved(&fixture, &["ssn"]).await;
        let left = number(
            &fixture,
            "SELECT count(*) FROM people WHERE ssn IS NOT NULL",
        )
        .await;
        assert_eq!(left > 0, code != 0, "{how}");
    }
}

/// Whoever shreds a tenant's keys destroys the only copies that a finalize would leave.
#[tokio::test]
async fn a_tenant_that_is_shredded_meanwhile_is_not_called_verified() {
    let ddl = "CREATE TABLE people (id int PRIMARY KEY, clinic text NOT NULL, ssn text);
        INSERT INTO people SELECT i, 'clinic ' || i % 2, 'ssn ' || i FROM generate_series(1, 60) i;
        CREATE TABLE saved AS TABLE people";
    let plan = crate::backfill::beside("public.people", &["ssn"]).replacen(
        "[[table.column]]",
        "tenant_column = \"clinic\"\n[[table.column]]",
        1,
    );
    let fixture = Fixture::postgres("lost_shredded", ddl, &plan).await;
    for tenant in ["clinic 0", "clinic 1"] {
        let create = ["keys", "create", "--tenant", tenant];
        fixture.run(&create).await;
    }
    fixture.backfill().await;
    stopped_at(&fixture, "grace", &[]).await;
    // A key or tenant that moves takes its seal along, or does not move.
    let moved = "UPDATE people SET clinic = 'clinic 1' WHERE id = 2";
    assert_eq!(guard_says(&fixture, moved).await, "PS004");
    let moved = super::trusted(&fixture, moved);
    assert_eq!(guard_says(&fixture, &moved).await, "PS004");
    let shred = [
        "keys",
        "destroy",
        "--tenant",
        "clinic 0",
        "--confirm",
        "clinic 0",
        "--reason",
        "test",
        "--json",
    ];
    let shredded = fixture.run(&shred).await;
    let done = fixture
        .run(&super::arguments(&["--grace", "0s", "--json"]))
        .await;
    if shredded.code() == Some(0) {
        assert_eq!(done.json()["error"]["code"], "E0613", "{done:?}");
        let kept = "SELECT count(*) FROM people WHERE ssn IS NOT NULL";
        assert_eq!(number(&fixture, kept).await, 60);
        return;
    }
    assert_eq!(shredded.json()["error"]["code"], "E0616");
    assert_eq!(done.code(), Some(0));
    fixture
        .expect_sealed("public.people", &["ssn"], "saved")
        .await;
}

/// A blind index that changes its key makes another guard.
#[tokio::test]
async fn a_blind_index_that_is_rotated_meanwhile_raises_no_false_alarm() {
    let plan = format!(
        "{}blind_index = {{ column = \"ssn_bidx\", normalise = \"exact\", bits = 128 }}\n",
        crate::backfill::beside("public.people", &["ssn"])
    );
    let fixture = Fixture::postgres("lost_reindexed", &super::people(60), &plan).await;
    fixture.backfill().await;
    let finalize = fixture.phiseal(&super::arguments(&["--grace", "5s", "--json"]));
    let finalize = finalize.spawn();
    super::until_phase(&fixture, "grace").await;
    let rotate = [
        "rotate",
        "--purpose",
        "blind_index",
        "--grace",
        "0",
        "--json",
    ];
    let rotated = fixture.run(&rotate).await;
    // One of them waits for the other, and says so; no value is called wrong.
    assert!(matches!(rotated.code(), Some(0 | 8)), "{rotated:?}");
    let done = finalize.wait().await;
    assert!(matches!(done.code(), Some(0 | 8)), "{done:?}");
    super::finalize(&fixture, &[], 0).await;
    let listed = fixture.json(&["quarantine", "list"]).await;
    assert_eq!(listed.as_array().map(Vec::len), Some(0), "{listed}");
    sealed_as_saved(&fixture, &["ssn"]).await;
}

/// A plaintext that the server itself numbers has no default that could be dropped.
#[tokio::test]
async fn an_identity_column_is_finalized_or_refused_before_anything_is_changed() {
    let ddl = "CREATE TABLE people (id int PRIMARY KEY, ssn int GENERATED BY DEFAULT AS IDENTITY, note text);
        INSERT INTO people (id, note) SELECT i, 'note ' || i FROM generate_series(1, 60) i;
        CREATE TABLE saved AS TABLE people";
    let plan = crate::backfill::beside("public.people", &["ssn"]);
    let fixture = Fixture::postgres("lost_identity", ddl, &plan).await;
    fixture.backfill().await;
    let done = fixture
        .run(&super::arguments(&["--grace", "0s", "--json"]))
        .await;
    if done.code() != Some(0) {
        assert_eq!(done.expect_code(3).json()["error"]["code"], "E0612");
        assert_eq!(next_phase(&fixture).await, None);
        return;
    }
    fixture.json(&["restore"]).await;
    let identity = "SELECT attidentity::text FROM pg_attribute
        WHERE attrelid = 'people'::regclass AND attname = 'ssn'";
    assert_eq!(fixture.scalar(identity).await.as_deref(), Some("d"));
    let differ = super::differences(&fixture, "people", "saved", "id, ssn, note");
    assert_eq!(differ.await, 0);
}
