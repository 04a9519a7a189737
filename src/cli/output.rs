//! Writes results to stdout and all else to stderr, as text or as one JSON object a line.
//! With `--json`, stdout always gets one object: the result or the fault.
//! All output is free of control and format characters except its own line breaks, so that no name,
//! reason or message can control a terminal. Only `sql` writes text as it is, and never to a
//! terminal.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is where the program speaks"
)]

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::args::LogFormat;
use crate::error::{Exit, Fault};
use crate::foreign::{self, Foreign};

/// Prints a page of help to stdout.
pub fn page(text: &str) {
    let mut out = std::io::stdout().lock();
    // clap indents empty lines, too. A reader that closed the pipe is no error of ours.
    for line in text.lines() {
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

/// The chosen output format.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
    log: LogFormat,
}

impl Output {
    pub fn new(json: bool, log: LogFormat) -> Self {
        Self { json, log }
    }

    /// Whether to draw progress bars: stderr is a terminal and the log format is text.
    pub fn draws(self) -> bool {
        matches!(self.log, LogFormat::Text) && std::io::stderr().is_terminal()
    }

    /// Whether results are JSON.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Prints how a run is, as a JSON object, in a line on stderr.
    pub fn progress(self, object: &Value) {
        let mut err = std::io::stderr().lock();
        let _ = writeln!(err, "{}", foreign::json(&object.to_string()));
    }

    /// Prints the result in the chosen format. `text` has no line break at its end.
    pub fn result(self, value: &Value, text: &str) {
        let mut out = std::io::stdout().lock();
        // A reader that closed the pipe is no error of ours.
        let _ = if self.json {
            writeln!(out, "{}", foreign::json(&value.to_string()))
        } else if text.is_empty() {
            Ok(())
        } else {
            writeln!(out, "{}", foreign::lines(text))
        };
    }

    /// Prints one of many JSON objects, in a line on stdout.
    ///
    /// # Errors
    /// What the operating system reports, such as a full disk behind a redirection.
    pub fn record(self, object: &Value) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", foreign::json(&object.to_string()))
    }

    /// Prints SQL unescaped, so that it can be run: names in SQL cannot be escaped.
    ///
    /// # Errors
    /// E0536 if stdout is a terminal and the SQL holds characters that the terminal would act on.
    pub fn sql(self, value: &Value, text: &str) -> Result<(), Fault> {
        if self.json {
            self.result(value, text);
            return Ok(());
        }
        let mut out = std::io::stdout().lock();
        if out.is_terminal() && foreign::acts_on_a_terminal(text) {
            return Err(Fault {
                code: "E0536",
                message: "the SQL holds control characters, which a terminal would act on"
                    .to_owned(),
                hint: "write it into a file: `> FILE`, and look at it with `cat -v FILE`"
                    .to_owned(),
                exit: Exit::Usage,
            });
        }
        let _ = writeln!(out, "{text}");
        Ok(())
    }

    /// Prints a line for people to stderr.
    pub fn say(self, line: &str) {
        self.say_lines(&[line]);
    }

    /// Prints lines that belong together to stderr; in JSON, as one object.
    pub fn say_lines(self, lines: &[&str]) {
        let lines: Vec<String> = lines.iter().map(|line| Foreign(line).to_string()).collect();
        let text = lines.join("\n");
        let mut err = std::io::stderr().lock();
        let _ = match self.log {
            LogFormat::Text => writeln!(err, "{text}"),
            LogFormat::Json => {
                let object = json!({ "level": "INFO", "fields": { "message": text } });
                writeln!(err, "{object}")
            }
        };
    }

    /// Prints a fault, and returns its exit code.
    pub fn fault(self, fault: &Fault) -> ExitCode {
        if self.json {
            let object = json!({
                "error": { "code": fault.code, "message": fault.message, "hint": fault.hint },
                "exit_code": fault.exit.number(),
            });
            let object = object.to_string();
            let _ = writeln!(std::io::stdout(), "{}", foreign::json(&object));
        } else {
            match self.log {
                LogFormat::Text => {
                    let text = fault.to_string();
                    let _ = writeln!(std::io::stderr(), "{}", foreign::lines(&text));
                }
                LogFormat::Json => {
                    let object = json!({ "level": "ERROR", "fields": {
                        "code": fault.code, "message": fault.message, "hint": fault.hint,
                        "exit_code": fault.exit.number(),
                    } });
                    let object = object.to_string();
                    let _ = writeln!(std::io::stderr(), "{}", foreign::json(&object));
                }
            }
        }
        fault.exit.into()
    }
}
