//! Copies of a SQLite file: by `VACUUM INTO`, and by its text.

use super::{check, json, number};
use crate::oracle::NonceLedger;
use crate::support::dump::{loaded, text_of};
use crate::support::sqlite::{Sqlite, vacuumed};
use crate::support::{Base, Fixture};

const DDL: &str =
    "CREATE TABLE people (id INTEGER PRIMARY KEY, clinic TEXT NOT NULL, ssn TEXT, note TEXT);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
    INSERT INTO people SELECT i, 'k' || (i % 2), '900-' || i, 'note ' || i FROM n;
    CREATE TABLE saved AS SELECT * FROM people;";

const PLAN: &str = r#"
[[table]]
name = "people"
tenant_column = "clinic"
[[table.column]]
name = "ssn"
seal_into = "ssn_sealed"
blind_index = { column = "ssn_bidx", normalise = "digits", bits = 128 }
[[table.column]]
name = "note"
in_place = "application-reads-both-forms"
"#;

async fn sealed() -> Fixture {
    let fixture = Fixture::sqlite(DDL, PLAN).await;
    fixture.backfill().await;
    json(&fixture, &["verify"], 0).await;
    assert_eq!(check(&fixture).await.0, Some(0));
    fixture
}

fn file(fixture: &Fixture) -> &Sqlite {
    match &fixture.base {
        Base::Sqlite(file) => file,
        Base::Postgres(_) => unreachable!("a SQLite file"),
    }
}

fn in_its_place(fixture: Fixture, copy: Sqlite) -> Fixture {
    let Fixture { project, .. } = fixture;
    project.plan(&copy.url(), PLAN);
    Fixture {
        base: Base::Sqlite(copy),
        project,
    }
}

async fn goes_on(fixture: &Fixture) {
    let guards =
        "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND name GLOB '~phiseal_*'";
    assert!(number(fixture, guards).await >= 2);
    let change = |table: &str| {
        format!(
            "UPDATE {table} SET ssn = 'changed' WHERE id = 1; UPDATE {table} SET note = 'changed' WHERE id = 2"
        )
    };
    fixture.exec(&change("people")).await;
    fixture.exec(&change("saved")).await;
    let blank = "SELECT count(*) FROM people WHERE ssn_sealed IS NULL AND ssn_bidx IS NULL";
    assert_eq!(number(fixture, blank).await, 1, "the guard blanks the seal");
    json(fixture, &["backfill"], 0).await;
    let ledger = &mut NonceLedger::default();
    for column in ["ssn", "note"] {
        let checked = fixture
            .check_against(("people", column), "saved", ledger)
            .await;
        checked.expect_all_sealed();
        assert_eq!((checked.opened, checked.equal), (40, 40), "{column}");
    }
    json(fixture, &["verify"], 0).await;
    let (code, said) = check(fixture).await;
    assert_eq!(code, Some(0), "{said}");
    super::keys_end(fixture).await;
}

#[tokio::test]
async fn a_file_made_by_vacuum_into_goes_on() {
    let fixture = sealed().await;
    let copy = vacuumed(file(&fixture)).await;
    goes_on(&in_its_place(fixture, copy)).await;
}

#[tokio::test]
async fn a_file_made_from_its_text_goes_on() {
    let fixture = sealed().await;
    let copy = loaded(&text_of(file(&fixture)).await).await;
    goes_on(&in_its_place(fixture, copy)).await;
}

// Between the text and its triggers an application wrote: the guard's words are the same, and it slept.
#[tokio::test]
async fn a_guard_that_was_dropped_and_made_again_is_a_gap() {
    let fixture = sealed().await;
    let triggers =
        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND name GLOB '~phiseal_*'";
    let triggers = file(&fixture).rows(triggers).await;
    for trigger in &triggers {
        let drop = format!("DROP TRIGGER \"{}\"", trigger[0].as_deref().unwrap());
        fixture.exec(&drop).await;
    }
    for table in ["people", "saved"] {
        let change = format!("UPDATE {table} SET ssn = 'stale' WHERE id = 3");
        fixture.exec(&change).await;
    }
    for trigger in &triggers {
        fixture.exec(trigger[1].as_deref().unwrap()).await;
    }
    let (code, said) = check(&fixture).await;
    assert_eq!(code, Some(10), "{said}");
    assert!(said.contains("not compared"), "{said}");
    goes_on(&fixture).await;
}
