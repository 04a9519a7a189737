//! The command line: arguments, settings, progress, results.
//! Owns everything that a person or a script sees: results go to stdout, all else to stderr. Only
//! this module uses clap and indicatif, prints, and chooses exit codes.

pub(crate) mod args;
pub(crate) mod color;
pub(crate) mod columns;
pub(crate) mod command;
pub(crate) mod figures;
pub(crate) mod lines;
mod log;
pub(crate) mod new_file;
pub(crate) mod output;
pub(crate) mod progress;
mod question;
pub(crate) mod screen;
pub(crate) mod session;
pub(crate) mod signal;
mod usage;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::ValueEnum;

use crate::error::{Exit, Fault};
use args::Parsed;
use color::When;
use output::Output;
use usage::Asked;

/// Parses the arguments, runs the command, and returns its exit code.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let Parsed {
        cli, command: name, ..
    } = match usage::read(&arguments) {
        Ok(Asked::Command(parsed)) => *parsed,
        Ok(Asked::Page(page)) => {
            early(&arguments).page(&page);
            return Exit::Done.into();
        }
        Err(fault) => return early(&arguments).fault(&fault),
    };
    let global = &cli.global;
    let output = Output::new(global.json, global.log_format, global.color).quiet(global.quiet);
    if crate::secret::disable_core_dumps().is_err() {
        return output.fault(&Fault {
            code: "E0903",
            message: "core dumps cannot be turned off, so keys might be written to disk".to_owned(),
            hint: "start phiseal in an environment that allows prctl and setrlimit".to_owned(),
            exit: Exit::Bug,
        });
    }
    if let Err(fault) = log::start(global, &name, output) {
        return output.fault(&fault);
    }
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
    let file = output.file_only();
    file.say(concat!("started, version ", env!("CARGO_PKG_VERSION")));
    match runtime.block_on(command::run(cli, &output)) {
        Ok(exit) => {
            file.say(&format!("ended with exit code {}", exit.number()));
            exit.into()
        }
        Err(fault) => output.fault(&fault),
    }
}

/// How to print where the arguments could not be read: as far as they say so.
fn early(arguments: &[OsString]) -> Output {
    let json = arguments.iter().any(|argument| argument == "--json");
    let log_format = match usage::value_of(arguments, "--log-format") {
        Some("json") => args::LogFormat::Json,
        _ => args::LogFormat::Text,
    };
    let color =
        usage::value_of(arguments, "--color").and_then(|when| When::from_str(when, true).ok());
    Output::new(json, log_format, color.unwrap_or_default())
}
