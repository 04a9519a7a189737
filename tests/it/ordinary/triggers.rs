//! Triggers of the application that change what is written.

use super::{json, number};
use crate::oracle::NonceLedger;
use crate::support::Fixture;

const PATIENTS: &str = "CREATE TABLE patients (id int PRIMARY KEY, phone text, name text);
    INSERT INTO patients SELECT g, '(555) 010-' || lpad(g::text, 4, '0'), 'n' || g FROM generate_series(1, 20) g;";

fn plan(policy: &str) -> String {
    format!(
        "[[table]]\nname = \"public.patients\"\ntriggers = \"{policy}\"\n\
         [[table.column]]\nname = \"phone\"\nseal_into = \"phone_sealed\"\n"
    )
}

/// No seal of a value that is not there, whatever the command said; and it did not say that all is well
/// where it is not.
async fn no_stale_seal(fixture: &Fixture, code: Option<i32>) {
    let checked = fixture
        .check("public.patients", "phone", &mut NonceLedger::default())
        .await;
    assert!(checked.faults.is_empty(), "{:#?}", checked.faults);
    assert_eq!(checked.opened, checked.equal);
    match code {
        Some(0) => assert_eq!(checked.unsealed, 0),
        Some(6 | 9) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_trigger_that_normalises_leaves_no_seal_of_the_value_before() {
    let norm = "CREATE FUNCTION norm() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            NEW.phone := regexp_replace(NEW.phone, '[^0-9]', '', 'g'); RETURN NEW; END $$;
        CREATE TRIGGER norm BEFORE INSERT OR UPDATE ON patients FOR EACH ROW EXECUTE FUNCTION norm()";
    let fixture =
        Fixture::postgres("normalising", &format!("{PATIENTS} {norm}"), &plan("fire")).await;
    let done = fixture.project.phiseal(&["backfill", "--json"]).run().await;
    no_stale_seal(&fixture, done.code()).await;
    let again = fixture.project.phiseal(&["backfill", "--json"]).run().await;
    no_stale_seal(&fixture, again.code()).await;
    // The value settles after the first write, and so does the run.
    let verified = json(&fixture, &["verify"], 0).await;
    assert_eq!(verified["values_verified"], 20, "{verified}");
}

#[tokio::test]
async fn a_trigger_that_changes_the_value_every_time_is_named() {
    let restless = "CREATE FUNCTION restless() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            NEW.phone := NEW.phone || '!'; RETURN NEW; END $$;
        CREATE TRIGGER restless BEFORE UPDATE ON patients FOR EACH ROW EXECUTE FUNCTION restless()";
    let fixture =
        Fixture::postgres("restless", &format!("{PATIENTS} {restless}"), &plan("fire")).await;
    let done = fixture
        .project
        .phiseal(&["backfill", "--json"])
        .run()
        .await
        .expect_code(9);
    assert!(
        done.stdout.contains("restless") || done.stderr.contains("restless"),
        "{done:?}"
    );
    no_stale_seal(&fixture, done.code()).await;
}

// Our write of one table makes the application's trigger write another guarded one.
#[tokio::test]
async fn a_trigger_that_writes_another_guarded_table_leaves_no_stale_seal_there() {
    let mirror = "CREATE TABLE calls (id int PRIMARY KEY, reason text);
        INSERT INTO calls SELECT g, 'reason ' || g FROM generate_series(1, 20) g;
        CREATE FUNCTION mirror() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            UPDATE public.patients SET phone = 'from call ' || NEW.id WHERE id = NEW.id; RETURN NULL; END $$;
        CREATE TRIGGER mirror AFTER UPDATE ON calls FOR EACH ROW EXECUTE FUNCTION mirror()";
    let calls = "[[table]]\nname = \"public.calls\"\ntriggers = \"fire\"\n\
        [[table.column]]\nname = \"reason\"\nseal_into = \"reason_sealed\"\n";
    let both = plan("fire") + calls;
    let fixture = Fixture::postgres("mirror", &format!("{PATIENTS} {mirror}"), &both).await;
    let only = |table: &'static str| ["backfill", "--table", table, "--json"];
    for table in ["public.patients", "public.calls"] {
        fixture
            .project
            .phiseal(&only(table))
            .run()
            .await
            .expect_code(0);
    }
    let checked = fixture
        .check("public.patients", "phone", &mut NonceLedger::default())
        .await;
    assert!(checked.faults.is_empty(), "{:#?}", checked.faults);
    assert_eq!(checked.unsealed, 20, "blanked, and waiting");
    json(&fixture, &["backfill"], 0).await;
    json(&fixture, &["verify"], 0).await;
}

// It would change the value after the guard has looked at it.
#[tokio::test]
async fn a_trigger_that_sorts_after_the_guard_is_refused() {
    let late = "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            NEW.phone := upper(NEW.phone); RETURN NEW; END $$;
        CREATE TRIGGER \"~~late\" BEFORE UPDATE ON patients FOR EACH ROW EXECUTE FUNCTION late()";
    let fixture =
        Fixture::postgres("late_trigger", &format!("{PATIENTS} {late}"), &plan("fire")).await;
    let refused = json(&fixture, &["backfill"], 3).await;
    assert!(refused.to_string().contains("~~late"), "{refused}");
    let columns = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'patients'::regclass AND attname = 'phone_sealed'";
    assert_eq!(number(&fixture, columns).await, 0, "nothing was begun");
}
