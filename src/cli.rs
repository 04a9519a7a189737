//! The command line: arguments, settings, progress, results.
//! Owns everything that a person or a script sees: results go to stdout, all else to stderr. Only
//! this module uses clap and indicatif, prints, and chooses exit codes.

pub(crate) mod args;
pub(crate) mod columns;
pub(crate) mod command;
pub(crate) mod figures;
pub(crate) mod lines;
mod log;
pub(crate) mod new_file;
pub(crate) mod output;
pub(crate) mod progress;
mod question;
pub(crate) mod session;
pub(crate) mod signal;

use std::process::ExitCode;

use clap::Parser;

use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use args::Cli;
use output::Output;

/// Parses the arguments, runs the command, and returns its exit code.
pub fn main() -> ExitCode {
    let arguments: Vec<std::ffi::OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &arguments),
    };
    let output = Output::new(cli.global.json, cli.global.log_format);
    if crate::secret::disable_core_dumps().is_err() {
        return output.fault(&Fault {
            code: "E0903",
            message: "core dumps cannot be turned off, so keys might be written to disk".to_owned(),
            hint: "start phiseal in an environment that allows prctl and setrlimit".to_owned(),
            exit: Exit::Bug,
        });
    }
    log::start(cli.global.log_format, output);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(_) => {
            return output.fault(&Fault {
                code: "E0904",
                message: "the operating system gave no threads".to_owned(),
                hint: "see the limits of the process".to_owned(),
                exit: Exit::Bug,
            });
        }
    };
    match runtime.block_on(command::run(cli, &output)) {
        Ok(exit) => exit.into(),
        Err(fault) => output.fault(&fault),
    }
}

/// Prints what clap returned instead of arguments: help and version on stdout, anything else as a
/// fault.
fn usage(error: &clap::Error, arguments: &[std::ffi::OsString]) -> ExitCode {
    use clap::error::ErrorKind;
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let _ = error.print();
            Exit::Done.into()
        }
        _ => {
            let output = Output::new(
                arguments.iter().any(|argument| argument == "--json"),
                args::LogFormat::Text,
            );
            let text = error.render().to_string();
            let first = text.lines().next().unwrap_or_default();
            output.fault(&Fault {
                code: "E0101",
                message: Foreign(first.trim_start_matches("error: ")).to_string(),
                hint: "see `phiseal --help`, or `phiseal COMMAND --help`".to_owned(),
                exit: Exit::Usage,
            })
        }
    }
}
