//! The record of a run: what was measured, on what, with what settings; medians, ratios and marks.
//! Owns the JSON that two runs are compared by. Nothing here measures.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Everything about a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Record {
    /// Rows of the table.
    pub rows: u64,
    /// How often each contestant ran.
    pub rounds: u32,
    /// The machine, in a few words each.
    pub machine: BTreeMap<String, String>,
    /// Of the programs.
    pub versions: BTreeMap<String, String>,
    /// Of the server, as it reports them.
    pub settings: BTreeMap<String, String>,
    /// What was measured.
    pub samples: Vec<Sample>,
    /// Contestants that did not run, and why.
    pub skipped: BTreeMap<String, String>,
    /// Parts of the time of a run on one lane, in hundredths.
    pub shares: BTreeMap<String, f64>,
}

/// One contestant, once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sample {
    /// Its name.
    pub contestant: String,
    /// In which round.
    pub round: u32,
    /// Rows it worked on.
    pub rows: u64,
    /// How long it took.
    pub seconds: f64,
    /// Write-ahead log that the server wrote meanwhile.
    pub wal_bytes: Option<u64>,
    /// The most memory its process held.
    pub peak_bytes: Option<u64>,
    /// Processor time of its process.
    pub cpu_seconds: Option<f64>,
    /// Processor time of the server meanwhile.
    pub server_cpu_seconds: Option<f64>,
}

impl Sample {
    /// Rows a second.
    pub fn rate(&self) -> f64 {
        self.rows as f64 / self.seconds
    }
}

impl Record {
    /// The samples of a contestant.
    pub fn of<'a>(&'a self, contestant: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.samples
            .iter()
            .filter(move |sample| sample.contestant == contestant)
    }

    /// The median of a number over the samples of a contestant; `None` where there is none.
    pub fn median(&self, contestant: &str, number: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        median(self.of(contestant).filter_map(number).collect())
    }

    /// The median rate.
    pub fn rate(&self, contestant: &str) -> Option<f64> {
        self.median(contestant, |sample| Some(sample.rate()))
    }

    /// How many times as fast one contestant was as another: the median of the ratios of rounds.
    pub fn ratio(&self, contestant: &str, other: &str) -> Option<f64> {
        let ratios = self.of(contestant).filter_map(|sample| {
            let base = self.of(other).find(|base| base.round == sample.round)?;
            Some(sample.rate() / base.rate())
        });
        median(ratios.collect())
    }

    /// The contestants, in the order in which they were met first.
    pub fn contestants(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for sample in &self.samples {
            if !names.contains(&sample.contestant.as_str()) {
                names.push(&sample.contestant);
            }
        }
        names
    }

    /// What a contestant's rate is divided by.
    pub fn floor_of(contestant: &str) -> &'static str {
        if contestant.starts_with("sqlite") {
            "sqlite_floor"
        } else {
            "floor"
        }
    }

    /// The ratio of each contestant to its floor.
    pub fn ratios(&self) -> BTreeMap<String, f64> {
        self.contestants()
            .into_iter()
            .filter(|name| *name != Self::floor_of(name))
            .filter_map(|name| Some((name.to_owned(), self.ratio(name, Self::floor_of(name))?)))
            .collect()
    }

    /// The goals, and what was reached; only those for which there are figures.
    pub fn marks(&self) -> Vec<Mark> {
        let best = ["lanes_1", "lanes_2", "lanes_4"]
            .into_iter()
            .filter_map(|name| self.rate(name))
            .max_by(f64::total_cmp);
        let auto_of_best = || Some(self.rate("auto")? / best?);
        let at_least = [
            (
                "one lane, of the floor",
                self.ratio("lanes_1", "floor"),
                1.05,
            ),
            (
                "`auto` lanes, of the floor",
                self.ratio("auto", "floor"),
                1.6,
            ),
            (
                "`auto` lanes, of the 1,000-row script",
                self.ratio("auto", "batch_script"),
                12.0,
            ),
            (
                "four columns at once, in rows, of one column",
                self.ratio("columns_4", "auto"),
                0.8,
            ),
            ("verify, of backfill", self.ratio("verify", "auto"), 8.0),
            (
                "`auto` lanes, of the best number of lanes",
                auto_of_best(),
                0.9,
            ),
            (
                "SQLite, of a plain `UPDATE` there",
                self.ratio("sqlite", "sqlite_floor"),
                0.8,
            ),
        ];
        let least = at_least
            .into_iter()
            .filter_map(|(what, reached, goal)| Some(Mark::at_least(what, reached?, goal)));
        least.chain(self.limits()).collect()
    }

    /// Those that are not to be passed.
    fn limits(&self) -> Vec<Mark> {
        let peak = self
            .samples
            .iter()
            .filter(|sample| !sample.contestant.ends_with("script"))
            .filter_map(|sample| sample.peak_bytes)
            .max();
        let share = |name: &str| self.shares.get(name).copied();
        let at_most = [
            (
                "sealing, of the time of a run on one lane",
                share("sealing"),
                10.0,
                " %",
            ),
            (
                "checkpoint, fence, guard and schema check together",
                share("bookkeeping"),
                5.0,
                " %",
            ),
            (
                "peak memory of any process of phiseal",
                peak.map(|bytes| bytes as f64 / 1e6),
                200.0,
                " MB",
            ),
        ];
        at_most
            .into_iter()
            .filter_map(|(what, reached, goal, unit)| {
                Some(Mark::at_most(what, reached?, goal, unit))
            })
            .collect()
    }
}

/// A goal.
pub struct Mark {
    /// Of what.
    pub what: &'static str,
    /// The number to reach.
    pub goal: f64,
    /// The number reached.
    pub reached: f64,
    /// What the numbers are.
    pub unit: &'static str,
    /// Whether the goal is a limit that the number must not pass.
    pub limit: bool,
}

impl Mark {
    /// A ratio to be reached.
    pub fn at_least(what: &'static str, reached: f64, goal: f64) -> Self {
        Self {
            what,
            goal,
            reached,
            unit: "×",
            limit: false,
        }
    }

    /// A limit that is to be kept.
    pub fn at_most(what: &'static str, reached: f64, goal: f64, unit: &'static str) -> Self {
        Self {
            what,
            goal,
            reached,
            unit,
            limit: true,
        }
    }

    /// Whether it is.
    pub fn is_reached(&self) -> bool {
        if self.limit {
            self.reached <= self.goal
        } else {
            self.reached >= self.goal
        }
    }

    /// The goal with its direction.
    pub fn goal_text(&self) -> String {
        let sign = if self.limit { "≤" } else { "≥" };
        format!("{sign} {}{}", self.goal, self.unit)
    }
}

/// A line for each goal, reached or not.
pub fn marks_table(marks: &[Mark]) -> String {
    let mut out = "| mark | goal | measured | |\n| --- | --- | ---: | --- |\n".to_owned();
    for mark in marks {
        let verdict = if mark.is_reached() {
            "reached"
        } else {
            "not reached"
        };
        let goal = mark.goal_text();
        out.push_str(&format!(
            "| {} | {goal} | {:.2}{} | {verdict} |\n",
            mark.what, mark.reached, mark.unit
        ));
    }
    out
}

/// The middle one, or the mean of the two in the middle.
pub fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let half = numbers.len() / 2;
    match numbers.len() {
        0 => None,
        n if n % 2 == 1 => Some(numbers[half]),
        _ => Some(f64::midpoint(numbers[half - 1], numbers[half])),
    }
}
