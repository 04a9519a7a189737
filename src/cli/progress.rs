//! Progress: bars on a terminal, a line from time to time elsewhere and in the log file, JSON lines with
//! `--json` and `--log-format json`.
//! Owns what is shown during a run, and the words of it. All of it goes to stderr or the log file.

mod bars;
mod counts;
mod json_lines;
mod lines;

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tracing::Level;

use self::bars::Bars;
use self::counts::Counts;
use self::json_lines::JsonLines;
use self::lines::Lines;
use super::output::Output;
use super::{figures, log};
use crate::engine::{Event, EventSink};
use crate::foreign::Foreign;
use crate::plural::counted;

/// The variable by which the demo asks its commands for progress that people read, although it wants
/// their results as JSON.
pub const FOR_PEOPLE: &str = "PHISEAL_DEMO_PROGRESS";

/// The event sink that suits stderr (bars, lines or JSON lines), and the log file if there is one.
pub fn sink(output: Output) -> Arc<dyn EventSink> {
    let mut sinks = vec![on_stderr(output.without_file())];
    if log::has_file() {
        sinks.push(in_file(output.file_only()));
    }
    Arc::new(Sinks(sinks))
}

fn on_stderr(output: Output) -> Arc<dyn EventSink> {
    let wants_json = output.is_json() && std::env::var_os(FOR_PEOPLE).is_none();
    if output.is_quiet() {
        Arc::new(Failures(output))
    } else if wants_json || output.logs_json() {
        ticking(JsonLines::new(output))
    } else if output.draws() {
        ticking(Bars::new(output))
    } else {
        ticking(Lines::new(output))
    }
}

fn in_file(output: Output) -> Arc<dyn EventSink> {
    match output.logs_json() {
        true => ticking(JsonLines::new(output)),
        false => ticking(Lines::new(output)),
    }
}

/// Passes events on to several sinks, and to the log, which says what its records are about.
struct Sinks(Vec<Arc<dyn EventSink>>);

impl EventSink for Sinks {
    fn emit(&self, event: Event) {
        let begins = matches!(event, Event::TableBegun { .. });
        if begins {
            log::follow(&event);
        }
        for sink in &self.0 {
            sink.emit(event.clone());
        }
        if !begins {
            log::follow(&event);
        }
    }
}

/// Says which tables failed, and nothing else: with `--quiet`.
struct Failures(Output);

impl EventSink for Failures {
    fn emit(&self, event: Event) {
        if let Event::TableFailed {
            table,
            code,
            message,
            hint,
        } = &event
        {
            let text = failed_text(table, code, message, hint);
            self.0.insist(Level::ERROR, &[&text]);
        }
    }
}

/// A sink that also shows how long the run has waited, when no event comes.
trait Ticking: EventSink + 'static {
    /// Some time has passed.
    fn tick(&self, now: Instant);
}

/// Has the sink tick once a second as long as somebody has it.
fn ticking<S: Ticking>(sink: S) -> Arc<dyn EventSink> {
    const EVERY: Duration = Duration::from_secs(1);
    let sink = Arc::new(sink);
    let watched: Weak<S> = Arc::downgrade(&sink);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(EVERY).await;
            match watched.upgrade() {
                Some(sink) => sink.tick(Instant::now()),
                None => return,
            }
        }
    });
    sink
}

/// `41 %, 12345 rows/s, 3 min left`, as far as it is known: what is asked first of a run.
fn numbers_text(counts: &Counts, now: Instant) -> String {
    let percent = counts.percent().map(|percent| format!("{percent} %"));
    let rate = format!("{:.0} rows/s", counts.rate(now));
    let left = counts
        .left(now)
        .map(|left| format!("{} left", figures::duration(left.as_secs())));
    let known: Vec<String> = percent.into_iter().chain([rate]).chain(left).collect();
    known.join(", ")
}

/// What a run waits for, and for how long once that is a second.
fn waiting_text(why: &str, waited: Duration) -> String {
    match waited.as_secs() {
        0 => format!("waiting: {}", Foreign(why)),
        seconds => format!("waiting {}: {}", figures::duration(seconds), Foreign(why)),
    }
}

fn going_on_text(waited: Duration) -> String {
    format!("continues after {}", figures::duration(waited.as_secs()))
}

/// How much of the time a run works; `None` if it is all of it.
fn duty_text(duty: Option<f64>) -> Option<String> {
    let percent = duty.map(|duty| (duty * 100.0).round())?;
    if percent >= 100.0 {
        return None;
    }
    let share = match percent >= 1.0 {
        true => format!("{percent:.0} %"),
        false => "less than 1 %".to_owned(),
    };
    Some(format!("polite, works {share} of the time"))
}

fn failed_text(table: &str, code: &str, message: &str, hint: &str) -> String {
    format!(
        "{} failed: error[{code}]: {message}; hint: {hint}; continuing with the other tables",
        Foreign(table)
    )
}

/// How far behind a table is that is followed.
fn following_text(event: &Event) -> String {
    let Event::Following {
        table,
        rows_sealed,
        rows_behind,
        seconds_behind,
    } = event
    else {
        return String::new();
    };
    let sealed = counted(*rows_sealed, "row");
    let behind = match rows_behind {
        0 => "nothing behind".to_owned(),
        rows => format!(
            "{} behind, by {seconds_behind:.1} s at most",
            counted(*rows, "row")
        ),
    };
    format!("following {}: {sealed} sealed, {behind}", Foreign(table))
}

fn phase_text(kind: &str, table: &str, phase: &str) -> String {
    format!("{kind} {}: phase {phase}", Foreign(table))
}

fn search_text(place: &str, number: usize, of: usize) -> String {
    format!("searching {} ({number} of {of} relations)", Foreign(place))
}

/// What a pass at the end of a run found.
fn sweep_text(found: u64) -> String {
    format!("{} changed meanwhile, retried now", counted(found, "row"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_with_its_time_once_it_has_one() {
        let why = "paused by me\n since noon";
        let seconds = |seconds| waiting_text(why, Duration::from_secs(seconds));
        assert_eq!(seconds(0), "waiting: paused by me\\n since noon");
        assert_eq!(seconds(12), "waiting 12 s: paused by me\\n since noon");
        assert_eq!(
            going_on_text(Duration::from_millis(75_900)),
            "continues after 75 s"
        );
    }

    #[test]
    fn the_numbers_come_first_as_far_as_they_are_known() {
        let (mut counts, now) = (Counts::default(), Instant::now());
        counts.begin("verify", "t", 1000, now);
        assert_eq!(numbers_text(&counts, now), "0 rows/s");
        counts.resume(0, 0.0, now);
        assert_eq!(numbers_text(&counts, now), "0 %, 0 rows/s");
        let later = now + Duration::from_secs(10);
        counts.add(400, 400, Some(0.4), later);
        assert_eq!(numbers_text(&counts, later), "40 %, 40 rows/s, 15 s left");
    }

    #[test]
    fn the_share_of_time_is_told_where_it_is_not_all() {
        for (duty, text) in [
            (None, None),
            (Some(1.0), None),
            (Some(0.996), None),
            (Some(0.99), Some("polite, works 99 % of the time")),
            (Some(0.03), Some("polite, works 3 % of the time")),
            (Some(0.004), Some("polite, works less than 1 % of the time")),
            (Some(0.0), Some("polite, works less than 1 % of the time")),
        ] {
            assert_eq!(duty_text(duty).as_deref(), text, "{duty:?}");
        }
    }
}
