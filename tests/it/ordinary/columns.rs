//! Columns that are renamed, dropped or mistyped.

use super::{
    active, destroyed, dropped, guards, json, named, number, on_both, planned, refused, status,
    status_of,
};
use crate::oracle::NonceLedger;
use crate::support::Fixture;

const PATIENTS: &str = "CREATE TABLE patients (id integer PRIMARY KEY, ssn text, phone text);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
    INSERT INTO patients SELECT i, 's' || i, 'p' || i FROM n;
    CREATE TABLE saved_patients AS SELECT * FROM patients;";

fn beside(fixture: &Fixture, columns: &[(&str, &str)]) -> String {
    let mut plan = format!("[[table]]\nname = {:?}\n", named(fixture, "patients"));
    for (column, sealed) in columns {
        plan += &format!("[[table.column]]\nname = {column:?}\nseal_into = {sealed:?}\n");
    }
    plan
}

const BOTH: [(&str, &str); 2] = [("ssn", "ssn_sealed"), ("phone", "phone_sealed")];

async fn sealed(fixture: &Fixture) {
    fixture.exec(PATIENTS).await;
    planned(fixture, &beside(fixture, &BOTH));
    json(fixture, &["backfill"], 0).await;
}

on_both!(
    a_column_that_is_not_there_is_refused,
    a_renamed_sealed_column_is_told_at_once_and_goes_on_under_its_new_name,
    dropped_columns_stand_in_nobodys_way,
    a_stale_seal_that_verify_lists_is_mended_by_backfill,
);

// A typo after the first backfill, and a column that was renamed in the table alone or in the plan alone.
async fn a_column_that_is_not_there_is_refused(fixture: Fixture) {
    sealed(&fixture).await;
    let typo = beside(&fixture, &[("snn", "ssn_sealed"), BOTH[1]]);
    planned(&fixture, &typo);
    for command in ["backfill", "verify"] {
        let (code, _) = refused(&fixture, &[command], 3).await;
        assert_eq!(code, "E0202", "{command}");
    }
    planned(&fixture, &beside(&fixture, &BOTH));
    json(&fixture, &["backfill"], 0).await;
    fixture
        .exec("ALTER TABLE patients RENAME COLUMN phone TO telephone")
        .await;
    for command in ["backfill", "verify"] {
        let (code, said) = refused(&fixture, &[command], 3).await;
        assert_eq!(code, "E0202", "{command}: {said}");
    }
    // Renamed in the plan, too, it is the column it was: nothing stays in plaintext alone.
    planned(
        &fixture,
        &beside(&fixture, &[BOTH[0], ("telephone", "phone_sealed")]),
    );
    json(&fixture, &["backfill"], 0).await;
    fixture
        .exec("INSERT INTO patients (id, telephone) VALUES (60, 'p60')")
        .await;
    json(&fixture, &["backfill"], 0).await;
    let waiting =
        "SELECT count(*) FROM patients WHERE telephone IS NOT NULL AND phone_sealed IS NULL";
    assert_eq!(number(&fixture, waiting).await, 0);
    let verified = json(&fixture, &["verify"], 0).await;
    assert_eq!(verified["values_verified"], 101, "{verified}");
}

async fn a_renamed_sealed_column_is_told_at_once_and_goes_on_under_its_new_name(fixture: Fixture) {
    sealed(&fixture).await;
    fixture
        .exec("ALTER TABLE patients RENAME COLUMN ssn_sealed TO ssn_enc")
        .await;
    // Either the guard follows by itself, or status says at once that it does not.
    let update = "UPDATE patients SET ssn = 'changed' WHERE id = 1";
    let failed = fixture.refusal(update).await;
    let (code, said) = status(&fixture).await;
    assert!(failed.is_none() || code == Some(10), "{failed:?}\n{said}");
    planned(&fixture, &beside(&fixture, &[("ssn", "ssn_enc"), BOTH[1]]));
    json(&fixture, &["backfill"], 0).await;
    let verified = json(&fixture, &["verify"], 0).await;
    assert_eq!(
        (&verified["failed"], &verified["unsealed"]),
        (&0.into(), &0.into())
    );
    fixture
        .exec("UPDATE patients SET ssn = 'again' WHERE id = 1")
        .await;
    let blank = "SELECT count(*) FROM patients WHERE id = 1 AND ssn = 'again' AND ssn_enc IS NULL";
    assert_eq!(number(&fixture, blank).await, 1);
    let old = active(&fixture).await;
    let rotated = json(&fixture, &["rotate"], 0).await;
    assert_eq!(rotated["outcome"], "complete", "{rotated}");
    assert!(destroyed(&fixture, &old).await);
    json(&fixture, &["backfill"], 0).await;
    fixture
        .exec("UPDATE saved_patients SET ssn = 'again' WHERE id = 1")
        .await;
    let label = named(&fixture, "patients");
    let ledger = &mut NonceLedger::default();
    for column in ["ssn", "phone"] {
        let checked = fixture
            .check_against((&label, column), "saved_patients", ledger)
            .await;
        checked.expect_all_sealed();
        assert_eq!((checked.opened, checked.equal), (50, 50), "{column}");
    }
}

// A field is retired: both its columns go. Keys can be ended all the same.
async fn dropped_columns_stand_in_nobodys_way(fixture: Fixture) {
    sealed(&fixture).await;
    // The guard names them: a DBA takes it away first, which opens a gap.
    for (name, _) in guards(&fixture, "patients").await {
        fixture.exec(&dropped(&fixture, &name, "patients")).await;
    }
    fixture
        .exec(
            "ALTER TABLE patients DROP COLUMN phone; ALTER TABLE patients DROP COLUMN phone_sealed",
        )
        .await;
    let (code, said) = status(&fixture).await;
    assert_eq!(code, Some(10), "{said}");
    planned(&fixture, &beside(&fixture, &[BOTH[0]]));
    let backfill = fixture.project.phiseal(&["backfill", "--json"]).run().await;
    let forget = [
        "fields",
        "forget",
        &named(&fixture, "patients"),
        "--column",
        "phone",
        "--reason",
        "retired",
        "--yes",
    ];
    let first = active(&fixture).await;
    if backfill.code() != Some(0) {
        // It may ask for the field to be ended first, and says so.
        assert!(backfill.stdout.contains("fields forget"), "{backfill:?}");
        json(&fixture, &forget, 0).await;
        json(&fixture, &["backfill"], 0).await;
    }
    let rotated = json(&fixture, &["rotate"], 0).await;
    assert_eq!(rotated["outcome"], "complete", "{rotated}");
    assert!(destroyed(&fixture, &first).await);
    let second = active(&fixture).await;
    let done = fixture
        .project
        .phiseal(&[
            "keys",
            "compromise",
            &second,
            "--reason",
            "leaked",
            "--json",
        ])
        .run()
        .await;
    assert_eq!(
        status_of(&fixture, &second).await,
        "compromised",
        "{done:?}"
    );
    assert_eq!(done.code(), Some(0), "{done:?}");
    json(&fixture, &["verify"], 0).await;
}

async fn a_stale_seal_that_verify_lists_is_mended_by_backfill(fixture: Fixture) {
    sealed(&fixture).await;
    let guard = guards(&fixture, "patients").await;
    for (name, _) in &guard {
        fixture.exec(&dropped(&fixture, name, "patients")).await;
    }
    fixture
        .exec(
            "UPDATE patients SET ssn = 'stale' WHERE id = 3;
             UPDATE saved_patients SET ssn = 'stale' WHERE id = 3",
        )
        .await;
    for (_, text) in &guard {
        fixture.exec(text).await;
    }
    let verified = json(&fixture, &["verify"], 6).await;
    assert_eq!(verified["failed"], 1, "{verified}");
    let (code, said) = status(&fixture).await;
    assert_eq!(code, Some(10), "{said}");
    // A rotation has the plaintext before its eyes: it does not carry the wrong value on.
    let done = fixture.project.phiseal(&["rotate", "--json"]).run().await;
    assert!(matches!(done.code(), Some(0 | 6)), "{done:?}");
    json(&fixture, &["backfill"], 0).await;
    let label = named(&fixture, "patients");
    let checked = fixture
        .check_against(
            (&label, "ssn"),
            "saved_patients",
            &mut NonceLedger::default(),
        )
        .await;
    checked.expect_all_sealed();
    assert_eq!((checked.opened, checked.equal), (50, 50));
    json(&fixture, &["verify"], 0).await;
    let (code, said) = status(&fixture).await;
    assert_eq!(code, Some(0), "{said}");
}
