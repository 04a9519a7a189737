//! The output of a benchmark, with figures rounded to their real precision.

use serde_json::{Value, json};

use super::{Benched, Report};
use crate::cli::columns::table;
use crate::cli::figures::{bytes, duration, rounded};
use crate::engine::bench::Batch;
use crate::engine::bench::forecast::{SecondsRange, StageSeconds};
use crate::plural::counted;
use crate::store::TrialTable;

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

    fn line(&self, name: &str, lanes: u32) -> Vec<String> {
        let rate = |seconds| match self.rate(seconds) {
            Some(rate) => format!("{rate:.0}"),
            None => String::new(),
        };
        let mut line = vec![
            name.to_owned(),
            format!("~{}", whole(self.rows)),
            format!("~{}", whole(self.values)),
            format!("~{}", bytes(self.bytes)),
            rate(self.stages.read),
            rate(self.stages.seal),
            rate(self.stages.write),
            self.bound().unwrap_or_default().to_owned(),
            format!("{:.1} s", self.stages.network),
            rate(self.one_lane.likely),
        ];
        line.extend((lanes > 1).then(|| rate(self.lanes.likely)));
        line
    }

    fn takes(&self, name: &str, lanes: u32) -> Vec<String> {
        let whole_seconds = |seconds: f64| duration(seconds.ceil() as u64);
        let span = |range: &SecondsRange| {
            format!(
                "{} - {}, likely {}",
                whole_seconds(range.low),
                whole_seconds(range.high),
                whole_seconds(range.likely)
            )
        };
        let mut line = vec![
            name.to_owned(),
            format!("~{}", bytes(self.growth_bytes)),
            format!("~{}", bytes(self.wal_bytes)),
            span(&self.one_lane),
        ];
        line.extend((lanes > 1).then(|| span(&self.lanes)));
        line
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
        let many_lanes = self.lanes > 1;
        let rates: Vec<Vec<String>> = figures
            .iter()
            .map(|(name, figures)| figures.line(name, self.lanes))
            .collect();
        let takes: Vec<Vec<String>> = figures
            .iter()
            .map(|(name, figures)| figures.takes(name, self.lanes))
            .collect();
        let (speed, time) = (
            format!("ROWS/s, {} LANES", self.lanes),
            format!("WITH {} LANES", self.lanes),
        );
        let mut head = vec![
            "TABLE",
            "ROWS",
            "VALUES",
            "BYTES",
            "READ ROWS/s",
            "ENCRYPT ROWS/s",
            "WRITE ROWS/s",
            "LIMITED BY",
            "NETWORK",
            "ROWS/s, 1 LANE",
        ];
        head.extend(many_lanes.then_some(speed.as_str()));
        let mut takes_head = vec!["TABLE", "GROWTH", "WAL", "WITH 1 LANE"];
        takes_head.extend(many_lanes.then_some(time.as_str()));
        let mut out = vec![
            self.about(),
            String::new(),
            table(&head, &rates),
            String::new(),
            table(&takes_head, &takes),
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
