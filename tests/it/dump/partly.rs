//! Dumps that leave out what belongs together: the application's tables without the program's, and rows
//! without the definitions' triggers. Nothing may say that all is well.

use super::{PLAN, json, sealed};
use crate::support::dump::ran;
use crate::support::{Base, Fixture, database};

/// The application's schema alone, as it is in a database where the program never was.
async fn without_ours() -> Fixture {
    let fixture = sealed("dump_without").await;
    let copy = database("dump_without").await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("dump").display().to_string();
    let (from, into) = (fixture.url(), copy.url());
    let dumped = ran("pg_dump", &["--exclude-schema=phiseal", "-f", &file, &from]).await;
    assert_eq!(dumped, "");
    let said = ran("psql", &["-X", "-q", "-o", "/dev/null", "-f", &file, &into]).await;
    // The guard's functions are in our schema: psql says that its triggers cannot be made.
    assert!(said.contains("phiseal"), "{said}");
    let Fixture { project, .. } = fixture;
    project.plan(&copy.url(), PLAN);
    Fixture {
        base: Base::Postgres(copy),
        project,
    }
}

#[tokio::test]
async fn without_our_schema_commands_refuse() {
    let fixture = without_ours().await;
    for command in ["backfill", "verify", "rotate", "status"] {
        let refused = json(&fixture, &[command], 3).await;
        assert_eq!(refused["error"]["code"], "E0515", "{command}");
    }
}

// The keys are in the other database: what they sealed does not open here.
#[tokio::test]
async fn with_a_schema_of_its_own_no_command_says_that_all_is_well() {
    let fixture = without_ours().await;
    for args in [&["migrate", "up"][..], &["keys", "create"]] {
        json(&fixture, args, 0).await;
    }
    let before = fixture
        .scalar("SELECT string_agg(note, ' ' ORDER BY id) FROM people")
        .await;
    for command in ["backfill", "verify"] {
        let done = fixture.project.phiseal(&[command, "--json"]).run().await;
        let code = done.code().unwrap();
        assert!([3, 6, 7].contains(&code), "{command}: {done:?}");
    }
    // What is in place there was left as it is: the other database has its key.
    let after = fixture
        .scalar("SELECT string_agg(note, ' ' ORDER BY id) FROM people")
        .await;
    assert_eq!(before, after);
}

/// Rows that are loaded with their triggers on: our own tables refuse them, and the guard takes no seals.
#[tokio::test]
async fn rows_loaded_under_the_triggers_leave_no_database_that_passes() {
    let fixture = sealed("dump_rows").await;
    let copy = database("dump_rows").await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("dump").display().to_string();
    let (from, into) = (fixture.url(), copy.url());
    let psql = ["-X", "-q", "-o", "/dev/null", "-f", &file, &into];
    let mut said = String::new();
    for part in ["--schema-only", "--data-only"] {
        ran("pg_dump", &[part, "-f", &file, &from]).await;
        said += &ran("psql", &psql).await;
    }
    let Fixture { project, .. } = fixture;
    project.plan(&copy.url(), PLAN);
    let fixture = Fixture {
        base: Base::Postgres(copy),
        project,
    };
    let keys = fixture
        .scalar("SELECT count(*) FROM phiseal.encryption_keys")
        .await;
    if keys.as_deref() != Some("0") {
        // All of it came across: then it is a copy like others.
        assert_eq!(said, "");
        return super::is_not_trusted_until_compared(&fixture).await;
    }
    assert!(said.contains("encryption_keys"), "{said}");
    for args in [&["backfill"][..], &["verify"], &["rotate"]] {
        let done = fixture.project.phiseal(args).run().await;
        let code = done.code().unwrap();
        assert!([3, 6, 7].contains(&code), "{args:?}: {done:?}");
    }
    let (code, said) = super::check(&fixture).await;
    assert_ne!(code, Some(0), "{said}");
}
