//! The question before data goes for good. Asks only a person at a terminal.

#![allow(
    clippy::print_stderr,
    reason = "a question stands without its end of line"
)]

use std::io::{BufRead, IsTerminal, Write};

use crate::error::{Exit, Fault};
use crate::foreign::Foreign;

/// How many lines a refusal repeats.
const LINES_MAX: usize = 5;

/// Whether a person answers `yes` to `question`; false if stdin or stderr is not a terminal. `head` and
/// the lines stand above it.
pub fn yes(head: &str, lines: &[String], question: &str) -> bool {
    let question = format!("{question} Type yes: ");
    answer(head, lines, &question).is_some_and(|answer| answer == "yes")
}

/// Goes on if `--yes` was given or a person says yes.
///
/// # Errors
/// E0618 otherwise.
pub fn agreed(yes_given: bool, head: &str, lines: &[String], question: &str) -> Result<(), Fault> {
    if yes_given || yes(head, lines, question) {
        return Ok(());
    }
    let mut what: Vec<String> = (lines.iter().take(LINES_MAX))
        .map(|line| Foreign(line.trim()).to_string())
        .collect();
    if lines.len() > LINES_MAX {
        what.push(format!("and {} more", lines.len() - LINES_MAX));
    }
    Err(Fault {
        code: "E0618",
        message: format!(
            "nothing was done without your consent: {head} {}",
            what.join("; ")
        ),
        hint: "where there is nobody to ask, add --yes".to_owned(),
        exit: Exit::Usage,
    })
}

/// Whether a person types `expected`; false if stdin or stderr is not a terminal.
pub fn types(head: &str, expected: &str) -> bool {
    let question = format!("Type {} to go on: ", Foreign(expected));
    answer(head, &[], &question).is_some_and(|answer| answer == expected)
}

/// What a person at a terminal answers.
fn answer(head: &str, lines: &[String], question: &str) -> Option<String> {
    let stdin = std::io::stdin();
    if !(stdin.is_terminal() && std::io::stderr().is_terminal()) {
        return None;
    }
    eprintln!("{head}");
    for line in lines {
        eprintln!("  {}", Foreign(line));
    }
    eprint!("{question}");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).ok()?;
    Some(answer.trim().to_owned())
}
