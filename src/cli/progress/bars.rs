//! A bar for each table on a terminal: how much is done, the rate, the time left, and what the run waits
//! for, in one line of at most the width of the terminal.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use super::counts::Counts;
use super::{
    Ticking, duty_text, failed_text, figures, following_text, phase_text, search_text, sweep_text,
    waiting_text,
};
use crate::cli::columns::{self, Cut};
use crate::cli::output::Output;
use crate::cli::screen;
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
                share,
                ..
            } => {
                counts.begin(kind, &table, rows_estimate, now);
                counts.resume(rows_before, share, now);
                // Without a style of ours its first drawing would have that of the library.
                let of_table = ProgressBar::new(100).with_style(style(UNKNOWN));
                let of_table = bar.insert(of_table);
                show(counts, of_table, now);
                screen::draws(Some(of_table));
            }
            Event::Batch {
                rows,
                values,
                share,
            } => {
                counts.add(rows, values, share, now);
                if let Some(bar) = bar {
                    show(counts, bar, now);
                }
            }
            Event::Phase { kind, table, phase } => {
                self.output.say(&phase_text(kind, &table, phase));
                counts.enter(kind, &table);
            }
            Event::Waiting { why } => {
                counts.wait(&why, now);
                show_wait(counts, bar.as_ref(), now);
            }
            Event::Searching { place, number, of } => {
                spinner(bar).set_message(search_text(&place, number, of));
            }
            Event::GoingOn => {
                counts.go_on(now);
                if let Some(bar) = bar.as_ref().filter(|_| counts.is_under_way()) {
                    show(counts, bar, now);
                }
            }
            Event::Paced { duty } => counts.duty = Some(duty),
            Event::Sweep { found, .. } => {
                counts.go_on(now);
                if let Some(bar) = bar.as_ref().filter(|_| found > 0) {
                    bar.set_message(sweep_text(found));
                }
            }
            Event::Following { .. } => {
                counts.go_on(now);
                spinner(bar).set_message(following_text(&event));
            }
            Event::TableFailed {
                table,
                code,
                message,
                hint,
            } => self.output.say(&failed_text(&table, code, &message, &hint)),
            Event::Notice { text } => self.output.say(&text),
            Event::TableEnded { .. } => end(counts, bar.take(), now),
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

/// The table ends; its line stays on the screen if there was something to do.
fn end(counts: &mut Counts, bar: Option<ProgressBar>, now: Instant) {
    let text = ended_text(counts, now);
    counts.end();
    let Some(bar) = bar else { return };
    if counts.has_rows() {
        show(counts, &bar, now);
        bar.set_message(text);
        bar.abandon();
    } else {
        bar.finish_and_clear();
    }
    screen::draws(None);
}

/// Shows what the run waits for, and for how long by now.
fn show_wait(counts: &Counts, bar: Option<&ProgressBar>, now: Instant) {
    if let (Some(bar), Some((why, waited))) = (bar, counts.waits(now)) {
        bar.set_style(style(WAITING));
        bar.set_message(format!("{}  {}", waiting_text(why, waited), name(counts)));
    }
}

/// Shows how far the run is.
fn show(counts: &Counts, bar: &ProgressBar, now: Instant) {
    let percent = counts.percent();
    bar.set_style(style(percent.map_or(UNKNOWN, |_| WORKING)));
    if let Some(percent) = percent {
        bar.set_position(percent.into());
    }
    let rate = format!("{:.0} rows/s", counts.rate(now));
    let left = counts.left(now);
    let left = left.map(|left| format!("{} left", figures::duration(left.as_secs())));
    let parts = [Some(rate), left, Some(name(counts)), duty_text(counts.duty)];
    bar.set_message(parts.into_iter().flatten().collect::<Vec<_>>().join("  "));
}

/// What a bar looks like while the run works. What is asked first comes first: a terminal of 80 columns
/// cuts the end off.
const WORKING: &str = "{percent:>3} % [{bar:12}] {wide_msg}";
/// The same while it waits: the reason takes the place of the bar.
const WAITING: &str = "{percent:>3} % {wide_msg}";
/// The same where nobody knows how much there is.
const UNKNOWN: &str = "{wide_msg}";
const SPINNER: &str = "{spinner} {wide_msg}";

/// The columns that the name of a table takes at most.
const NAME_MAX: usize = 40;

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

fn name(counts: &Counts) -> String {
    columns::cut(&counts.name(), NAME_MAX, Cut::Middle)
}

/// The bar, or a spinner where there is none.
fn spinner(bar: &mut Option<ProgressBar>) -> &ProgressBar {
    bar.get_or_insert_with(|| {
        let spinner = ProgressBar::new_spinner().with_style(style(SPINNER));
        screen::draws(Some(&spinner));
        spinner
    })
}

/// What stays on the screen of a table.
fn ended_text(counts: &Counts, now: Instant) -> String {
    let (rows, _) = counts.rates(now);
    let took = figures::duration(counts.took(now).as_secs());
    format!("{rows:.0} rows/s  in {took}  {}", name(counts))
}
