//! The output of a benchmark, with figures rounded to their real precision.

use serde_json::{Value, json};

use super::{Benched, Report};
use crate::cli::columns::{Column, Cut, table};
use crate::cli::figures::{bytes, duration, rounded};
use crate::cli::screen;
use crate::engine::bench::Batch;
use crate::engine::bench::forecast::{SecondsRange, StageSeconds};
use crate::plural::counted;
use crate::store::TrialTable;

const STAGES: [Column; 9] = [
    Column::always("TABLE", Cut::Middle),
    Column::always("ROWS", Cut::Never),
    Column::with_room("VALUES", 4, Cut::Never),
    Column::with_room("BYTES", 3, Cut::Never),
    Column::with_room("READ ROWS/s", 2, Cut::Never),
    Column::with_room("ENCRYPT ROWS/s", 2, Cut::Never),
    Column::with_room("WRITE ROWS/s", 2, Cut::Never),
    Column::with_room("NETWORK", 1, Cut::Never),
    Column::always("LIMITED BY", Cut::Never),
];

const TAKES: [Column; 8] = [
    Column::always("TABLE", Cut::Middle),
    Column::always("LANES", Cut::Never),
    Column::with_room("ROWS/s", 1, Cut::Never),
    Column::always("LIKELY", Cut::Never),
    Column::always("AT LEAST", Cut::Never),
    Column::always("AT MOST", Cut::Never),
    Column::with_room("GROWTH", 2, Cut::Never),
    Column::with_room("WAL", 3, Cut::Never),
];

/// The figures of one table, or the sums over all tables.
#[derive(Default)]
struct Figures {
    rows: f64,
    rows_to_seal: f64,
    values: f64,
    value_bytes: f64,
    bytes: u64,
    growth_bytes: u64,
    wal_bytes: u64,
    stages: StageSeconds,
    one_lane: SecondsRange,
    lanes: SecondsRange,
    dead_rows: u64,
    left_growth_bytes: u64,
    left_wal_bytes: u64,
}

impl Figures {
    fn add(&mut self, table: &Benched) {
        let (forecast, estimate) = (&table.forecast, &table.estimate);
        self.rows += forecast.rows;
        self.rows_to_seal += forecast.rows_to_seal;
        self.values += forecast.values;
        self.value_bytes += forecast.value_bytes;
        self.bytes += estimate.bytes;
        self.growth_bytes += estimate.growth_bytes;
        self.wal_bytes += estimate.wal_bytes;
        self.stages.add(&forecast.stages);
        self.one_lane.add(&forecast.one_lane);
        self.lanes.add(&forecast.lanes);
        self.dead_rows += table.measured.written;
        self.left_growth_bytes += table.measured.grown_bytes;
        self.left_wal_bytes += table.measured.wal_bytes;
    }

    fn of<'a>(tables: impl IntoIterator<Item = &'a Benched>) -> Self {
        let mut figures = Self::default();
        tables.into_iter().for_each(|table| figures.add(table));
        figures
    }

    fn rate(&self, seconds: f64) -> Option<f64> {
        (seconds > 0.0).then(|| (self.rows_to_seal / seconds).round())
    }

    fn bound(&self) -> Option<&'static str> {
        self.stages.bound().map(|bound| bound.word())
    }

    fn value(&self, report: &Report) -> Value {
        let mut value = json!({
            "rows": whole(self.rows),
            "rows_to_seal": whole(self.rows_to_seal),
            "values": whole(self.values),
            "value_bytes": whole(self.value_bytes),
            "bytes": self.bytes,
            "read_rows_per_second": self.rate(self.stages.read),
            "seal_rows_per_second": self.rate(self.stages.seal),
            "write_rows_per_second": self.rate(self.stages.write),
            "network_seconds": rounded(self.stages.network),
            "one_lane": speed(self, &self.one_lane),
            "all_lanes": speed(self, &self.lanes),
            "growth_bytes_estimate": self.growth_bytes,
            "wal_bytes_estimate": self.wal_bytes,
            "bound_by": self.bound(),
        });
        if report.place == TrialTable::Table {
            value["left"] = if report.sqlite {
                json!({ "dead_rows": 0, "growth_bytes": 0, "wal_bytes": 0 })
            } else {
                json!({
                    "dead_rows": self.dead_rows,
                    "growth_bytes": self.left_growth_bytes,
                    "wal_bytes": self.left_wal_bytes,
                })
            };
        }
        value
    }

    /// What there is, the rows that one lane reads, encrypts and writes in a second, and the seconds that the
    /// network takes in all.
    fn stages(&self, name: &str) -> Vec<String> {
        vec![
            name.to_owned(),
            format!("~{}", whole(self.rows)),
            format!("~{}", whole(self.values)),
            format!("~{}", bytes(self.bytes)),
            self.shown_rate(self.stages.read),
            self.shown_rate(self.stages.seal),
            self.shown_rate(self.stages.write),
            format!("{:.1} s", self.stages.network),
            self.bound().unwrap_or_default().to_owned(),
        ]
    }

    /// How long the backfill takes with so many lanes, and what it adds to the database.
    fn takes(&self, name: &str, lanes: u32) -> Vec<String> {
        let range = if lanes == 1 {
            &self.one_lane
        } else {
            &self.lanes
        };
        let seconds = |seconds: f64| duration(seconds.ceil() as u64);
        vec![
            name.to_owned(),
            lanes.to_string(),
            self.shown_rate(range.likely),
            seconds(range.likely),
            seconds(range.low),
            seconds(range.high),
            format!("~{}", bytes(self.growth_bytes)),
            format!("~{}", bytes(self.wal_bytes)),
        ]
    }

    fn shown_rate(&self, seconds: f64) -> String {
        self.rate(seconds)
            .map(|rate| format!("{rate:.0}"))
            .unwrap_or_default()
    }
}

impl Benched {
    fn sampled(&self, of: fn(&Batch) -> u64) -> u64 {
        self.measured.batches.iter().map(of).sum()
    }

    fn value(&self, report: &Report) -> Value {
        let mut value = Figures::of([self]).value(report);
        value["name"] = json!(self.name);
        value["rows_exact"] = json!(report.sqlite);
        value["sample"] = json!({
            "batches": self.measured.batches.len(),
            "batches_refused": self.measured.refused,
            "rows": self.sampled(|batch| batch.rows),
            "values": self.sampled(|batch| batch.values),
            "bytes": self.sampled(|batch| batch.bytes),
        });
        value
    }
}

impl Report {
    pub(super) fn value(&self) -> Value {
        json!({
            "write_sample": self.place == TrialTable::Table,
            "keys": self.keys(),
            "lanes": self.lanes,
            "round_trip_ms": rounded(self.round_trip_ms()),
            "tables": self.tables.iter().map(|table| table.value(self)).collect::<Vec<_>>(),
            "total": Figures::of(&self.tables).value(self),
        })
    }

    pub(super) fn text(&self) -> String {
        let total = Figures::of(&self.tables);
        let many = self.tables.len() > 1;
        let figures: Vec<(String, Figures)> = self
            .tables
            .iter()
            .map(|table| (table.name.clone(), Figures::of([table])))
            .chain(many.then_some(("total".to_owned(), total)))
            .collect();
        let stages: Vec<Vec<String>> = figures
            .iter()
            .map(|(name, figures)| figures.stages(name))
            .collect();
        let lanes = [1]
            .into_iter()
            .chain((self.lanes > 1).then_some(self.lanes));
        let takes: Vec<Vec<String>> = figures
            .iter()
            .flat_map(|(name, figures)| lanes.clone().map(|lanes| figures.takes(name, lanes)))
            .collect();
        let width = screen::columns();
        let mut out = vec![
            self.about(),
            String::new(),
            table(&STAGES, &stages, width),
            String::new(),
            table(&TAKES, &takes, width),
        ];
        for benched in &self.tables {
            if benched.measured.batches.is_empty() {
                out.push(format!("{}: nothing to seal in the sample", benched.name));
            }
            if benched.measured.refused > 0 {
                out.push(format!(
                    "{}: batches left out: {}; the database refused them, or another session held their rows",
                    benched.name, benched.measured.refused
                ));
            }
        }
        out.push(String::new());
        out.push(self.afterwards());
        out.join("\n")
    }

    /// What was measured, and under which conditions.
    fn about(&self) -> String {
        let rows: u64 = self
            .tables
            .iter()
            .map(|table| table.sampled(|batch| batch.rows))
            .sum();
        let keys = match self.keys() {
            "active" => "under the active keys",
            "throw-away" => "under throw-away keys",
            _ => "under the active keys and throw-away ones",
        };
        let network = if self.sqlite {
            String::new()
        } else {
            format!(" Round trip to the server: {:.2} ms.", self.round_trip_ms())
        };
        format!(
            "Sampled {} with a value, encrypted them {keys}, and wrote them to {}.{network}",
            counted(rows, "row"),
            match self.place {
                TrialTable::Copy => "a temporary table (the real table will be slower)",
                TrialTable::Table => "the table itself, rolled back",
            }
        )
    }

    fn afterwards(&self) -> String {
        if self.place == TrialTable::Copy {
            return "Nothing was changed. --write-sample measures more exactly, in the table itself"
                .to_owned();
        }
        if self.sqlite {
            return "Everything was rolled back; nothing is left in the file".to_owned();
        }
        let total = Figures::of(&self.tables);
        format!(
            "Everything was rolled back. It leaves {} for VACUUM, {} of growth of tables and indexes, and at most {} of WAL (including that of others)",
            counted(total.dead_rows, "dead row version"),
            bytes(total.left_growth_bytes),
            bytes(total.left_wal_bytes),
        )
    }

    fn keys(&self) -> &'static str {
        let made: usize = self
            .tables
            .iter()
            .map(|table| table.measured.thrown_away)
            .sum();
        match (self.own_keys, made) {
            (true, 0) => "active",
            (true, _) => "active and throw-away",
            (false, _) => "throw-away",
        }
    }

    fn round_trip_ms(&self) -> f64 {
        let trips = self.tables.iter().map(|table| table.measured.round_trip);
        trips.max().unwrap_or_default().as_secs_f64() * 1000.0
    }
}

/// The warning shown before a sample is written into the tables.
pub(super) fn beforehand(sqlite: bool) -> &'static str {
    if sqlite {
        "--write-sample writes up to 8 batches of 2000 rows into each table and rolls them back; other writers wait \
         meanwhile, triggers fire, and nothing is left"
    } else {
        "--write-sample writes up to 8 batches of 2000 rows into each table and rolls them back; meanwhile it locks \
         these rows and triggers fire; it leaves dead row versions, WAL and some growth for VACUUM"
    }
}

fn speed(figures: &Figures, range: &SecondsRange) -> Value {
    json!({
        "rows_per_second": figures.rate(range.likely),
        "seconds_low": rounded(range.low),
        "seconds_likely": rounded(range.likely),
        "seconds_high": rounded(range.high),
    })
}

fn whole(number: f64) -> u64 {
    number.round() as u64
}
