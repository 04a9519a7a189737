//! `verify` and `adopt --dry-run` change nothing outside of what they build, whatever the migrations
//! say: a whole cluster is compared before and after.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{migrate, refused};
use crate::support::cluster::{Cluster, bin_dir};
use crate::support::database;
use crate::support::database::{Database, Role};

/// What a folder may say of the cluster, in statements and in blocks of code.
const FILES: &[(&str, &str)] = &[
    (
        "1_table.sql",
        "CREATE TABLE patient (id bigint PRIMARY KEY, ssn text);",
    ),
    (
        "2_role.sql",
        "DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ap_app') THEN
                CREATE ROLE ap_app LOGIN;
            END IF;
        END $$;
        ALTER ROLE ap_app PASSWORD 'initial' CONNECTION LIMIT 5;
        ALTER ROLE ap_app SET statement_timeout = '5s';
        GRANT SELECT ON patient TO ap_app;",
    ),
    (
        "3_more.sql",
        "CREATE ROLE ap_group;
        CREATE USER ap_owner IN ROLE ap_group PASSWORD 'initial';
        GRANT ap_group TO ap_app;
        CREATE TABLE visit (id int);
        ALTER TABLE visit OWNER TO ap_owner;
        SET ROLE ap_owner;
        CREATE POLICY own ON visit TO ap_group USING (true);
        RESET ROLE;
        ALTER ROLE ap_owner SET search_path = public;",
    ),
    (
        "4_code.sql",
        "DO $$ BEGIN
            EXECUTE format('ALTER DATABASE %I SET work_mem = ''8MB''', current_database());
            EXECUTE 'ALTER ROLE ap_app CONNECTION LIMIT 7';
            REVOKE ap_group FROM ap_app;
            GRANT ap_group TO ap_app;
        END $$;
        CREATE ROLE ap_gone;
        GRANT SELECT ON patient TO ap_gone;
        REASSIGN OWNED BY ap_gone TO ap_owner;
        DROP OWNED BY ap_gone;
        DROP ROLE ap_gone;",
    ),
];

fn write(dir: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        fs::write(dir.join(name), text).unwrap();
    }
}

/// Everything that belongs to the cluster: roles with their passwords and settings, memberships,
/// settings of databases, what is owned, and which databases there are.
async fn of_the_cluster(cluster: &Cluster, db: &Database) -> Vec<String> {
    let said = Command::new(bin_dir().unwrap().join("pg_dumpall"))
        .args(["--globals-only", "-d", &cluster.url("postgres")])
        .output()
        .unwrap();
    assert!(
        said.status.success(),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
    let dump = String::from_utf8(said.stdout).unwrap();
    let mut all: Vec<String> = dump
        .lines()
        .filter(|line| !line.starts_with('\\'))
        .map(str::to_owned)
        .collect();
    for of in [
        "SELECT d.datname || d.datdba::regrole || coalesce(d.datacl::text, '') || d.datconnlimit
         FROM pg_database AS d ORDER BY 1",
        "SELECT s.setrole || ' ' || s.setdatabase || s.setconfig::text FROM pg_db_role_setting AS s
         ORDER BY 1",
        "SELECT m.roleid || ' ' || m.member || ' ' || m.admin_option FROM pg_auth_members AS m
         ORDER BY 1",
        "SELECT s.dbid || ' ' || s.classid || ' ' || s.objid || ' ' || s.refobjid || ' ' || s.deptype::text
         FROM pg_shdepend AS s ORDER BY 1",
        "SELECT a.rolname || coalesce(a.rolpassword, '') || a.rolconnlimit FROM pg_authid AS a
         ORDER BY 1",
    ] {
        all.extend(
            db.rows(of)
                .await
                .into_iter()
                .flatten()
                .map(Option::unwrap_or_default),
        );
    }
    all
}

#[tokio::test]
async fn verify_and_adopt_leave_the_whole_cluster_as_it_is() {
    let cluster = Cluster::start();
    let db = Database::create(&cluster.url("postgres"), "apart", "").await;
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), FILES);
    let path = dir.path().to_str().unwrap();
    migrate(&db, &["up", "--dir", path], 0).await;
    // What somebody did a year later, and no migration knows of.
    db.exec(
        "ALTER ROLE ap_app PASSWORD 'rotated-since' CONNECTION LIMIT 50;
         ALTER ROLE ap_app SET statement_timeout = '30s';
         REVOKE ap_group FROM ap_app",
    )
    .await;
    let before = of_the_cluster(&cluster, &db).await;
    let drift = migrate(&db, &["verify", "--dir", path], 0).await;
    assert_eq!(drift["built_in"], "a private cluster");
    assert_eq!(drift["left_out"], json!([]));
    assert_eq!(of_the_cluster(&cluster, &db).await, before);

    db.exec("DROP SCHEMA phiseal CASCADE").await;
    let before = of_the_cluster(&cluster, &db).await;
    let would = migrate(&db, &["adopt", "--dry-run", "--dir", path], 0).await;
    assert_eq!(would["would_adopt"], json!([1, 2, 3, 4]));
    assert_eq!(of_the_cluster(&cluster, &db).await, before);
}

#[tokio::test]
async fn in_a_database_that_is_given_all_of_it_is_rolled_back() {
    let cluster = Cluster::start();
    let db = Database::create(&cluster.url("postgres"), "apart_given", "").await;
    let scratch = Database::create(&cluster.url("postgres"), "apart_scratch", "").await;
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), FILES);
    let path = dir.path().to_str().unwrap();
    migrate(&db, &["up", "--dir", path], 0).await;
    db.exec("ALTER ROLE ap_app PASSWORD 'rotated-since' CONNECTION LIMIT 50")
        .await;
    let builder = builder_of(&scratch).await;
    let before_it = of_the_cluster(&cluster, &db).await;
    let url = scratch.url();
    let verify = ["verify", "--dir", path, "--scratch-database-url", &url];
    assert_eq!(refused(&db, &verify, 3).await.0, "E0755");
    assert_eq!(of_the_cluster(&cluster, &db).await, before_it);
    let url = &builder.url;
    let verify = ["verify", "--dir", path, "--scratch-database-url", url];
    let before = of_the_cluster(&cluster, &db).await;
    let drift = migrate(&db, &verify, 0).await;
    assert_eq!(drift["built_in"], "the scratch database that was given");
    assert!(
        drift["left_out"]
            .to_string()
            .contains("line 6 of migration 2"),
        "{drift}"
    );
    assert_eq!(of_the_cluster(&cluster, &db).await, before);
}

/// A login that owns the scratch database, and can change nothing else.
async fn builder_of(scratch: &Database) -> Role {
    let role = scratch.role("builder", "CREATEDB").await;
    let owned = format!("ALTER DATABASE {} OWNER TO {}", scratch.name(), role.name);
    scratch.exec(&owned).await;
    role
}

#[tokio::test]
async fn a_scratch_database_whose_login_reaches_beyond_it_is_refused() {
    let db = database("apart_reach_of").await;
    let scratch = database("apart_reach").await;
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("1_a.sql", "CREATE TABLE a (id int);")]);
    let path = dir.path().to_str().unwrap();
    migrate(&db, &["up", "--dir", path], 0).await;
    let creator = scratch.role("creator", "CREATEROLE").await;
    let replica = scratch.role("replica", "REPLICATION").await;
    let [member, signal, reload, reader] =
        ["member", "signal", "reload", "reader"].map(|name| scratch.role(name, ""));
    let (member, signal, reload, reader) = (member.await, signal.await, reload.await, reader.await);
    scratch
        .exec(&format!(
            "GRANT {} TO {}; GRANT pg_signal_backend TO {}; GRANT pg_monitor TO {reader};
             GRANT EXECUTE ON FUNCTION pg_reload_conf() TO {}; ALTER DATABASE {} OWNER TO {reader}",
            creator.name,
            member.name,
            signal.name,
            reload.name,
            scratch.name(),
            reader = reader.name,
        ))
        .await;
    for (url, why) in [
        (scratch.url(), "superuser"),
        (creator.url, "CREATEROLE"),
        (replica.url, "REPLICATION"),
        (member.url, "CREATEROLE"),
        (signal.url, "a member of pg_signal_backend"),
        (reload.url, "pg_reload_conf()"),
    ] {
        for which in ["verify", "adopt"] {
            let given = [which, "--dir", path, "--scratch-database-url", &url];
            let value = migrate(&db, &given, 3).await;
            assert_eq!(value["error"]["code"], "E0755", "{why}: {value}");
            assert!(
                value["error"]["message"].to_string().contains(why),
                "{value}"
            );
            assert!(
                value["error"]["hint"].to_string().contains("CREATE ROLE"),
                "{value}"
            );
        }
    }
    let given = [
        "verify",
        "--dir",
        path,
        "--scratch-database-url",
        &reader.url,
    ];
    migrate(&db, &given, 0).await;
    scratch.exec("CREATE EXTENSION dblink").await;
    let (code, message) = refused(&db, &given, 3).await;
    assert_eq!(code, "E0755");
    assert!(message.contains("extension dblink"), "{message}");
}

/// However a text was cut, in a database that is given no COMMIT comes along: a role can always change its
/// own settings and password.
#[tokio::test]
async fn no_file_ends_the_transaction_that_is_rolled_back() {
    let db = database("apart_commit_of").await;
    let scratch = database("apart_commit").await;
    let builder = builder_of(&scratch).await;
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[(
            "1_a.sql",
            "CREATE TABLE a (id int);
             SET standard_conforming_strings = off;
             DO $$ BEGIN EXECUTE 'SET standard_conforming_' || 'strings = on'; END $$;
             SELECT '\\'; COMMIT; ALTER ROLE CURRENT_USER SET work_mem TO 8192; --';",
        )],
    );
    let path = dir.path().to_str().unwrap();
    let settings = format!(
        "SELECT count(*) FROM pg_db_role_setting WHERE setrole = '{}'::regrole",
        builder.name
    );
    let given = [
        "adopt",
        "--dry-run",
        "--dir",
        path,
        "--scratch-database-url",
        &builder.url,
    ];
    assert_eq!(refused(&db, &given, 3).await.0, "E0707");
    assert_eq!(db.count(&settings).await, 0);
    assert_eq!(
        scratch
            .count("SELECT count(*) FROM pg_class WHERE relname = 'a'")
            .await,
        0
    );
}

/// Before version 16, who may make roles may join any of them: the private cluster's login is one.
#[tokio::test]
async fn the_private_clusters_login_gives_itself_no_way_to_the_host() {
    let db = database("apart_host").await;
    db.exec("CREATE EXTENSION dblink").await;
    let dir = tempfile::tempdir().unwrap();
    // The server runs as another user, who may write where everybody may.
    let proof = tempfile::Builder::new()
        .prefix("phiseal-host-")
        .tempdir()
        .unwrap();
    fs::set_permissions(proof.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let file = proof.path().join("made");
    let text = format!(
        "CREATE TABLE a (id int);
         DO $$ BEGIN
             EXECUTE 'GRANT pg_execute_server_pro' || 'gram TO ' || quote_ident(current_user);
             EXECUTE 'COPY (SELECT 1) TO PRO' || 'GRAM ''touch {file}''';
         END $$;
         DO $$ BEGIN
             EXECUTE 'GRANT pg_write_server_files TO ' || quote_ident(current_user);
             EXECUTE 'COPY (SELECT 1) TO ''{file}''';
         END $$;
         DO $$ BEGIN EXECUTE 'SELECT dbl' || 'ink_connect(''dbname=postgres'')'; END $$;",
        file = file.display()
    );
    write(dir.path(), &[("1_a.sql", &text)]);
    let path = dir.path().to_str().unwrap();
    db.exec("CREATE TABLE a (id int)").await;
    let would = migrate(&db, &["adopt", "--dry-run", "--dir", path], 0).await;
    assert_eq!(would["built_in"], "a private cluster");
    for line in ["line 2 of", "line 6 of", "line 10 of"] {
        assert!(would["left_out"].to_string().contains(line), "{would}");
    }
    assert!(!file.exists());
}

#[tokio::test]
async fn what_only_a_superuser_may_do_is_left_out_and_told() {
    let db = database("apart_superuser").await;
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[(
            "1_a.sql",
            "CREATE TABLE a (id int);
             DO $$ BEGIN EXECUTE 'COPY (SELECT 1) TO PRO' || 'GRAM ''cat >/dev/null'''; END $$;
             SET session_replication_role = replica;",
        )],
    );
    let path = dir.path().to_str().unwrap();
    migrate(&db, &["up", "--dir", path], 0).await;
    let drift = migrate(&db, &["verify", "--dir", path], 0).await;
    let left_out = drift["left_out"].as_array().unwrap();
    let told = |line: &str| {
        left_out
            .iter()
            .filter_map(Value::as_str)
            .any(|l| l.contains(line))
    };
    assert!(told("line 2 of migration 1"), "{drift}");
}

#[tokio::test]
async fn extensions_that_the_folder_does_not_make_are_there_and_their_own_is_not_compared() {
    let db = database("apart_extensions").await;
    db.exec(
        "CREATE EXTENSION citext; CREATE SCHEMA ext; CREATE EXTENSION pgcrypto SCHEMA ext;
         CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, description text);
         CREATE TABLE \"SequelizeMeta\" (name text PRIMARY KEY);
         CREATE TABLE goose_db_version (id serial PRIMARY KEY, version_id bigint)",
    )
    .await;
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[(
            "1_a.sql",
            "CREATE EXTENSION IF NOT EXISTS citext;
             CREATE TABLE a (id uuid DEFAULT ext.gen_random_uuid(), name citext);",
        )],
    );
    let path = dir.path().to_str().unwrap();
    migrate(&db, &["up", "--dir", path], 0).await;
    let drift = migrate(&db, &["verify", "--dir", path], 0).await;
    assert_eq!(drift["extra"], json!([]));
    let scratch = database("apart_with_extensions").await;
    scratch
        .exec("CREATE EXTENSION citext; CREATE SCHEMA ext; CREATE EXTENSION pgcrypto SCHEMA ext")
        .await;
    let url = builder_of(&scratch).await.url;
    let given = ["verify", "--dir", path, "--scratch-database-url", &url];
    migrate(&db, &given, 0).await;
    scratch.exec("CREATE TABLE in_use (id int)").await;
    assert_eq!(refused(&db, &given, 3).await.0, "E0715");
}
