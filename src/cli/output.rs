//! Writes results to stdout and all else to stderr and into the log file, as text or as one JSON object
//! a line.
//! With `--json`, stdout always gets one object: the result or the fault.
//! All output is free of control and format characters except its own line breaks and colours, so
//! that no name, reason or message can control a terminal. Only `sql` and `rows` write what
//! others wrote as it is, and never to a terminal. Files and pipes get colours only where the user asks for them.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is where the program speaks"
)]

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::builder::StyledStr;
use serde_json::{Map, Value, json};
use tracing::Level;

use super::args::LogFormat;
use super::color::{self, When};
use super::log::{self, Record};
use super::{lines, screen};
use crate::error::{Exit, Fault};
use crate::foreign::{self, Foreign};

/// The part of the program that a record of the command line comes from.
const TARGET: &str = "phiseal";

/// The chosen output format.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
    log: LogFormat,
    color: When,
    quiet: bool,
    to_file: bool,
    to_stderr: bool,
}

impl Output {
    pub fn new(json: bool, log: LogFormat, color: When) -> Self {
        Self {
            json,
            log,
            color,
            quiet: false,
            to_file: true,
            to_stderr: true,
        }
    }

    /// The same, which says only errors and results.
    pub fn quiet(self, quiet: bool) -> Self {
        Self { quiet, ..self }
    }

    /// Whether only errors and results are said.
    pub fn is_quiet(self) -> bool {
        self.quiet
    }

    /// Whether to draw progress bars: stderr is a terminal and the log format is text.
    pub fn draws(self) -> bool {
        !self.logs_json() && std::io::stderr().is_terminal()
    }

    /// Prints a page of help to stdout.
    pub fn page(self, page: &StyledStr) {
        let mut out = std::io::stdout().lock();
        let text = match self.color.holds(out.is_terminal()) {
            true => page.ansi().to_string(),
            false => page.to_string(),
        };
        // clap indents empty lines, too. A reader that closed the pipe is no error of ours.
        for line in text.lines() {
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }

    /// Whether results are JSON.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Whether log lines are JSON.
    pub fn logs_json(self) -> bool {
        matches!(self.log, LogFormat::Json)
    }

    /// The same, which writes nothing into the log file.
    pub fn without_file(self) -> Self {
        Self {
            to_file: false,
            ..self
        }
    }

    /// The same, which writes into the log file only.
    pub fn file_only(self) -> Self {
        Self {
            to_file: true,
            to_stderr: false,
            ..self
        }
    }

    /// Logs how a run is: a JSON object, with a line for people that says the same.
    pub fn progress(self, object: Map<String, Value>, line: &str) {
        let json = Value::Object(object.clone()).to_string();
        let level = match object.get("event") {
            Some(event) if event == "failed" => Level::ERROR,
            _ => Level::INFO,
        };
        let record = Record::new(level, TARGET, line, object);
        self.emit(&record, &foreign::json(&json), !self.quiet);
    }

    /// Logs an event of the program.
    pub fn event(self, record: &Record) {
        self.emit(record, &record.line(), record.is_error() || !self.quiet);
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
            let columns = screen::width_of(&out);
            writeln!(out, "{}", lines::folded(&foreign::lines(text), columns))
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

    /// Prints a text of the program's own as it is, such as a script for a shell.
    pub fn verbatim(self, value: &Value, text: &str) {
        if self.json {
            self.result(value, text);
        } else {
            // A reader that closed the pipe is no error of ours.
            let _ = writeln!(std::io::stdout(), "{}", text.trim_end_matches('\n'));
        }
    }

    /// Prints SQL unescaped, so that it can be run: names in SQL cannot be escaped.
    ///
    /// # Errors
    /// E0536 if stdout is a terminal and the SQL holds characters that the terminal would act on.
    pub fn sql(self, value: &Value, text: &str) -> Result<(), Fault> {
        let is_terminal = !self.json && std::io::stdout().is_terminal();
        if is_terminal && foreign::acts_on_a_terminal(text) {
            return Err(Fault {
                code: "E0536",
                message: "the SQL holds control characters, which a terminal would act on"
                    .to_owned(),
                hint: "write it into a file: `> FILE`, and look at it with `cat -v FILE`"
                    .to_owned(),
                exit: Exit::Usage,
            });
        }
        self.verbatim(value, text);
        Ok(())
    }

    /// Writes rows of the user's to stdout as they are; to a terminal, with the characters written out
    /// that it would act on.
    ///
    /// # Errors
    /// Whatever writing reports.
    pub fn rows(self, rows: &[u8]) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        match out.is_terminal() {
            true => out.write_all(foreign::lines(&String::from_utf8_lossy(rows)).as_bytes())?,
            false => out.write_all(rows)?,
        }
        out.flush()
    }

    /// Prints a line for people to stderr.
    pub fn say(self, line: &str) {
        self.say_lines(&[line]);
    }

    /// Prints lines that belong together to stderr, unless only errors and results are wanted; in
    /// JSON, as one object.
    pub fn say_lines(self, lines: &[&str]) {
        let is_warning = lines
            .first()
            .is_some_and(|line| line.starts_with("warning"));
        let level = if is_warning { Level::WARN } else { Level::INFO };
        self.lines(level, lines, !self.quiet);
    }

    /// As [`Output::say_lines`], for errors beside the one that ends the command, and for results that
    /// go to stderr: they are printed even if only errors and results are wanted.
    pub fn insist(self, level: Level, lines: &[&str]) {
        self.lines(level, lines, true);
    }

    fn lines(self, level: Level, lines: &[&str], shown: bool) {
        let lines: Vec<String> = lines.iter().map(|line| Foreign(line).to_string()).collect();
        let text = lines.join("\n");
        let record = Record::new(level, TARGET, text.as_str(), Map::new());
        self.emit(&record, &text, shown);
    }

    /// Writes a record into the log file and, if it is `shown`, to stderr: as text, or as JSON.
    fn emit(self, record: &Record, text: &str, shown: bool) {
        // An empty line parts others on a screen, and says nothing in a log.
        if text.is_empty() && (self.logs_json() || !self.to_stderr) {
            return;
        }
        if self.to_file && !text.is_empty() {
            log::append(record);
        }
        if !shown || !self.to_stderr {
            return;
        }
        let _ = screen::above_the_bar(|| {
            let mut err = std::io::stderr().lock();
            let columns = screen::width_of(&err);
            let is_painted = self.color.holds(err.is_terminal());
            match self.log {
                LogFormat::Json => writeln!(err, "{}", record.json()),
                LogFormat::Text => writeln!(err, "{}", laid_out(text, columns, is_painted)),
            }
        });
    }

    /// Prints a fault, and returns its exit code. With `--json` it goes to stdout.
    pub fn fault(self, fault: &Fault) -> ExitCode {
        let mut members = Map::new();
        members.insert("code".to_owned(), json!(fault.code));
        members.insert("hint".to_owned(), json!(fault.hint));
        members.insert("exit_code".to_owned(), json!(fault.exit.number()));
        let record = Record::new(Level::ERROR, TARGET, fault.message.as_str(), members);
        if self.json {
            let object = json!({
                "error": { "code": fault.code, "message": fault.message, "hint": fault.hint },
                "exit_code": fault.exit.number(),
            });
            let object = object.to_string();
            let _ = writeln!(std::io::stdout(), "{}", foreign::json(&object));
        }
        let text = fault.to_string();
        self.emit(&record, &foreign::lines(&text), !self.json);
        fault.exit.into()
    }
}

/// Lines as a stream gets them. Only what begins a line of the text is coloured, and nothing that a fold
/// brings to the beginning of a line: it may be a name.
fn laid_out(text: &str, columns: Option<usize>, is_painted: bool) -> String {
    let line = |line: &str| {
        let folded = lines::folded(line, columns);
        let (first, rest) = folded.split_at(folded.find('\n').unwrap_or(folded.len()));
        match is_painted {
            true => color::painted(first).into_owned() + rest,
            false => folded.into_owned(),
        }
    };
    let lines: Vec<String> = text.split('\n').map(line).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_fold_brings_to_the_beginning_of_a_line_is_not_coloured() {
        let text = "error[E0101]: the table a long name\nhint: do not hint: run this";
        let painted = laid_out(text, Some(13), true);
        let lines: Vec<&str> = painted.lines().collect();
        let begun = lines.iter().map(|line| line.starts_with('\u{1b}'));
        assert_eq!(begun.filter(|painted| *painted).count(), 2, "{painted:?}");
        assert!(lines.contains(&"  hint: run"), "{painted:?}");
        assert_eq!(laid_out(text, None, false), text);
    }
}
