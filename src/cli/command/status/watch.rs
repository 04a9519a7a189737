//! `phiseal status --watch`: the status again and again, until a signal. On a terminal each look is drawn
//! over the one before; elsewhere each is printed, as text or as one JSON object a line.
//! Owns what is said while the database cannot be reached.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::{Look, Seen};
use crate::cli::columns::{self, Cut};
use crate::cli::output::Output;
use crate::cli::{figures, screen, signal};
use crate::engine::clock::{Clock, RealClock};
use crate::engine::{Event, EventSink, Stop};
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;

/// A look that takes longer has no answer yet.
const LOOK_MAX: Duration = Duration::from_secs(10);

/// Shows how everything is until a signal comes.
///
/// # Errors
/// What the first look meets: a wrong plan stays wrong. Later failures are shown.
pub async fn run(look: &Look, interval: Duration, output: Output) -> Result<Exit, Fault> {
    let why = Arc::new(Why::default());
    let events: Arc<dyn EventSink> = why.clone();
    look.session.watch(&Stop::default(), &events);
    let mut screen = Screen {
        output,
        interval,
        last: None,
        lost_since: None,
    };
    screen.show(look.at_present().await?);
    let mut end = pin!(signal::interrupted());
    loop {
        tokio::select! {
            () = &mut end => return Ok(Exit::Done),
            () = tokio::time::sleep(interval) => {}
        }
        let begun = RealClock.now();
        let mut looking = pin!(look.at_present());
        let seen = loop {
            tokio::select! {
                () = &mut end => return Ok(Exit::Done),
                seen = &mut looking => break seen,
                () = tokio::time::sleep(interval) => {
                    if let Some(why) = why.last(RealClock.since(begun)) {
                        screen.miss(&why);
                    }
                }
            }
        };
        match seen {
            Ok(seen) => screen.show(seen),
            Err(fault) => screen.miss(&format!("[{}] {}", fault.code, fault.message)),
        }
    }
}

/// Why the store waits, as it says itself while it tries again.
#[derive(Default)]
struct Why(Mutex<Option<String>>);

impl Why {
    /// Why a look that has taken so long has no answer; `None` if that is not long.
    fn last(&self, took: Duration) -> Option<String> {
        let why = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let slow = (took > LOOK_MAX).then(|| "the database does not answer".to_owned());
        why.clone().or(slow)
    }
}

impl EventSink for Why {
    fn emit(&self, event: Event) {
        let mut why = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Waiting { why: new } => *why = Some(new),
            Event::GoingOn => *why = None,
            _ => {}
        }
    }
}

struct Screen {
    output: Output,
    interval: Duration,
    /// What the last look showed.
    last: Option<Seen>,
    /// Since when looks fail, by this process's clock and by that of the host.
    lost_since: Option<(Duration, String)>,
}

impl Screen {
    fn show(&mut self, seen: Seen) {
        self.lost_since = None;
        let head = format!("{} (UTC), every {}", now(), spoken(self.interval));
        self.put(&head, Some(&seen));
        self.last = Some(seen);
    }

    /// Shows that a look failed, above what the last one showed.
    fn miss(&mut self, why: &str) {
        let clock = RealClock.now();
        let (since, at) = self
            .lost_since
            .get_or_insert_with(|| (clock, now()))
            .clone();
        let lost = figures::duration(clock.saturating_sub(since).as_secs());
        let head = format!(
            "{} (UTC): no answer from the database since {at} ({lost}): {}",
            now(),
            Foreign(why)
        );
        if self.output.is_json() {
            let object = json!({ "time": now(), "error": why, "since": at });
            self.output.result(&object, "");
            return;
        }
        // A terminal keeps what was known last; into a pipe it would look like news.
        let last = self.last.take();
        self.put(&head, last.as_ref().filter(|_| screen::size().is_some()));
        self.last = last;
    }

    fn put(&self, head: &str, seen: Option<&Seen>) {
        match screen::size().filter(|_| !self.output.is_json()) {
            Some(size) => {
                let room = size.lines.saturating_sub(3);
                let text = seen.map(|seen| seen.text(Some(size.columns), Some(room)));
                let head = columns::cut(head, size.columns, Cut::End);
                screen::draw(&format!("{head}\n\n{}", text.unwrap_or_default()));
            }
            None => {
                let mut object = seen.map(Seen::object).unwrap_or_default();
                object["time"] = json!(now());
                let text = seen.map(|seen| format!("\n{}", seen.text(screen::columns(), None)));
                let text = format!("{head}{}\n", text.unwrap_or_default());
                self.output.result(&object, &text);
            }
        }
    }
}

fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `2 s`, `10 min`.
fn spoken(interval: Duration) -> String {
    figures::duration(interval.as_secs().max(1))
}
