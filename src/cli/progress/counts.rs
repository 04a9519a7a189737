//! What bars, lines and JSON lines have in common: the counts of a table, and what the run waits for.
//! Owns rates, the time left, and when something is to be said again. Takes the time from its caller.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::engine::coverage;
use crate::foreign::Foreign;

/// The time between two lines of progress.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// The time between two lines of one wait, and of each table that is followed.
const MINUTE: Duration = Duration::from_secs(60);
/// A shorter wait is not worth telling that it is over.
const WAIT_MIN: Duration = Duration::from_secs(1);
/// Rates are of this time, so that they follow a change of the pace.
const RATE_OVER: Duration = Duration::from_secs(30);
/// The least time between two samples, and from which a rate says something.
const SAMPLE_EVERY: Duration = Duration::from_millis(500);
const RATE_FROM: Duration = Duration::from_secs(2);
/// What an operator asked for is always told.
const PAUSED: &str = "paused";

/// The counts of the table under way.
#[derive(Default)]
pub struct Counts {
    /// The rows that needed work, in this invocation.
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
    /// The share of the table that is done, if that is known.
    share: Option<f64>,
    /// The rows that an interrupted run had found.
    rows_before: u64,
    begun: Option<Instant>,
    said: Option<Instant>,
    samples: VecDeque<Sample>,
    wait: Option<Wait>,
    /// When each wait was last spoken of, by its text without numbers.
    waits_said: HashMap<String, Instant>,
    /// When each table that is followed was last spoken of.
    followed: HashMap<String, Instant>,
}

/// How far the run was at a moment.
struct Sample {
    at: Instant,
    rows: u64,
    share: Option<f64>,
}

/// What the run waits for.
struct Wait {
    why: String,
    since: Instant,
    /// Whether something was done since: then one worker waits, and not the run.
    is_over: bool,
    /// Whether it was spoken of.
    told: bool,
}

impl Counts {
    /// A table begins, of which an interrupted run had done a share and found so many rows.
    pub fn begin(&mut self, kind: &str, table: &str, total: u64, now: Instant) {
        *self = Self {
            kind: kind.to_owned(),
            table: table.to_owned(),
            total,
            begun: Some(now),
            said: Some(now),
            waits_said: std::mem::take(&mut self.waits_said),
            followed: std::mem::take(&mut self.followed),
            ..Self::default()
        };
    }

    /// An interrupted run had found so many rows, and done this share.
    pub fn resume(&mut self, rows_before: u64, share: f64, now: Instant) {
        self.rows_before = rows_before;
        self.share = Some(share);
        self.sample(now);
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

    /// Whether rows were found.
    pub fn has_rows(&self) -> bool {
        self.rows > 0
    }

    /// Something was done, and this share is done now.
    pub fn add(&mut self, rows: u64, values: u64, share: Option<f64>, now: Instant) {
        self.rows += rows;
        self.values += values;
        self.share = share.or(self.share);
        if let Some(wait) = &mut self.wait {
            wait.is_over = true;
        }
        let last = self.samples.back().map(|sample| sample.at);
        if last.is_none_or(|last| now - last >= SAMPLE_EVERY) {
            self.sample(now);
        }
    }

    fn sample(&mut self, now: Instant) {
        let is_old = |sample: &Sample| now - sample.at > RATE_OVER;
        while self.samples.len() > 1 && self.samples.front().is_some_and(is_old) {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample {
            at: now,
            rows: self.rows,
            share: self.share,
        });
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

    /// How much of the table is done, at most 99 as long as it is under way: its last pass is no part of
    /// the share. `None` if nothing is known.
    pub fn percent(&self) -> Option<u8> {
        let most = if self.is_under_way() { 99 } else { 100 };
        self.share.map(|share| coverage::percent(share).min(most))
    }

    /// The share that is done, 0 to 1, if it is known.
    pub fn share(&self) -> Option<f64> {
        self.share
    }

    /// All rows that need work, as far as can be told: those found so far, and as many as the rest of
    /// the table should have; at first, the rows of the table by its statistics.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    pub fn rows_expected(&self) -> u64 {
        const ENOUGH: f64 = 0.02;
        let found = self.rows_found();
        match self.share.filter(|share| *share >= ENOUGH) {
            Some(share) => (found as f64 / share).round() as u64,
            None => self.total.max(found),
        }
    }

    /// The rows that needed work so far, those of an interrupted run included.
    pub fn rows_found(&self) -> u64 {
        self.rows_before + self.rows
    }

    /// Rows in a second, lately: in the last half minute.
    pub fn rate(&self, now: Instant) -> f64 {
        match self.samples.front() {
            Some(first) if now - first.at >= RATE_FROM => {
                per_second(self.rows - first.rows, now - first.at)
            }
            _ => self.rates(now).0,
        }
    }

    /// Rows and values in a second since the table began.
    pub fn rates(&self, now: Instant) -> (f64, f64) {
        let took = now - self.begun.unwrap_or(now);
        (per_second(self.rows, took), per_second(self.values, took))
    }

    /// How long the table has been worked on.
    pub fn took(&self, now: Instant) -> Duration {
        now - self.begun.unwrap_or(now)
    }

    /// How long the rest takes at the pace of the last half minute; `None` as long as that cannot be
    /// told.
    pub fn left(&self, now: Instant) -> Option<Duration> {
        let (share, first) = (self.share?, self.samples.front()?);
        let (took, gained) = (now - first.at, share - first.share?);
        if took < RATE_FROM || gained <= 0.0 {
            return None;
        }
        Duration::try_from_secs_f64(took.as_secs_f64() * (1.0 - share) / gained).ok()
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
        is_due(&mut self.followed, table, now)
    }

    /// The run waits for this. Returns whether that is to be told: it did not wait, or for something
    /// else. What was told within the last minute is not told again, however often it begins and ends,
    /// and whatever the numbers in it are; but for a pause, which somebody asked for.
    pub fn wait(&mut self, why: &str, now: Instant) -> bool {
        let same = self.wait.as_mut();
        if let Some(wait) = same.filter(|wait| without_numbers(&wait.why) == without_numbers(why)) {
            why.clone_into(&mut wait.why);
            if wait.is_over {
                (wait.is_over, wait.since) = (false, now);
            }
            return false;
        }
        let is_due = is_due(&mut self.waits_said, &without_numbers(why), now);
        let told = is_due || why.starts_with(PAUSED);
        self.wait = Some(Wait {
            why: why.to_owned(),
            since: now,
            is_over: false,
            told,
        });
        told
    }

    /// What the run waits for now, and for how long.
    pub fn waits(&self, now: Instant) -> Option<(&str, Duration)> {
        let wait = self.wait.as_ref().filter(|wait| !wait.is_over)?;
        Some((&wait.why, now - wait.since))
    }

    /// The same, once a minute.
    pub fn still_waits(&mut self, now: Instant) -> Option<(String, Duration)> {
        let wait = self.wait.as_mut().filter(|wait| !wait.is_over)?;
        if !is_due(&mut self.waits_said, &without_numbers(&wait.why), now) {
            return None;
        }
        wait.told = true;
        Some((wait.why.clone(), now - wait.since))
    }

    /// The run goes on. Returns for how long it has waited, if that is worth telling.
    pub fn go_on(&mut self, now: Instant) -> Option<Duration> {
        let wait = self.wait.take().filter(|wait| !wait.is_over)?;
        let waited = now - wait.since;
        if waited >= WAIT_MIN {
            // The rate of before says when the run will be done, and not that of the wait.
            self.samples.clear();
            self.sample(now);
        }
        (wait.told && waited >= WAIT_MIN).then_some(waited)
    }
}

/// Whether a minute has passed since something was spoken of; notes that it is now.
fn is_due(said: &mut HashMap<String, Instant>, what: &str, now: Instant) -> bool {
    let is_due = said.get(what).is_none_or(|said| now - *said >= MINUTE);
    if is_due {
        said.insert(what.to_owned(), now);
    }
    is_due
}

fn without_numbers(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_digit()).collect()
}

#[allow(clippy::cast_precision_loss, reason = "rates are rounded")]
fn per_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64().max(0.001)
}

#[cfg(test)]
mod tests;
