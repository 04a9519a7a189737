//! The question before data is dropped. Asks only a person at a terminal.

#![allow(
    clippy::print_stderr,
    reason = "a question stands without its end of line"
)]

use std::io::{BufRead, IsTerminal, Write};

use crate::foreign::Foreign;

/// Whether a person answers `yes`; false if stdin or stderr is not a terminal.
pub(super) fn yes(losses: &[String]) -> bool {
    let stdin = std::io::stdin();
    if !(stdin.is_terminal() && std::io::stderr().is_terminal()) {
        return false;
    }
    eprintln!("this would drop:");
    for loss in losses {
        eprintln!("  {}", Foreign(loss));
    }
    eprint!("drop it? There is no way back. Type yes: ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = stdin.lock().read_line(&mut answer);
    read.is_ok() && answer.trim() == "yes"
}
