//! A bar for each table on a terminal: rates, the time left, and what the run waits for.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use super::counts::Counts;
use super::{
    Ticking, duty_text, failed_text, following_text, phase_text, search_text, waiting_text,
};
use crate::cli::output::Output;
use crate::engine::{Event, EventSink};

/// Draws bars.
pub struct Bars {
    output: Output,
    state: Mutex<(Counts, Option<ProgressBar>)>,
}

impl Bars {
    pub fn new(output: Output) -> Self {
        Self {
            output,
            state: Mutex::default(),
        }
    }

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
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (counts, bar) = &mut *state;
        match event {
            Event::TableBegun {
                kind,
                table,
                rows_estimate,
                rows_before,
                ..
            } => {
                counts.begin(kind, &table, rows_estimate, now);
                *bar = Some(bar_of_table(&counts.name(), rows_estimate, rows_before));
            }
            Event::Batch { rows, values } => {
                counts.add(rows, values);
                if let Some(bar) = bar {
                    bar.inc(rows);
                    bar.set_length(bar.position().max(bar.length().unwrap_or_default()));
                    bar.set_style(style(WORKING));
                    bar.set_message(rate_text(counts, bar.eta(), now));
                }
            }
            Event::Phase { kind, table, phase } => {
                self.say_above(bar.as_ref(), &phase_text(kind, &table, phase));
                counts.enter(kind, &table);
            }
            Event::Waiting { why } => {
                counts.wait(&why, now);
                show_wait(counts, bar.as_ref(), now);
            }
            Event::Searching { place, number, of } => {
                let bar = bar.get_or_insert_with(ProgressBar::new_spinner);
                bar.set_message(search_text(&place, number, of));
            }
            Event::GoingOn => {
                counts.go_on(now);
                if let Some(bar) = bar.as_ref().filter(|_| counts.is_under_way()) {
                    bar.set_message(rates_text(counts, now));
                }
            }
            Event::Paced { duty } => counts.duty = Some(duty),
            Event::Sweep { pass, found } => {
                counts.go_on(now);
                if let Some(bar) = bar {
                    bar.set_message(format!("sweep, pass {pass}: {found} rows found"));
                }
            }
            Event::Following { .. } => {
                counts.go_on(now);
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
                    bar.set_style(style(WORKING));
                    bar.set_message(rates_text(counts, now));
                    bar.abandon();
                }
                counts.end();
            }
        }
    }
}

impl Ticking for Bars {
    fn tick(&self, now: Instant) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (counts, bar) = &*state;
        show_wait(counts, bar.as_ref(), now);
    }
}

/// Shows what the run waits for, and for how long by now.
fn show_wait(counts: &Counts, bar: Option<&ProgressBar>, now: Instant) {
    if let (Some(bar), Some((why, waited))) = (bar, counts.waits(now)) {
        bar.set_style(style(WAITING));
        bar.set_message(waiting_text(why, waited));
    }
}

/// What a bar looks like while the run works. What matters most comes first: a terminal of 80 columns
/// cuts the end off.
const WORKING: &str = "{prefix} [{bar:12}] {percent:>3} %  {wide_msg}";
/// The same while it waits: the reason takes the place of the bar.
const WAITING: &str = "{prefix} {percent:>3} %  {wide_msg}";

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

fn bar_of_table(name: &str, rows_estimate: u64, rows_before: u64) -> ProgressBar {
    let bar = ProgressBar::new(rows_estimate.max(1)).with_style(style(WORKING));
    bar.set_prefix(name.to_owned());
    bar.set_position(rows_before);
    bar
}

fn rate_text(counts: &Counts, left: Duration, now: Instant) -> String {
    let (rows, _) = counts.rates(now);
    let text = format!("{rows:.0} rows/s, {:#} left", HumanDuration(left));
    match duty_text(counts.duty) {
        Some(duty) => format!("{text}, {duty}"),
        None => text,
    }
}

fn rates_text(counts: &Counts, now: Instant) -> String {
    let (rows, values) = counts.rates(now);
    format!("{rows:.0} rows/s, {values:.0} values/s")
}
