//! A line from time to time, where stderr is no terminal, and in the log file.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tracing::Level;

use super::counts::Counts;
use super::{
    Ticking, duty_text, failed_text, following_text, going_on_text, phase_text, search_text,
    waiting_text,
};
use crate::cli::output::Output;
use crate::engine::{Event, EventSink};

/// Writes lines.
pub struct Lines {
    output: Output,
    state: Mutex<Counts>,
}

impl Lines {
    pub fn new(output: Output) -> Self {
        Self {
            output,
            state: Mutex::default(),
        }
    }

    fn say(&self, level: Level, line: impl FnOnce(&mut Counts) -> Option<String>) {
        let mut counts = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = line(&mut counts) {
            self.output.insist(level, &[&line]);
        }
    }
}

impl EventSink for Lines {
    fn emit(&self, event: Event) {
        let level = match event {
            Event::TableFailed { .. } => Level::ERROR,
            _ => Level::INFO,
        };
        self.say(level, |counts| line(counts, &event, Instant::now()));
    }
}

impl Ticking for Lines {
    fn tick(&self, now: Instant) {
        self.say(Level::INFO, |counts| {
            let (why, waited) = counts.still_waits(now)?;
            Some(named(counts, &waiting_text(&why, waited)))
        });
    }
}

/// What is said of an event, if anything is.
fn line(counts: &mut Counts, event: &Event, now: Instant) -> Option<String> {
    match event {
        Event::TableBegun {
            kind,
            table,
            rows_estimate,
            rows_before,
            ..
        } => {
            counts.begin(kind, table, *rows_estimate, now);
            let resumed = match rows_before {
                0 => String::new(),
                rows => format!(", resumed after {rows}"),
            };
            Some(format!("{kind} {table}: ~{rows_estimate} rows{resumed}"))
        }
        Event::Batch { rows, values } => {
            counts.add(*rows, *values);
            counts.is_line_due(now).then(|| rows_text(counts, now))
        }
        Event::Phase { kind, table, phase } => {
            counts.enter(kind, table);
            Some(phase_text(kind, table, phase))
        }
        Event::Waiting { why } => {
            let is_news = counts.wait(why, now);
            is_news.then(|| named(counts, &format!("waiting: {why}")))
        }
        Event::GoingOn => {
            let waited = counts.go_on(now)?;
            Some(named(counts, &going_on_text(waited)))
        }
        Event::Paced { duty } => {
            counts.duty = Some(*duty);
            None
        }
        Event::Searching { place, number, of } => {
            let is_due = counts.is_line_due(now) || *number == 1;
            is_due.then(|| search_text(place, *number, *of))
        }
        Event::Sweep { pass, found } => {
            let text = format!("sweep, pass {pass}: {found} rows found");
            (*found > 0).then(|| named(counts, &text))
        }
        Event::Following { table, .. } => counts
            .is_followed_due(table, now)
            .then(|| following_text(event)),
        Event::TableFailed {
            table,
            code,
            message,
            hint,
        } => Some(failed_text(table, code, message, hint)),
        Event::Notice { text } => Some(text.clone()),
        Event::TableEnded { .. } => {
            counts.end();
            None
        }
    }
}

fn rows_text(counts: &Counts, now: Instant) -> String {
    let (per_second, _) = counts.rates(now);
    let duty = duty_text(counts.duty).map(|duty| format!(", {duty}"));
    let text = format!(
        "{} of ~{} rows, {per_second:.0} rows/s{}",
        counts.rows,
        counts.total,
        duty.unwrap_or_default()
    );
    named(counts, &text)
}

/// A text behind the name of the run and its table, if there is one.
fn named(counts: &Counts, text: &str) -> String {
    match counts.name().as_str() {
        "" => text.to_owned(),
        name => format!("{name}: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn begun(counts: &mut Counts, now: Instant) -> Option<String> {
        let event = Event::TableBegun {
            kind: "backfill",
            table: "public.t".to_owned(),
            run: None,
            rows_estimate: 100,
            rows_before: 0,
        };
        line(counts, &event, now)
    }

    #[test]
    fn a_wait_has_a_line_at_its_beginning_and_at_its_end() {
        let mut counts = Counts::default();
        let now = Instant::now();
        let first = begun(&mut counts, now);
        assert_eq!(first.as_deref(), Some("backfill public.t: ~100 rows"));
        let wait = |why: &str| Event::Waiting {
            why: why.to_owned(),
        };
        let said = line(&mut counts, &wait("paused by me"), now);
        assert_eq!(
            said.as_deref(),
            Some("backfill public.t: waiting: paused by me")
        );
        assert_eq!(line(&mut counts, &wait("paused by me"), now), None);
        let later = now + Duration::from_secs(75);
        let said = line(&mut counts, &Event::GoingOn, later);
        assert_eq!(
            said.as_deref(),
            Some("backfill public.t: going on after 75 s")
        );
        assert_eq!(line(&mut counts, &Event::GoingOn, later), None);
    }

    #[test]
    fn a_line_of_progress_tells_how_much_of_the_time_a_polite_run_works() {
        let mut counts = Counts::default();
        let now = Instant::now();
        begun(&mut counts, now);
        let batch = Event::Batch {
            rows: 50,
            values: 50,
        };
        assert_eq!(line(&mut counts, &batch, now), None);
        line(&mut counts, &Event::Paced { duty: 0.25 }, now);
        let said = line(&mut counts, &batch, now + Duration::from_secs(10));
        assert_eq!(
            said.as_deref(),
            Some("backfill public.t: 100 of ~100 rows, 10 rows/s, polite, works 25 % of the time")
        );
    }
}
