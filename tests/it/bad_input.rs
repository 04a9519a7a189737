//! What a user gets wrong, and what breaks: each refusal has its own exit code, one JSON object on
//! stdout with a code, a message and a hint, and changes nothing.

use crate::backfill::beside;
use crate::support::phiseal::Finished;
use crate::support::{Fixture, Phiseal, Project, database_with, skipped, sqlite};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, Instant};

const SQL: &str = "CREATE TABLE t (id int PRIMARY KEY, ssn text, mail text);
    INSERT INTO t SELECT i, '123-45-' || i, 'm' || i FROM generate_series(1, 500) i;";

#[track_caller]
fn error_of(done: &Finished, code: i32) -> Value {
    assert_eq!(done.code(), Some(code), "{done:?}");
    let said = done.json();
    assert_eq!(said["exit_code"], code);
    for part in ["code", "message", "hint"] {
        let text = said["error"][part].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "no {part}: {said}");
    }
    assert_eq!(
        said.as_object().map(serde_json::Map::len),
        Some(2),
        "{said}"
    );
    said["error"].clone()
}

async fn refused(project: &Project, args: &[&str], code: i32) -> Value {
    let args = [args, &["--json"]].concat();
    error_of(&project.phiseal(&args).run().await, code)
}

async fn untouched(fixture: &Fixture) {
    let columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 't'";
    assert_eq!(
        fixture.db().count(columns).await,
        3,
        "the table was changed"
    );
    let triggers = "SELECT count(*) FROM pg_trigger WHERE tgrelid = 't'::regclass";
    assert_eq!(fixture.db().count(triggers).await, 0);
}

#[tokio::test]
async fn databases_that_are_not_there_and_passwords_that_are_wrong() {
    const SECRET: &str = "pass-canary-51";
    let project = Project::new();
    for (url, code) in [
        ("postgres://x:pass-canary-51@127.0.0.1:1/none", 4),
        ("mysql://x:pass-canary-51@127.0.0.1/none", 2),
        ("postgres://x:pass-canary-51@[broken/none", 2),
        ("not a url pass-canary-51", 2),
    ] {
        project.plan(url, &beside("public.t", &["ssn"]));
        for args in [["plan"], ["status"], ["backfill"]] {
            for json in [&["--json"][..], &[]] {
                let args = [&args[..], json].concat();
                let done = project.phiseal(&args).run().await;
                assert_eq!(done.code(), Some(code), "{url}: {done:?}");
                assert!(
                    !done.stdout.contains(SECRET) && !done.stderr.contains(SECRET),
                    "{done:?}"
                );
                if !json.is_empty() {
                    error_of(&done, code);
                }
            }
        }
    }
    let fixture = Fixture::postgres("password", SQL, &beside("public.t", &["ssn"])).await;
    let role = fixture.db().role("nobody", "").await;
    fixture
        .project
        .plan(&role.url, &beside("public.t", &["ssn"]));
    let done = fixture.phiseal(&["backfill", "--json"]).run().await;
    let error = error_of(&done, done.code().unwrap());
    assert!(matches!(done.code(), Some(3 | 4)), "{error}");
    untouched(&fixture).await;
}

#[tokio::test]
async fn plans_that_name_what_is_not_there() {
    let fixture = Fixture::postgres("missing", SQL, &beside("public.nothing", &["ssn"])).await;
    assert!(
        refused(&fixture.project, &["backfill"], 3).await["message"]
            .as_str()
            .unwrap()
            .contains("nothing")
    );
    fixture
        .project
        .plan(&fixture.url(), &beside("public.t", &["snn", "ssn", "male"]));
    let error = refused(&fixture.project, &["backfill"], 3).await;
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("snn") && message.contains("male"),
        "{message}"
    );
    // `plan` reports the same as data; it is its job to find it.
    let found = fixture.json_code(&["plan"], 3).await;
    assert!(found["refusals"].as_array().unwrap().len() >= 2, "{found}");
    untouched(&fixture).await;
}

#[tokio::test]
async fn faults_of_the_plan_file_are_reported_all_at_once_with_a_suggestion() {
    let fixture = Fixture::postgres("faults", SQL, &beside("public.t", &["ssn"])).await;
    let plan = fs::read_to_string(fixture.project.plan_file()).unwrap();
    let (plan, _) = plan.split_once("[run]").unwrap_or((&plan, ""));
    let plan = plan.replace("seal_into", "seal_in_to")
        + "pad_to = -3\ncolour = 1\n[run]\nlanes = \"many\"\n";
    fixture.project.plan_text(&plan);
    let error = refused(&fixture.project, &["backfill"], 2).await;
    let message = error["message"].as_str().unwrap();
    for part in ["seal_in_to", "seal_into", "pad_to", "colour", "lanes"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    fixture.project.plan_text("[database\nurl = ");
    refused(&fixture.project, &["backfill"], 2).await;
    fs::remove_file(fixture.project.plan_file()).unwrap();
    refused(&fixture.project, &["backfill"], 2).await;
    refused(&fixture.project, &["backfil"], 2).await;
    untouched(&fixture).await;
}

#[tokio::test]
async fn wrapping_keys_that_are_wrong_or_kept_badly_stop_it_before_any_row_is_read() {
    let fixture = Fixture::postgres("wrapping", SQL, &beside("public.t", &["ssn"])).await;
    let (file, other) = (fixture.project.key_file(), Project::new());
    let good = fs::read(&file).unwrap();
    let aside = fixture.project.dir().join("aside");
    let mut messages = Vec::new();
    for fault in ["another", "mode", "link", "short", "gone"] {
        match fault {
            "another" => fs::write(&file, format!("{}\n", other.key_line())).unwrap(),
            "mode" => fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap(),
            "link" => {
                fs::rename(&file, &aside).unwrap();
                symlink(&aside, &file).unwrap();
            }
            "short" => {
                let line = fixture.project.key_line();
                fs::write(&file, format!("{}\n", &line[..line.len() - 1])).unwrap();
            }
            _ => fs::remove_file(&file).unwrap(),
        }
        for args in [["backfill"], ["verify"]] {
            let error = refused(&fixture.project, &args, 7).await;
            let said = error.to_string();
            let secret = &fixture.project.key_line()["phiseal-wk-1.".len()..];
            assert!(!said.contains(secret), "{fault}: the key is shown");
            messages.push(said);
        }
        let _ = fs::remove_file(&file);
        fs::write(&file, &good).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let _ = fs::remove_file(&aside);
    }
    messages.dedup();
    assert!(messages.len() >= 5, "{messages:#?}");
    untouched(&fixture).await;
    fixture.json(&["backfill"]).await;
}

#[tokio::test]
async fn without_keys_or_tables_of_its_own_it_says_which_command_comes_first() {
    let db = crate::support::database("bare").await;
    db.exec(SQL).await;
    let project = Project::new();
    project.plan(&db.url(), &beside("public.t", &["ssn"]));
    let error = refused(&project, &["backfill"], 3).await;
    assert!(
        error["hint"].as_str().unwrap().contains("migrate"),
        "{error}"
    );
    project
        .phiseal(&["migrate", "up"])
        .run()
        .await
        .expect_code(0);
    let error = refused(&project, &["backfill"], 7).await;
    assert!(
        error["hint"].as_str().unwrap().contains("keys create"),
        "{error}"
    );
    project
        .phiseal(&["keys", "create"])
        .run()
        .await
        .expect_code(0);
    let error = refused(&project, &["keys", "create"], 7).await;
    assert!(
        error["hint"].as_str().unwrap().contains("rotate"),
        "{error}"
    );
}

#[tokio::test]
async fn a_database_without_an_encoding_is_refused() {
    let db = database_with("ascii", "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'").await;
    db.exec(SQL).await;
    let project = Project::new();
    project.plan(&db.url(), &beside("public.t", &["ssn"]));
    // Wherever it is noticed first, nothing may have been sealed.
    let migrated = project.phiseal(&["migrate", "up", "--json"]).run().await;
    if migrated.code() == Some(0) {
        project
            .phiseal(&["keys", "create"])
            .run()
            .await
            .expect_code(0);
        refused(&project, &["backfill"], 3).await;
    } else {
        error_of(&migrated, 3);
    }
    let columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 't'";
    assert_eq!(db.count(columns).await, 3);
}

#[tokio::test]
async fn a_second_engine_is_told_who_holds_the_table_and_goes_on_once_the_first_is_gone() {
    let sql = "CREATE TABLE t (id int PRIMARY KEY, ssn text);
        INSERT INTO t SELECT i, '123-45-' || i FROM generate_series(1, 60000) i;
        CREATE TABLE saved AS TABLE t;";
    let plan = "[run]\nlanes = 1\nlease_seconds = 300\n".to_owned() + &beside("public.t", &["ssn"]);
    let fixture = Fixture::postgres("held", sql, &plan).await;
    let mut first = fixture.phiseal(&["backfill"]).spawn();
    let begun = "SELECT count(*) FROM phiseal.lanes WHERE holder IS NOT NULL AND state = 'open'";
    let deadline = Instant::now() + Duration::from_secs(120);
    while fixture.db().count(begun).await == 0 {
        assert!(Instant::now() < deadline, "no lane was taken in time");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    first.signal(Signal::STOP);
    // Another command than the one under way is refused at once.
    let error = refused(&fixture.project, &["restore"], 8).await;
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains(&first.pid().as_raw_nonzero().to_string()),
        "{error}"
    );
    first.signal(Signal::KILL);
    first.wait().await;
    // A dead process on this host holds nothing.
    let asked = Instant::now();
    let done = fixture.json(&["backfill"]).await;
    assert!(
        asked.elapsed() < Duration::from_secs(120),
        "it waited for the lease"
    );
    assert_eq!(done["resumed"], true);
    assert_eq!(
        fixture.expect_sealed("public.t", &["ssn"], "saved").await,
        60000
    );
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_the_next_run_goes_on() {
    let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, note TEXT);
        WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < 6000)
        INSERT INTO t SELECT x, 'note ' || x || hex(zeroblob(200)) FROM i;
        CREATE TABLE saved AS SELECT * FROM t;";
    let fixture = Fixture::sqlite(sql, &beside("t", &["note"])).await;
    let kib = fs::metadata(fixture.file().path()).unwrap().len() / 1024 + 700;
    // POSIX: `ulimit -f` counts blocks of 512 bytes. Ignored, so that a write fails instead.
    let program = env!("CARGO_BIN_EXE_phiseal");
    let limited = format!(
        "trap '' XFSZ; ulimit -f {} && exec {program} backfill --json",
        kib * 2
    );
    let full = crate::support::Phiseal::instead("sh", ["-c", &limited])
        .cwd(fixture.project.dir())
        .run()
        .await;
    error_of(&full, 4);
    let left = "SELECT count(*) FROM t WHERE note_sealed IS NULL";
    assert_ne!(
        fixture.file().scalar(left).await.as_deref(),
        Some("0"),
        "there was room enough"
    );
    let different = "SELECT count(*) FROM (SELECT id, note FROM t EXCEPT SELECT * FROM saved)";
    assert_eq!(fixture.file().scalar(different).await.as_deref(), Some("0"));
    fixture.json_code(&["backfill"], 0).await;
    assert_eq!(fixture.expect_sealed("t", &["note"], "saved").await, 6000);
}

#[tokio::test]
async fn without_proc_no_command_opens_a_database() {
    let flags = match rustix::process::getuid().is_root() {
        true => "-m",
        false => "-rm",
    };
    let hidden = "mount -t tmpfs none /proc && exec \"$@\"";
    let inside = [flags, "sh", "-c", hidden, "sh"];
    let allowed = Phiseal::instead("unshare", [&inside[..], &["true"]].concat());
    if allowed.run().await.code() != Some(0) {
        return skipped("this user may not hide /proc");
    }
    let (file, project) = (sqlite().await, Project::new());
    let url = file.url();
    let command = [
        env!("CARGO_BIN_EXE_phiseal"),
        "init",
        "--table",
        "t",
        "--column",
        "ssn",
        "--json",
        "--database-url",
        &url,
    ];
    let run = Phiseal::instead("unshare", [&inside[..], &command].concat());
    let error = error_of(&run.cwd(project.dir()).run().await, 1);
    assert_eq!(error["code"], "E0908");
}
