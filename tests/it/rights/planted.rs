//! Objects that a role with few rights plants for one particular statement of the operator's.

use super::attempt;
use crate::support::{Fixture, database};

const COLUMN: &str = "[[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\n";
const CANARY: &str =
    "CREATE TABLE public.canary (as_whom text); GRANT INSERT ON public.canary TO PUBLIC;";
const RAN: &str = "SELECT count(*) FROM public.canary";

/// An operator with a more exact match than the server's own, between a domain and its base type.
#[tokio::test]
async fn an_operator_over_the_domain_of_a_key_is_not_run() {
    let tables = format!(
        "{CANARY} CREATE EXTENSION citext; CREATE DOMAIN mail AS citext;
         CREATE TABLE patients (id mail PRIMARY KEY, ssn text);
         INSERT INTO patients SELECT 'k' || g, 's' || g FROM generate_series(1, 3000) g;
         GRANT CREATE ON SCHEMA public TO PUBLIC;"
    );
    let plan = format!("[[table]]\nname = \"public.patients\"\n{COLUMN}");
    let fixture = Fixture::postgres("domain_key", &tables, &plan).await;
    let eve = fixture.db().role("eve", "").await;
    let mut planted = String::new();
    for sign in [">", "<=", "=", "<", ">="] {
        planted.push_str(&format!(
            "CREATE FUNCTION public.f{at}(mail, citext) RETURNS boolean LANGUAGE plpgsql AS
                'BEGIN INSERT INTO public.canary VALUES (current_user); RETURN true; END';
             CREATE OPERATOR public.{sign} (LEFTARG = mail, RIGHTARG = citext, FUNCTION = public.f{at});",
            at = sign.bytes().map(usize::from).sum::<usize>() * sign.len(),
        ));
    }
    assert_eq!(attempt(&eve.url, &planted).await, None);
    for command in [
        &["plan"][..],
        &["backfill"],
        &["verify"],
        &["rotate"],
        &["restore", "--drop-sealed", "--yes"],
    ] {
        fixture.project.phiseal(command).run().await.expect_code(0);
        assert_eq!(fixture.db().count(RAN).await, 0, "{command:?}");
    }
}

#[tokio::test]
async fn migrations_are_not_run_behind_anothers_functions_and_operators() {
    let db = database("shadowed_set").await;
    db.exec(&format!("{CANARY} GRANT CREATE ON SCHEMA public TO PUBLIC"))
        .await;
    let eve = db.role("eve", "").await;
    let project = crate::support::Project::new();
    project.plan(&db.url(), "");
    let folder = project.dir().join("mig");
    std::fs::create_dir(&folder).unwrap();
    let file = "CREATE TABLE patients (id int, ssn text);\nCREATE INDEX CONCURRENTLY by_ssn ON patients (ssn);\n";
    std::fs::write(folder.join("0001_patients.sql"), file).unwrap();
    for planted in [
        "CREATE FUNCTION public.same(varchar, varchar) RETURNS boolean LANGUAGE plpgsql AS
            'BEGIN INSERT INTO public.canary VALUES (current_user); RETURN true; END';
         CREATE OPERATOR public.= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = public.same)",
        "CREATE FUNCTION public.lower(varchar) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'",
        "CREATE DOMAIN public.date AS text",
    ] {
        assert_eq!(attempt(&eve.url, planted).await, None);
        for command in [
            &["migrate", "up", "--set", "webqx"][..],
            &["migrate", "up", "--dir", "mig"],
        ] {
            let refused = project.phiseal(command).run().await.expect_code(3);
            assert!(refused.stderr.contains("E0722"), "{}", refused.stderr);
            assert!(refused.stderr.contains(&eve.name), "{}", refused.stderr);
        }
        let drop =
            "DROP FUNCTION IF EXISTS public.same CASCADE; DROP FUNCTION IF EXISTS public.lower;
            DROP DOMAIN IF EXISTS public.date";
        db.exec(drop).await;
    }
    let up = ["migrate", "up", "--dir", "mig"];
    project.phiseal(&up).run().await.expect_code(0);
    assert_eq!(db.count(RAN).await, 0);
}

/// A trigger that a role with TRIGGER makes after preflight is seen before it fires.
#[tokio::test]
async fn a_trigger_that_comes_during_a_run_does_not_fire() {
    let tables = format!(
        "{CANARY} CREATE TABLE patients (id int PRIMARY KEY, ssn text);
         INSERT INTO patients SELECT g, 's' || g FROM generate_series(1, 200000) g;
         CREATE SEQUENCE fired; GRANT USAGE ON SEQUENCE fired TO PUBLIC;
         GRANT CREATE ON SCHEMA public TO PUBLIC;"
    );
    let plan = format!(
        "[run]\nlanes = 1\nbatch_target_ms = 10\n[[table]]\nname = \"public.patients\"\n{COLUMN}"
    );
    let fixture = Fixture::postgres("late_trigger", &tables, &plan).await;
    let eve = fixture.db().role("eve", "").await;
    fixture
        .exec(&format!(
            "GRANT SELECT, TRIGGER ON patients TO {}",
            eve.name
        ))
        .await;
    let running = fixture.project.phiseal(&["backfill"]).spawn();
    let begun = "SELECT count(*) FROM phiseal.lanes WHERE seq > 2";
    while fixture.db().count(begun).await == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let trigger = "CREATE FUNCTION public.late() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM nextval(''public.fired''); RETURN NEW; END';
        CREATE TRIGGER late BEFORE UPDATE ON patients FOR EACH ROW EXECUTE FUNCTION public.late()";
    assert_eq!(attempt(&eve.url, trigger).await, None);
    let stopped = running.wait().await.expect_code(3);
    assert!(stopped.stderr.contains("E0220"), "{}", stopped.stderr);
    // A sequence keeps what a batch that is undone took from it.
    let fired = "SELECT count(*) FROM public.fired WHERE is_called";
    assert_eq!(fixture.db().count(fired).await, 0);
}
