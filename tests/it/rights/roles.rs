//! Ordinary roles against every command: whatever they prepare, and whichever command they or the operator
//! run, none gains a right. Judged by the catalog's own tables and by a canary.

use super::attempt;
use crate::support::{Fixture, Project};

const PLAN: &str = r#"
[[table]]
name = "app.patients"
[[table.column]]
name = "ssn"
seal_into = "ssn_sealed"
"#;

const COMMANDS: &[&[&str]] = &[
    &["migrate", "status"],
    &["migrate", "up"],
    &["keys", "list"],
    &["keys", "create", "--tenant", "t"],
    &["plan"],
    &["plan", "--sql"],
    &["backfill"],
    &["verify"],
    &["rotate"],
    &["status"],
    &["quarantine", "list"],
    &["pause"],
    &["speed", "fast"],
    &["speed"],
    &["speed", "plan"],
    &["resume"],
    &["audit", "verify"],
    &["bench"],
    &["migrate", "verify"],
    &["restore"],
];

/// Attributes of roles, memberships, and the privileges on everything. `ROLES` are those of the test;
/// other tests have roles of their own on the same server.
const RIGHTS: &str = "
    SELECT 'role ' || rolname || ' ' || row(rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication)::text
      FROM pg_roles WHERE rolname !~ '^(pg_|it_)' OR rolname = ANY (ARRAY[ROLES])
     UNION ALL SELECT 'member ' || roleid::regrole || ' ' || member::regrole || ' ' || admin_option FROM pg_auth_members
      WHERE (roleid::regrole || ' ' || member::regrole) !~ '(^| )it_' OR ARRAY[roleid::regrole::text, member::regrole::text] && ARRAY[ROLES]
     UNION ALL SELECT 'database ' || datname || ' ' || coalesce(datacl::text, '') FROM pg_database
      WHERE datname = current_database()
     UNION ALL SELECT 'schema ' || nspname || ' ' || nspowner::regrole || ' ' || coalesce(nspacl::text, '')
      FROM pg_namespace WHERE nspname !~ '^pg_'
     UNION ALL SELECT 'relation ' || oid::regclass || ' ' || relowner::regrole || ' ' || coalesce(relacl::text, '')
      FROM pg_class WHERE relkind IN ('r', 'v', 'm', 'S', 'p') AND relnamespace::regnamespace::text !~ '^(pg_|information)'
     UNION ALL SELECT 'function ' || oid::regprocedure || ' ' || proowner::regrole || ' ' || prosecdef || coalesce(proacl::text, '')
      FROM pg_proc WHERE pronamespace::regnamespace::text !~ '^(pg_|information)' ORDER BY 1";

/// What a role that only wants more rights tries; each is refused or has no effect.
fn attacks(role: &str) -> Vec<String> {
    let grab = format!(
        "DO $a$ BEGIN EXECUTE 'ALTER ROLE {role} SUPERUSER'; EXCEPTION WHEN insufficient_privilege THEN NULL; END $a$"
    );
    let body = format!(
        "BEGIN {}; RETURN NULL; END",
        grab.replace("$a$", "$b$").replace('\'', "''")
    );
    let trap = |name: &str, args: &str, result: &str| {
        format!(
            "CREATE FUNCTION public.{name}({args}) RETURNS {result} LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.canary \
             VALUES (current_user); RETURN NULL; END'"
        )
    };
    vec![
        trap("format", "text, name, name", "text"),
        trap("format", "text, text, name", "text"),
        trap("format", "text, name", "text"),
        trap("unnest", "text[]", "text"),
        trap("count", "text", "bigint"),
        "CREATE TEMP TABLE key_transitions (key_id int, from_status text, to_status text, actor text, reason text)".to_owned(),
        format!("CREATE FUNCTION public.boom() RETURNS trigger LANGUAGE plpgsql AS '{body}'"),
        "CREATE TRIGGER boom BEFORE INSERT ON phiseal.key_transitions FOR EACH ROW EXECUTE FUNCTION public.boom()".to_owned(),
        "CREATE TRIGGER boom BEFORE UPDATE ON phiseal.lanes FOR EACH ROW EXECUTE FUNCTION public.boom()".to_owned(),
        "CREATE TABLE phiseal.encryption_keys_2 (key_id int)".to_owned(),
        "UPDATE phiseal.encryption_keys SET status = 'suspended'".to_owned(),
        "SELECT * FROM phiseal.encryption_keys FOR SHARE".to_owned(),
        "ALTER SCHEMA phiseal RENAME TO hers".to_owned(),
        "DROP SCHEMA phiseal CASCADE".to_owned(),
    ]
}

#[tokio::test]
async fn no_role_gains_a_right_by_any_command() {
    let fixture = Fixture::postgres(
        "roles",
        "CREATE SCHEMA app; CREATE TABLE canary (as_whom text); GRANT INSERT ON canary TO PUBLIC;
         CREATE TABLE app.patients (id int PRIMARY KEY, ssn text);
         INSERT INTO app.patients SELECT g, 's' || g FROM generate_series(1, 50) g;",
        PLAN,
    )
    .await;
    let db = fixture.db();
    let tables = db.role("tables", "").await;
    let owner = db.role("owner", "").await;
    let of_database = db.role("database", "").await;
    let reader = db.role("reader", "").await;
    let creator = db.role("creator", "").await;
    let grants = format!(
        "GRANT USAGE ON SCHEMA app TO PUBLIC; GRANT SELECT, UPDATE ON app.patients TO {}; ALTER SCHEMA app OWNER TO {1};
         ALTER TABLE app.patients OWNER TO {1}; ALTER DATABASE {2} OWNER TO {3};
         GRANT USAGE ON SCHEMA phiseal TO {4}; GRANT SELECT ON phiseal.encryption_keys TO {4};
         REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT CREATE ON SCHEMA public TO {5}, {1}",
        tables.name, owner.name, db.name(), of_database.name, reader.name, creator.name
    );
    db.exec(&grants).await;
    fixture.backfill().await;
    let roles = [&tables, &owner, &of_database, &reader, &creator];
    for role in roles {
        for attack in attacks(&role.name) {
            // Whatever of it the role may do, it does.
            let _ = attempt(&role.url, &attack).await;
        }
    }
    let names = roles.map(|role| format!("'{}'", role.name)).join(", ");
    let rights = RIGHTS.replace("ROLES", &names);
    let before = db.rows(&rights).await;
    assert!(before.len() > 20, "{before:?}");

    for command in COMMANDS {
        fixture.project.phiseal(command).run().await.expect_code(0);
    }
    for role in roles {
        let project = Project::new();
        let plan = std::fs::read_to_string(fixture.project.plan_file()).unwrap();
        project.plan_text(&plan.replace(&fixture.url(), &role.url));
        for command in COMMANDS {
            let done = project.phiseal(command).run().await;
            // Refused, denied, or done with the role's own rights; never a fault of the program.
            assert!(
                !matches!(done.code(), None | Some(1)),
                "{} {command:?}: {}",
                role.name,
                done.stderr
            );
        }
    }
    assert_eq!(
        db.rows("SELECT as_whom FROM canary").await,
        Vec::<Vec<Option<String>>>::new()
    );
    let after = db.rows(&rights).await;
    assert_eq!(before, after);
    fixture
        .project
        .phiseal(&["verify"])
        .run()
        .await
        .expect_code(0);
}
