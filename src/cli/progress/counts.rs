//! What bars, lines and JSON lines have in common: the counts of a table, and what the run waits for.
//! Owns when something is to be said again. Takes the time from its caller.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::foreign::Foreign;

/// The time between two lines of progress.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// The time between two lines of one wait, and of each table that is followed.
const MINUTE: Duration = Duration::from_secs(60);
/// A shorter wait is not worth telling that it is over.
const WAIT_MIN: Duration = Duration::from_secs(1);

/// The counts of the table under way.
#[derive(Default)]
pub struct Counts {
    /// The rows that needed work.
    pub rows: u64,
    /// The values written or opened.
    pub values: u64,
    /// The rows of the table, by its statistics.
    pub total: u64,
    /// The kind of run; empty before the first table.
    pub kind: String,
    /// The table's label.
    pub table: String,
    /// The share of the time that the run works, if it has been measured.
    pub duty: Option<f64>,
    begun: Option<Instant>,
    said: Option<Instant>,
    wait: Option<Wait>,
    /// When each table that is followed was last spoken of.
    followed: HashMap<String, Instant>,
}

/// What the run waits for.
struct Wait {
    why: String,
    since: Instant,
    said: Instant,
    /// Whether something was done since: then one worker waits, and not the run.
    is_over: bool,
}

impl Counts {
    /// A table begins.
    pub fn begin(&mut self, kind: &str, table: &str, total: u64, now: Instant) {
        *self = Self {
            kind: kind.to_owned(),
            table: table.to_owned(),
            total,
            begun: Some(now),
            said: Some(now),
            ..Self::default()
        };
    }

    /// The table ends.
    pub fn end(&mut self) {
        self.begun = None;
        self.wait = None;
        self.duty = None;
    }

    /// Whether a table is under way.
    pub fn is_under_way(&self) -> bool {
        self.begun.is_some()
    }

    /// Something was done.
    pub fn add(&mut self, rows: u64, values: u64) {
        self.rows += rows;
        self.values += values;
        if let Some(wait) = &mut self.wait {
            wait.is_over = true;
        }
    }

    /// A phase begins: its kind of work, and its table.
    pub fn enter(&mut self, kind: &str, table: &str) {
        kind.clone_into(&mut self.kind);
        table.clone_into(&mut self.table);
    }

    /// `backfill public.patients`; empty before the first table.
    pub fn name(&self) -> String {
        match self.kind.as_str() {
            "" => String::new(),
            kind => format!("{kind} {}", Foreign(&self.table)),
        }
    }

    /// Rows and values in a second.
    #[allow(clippy::cast_precision_loss, reason = "rates are rounded")]
    pub fn rates(&self, now: Instant) -> (f64, f64) {
        let begun = self.begun.unwrap_or(now);
        let seconds = (now - begun).as_secs_f64().max(0.001);
        (self.rows as f64 / seconds, self.values as f64 / seconds)
    }

    /// Whether a line of progress is due; notes that it is said.
    pub fn is_line_due(&mut self, now: Instant) -> bool {
        let is_due = self.said.is_none_or(|said| now - said >= LINE_EVERY);
        if is_due {
            self.said = Some(now);
        }
        is_due
    }

    /// Whether a table that is followed is to be spoken of again; notes that it is.
    pub fn is_followed_due(&mut self, table: &str, now: Instant) -> bool {
        let said = self.followed.get(table);
        let is_due = said.is_none_or(|said| now - *said >= MINUTE);
        if is_due {
            self.followed.insert(table.to_owned(), now);
        }
        is_due
    }

    /// The run waits for this. Returns whether that is news: it did not wait, or for something else. The
    /// same with another number in it is no news.
    pub fn wait(&mut self, why: &str, now: Instant) -> bool {
        let known = self.wait.as_mut();
        if let Some(wait) = known.filter(|wait| is_same(&wait.why, why)) {
            why.clone_into(&mut wait.why);
            if wait.is_over {
                (wait.is_over, wait.since, wait.said) = (false, now, now);
            }
            return false;
        }
        self.wait = Some(Wait {
            why: why.to_owned(),
            since: now,
            said: now,
            is_over: false,
        });
        true
    }

    /// What the run waits for now, and for how long.
    pub fn waits(&self, now: Instant) -> Option<(&str, Duration)> {
        let wait = self.wait.as_ref().filter(|wait| !wait.is_over)?;
        Some((&wait.why, now - wait.since))
    }

    /// The same, once a minute.
    pub fn still_waits(&mut self, now: Instant) -> Option<(String, Duration)> {
        let wait = self.wait.as_mut().filter(|wait| !wait.is_over)?;
        if now - wait.said < MINUTE {
            return None;
        }
        wait.said = now;
        Some((wait.why.clone(), now - wait.since))
    }

    /// The run goes on. Returns for how long it has waited, if that is worth telling.
    pub fn go_on(&mut self, now: Instant) -> Option<Duration> {
        let wait = self.wait.take().filter(|wait| !wait.is_over)?;
        let waited = now - wait.since;
        (waited >= WAIT_MIN).then_some(waited)
    }
}

/// Whether two texts differ at most in their numbers.
fn is_same(one: &str, other: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        let parts = text.split(|c: char| c.is_ascii_digit());
        let parts = parts.filter(|part| !part.is_empty());
        parts.map(str::to_owned).collect()
    };
    words(one) == words(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(begun: Instant, seconds: u64) -> Instant {
        begun + Duration::from_secs(seconds)
    }

    #[test]
    fn a_wait_is_news_once_however_its_numbers_change() {
        let mut counts = Counts::default();
        let begun = Instant::now();
        assert!(counts.wait("standby b is 14 s behind", begun));
        assert!(!counts.wait("standby b is 9 s behind", after(begun, 5)));
        let waits = counts.waits(after(begun, 6));
        assert_eq!(
            waits,
            Some(("standby b is 9 s behind", Duration::from_secs(6)))
        );
        assert!(counts.wait("paused by me", after(begun, 7)));
        assert_eq!(counts.go_on(after(begun, 9)), Some(Duration::from_secs(2)));
        assert_eq!(counts.go_on(after(begun, 9)), None);
        assert!(counts.wait("paused by me", after(begun, 10)));
    }

    #[test]
    fn a_wait_is_told_again_once_a_minute() {
        let mut counts = Counts::default();
        let begun = Instant::now();
        counts.wait("paused", begun);
        let told: Vec<u64> = (1..=200)
            .filter(|seconds| counts.still_waits(after(begun, *seconds)).is_some())
            .collect();
        assert_eq!(told, [60, 120, 180]);
    }

    #[test]
    fn where_something_is_done_the_run_does_not_wait() {
        let mut counts = Counts::default();
        let begun = Instant::now();
        counts.wait("lane 3", begun);
        counts.add(1, 1);
        assert_eq!(counts.waits(after(begun, 70)), None);
        assert_eq!(counts.still_waits(after(begun, 70)), None);
        // The same worker says so again: that is no news, and its time begins anew.
        assert!(!counts.wait("lane 3", after(begun, 80)));
        let waits = counts.waits(after(begun, 81));
        assert_eq!(waits, Some(("lane 3", Duration::from_secs(1))));
    }

    #[test]
    fn the_end_of_a_short_wait_is_not_told() {
        let mut counts = Counts::default();
        let begun = Instant::now();
        counts.wait("the connection", begun);
        assert_eq!(counts.go_on(begun + Duration::from_millis(900)), None);
    }

    #[test]
    fn a_line_is_due_every_ten_seconds_from_the_beginning_of_a_table() {
        let mut counts = Counts::default();
        let begun = Instant::now();
        counts.begin("backfill", "t", 9, begun);
        let told: Vec<u64> = (0..=31)
            .filter(|seconds| counts.is_line_due(after(begun, *seconds)))
            .collect();
        assert_eq!(told, [10, 20, 30]);
    }
}
