//! The log: what happened, one record at a time, on stderr and in the file of `--log-file`.
//! Owns the subscriber, its filter, the panic hook, and what the command works on at the moment, which
//! every record names.

mod file;
mod record;

use std::io::Write;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Level, Subscriber};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

pub use self::record::Record;
use super::args::{Global, LogFormat};
use super::output::Output;
use crate::engine::Event;
use crate::error::Fault;

static FILE: OnceLock<LogFile> = OnceLock::new();
static SUBJECT: Mutex<Subject> = Mutex::new(Subject {
    command: String::new(),
    table: None,
    run: None,
});

/// What the records are about.
#[derive(Debug, Clone)]
struct Subject {
    /// The command, such as `keys list`.
    command: String,
    /// The label of the table under way.
    table: Option<String>,
    /// The number of its run; a verification has none.
    run: Option<i64>,
}

/// Opens the log file, if one is named, and logs the events of this process and its panics.
///
/// # Errors
/// E0123 if the log file cannot be used.
pub fn start(global: &Global, command: &str, output: Output) -> Result<(), Fault> {
    SUBJECT
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .command = command.to_owned();
    if let Some(path) = &global.log_file {
        let _ = FILE.set(LogFile {
            file: Mutex::new(file::open(path)?),
            format: global.log_format,
        });
    }
    // The database driver logs SQL statements, so its events are always turned off.
    let filter = EnvFilter::try_new(format!("{},sqlx=off", level(global)))
        .unwrap_or_else(|_| EnvFilter::new("warn,sqlx=off"));
    let subscriber = registry().with(filter).with(Events(output));
    let _ = tracing::subscriber::set_global_default(subscriber);
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string);
        // The message may quote a value, as that of a bad character boundary does.
        let text = format!(
            "panicked at {}: report this; the message is left out, since it may quote a value",
            place.as_deref().unwrap_or("an unknown place")
        );
        output.insist(Level::ERROR, &[&text]);
    }));
    Ok(())
}

/// What is logged: as `--verbose` says, else PHISEAL_LOG, else warnings. `--quiet` only keeps it off
/// stderr.
fn level(global: &Global) -> String {
    let own = match global.verbose {
        0 => return std::env::var("PHISEAL_LOG").unwrap_or_else(|_| "warn".to_owned()),
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    format!("warn,phiseal={own}")
}

/// Whether `--log-file` names a file.
pub fn has_file() -> bool {
    FILE.get().is_some()
}

/// Adds a record to the log file, if there is one.
pub fn append(record: &Record) {
    if let Some(log) = FILE.get() {
        log.append(record);
    }
}

/// Notes which table and run the following records are about.
pub fn follow(event: &Event) {
    let mut subject = SUBJECT.lock().unwrap_or_else(PoisonError::into_inner);
    match event {
        Event::TableBegun { table, run, .. } => {
            (subject.table, subject.run) = (Some(table.clone()), *run);
        }
        Event::TableEnded { .. } | Event::TableFailed { .. } => {
            (subject.table, subject.run) = (None, None);
        }
        _ => {}
    }
}

/// What the records are about now.
fn subject() -> Subject {
    let subject = SUBJECT.lock().unwrap_or_else(PoisonError::into_inner);
    subject.clone()
}

struct LogFile {
    file: Mutex<std::fs::File>,
    format: LogFormat,
}

impl LogFile {
    fn append(&self, record: &Record) {
        let lines = match self.format {
            LogFormat::Text => record.lines(),
            LogFormat::Json => record.json(),
        };
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk must not end a run, and the same record is on stderr.
        let _ = file.write_all(format!("{lines}\n").as_bytes());
    }
}

/// Turns the events of the program into records.
struct Events(Output);

impl<S: Subscriber> Layer<S> for Events {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut members = Members(Map::new());
        event.record(&mut members);
        let message = match members.0.remove("message") {
            Some(Value::String(message)) => message,
            _ => String::new(),
        };
        let metadata = event.metadata();
        self.0.event(&Record::new(
            *metadata.level(),
            metadata.target(),
            message,
            members.0,
        ));
    }
}

/// The fields of an event.
struct Members(Map<String, Value>);

impl Members {
    fn add(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Members {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, json!(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, json!(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.add(field, json!(format!("{value:?}")));
    }
}
