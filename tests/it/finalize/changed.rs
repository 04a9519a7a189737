//! What could lose a value between the verification and the removal: each is refused, or makes the
//! finalize verify everything again, and nothing is called finalized while its plaintext is there.

use super::{
    as_it_was, columns, differences, finalize, guard_says, has, hidden, next_phase, number,
    postgres, sealed, sealed_as_saved, state, stopped_at, trusted,
};
use crate::support::{Fixture, unguarded};

/// A finalize that was stopped while the columns are hidden, and the name of the hidden ssn.
pub async fn hidden_people(name: &str) -> (Fixture, String) {
    let fixture = postgres(name, 60).await;
    stopped_at(&fixture, "grace", &["--column", "ssn"]).await;
    let column = hidden(&fixture, "people").await;
    (fixture, column)
}

/// Goes on with it.
pub async fn goes_on(fixture: &Fixture) -> crate::support::phiseal::Finished {
    let args = ["--grace", "0s", "--column", "ssn", "--json"];
    fixture.run(&super::arguments(&args)).await
}

/// The plaintext of row 9 was changed to this, and the guard did not see it.
async fn not_finalized(fixture: &Fixture, what: &str) {
    let run = goes_on(fixture).await.expect_code(6);
    assert_eq!(run.json()["error"]["code"], "E0613", "{what}");
    assert!(run.stderr.contains("verifying everything again"), "{what}");
    let kept = fixture.scalar("SELECT ssn FROM people WHERE id = 9").await;
    assert_eq!(kept.as_deref(), Some("changed"), "{what}");
    assert_ne!(state(fixture, "ssn").await, "finalized", "{what}");
}

#[tokio::test]
async fn a_guard_that_was_off_for_a_time_is_noticed_and_the_plaintext_stays() {
    let (disabled, column) = hidden_people("lost_disabled").await;
    let change = format!("UPDATE people SET {column} = 'changed' WHERE id = 9;");
    disabled.exec(&unguarded("people", &change)).await;
    not_finalized(&disabled, "disabled").await;

    let (replaced, column) = hidden_people("lost_replaced").await;
    let change = format!("UPDATE people SET {column} = 'changed' WHERE id = 9");
    let definition = "SELECT pg_get_functiondef(tgfoid) FROM pg_trigger
        WHERE tgrelid = 'people'::regclass AND tgname = '~phiseal_u'";
    let definition = replaced.scalar(definition).await.unwrap();
    let idle = definition.replacen("BEGIN\n", "BEGIN RETURN NEW;\n", 1);
    assert_ne!(idle, definition);
    replaced
        .exec(&format!("{idle}; {change}; {definition}"))
        .await;
    not_finalized(&replaced, "another function").await;

    let (dropped, column) = hidden_people("lost_dropped").await;
    let change = format!("UPDATE people SET {column} = 'changed' WHERE id = 9");
    let trigger = "SELECT pg_get_triggerdef(oid) FROM pg_trigger
        WHERE tgrelid = 'people'::regclass AND tgname = '~phiseal_u'";
    let trigger = dropped.scalar(trigger).await.unwrap();
    let sql = format!(
        "BEGIN; DROP TRIGGER \"~phiseal_u\" ON people; {change}; {trigger};
         ALTER TABLE people ENABLE ALWAYS TRIGGER \"~phiseal_u\"; COMMIT"
    );
    dropped.exec(&sql).await;
    not_finalized(&dropped, "another trigger").await;
}

#[tokio::test]
async fn a_guard_that_was_off_and_hid_nothing_costs_another_verification() {
    let (fixture, _) = hidden_people("lost_nothing").await;
    fixture.exec(&unguarded("people", "")).await;
    let run = goes_on(&fixture).await.expect_code(0);
    assert!(
        run.stderr.contains("verifying everything again"),
        "{}",
        run.stderr
    );
    assert_eq!(state(&fixture, "ssn").await, "finalized");
    sealed_as_saved(&fixture, &["ssn"]).await;
}

/// phiseal's constraints of the ssn, each with the statement that adds it.
async fn constraints(fixture: &Fixture) -> Vec<(String, String)> {
    let sql = "SELECT conname, format('ALTER TABLE people ADD CONSTRAINT %I %s', conname, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE conrelid = 'people'::regclass AND conname LIKE 'phiseal\\_sealed%'";
    let rows = fixture.db().rows(sql).await;
    let pair = |row: Vec<Option<String>>| (row[0].clone().unwrap(), row[1].clone().unwrap());
    rows.into_iter().map(pair).collect()
}

#[tokio::test]
async fn a_constraint_that_was_dropped_or_replaced_is_made_and_verified_again() {
    for (name, again) in [("lost_constraint", false), ("lost_constraint_again", true)] {
        let (fixture, column) = hidden_people(name).await;
        for (constraint, add) in constraints(&fixture).await {
            fixture
                .exec(&format!("ALTER TABLE people DROP CONSTRAINT {constraint}"))
                .await;
            let insert = format!("INSERT INTO people (id, {column}) VALUES (900, 'unsealed');");
            fixture.exec(&unguarded("people", &insert)).await;
            if again {
                // The row contradicts it.
                fixture.exec(&format!("{add} NOT VALID")).await;
            }
        }
        fixture
            .exec("INSERT INTO saved (id, ssn) VALUES (900, 'unsealed')")
            .await;
        let run = goes_on(&fixture).await.expect_code(0);
        assert!(
            run.stderr.contains("verifying everything again"),
            "{}",
            run.stderr
        );
        // What came unseen was sealed before the column went.
        sealed_as_saved(&fixture, &["ssn"]).await;
        assert!(columns(&fixture, "people", "~phiseal").await.is_empty());
    }
}

#[tokio::test]
async fn no_write_gets_by_the_guard_of_a_hidden_column() {
    let (fixture, column) = hidden_people("lost_writes").await;
    guarded(&fixture, &column).await;
    goes_on(&fixture).await.expect_code(0);
    sealed_as_saved(&fixture, &["ssn"]).await;
    let moved = "UPDATE people SET id = 1007 WHERE id = 7";
    assert_eq!(guard_says(&fixture, moved).await, "PS004");
}

/// What the guard refuses, and what it takes, while the plaintext is hidden.
async fn guarded(fixture: &Fixture, column: &str) {
    let trusted = |sql: &str| trusted(fixture, sql);
    let replica = "SET session_replication_role = replica";
    let refused = [
        (
            "PS007",
            format!("UPDATE people SET {column} = 'other' WHERE id = 5"),
        ),
        (
            "PS007",
            format!("UPDATE people SET {column} = NULL WHERE id = 5"),
        ),
        (
            "PS007",
            format!("INSERT INTO people (id, {column}) VALUES (900, 'other')"),
        ),
        (
            "PS004",
            "UPDATE people SET id = 1007 WHERE id = 7".to_owned(),
        ),
        (
            "PS006",
            "UPDATE people SET ssn_sealed = NULL WHERE id = 5".to_owned(),
        ),
        (
            "PS007",
            trusted(&format!(
                "UPDATE people SET {column} = 'other' WHERE id = 5"
            )),
        ),
        (
            "PS007",
            trusted(&format!("UPDATE people SET {column} = NULL WHERE id = 5")),
        ),
        ("PS004", trusted("UPDATE people SET id = 1007 WHERE id = 7")),
        (
            "PS007",
            format!("BEGIN; {replica}; UPDATE people SET {column} = 'other' WHERE id = 5; COMMIT"),
        ),
        (
            "0A000",
            format!("ALTER TABLE people ALTER {column} TYPE varchar(100) USING upper({column})"),
        ),
    ];
    for (code, sql) in refused {
        assert_eq!(guard_says(fixture, &sql).await, code, "{sql}");
    }
    assert_eq!(
        differences(fixture, "people", "saved", "id, note, other").await,
        0
    );
    // An application that seals writes the sealed value alone, also for another key of the row.
    let value = sealed(fixture, "ssn", 5, "sealed by itself").await;
    let write = format!("UPDATE people SET ssn_sealed = {value} WHERE id = 5");
    fixture.exec(&trusted(&write)).await;
    let value = sealed(fixture, "ssn", 1006, "moved").await;
    let write = format!("UPDATE people SET id = 1006, ssn_sealed = {value} WHERE id = 6");
    let moved = trusted(&write);
    // The note is bound to the key too.
    assert_eq!(guard_says(fixture, &moved).await, "nothing");
    let stale =
        format!("SELECT count(*) FROM people WHERE id IN (5, 1006) AND {column} IS NOT NULL");
    assert_eq!(number(fixture, &stale).await, 0);
    fixture
        .exec(
            "UPDATE saved SET ssn = 'sealed by itself' WHERE id = 5;
             UPDATE saved SET ssn = 'moved', id = 1006 WHERE id = 6",
        )
        .await;
}

/// A column that restore made again has another number than the one that was sealed first.
#[tokio::test]
async fn the_guard_of_a_hidden_column_that_was_restored_before_is_whole() {
    let fixture = postgres("lost_second", 60).await;
    finalize(&fixture, &["--column", "ssn"], 0).await;
    fixture.json(&["restore", "--column", "ssn"]).await;
    stopped_at(&fixture, "grace", &["--column", "ssn"]).await;
    let column = hidden(&fixture, "people").await;
    guarded(&fixture, &column).await;
    let undone = fixture
        .json(&["finalize", "--undo", "--column", "ssn"])
        .await;
    assert_eq!(
        undone["tables"].as_array().map(Vec::len),
        Some(1),
        "{undone}"
    );
    // A value that was sealed meanwhile has no plaintext, and certainly not an older one.
    let stale = "SELECT count(*) FROM people JOIN saved USING (id)
        WHERE people.ssn IS NOT NULL AND people.ssn <> saved.ssn";
    assert_eq!(number(&fixture, stale).await, 0);
    fixture.json(&["restore", "--column", "ssn"]).await;
    assert_eq!(differences(&fixture, "people", "saved", "id, ssn").await, 0);
    sealed_as_saved(&fixture, &["ssn"]).await;
}

/// Whatever it does: no plaintext is there that it says is gone.
async fn honest(fixture: &Fixture, what: &str, kept_in: &[&str]) {
    let run = goes_on(fixture).await;
    let left = columns(fixture, "people", "~phiseal_hidden_").await;
    if run.code() == Some(0) {
        assert_eq!(state(fixture, "ssn").await, "finalized", "{what}");
        assert!(left.is_empty(), "{what}: {left:?} is still there");
        for column in kept_in {
            assert!(
                !has(fixture, column).await,
                "{what}: {column} is still there"
            );
        }
    } else {
        assert_ne!(state(fixture, "ssn").await, "finalized", "{what}");
        assert!(run.json()["error"]["hint"].is_string(), "{what}: {run:?}");
    }
}

#[tokio::test]
async fn a_column_of_the_old_name_is_not_taken_for_the_hidden_one() {
    // As a tool does that compares models with the table.
    let (fixture, _) = hidden_people("lost_readded").await;
    fixture.exec("ALTER TABLE people ADD COLUMN ssn text").await;
    honest(&fixture, "added in the grace period", &[]).await;

    let (fixture, column) = hidden_people("lost_readded_undo").await;
    fixture.exec("ALTER TABLE people ADD COLUMN ssn text").await;
    fixture.exec("ALTER TABLE people DROP COLUMN ssn").await;
    assert!(!column.is_empty());
    fixture
        .json(&["finalize", "--undo", "--column", "ssn"])
        .await;
    as_it_was(&fixture).await;

    let fixture = postgres("lost_renamed", 60).await;
    let mut holder = fixture.db().pool().begin().await.unwrap();
    let id = "SELECT txid_current()";
    sqlx::raw_sql(id).execute(&mut *holder).await.unwrap();
    stopped_at(&fixture, "settle", &["--column", "ssn"]).await;
    let rename = "ALTER TABLE people RENAME ssn TO ssn_old; ALTER TABLE people ADD COLUMN ssn text";
    fixture.exec(rename).await;
    holder.rollback().await.unwrap();
    honest(&fixture, "renamed, and another in its place", &["ssn_old"]).await;
}

#[tokio::test]
async fn a_column_that_comes_back_afterwards_is_not_called_finalized() {
    let fixture = postgres("lost_after", 60).await;
    finalize(&fixture, &["--column", "ssn"], 0).await;
    let add = "ALTER TABLE people ADD COLUMN ssn text; UPDATE people SET ssn = 'again'";
    fixture.exec(add).await;
    let check = fixture.run(&["status", "--check"]).await;
    check.expect_code(10);
}

#[tokio::test]
async fn what_was_put_on_the_column_meanwhile_is_refused_and_not_dropped_with_it() {
    let (fixture, column) = hidden_people("lost_unique").await;
    fixture
        .exec(&format!(
            "ALTER TABLE people ADD CONSTRAINT late UNIQUE ({column})"
        ))
        .await;
    let run = goes_on(&fixture).await.expect_code(3);
    let code = run.json()["error"]["code"].as_str().unwrap().to_owned();
    assert!(code == "E0612" || code == "E0516", "{code}");
    assert!(next_phase(&fixture).await.is_some());
    fixture
        .exec("ALTER TABLE people DROP CONSTRAINT late")
        .await;
    fixture
        .exec(&format!("CREATE VIEW late AS SELECT {column} FROM people"))
        .await;
    goes_on(&fixture).await.expect_code(3);
    fixture.exec("DROP VIEW late").await;
    goes_on(&fixture).await.expect_code(0);
    sealed_as_saved(&fixture, &["ssn"]).await;
}

#[tokio::test]
async fn a_truncated_a_rewritten_and_a_renamed_table_lose_nothing() {
    let (fixture, _) = hidden_people("lost_full").await;
    fixture.exec("VACUUM FULL people").await;
    goes_on(&fixture).await.expect_code(0);
    sealed_as_saved(&fixture, &["ssn"]).await;

    let (fixture, _) = hidden_people("lost_table").await;
    fixture.exec("ALTER TABLE people RENAME TO persons").await;
    goes_on(&fixture).await.expect_code(3);
    fixture.exec("ALTER TABLE persons RENAME TO people").await;
    goes_on(&fixture).await.expect_code(0);
    sealed_as_saved(&fixture, &["ssn"]).await;

    let (fixture, _) = hidden_people("lost_truncated").await;
    fixture.exec("TRUNCATE people; TRUNCATE saved").await;
    goes_on(&fixture).await.expect_code(0);
    sealed_as_saved(&fixture, &["ssn"]).await;
}
