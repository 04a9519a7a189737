//! The whole way: finalized by each method, and back by restore, as it was before.

use super::{
    as_it_was, audited, columns, finalize, guard_says, has, number, on_both, sealed,
    sealed_as_saved, state, trusted,
};
use crate::backfill::types;
use crate::support::Fixture;

on_both!(dropped_and_back, 60, dropped);

async fn dropped(fixture: Fixture) {
    let done = finalize(&fixture, &[], 0).await;
    let table = &done["tables"][0];
    assert_eq!(table["plaintext"], "drop", "{done}");
    assert_eq!(table["values_verified"], 100, "{done}");
    assert!(!has(&fixture, "ssn").await && !has(&fixture, "note").await);
    assert_eq!(state(&fixture, "ssn").await, "finalized");
    sealed_as_saved(&fixture, &["ssn", "note"]).await;
    // Nothing is left to do, and there is no undo.
    let again = finalize(&fixture, &[], 0).await;
    assert_eq!(again["tables"], serde_json::json!([]));
    let undone = fixture.refused(&["finalize", "--undo"], 3).await;
    assert_eq!(undone, "E0615");
    // What runs over the table afterwards does not say that plaintext is there again.
    fixture.backfill().await;
    fixture.json(&["verify"]).await;
    fixture.json(&["rotate"]).await;
    assert_eq!(state(&fixture, "ssn").await, "finalized");
    assert_eq!(
        audited(&fixture).await,
        ["finalize.begin", "finalize.remove", "finalize.finalized"]
    );

    assert_eq!(fixture.json(&["restore"]).await["values_restored"], 100);
    as_it_was(&fixture).await;
    assert_eq!(state(&fixture, "ssn").await, "sealed");
    // The guard is the one of a table with plaintext again.
    fixture
        .exec("UPDATE people SET ssn = 'other' WHERE id = 1")
        .await;
    let blank = "SELECT count(*) FROM people WHERE ssn_sealed IS NULL";
    assert_eq!(number(&fixture, blank).await, 1);
    fixture
        .exec("UPDATE saved SET ssn = 'other' WHERE id = 1")
        .await;
    fixture.backfill().await;
    as_it_was(&fixture).await;
    finalize(&fixture, &[], 0).await;
    sealed_as_saved(&fixture, &["ssn", "note"]).await;
}

on_both!(blanked_and_back, 60, blanked);

async fn blanked(fixture: Fixture) {
    let done = finalize(&fixture, &["--plaintext", "blank"], 0).await;
    assert_eq!(done["tables"][0]["values_blanked"], 100, "{done}");
    let left = "SELECT count(*) FROM people WHERE ssn IS NOT NULL OR note IS NOT NULL";
    assert_eq!(number(&fixture, left).await, 0);
    assert_eq!(state(&fixture, "note").await, "finalized");
    sealed_as_saved(&fixture, &["ssn", "note"]).await;
    let write = "UPDATE people SET ssn = 'plaintext' WHERE id = 1";
    assert_eq!(guard_says(&fixture, write).await, "PS007");
    fixture.json(&["restore"]).await;
    as_it_was(&fixture).await;
    fixture.json(&["restore", "--drop-sealed", "--yes"]).await;
    assert_eq!(columns(&fixture, "people", "ssn").await, ["ssn"]);
}

on_both!(kept_and_then_dropped, 60, kept);

async fn kept(fixture: Fixture) {
    finalize(&fixture, &["--plaintext", "keep"], 0).await;
    as_it_was(&fixture).await;
    assert_ne!(state(&fixture, "ssn").await, "finalized");
    for write in [
        "UPDATE people SET ssn = 'plaintext' WHERE id = 1",
        "UPDATE people SET ssn = NULL WHERE id = 1",
        "INSERT INTO people (id, ssn) VALUES (900, 'plaintext')",
    ] {
        assert_eq!(guard_says(&fixture, write).await, "PS007", "{write}");
    }
    // What names no plaintext goes on, and so does an application that seals.
    fixture
        .exec("UPDATE people SET other = 0 WHERE id = 1")
        .await;
    fixture
        .exec("UPDATE saved SET other = 0 WHERE id = 1")
        .await;
    let value = sealed(&fixture, "ssn", 2, "sealed by itself").await;
    let write = format!("UPDATE people SET ssn_sealed = {value} WHERE id = 2");
    fixture.exec(&trusted(&fixture, &write)).await;
    let gone = "SELECT count(*) FROM people WHERE id = 2 AND ssn IS NULL";
    assert_eq!(number(&fixture, gone).await, 1);
    fixture
        .exec("UPDATE saved SET ssn = 'sealed by itself' WHERE id = 2")
        .await;
    finalize(&fixture, &[], 0).await;
    sealed_as_saved(&fixture, &["ssn", "note"]).await;
    assert!(!has(&fixture, "ssn").await);
}

async fn in_place(fixture: Fixture) {
    fixture.backfill().await;
    finalize(&fixture, &[], 0).await;
    assert_eq!(state(&fixture, "ssn").await, "finalized");
    for write in [
        "UPDATE people SET ssn = 'plaintext' WHERE id = 1",
        "INSERT INTO people (id, ssn) VALUES (900, 'plaintext')",
    ] {
        assert_eq!(guard_says(&fixture, write).await, "PS007", "{write}");
    }
    sealed_as_saved(&fixture, &["ssn"]).await;
    fixture.json(&["restore"]).await;
    let differ = super::differences(&fixture, "people", "saved", "id, ssn, note, other").await;
    assert_eq!(differ, 0);
    // The application writes plaintext again, as before the finalize.
    fixture
        .exec("UPDATE people SET ssn = 'plaintext' WHERE id = 1")
        .await;
}

fn plan_in_place(table: &str) -> String {
    format!(
        "[[table]]\nname = \"{table}\"\n[[table.column]]\nname = \"ssn\"\n\
         in_place = \"application-reads-both-forms\"\n"
    )
}

#[tokio::test]
async fn in_place_and_back_in_postgres() {
    let plan = plan_in_place("public.people");
    in_place(Fixture::postgres("finalize_place", &super::people(60), &plan).await).await;
}

#[tokio::test]
async fn in_place_and_back_in_sqlite() {
    in_place(Fixture::sqlite(&super::people(60), &plan_in_place("people")).await).await;
}

/// Everything the catalog says of the columns, but their order.
const SHAPE: &str = "SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod),
        CASE WHEN attcollation <> 0 THEN attcollation::regcollation END, attnotnull,
        pg_get_expr(adbin, adrelid), col_description(attrelid, attnum)), '; ' ORDER BY attname)
    FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE attrelid = 'people'::regclass AND attnum > 0 AND NOT attisdropped";

/// With a default that an application's own function makes, a comment with quotes, and an index.
const SHAPED: &str = "CREATE SCHEMA app; CREATE FUNCTION app.unknown() RETURNS text LANGUAGE sql AS 'SELECT $$none$$::text';
    CREATE TABLE people (id int PRIMARY KEY, ssn varchar(40) COLLATE \"C\" NOT NULL DEFAULT app.unknown(),
        note text, other int);
    COMMENT ON COLUMN people.ssn IS 'the \"number\", as it''s written';
    CREATE INDEX people_ssn ON people (lower(ssn));
    INSERT INTO people SELECT i, 'ssn ' || i, 'note ' || i, i FROM generate_series(1, 60) i;
    CREATE TABLE saved AS TABLE people";

#[tokio::test]
async fn type_default_not_null_comment_and_index_come_back_again_and_again() {
    let plan = crate::backfill::beside("public.people", &["ssn", "note"]);
    let fixture = Fixture::postgres("finalize_shape", SHAPED, &plan).await;
    fixture.backfill().await;
    let before = fixture.scalar(SHAPE).await.unwrap();
    // An undo of nothing, and every way there and back, one after the other.
    super::undo(&fixture).await;
    for fate in ["drop", "blank", "drop", "keep", "drop"] {
        finalize(&fixture, &["--plaintext", fate], 0).await;
        let filled = "SELECT attnotnull::text FROM pg_attribute
            WHERE attrelid = 'people'::regclass AND attname = 'ssn_sealed'";
        assert_eq!(
            fixture.scalar(filled).await.as_deref(),
            Some("true"),
            "{fate}"
        );
        let back = fixture.json(&["restore"]).await;
        assert_eq!(fixture.scalar(SHAPE).await.unwrap(), before, "{fate}");
        as_it_was(&fixture).await;
        let statements = back["statements"].to_string();
        let printed = statements.contains("CREATE INDEX people_ssn");
        assert_eq!(printed, fate == "drop", "{fate}: {statements}");
        if printed {
            let sql = back["statements"][0].as_str().unwrap();
            fixture.exec(sql).await;
        }
    }
}

#[tokio::test]
async fn values_of_every_type_come_back_as_the_same_sql_value() {
    let columns = types::columns();
    let plan = crate::backfill::beside("public.every", &columns);
    let fixture = Fixture::postgres("finalize_types", &types::every_type(), &plan).await;
    fixture.backfill().await;
    for fate in ["drop", "blank"] {
        finalize(&fixture, &["--plaintext", fate], 0).await;
        fixture
            .expect_sealed("public.every", &columns, "saved")
            .await;
        fixture.json(&["restore"]).await;
        let row = |table: &str| {
            format!(
                "SELECT row(id, other, {})::text AS image FROM {table}",
                columns.join(", ")
            )
        };
        let (left, right) = (row("every"), row("saved"));
        let differ = format!(
            "SELECT count(*) FROM (({left} EXCEPT ALL {right}) UNION ALL ({right} EXCEPT ALL {left})) d"
        );
        assert_eq!(number(&fixture, &differ).await, 0, "{fate}");
    }
}

/// A domain whose own default or condition would meet a column that is made without values.
#[tokio::test]
async fn a_column_of_a_domain_comes_back() {
    let sql = "CREATE DOMAIN filled AS text NOT NULL CHECK (VALUE <> ''); CREATE DOMAIN defaulted AS text DEFAULT 'none';
        CREATE TABLE people (id int PRIMARY KEY, ssn filled, note defaulted, other int);
        INSERT INTO people SELECT i, 'ssn ' || i, 'note ' || i, i FROM generate_series(1, 60) i;
        CREATE TABLE saved AS SELECT id, ssn::text, note::text, other FROM people";
    let plan = crate::backfill::beside("public.people", &["ssn", "note"]);
    let fixture = Fixture::postgres("finalize_domain", sql, &plan).await;
    let before = fixture.scalar(SHAPE).await;
    fixture.backfill().await;
    let done = fixture.phiseal(&super::arguments(&["--grace", "0s", "--json"]));
    let done = done.run().await;
    // Refused before anything is removed, or restored as it was.
    if done.code() == Some(0) {
        // A domain that takes no NULL is for a person: nothing else can be in a column that is just made.
        let restored = fixture.json(&["restore"]).await;
        let printed = restored["statements"].as_array().unwrap();
        assert_eq!(printed.len(), 1, "{restored}");
        assert_eq!(differing(&fixture).await, 0);
        fixture.json(&["restore", "--drop-sealed", "--yes"]).await;
        fixture.exec(printed[0].as_str().unwrap()).await;
    }
    assert_eq!(differing(&fixture).await, 0);
    assert_eq!(fixture.scalar(SHAPE).await, before);
}

async fn differing(fixture: &Fixture) -> i64 {
    let differ = "SELECT count(*) FROM people JOIN saved USING (id)
        WHERE people.ssn IS DISTINCT FROM saved.ssn OR people.note IS DISTINCT FROM saved.note";
    number(fixture, differ).await
}

#[tokio::test]
async fn names_with_quotes_capitals_and_63_bytes() {
    let long = "x".repeat(63);
    let names = [
        "Ssn \"q\" é",
        long.as_str(),
        "a.b;--",
        "select",
        "~phiseal_hidden_x",
    ];
    let quoted = names.map(|name| format!("\"{}\"", name.replace('"', "\"\"")));
    let sql = format!(
        "CREATE TABLE \"People \"\"é\" (\"Id é\" int PRIMARY KEY, {} text);
         INSERT INTO \"People \"\"é\" SELECT i, {} FROM generate_series(1, 20) i;
         CREATE TABLE saved AS TABLE \"People \"\"é\"",
        quoted.join(" text, "),
        (0..names.len())
            .map(|n| format!("'value {n} ' || i"))
            .collect::<Vec<_>>()
            .join(", ")
    );
    let mut plan = "[[table]]\nname = 'public.\"People \"\"é\"'\n".to_owned();
    for (n, name) in quoted.iter().enumerate() {
        plan += &format!("[[table.column]]\nname = '{name}'\nseal_into = \"sealed_{n}\"\n");
    }
    let fixture = Fixture::postgres("finalize_names", &sql, &plan).await;
    fixture.backfill().await;
    for more in [
        &["--grace", "1s"][..],
        &["--grace", "0s", "--plaintext", "blank"],
    ] {
        let done = fixture.json(&super::arguments(more)).await;
        assert_eq!(done["tables"][0]["values_verified"], 100, "{done}");
        fixture.json(&["restore"]).await;
        let compared = format!("\"Id é\", {}", quoted.join(", "));
        let differ = super::differences(&fixture, "\"People \"\"é\"", "saved", &compared);
        assert_eq!(differ.await, 0);
    }
}

on_both!(an_empty_table, 1, empty);

async fn empty(fixture: Fixture) {
    fixture.exec("DELETE FROM people; DELETE FROM saved").await;
    for fate in ["drop", "blank"] {
        finalize(&fixture, &["--plaintext", fate], 0).await;
        assert_eq!(state(&fixture, "ssn").await, "finalized");
        fixture.json(&["restore"]).await;
        assert!(has(&fixture, "ssn").await);
        as_it_was(&fixture).await;
    }
}

#[tokio::test]
async fn no_statistics_show_a_blanked_value() {
    let fixture = super::postgres("finalize_stats", 60).await;
    fixture
        .exec("ALTER TABLE people ALTER ssn SET STATISTICS 300; UPDATE people SET other = 1; ANALYZE people")
        .await;
    let shown =
        "SELECT count(*) FROM pg_stats WHERE tablename = 'people' AND attname IN ('ssn', 'note')
        AND (most_common_vals IS NOT NULL OR histogram_bounds IS NOT NULL)";
    assert!(number(&fixture, shown).await > 0, "the control");
    finalize(&fixture, &["--plaintext", "blank"], 0).await;
    assert_eq!(number(&fixture, shown).await, 0);
    fixture.exec("ANALYZE people").await;
    assert_eq!(number(&fixture, shown).await, 0);
    fixture.json(&["restore"]).await;
    let target =
        "SELECT count(*) FROM pg_attribute WHERE attrelid = 'people'::regclass AND attname = 'note'
        AND attstattarget = 0";
    assert_eq!(
        number(&fixture, target).await,
        0,
        "restore gives the statistics back"
    );
}
