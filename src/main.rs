//! The `phiseal` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    phiseal::cli::main()
}
