//! `phiseal grants`: a role with nothing but what it prints does its work, and nothing else.
//! The four roles run the real program; what one may not do is refused by the server or said by the
//! program before anything is changed.

use serde_json::Value;

use super::{attempt, connect};
use crate::support::database::{Database, Role};
use crate::support::{Project, database, sqlite};

const TABLE: &str = "
    CREATE SCHEMA app;
    CREATE TABLE app.patients (id serial, clinic text NOT NULL, ssn text, email text, notes text,
        PRIMARY KEY (id, clinic)) PARTITION BY LIST (clinic);
    CREATE TABLE app.north PARTITION OF app.patients FOR VALUES IN ('north');
    CREATE TABLE app.south PARTITION OF app.patients FOR VALUES IN ('south');
    INSERT INTO app.patients (clinic, ssn, email, notes)
        SELECT CASE g % 2 WHEN 0 THEN 'north' ELSE 'south' END, 's' || g, 'e' || g || '@x', 'n' || g
          FROM generate_series(1, 40) g;";

const PLAN: &str = r#"
[[table]]
name = "app.patients"
[[table.column]]
name = "ssn"
seal_into = "ssn_sealed"
blind_index = { column = "ssn_bidx", normalise = "digits", force = true }
[[table.column]]
name = "email"
seal_into = "email_sealed"
"#;

/// A database whose tables belong to a role of their own, and the four roles, each with nothing but what
/// was printed for it.
struct Clinic {
    db: Database,
    owner: Role,
    engine: Role,
    application: Role,
    auditor: Role,
    /// The folder with the key, and the owner's plan.
    project: Project,
}

impl Clinic {
    /// Sealed by the engine; the owner has only prepared the table.
    async fn new(name: &str) -> Self {
        let db = database(name).await;
        db.exec(TABLE).await;
        let tables = db.role("tables", "").await;
        let clinic = Self {
            owner: db.role("owner", "").await,
            engine: db.role("engine", "").await,
            application: db.role("application", "").await,
            auditor: db.role("auditor", "").await,
            project: Project::new(),
            db,
        };
        let own = "ALTER SCHEMA app OWNER TO @; ALTER TABLE app.patients OWNER TO @;
            ALTER TABLE app.north OWNER TO @; ALTER TABLE app.south OWNER TO @";
        clinic.db.exec(&own.replace('@', &tables.name)).await;
        clinic.write_plan(&clinic.db.url(), "");
        clinic.grant("owner", &clinic.owner).await;
        clinic.write_plan(&clinic.owner.url, "");
        clinic.run(&["migrate", "up"], 0).await;
        clinic.run(&["keys", "create"], 0).await;
        let script = clinic.run(&["plan", "--sql"], 0).await;
        for part in script.split("CREATE UNIQUE INDEX CONCURRENTLY") {
            assert_eq!(attempt(&clinic.owner.url, part).await, None);
        }
        clinic.write_plan(&clinic.db.url(), &clinic.trusting());
        for (what, role) in [
            ("engine", &clinic.engine),
            ("application", &clinic.application),
            ("auditor", &clinic.auditor),
        ] {
            clinic.grant(what, role).await;
        }
        let counted = clinic
            .as_role(&clinic.engine, &["backfill", "--json"], 0)
            .await;
        let counted: Value = serde_json::from_str(&counted).unwrap();
        assert_eq!(counted["values_sealed"], 80);
        clinic
    }

    /// What the plan of a role says that does not own phiseal's tables.
    fn trusting(&self) -> String {
        format!("owner = {:?}\n", self.owner.name)
    }

    fn write_plan(&self, url: &str, database: &str) {
        let plan = format!(
            "[database]\nurl = {url:?}\n{database}\n[keys]\nprovider = \"file\"\npath = {:?}\n{PLAN}\n\
             [run]\npace = \"fast\"\n",
            self.project.key_file()
        );
        self.project.plan_text(&plan);
    }

    /// The program under the present plan; what it printed.
    async fn run(&self, args: &[&str], code: i32) -> String {
        self.project
            .phiseal(args)
            .run()
            .await
            .expect_code(code)
            .stdout
    }

    /// Runs what is printed for a role, as psql would: the whole text in one message.
    async fn grant(&self, what: &str, role: &Role) {
        let script = self.run(&["grants", what, "--to", &role.name], 0).await;
        assert!(
            script.contains("BEGIN;\n") && script.contains("\nCOMMIT;"),
            "{script}"
        );
        self.db.exec(&script).await;
    }

    /// The program as a role; what it printed.
    async fn as_role(&self, role: &Role, args: &[&str], code: i32) -> String {
        self.write_plan(&role.url, &self.trusting());
        self.run(args, code).await
    }

    /// The error that a command of a role ends with.
    async fn refused(&self, role: &Role, args: &[&str], code: i32) -> (String, String) {
        let args = [&["--json"], args].concat();
        let said: Value = serde_json::from_str(&self.as_role(role, &args, code).await).unwrap();
        let text = |name: &str| said["error"][name].as_str().unwrap().to_owned();
        (text("code"), text("hint"))
    }
}

#[tokio::test]
async fn the_owner_does_everything() {
    let clinic = Clinic::new("owner").await;
    clinic.write_plan(&clinic.owner.url, "");
    for args in [
        &["plan"][..],
        &["backfill"],
        &["verify"],
        &["rotate"],
        &["rotate", "--purpose", "blind_index", "--grace", "0"],
        &["status"],
        &["audit", "verify"],
        &["finalize", "--observe", "0s", "--grace", "0s", "--yes"],
        &["verify"],
    ] {
        clinic.run(args, 0).await;
    }
    let left = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'app.patients'::regclass
        AND attname IN ('ssn', 'email') AND NOT attisdropped";
    assert_eq!(clinic.db.count(left).await, 0);
}

#[tokio::test]
async fn the_engine_seals_verifies_and_rotates_and_is_told_what_only_the_owner_may() {
    let clinic = Clinic::new("engine").await;
    let engine = &clinic.engine;
    for args in [
        &["plan"][..],
        &["backfill"],
        &["verify"],
        &["rotate"],
        &["keys", "create", "--tenant", "t"],
        &["status"],
        &["pause"],
        &["resume"],
        &["audit", "verify"],
        &["fields", "list"],
        &["grants", "auditor", "--to", "somebody"],
    ] {
        clinic.as_role(engine, args, 0).await;
    }
    for (args, code) in [
        (
            &["finalize", "--observe", "0s", "--grace", "0s", "--yes"][..],
            "E0218",
        ),
        (&["restore"], "E0217"),
        (
            &["rotate", "--purpose", "blind_index", "--grace", "0"],
            "E0218",
        ),
    ] {
        let (found, hint) = clinic.refused(engine, args, 3).await;
        assert_eq!(found, code, "{args:?}: {hint}");
        assert!(
            !hint.contains("plan --sql"),
            "{args:?} leads nowhere: {hint}"
        );
    }
    let begun = "SELECT count(*) FROM phiseal.encryption_keys WHERE status = 'pre_active'";
    assert_eq!(
        clinic.db.count(begun).await,
        0,
        "a refused rotation made a key"
    );
    for sql in [
        "UPDATE app.patients SET notes = 'x'",
        "UPDATE app.patients SET ssn = 'x'",
        "DELETE FROM app.patients",
        "INSERT INTO app.patients (clinic) VALUES ('north')",
        "ALTER TABLE app.patients ADD COLUMN x int",
        "DELETE FROM phiseal.encryption_keys",
        "DELETE FROM phiseal.audit_log",
        "UPDATE phiseal.audit_log SET actor = 'x'",
    ] {
        assert_eq!(
            attempt(&engine.url, sql).await.as_deref(),
            Some("42501"),
            "{sql}"
        );
    }
    // With the grant of the note, it writes plaintext back.
    let script = clinic
        .run(&["grants", "engine", "--to", &engine.name], 0)
        .await;
    assert!(
        script.contains("`phiseal restore` writes plaintext back"),
        "{script}"
    );
}

/// A sealed value goes out and comes back, as if the application had sealed it.
#[tokio::test]
async fn the_application_reads_writes_seals_and_opens_and_reads_no_records() {
    let clinic = Clinic::new("application").await;
    let url = &clinic.application.url;
    let mut open = connect(url).await;
    for sql in [
        "INSERT INTO app.patients (clinic, ssn, email) VALUES ('north', '7', 'a@b')",
        "UPDATE app.patients SET ssn = '8', email = NULL WHERE ssn = '7'",
        "BEGIN; SET LOCAL phiseal.sealer = 'on';
         WITH old AS (SELECT id, ssn_sealed, ssn_bidx FROM app.patients WHERE ssn = 's2')
         UPDATE app.patients p SET ssn_sealed = NULL, ssn_bidx = NULL FROM old WHERE p.id = old.id; COMMIT",
        "SELECT id, clinic, ssn, ssn_sealed, ssn_bidx, email_sealed FROM app.patients",
        "SELECT key_id, tenant, purpose, status, wrapped_key FROM phiseal.encryption_keys",
        "SELECT * FROM phiseal.encrypted_field_metadata",
    ] {
        let sql = sqlx::AssertSqlSafe(sql);
        sqlx::raw_sql(sql).execute(&mut open).await.unwrap();
    }
    for table in [
        "audit_log",
        "audit_head",
        "runs",
        "quarantine",
        "key_transitions",
        "lanes",
    ] {
        for sql in [
            format!("SELECT * FROM phiseal.{table}"),
            format!("DELETE FROM phiseal.{table}"),
        ] {
            assert_eq!(attempt(url, &sql).await.as_deref(), Some("42501"), "{sql}");
        }
    }
    for sql in [
        "INSERT INTO phiseal.audit_log VALUES (900, now(), 'x', 'x', '{}', 1, '', '')",
        "UPDATE phiseal.encryption_keys SET status = 'suspended'",
        "UPDATE phiseal.encrypted_field_metadata SET state = 'sealed'",
        "SELECT notes FROM app.patients",
        "UPDATE app.patients SET id = 900",
        "ALTER TABLE app.patients DISABLE TRIGGER ALL",
    ] {
        assert_eq!(attempt(url, sql).await.as_deref(), Some("42501"), "{sql}");
    }
    // It does not say that it seals: refused by the guard.
    let forge = "UPDATE app.patients SET email_sealed = '\\x00' WHERE ssn = 's4'";
    assert_eq!(attempt(url, forge).await.as_deref(), Some("PS006"));
    let (code, hint) = clinic
        .refused(&clinic.application, &["audit", "list"], 3)
        .await;
    assert_eq!(code, "E0510");
    // One statement names all tables that lack the same right.
    let statement = hint
        .lines()
        .find(|line| line.contains("audit_log"))
        .unwrap();
    let to = format!(r#" TO "{}";"#, clinic.application.name);
    let gives = statement.contains("GRANT SELECT ON TABLE ") && statement.ends_with(&to);
    assert!(gives, "{hint}");
    // The rows that it wrote are sealed by the next run.
    let counted = clinic
        .as_role(&clinic.engine, &["backfill", "--json"], 0)
        .await;
    let counted: Value = serde_json::from_str(&counted).unwrap();
    assert_eq!(counted["rows_sealed"], 2);
    clinic.as_role(&clinic.engine, &["verify"], 0).await;
}

#[tokio::test]
async fn a_role_that_may_not_even_read_gets_each_grant_and_needs_no_other() {
    let clinic = Clinic::new("reader").await;
    let reader = clinic.db.role("reader", "").await;
    for args in [
        &["keys", "list"][..],
        &["keys", "check"],
        &["audit", "head"],
        &["audit", "list"],
        &["audit", "export", "--output", "-"],
        &["fields", "list"],
        &["runs", "list"],
        &["quarantine", "list"],
        &["status"],
        &["audit", "verify"],
        &["verify"],
    ] {
        let mut given = 0;
        loop {
            clinic.write_plan(&reader.url, &clinic.trusting());
            let done = clinic.project.phiseal(args).run().await;
            if done.code() == Some(0) {
                break;
            }
            assert_eq!(done.code(), Some(3), "{args:?}: {}", done.stderr);
            let grants: Vec<&str> = done.stderr.split("GRANT ").skip(1).collect();
            assert!(!grants.is_empty(), "{args:?}: {}", done.stderr);
            for grant in grants {
                let end = grant.find(';').unwrap();
                clinic.db.exec(&format!("GRANT {};", &grant[..end])).await;
            }
            given += 1;
            assert!(given < 6, "{args:?}: {}", done.stderr);
        }
        assert!(
            attempt(&reader.url, "DELETE FROM phiseal.runs")
                .await
                .is_some()
        );
    }
}

#[tokio::test]
async fn the_list_is_json_too_and_names_are_quoted() {
    let clinic = Clinic::new("listed").await;
    clinic.write_plan(&clinic.db.url(), &clinic.trusting());
    let odd = "a \"b\"; DROP TABLE x";
    let listed = clinic
        .run(
            &["grants", "auditor", "--to", odd, "--to", "Other", "--json"],
            0,
        )
        .await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["role"], "auditor");
    assert_eq!(listed["to"], serde_json::json!([odd, "Other"]));
    let statements: Vec<&str> = listed["grants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|grant| grant["statement"].as_str().unwrap())
        .collect();
    assert!(
        statements
            .contains(&r#"GRANT SELECT ON TABLE "phiseal"."runs" TO "a ""b""; DROP TABLE x";"#)
    );
    assert!(statements.contains(&r#"GRANT USAGE ON SCHEMA "phiseal" TO "Other";"#));
    let north = statements
        .iter()
        .find(|one| one.contains(r#""app"."north""#))
        .unwrap();
    assert!(
        north.contains(r#"SELECT ("ctid", "xmin", "id", "clinic", "ssn", "ssn_sealed""#),
        "{north}"
    );
    assert!(!north.contains("notes"), "{north}");
    for bad in [
        &["grants", "auditor", "--to", ""][..],
        &["grants", "auditor"],
        &["grants", "dba", "--to", "x"],
    ] {
        clinic.run(bad, 2).await;
    }
}

#[tokio::test]
async fn before_phiseals_tables_are_there_only_the_owner_can_be_given_anything() {
    let db = database("nothing").await;
    db.exec(TABLE).await;
    let project = Project::new();
    project.plan(&db.url(), PLAN);
    let owner = project
        .phiseal(&["grants", "owner", "--to", "x"])
        .run()
        .await
        .expect_code(0)
        .stdout;
    assert!(
        owner.contains(&format!(
            "GRANT CREATE ON DATABASE \"{}\" TO \"x\";",
            db.name()
        )),
        "{owner}"
    );
    assert!(owner.contains("belongs to the superuser"), "{owner}");
    let engine = project
        .phiseal(&["grants", "engine", "--to", "x"])
        .run()
        .await
        .expect_code(3);
    assert!(engine.stderr.contains("E0515"), "{}", engine.stderr);
}

#[tokio::test]
async fn in_sqlite_the_permissions_of_the_file_decide() {
    let file = sqlite().await;
    file.exec("CREATE TABLE patients (id integer PRIMARY KEY, ssn text)")
        .await;
    let project = Project::new();
    project.plan(
        &file.url(),
        "[[table]]\nname = \"patients\"\n[[table.column]]\nname = \"ssn\"\nseal_into = \"s\"\n",
    );
    let said = project
        .phiseal(&["grants", "auditor", "--to", "x"])
        .run()
        .await
        .expect_code(0)
        .stdout;
    assert!(
        said.contains("the permissions of the file decide"),
        "{said}"
    );
    let listed = project
        .phiseal(&["grants", "engine", "--to", "x", "--json"])
        .run()
        .await
        .expect_code(0)
        .json();
    assert_eq!(listed["grants"], serde_json::json!([]));
}
