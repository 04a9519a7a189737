//! What the engine's mark lets pass, and triggers of others that change what it writes: no seal stands that
//! is not of the plaintext beside it, and a run that cannot end says why.

use super::{TABLE, blank, no_stale_seal, people};
use crate::oracle::NonceLedger;
use crate::support::{Fixture, marked};
use std::time::Duration;

fn fires(table: &str) -> String {
    format!(
        "[[table]]\nname = \"{table}\"\ntriggers = \"fire\"\n[[table.column]]\nname = \"phone\"\n\
         seal_into = \"phone_sealed\"\n"
    )
}

const PHONES: &str = "CREATE TABLE phones (id int PRIMARY KEY, phone text, changes int NOT NULL DEFAULT 0);
    INSERT INTO phones SELECT i, '(555) 010-' || lpad(i::text, 4, '0') FROM generate_series(1, 40) i;";

fn before_update(body: &str) -> String {
    format!(
        "{PHONES} CREATE FUNCTION changes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$;
         CREATE TRIGGER changes BEFORE UPDATE ON phones FOR EACH ROW EXECUTE FUNCTION changes()"
    )
}

#[tokio::test]
async fn a_trigger_that_normalises_what_is_sealed_leaves_every_value_sealed_as_it_is_then() {
    let ddl = before_update("NEW.phone := regexp_replace(NEW.phone, '[^0-9]', '', 'g');");
    let fixture = Fixture::postgres("guard_normalises", &ddl, &fires("public.phones")).await;
    fixture.backfill().await;
    let checked = fixture
        .check("public.phones", "phone", &mut NonceLedger::default())
        .await;
    checked.expect_all_sealed();
    assert_eq!((checked.opened, checked.equal), (40, 40));
    let digits = "SELECT count(*) FROM phones WHERE phone ~ '^[0-9]+$'";
    assert_eq!(fixture.db().count(digits).await, 40);
    let verify = fixture.project.phiseal(&["verify", "--json"]).run().await;
    assert_eq!(verify.expect_code(0).json()["failed"], 0);
    assert_eq!(fixture.backfill().await["rows_found"], 0);
}

#[tokio::test]
async fn a_trigger_that_changes_the_value_each_time_ends_the_run_and_is_named() {
    let ddl = before_update("NEW.phone := NEW.phone || '.';");
    let fixture = Fixture::postgres("guard_each_time", &ddl, &fires("public.phones")).await;
    let run = fixture.project.phiseal(&["backfill", "--json"]).run().await;
    let said = run.expect_code(9).json();
    assert_eq!(said["error"]["code"], "E0526", "{said}");
    assert!(
        said["error"]["message"]
            .as_str()
            .unwrap()
            .contains("changes"),
        "{said}"
    );
    assert_eq!(blank_phones(&fixture).await, 40);
    let verify = fixture.project.phiseal(&["verify", "--json"]).run().await;
    assert_eq!(verify.json()["failed"], 0);
}

async fn blank_phones(fixture: &Fixture) -> i64 {
    let sql = "SELECT count(*) FROM phones WHERE phone_sealed IS NULL";
    fixture.db().count(sql).await
}

/// What was opened is not what the trigger stores: nothing of that batch is, and the seals stay.
#[tokio::test]
async fn a_restore_through_a_trigger_that_rewrites_is_taken_back() {
    let ddl =
        before_update("IF OLD.phone IS NULL THEN NEW.phone := upper('x' || NEW.phone); END IF;");
    let fixture = Fixture::postgres("guard_restore", &ddl, &fires("public.phones")).await;
    fixture.backfill().await;
    let clear = "UPDATE phones SET phone = NULL";
    fixture.exec(&marked("clear", "public.phones", clear)).await;
    let run = fixture.project.phiseal(&["restore", "--json"]).run().await;
    assert_eq!(run.expect_code(9).json()["error"]["code"], "E0526");
    let left = "SELECT count(*) FROM phones WHERE phone IS NULL AND phone_sealed IS NOT NULL";
    assert_eq!(fixture.db().count(left).await, 40);
}

/// The mark is of one table: what a trigger of that table writes into another is an application's write.
#[tokio::test]
async fn a_trigger_that_writes_another_guarded_table_leaves_no_stale_seal_there() {
    let ddl = format!(
        "{PHONES} CREATE TABLE calls (id int PRIMARY KEY, phone text);
         INSERT INTO calls SELECT id, phone FROM phones;
         CREATE FUNCTION calls() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            UPDATE calls SET phone = 'called ' || NEW.id WHERE id = NEW.id; RETURN NULL; END $$;
         CREATE TRIGGER calls AFTER UPDATE ON phones FOR EACH ROW EXECUTE FUNCTION calls()"
    );
    let calls = fires("public.calls").replace("triggers = \"fire\"\n", "");
    let fixture = Fixture::postgres("guard_another", &ddl, &calls).await;
    fixture.backfill().await;
    fixture.project.plan(
        &fixture.url(),
        &format!("{}{calls}", fires("public.phones")),
    );
    let only = ["backfill", "--table", "public.phones", "--json"];
    fixture.project.phiseal(&only).run().await.expect_code(0);
    let stale = "SELECT count(*) FROM calls WHERE phone LIKE 'called%' AND phone_sealed IS NULL";
    assert_eq!(fixture.db().count(stale).await, 40);
    // A rotation writes both under marks of their own.
    fixture.backfill().await;
    fixture.project.phiseal(&["rotate"]).run().await;
    let verify = fixture.project.phiseal(&["verify", "--json"]).run().await;
    assert_eq!(verify.json()["failed"], 0);
}

#[tokio::test]
async fn a_trigger_that_fires_after_the_guard_is_refused_before_a_run_and_ends_one_that_goes_on() {
    let late =
        "CREATE TRIGGER \"~z\" BEFORE UPDATE ON phones FOR EACH ROW EXECUTE FUNCTION changes()";
    let ddl = "CREATE TABLE phones (id int PRIMARY KEY, phone text);
         INSERT INTO phones SELECT i, 'phone ' || i FROM generate_series(1, 150000) i;
         CREATE FUNCTION changes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            NEW.phone := NEW.phone || '.'; RETURN NEW; END $$;";
    let plan = format!(
        "[run]\nlanes = 1\nbatch_target_ms = 10\n{}",
        fires("public.phones")
    );
    let fixture = Fixture::postgres("guard_late", ddl, &plan).await;
    for event in ["UPDATE", "INSERT"] {
        fixture.exec(&late.replace("UPDATE", event)).await;
        let run = fixture.project.phiseal(&["plan", "--json"]).run().await;
        let said = run.expect_code(3).stdout;
        assert!(said.contains("E0260") && said.contains("~z"), "{said}");
        fixture.exec("DROP TRIGGER \"~z\" ON phones").await;
    }
    let run = fixture.project.phiseal(&["backfill", "--json"]).spawn();
    let begun = "SELECT count(*) FROM phiseal.lanes WHERE rows_written > 0";
    let mut waited = 0;
    while fixture.db().count(begun).await == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        waited += 1;
        assert!(waited < 3000, "the run wrote nothing");
    }
    fixture.exec(late).await;
    let said = run.wait().await.expect_code(3).json();
    assert_eq!(said["error"]["code"], "E0220", "{said}");
    let stale = "SELECT count(*) FROM phones WHERE phone LIKE '%.'";
    assert_eq!(fixture.db().count(stale).await, 0);
}

/// Each mark lets one change pass; whatever else changes under it goes as under no mark at all.
#[tokio::test]
async fn a_mark_covers_the_change_that_it_names_and_no_other() {
    let fixture = people("guard_marks").await;
    let bogus = "ssn_sealed = '\\xe701'";
    for (change, label, sql, gone) in [
        (
            "seal",
            TABLE,
            "UPDATE people SET ssn_bidx = ssn_bidx WHERE id = 1",
            "",
        ),
        (
            "seal",
            TABLE,
            "UPDATE people SET ssn = 'x', ssn_bidx = NULL WHERE id = 1",
            "1",
        ),
        (
            "seal",
            TABLE,
            "UPDATE people SET clinic = 'k7' WHERE id = 2",
            "1 2",
        ),
        (
            "seal",
            TABLE,
            "UPDATE people SET id = 103 WHERE id = 3",
            "1 2 103",
        ),
        (
            "seal",
            "public.others",
            &format!("UPDATE people SET {bogus} WHERE id = 4"),
            "1 2 103",
        ),
        (
            "restore",
            TABLE,
            "UPDATE people SET ssn = 'x' WHERE id = 5",
            "1 2 5 103",
        ),
        (
            "restore",
            TABLE,
            &format!("UPDATE people SET {bogus} WHERE id = 4"),
            "1 2 5 103",
        ),
        (
            "clear",
            TABLE,
            "UPDATE people SET ssn = 'x' WHERE id = 6",
            "1 2 5 6 103",
        ),
        (
            "clear",
            "public.others",
            "UPDATE people SET ssn = NULL WHERE id = 7",
            "1 2 5 6 7 103",
        ),
        (
            "clear",
            TABLE,
            "UPDATE people SET ssn = NULL WHERE id = 8",
            "1 2 5 6 7 103",
        ),
        (
            "restore",
            TABLE,
            "UPDATE people SET ssn = '000000008' WHERE id = 8",
            "1 2 5 6 7 103",
        ),
    ] {
        fixture.exec(&marked(change, label, sql)).await;
        let what = format!("{change} {label}: {sql}");
        assert_eq!(blank(&fixture, "ssn_sealed").await, gone, "{what}");
        // A plaintext that is cleared has nothing to compare.
        if !(change == "clear" && label == TABLE && sql.contains("NULL")) {
            no_stale_seal(&fixture, &what).await;
        }
    }
    // The setting that other triggers look at switches nothing off.
    let sql =
        "BEGIN; SET LOCAL phiseal.engine = 'on'; UPDATE people SET ssn = 'y' WHERE id = 9; COMMIT";
    fixture.exec(sql).await;
    no_stale_seal(&fixture, sql).await;
}
