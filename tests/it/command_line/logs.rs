//! How much is said, and where: `--quiet`, `--verbose`, `--log-format` and `--log-file`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use serde_json::Value;

use crate::backfill::beside;
use crate::support::{Fixture, Project};

const SQL: &str = "CREATE TABLE t (id integer PRIMARY KEY, ssn text);
    INSERT INTO t VALUES (1, '123-45-0001'), (2, '123-45-0002'), (3, '123-45-0003');";

async fn fixture() -> Fixture {
    Fixture::sqlite(SQL, &beside("t", &["ssn"])).await
}

/// Whether a line begins with a time, RFC 3339, UTC, with milliseconds.
fn is_time(text: &str) -> bool {
    let form = "0000-00-00T00:00:00.000Z";
    text.len() >= form.len()
        && text.chars().zip(form.chars()).all(|(found, wanted)| {
            if wanted == '0' {
                found.is_ascii_digit()
            } else {
                found == wanted
            }
        })
}

/// The lines of a JSON log, each checked for what every line has.
#[track_caller]
fn records(log: &str, command: &str) -> Vec<Value> {
    log.lines()
        .map(|line| {
            let record: Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
            let text = |name: &str| record[name].as_str().unwrap_or_default();
            assert!(
                is_time(text("timestamp")) && text("timestamp").len() == 24,
                "{line}"
            );
            let levels = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"];
            assert!(levels.contains(&text("level")), "{line}");
            assert!(!text("message").is_empty(), "{line}");
            assert!(text("target").starts_with("phiseal"), "{line}");
            assert_eq!(text("command"), command, "{line}");
            record
        })
        .collect()
}

#[tokio::test]
async fn quiet_says_errors_and_results_only() {
    let fixture = fixture().await;
    let loud = fixture.phiseal(&["backfill"]).run().await.expect_code(0);
    assert!(loud.stderr.contains("backfill t"), "{loud:?}");
    for args in [&["backfill", "-q"][..], &["--quiet", "verify"]] {
        let done = fixture.phiseal(args).run().await.expect_code(0);
        assert_eq!(done.stderr, "", "{args:?}");
        assert!(!done.stdout.is_empty(), "{args:?}");
    }
    let json = fixture.phiseal(&["verify", "-q", "--json"]).run().await;
    let json = json.expect_code(0);
    assert_eq!(json.stderr, "");
    assert_eq!(json.json()["values_verified"], 3);
    let done = fixture
        .phiseal(&["verify", "-q", "--table", "x"])
        .run()
        .await;
    let done = done.expect_code(2);
    assert!(done.stderr.starts_with("error[E0105]: "), "{done:?}");
    let both = fixture.phiseal(&["-q", "verify", "-v"]).run().await;
    let both = both.expect_code(2);
    assert!(
        both.stderr
            .contains("--quiet cannot be used together with --verbose")
    );
}

#[tokio::test]
async fn verbose_logs_more_than_the_environment_says() {
    let fixture = fixture().await;
    let debugs = |text: &str| {
        text.lines()
            .any(|line| is_time(line) && line.contains(" DEBUG "))
    };
    for (args, filter, expected) in [
        (&["backfill"][..], "", false),
        (&["backfill", "-v"], "", false),
        (&["verify", "-vv"], "", true),
        (&["-v", "verify", "--verbose"], "", false),
        (&["verify", "-vv"], "error", true),
        (&["verify"], "phiseal=debug", true),
        (&["verify", "-q"], "phiseal=debug", false),
    ] {
        let mut program = fixture.phiseal(args);
        if !filter.is_empty() {
            program = program.env("PHISEAL_LOG", filter);
        }
        let done = program.run().await.expect_code(0);
        assert_eq!(
            debugs(&done.stderr),
            expected,
            "{args:?} {filter}: {}",
            done.stderr
        );
        assert!(!done.stderr.contains("123-45"), "{done:?}");
    }
}

#[tokio::test]
async fn json_logs_have_time_level_command_table_and_run() {
    let fixture = fixture().await;
    let args = ["backfill", "--log-format", "json"];
    let done = fixture.phiseal(&args).run().await.expect_code(0);
    let found = records(&done.stderr, "backfill");
    let begin = found.iter().find(|record| record["event"] == "begin");
    let begin = begin.expect("no line says that the table begins");
    assert_eq!(begin["table"], "t");
    assert_eq!(begin["kind"], "backfill");
    let runs = fixture.json(&["runs", "list"]).await;
    assert_eq!(begin["run"], runs[0]["run_id"]);
    let end = found
        .iter()
        .find(|record| record["event"] == "end")
        .unwrap();
    assert_eq!(end["run"], runs[0]["run_id"]);
    let events = fixture
        .phiseal(&["verify", "-vv", "--log-format=json"])
        .run()
        .await;
    let events = records(&events.expect_code(0).stderr, "verify");
    let debug = events
        .iter()
        .find(|record| record["level"] == "DEBUG")
        .unwrap();
    assert!(
        debug["target"].as_str().unwrap().starts_with("phiseal::"),
        "{debug}"
    );
}

#[tokio::test]
async fn an_error_is_a_record_of_a_json_log() {
    let project = Project::new();
    let args = ["keys", "list", "--log-format", "json"];
    let done = project.phiseal(&args).run().await.expect_code(2);
    let found = records(&done.stderr, "keys list");
    assert_eq!(found.len(), 1, "{done:?}");
    assert_eq!(found[0]["level"], "ERROR");
    assert_eq!(found[0]["code"], "E0126");
    assert_eq!(found[0]["exit_code"], 2);
    assert!(!found[0]["hint"].as_str().unwrap().is_empty());
    let wrong = project.phiseal(&["keys", "lst", "--log-format=json"]);
    let wrong = wrong.run().await.expect_code(2);
    let wrong: Value = serde_json::from_str(&wrong.stderr).unwrap();
    assert_eq!(wrong["code"], "E0101");
    assert!(is_time(wrong["timestamp"].as_str().unwrap()));
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn a_log_file_is_private_appended_to_and_has_no_escapes() {
    let fixture = fixture().await;
    let log = fixture.project.dir().join("run.log");
    let path = log.to_str().unwrap();
    let args = ["backfill", "--color", "always", "--log-file", path];
    let shown = fixture.phiseal(&args).run().await.expect_code(0);
    assert!(shown.stderr.contains("backfill t"), "{shown:?}");
    assert_eq!(mode(&log), 0o600);
    let first = fs::read_to_string(&log).unwrap();
    assert!(
        first.contains(" INFO  backfill: started, version "),
        "{first}"
    );
    assert!(
        first.contains(" INFO  backfill: backfill t: about 3 rows"),
        "{first}"
    );
    assert!(first.ends_with("ended with exit code 0\n"), "{first}");
    fs::set_permissions(&log, fs::Permissions::from_mode(0o640)).unwrap();
    let args = ["verify", "-q", "--table", "x", "--log-file", path];
    fixture.phiseal(&args).run().await.expect_code(2);
    assert_eq!(mode(&log), 0o640);
    let both = fs::read_to_string(&log).unwrap();
    let more = both
        .strip_prefix(&first)
        .expect("the file was not appended to");
    assert!(
        more.contains(" ERROR verify: ") && more.contains("E0105"),
        "{more}"
    );
    for line in both.lines() {
        assert!(is_time(line), "{line}");
        assert!(
            !line.contains('\u{1b}') && !line.contains("123-45"),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_log_file_takes_json_whatever_goes_to_stderr() {
    let fixture = fixture().await;
    let log = fixture.project.dir().join("run.json");
    let path = log.to_str().unwrap();
    let args = [
        "backfill",
        "-q",
        "--json",
        "--log-format",
        "json",
        "--log-file",
        path,
    ];
    let done = fixture.phiseal(&args).run().await.expect_code(0);
    assert_eq!(done.stderr, "");
    let found = records(&fs::read_to_string(&log).unwrap(), "backfill");
    for event in ["begin", "end"] {
        assert!(
            found.iter().any(|record| record["event"] == event),
            "{found:?}"
        );
    }
    // With --json the error that ends the command goes to stdout, and into the file.
    let args = [
        "verify",
        "--table",
        "x",
        "--json",
        "--log-format",
        "json",
        "--log-file",
        path,
    ];
    let done = fixture.phiseal(&args).run().await.expect_code(2);
    assert_eq!(done.json()["error"]["code"], "E0105");
    let all = fs::read_to_string(&log).unwrap();
    let last: Value = serde_json::from_str(all.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["level"], &last["code"]),
        (&"ERROR".into(), &"E0105".into())
    );
}

#[tokio::test]
async fn a_log_file_that_is_no_regular_file_is_refused_before_anything_is_done() {
    let fixture = fixture().await;
    let dir = fixture.project.dir();
    let target = dir.join("target");
    symlink(&target, dir.join("link")).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, dir.join("pipe"), fifo, mode, 0).unwrap();
    for (file, why) in [
        ("link", "symbolic link"),
        ("pipe", "not a regular file"),
        (".", "directory"),
        ("/dev/null", "not a regular file"),
        ("missing/log", "its directory does not exist"),
    ] {
        let args = ["backfill", "--json", "--log-file", file];
        let said = fixture.phiseal(&args).run().await.expect_code(2).json();
        assert_eq!(said["error"]["code"], "E0123", "{file}");
        let message = said["error"]["message"].as_str().unwrap();
        assert!(message.contains(why), "{file}: {message}");
    }
    assert!(!target.exists());
    assert_eq!(
        fixture.json(&["runs", "list"]).await,
        Value::Array(Vec::new())
    );
}
