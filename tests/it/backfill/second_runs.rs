//! Running it again: nothing is done twice, new columns join, an interruption resumes.

use super::beside;
use crate::support::Fixture;
use rustix::process::Signal;
use std::time::{Duration, Instant};

const PATIENTS: &str =
    "CREATE TABLE patients (id bigint PRIMARY KEY, ssn text, note text, mail text);
    INSERT INTO patients SELECT i, '123-45-' || i, CASE WHEN i % 3 = 0 THEN NULL ELSE 'n' || i END,
        'm' || i || '@x.org' FROM generate_series(1, 3000) i;
    CREATE TABLE saved AS TABLE patients;";

async fn versions(fixture: &Fixture) -> crate::support::Rows {
    let sql = "SELECT xmin::text, ctid::text, id::text FROM patients ORDER BY id";
    fixture.db().rows(sql).await
}

#[tokio::test]
async fn a_second_run_changes_no_row() {
    let in_place =
        "[[table.column]]\nname = \"note\"\nin_place = \"application-reads-both-forms\"\n";
    let plan = beside("public.patients", &["ssn"]) + in_place;
    let fixture = Fixture::postgres("second", PATIENTS, &plan).await;
    assert_eq!(fixture.json(&["backfill"]).await["rows_sealed"], 3000);
    let before = versions(&fixture).await;
    let done = fixture.json(&["backfill"]).await;
    for count in [
        "rows_found",
        "rows_sealed",
        "values_sealed",
        "conflicts",
        "quarantined",
    ] {
        assert_eq!(done[count], 0, "{count}");
    }
    assert!(
        versions(&fixture).await == before,
        "rows were written again"
    );
    fixture.json(&["verify"]).await;
    assert!(versions(&fixture).await == before, "verify wrote rows");
    fixture
        .expect_sealed("public.patients", &["ssn", "note"], "saved")
        .await;
}

#[tokio::test]
async fn a_column_added_to_the_plan_is_sealed_and_the_guard_still_covers_the_first() {
    let fixture = Fixture::postgres("added", PATIENTS, &beside("public.patients", &["ssn"])).await;
    fixture.json(&["backfill"]).await;
    let plan = beside("public.patients", &["ssn", "note"]);
    fixture.project.plan(&fixture.url(), &plan);
    assert_eq!(fixture.json(&["backfill"]).await["values_sealed"], 2000);
    // Only the second column in the plan: the first is still sealed, and still guarded.
    let only_mail = beside("public.patients", &["mail"]);
    fixture.project.plan(&fixture.url(), &only_mail);
    assert_eq!(fixture.json(&["backfill"]).await["values_sealed"], 3000);
    let columns = ["ssn", "note", "mail"];
    fixture
        .expect_sealed("public.patients", &columns, "saved")
        .await;
    for column in columns {
        let set = format!("UPDATE patients SET {column} = 'changed' WHERE id = 1");
        fixture.db().exec(&set).await;
        let blank =
            format!("SELECT count(*) FROM patients WHERE {column}_sealed IS NULL AND id = 1");
        assert_eq!(
            fixture.db().count(&blank).await,
            1,
            "{column} keeps a stale seal"
        );
    }
    fixture
        .db()
        .exec("UPDATE saved SET ssn = 'changed', note = 'changed', mail = 'changed' WHERE id = 1")
        .await;
    fixture
        .project
        .plan(&fixture.url(), &beside("public.patients", &columns));
    assert_eq!(fixture.json(&["backfill"]).await["values_sealed"], 3);
    fixture
        .expect_sealed("public.patients", &columns, "saved")
        .await;
}

#[tokio::test]
async fn an_interrupt_ends_it_within_seconds_and_the_next_run_resumes() {
    let sql = "CREATE TABLE patients (id bigint PRIMARY KEY, ssn text);
        INSERT INTO patients SELECT i, '123-45-' || i FROM generate_series(1, 60000) i;
        CREATE TABLE saved AS TABLE patients;";
    for signal in [Signal::INT, Signal::TERM] {
        let fixture = Fixture::postgres("signal", sql, &beside("public.patients", &["ssn"])).await;
        let mut running = fixture.phiseal(&["backfill", "--json"]).spawn();
        let sealed = "SELECT count(*) FROM phiseal.lanes WHERE rows_written > 0 AND state = 'open'";
        let deadline = Instant::now() + Duration::from_secs(120);
        while fixture.db().count(sealed).await == 0 {
            assert!(Instant::now() < deadline, "nothing was sealed in time");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let asked = Instant::now();
        running.signal(signal);
        let ended = running.wait().await.expect_code(5);
        assert!(
            asked.elapsed() < Duration::from_secs(20),
            "{:?}",
            asked.elapsed()
        );
        assert_eq!(ended.json()["exit_code"], 5);
        let left = fixture
            .db()
            .count("SELECT count(*) FROM patients WHERE ssn_sealed IS NULL")
            .await;
        assert!(left > 0, "it was done before the signal came");
        let done = fixture.json(&["backfill"]).await;
        assert_eq!(
            (&done["resumed"], &done["rows_sealed"]),
            (&true.into(), &left.into())
        );
        assert_eq!(
            fixture
                .expect_sealed("public.patients", &["ssn"], "saved")
                .await,
            60000
        );
    }
}
