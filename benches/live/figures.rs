//! What an application felt: transactions of a load, cut into slices with and without the engine;
//! percentiles, the worst second, ratios and marks. Owns the record that is saved. Nothing here
//! measures or waits.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::record::{Mark, median};

/// A second in which fewer transactions began than this says nothing of its slowest ones.
const WORTH_A_SECOND: usize = 10;

/// One transaction of the load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transaction {
    /// When it was to begin, in seconds since 1970.
    pub intended: f64,
    /// From then to its end, in milliseconds.
    pub latency_ms: f64,
}

impl Transaction {
    /// Reads a line of pgbench's log: client, number, latency in microseconds, script, end in
    /// seconds and microseconds. `None` for a transaction that failed or was left out.
    pub fn of_line(line: &str) -> Option<Self> {
        let mut fields = line.split_ascii_whitespace().skip(2);
        let latency_us: f64 = fields.next()?.parse().ok()?;
        let mut ended = fields.skip(1);
        let seconds: f64 = ended.next()?.parse().ok()?;
        let micros: f64 = ended.next()?.parse().ok()?;
        Some(Self {
            intended: seconds + (micros - latency_us) / 1e6,
            latency_ms: latency_us / 1e3,
        })
    }
}

/// A part of a run: the engine works in it, or rests.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Slice {
    /// Whether the engine worked.
    pub working: bool,
    /// When it began, in seconds since 1970.
    pub begin: f64,
    /// When it ended.
    pub end: f64,
    /// Whether there were rows for the engine to write all the time: no run ended in it or began.
    pub whole: bool,
    /// Rows that the engine wrote in it.
    pub rows: u64,
    /// p99 of the load in it, in milliseconds; 0 where nothing began.
    pub p99_ms: f64,
}

impl Slice {
    /// Its length in seconds.
    pub fn seconds(&self) -> f64 {
        self.end - self.begin
    }

    /// Rows a second that the engine wrote.
    pub fn rate(&self) -> f64 {
        self.rows as f64 / self.seconds()
    }

    /// Whether it is what it is called: the engine wrote nothing while it rested.
    pub fn is_sound(&self) -> bool {
        self.working || self.rows == 0
    }

    /// The transactions that were to begin in it, without so many seconds at either edge.
    pub fn holds<'a>(
        &self,
        all: &'a [Transaction],
        edge: f64,
    ) -> impl Iterator<Item = &'a Transaction> + use<'a> {
        let within = self.begin + edge..self.end - edge;
        all.iter().filter(move |one| within.contains(&one.intended))
    }
}

/// How long transactions took, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// How many there were.
    pub transactions: u64,
    /// Half took no longer.
    pub p50: f64,
    /// 95 of a hundred took no longer.
    pub p95: f64,
    /// 99 of a hundred took no longer.
    pub p99: f64,
    /// The highest p99 of any single second.
    pub worst_second: f64,
}

impl Latency {
    /// Of these slices together; an edge is in seconds.
    pub fn of<'a>(slices: impl Iterator<Item = &'a Slice>, all: &[Transaction], edge: f64) -> Self {
        let mut latencies = Vec::new();
        let mut worst_second: f64 = 0.0;
        for slice in slices {
            let mut seconds: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
            for one in slice.holds(all, edge) {
                let second = (one.intended - slice.begin - edge) as u64;
                seconds.entry(second).or_default().push(one.latency_ms);
                latencies.push(one.latency_ms);
            }
            for second in seconds.into_values() {
                if second.len() >= WORTH_A_SECOND {
                    worst_second = worst_second.max(percentile(second, 99));
                }
            }
        }
        let part = |hundredths| percentile(latencies.clone(), hundredths);
        Self {
            transactions: latencies.len() as u64,
            p50: part(50),
            p95: part(95),
            p99: part(99),
            worst_second,
        }
    }
}

/// The number that so many hundredths of all do not pass; 0 where there are none.
pub fn percentile(mut numbers: Vec<f64>, hundredths: usize) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let rank = (numbers.len() * hundredths).div_ceil(100);
    rank.checked_sub(1).map_or(0.0, |at| numbers[at])
}

/// One run of the load.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Run {
    /// Its name: what works and at which load, `polite_20`; `idle_20_1` where nothing works.
    pub name: String,
    /// What is said of it in the table.
    pub title: String,
    /// The load, in hundredths of what the machine can take.
    pub percent: u32,
    /// The load, in transactions a second.
    pub rate: f64,
    /// What it was cut into, in order.
    pub slices: Vec<Slice>,
    /// While the engine worked; of odd slices where nothing works.
    pub working: Latency,
    /// While it rested; of even slices where nothing works.
    pub resting: Latency,
    /// Commands of the engine that were begun: more than one where the table was done before the end.
    pub commands: u32,
    /// The longest that the engine took to stop or to go on when it was told, in seconds; 0 where it
    /// is told by signals.
    pub slowest_reaction: f64,
    /// Transactions that failed.
    pub failed: u64,
    /// Updates of the application that are not in the table at the end; negative where there are
    /// more than it made.
    pub updates_lost: i64,
}

impl Run {
    /// Puts transactions into slices, and computes what follows from them. Where nothing works,
    /// every second slice is taken for a working one: what they differ by is noise.
    pub fn fill(&mut self, all: &[Transaction], edge: f64) {
        for slice in &mut self.slices {
            let latencies = slice.holds(all, edge).map(|one| one.latency_ms).collect();
            slice.p99_ms = percentile(latencies, 99);
        }
        let idle = self.is_idle();
        let half = |odd: bool| {
            let slices = self.slices.iter().enumerate();
            slices
                .filter(move |(at, slice)| if idle { at % 2 == 1 } else { slice.working } == odd)
                .map(|(_, slice)| slice)
                .filter(|slice| slice.is_sound())
        };
        let (working, resting) = (
            Latency::of(half(true), all, edge),
            Latency::of(half(false), all, edge),
        );
        (self.working, self.resting) = (working, resting);
    }

    /// Whether no engine was there.
    pub fn is_idle(&self) -> bool {
        self.commands == 0
    }

    /// How many times as long p99 was while the engine worked; `None` without figures.
    pub fn ratio(&self) -> Option<f64> {
        (self.resting.p99 > 0.0 && self.working.transactions > 0)
            .then(|| self.working.p99 / self.resting.p99)
    }

    fn worked(&self) -> impl Iterator<Item = &Slice> {
        self.slices.iter().filter(|slice| slice.working)
    }

    /// Rows a second in all working slices together; `None` where there are none.
    pub fn rows_per_second(&self) -> Option<f64> {
        let seconds: f64 = self.worked().map(Slice::seconds).sum();
        let rows: u64 = self.worked().map(|slice| slice.rows).sum();
        (seconds > 0.0).then(|| rows as f64 / seconds)
    }

    /// Rows a second in the working slice with the fewest, of those with work all the time: at its
    /// end a run looks for rows that came late and waits for older transactions.
    pub fn least_progress(&self) -> Option<f64> {
        let whole = self.worked().filter(|slice| slice.whole);
        whole.map(Slice::rate).min_by(f64::total_cmp)
    }
}

/// Everything that was measured.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Live {
    /// Rows of the table.
    pub rows: u64,
    /// Seconds of a slice.
    pub slice_seconds: u64,
    /// Transactions a second that the machine can take.
    pub saturation: f64,
    /// How the engine was stopped between working slices.
    pub control: String,
    /// The machine, in a few words each.
    pub machine: BTreeMap<String, String>,
    /// Of the programs.
    pub versions: BTreeMap<String, String>,
    /// Of the server, as it reports them.
    pub settings: BTreeMap<String, String>,
    /// The load, with and without the engine.
    pub runs: Vec<Run>,
    /// Rows a second of whole backfills with nobody else there, one a round, by pace.
    pub alone: BTreeMap<String, Vec<f64>>,
}

impl Live {
    /// A run by its name.
    pub fn run(&self, name: &str) -> Option<&Run> {
        self.runs.iter().find(|run| run.name == name)
    }

    /// The runs at this load where nothing works: what their odd and even slices differ by is noise.
    pub fn idle(&self, percent: u32) -> impl Iterator<Item = &Run> {
        let runs = self.runs.iter();
        runs.filter(move |run| run.is_idle() && run.percent == percent)
    }

    /// The median of whole backfills alone, in rows a second.
    pub fn alone(&self, pace: &str) -> Option<f64> {
        median(self.alone.get(pace)?.clone())
    }

    /// The goals, and what was reached; only those for which there are figures.
    pub fn marks(&self) -> Vec<Mark> {
        let ratio = |name: &str| self.run(name).and_then(Run::ratio);
        let limits = [
            (
                "p99 beside a backfill at 20 % load, of p99 without",
                "polite_20",
                1.2,
            ),
            (
                "p99 beside a backfill at 40 % load, of p99 without",
                "polite_40",
                1.2,
            ),
            (
                "p99 beside a backfill at 60 % load, of p99 without",
                "polite_60",
                1.5,
            ),
        ];
        let limits = limits
            .into_iter()
            .filter_map(|(what, name, goal)| Some(Mark::at_most(what, ratio(name)?, goal, "×")));
        limits
            .chain(self.progress())
            .chain(self.reaction())
            .chain(self.lost())
            .chain(self.fast_alone())
            .chain(self.as_fast_as_before())
            .collect()
    }

    /// Progress never stops: at least a row in each second of the slowest slice.
    fn progress(&self) -> Option<Mark> {
        let polite = self
            .runs
            .iter()
            .filter(|run| run.name.starts_with("polite"));
        let least = polite
            .filter_map(Run::least_progress)
            .min_by(f64::total_cmp)?;
        let what = "progress never stops: rows/s of the slowest working slice";
        Some(Mark {
            unit: "",
            ..Mark::at_least(what, least, 1.0)
        })
    }

    /// `pause` and `resume` act within a second.
    fn reaction(&self) -> Option<Mark> {
        let all = self.runs.iter().map(|run| run.slowest_reaction);
        let slowest = all
            .filter(|seconds| *seconds > 0.0)
            .max_by(f64::total_cmp)?;
        let what = "the slowest `pause` or `resume`";
        Some(Mark::at_most(what, slowest, 1.0, " s"))
    }

    /// Full speed while nobody else is there.
    fn fast_alone(&self) -> Option<Mark> {
        let ratio = self.alone("polite")? / self.alone("fast")?;
        let what = "the default pace with nobody else there, of `pace = \"fast\"`";
        Some(Mark::at_least(what, ratio, 0.9))
    }

    fn lost(&self) -> Option<Mark> {
        let lost = self.runs.iter().map(|run| run.updates_lost.unsigned_abs());
        let what = "updates of the application that were lost";
        (!self.runs.is_empty()).then(|| Mark::at_most(what, lost.sum::<u64>() as f64, 0.0, ""))
    }

    /// At `pace = "fast"` as fast as the program before, but for what its own rounds differ by.
    fn as_fast_as_before(&self) -> Option<Mark> {
        let before = self.alone("before")?;
        let slowest = self.alone["before"]
            .iter()
            .copied()
            .min_by(f64::total_cmp)?;
        let what = "`pace = \"fast\"` with nobody else there, of the program before (its slowest round is the goal)";
        // A goal has two digits, as what is reached.
        let goal = (slowest / before * 100.0).floor() / 100.0;
        Some(Mark::at_least(what, self.alone("fast")? / before, goal))
    }
}
