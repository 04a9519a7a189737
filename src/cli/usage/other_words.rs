//! Commands and options that other programs and other versions have, and what phiseal has instead.

/// Words tried as a command behind these words (`phiseal`, `phiseal keys` ...), and the answer.
type Row = (&'static str, &'static [&'static str], &'static str);

const COMMANDS: &[Row] = &[
    (
        "phiseal",
        &["encrypt", "seal-all", "protect", "run", "start", "apply"],
        "`phiseal backfill` encrypts the columns of the plan",
    ),
    (
        "phiseal",
        &["decrypt", "unseal"],
        "`phiseal restore` decrypts the sealed columns into plaintext columns",
    ),
    (
        "phiseal",
        &[
            "drop-plaintext",
            "drop",
            "purge",
            "remove",
            "delete",
            "finish",
        ],
        "`phiseal finalize` removes the plaintext columns once every value is verified",
    ),
    (
        "phiseal",
        &["cleanup", "clean", "vacuum", "wipe", "shred"],
        "after `phiseal finalize`, `phiseal scrub` removes what the database's files still hold of the \
         plaintext",
    ),
    (
        "phiseal",
        &["report"],
        "this version writes no report; `phiseal status`, `phiseal runs list` and \
         `phiseal audit verify` show what one would be made of",
    ),
    (
        "phiseal",
        &[
            "check",
            "preflight",
            "dry-run",
            "lint",
            "validate",
            "doctor",
        ],
        "`phiseal plan` checks what a backfill would do, `phiseal status --check` whether anything needs \
         attention",
    ),
    (
        "phiseal",
        &["test", "compare"],
        "`phiseal verify` decrypts every value and compares it with its plaintext",
    ),
    ("phiseal", &["version"], "`phiseal --version` prints it"),
    (
        "phiseal",
        &["key"],
        "the commands for keys are `phiseal keys ...`",
    ),
    (
        "phiseal",
        &["keygen", "generate-key", "new-key", "new-wrapping-key"],
        "`phiseal keys new-wrapping-key PATH` makes a wrapping key",
    ),
    (
        "phiseal",
        &["create-key", "create-keys"],
        "`phiseal keys create` makes data keys",
    ),
    (
        "phiseal",
        &["rekey", "reencrypt", "re-encrypt", "reseal"],
        "`phiseal rotate` encrypts every value again under a new key",
    ),
    ("phiseal", &["rewrap"], "it is `phiseal keys rewrap`"),
    ("phiseal", &["suspend"], "it is `phiseal keys suspend`"),
    (
        "phiseal",
        &["compromise"],
        "it is `phiseal keys compromise`",
    ),
    ("phiseal", &["destroy"], "it is `phiseal keys destroy`"),
    (
        "phiseal",
        &["migration", "migrations", "install", "setup", "up"],
        "`phiseal migrate up` creates phiseal's tables",
    ),
    (
        "phiseal",
        &["config", "configure", "new"],
        "`phiseal init` writes a plan file",
    ),
    (
        "phiseal",
        &["stop", "cancel", "kill"],
        "`phiseal pause` has runs wait until `phiseal resume`",
    ),
    (
        "phiseal",
        &["continue", "unpause"],
        "it is `phiseal resume`",
    ),
    (
        "phiseal",
        &["slow", "throttle", "pace"],
        "it is `phiseal speed`",
    ),
    (
        "phiseal",
        &["benchmark", "estimate"],
        "it is `phiseal bench`",
    ),
    (
        "phiseal",
        &["undo", "rollback"],
        "`phiseal finalize --undo` gives hidden plaintext columns back, `phiseal restore` decrypts",
    ),
    (
        "phiseal",
        &["list", "tables", "columns"],
        "`phiseal fields list` shows which columns are registered",
    ),
    (
        "phiseal",
        &["log", "logs", "history"],
        "`phiseal runs list` shows the runs; commands write a log with --log-file FILE",
    ),
    (
        "phiseal",
        &["errors", "failed"],
        "`phiseal quarantine list` shows the rows that could not be processed",
    ),
    (
        "phiseal keys",
        &["new", "generate", "add"],
        "it is `phiseal keys create`",
    ),
    ("phiseal keys", &["ls"], "it is `phiseal keys list`"),
    (
        "phiseal keys",
        &["delete", "remove", "rm", "drop"],
        "it is `phiseal keys destroy`",
    ),
    (
        "phiseal keys",
        &["revoke"],
        "it is `phiseal keys compromise`",
    ),
    (
        "phiseal keys",
        &["verify", "test"],
        "it is `phiseal keys check`",
    ),
    ("phiseal keys", &["rotate"], "it is `phiseal rotate`"),
    (
        "phiseal migrate",
        &["run", "apply"],
        "it is `phiseal migrate up`",
    ),
    (
        "phiseal migrate",
        &["undo", "rollback", "revert"],
        "it is `phiseal migrate down`",
    ),
    (
        "phiseal migrate",
        &["list", "ls", "info"],
        "it is `phiseal migrate status`",
    ),
    (
        "phiseal migrate",
        &["add", "create"],
        "it is `phiseal migrate new`",
    ),
    (
        "phiseal migrate",
        &["check", "diff", "validate"],
        "it is `phiseal migrate verify`",
    ),
    (
        "phiseal migrate",
        &["baseline"],
        "it is `phiseal migrate adopt`",
    ),
    ("phiseal runs", &["ls"], "it is `phiseal runs list`"),
    (
        "phiseal runs",
        &["cancel", "stop", "delete", "rm"],
        "`phiseal runs abandon` ends an unfinished run for good, `phiseal pause` only has it wait",
    ),
    ("phiseal fields", &["ls"], "it is `phiseal fields list`"),
    (
        "phiseal fields",
        &["remove", "delete", "rm", "drop"],
        "it is `phiseal fields forget`",
    ),
    (
        "phiseal quarantine",
        &["ls"],
        "it is `phiseal quarantine list`",
    ),
    (
        "phiseal quarantine",
        &["clear", "delete", "rm", "ignore"],
        "`phiseal quarantine skip` stops reporting rows, `phiseal quarantine retry` tries them again",
    ),
    ("phiseal audit", &["check"], "it is `phiseal audit verify`"),
];

/// Options tried with these commands (with all where the first is `phiseal`), and the answer.
const OPTIONS: &[Row] = &[
    (
        "phiseal backfill",
        &["--dry-run", "-n"],
        "`phiseal plan` shows what a backfill would do",
    ),
    (
        "phiseal",
        &["--config", "-c", "-f"],
        "the plan file is named with --plan FILE",
    ),
    (
        "phiseal",
        &["--url", "--db", "--dsn", "--database"],
        "the database is named with --database-url URL",
    ),
    (
        "phiseal",
        &["--format", "--output", "-o"],
        "--json prints the result as JSON",
    ),
    (
        "phiseal",
        &["--force", "-y"],
        "commands that ask for consent take --yes",
    ),
    ("phiseal", &["--debug"], "-vv shows debug messages"),
    (
        "phiseal",
        &["--no-color", "--no-colour"],
        "write --color never",
    ),
    ("phiseal", &["--silent"], "write --quiet"),
    ("phiseal", &["-t"], "a table is named with --table"),
];

/// The answer to a word that is no command behind `parent`, such as `phiseal keys`.
pub fn command(parent: &str, word: &str) -> Option<&'static str> {
    answer(COMMANDS, |at| at == parent, word)
}

/// The answer to an option that `command` does not have.
pub fn option(command: &str, word: &str) -> Option<&'static str> {
    answer(OPTIONS, |at| at == command || at == "phiseal", word)
}

fn answer(rows: &[Row], fits: impl Fn(&str) -> bool, word: &str) -> Option<&'static str> {
    let word = word.to_lowercase();
    let row = rows
        .iter()
        .find(|(at, words, _)| fits(at) && words.contains(&word.as_str()));
    row.map(|(_, _, answer)| *answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args;

    /// The commands that an answer names, as words behind `phiseal`.
    fn named(answer: &str) -> Vec<Vec<&str>> {
        let quoted = answer.split('`').skip(1).step_by(2);
        quoted
            .map(|text| text.split(' ').skip(1).collect())
            .collect()
    }

    #[test]
    fn every_answer_names_commands_and_options_that_exist() {
        let mut root = args::command();
        root.build();
        for (parent, words, answer) in COMMANDS.iter().chain(OPTIONS) {
            for words in named(answer) {
                let mut at = &root;
                for word in words {
                    if let Some(option) = word.strip_prefix("--") {
                        let has = at.get_arguments().any(|arg| arg.get_long() == Some(option));
                        assert!(has || option == "version", "{answer}");
                    } else if at.has_subcommands() && word != "..." {
                        at = at.find_subcommand(word).expect(answer);
                    }
                }
            }
            let group = parent.split(' ').skip(1);
            let group = group.fold(&root, |at, name| at.find_subcommand(name).expect(parent));
            for word in *words {
                assert!(
                    group.find_subcommand(word).is_none(),
                    "`{parent} {word}` is a command"
                );
            }
        }
    }

    #[test]
    fn the_words_of_a_group_are_answered_in_that_group_only() {
        assert!(
            command("phiseal", "encrypt").is_some_and(|said| said.contains("phiseal backfill"))
        );
        assert!(command("phiseal", "Encrypt").is_some());
        assert_eq!(command("phiseal keys", "encrypt"), None);
        assert!(
            command("phiseal keys", "delete").is_some_and(|said| said.contains("keys destroy"))
        );
        assert!(option("phiseal verify", "--config").is_some_and(|said| said.contains("--plan")));
        assert!(option("phiseal backfill", "--dry-run").is_some());
        assert_eq!(option("phiseal verify", "--dry-run"), None);
    }
}
