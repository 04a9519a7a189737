//! What commands leave of the file: those that look nothing, those that write its journal mode.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::{INDEXED, PEOPLE, PLAN, phiseal, sealed};
use crate::support::{Base, Fixture};

fn path(fixture: &Fixture) -> PathBuf {
    match &fixture.base {
        Base::Sqlite(file) => file.path().to_owned(),
        Base::Postgres(_) => panic!("no file"),
    }
}

/// The mode that stays with the file, by its header (https://sqlite.org/fileformat2.html, 1.3.4).
fn journal_mode(fixture: &Fixture) -> &'static str {
    match fs::read(path(fixture)).unwrap()[18] {
        2 => "wal",
        _ => "delete",
    }
}

/// The file's bytes, those of its -wal file, and what else is in its folder.
fn state(path: &Path) -> (Vec<u8>, Option<Vec<u8>>, Vec<String>) {
    let wal = PathBuf::from(format!("{}-wal", path.display()));
    let folder = fs::read_dir(path.parent().unwrap()).unwrap();
    let mut names: Vec<String> = folder
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    (fs::read(path).unwrap(), fs::read(wal).ok(), names)
}

const LOOKING: [(&[&str], i32); 21] = [
    (&["plan"], 0),
    (&["plan", "--sql"], 0),
    (&["status"], 0),
    (&["status", "--check", "--census"], 0),
    (&["keys", "list"], 0),
    (&["keys", "show", "1"], 7),
    (&["keys", "check"], 0),
    (&["audit", "verify"], 0),
    (&["audit", "head"], 0),
    (&["audit", "list"], 0),
    (&["audit", "export", "--output", "-"], 0),
    (&["grants", "auditor", "--to", "x"], 0),
    (&["quarantine", "list"], 0),
    (&["speed"], 0),
    (&["bench"], 0),
    (&["migrate", "status"], 0),
    (&["migrate", "up", "--dry-run"], 0),
    (&["migrate", "down", "--dry-run"], 0),
    (&["migrate", "redo", "--dry-run"], 0),
    (&["rotate", "--if-due"], 0),
    (
        &[
            "init",
            "--table",
            "people",
            "--column",
            "ssn",
            "--plan",
            "other.toml",
        ],
        0,
    ),
];

#[tokio::test]
async fn commands_that_look_change_no_byte_whatever_the_journal_mode() {
    for mode in ["delete", "wal"] {
        let fixture = sealed(INDEXED).await;
        fixture
            .exec(&format!(
                "PRAGMA journal_mode = {mode}; UPDATE people SET ssn = ssn"
            ))
            .await;
        let path = path(&fixture);
        let before = state(&path);
        for (args, code) in LOOKING {
            let _ = fs::remove_file(fixture.project.dir().join("other.toml"));
            let done = phiseal(&fixture, args)
                .env("DATABASE_URL", fixture.url())
                .run()
                .await;
            assert_eq!(done.status.code(), Some(code), "{args:?}: {}", done.stderr);
            assert!(
                state(&path) == before,
                "{args:?} changed the file in mode {mode}"
            );
        }
        assert_eq!(journal_mode(&fixture), mode);
    }
}

#[tokio::test]
async fn a_file_without_anything_of_ours_is_only_looked_at() {
    let file = crate::support::sqlite().await;
    file.exec(PEOPLE).await;
    let fixture = Fixture {
        base: Base::Sqlite(file),
        project: crate::support::Project::new(),
    };
    fixture.project.plan(&fixture.url(), PLAN);
    let before = state(&path(&fixture));
    for (args, code) in [
        (&["plan"][..], 3),
        (&["status"], 3),
        (&["bench"], 0),
        (&["migrate", "status"], 0),
        (&["migrate", "up", "--dry-run"], 0),
        (&["rotate", "--if-due"], 3),
    ] {
        phiseal(&fixture, args).run().await.expect_code(code);
        assert!(
            state(&path(&fixture)) == before,
            "{args:?} changed the file"
        );
    }
}

#[tokio::test]
async fn commands_that_write_keep_the_journal_mode_and_a_copy_is_whole() {
    for mode in ["delete", "wal"] {
        let fixture = Fixture {
            base: Base::Sqlite(crate::support::sqlite().await),
            project: crate::support::Project::new(),
        };
        fixture
            .exec(&format!("PRAGMA journal_mode = {mode}; {PEOPLE}"))
            .await;
        fixture.project.plan(&fixture.url(), INDEXED);
        for args in [
            &["migrate", "up"][..],
            &["keys", "create"],
            &["backfill"],
            &["verify"],
            &["rotate"],
            &["rotate", "--purpose", "blind_index", "--grace", "0"],
            &["quarantine", "retry"],
            &["bench", "--write-sample"],
            &["restore", "--drop-sealed", "--yes"],
        ] {
            phiseal(&fixture, args).run().await.expect_code(0);
            assert_eq!(journal_mode(&fixture), mode, "{args:?}");
        }
    }
}

#[tokio::test]
async fn a_plan_that_asks_for_wal_gets_it_from_the_first_command_that_writes() {
    let fixture = sealed(PLAN).await;
    let plan = fs::read_to_string(fixture.project.plan_file()).unwrap();
    fixture
        .project
        .plan_text(&plan.replace("[keys]", "wal = true\n[keys]"));
    phiseal(&fixture, &["status"]).run().await.expect_code(0);
    assert_eq!(journal_mode(&fixture), "delete");
    let said = phiseal(&fixture, &["backfill"])
        .run()
        .await
        .expect_code(0)
        .stderr;
    assert!(said.contains("WAL mode from now on"), "{said}");
    assert_eq!(journal_mode(&fixture), "wal");
    let said = phiseal(&fixture, &["verify"])
        .run()
        .await
        .expect_code(0)
        .stderr;
    assert!(!said.contains("WAL mode"), "{said}");
}

/// Everybody may read file, folder and plan, and nobody write.
fn for_reading_only(fixture: &Fixture) {
    let path = path(fixture);
    for (path, mode) in [
        (fixture.project.plan_file(), 0o444),
        (fixture.project.dir().to_owned(), 0o555),
        (path.clone(), 0o444),
        (path.parent().unwrap().to_owned(), 0o555),
    ] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
}

#[tokio::test]
async fn a_file_in_a_folder_that_takes_no_writes_is_looked_at_in_either_journal_mode() {
    for mode in ["delete", "wal"] {
        let fixture = sealed(PLAN).await;
        // Closed by everybody, in WAL mode without a -wal file.
        if let Base::Sqlite(file) = &fixture.base {
            file.pool().close().await;
        }
        let mut app = SqliteConnectOptions::new()
            .filename(path(&fixture))
            .connect()
            .await
            .unwrap();
        let pragma = format!("PRAGMA journal_mode = {mode}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(pragma))
            .execute(&mut app)
            .await
            .unwrap();
        app.close().await.unwrap();
        // A user who may not read the key file has the key in the environment.
        let plan = fs::read_to_string(fixture.project.plan_file()).unwrap();
        let file = format!(
            "provider = \"file\"\npath = {:?}",
            fixture.project.key_file()
        );
        let variable = "provider = \"env\"\nvariable = \"PHISEAL_KEY\"";
        assert!(plan.contains(&file), "{plan}");
        fixture.project.plan_text(&plan.replace(&file, variable));
        for_reading_only(&fixture);
        let before = state(&path(&fixture));
        for args in [
            &["status", "--check"][..],
            &["keys", "list"],
            &["audit", "head"],
            &["audit", "list"],
            &["verify"],
            &["quarantine", "list"],
            &["migrate", "status"],
            &["migrate", "up", "--dry-run"],
            &["rotate", "--if-due"],
        ] {
            let done = phiseal(&fixture, args)
                .env("PHISEAL_KEY", fixture.project.key_line())
                .without_rights()
                .run()
                .await;
            assert_eq!(
                done.status.code(),
                Some(0),
                "{mode} {args:?}: {}",
                done.stderr
            );
        }
        // A backfill would not do, which the plan says.
        let plan = phiseal(&fixture, &["plan", "--json"])
            .without_rights()
            .run()
            .await;
        let plan = plan.expect_code(3).json();
        let refusals = plan["refusals"].as_array().unwrap();
        assert!(refusals.iter().any(|one| one["code"] == "E0214"), "{plan}");
        assert!(state(&path(&fixture)) == before, "mode {mode}");
        let folder = path(&fixture).parent().unwrap().to_owned();
        for folder in [folder, fixture.project.dir().to_owned()] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
}
