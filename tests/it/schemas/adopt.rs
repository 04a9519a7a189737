//! Databases that another tool built: adopted where they are what the migrations make, and drift
//! found where they are not.

use std::path::Path;

use serde_json::{Value, json};

use super::{migrate, refused};
use crate::support::database::Database;
use crate::support::{Project, database};

/// Builds a platform's schema as its own tool would: file after file, no history.
async fn built_by_another_tool(name: &str) -> Database {
    let db = database(name).await;
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/webqx");
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.to_str().unwrap();
            name.ends_with(".sql") && !name.ends_with(".down.sql")
        })
        .collect();
    files.sort();
    for file in files {
        db.exec(&std::fs::read_to_string(file).unwrap()).await;
    }
    db
}

fn names(value: &Value, which: &str) -> Vec<String> {
    let all = value[which].as_array().unwrap();
    all.iter()
        .map(|d| {
            format!(
                "{} {}",
                d["kind"].as_str().unwrap(),
                d["name"].as_str().unwrap()
            )
        })
        .collect()
}

/// Whether something was compared and nothing differs.
fn is_none(drift: &Value) -> bool {
    drift["version"].is_i64()
        && ["missing", "extra", "different"]
            .iter()
            .all(|which| drift[which] == json!([]))
}

#[tokio::test]
async fn what_another_tool_built_is_adopted_verified_and_undone() {
    let db = built_by_another_tool("adopt_same").await;
    let nothing = migrate(&db, &["verify", "--set", "webqx"], 0).await;
    assert_eq!(nothing["version"], Value::Null);
    let (code, _) = refused(&db, &["up", "--set", "webqx"], 3).await;
    assert_eq!(code, "E0712");
    db.exec("CREATE TABLE \"SequelizeMeta\" (name text PRIMARY KEY)")
        .await;

    let adopt = ["adopt", "--set", "webqx", "--dry-run"];
    let would = migrate(&db, &adopt, 0).await;
    assert!(would["would_adopt"].as_array().unwrap().len() > 1);
    let status = migrate(&db, &["status", "--set", "webqx"], 0).await;
    assert_eq!(status[0]["state"], "pending");

    let adopted = migrate(&db, &adopt[..3], 0).await;
    assert_eq!(adopted["adopted"], would["would_adopt"]);
    assert_eq!(
        adopted["extra"],
        json!([]),
        "the other tool's history is no drift"
    );
    let again = migrate(&db, &adopt[..3], 0).await;
    assert_eq!(again["adopted"], json!([]));
    let up = migrate(&db, &["up", "--set", "webqx"], 0).await;
    assert_eq!(up, json!({ "applied": [] }));
    db.exec("DROP TABLE \"SequelizeMeta\"").await;
    let drift = migrate(&db, &["verify", "--set", "webqx"], 0).await;
    assert!(is_none(&drift), "{drift}");
    migrate(&db, &["down", "--to", "0", "--set", "webqx"], 0).await;
    let left = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    assert_eq!(db.count(left).await, 0);
}

#[tokio::test]
async fn what_differs_is_not_adopted_and_every_difference_is_named() {
    let db = built_by_another_tool("adopt_differs").await;
    db.exec(
        "ALTER TABLE patients ALTER first_name TYPE varchar(7);
         DROP TABLE consent_records CASCADE;
         ALTER TABLE users ALTER is_active DROP DEFAULT",
    )
    .await;
    let (code, message) = refused(&db, &["adopt", "--set", "webqx"], 3).await;
    assert_eq!(code, "E0716");
    for line in [
        "missing: table public.consent_records",
        "different: column public.patients.first_name",
        "different: column public.users.is_active",
    ] {
        assert!(message.contains(line), "{line} is not in {message}");
    }
    let histories = "SELECT count(*) FROM pg_class WHERE relname LIKE 'migrations%'";
    assert_eq!(db.count(histories).await, 0);
}

#[tokio::test]
async fn adopting_up_to_a_version_leaves_the_rest_to_up() {
    let db = database("adopt_part").await;
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("1_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
    write("2_rows.sql", "INSERT INTO a VALUES (1);");
    write("3_b.sql", "CREATE TABLE b (id int REFERENCES a);");
    let path = dir.path().to_str().unwrap();
    db.exec("CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)")
        .await;
    let (code, _) = refused(&db, &["adopt", "--dir", path], 3).await;
    assert_eq!(code, "E0716");
    let adopted = migrate(&db, &["adopt", "--dir", path, "--to", "2"], 0).await;
    assert_eq!(adopted["adopted"], json!([1, 2]));
    assert_eq!(adopted["rows_not_compared"], json!([2]));
    let up = migrate(&db, &["up", "--dir", path], 0).await;
    assert_eq!(up, json!({ "applied": [3] }));
}

#[tokio::test]
async fn drift_of_every_kind_is_found_and_what_phiseal_adds_is_none() {
    let db = database("drift_kinds").await;
    migrate(&db, &["up", "--set", "facility"], 0).await;
    db.exec(
        "INSERT INTO tenant (id, name, slug) VALUES
             ('00000000-0000-0000-0000-000000000001', 'Oak', 'oak');
         INSERT INTO specialist (tenant_id, full_name, phone) VALUES
             ('00000000-0000-0000-0000-000000000001', 'Ada Example', '555-0100')",
    )
    .await;
    let project = Project::new();
    let url = db.url();
    let call = async |arguments: &[&str]| {
        let run = project
            .phiseal(arguments)
            .env("DATABASE_URL", &url)
            .env("PHISEAL_KEY_FILE", project.key_file());
        run.run().await.expect_code(0);
    };
    call(&["init", "--set", "facility"]).await;
    call(&["migrate", "up"]).await;
    call(&["keys", "create"]).await;
    call(&["backfill", "--table", "public.specialist"]).await;
    let sealed = "SELECT count(*) FROM specialist WHERE phone_sealed IS NOT NULL";
    assert_eq!(db.count(sealed).await, 1);
    let verify = ["verify", "--set", "facility"];
    let none = migrate(&db, &verify, 0).await;
    assert!(is_none(&none), "{none}");

    db.exec(
        "CREATE TABLE stray (id int);
         ALTER TABLE client ADD COLUMN stray int;
         ALTER TABLE facility ALTER COLUMN name DROP NOT NULL;
         ALTER TYPE user_role_enum ADD VALUE 'STRAY';
         CREATE INDEX stray_idx ON client (status);
         DROP TABLE contributor CASCADE;
         ALTER TABLE specialist DISABLE ROW LEVEL SECURITY;
         ALTER TABLE tenant ADD CONSTRAINT stray_check CHECK (name <> '');
         DO $$ DECLARE p record; BEGIN
             SELECT tablename, policyname INTO p FROM pg_policies WHERE tablename = 'client' LIMIT 1;
             EXECUTE format('DROP POLICY %I ON %I', p.policyname, p.tablename);
             SELECT tgname INTO p FROM pg_trigger
                 WHERE tgrelid = 'client'::regclass AND NOT tgisinternal AND tgname !~ '^~' LIMIT 1;
             EXECUTE format('ALTER TABLE client DISABLE TRIGGER %I', p.tgname);
         END $$",
    )
    .await;
    let drift = migrate(&db, &verify, 6).await;
    assert_eq!(
        names(&drift, "extra"),
        [
            "column public.client.stray",
            "constraint public.tenant.stray_check",
            "index public.stray_idx",
            "table public.stray"
        ]
    );
    let missing = names(&drift, "missing");
    assert!(
        missing.contains(&"table public.contributor".to_owned()),
        "{missing:?}"
    );
    assert!(
        missing
            .iter()
            .any(|m| m.starts_with("policy public.client.")),
        "{missing:?}"
    );
    let different = names(&drift, "different");
    for object in [
        "column public.facility.name",
        "enum public.user_role_enum",
        "table public.specialist",
    ] {
        assert!(different.contains(&object.to_owned()), "{different:?}");
    }
    assert!(
        different
            .iter()
            .any(|d| d.starts_with("trigger public.client.")),
        "{different:?}"
    );
}

#[tokio::test]
async fn a_given_scratch_database_must_be_empty_and_is_left_empty() {
    let db = database("scratch_of").await;
    let scratch = database("scratch_given").await;
    // A login that could change more than its database is refused: apart.rs.
    let builder = scratch.role("scratch_builder", "CREATEDB").await;
    let owned = format!(
        "ALTER DATABASE {} OWNER TO {}",
        scratch.name(),
        builder.name
    );
    scratch.exec(&owned).await;
    let url = builder.url;
    migrate(&db, &["up", "--set", "white_cross"], 0).await;
    let verify = [
        "verify",
        "--set",
        "white_cross",
        "--scratch-database-url",
        &url,
    ];
    let none = migrate(&db, &verify, 0).await;
    assert!(is_none(&none), "{none}");
    let left = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    assert_eq!(scratch.count(left).await, 0);
    scratch.exec("CREATE TYPE in_use AS ENUM ('a')").await;
    let (code, message) = refused(&db, &verify, 3).await;
    assert_eq!(code, "E0715");
    assert!(message.contains("in_use"), "{message}");
}

#[tokio::test]
async fn without_the_right_to_make_a_database_a_private_cluster_is_built_in() {
    let db = database("scratch_refused").await;
    let role = db.role("no_createdb", "").await;
    db.exec(&format!(
        "GRANT CREATE ON DATABASE {} TO {role}; GRANT CREATE ON SCHEMA public TO {role}",
        db.name(),
        role = role.name
    ))
    .await;
    let project = Project::new();
    let call = async |arguments: &[&str]| {
        let fixture = ["--database-url", role.url.as_str(), "--json"];
        project.phiseal(&[arguments, &fixture].concat()).run().await
    };
    call(&["migrate", "up", "--set", "webqx"])
        .await
        .expect_code(0);
    let verified = call(&["migrate", "verify", "--set", "webqx"]).await;
    let verified = verified.expect_code(0).json();
    assert_eq!(verified["built_in"], "a private cluster");
}
