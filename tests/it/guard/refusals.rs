//! What the guard refuses, each with a SQLSTATE of its own, and what it does not depend on.

use super::{blank, people, sealed_ssn};
use crate::support::{Fixture, marked};

const ONE: &str = "[[table]]\nname = \"public.notes\"\n[[table.column]]\nname = \"note\"\n\
    seal_into = \"note_sealed\"\n";
const IN_PLACE: &str = "[[table]]\nname = \"public.notes\"\n[[table.column]]\nname = \"note\"\n\
    in_place = \"application-reads-both-forms\"\n";

fn trusted(sql: &str) -> String {
    format!("BEGIN; SET LOCAL phiseal.sealer = 'on'; {sql}; COMMIT")
}

/// The SQLSTATE of a statement; empty where it goes through.
async fn state(fixture: &Fixture, sql: &str) -> String {
    let mut connection = fixture.db().connection().await;
    let outcome = sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&mut connection)
        .await;
    match outcome {
        Ok(_) => String::new(),
        Err(error) => error
            .as_database_error()
            .and_then(|error| error.code().map(String::from))
            .unwrap_or_else(|| error.to_string()),
    }
}

#[tokio::test]
async fn each_refusal_has_a_code_of_its_own() {
    let ddl = "CREATE TABLE notes (id int PRIMARY KEY, note text, other int);
        INSERT INTO notes SELECT i, 'note ' || i, i FROM generate_series(1, 10) i";
    let fixture = Fixture::postgres("guard_codes", ddl, ONE).await;
    fixture.backfill().await;
    let clear = "UPDATE notes SET note = NULL WHERE id = 9";
    fixture.exec(&marked("clear", "public.notes", clear)).await;
    let foreign = "note_sealed = '\\xe70100000001'::bytea || substr(note_sealed, 7)";
    for (sql, expected) in [
        (
            trusted(&format!("UPDATE notes SET {foreign} WHERE id = 1")),
            "PS002",
        ),
        (
            "INSERT INTO notes (id, note_sealed) SELECT 20, note_sealed FROM notes WHERE id = 1"
                .to_owned(),
            "PS003",
        ),
        ("UPDATE notes SET id = 19 WHERE id = 9".to_owned(), "PS004"),
        (trusted("UPDATE notes SET id = 19 WHERE id = 9"), "PS004"),
        (format!("UPDATE notes SET {foreign} WHERE id = 1"), "PS006"),
        (
            "UPDATE notes SET note_sealed = NULL, other = 7 WHERE id = 1".to_owned(),
            "PS006",
        ),
        (
            "UPDATE notes SET note_sealed = NULL WHERE id = 9".to_owned(),
            "PS006",
        ),
        // What an application that knows nothing of seals does all day.
        (
            "UPDATE notes SET note = note, note_sealed = note_sealed, other = 7 WHERE id = 1"
                .to_owned(),
            "",
        ),
        (
            "UPDATE notes SET note = 'new', note_sealed = NULL WHERE id = 2".to_owned(),
            "",
        ),
        ("UPDATE notes SET id = 13 WHERE id = 3".to_owned(), ""),
    ] {
        assert_eq!(state(&fixture, &sql).await, expected, "{sql}");
    }
    let kept = "SELECT count(*) FROM notes WHERE id = 1 AND note_sealed IS NOT NULL AND other = 7";
    assert_eq!(fixture.db().count(kept).await, 1);
    // As the plan says from now on; a rotation, which reads no such line, leaves it so.
    let undo = ONE.replace(
        "[[table.column]]",
        "on_untrusted_seal = \"undo\"\n[[table.column]]",
    );
    fixture.project.plan(&fixture.url(), &undo);
    fixture.backfill().await;
    fixture.project.plan(&fixture.url(), "");
    for args in [&["rotate"][..], &["status"]] {
        fixture.project.phiseal(args).run().await.expect_code(0);
    }
    let undone = "UPDATE notes SET note_sealed = NULL, other = 8 WHERE id = 1";
    assert_eq!(state(&fixture, undone).await, "");
    assert_eq!(fixture.db().count(&kept.replace('7', "8")).await, 1);
}

#[tokio::test]
async fn in_place_a_trusted_writer_moves_no_value_to_another_row_either() {
    let ddl = "CREATE TABLE notes (id int PRIMARY KEY, note text);
        INSERT INTO notes SELECT i, 'note ' || i FROM generate_series(1, 10) i";
    let fixture = Fixture::postgres("guard_in_place_moves", ddl, IN_PLACE).await;
    fixture.backfill().await;
    for sql in [
        "UPDATE notes SET id = 20 WHERE id = 1",
        "UPDATE notes SET id = 20, note = note WHERE id = 1",
    ] {
        assert_eq!(state(&fixture, sql).await, "PS004", "{sql}");
        assert_eq!(state(&fixture, &trusted(sql)).await, "PS004", "{sql}");
    }
    let with_value = trusted("UPDATE notes SET id = 20, note = 'moved' WHERE id = 1");
    assert_eq!(state(&fixture, &with_value).await, "");
}

/// Neither a pattern nor a comparison fits a collation that is not deterministic.
#[tokio::test]
async fn in_place_a_column_of_any_collation_is_written_after_it_was_sealed() {
    let ddl = "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        CREATE TABLE notes (id int PRIMARY KEY, clinic text COLLATE loose, note text COLLATE loose);
        INSERT INTO notes SELECT i, 'k', 'note ' || i FROM generate_series(1, 10) i";
    let plan = IN_PLACE.replace(
        "[[table.column]]",
        "tenant_column = \"clinic\"\n[[table.column]]",
    );
    let fixture = Fixture::postgres("guard_collation", ddl, &plan).await;
    fixture.backfill().await;
    fixture
        .exec(
            "UPDATE notes SET note = 'new' WHERE id = 1; UPDATE notes SET note = 'NEW' WHERE id = 1;
             INSERT INTO notes VALUES (11, 'k', 'more'); UPDATE notes SET note = note WHERE id = 2",
        )
        .await;
    let copied = "INSERT INTO notes SELECT 12, 'k', note FROM notes WHERE id = 2";
    assert_eq!(state(&fixture, copied).await, "");
    fixture.exec("DELETE FROM notes WHERE id = 12").await;
    fixture.backfill().await;
    let verify = fixture.project.phiseal(&["verify", "--json"]).run().await;
    assert_eq!(verify.expect_code(0).json()["unsealed"], 0);
}

/// The tenant is the text that the engine sealed under, whatever the application likes its dates to be.
#[tokio::test]
async fn a_tenant_is_known_under_any_settings_of_the_writer() {
    let ddl = "CREATE TABLE notes (id int PRIMARY KEY, day date NOT NULL, note text);
        INSERT INTO notes SELECT i, date '2024-03-09', 'note ' || i FROM generate_series(1, 10) i";
    let plan = ONE.replace(
        "[[table.column]]",
        "tenant_column = \"day\"\n[[table.column]]",
    );
    let fixture = Fixture::postgres("guard_settings", ddl, &plan).await;
    fixture.backfill().await;
    fixture.exec("CREATE TABLE kept AS TABLE notes").await;
    let back = "SET LOCAL DateStyle = 'SQL, DMY'; UPDATE notes SET note_sealed = NULL WHERE id = 1;
        UPDATE notes SET note_sealed = (SELECT note_sealed FROM kept WHERE id = 1) WHERE id = 1";
    assert_eq!(state(&fixture, &trusted(back)).await, "");
}

#[tokio::test]
async fn a_sealer_that_names_the_value_and_not_its_index_leaves_none_and_a_backfill_fills_it() {
    let fixture = people("guard_index").await;
    let index = "SELECT ssn_bidx::text FROM people WHERE id = 1";
    let right = fixture.scalar(index).await;
    for (set, kept) in [("ssn = '000000001'", false), ("ssn_bidx = ssn_bidx", true)] {
        // Sealed again, and so another value of the same index.
        let again = sealed_ssn(&fixture, 1, "k1", "000000001").await;
        fixture
            .exec(&trusted(&format!(
                "UPDATE people SET ssn_bidx = ssn_bidx WHERE id = 1;
                 UPDATE people SET ssn_sealed = {again}, {set} WHERE id = 1"
            )))
            .await;
        assert_eq!(fixture.scalar(index).await == right, kept, "{set}");
        assert_eq!(blank(&fixture, "ssn_sealed").await, "", "{set}");
        let code = if kept { 0 } else { 6 };
        let verify = fixture.project.phiseal(&["verify", "--json"]).run().await;
        assert_eq!(
            verify.expect_code(code).json()["failed"],
            i32::from(!kept),
            "{set}"
        );
        fixture.backfill().await;
        assert_eq!(fixture.scalar(index).await, right, "{set}");
    }
    let again = sealed_ssn(&fixture, 1, "k1", "000000001").await;
    // An index that was never written, one of a row without plaintext, and a value that gives none.
    let none = sealed_ssn(&fixture, 2, "k0", "none").await;
    fixture
        .exec(&trusted(&format!(
            "UPDATE people SET ssn_sealed = {again} WHERE id = 1; UPDATE people SET ssn_sealed = {none} WHERE id = 2"
        )))
        .await;
    let done = fixture.backfill().await;
    assert_eq!(done["values_sealed"], 0, "{done}");
    assert_eq!(fixture.scalar(index).await, right);
    assert_eq!(blank(&fixture, "ssn_bidx").await, "2");
    let verify = fixture.project.phiseal(&["verify", "--json"]).run().await;
    assert_eq!(verify.expect_code(0).json()["failed"], 0);
}

/// A trigger with another condition is none of ours, whatever function it calls.
#[tokio::test]
async fn a_guard_that_fires_under_another_condition_is_made_again() {
    let ddl = "CREATE TABLE notes (id int PRIMARY KEY, note text);
        INSERT INTO notes SELECT i, 'note ' || i FROM generate_series(1, 10) i";
    let fixture = Fixture::postgres("guard_condition", ddl, ONE).await;
    fixture.backfill().await;
    let sql = fixture.project.phiseal(&["plan", "--sql"]).run().await;
    assert!(!sql.expect_code(0).stdout.contains("TRIGGER"));
    let definition = "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = '~phiseal_u'";
    let right = fixture.scalar(definition).await.unwrap();
    fixture
        .exec(
            "DO $$ DECLARE f text := (SELECT tgfoid::regproc::text FROM pg_trigger WHERE tgname = '~phiseal_u'); BEGIN
               DROP TRIGGER \"~phiseal_u\" ON notes;
               EXECUTE 'CREATE TRIGGER \"~phiseal_u\" BEFORE UPDATE ON notes FOR EACH ROW
                 WHEN (current_setting(''phiseal.engine'', true) IS DISTINCT FROM ''on'') EXECUTE FUNCTION ' || f || '()';
               ALTER TABLE notes ENABLE ALWAYS TRIGGER \"~phiseal_u\"; END $$",
        )
        .await;
    let sql = fixture.project.phiseal(&["plan", "--sql"]).run().await;
    assert!(sql.stdout.contains("CREATE TRIGGER \"~phiseal_u\""));
    fixture.backfill().await;
    assert_eq!(fixture.scalar(definition).await.unwrap(), right);
    // What a dump writes down is the same condition.
    assert!(
        right.contains("record_image_ne") && !right.contains("*<>"),
        "{right}"
    );
}

/// The statement of docs/RUNBOOK.md, as it stands there.
#[tokio::test]
async fn a_renamed_column_is_guarded_on_by_the_statement_of_the_runbook() {
    let ddl = "CREATE TABLE patients (id int PRIMARY KEY, ssn text, other int);
        INSERT INTO patients SELECT i, 'ssn ' || i, i FROM generate_series(1, 10) i";
    let plan = "[[table]]\nname = \"public.patients\"\n[[table.column]]\nname = \"ssn\"\n\
        seal_into = \"ssn_sealed\"\n";
    let fixture = Fixture::postgres("guard_rename", ddl, plan).await;
    fixture.backfill().await;
    let runbook = include_str!("../../../docs/RUNBOOK.md");
    let section = runbook.split("## Renaming a column").nth(1).unwrap();
    let statement = &section[section.find("    BEGIN;").unwrap()..];
    let statement = &statement[..statement.find("    COMMIT;").unwrap() + 11];
    fixture.exec(statement).await;
    fixture
        .exec("UPDATE patients SET other = 7; UPDATE patients SET social = 'new' WHERE id = 3")
        .await;
    let blank = "SELECT string_agg(id::text, ' ') FROM patients WHERE ssn_sealed IS NULL";
    assert_eq!(fixture.scalar(blank).await.as_deref(), Some("3"));
    let alone = "UPDATE patients SET ssn_sealed = NULL WHERE id = 4";
    assert_eq!(state(&fixture, alone).await, "PS006");
}
