//! The command line as somebody meets it who does not know the program: help, mistakes, colours, how
//! much is said, and logs.

mod logs;
mod pages;

use serde_json::Value;

use crate::support::phiseal::Finished;
use crate::support::{Phiseal, Project};

async fn run(args: &[&str]) -> Finished {
    Phiseal::new(args).run().await
}

/// What is said on stderr of a mistake.
async fn mistake(args: &[&str]) -> String {
    let done = run(args).await.expect_code(2);
    assert_eq!(done.stdout, "", "{args:?}");
    assert!(done.stderr.starts_with("error[E0101]: "), "{done:?}");
    done.stderr
}

#[tokio::test]
async fn the_program_alone_and_a_group_of_commands_alone_print_their_help() {
    for (args, command) in [
        (&[][..], "backfill"),
        (&["keys"], "new-wrapping-key"),
        (&["migrate"], "adopt"),
        (&["runs"], "abandon"),
        (&["quarantine"], "retry"),
    ] {
        let done = run(args).await.expect_code(0);
        assert_eq!(done.stderr, "", "{args:?}");
        let listed = done.stdout.lines().any(|line| {
            line.strip_prefix("  ")
                .and_then(|line| line.split_whitespace().next())
                == Some(command)
        });
        assert!(listed, "{args:?}: {}", done.stdout);
    }
}

#[tokio::test]
async fn a_mistake_says_what_is_missing_or_wrong_and_what_there_is() {
    for (args, parts) in [
        (
            &["keys", "suspend"][..],
            &[
                "<KEY_ID>",
                "--reason <TEXT>",
                "\nusage: phiseal keys suspend",
            ][..],
        ),
        (
            &["keys", "suspend", "7"],
            &["the argument --reason <TEXT> is missing"],
        ),
        (
            &["keys", "--json=1"],
            &["--json", "usage: phiseal keys", "phiseal keys --help"],
        ),
        (
            &["backfil"],
            &[
                "no command `backfil`",
                "did you mean `phiseal backfill`?",
                "usage: phiseal",
            ],
        ),
        (
            &["keys", "lst"],
            &[
                "`phiseal keys` has no command `lst`",
                "did you mean `phiseal keys list`?",
            ],
        ),
        (
            &["backfill", "--folow"],
            &[
                "`phiseal backfill` has no option --folow",
                "did you mean --follow?",
            ],
        ),
        (
            &["backfill", "--pace", "slow"],
            &[
                "'slow'",
                "possible values: polite, fast",
                "usage: phiseal backfill",
            ],
        ),
        (
            &["backfill", "--pace", "fst"],
            &["did you mean fast?", "`phiseal backfill --help`"],
        ),
        (
            &["keys", "show", "x"],
            &["'x'", "a key id is a number from 1 to 2147483647"],
        ),
        (&["keys", "show"], &["the argument <KEY_ID> is missing"]),
        (
            &["migrate", "up", "--set", "x", "--dir", "y"],
            &["--set <NAME> cannot be used together with --dir <PATH>"],
        ),
        (
            &["backfill", "patients"],
            &["does not take the argument 'patients'"],
        ),
        (&["verify", "--pace"], &["--pace <PACE> needs a value"]),
        (
            &["demo", "--rows", "0"],
            &["'0'", "a whole number from 1 to 10000000"],
        ),
        (
            &["rotate", "--grace", "1d"],
            &["'1d'", "a whole number from 0 to 86400"],
        ),
        (
            &["--plan", "keys", "status", "--tset"],
            &["`phiseal status` has no option --tset"],
        ),
    ] {
        let said = mistake(args).await;
        for part in parts {
            assert!(said.contains(part), "{args:?}: no {part:?} in {said}");
        }
        assert!(said.contains("\nhint: "), "{said}");
        assert!(said.contains("--help`"), "{said}");
        assert!(said.contains("\nusage: phiseal "), "{said}");
    }
}

#[tokio::test]
async fn an_option_without_its_command_is_asked_for_the_command() {
    let said = mistake(&["--json=no"]).await;
    assert!(said.contains("--json"), "{said}");
    let done = run(&["keys", "--log-format", "text"]).await.expect_code(2);
    assert!(
        done.stderr
            .contains("`phiseal keys` needs a command: new-wrapping-key, create, list"),
        "{done:?}"
    );
}

#[tokio::test]
async fn words_of_other_programs_and_versions_are_answered() {
    for (args, answer) in [
        (&["encrypt"][..], "`phiseal backfill`"),
        (&["seal-all"], "`phiseal backfill`"),
        (&["run"], "`phiseal backfill`"),
        (&["decrypt"], "`phiseal restore`"),
        (&["unseal"], "`phiseal restore`"),
        (&["drop-plaintext"], "`phiseal finalize`"),
        (&["cleanup"], "`phiseal scrub`"),
        (&["check"], "`phiseal plan`"),
        (&["version"], "`phiseal --version`"),
        (&["key"], "`phiseal keys ...`"),
        (&["migrations"], "`phiseal migrate up`"),
        (&["keys", "delete"], "`phiseal keys destroy`"),
        (&["help", "decrypt"], "`phiseal restore`"),
        (&["backfill", "--dry-run"], "`phiseal plan`"),
        (&["plan", "--config", "x"], "--plan FILE"),
    ] {
        let said = mistake(args).await;
        let hint = said.split("\nhint: ").nth(1).unwrap();
        assert!(hint.contains(answer), "{args:?}: {said}");
    }
    let said = mistake(&["report"]).await;
    assert!(said.contains("this version writes no report"), "{said}");
    assert!(said.contains("`phiseal audit verify`"), "{said}");
}

#[tokio::test]
async fn a_mistake_is_one_object_with_json() {
    let done = run(&["keys", "suspend", "--json"]).await.expect_code(2);
    let said = done.json();
    assert_eq!(said["exit_code"], 2);
    assert_eq!(said["error"]["code"], "E0101");
    let message = said["error"]["message"].as_str().unwrap();
    assert!(message.contains("<KEY_ID>") && message.contains("--reason <TEXT>"));
    assert!(message.contains("\nusage: phiseal keys suspend"));
    let hint = said["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("phiseal keys suspend --help"), "{hint}");
}

#[tokio::test]
async fn what_was_typed_is_shown_harmlessly_and_without_passwords() {
    for (args, shown) in [
        (
            &["x\n\u{1b}[2Jhint: forged"][..],
            r"x\n\u{1b}[2Jhint: forged",
        ),
        (&["keys", "show", "\u{9b}1m"], r"\u{9b}1m"),
        (&["backfill", "a\rb"], r"a\rb"),
        (&["postgres://me:secret-9@h/db"], "`postgres://...`"),
        (
            &["keys", "show", "postgres://me:secret-9@h/db"],
            "'postgres://...'",
        ),
        (&["plan", "postgres://me:secret-9@h/db"], "'postgres://...'"),
        (&["plan", "--db=postgres://me:secret-9@h/db"], "--db"),
        (&["plan", "--pace", "postgres://me:secret-9@h/db"], "--pace"),
    ] {
        for json in [false, true] {
            let args: Vec<&str> = args
                .iter()
                .copied()
                .chain(json.then_some("--json"))
                .collect();
            let done = run(&args).await.expect_code(2);
            let said = match json {
                true => {
                    let said: Value = done.json();
                    said["error"]["message"].as_str().unwrap().to_owned()
                }
                false => done.stderr.clone(),
            };
            assert!(said.contains(shown), "{args:?}: {said}");
            let all = format!("{}{}", done.stdout, done.stderr);
            assert!(!all.contains("secret-9"), "{args:?}: {all}");
            assert!(
                !all.contains(['\u{1b}', '\u{9b}', '\r']),
                "{args:?}: {all:?}"
            );
            assert_eq!(all.matches("\nhint: ").count(), usize::from(!json), "{all}");
        }
    }
}

#[tokio::test]
async fn a_table_is_taken_by_commands_on_tables_and_refused_by_the_others() {
    for (args, code) in [
        (&["demo", "--table", "t"][..], "E0122"),
        (&["--table", "t", "audit", "head"], "E0122"),
        (&["fields", "list", "--table=t"], "E0122"),
        (&["runs", "--table", "t", "abandon", "7"], "E0122"),
        (&["--table", "t", "keys", "list"], "E0116"),
        (&["rotate", "--if-due", "--table", "t"], "E0116"),
    ] {
        let args = [args, &["--json"]].concat();
        let said = run(&args).await.expect_code(2).json();
        assert_eq!(said["error"]["code"], code, "{args:?}: {said}");
    }
    // They are taken: what is missing is the plan file.
    let project = Project::new();
    for args in [
        &["--table", "t", "plan"][..],
        &["backfill", "--table=t"],
        &["quarantine", "--table", "t", "list"],
        &["runs", "list", "--table", "t"],
    ] {
        let args = [args, &["--json"]].concat();
        let said = project.phiseal(&args).run().await.expect_code(2).json();
        assert_eq!(said["error"]["code"], "E0126", "{args:?}: {said}");
    }
}

/// Under a pseudo-terminal, stdout and stderr together.
async fn on_a_terminal(args: &str, variables: &[(&str, &str)]) -> String {
    let command = format!("{} {args}", env!("CARGO_BIN_EXE_phiseal"));
    let mut program = Phiseal::instead("script", ["-qec", &command, "/dev/null"])
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh");
    for (name, value) in variables {
        program = program.env(name, value);
    }
    program.run().await.stdout
}

#[tokio::test]
async fn colours_are_for_terminals_unless_they_are_asked_for() {
    const ESCAPE: char = '\u{1b}';
    for (args, what) in [("--help", "Usage:"), ("backfil", "error[E0101]:")] {
        assert!(on_a_terminal(args, &[]).await.contains(ESCAPE), "{args}");
        let plain = [
            on_a_terminal(args, &[("NO_COLOR", "1")]).await,
            on_a_terminal(args, &[("TERM", "dumb")]).await,
            on_a_terminal(&format!("--color never {args}"), &[]).await,
            on_a_terminal(&format!("{args} --color=never"), &[]).await,
        ];
        for text in plain {
            assert!(text.contains(what) && !text.contains(ESCAPE), "{text:?}");
        }
        for (more, variables, coloured) in [
            (&[][..], &[("TERM", "xterm")][..], false),
            (&["--color", "auto"], &[("TERM", "xterm")], false),
            (&["--color", "always"], &[("NO_COLOR", "1")], true),
            (&[], &[("CLICOLOR_FORCE", "1")], true),
            (&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
        ] {
            let mut program = Phiseal::new([&[args], more].concat());
            for (name, value) in variables {
                program = program.env(name, value);
            }
            let done = program.run().await;
            let text = format!("{}{}", done.stdout, done.stderr);
            assert_eq!(
                text.contains(ESCAPE),
                coloured,
                "{more:?} {variables:?}: {text:?}"
            );
        }
    }
}
