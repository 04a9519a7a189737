//! The log: events and panics go to stderr, one event a line.
//! Owns the subscriber, its filter and the panic hook. A line holds no control or format character
//! except its line break, whoever chose the names in it.

use std::io::Write;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::args::LogFormat;
use super::output::Output;
use crate::foreign::{self, Foreign};

/// Starts the log, and sends panic messages through `output`.
pub fn start(format: LogFormat, output: Output) {
    // The database driver logs SQL statements, so its events are always turned off.
    let wanted = std::env::var("PHISEAL_LOG").unwrap_or_else(|_| "warn".to_owned());
    let filter = EnvFilter::try_new(format!("{wanted},sqlx=off"))
        .unwrap_or_else(|_| EnvFilter::new("warn,sqlx=off"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(Events(format));
    let _ = match format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string);
        // The message may quote a value, as that of a bad character boundary does.
        output.say(&format!(
            "panicked at {}: report this; the message is left out, since it may quote a value",
            place.as_deref().unwrap_or("an unknown place")
        ));
    }));
}

#[derive(Clone, Copy)]
struct Events(LogFormat);

impl<'a> MakeWriter<'a> for Events {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }
}

impl Write for Events {
    /// Writes one event: the subscriber writes each event in one call.
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let mut err = std::io::stderr().lock();
        match self.0 {
            LogFormat::Text => {
                let line = text.strip_suffix('\n').unwrap_or(&text);
                writeln!(err, "{}", Foreign(line))?;
            }
            LogFormat::Json => err.write_all(foreign::json(&text).as_bytes())?,
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}
