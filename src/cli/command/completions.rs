//! `phiseal completions`: a script that completes commands and options in a shell.

use clap_complete::aot::{self, generate};
use serde_json::json;

use crate::cli::args::{self, Completions, Shell};
use crate::cli::output::Output;
use crate::error::Exit;

/// Prints the script.
pub fn run(args: &Completions, output: Output) -> Exit {
    let (name, shell) = match args.shell {
        Shell::Bash => ("bash", aot::Shell::Bash),
        Shell::Zsh => ("zsh", aot::Shell::Zsh),
        Shell::Fish => ("fish", aot::Shell::Fish),
    };
    let mut script = Vec::new();
    generate(shell, &mut args::command(), "phiseal", &mut script);
    let script = String::from_utf8_lossy(&script);
    output.verbatim(&json!({ "shell": name, "script": script }), &script);
    Exit::Done
}
