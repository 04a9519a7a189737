//! A record of the log, and its two forms.
//! Always holds: a record ends with no line break, and has no character that a terminal would act on.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tracing::Level;

use super::{Subject, subject};
use crate::foreign::{self, Foreign};

/// What happened, when, and what it is about.
pub struct Record {
    at: Timestamp,
    level: Level,
    target: String,
    message: String,
    /// Members of its own, such as `code` or `rows`.
    members: Map<String, Value>,
    subject: Subject,
}

impl Record {
    /// A record of this moment, about what the command works on. `target` is the part of the program
    /// that says it.
    pub fn new(
        level: Level,
        target: &str,
        message: impl Into<String>,
        members: Map<String, Value>,
    ) -> Self {
        Self {
            at: Timestamp::now(),
            level,
            target: target.to_owned(),
            message: message.into(),
            members,
            subject: subject(),
        }
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        self.level == Level::ERROR
    }

    /// One JSON object: `timestamp`, `level`, `target`, `command`, `message`, `table` and `run` where
    /// they are known, and the members of this record.
    pub fn json(&self) -> String {
        let mut object = self.members.clone();
        let table = self.subject.table.as_ref().map(|table| json!(table));
        let run = self.subject.run.map(|run| json!(run));
        for (name, value) in [("table", table), ("run", run)] {
            if let Some(value) = value {
                object.entry(name).or_insert(value);
            }
        }
        for (name, value) in [
            ("timestamp", json!(self.time())),
            ("level", json!(self.level.as_str())),
            ("target", json!(self.target)),
            ("command", json!(self.subject.command)),
            ("message", json!(self.message)),
        ] {
            object.insert(name.to_owned(), value);
        }
        foreign::json(&Value::Object(object).to_string()).into_owned()
    }

    /// Lines of a log file: time, level and command before each line of the message.
    pub fn lines(&self) -> String {
        let begin = format!("{} {:<5}", self.time(), self.level.as_str());
        let begin = match self.subject.command.as_str() {
            "" => begin,
            command => format!("{begin} {command}:"),
        };
        let text = self.text();
        let lines = text.lines();
        let lines = lines.map(|line| format!("{begin} {}", Foreign(line)));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// One line for people, on stderr: time, level, message and members.
    pub fn line(&self) -> String {
        let level = self.level.as_str();
        format!("{} {level:<5} {}", self.time(), Foreign(&self.text()))
    }

    /// The message, with the members behind it.
    fn text(&self) -> String {
        let mut text = self.message.clone();
        for (name, value) in &self.members {
            text.push_str(&format!(" {name}={value}"));
        }
        text
    }

    fn time(&self) -> String {
        self.at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let members = json!({ "attempt": 3, "index": "a\u{1b}[2J\nb" });
        let Value::Object(members) = members else {
            panic!("no object");
        };
        Record {
            at: "2026-03-01T12:00:05.0071Z".parse().unwrap(),
            level: Level::WARN,
            target: "phiseal::store".to_owned(),
            message: "one\ntwo\u{9b}".to_owned(),
            members,
            subject: Subject {
                command: "migrate up".to_owned(),
                table: Some("public.t".to_owned()),
                run: Some(7),
            },
        }
    }

    #[test]
    fn a_record_is_one_json_object_with_time_level_message_and_subject() {
        let line = record().json();
        assert_eq!(line.lines().count(), 1);
        assert!(!line.contains(['\u{1b}', '\u{9b}']), "{line:?}");
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            value,
            json!({
                "timestamp": "2026-03-01T12:00:05.007Z", "level": "WARN", "target": "phiseal::store",
                "command": "migrate up", "message": "one\ntwo\u{9b}", "table": "public.t", "run": 7,
                "attempt": 3, "index": "a\u{1b}[2J\nb"
            })
        );
    }

    #[test]
    fn members_of_a_record_go_before_what_the_command_works_on_but_never_before_time_and_level() {
        let mut record = record();
        for (name, value) in [("table", "other"), ("level", "forged"), ("timestamp", "x")] {
            record.members.insert(name.to_owned(), json!(value));
        }
        let value: Value = serde_json::from_str(&record.json()).unwrap();
        assert_eq!(value["table"], "other");
        assert_eq!(value["level"], "WARN");
        assert_eq!(value["timestamp"], "2026-03-01T12:00:05.007Z");
    }

    #[test]
    fn each_line_of_a_log_file_has_its_time_and_level_and_is_harmless() {
        let lines = record().lines();
        let begin = "2026-03-01T12:00:05.007Z WARN  migrate up: ";
        let found: Vec<&str> = lines.lines().collect();
        assert_eq!(found.len(), 2, "{lines}");
        for line in found {
            assert!(line.starts_with(begin), "{line}");
            assert!(!line.contains(['\u{1b}', '\u{9b}']), "{line:?}");
        }
        assert_eq!(record().line().lines().count(), 1);
    }
}
