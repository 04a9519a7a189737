//! What a URL may say, on every command.

use super::{CANARY, connects, refusal};
use crate::support::Project;
use std::path::Path;

/// Every command that connects.
const COMMANDS: &[&[&str]] = &[
    &[
        "init",
        "--table",
        "public.t",
        "--column",
        "ssn",
        "--plan",
        "other.toml",
    ],
    &["migrate", "up"],
    &["migrate", "down"],
    &["migrate", "redo"],
    &["migrate", "status"],
    &["migrate", "verify"],
    &["migrate", "adopt"],
    &["migrate", "up", "--set", "webqx"],
    &["keys", "create"],
    &["keys", "list"],
    &["keys", "show", "1"],
    &["keys", "check"],
    &["keys", "rewrap", "--to", "env:OTHER"],
    &["keys", "suspend", "1", "--reason", "r"],
    &["keys", "resume", "1", "--reason", "r"],
    &["keys", "compromise", "1", "--reason", "r"],
    &["keys", "destroy", "1", "--confirm", "1", "--reason", "r"],
    &["plan"],
    &["bench"],
    &["backfill"],
    &["verify"],
    &["rotate"],
    &["restore"],
    &["status"],
    &["quarantine", "list"],
    &["quarantine", "show", "aa", "--output", "row"],
    &["quarantine", "retry"],
    &["quarantine", "skip", "aa"],
    &["audit", "verify"],
    &["audit", "head"],
    &["demo"],
    &["demo", "--set", "webqx"],
];

#[tokio::test]
async fn an_unknown_parameter_is_refused_with_the_nearest_one_on_every_command() {
    let project = Project::new();
    let tables = crate::backfill::beside("public.t", &["ssn"]);
    let url = format!("postgres://u:{CANARY}@127.0.0.1:1/d?sslmod={CANARY}");
    project.plan("postgres://127.0.0.1:1/d", &tables);
    for command in COMMANDS {
        let args = [*command, &["--json", "--database-url", &url]].concat();
        let other = project.key_line();
        let done = project.phiseal(&args).env("OTHER", other).run().await;
        let error = refusal(&done, "E0502");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains("sslmod: did you mean sslmode?"),
            "{command:?}: {message}"
        );
    }
}

#[tokio::test]
async fn faults_of_a_url_and_of_its_files_are_named_without_their_values() {
    for (more, part) in [
        ("sslmode=allow", "sslmode is not one of disable, prefer"),
        ("sslmode=canary47", "sslmode is not one of"),
        ("port=canary47", "port is given twice"),
        ("password=canary47", "password is given twice"),
        ("require_auth=canary47", "require_auth is not a list"),
        ("hostaddr=canary47", "hostaddr is not an IP address"),
        (
            "options=canary47",
            "does not use the parameter options: set the variable PGOPTIONS",
        ),
        (
            "channel_binding=require",
            "channel_binding may only be disable or prefer here",
        ),
        ("sslrootcert=/canary47", "sslrootcert cannot be read"),
        ("sslrootcert=/dev/null", "sslrootcert has no certificate"),
        ("sslmode=verify-ca", "verify-ca needs"),
        (
            "sslmode=disable&sslrootcert=/canary47",
            "sslrootcert is of no use",
        ),
        ("sslcert=/canary47", "sslcert and sslkey"),
        ("dbname=%zz", "dbname"),
    ] {
        let url = format!("postgres://u:{CANARY}@127.0.0.1:1/d?{more}");
        let error = refusal(&connects(&url).run().await, "E0502");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(part), "{more}: {message}");
    }
    let done = connects("postgres://127.0.0.1:1/d")
        .env("PGSSLMODE", CANARY)
        .run()
        .await;
    let error = refusal(&done, "E0502");
    assert!(
        error["message"].as_str().unwrap().contains("PGSSLMODE"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_as_such() {
    for (url, part) in [
        ("postgres://127.0.0.1:1/d", "nothing listens there"),
        ("postgres://nowhere.invalid/d", "no address"),
        (
            "postgres://u@%2Fno%2Fsuch%2Ffolder/d",
            "nothing listens on that socket",
        ),
    ] {
        let error = refusal(&connects(url).run().await, "E0501");
        assert!(error["message"].as_str().unwrap().contains(part), "{error}");
    }
}

#[test]
fn no_other_file_gives_a_url_to_the_driver() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut open, mut found) = (vec![root.clone()], Vec::new());
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let driver = [
                "PgConnectOptions",
                "PgConnection::connect",
                "PgPool::connect",
            ];
            if driver.iter().any(|word| text.contains(word)) {
                found.push(path.strip_prefix(&root).unwrap().to_owned());
            }
        }
    }
    assert_eq!(found, [Path::new("store/postgres/connect.rs")]);
}
