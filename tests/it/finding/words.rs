//! No message has the words of the language or of a library that the program is made of.

use super::at;
use crate::support::Project;
use std::fs;

/// What the standard library, its derived formats and the libraries say.
const FOREIGN_WORDS: [&str; 16] = [
    "os error",
    "entity not found",
    "entity already exists",
    "No such file or directory",
    "Is a directory",
    "is a directory",
    "Permission denied",
    "invalid data",
    "unexpected end of file",
    "stream did not contain",
    "relative URL",
    "empty host",
    "invalid port number",
    "..=",
    "Os {",
    "Err(",
];

#[tokio::test]
async fn messages_have_words_of_their_own() {
    let project = Project::new();
    let dir = project.dir();
    project.plan("sqlite:///nowhere/at/all.db", "");
    fs::create_dir(dir.join("folder")).unwrap();
    fs::write(dir.join("latin1.toml"), b"[database]\nurl = \"\xe9\"\n").unwrap();
    for args in [
        &["status"][..],
        &["status", "--plan", "gone.toml"],
        &["status", "--plan", "folder"],
        &["status", "--plan", "latin1.toml"],
        &["status", "--plan", "wrapping.key/phiseal.toml"],
        &["status", "--database-url", "sqlite:folder"],
        &["status", "--database-url", "postgres://"],
        &["status", "--database-url", "postgres://h:port/d"],
        &["status", "--database-url", "postgres://h:99999/d"],
        &["status", "--database-url", "postgres://[::1/d"],
        &["status", "--database-url", "//h/d"],
        &[
            "status",
            "--database-url",
            "postgres://u@127.0.0.1:1/d?sslrootcert=folder&sslmode=verify-ca",
        ],
        &["keys", "new-wrapping-key", "nowhere/k"],
        &["keys", "new-wrapping-key", "wrapping.key"],
        &[
            "migrate",
            "up",
            "--dir",
            "nowhere",
            "--database-url",
            "postgres://u@127.0.0.1:1/d",
        ],
        &["migrate", "new", "what", "--dir", "nowhere"],
        &["init", "--set", "webqx", "--plan", "nowhere/plan.toml"],
        &["demo", "--rows", "0"],
        &["demo", "--rows", "5"],
        &["demo", "--rows", "many"],
        &["speed", "--rows-per-second", "0"],
        &["rotate", "--grace", "-1"],
        &["rotate", "--grace", "1000000"],
        &["finalize", "--observe", "soon"],
        &["keys", "show", "x"],
    ] {
        let done = at(dir, args).run().await;
        assert_ne!(done.code(), Some(0), "{args:?}");
        for words in FOREIGN_WORDS {
            for said in [&done.stdout, &done.stderr] {
                assert!(!said.contains(words), "{words} of {args:?}: {said}");
            }
        }
    }
}
