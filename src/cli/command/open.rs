//! `phiseal open`: opens sealed values that come from stdin. The plaintext is the result, so it goes to
//! stdout, and to a terminal only if the user says so.

use std::io::IsTerminal;

use super::values::{self, Work};
use crate::cli::args::{Global, Open};
use crate::cli::output::Output;
use crate::error::{Exit, Fault};

pub async fn run(global: &Global, args: &Open, output: Output) -> Result<Exit, Fault> {
    if std::io::stdout().is_terminal() && !args.yes {
        return Err(Fault {
            code: "E0150",
            message: "stdout is a terminal, which would show and keep the plaintext".to_owned(),
            hint: "redirect it (`> FILE`, or `| PROGRAM`), or show it with --yes".to_owned(),
            exit: Exit::Usage,
        });
    }
    values::run(global, &args.values, Work::Open, output).await
}
