//! Code of a table's owner runs with the rights of whoever runs phiseal: said where that is a superuser,
//! and lowered to the owner's own by `role` in the plan.

use crate::support::database::{Database, Role};
use crate::support::{Fixture, Project, database};

const COLUMN: &str = "[[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\n";

/// A table whose CHECK constraint, index expression and trigger write down whom they run as.
const TABLE: &str = "
    CREATE TABLE ran (as_whom text); GRANT INSERT ON ran TO PUBLIC;
    CREATE SCHEMA app;
    CREATE FUNCTION app.look(text) RETURNS boolean LANGUAGE plpgsql AS
        'BEGIN INSERT INTO public.ran VALUES (current_user); RETURN true; END';
    CREATE FUNCTION app.fired() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO public.ran VALUES (current_user); RETURN NEW; END';
    CREATE TABLE app.patients (id int PRIMARY KEY, ssn text);
    INSERT INTO app.patients SELECT g, 's' || g FROM generate_series(1, 20) g;
    ALTER TABLE app.patients ADD CONSTRAINT looked CHECK (app.look(ssn));
    CREATE TRIGGER fired BEFORE UPDATE ON app.patients FOR EACH ROW EXECUTE FUNCTION app.fired();";

async fn owned(name: &str) -> (Database, Role) {
    let db = database(name).await;
    db.exec(TABLE).await;
    let owner = db.role("owner", "").await;
    let give = format!(
        "ALTER SCHEMA app OWNER TO {0}; ALTER TABLE app.patients OWNER TO {0}; ALTER FUNCTION app.look OWNER TO {0};
         ALTER FUNCTION app.fired OWNER TO {0}; GRANT CREATE ON DATABASE {1} TO {0}; DELETE FROM ran",
        owner.name,
        db.name()
    );
    db.exec(&give).await;
    (db, owner)
}

fn plan(project: &Project, url: &str, role: &str) {
    let plan = format!(
        "[database]\nurl = {url:?}\n{role}\n[keys]\nprovider = \"file\"\npath = {:?}\n\
         [[table]]\nname = \"app.patients\"\ntriggers = \"fire\"\n{COLUMN}",
        project.key_file()
    );
    project.plan_text(&plan);
}

#[tokio::test]
async fn a_superuser_is_warned_that_the_owners_code_runs_with_his_rights() {
    let (db, owner) = owned("warned").await;
    let project = Project::new();
    plan(&project, &db.url(), "");
    for command in [&["migrate", "up"][..], &["keys", "create"]] {
        project.phiseal(command).run().await.expect_code(0);
    }
    let looked = project.phiseal(&["plan"]).run().await.expect_code(0).stdout;
    assert!(
        looked.contains("E0250") && looked.contains(&owner.name),
        "{looked}"
    );
}

#[tokio::test]
async fn with_the_role_of_the_plan_it_runs_with_the_owners_rights() {
    let (db, owner) = owned("lowered").await;
    let project = Project::new();
    plan(&project, &db.url(), &format!("role = {:?}", owner.name));
    for command in [
        &["migrate", "up"][..],
        &["keys", "create"],
        &["plan"],
        &["backfill"],
        &["verify"],
        &["rotate"],
        &["status", "--check"],
        &["restore", "--drop-sealed", "--yes"],
    ] {
        project.phiseal(command).run().await.expect_code(0);
    }
    let whom = db.rows("SELECT DISTINCT as_whom FROM ran").await;
    assert_eq!(whom, [[Some(owner.name.clone())]]);
    // What was made belongs to the role, too.
    let foreign = format!(
        "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          JOIN pg_roles r ON r.oid = c.relowner WHERE n.nspname = 'phiseal' AND r.rolname <> '{}'",
        owner.name
    );
    assert_eq!(db.count(&foreign).await, 0);
}

#[tokio::test]
async fn a_role_that_cannot_be_set_is_refused_with_its_grant() {
    let (db, owner) = owned("not_a_member").await;
    let engine = db.role("engine", "").await;
    let project = Project::new();
    for role in [owner.name.as_str(), "no_such_role"] {
        plan(&project, &engine.url, &format!("role = {role:?}"));
        let refused = project.phiseal(&["status"]).run().await.expect_code(3);
        assert!(refused.stderr.contains("E0540"), "{}", refused.stderr);
        assert!(
            refused.stderr.contains(&format!("GRANT \"{role}\"")),
            "{}",
            refused.stderr
        );
    }
}

#[tokio::test]
async fn code_that_could_go_back_to_the_logins_rights_is_refused() {
    for (at, code) in [
        "RESET ROLE",
        "SET LOCAL ROLE NONE",
        "SET SESSION ROLE postgres",
        "PERFORM set_config(''role'', ''none'', true)",
        "EXECUTE ''RESET '' || ''ROLE''",
        "SET SESSION AUTHORIZATION DEFAULT",
        "PERFORM app.helper()",
    ]
    .iter()
    .enumerate()
    {
        let (db, owner) = owned("back").await;
        let function = format!(
            "CREATE FUNCTION app.helper() RETURNS void LANGUAGE plpgsql AS 'BEGIN RESET ROLE; END';
             ALTER FUNCTION app.helper OWNER TO {0};
             CREATE OR REPLACE FUNCTION app.{1} LANGUAGE plpgsql AS 'BEGIN {code}; RETURN {2}; END'",
            owner.name,
            ["fired() RETURNS trigger", "look(text) RETURNS boolean"][at % 2],
            ["NEW", "true"][at % 2],
        );
        db.exec(&function).await;
        let project = Project::new();
        plan(&project, &db.url(), &format!("role = {:?}", owner.name));
        for command in [&["migrate", "up"][..], &["keys", "create"]] {
            project.phiseal(command).run().await.expect_code(0);
        }
        let refused = project.phiseal(&["backfill"]).run().await.expect_code(3);
        assert!(
            refused.stderr.contains("E0251"),
            "{code}: {}",
            refused.stderr
        );
    }
}

/// A function of a superuser is trusted, and may still do it: the batch notices and is undone.
#[tokio::test]
async fn a_batch_whose_role_was_changed_is_undone() {
    let (db, owner) = owned("changed").await;
    let function = "CREATE OR REPLACE FUNCTION app.fired() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN RESET ROLE; RETURN NEW; END'; ALTER FUNCTION app.fired OWNER TO CURRENT_USER";
    db.exec(function).await;
    let project = Project::new();
    plan(&project, &db.url(), &format!("role = {:?}", owner.name));
    for command in [&["migrate", "up"][..], &["keys", "create"]] {
        project.phiseal(command).run().await.expect_code(0);
    }
    let stopped = project.phiseal(&["backfill"]).run().await.expect_code(3);
    assert!(stopped.stderr.contains("E0541"), "{}", stopped.stderr);
    let sealed = "SELECT count(*) FROM app.patients WHERE ssn_sealed IS NOT NULL";
    assert_eq!(db.count(sealed).await, 0);
}

#[tokio::test]
async fn a_table_without_code_of_its_own_needs_no_warning_for_its_own_owner() {
    let fixture = Fixture::postgres(
        "own_table",
        "CREATE TABLE patients (id int PRIMARY KEY, ssn text)",
        &format!("[[table]]\nname = \"public.patients\"\n{COLUMN}"),
    )
    .await;
    let looked = fixture
        .project
        .phiseal(&["plan"])
        .run()
        .await
        .expect_code(0)
        .stdout;
    assert!(!looked.contains("E0250"), "{looked}");
}
