//! The progress of a long run of migrations: a bar on a terminal, elsewhere a line now and then.
//! Owns what is said of the step that is under way.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use serde_json::json;

use crate::cli::figures;
use crate::cli::output::Output;
use crate::cli::screen;
use crate::foreign::Foreign;
use crate::schema::StepTold;

/// How often it is looked whether there is something to say, and the least time between two lines.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A step that takes longer is spoken of again.
const MINUTE: Duration = Duration::from_secs(60);

/// How far the migrations are.
pub(super) struct Progress {
    state: Mutex<State>,
    draws: bool,
}

#[derive(Default)]
struct State {
    /// The step that is under way, and since when.
    current: Option<(StepTold, Instant)>,
    done: usize,
    /// The step that was spoken of last, and when.
    said: Option<(usize, Instant)>,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Begins to show progress, as long as the returned value lives.
    pub(super) fn start(output: Output) -> Arc<Self> {
        let progress = Arc::new(Self {
            state: Mutex::default(),
            draws: output.draws() && !output.is_json(),
        });
        let watched = Arc::downgrade(&progress);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let Some(progress) = watched.upgrade() else {
                    return;
                };
                progress.say(output, Instant::now());
            }
        });
        progress
    }

    /// A step begins, or is done.
    pub(super) fn step(&self, step: StepTold) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if self.draws {
            let bar = state.bar.get_or_insert_with(|| {
                let bar = bar();
                screen::draws(Some(&bar));
                bar
            });
            bar.set_length(step.of as u64);
            bar.set_position((step.number - usize::from(!step.done)) as u64);
            bar.set_message(text(&step));
        }
        if step.done {
            state.done = step.number;
        }
        state.current = Some((step, Instant::now()));
    }

    /// How many migrations are done, of how many; `None` before the first step.
    pub(super) fn done(&self) -> Option<(usize, usize)> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (step, _) = state.current.as_ref()?;
        Some((state.done, step.of))
    }

    /// Says which step is under way, where no bar does.
    fn say(&self, output: Output, now: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(line) = state.line(now).filter(|_| !self.draws) else {
            return;
        };
        match (output.is_json(), &state.current) {
            (true, Some((step, _))) => {
                let members = [
                    ("event", json!("progress")),
                    ("kind", json!("migrate")),
                    ("step", json!(step.number)),
                    ("steps", json!(step.of)),
                    ("name", json!(step.name)),
                ];
                let members = members.map(|(name, value)| (name.to_owned(), value));
                output.progress(members.into_iter().collect(), &line);
            }
            _ => output.say(&line),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        screen::draws(None);
    }
}

impl State {
    /// What is to be said now of the step that is under way, if anything is: each step once, and one that
    /// takes long once a minute.
    fn line(&mut self, now: Instant) -> Option<String> {
        let (step, since) = self.current.as_ref().filter(|(step, _)| !step.done)?;
        let again = match self.said {
            Some((number, at)) if number == step.number => {
                if now - at < MINUTE {
                    return None;
                }
                true
            }
            _ => false,
        };
        self.said = Some((step.number, now));
        let took = figures::duration((now - *since).as_secs());
        Some(match again {
            true => format!("{}, for {took}", text(step)),
            false => text(step),
        })
    }
}

fn text(step: &StepTold) -> String {
    format!(
        "step {} of {}: {}",
        step.number,
        step.of,
        Foreign(&step.name)
    )
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{percent:>3} % [{bar:12}] {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ");
    ProgressBar::new(1)
        .with_style(style)
        .with_finish(ProgressFinish::AndClear)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_told_once_and_again_after_a_minute() {
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        let step = |number, done| StepTold {
            number,
            of: 53,
            name: "12 create_patients\n".to_owned(),
            done,
        };
        let mut state = State::default();
        assert_eq!(state.line(begun), None);
        state.current = Some((step(12, false), begun));
        let said = state.line(after(2));
        assert_eq!(
            said.as_deref(),
            Some(r"step 12 of 53: 12 create_patients\n")
        );
        assert_eq!(state.line(after(40)), None);
        let said = state.line(after(62));
        assert_eq!(
            said.as_deref(),
            Some(r"step 12 of 53: 12 create_patients\n, for 62 s")
        );
        state.current = Some((step(12, true), after(63)));
        assert_eq!(state.line(after(200)), None);
        state.current = Some((step(13, false), after(201)));
        assert!(state.line(after(202)).is_some());
    }
}
