//! Results on stdout, all else on stderr: as text, or as one JSON object a line for collectors.
//! With `--json`, one object on stdout whatever happens: the result, or the fault.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is where the program speaks"
)]

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::args::LogFormat;
use crate::error::Fault;

/// Where results go.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
    log: LogFormat,
}

impl Output {
    pub fn new(json: bool, log: LogFormat) -> Self {
        Self { json, log }
    }

    /// Whether bars can be drawn: a person looks at stderr.
    pub fn draws(self) -> bool {
        matches!(self.log, LogFormat::Text) && std::io::stderr().is_terminal()
    }

    /// The result, in the form that was asked for. `text` ends without a line break.
    pub fn result(self, value: &Value, text: &str) {
        let mut out = std::io::stdout().lock();
        // A reader that went away is no fault of ours.
        let _ = if self.json {
            writeln!(out, "{value}")
        } else if text.is_empty() {
            Ok(())
        } else {
            writeln!(out, "{text}")
        };
    }

    /// A line for people, on stderr.
    pub fn say(self, line: &str) {
        let mut err = std::io::stderr().lock();
        let _ = match self.log {
            LogFormat::Text => writeln!(err, "{line}"),
            LogFormat::Json => {
                let object = json!({ "level": "INFO", "fields": { "message": line } });
                writeln!(err, "{object}")
            }
        };
    }

    /// A fault, and its exit code.
    pub fn fault(self, fault: &Fault) -> ExitCode {
        if self.json {
            let object = json!({
                "error": { "code": fault.code, "message": fault.message, "hint": fault.hint },
                "exit_code": fault.exit.number(),
            });
            let _ = writeln!(std::io::stdout(), "{object}");
        } else {
            match self.log {
                LogFormat::Text => {
                    let _ = writeln!(std::io::stderr(), "{fault}");
                }
                LogFormat::Json => {
                    let object = json!({ "level": "ERROR", "fields": {
                        "code": fault.code, "message": fault.message, "hint": fault.hint,
                        "exit_code": fault.exit.number(),
                    } });
                    let _ = writeln!(std::io::stderr(), "{object}");
                }
            }
        }
        fault.exit.into()
    }
}
