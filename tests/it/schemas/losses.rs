//! Undoing never drops rows or sealed columns without a word.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::json;

use super::{migrate, refused};
use crate::support::database::Database;
use crate::support::{Project, database};

#[tokio::test]
async fn undoing_a_set_that_holds_rows_is_refused_with_counts_and_changes_nothing() {
    let db = database("losses_set").await;
    migrate(&db, &["up", "--set", "facility"], 0).await;
    db.exec(
        "INSERT INTO tenant (id, name, slug) VALUES
             ('00000000-0000-0000-0000-000000000001', 'Oak', 'oak'),
             ('00000000-0000-0000-0000-000000000002', 'Elm', 'elm')",
    )
    .await;
    let down = ["down", "--to", "0", "--set", "facility"];
    let dry = migrate(&db, &[&down[..], &["--dry-run"]].concat(), 0).await;
    let would = dry["would_refuse"].to_string();
    assert!(would.contains("table public.tenant: 2 rows"), "{would}");
    let (code, message) = refused(&db, &down, 3).await;
    assert_eq!(code, "E0751");
    assert!(message.contains("table public.tenant: 2 rows"), "{message}");
    let unasked = [&down[..], &["--drop-data"]].concat();
    let (code, message) = refused(&db, &unasked, 2).await;
    assert_eq!(code, "E0618");
    assert!(message.contains("table public.tenant: 2 rows"), "{message}");
    assert_eq!(db.count("SELECT count(*) FROM tenant").await, 2);
    migrate(&db, &["up", "--set", "facility"], 0).await;
    migrate(&db, &[&down[..], &["--drop-data", "--yes"]].concat(), 0).await;
    let left = "SELECT count(*) FROM pg_class WHERE relname = 'tenant'";
    assert_eq!(db.count(left).await, 0);
}

/// `phiseal migrate …` at a pseudo-terminal, where a person types `answer`: what stood there, and the
/// exit code.
fn at_a_terminal(db: &Database, arguments: &[&str], answer: &str) -> (String, Option<i32>) {
    let project = Project::new();
    let url = db.url();
    let words = [
        &[env!("CARGO_BIN_EXE_phiseal"), "migrate"],
        arguments,
        &["--database-url", &url],
    ];
    let quoted: Vec<String> = words
        .concat()
        .iter()
        .map(|word| format!("'{word}'"))
        .collect();
    let mut script = Command::new("script")
        .args(["-qec", &quoted.join(" "), "/dev/null"])
        .env("SHELL", "/bin/sh")
        .current_dir(project.dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // What is typed before the question stands at the terminal until it is read.
    let mut typed = script.stdin.take().unwrap();
    writeln!(typed, "{answer}").unwrap();
    let done = script.wait_with_output().unwrap();
    drop(typed);
    (
        String::from_utf8_lossy(&done.stdout).into_owned(),
        done.status.code(),
    )
}

#[tokio::test]
async fn at_a_terminal_a_person_is_asked_and_only_yes_drops_rows() {
    let db = database("losses_asked").await;
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("1_a.sql"), "CREATE TABLE a (id int);").unwrap();
    std::fs::write(dir.path().join("1_a.down.sql"), "DROP TABLE a;").unwrap();
    let path = dir.path().to_str().unwrap();
    migrate(&db, &["up", "--dir", path], 0).await;
    for which in ["down", "redo"] {
        db.exec("INSERT INTO a VALUES (1), (2)").await;
        for answer in ["no", "", "y"] {
            let (said, code) = at_a_terminal(&db, &[which, "--dir", path], answer);
            assert!(said.contains("table public.a: 2 rows"), "{said}");
            assert!(said.contains("Type yes: "), "{said}");
            assert!(said.contains("error[E0751]"), "{said}");
            assert_eq!(code, Some(3), "{said}");
            assert_eq!(db.count("SELECT count(*) FROM a").await, 2);
        }
        let (said, code) = at_a_terminal(&db, &[which, "--dir", path], "yes");
        assert_eq!(code, Some(0), "{said}");
        migrate(&db, &["up", "--dir", path], 0).await;
        assert_eq!(db.count("SELECT count(*) FROM a").await, 0);
    }
    // Nothing would be lost, so nothing is asked.
    let (said, code) = at_a_terminal(&db, &["down", "--dir", path], "no");
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("Type yes"), "{said}");
}

#[tokio::test]
async fn however_a_file_says_it_what_would_go_is_found() {
    for down in [
        "DROP SCHEMA s CASCADE;",
        "DO $$ BEGIN EXECUTE 'DROP TABLE s.a'; END $$;",
        "SET search_path = s; DROP TABLE IF EXISTS b, a;",
        "CREATE INDEX CONCURRENTLY i ON s.a (id); DROP TABLE s.a;",
    ] {
        let db = database("losses_ways").await;
        let dir = tempfile::tempdir().unwrap();
        let up = "CREATE SCHEMA s; CREATE TABLE s.a (id int);";
        std::fs::write(dir.path().join("1_a.sql"), up).unwrap();
        std::fs::write(dir.path().join("1_a.down.sql"), down).unwrap();
        let path = dir.path().to_str().unwrap();
        migrate(&db, &["up", "--dir", path], 0).await;
        db.exec("INSERT INTO s.a VALUES (1), (2), (3)").await;
        for which in ["down", "redo"] {
            let (code, message) = refused(&db, &[which, "--dir", path], 3).await;
            assert_eq!(code, "E0751", "{down}");
            assert!(message.contains("table s.a: 3 rows"), "{down}: {message}");
        }
        db.exec("DELETE FROM s.a").await;
        let undone = migrate(&db, &["down", "--dir", path], 0).await;
        assert_eq!(undone, json!({ "undone": [1] }), "{down}");
    }
}

#[tokio::test]
async fn a_sealed_column_is_not_dropped_and_the_sql_of_a_dry_run_can_be_run() {
    let db = database("losses_sealed").await;
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("1_a.sql", "CREATE TABLE a (id int PRIMARY KEY, ssn text);");
    write("1_a.down.sql", "DROP TABLE a;");
    write("2_b.sql", "ALTER TABLE a ADD b int;");
    write("2_b.down.sql", "ALTER TABLE a DROP ssn_sealed CASCADE;");
    let path = dir.path().to_str().unwrap();
    migrate(&db, &["up", "--dir", path], 0).await;
    db.exec("INSERT INTO a VALUES (1, '078-05-1120')").await;
    let project = Project::new();
    project.plan(
        &db.url(),
        "[[table]]\nname = \"public.a\"\n[[table.column]]\nname = \"ssn\"\n\
         seal_into = \"ssn_sealed\"\n",
    );
    let call = async |arguments: &[&str]| {
        let run = project.phiseal(arguments).run().await;
        run.expect_code(0).stdout
    };
    call(&["migrate", "up"]).await;
    call(&["keys", "create"]).await;
    call(&["backfill"]).await;
    let (code, message) = refused(&db, &["down", "--dir", path], 3).await;
    assert_eq!(code, "E0751");
    assert!(
        message.contains("sealed column public.a.ssn_sealed: 1 value"),
        "{message}"
    );
    assert_eq!(db.count("SELECT count(ssn_sealed) FROM a").await, 1);

    // phiseal's own tables, with their schema's name in its place; the guards are no drift.
    let sql = call(&["migrate", "down", "--to", "0", "--dry-run"]).await;
    assert!(sql.contains("DROP") && !sql.contains("{{schema}}"), "{sql}");
    call(&["migrate", "verify"]).await;
}
