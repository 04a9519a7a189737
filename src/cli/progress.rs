//! Progress: bars on a terminal, a line from time to time elsewhere.
//! Owns what is shown during a run. All of it goes to stderr.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use super::output::Output;
use crate::engine::{Event, EventSink};
use crate::foreign::Foreign;
use crate::plural::counted;

/// The time between two lines when stderr is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The same for each table that is followed.
const FOLLOWED_EVERY: Duration = Duration::from_secs(60);

/// The event sink that suits stderr: bars or lines.
pub fn sink(output: Output) -> Arc<dyn EventSink> {
    if output.draws() {
        Arc::new(Bars {
            output,
            state: Mutex::default(),
        })
    } else {
        Arc::new(Lines {
            output,
            state: Mutex::default(),
        })
    }
}

/// The counts that bars and lines share.
#[derive(Default)]
struct Counts {
    rows: u64,
    values: u64,
    total: u64,
    name: String,
    begun: Option<Instant>,
    said: Option<Instant>,
    waiting: Option<String>,
    /// When each table that is followed was last spoken of.
    followed: HashMap<String, Instant>,
}

impl Counts {
    #[allow(clippy::cast_precision_loss, reason = "rates are rounded")]
    fn rates(&self) -> (f64, f64) {
        let seconds = self
            .begun
            .map_or(0.0, |b| b.elapsed().as_secs_f64())
            .max(0.001);
        (self.rows as f64 / seconds, self.values as f64 / seconds)
    }

    /// Whether a table that is followed is to be spoken of again; notes that it is.
    fn is_due(&mut self, table: &str) -> bool {
        let said = self.followed.get(table);
        let is_due = said.is_none_or(|said| said.elapsed() >= FOLLOWED_EVERY);
        if is_due {
            self.followed.insert(table.to_owned(), Instant::now());
        }
        is_due
    }

    fn begin(&mut self, kind: &str, table: &str, total: u64) {
        *self = Self {
            name: format!("{kind} {}", Foreign(table)),
            total,
            begun: Some(Instant::now()),
            ..Self::default()
        };
    }
}

/// A bar for each table, with rates, the time left and what the run waits for.
struct Bars {
    output: Output,
    state: Mutex<(Counts, Option<ProgressBar>)>,
}

impl Bars {
    /// Says something in a line above the bar, if there is one.
    fn say_above(&self, bar: Option<&ProgressBar>, text: &str) {
        match bar {
            Some(bar) => bar.println(text),
            None => self.output.say(text),
        }
    }
}

impl EventSink for Bars {
    fn emit(&self, event: Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (counts, bar) = &mut *state;
        match event {
            Event::TableBegun {
                kind,
                table,
                rows_estimate,
                rows_before,
            } => {
                counts.begin(kind, &table, rows_estimate);
                *bar = Some(bar_of_table(&counts.name, rows_estimate, rows_before));
            }
            Event::Batch { rows, values } => {
                counts.rows += rows;
                counts.values += values;
                if let Some(bar) = bar {
                    bar.inc(rows);
                    if bar.length().is_some_and(|length| bar.position() > length) {
                        bar.set_length(bar.position());
                    }
                    if counts.waiting.is_none() {
                        bar.set_message(rate_text(counts, bar.eta()));
                    }
                }
            }
            Event::Phase { kind, table, phase } => {
                self.say_above(bar.as_ref(), &phase_text(kind, &table, phase));
                counts.name = format!("{kind} {}", Foreign(&table));
            }
            Event::Waiting { why } => {
                if let Some(bar) = bar {
                    bar.set_message(format!("waiting: {}", Foreign(&why)));
                }
                counts.waiting = Some(why);
            }
            Event::Searching { place, number, of } => {
                let bar = bar.get_or_insert_with(ProgressBar::new_spinner);
                bar.set_message(search_text(&place, number, of));
            }
            Event::GoingOn => counts.waiting = None,
            Event::Paced { .. } => {}
            Event::Sweep { pass, found } => {
                counts.waiting = None;
                if let Some(bar) = bar {
                    bar.set_message(format!("sweep, pass {pass}: {found} rows found"));
                }
            }
            Event::Following { .. } => {
                counts.waiting = None;
                let bar = bar.get_or_insert_with(ProgressBar::new_spinner);
                bar.set_message(following_text(&event));
            }
            Event::TableFailed {
                table,
                code,
                message,
                hint,
            } => self.say_above(bar.as_ref(), &failed_text(&table, code, &message, &hint)),
            Event::Notice { text } => self.output.say(&text),
            Event::TableEnded { .. } => {
                if let Some(bar) = bar.take() {
                    bar.set_message(rates_text(counts));
                    bar.abandon();
                }
            }
        }
    }
}

fn bar_of_table(name: &str, rows_estimate: u64, rows_before: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{prefix} [{bar:20}] {percent:>3} %  {pos}/~{len}  {wide_msg}",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar())
    .progress_chars("=> ");
    let bar = ProgressBar::new(rows_estimate.max(1)).with_style(style);
    bar.set_prefix(name.to_owned());
    bar.set_position(rows_before);
    bar
}

fn failed_text(table: &str, code: &str, message: &str, hint: &str) -> String {
    format!(
        "{} failed: error[{code}]: {message}; hint: {hint}; going on with the other tables",
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

fn rate_text(counts: &Counts, left: Duration) -> String {
    format!("{}, {:#} left", rates_text(counts), HumanDuration(left))
}

fn rates_text(counts: &Counts) -> String {
    let (rows, values) = counts.rates();
    format!("{rows:.0} rows/s, {values:.0} values/s")
}

/// A line from time to time.
struct Lines {
    output: Output,
    state: Mutex<Counts>,
}

impl EventSink for Lines {
    fn emit(&self, event: Event) {
        let mut counts = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::TableBegun {
                kind,
                table,
                rows_estimate,
                rows_before,
            } => {
                counts.begin(kind, &table, rows_estimate);
                counts.said = Some(Instant::now());
                self.output.say(&if rows_before > 0 {
                    format!("{kind} {table}: ~{rows_estimate} rows, resumed after {rows_before}")
                } else {
                    format!("{kind} {table}: ~{rows_estimate} rows")
                });
            }
            Event::Batch { rows, values } => {
                counts.rows += rows;
                counts.values += values;
                if counts.said.is_none_or(|said| said.elapsed() >= LINE_EVERY) {
                    counts.said = Some(Instant::now());
                    let (per_second, _) = counts.rates();
                    self.output.say(&format!(
                        "{}: {} of ~{} rows, {per_second:.0} rows/s",
                        counts.name, counts.rows, counts.total
                    ));
                }
            }
            Event::Phase { kind, table, phase } => {
                self.output.say(&phase_text(kind, &table, phase));
                counts.name = format!("{kind} {}", Foreign(&table));
            }
            Event::Waiting { why } => {
                if counts.waiting.as_ref() != Some(&why) {
                    let name = match counts.name.as_str() {
                        "" => String::new(),
                        name => format!("{name}: "),
                    };
                    self.output.say(&format!("{name}waiting: {why}"));
                }
                counts.waiting = Some(why);
            }
            Event::Searching { place, number, of } => {
                let due = counts.said.is_none_or(|said| said.elapsed() >= LINE_EVERY);
                if number == 1 || due {
                    counts.said = Some(Instant::now());
                    self.output.say(&search_text(&place, number, of));
                }
            }
            Event::GoingOn => counts.waiting = None,
            Event::Paced { .. } => {}
            Event::Sweep { pass, found } => {
                if found > 0 {
                    self.output.say(&format!(
                        "{}: sweep, pass {pass}: {found} rows found",
                        counts.name
                    ));
                }
            }
            Event::Following { ref table, .. } if counts.is_due(table) => {
                self.output.say(&following_text(&event));
            }
            Event::TableFailed {
                table,
                code,
                message,
                hint,
            } => self.output.say(&failed_text(&table, code, &message, &hint)),
            Event::Notice { text } => self.output.say(&text),
            Event::Following { .. } | Event::TableEnded { .. } => {}
        }
    }
}
