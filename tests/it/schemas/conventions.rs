//! What folders of other tools rely on: Flyway's names and placeholders, the order of numbers, ends of
//! lines, roles and settings of a file, and what a failure says.

use std::fs;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use super::{migrate, refused};
use crate::support::{Phiseal, Project, database, database_with};

fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        write(dir.path(), name, text);
    }
    dir
}

fn write(dir: &Path, name: &str, text: &str) {
    fs::write(dir.join(name), text).unwrap();
}

#[tokio::test]
async fn flyways_folder_is_applied_repeated_verified_and_undone() {
    let db = database("flyway").await;
    let dir = folder(&[
        (
            "V1_1__a.sql",
            "CREATE TABLE a (id int, b text DEFAULT '${b}');",
        ),
        ("U1_1__drop_a.sql", "DROP TABLE a CASCADE;"),
        ("V1_10__b.sql", "CREATE TABLE b (id int);"),
        ("U1_10__b.sql", "DROP TABLE b;"),
        ("V1_2__c.sql", "CREATE TABLE c (id int);"),
        ("U1_2__c.sql", "DROP TABLE c;"),
        (
            "R__view.sql",
            "CREATE OR REPLACE VIEW v AS SELECT id FROM a;",
        ),
    ]);
    let path = dir.path().to_str().unwrap();
    let (code, message) = refused(&db, &["up", "--dir", path], 2).await;
    assert_eq!(code, "E0710");
    assert!(
        message.contains("V1_1__a.sql: line 1 has the placeholder ${b}"),
        "{message}"
    );
    let fixture = ["--dir", path, "--var", "b=c"];
    let up = migrate(&db, &[&["up"], &fixture[..]].concat(), 0).await;
    assert_eq!(up, json!({ "applied": ["1.1", "1.2", "1.10", "R__view"] }));
    let again = migrate(&db, &[&["up"], &fixture[..]].concat(), 0).await;
    assert_eq!(again, json!({ "applied": [] }));
    migrate(&db, &[&["verify"], &fixture[..]].concat(), 0).await;

    write(
        dir.path(),
        "R__view.sql",
        "CREATE OR REPLACE VIEW v AS SELECT id, b FROM a;",
    );
    let status = migrate(&db, &[&["status"], &fixture[..]].concat(), 0).await;
    assert_eq!(status[3]["state"], "pending");
    let up = migrate(&db, &[&["up"], &fixture[..]].concat(), 0).await;
    assert_eq!(up, json!({ "applied": ["R__view"] }));
    let down = migrate(&db, &[&["down", "--to", "1.2"], &fixture[..]].concat(), 0).await;
    assert_eq!(down, json!({ "undone": ["1.10"] }));
    let down = migrate(&db, &[&["down", "--to", "0"], &fixture[..]].concat(), 0).await;
    assert_eq!(down, json!({ "undone": ["1.2", "1.1"] }));
    let left = "SELECT count(*) FROM pg_class WHERE relnamespace = 'phiseal'::regnamespace";
    assert_eq!(db.count(left).await, 0);
}

#[tokio::test]
async fn flyways_subfolders_are_searched_and_order_is_by_version_over_all_of_them() {
    let db = database("flyway_below").await;
    let dir = folder(&[("V1__a.sql", "CREATE TABLE a (id int);")]);
    for (below, name, text) in [
        ("z/old", "V2__b.sql", "ALTER TABLE a ADD b int;"),
        ("z/old", "U2__b.sql", "ALTER TABLE a DROP b;"),
        ("a", "V10__c.sql", "ALTER TABLE a RENAME b TO c;"),
        (
            "views",
            "R__v.sql",
            "CREATE OR REPLACE VIEW v AS SELECT c FROM a;",
        ),
        (".hidden", "V3__d.sql", "no SQL"),
    ] {
        fs::create_dir_all(dir.path().join(below)).unwrap();
        write(&dir.path().join(below), name, text);
    }
    let path = dir.path().to_str().unwrap();
    let up = migrate(&db, &["up", "--dir", path], 0).await;
    assert_eq!(up, json!({ "applied": ["1", "2", "10", "R__v"] }));
    migrate(&db, &["verify", "--dir", path], 0).await;
    write(&dir.path().join("a"), "V2_0__other.sql", "SELECT 1;");
    let (code, message) = refused(&db, &["up", "--dir", path], 2).await;
    assert_eq!(code, "E0710");
    let twice = "z/old/V2__b.sql: another file has its version: a/V2_0__other.sql";
    assert!(message.contains(twice), "{message}");
    let new = ["migrate", "new", "more", "--dir", path];
    Phiseal::new(new).run().await.expect_code(0);
    assert!(dir.path().join("V11__more.sql").exists());
}

#[tokio::test]
async fn a_placeholder_without_a_value_is_refused_before_anything_is_run() {
    let db = database("placeholders").await;
    let dir = folder(&[
        ("1_a.sql", "CREATE TABLE a (id int);"),
        (
            "2_b.sql",
            "-- ${comment}\nCREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT '${body}' $$;\n\
             CREATE TABLE b (id int DEFAULT 1,\n  t text DEFAULT '${string}') TABLESPACE ${space};",
        ),
    ]);
    let path = dir.path().to_str().unwrap();
    let (code, message) = refused(&db, &["up", "--dir", path], 2).await;
    assert_eq!(code, "E0710");
    let why = "2_b.sql: line 4 has the placeholder ${space}: give it with --var space=VALUE";
    assert!(message.contains(why), "{message}");
    assert_eq!(message.matches("${").count(), 1, "{message}");
    assert_eq!(db.scalar("SELECT to_regclass('public.a')").await, None);
    let with = [
        "up",
        "--dir",
        path,
        "--var",
        "space=pg_default",
        "--var",
        "body=x",
        "--var",
        "string=y",
    ];
    assert_eq!(migrate(&db, &with, 0).await, json!({ "applied": [1, 2] }));
}

/// A file is UTF-8, and the server says what its own encoding has no letter for.
#[tokio::test]
async fn a_database_of_another_encoding_takes_comments_and_refuses_letters_by_their_line() {
    let options = "ENCODING 'WIN1252' LC_COLLATE 'C' LC_CTYPE 'C'";
    let db = database_with("win1252", options).await;
    let dir = folder(&[
        (
            "1_a.sql",
            "-- from ≥ to\nCREATE TABLE a (dose text DEFAULT 'é €');",
        ),
        (
            "2_b.sql",
            "-- ≥\nCREATE TABLE b (id int);\nCOMMENT ON TABLE b IS '≥ 2 µg';",
        ),
    ]);
    let path = dir.path().to_str().unwrap();
    let (code, message) = refused(&db, &["up", "--dir", path], 3).await;
    assert_eq!(code, "E0707");
    for word in ["2_b.sql: ", "line 3", "22P05", "applied before it: 1"] {
        assert!(message.contains(word), "{word} is not in {message}");
    }
    assert_eq!(db.scalar("SELECT to_regclass('public.b')").await, None);
    db.exec("INSERT INTO a VALUES (DEFAULT)").await;
    let bytes = "SELECT encode(convert_to(dose, 'WIN1252'), 'hex') FROM a";
    assert_eq!(db.scalar(bytes).await.as_deref(), Some("e92080"));
    migrate(&db, &["verify", "--dir", path], 0).await;
    migrate(&db, &["up"], 0).await;
    migrate(&db, &["verify"], 0).await;
}

#[tokio::test]
async fn a_baseline_is_refused_in_words() {
    let db = database("flyway_baseline").await;
    let dir = folder(&[("B2__base.sql", "CREATE TABLE a (id int);")]);
    let (code, message) = refused(&db, &["up", "--dir", dir.path().to_str().unwrap()], 2).await;
    assert_eq!(code, "E0710");
    assert!(message.contains("baseline of Flyway"), "{message}");
}

#[tokio::test]
async fn what_is_older_than_an_applied_one_is_not_applied_without_a_word_and_down_undoes_the_last()
{
    let db = database("order").await;
    let dir = folder(&[
        ("1_a.sql", "CREATE TABLE a (id int);"),
        ("1_a.down.sql", "DROP TABLE a;"),
        ("3_c.sql", "CREATE TABLE c (id int);"),
        ("3_c.down.sql", "DROP TABLE c;"),
    ]);
    let path = dir.path().to_str().unwrap();
    migrate(&db, &["up", "--dir", path], 0).await;
    write(dir.path(), "2_b.sql", "CREATE TABLE b (id int);");
    write(dir.path(), "2_b.down.sql", "DROP TABLE b;");
    let (code, message) = refused(&db, &["up", "--dir", path], 3).await;
    assert_eq!(code, "E0750");
    assert!(message.contains("older than migration 3"), "{message}");
    let up = migrate(&db, &["up", "--dir", path, "--allow-out-of-order"], 0).await;
    assert_eq!(up, json!({ "applied": [2] }));
    let down = migrate(&db, &["down", "--dir", path], 0).await;
    assert_eq!(down, json!({ "undone": [2] }));
}

#[tokio::test]
async fn a_file_with_other_ends_of_lines_is_the_same_file() {
    let db = database("ends_of_lines").await;
    let text = "-- a\nCREATE TABLE a (id int);\nCREATE TABLE b (id int);\n";
    let dir = folder(&[("1_a.sql", text)]);
    let path = dir.path().to_str().unwrap();
    migrate(&db, &["up", "--dir", path], 0).await;
    for other in [text.replace('\n', "\r\n"), format!("\u{feff}{text}")] {
        write(dir.path(), "1_a.sql", &other);
        let status = migrate(&db, &["status", "--dir", path], 0).await;
        assert_eq!(status[0]["state"], "applied", "{other:?}");
    }
    write(dir.path(), "1_a.sql", &text.replace('b', "c"));
    let status = migrate(&db, &["status", "--dir", path], 0).await;
    assert_eq!(status[0]["state"], "checksum_differs");
}

#[tokio::test]
async fn the_history_is_the_logins_whatever_role_a_file_sets_and_settings_end_with_it() {
    let db = database("set_role").await;
    let role = db.role("of_file", "").await;
    db.exec(&format!("GRANT CREATE ON SCHEMA public TO {}", role.name))
        .await;
    let first = format!(
        "SET ROLE {role};\nSET search_path = pg_catalog;\nSET lock_timeout = '1h';\n\
         CREATE TABLE public.a (id int);\nCREATE INDEX CONCURRENTLY i ON public.a (id);\n\
         CREATE INDEX CONCURRENTLY j ON public.a (id);\n",
        role = role.name
    );
    let dir = folder(&[
        ("1_a.sql", &first),
        (
            "1_a.down.sql",
            &format!(
                "SET ROLE {};\nDROP INDEX CONCURRENTLY i;\nDROP TABLE a;",
                role.name
            ),
        ),
        (
            "2_b.sql",
            "CREATE TABLE b AS SELECT current_user::text AS made_by;",
        ),
        ("2_b.down.sql", "DROP TABLE b;"),
    ]);
    let path = dir.path().to_str().unwrap();
    let up = migrate(&db, &["up", "--dir", path], 0).await;
    assert_eq!(up, json!({ "applied": [1, 2] }));
    let owner = "SELECT relowner::regrole::text FROM pg_class WHERE relname = 'a'";
    assert_eq!(db.scalar(owner).await, Some(role.name.clone()));
    assert_eq!(
        db.scalar("SELECT made_by FROM public.b").await.as_deref(),
        Some("postgres")
    );
    let down = ["down", "--dir", path, "--to", "0", "--drop-data", "--yes"];
    assert_eq!(migrate(&db, &down, 0).await, json!({ "undone": [2, 1] }));
}

#[tokio::test]
async fn a_roles_timeout_ends_no_migration() {
    let db = database("role_timeout").await;
    let role = db.role("hasty", "").await;
    db.exec(&format!(
        "GRANT CREATE ON SCHEMA public TO {role}; GRANT CREATE ON DATABASE {db} TO {role};
         ALTER ROLE {role} SET statement_timeout = '300ms'",
        role = role.name,
        db = db.name()
    ))
    .await;
    let dir = folder(&[("1_a.sql", "CREATE TABLE a (id int); SELECT pg_sleep(0.6);")]);
    let project = Project::new();
    let path = dir.path().to_str().unwrap();
    let all = ["migrate", "up", "--dir", path, "--database-url", &role.url];
    project.phiseal(&all).run().await.expect_code(0);
}

#[tokio::test]
async fn a_failure_names_its_file_and_line_its_constraint_and_what_was_applied_before() {
    let db = database("words").await;
    let dir = folder(&[
        (
            "1_a.sql",
            "CREATE TABLE a (id int CONSTRAINT only_once PRIMARY KEY);",
        ),
        (
            "2_rows.sql",
            "INSERT INTO a VALUES (1);\nINSERT INTO a VALUES (1);",
        ),
    ]);
    let path = dir.path().to_str().unwrap();
    let (code, message) = refused(&db, &["up", "--dir", path], 3).await;
    assert_eq!(code, "E0707");
    for word in [
        "2_rows.sql: ",
        "line 2",
        "SQLSTATE 23505 unique_violation",
        "constraint only_once",
        "applied before it: 1",
    ] {
        assert!(message.contains(word), "{word} is not in {message}");
    }
    write(
        dir.path(),
        "2_rows.sql",
        "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;\nCALL p();",
    );
    let value = migrate(&db, &["up", "--dir", path], 3).await;
    let hint = value["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("a file is one transaction"), "{value}");
}

#[tokio::test]
async fn many_wrong_names_are_counted_and_a_missing_url_is_called_that() {
    let db = database("wrong_names").await;
    let names: Vec<String> = (0..485).map(|n| format!("what{n}.sql")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let dir = folder(&files);
    let path = dir.path().to_str().unwrap();
    let (_, message) = refused(&db, &["up", "--dir", path], 2).await;
    assert!(message.contains("and 465 more"), "{message}");
    assert!(message.lines().count() < 30, "{message}");
    let project = Project::new();
    let run = Phiseal::new(["migrate", "up", "--set", "webqx"])
        .cwd(project.dir())
        .run()
        .await;
    let run = run.expect_code(2);
    assert!(run.stderr.contains("E0754"), "{}", run.stderr);
    assert!(!run.stderr.contains("phiseal.toml"), "{}", run.stderr);
}

#[tokio::test]
async fn a_new_pair_is_named_as_the_folder_has_it() {
    let dir = folder(&[("0007_a.up.sql", ""), ("0007_a.down.sql", "")]);
    let path = dir.path().to_str().unwrap();
    let run = Phiseal::new(["migrate", "new", "add_x", "--dir", path])
        .run()
        .await;
    run.expect_code(0);
    for name in ["0008_add_x.up.sql", "0008_add_x.down.sql"] {
        assert_eq!(
            fs::read_to_string(dir.path().join(name)).unwrap(),
            "",
            "{name}"
        );
    }
}
