//! The question before data goes for good. Asks only a person at a terminal.

#![allow(
    clippy::print_stderr,
    reason = "a question stands without its end of line"
)]

use std::io::{BufRead, IsTerminal, Write};

use crate::error::{Exit, Fault};
use crate::foreign::Foreign;

/// Whether a person answers `yes` to `question`; false if stdin or stderr is not a terminal. `head` and
/// the lines stand above it.
pub fn yes(head: &str, lines: &[String], question: &str) -> bool {
    let stdin = std::io::stdin();
    if !(stdin.is_terminal() && std::io::stderr().is_terminal()) {
        return false;
    }
    eprintln!("{head}");
    for line in lines {
        eprintln!("  {}", Foreign(line));
    }
    eprint!("{question} Type yes: ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = stdin.lock().read_line(&mut answer);
    read.is_ok() && answer.trim() == "yes"
}

/// Goes on if `--yes` was given or a person says yes.
///
/// # Errors
/// E0618 otherwise.
pub fn agreed(yes_given: bool, head: &str, lines: &[String], question: &str) -> Result<(), Fault> {
    if yes_given || yes(head, lines, question) {
        return Ok(());
    }
    Err(Fault {
        code: "E0618",
        message: "this needs your consent, and nothing was done".to_owned(),
        hint: "look with --dry-run, then run the command again with --yes".to_owned(),
        exit: Exit::Usage,
    })
}
