//! Our schema and what is in it belong to one role that ours can trust, or nothing is done.

use super::attempt;
use crate::support::{Fixture, Project, database};

const PLAN: &str = r#"
[[table]]
name = "public.patients"
[[table.column]]
name = "ssn"
seal_into = "ssn_sealed"
"#;

const TABLE: &str = "CREATE TABLE patients (id int PRIMARY KEY, ssn text);
    INSERT INTO patients VALUES (1, '123'), (2, '456');";

/// Commands that read or write our tables.
const COMMANDS: &[&[&str]] = &[
    &["backfill"],
    &["verify"],
    &["plan"],
    &["status"],
    &["rotate"],
    &["restore"],
    &["keys", "list"],
    &["keys", "create", "--tenant", "x"],
    &["quarantine", "list"],
    &["audit", "verify"],
    &["migrate", "up"],
    &["migrate", "status"],
];

async fn all_refuse(project: &Project, code: &str, what: &str) {
    for command in COMMANDS {
        let done = project.phiseal(command).run().await.expect_code(3);
        // The migrator says it with a code of its own.
        let code = if command[0] == "migrate" {
            "E0722"
        } else {
            code
        };
        assert!(done.stderr.contains(code), "{command:?}: {}", done.stderr);
        assert!(done.stderr.contains(what), "{command:?}: {}", done.stderr);
    }
}

#[tokio::test]
async fn a_schema_that_somebody_else_made_is_not_installed_into() {
    let db = database("squatted").await;
    let eve = db.role("eve", "").await;
    let grant = format!("GRANT CREATE ON DATABASE {} TO {}", db.name(), eve.name);
    db.exec(&grant).await;
    assert_eq!(attempt(&eve.url, "CREATE SCHEMA phiseal").await, None);
    let project = Project::new();
    project.plan(&db.url(), PLAN);
    let up = project
        .phiseal(&["migrate", "up"])
        .run()
        .await
        .expect_code(3);
    assert!(
        up.stderr.contains("E0722") && up.stderr.contains(&eve.name),
        "{}",
        up.stderr
    );
    let made = "SELECT count(*) FROM pg_class WHERE relnamespace = 'phiseal'::regnamespace";
    assert_eq!(db.count(made).await, 0);
    // Also where there is a table of the migrator's in it already.
    let squat = "CREATE TABLE phiseal.migration_lock (set_name text PRIMARY KEY)";
    db.exec(&format!(
        "ALTER SCHEMA phiseal OWNER TO CURRENT_USER; GRANT ALL ON SCHEMA phiseal TO {}",
        eve.name
    ))
    .await;
    assert_eq!(attempt(&eve.url, squat).await, None);
    for command in [&["migrate", "up"][..], &["migrate", "up", "--set", "webqx"]] {
        let up = project.phiseal(command).run().await.expect_code(3);
        assert!(up.stderr.contains("E0722"), "{}", up.stderr);
    }
}

#[tokio::test]
async fn the_owner_of_the_schema_is_trusted_only_where_it_may_be() {
    let db = database("installed_by_eve").await;
    let eve = db.role("eve", "").await;
    let grant = format!(
        "{TABLE} GRANT CREATE ON DATABASE {} TO {1}; ALTER TABLE patients OWNER TO {1}",
        db.name(),
        eve.name
    );
    db.exec(&grant).await;
    let hers = Project::new();
    hers.plan(&eve.url, PLAN);
    for command in [&["migrate", "up"][..], &["keys", "create"], &["backfill"]] {
        hers.phiseal(command).run().await.expect_code(0);
    }
    // The same as a superuser, who would run whatever she puts in the place of her tables.
    let plan = |database: &str| {
        format!(
            "[database]\nurl = {:?}\n{database}\n[keys]\nprovider = \"file\"\npath = {:?}\n{PLAN}",
            db.url(),
            hers.key_file()
        )
    };
    let operator = Project::new();
    operator.plan_text(&plan(""));
    all_refuse(&operator, "E0542", &eve.name).await;
    // Acting as her, or trusting her on purpose.
    for trust in [
        format!("role = {:?}", eve.name),
        format!("owner = {:?}", eve.name),
    ] {
        operator.plan_text(&plan(&trust));
        for command in [&["backfill"][..], &["verify"], &["status"]] {
            operator.phiseal(command).run().await.expect_code(0);
        }
    }
    // A role that is a member of nobody is no better off.
    let engine = db.role("engine", "").await;
    let project = Project::new();
    project.plan(&engine.url, PLAN);
    let refused = project.phiseal(&["status"]).run().await.expect_code(3);
    assert!(refused.stderr.contains("E0542"), "{}", refused.stderr);
}

#[tokio::test]
async fn whatever_another_role_owns_or_added_is_refused_and_named() {
    let fixture = Fixture::postgres("foreign_parts", TABLE, PLAN).await;
    let db = fixture.db();
    fixture.backfill().await;
    let eve = db.role("eve", "").await;
    let eve = &eve.name;
    let code = format!(
        "CREATE SCHEMA hers AUTHORIZATION {eve}; CREATE FUNCTION hers.f() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN RETURN NEW; END'; ALTER FUNCTION hers.f() OWNER TO {eve}"
    );
    db.exec(&code).await;
    let guard = db
        .scalar("SELECT oid::regprocedure::text FROM pg_proc WHERE proname ~ '^guard_update_'")
        .await
        .unwrap();
    for (done, undone, named) in [
        (
            format!("ALTER TABLE phiseal.lanes OWNER TO {eve}"),
            "ALTER TABLE phiseal.lanes OWNER TO CURRENT_USER".to_owned(),
            "lanes",
        ),
        (
            "ALTER TABLE phiseal.quarantine RENAME TO q; CREATE VIEW phiseal.quarantine AS SELECT * FROM phiseal.q".to_owned()
                + &format!("; ALTER VIEW phiseal.quarantine OWNER TO {eve}"),
            "DROP VIEW phiseal.quarantine; ALTER TABLE phiseal.q RENAME TO quarantine".to_owned(),
            "quarantine",
        ),
        (
            format!("ALTER FUNCTION phiseal.refuse_statement() OWNER TO {eve}"),
            "ALTER FUNCTION phiseal.refuse_statement() OWNER TO CURRENT_USER".to_owned(),
            "refuse_statement",
        ),
        (
            format!("ALTER FUNCTION {guard} OWNER TO {eve}"),
            format!("ALTER FUNCTION {guard} OWNER TO CURRENT_USER"),
            "guard_update_",
        ),
        (
            "CREATE TRIGGER hers BEFORE INSERT ON phiseal.runs FOR EACH ROW EXECUTE FUNCTION hers.f()".to_owned(),
            "DROP TRIGGER hers ON phiseal.runs".to_owned(),
            "trigger hers",
        ),
        (
            "GRANT CREATE ON SCHEMA phiseal TO PUBLIC".to_owned(),
            "REVOKE CREATE ON SCHEMA phiseal FROM PUBLIC".to_owned(),
            "every role",
        ),
    ] {
        db.exec(&done).await;
        all_refuse(&fixture.project, "E0542", named).await;
        db.exec(&undone).await;
        fixture.project.phiseal(&["verify"]).run().await.expect_code(0);
    }
}

/// The owner of a table may run what `plan --sql` prints, and then owns the guard's functions.
#[tokio::test]
async fn the_owner_of_a_table_may_own_its_guard() {
    let fixture = Fixture::postgres("own_guard", TABLE, PLAN).await;
    let db = fixture.db();
    let owner = db.role("owner", "").await;
    let grants = format!(
        "ALTER TABLE patients OWNER TO {0}; GRANT USAGE, CREATE ON SCHEMA phiseal TO {0}",
        owner.name
    );
    db.exec(&grants).await;
    let sql = fixture.project.phiseal(&["plan", "--sql"]).run().await;
    let sql = sql.expect_code(0).stdout;
    assert_eq!(attempt(&owner.url, &sql).await, None, "{sql}");
    let owned = format!(
        "SELECT count(*) FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
          WHERE p.proname ~ '^guard_' AND r.rolname = '{}'",
        owner.name
    );
    assert_eq!(db.count(&owned).await, 2);
    assert_eq!(fixture.backfill().await["rows_sealed"], 2);
}
