//! A line from time to time, where stderr is no terminal, and in the log file.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tracing::Level;

use super::counts::Counts;
use super::{
    Ticking, duty_text, failed_text, following_text, going_on_text, numbers_text, phase_text,
    search_text, sweep_text, waiting_text,
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
            share,
            ..
        } => {
            counts.begin(kind, table, *rows_estimate, now);
            counts.resume(*rows_before, *share, now);
            let resumed = match (rows_before, counts.percent()) {
                (0, _) | (_, None) => String::new(),
                (_, Some(percent)) => format!(", resumed at {percent} %"),
            };
            Some(format!(
                "{kind} {table}: about {rows_estimate} rows{resumed}"
            ))
        }
        Event::Batch {
            rows,
            values,
            share,
        } => {
            counts.add(*rows, *values, *share, now);
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
        Event::Sweep { found, .. } => (*found > 0).then(|| named(counts, &sweep_text(*found))),
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

/// `41 %, 12345 rows/s, 3 min left: backfill public.patients, 41000 of about 100000 rows`.
fn rows_text(counts: &Counts, now: Instant) -> String {
    let duty = duty_text(counts.duty).map(|duty| format!(", {duty}"));
    format!(
        "{}: {}, {} of about {} rows{}",
        numbers_text(counts, now),
        counts.name(),
        counts.rows_found(),
        counts.rows_expected(),
        duty.unwrap_or_default()
    )
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

    fn begun(counts: &mut Counts, (rows_before, share): (u64, f64), now: Instant) -> String {
        let event = Event::TableBegun {
            kind: "backfill",
            table: "public.t".to_owned(),
            run: None,
            rows_estimate: 100,
            rows_before,
            share,
        };
        line(counts, &event, now).unwrap()
    }

    #[test]
    fn a_table_is_told_with_what_was_done_before() {
        let (mut counts, now) = (Counts::default(), Instant::now());
        let first = begun(&mut counts, (0, 0.0), now);
        assert_eq!(first, "backfill public.t: about 100 rows");
        let resumed = begun(&mut counts, (41, 0.418), now);
        assert_eq!(
            resumed,
            "backfill public.t: about 100 rows, resumed at 41 %"
        );
    }

    #[test]
    fn a_wait_has_a_line_at_its_beginning_and_at_its_end() {
        let (mut counts, now) = (Counts::default(), Instant::now());
        begun(&mut counts, (0, 0.0), now);
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
            Some("backfill public.t: continues after 75 s")
        );
        assert_eq!(line(&mut counts, &Event::GoingOn, later), None);
    }

    #[test]
    fn a_line_of_progress_begins_with_the_numbers_and_tells_how_much_of_the_time_a_polite_run_works()
     {
        let (mut counts, now) = (Counts::default(), Instant::now());
        begun(&mut counts, (0, 0.0), now);
        let batch = |share| Event::Batch {
            rows: 50,
            values: 50,
            share: Some(share),
        };
        assert_eq!(line(&mut counts, &batch(0.1), now), None);
        line(&mut counts, &Event::Paced { duty: 0.25 }, now);
        let said = line(&mut counts, &batch(0.2), now + Duration::from_secs(10));
        assert_eq!(
            said.as_deref(),
            Some(
                "20 %, 10 rows/s, 40 s left: backfill public.t, 100 of about 500 rows, polite, works 25 % of the \
                 time"
            )
        );
    }
}
