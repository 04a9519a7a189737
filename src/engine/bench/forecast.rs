//! Computes from a few measured batches how long the whole table takes.
//! Owns the arithmetic, in seconds. Takes facts and returns figures; reads nothing.
//!
//! A lane reads, seals and writes at the same time, so it is as fast as the slowest of the three;
//! one after the other they would take their sum. These two, and the spread of the batches, make
//! the range.

use super::{Batch, Measured, READ_TRIPS, WRITE_TRIPS};
use crate::engine::RunSettings;
use crate::engine::preflight::Dialect;
use crate::store::TrialTable;

/// The speed-up by more lanes: at least (two cores, database and program on one machine), likely,
/// and per lane if the server has a core for each.
const SPEED_UP_LEAST: f64 = 1.4;
const SPEED_UP_LIKELY: f64 = 1.6;
const SPEED_UP_PER_LANE: f64 = 0.8;
/// Factors, likely and worst, by which writing into the table takes longer than into the temporary
/// copy. The copy writes no log, has no guard, and its indexes fit into memory. Measured on a table
/// of 250 bytes a row with four indexes (two cores, PostgreSQL 15).
const COPY: (f64, f64) = (1.8, 3.0);
/// The same factors for a batch rolled back in the table: a run also commits, updates its lane, and
/// looks for rows that are left.
const TABLE: (f64, f64) = (1.2, 1.5);
/// Both pairs for SQLite, whose COMMIT writes and syncs pages and later moves them into the file.
const SQLITE_COPY: (f64, f64) = (5.0, 12.0);
const SQLITE_TABLE: (f64, f64) = (2.0, 4.0);
/// The least and most rows of a batch of a run: the limits of its window size.
const ROWS_MIN: f64 = 50.0;
const ROWS_MAX: f64 = 20_000.0;

/// What limits the speed of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bottleneck {
    /// Reading.
    Read,
    /// Sealing.
    Seal,
    /// Writing.
    Write,
    /// Waiting for round trips to the server.
    Network,
}

impl Bottleneck {
    /// The word that is printed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Seal => "seal",
            Self::Write => "write",
            Self::Network => "network",
        }
    }
}

/// Seconds of each kind of work for the whole table with one lane.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StageSeconds {
    /// Reading.
    pub read: f64,
    /// Sealing.
    pub seal: f64,
    /// Writing.
    pub write: f64,
    /// Round trips.
    pub network: f64,
}

/// A range of seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SecondsRange {
    /// At least.
    pub low: f64,
    /// Likely.
    pub likely: f64,
    /// At most.
    pub high: f64,
}

/// What sealing the table will take.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Forecast {
    /// Rows of the table.
    pub rows: f64,
    /// Rows that have a value to seal.
    pub rows_to_seal: f64,
    /// Values to seal.
    pub values: f64,
    /// Bytes of these rows' values.
    pub value_bytes: f64,
    /// The time of each kind of work.
    pub stages: StageSeconds,
    /// The duration with one lane.
    pub one_lane: SecondsRange,
    /// The duration with the configured number of lanes.
    pub lanes: SecondsRange,
}

impl StageSeconds {
    /// The kind of work that takes longest; `None` if none takes any time.
    pub fn bound(&self) -> Option<Bottleneck> {
        let kinds = [
            (self.write, Bottleneck::Write),
            (self.read, Bottleneck::Read),
            (self.seal, Bottleneck::Seal),
            (self.network, Bottleneck::Network),
        ];
        let longest = kinds
            .into_iter()
            .reduce(|a, b| if b.0 > a.0 { b } else { a });
        longest
            .filter(|(seconds, _)| *seconds > 0.0)
            .map(|(_, bound)| bound)
    }

    fn overlapped(&self) -> f64 {
        // Reading and writing wait for round trips independently of each other.
        let trips = f64::from(READ_TRIPS + WRITE_TRIPS);
        let read = self.read + self.network * f64::from(READ_TRIPS) / trips;
        let write = self.write + self.network * f64::from(WRITE_TRIPS) / trips;
        read.max(self.seal).max(write)
    }

    fn sum(&self) -> f64 {
        self.read + self.seal + self.write + self.network
    }

    fn times(self, rows: f64) -> Self {
        Self {
            read: self.read * rows,
            seal: self.seal * rows,
            write: self.write * rows,
            network: self.network * rows,
        }
    }

    fn writing(self, factor: f64) -> Self {
        Self {
            write: self.write * factor,
            ..self
        }
    }

    /// Adds the seconds of another table.
    pub fn add(&mut self, other: &Self) {
        self.read += other.read;
        self.seal += other.seal;
        self.write += other.write;
        self.network += other.network;
    }
}

impl SecondsRange {
    /// Adds the seconds of another table, which is processed afterwards.
    pub fn add(&mut self, other: &Self) {
        self.low += other.low;
        self.likely += other.likely;
        self.high += other.high;
    }

    fn faster(self, low: f64, likely: f64, high: f64) -> Self {
        Self {
            low: self.low / low,
            likely: self.likely / likely,
            high: self.high / high,
        }
    }
}

impl Forecast {
    /// The forecast for a table of about `rows` rows.
    pub fn of(
        measured: &Measured,
        rows: u64,
        (place, dialect): (TrialTable, Dialect),
        settings: &RunSettings,
    ) -> Self {
        // The statistics may be older than the rows.
        let rows = rows.max(measured.looked) as f64;
        let batches = &measured.batches;
        let sum = |of: fn(&Batch) -> u64| batches.iter().map(of).sum::<u64>() as f64;
        let looked = measured.looked as f64;
        if batches.is_empty() || looked <= 0.0 {
            return Self {
                rows,
                ..Self::default()
            };
        }
        let share = |of: fn(&Batch) -> u64| sum(of) / looked * rows;
        let (likely_factor, worst_factor) = match (place, dialect) {
            (TrialTable::Copy, Dialect::Postgres) => COPY,
            (TrialTable::Table, Dialect::Postgres) => TABLE,
            (TrialTable::Copy, Dialect::Sqlite) => SQLITE_COPY,
            (TrialTable::Table, Dialect::Sqlite) => SQLITE_TABLE,
        };
        let network = network_per_row(measured, settings);
        let each: Vec<StageSeconds> = batches
            .iter()
            .map(|batch| per_row(batch, network))
            .collect();
        let least = each
            .iter()
            .map(StageSeconds::overlapped)
            .fold(f64::INFINITY, f64::min);
        let most = each
            .iter()
            .map(|stages| stages.writing(worst_factor).sum())
            .fold(0.0, f64::max);
        let stages = StageSeconds {
            read: median(&each, |stages| stages.read),
            seal: median(&each, |stages| stages.seal),
            write: median(&each, |stages| stages.write) * likely_factor,
            network,
        };
        // Batches without rows to seal were read too, but are not among `batches`.
        let worked = rows * sum(|batch| batch.looked) / looked;
        let likely = stages.overlapped();
        let one_lane = SecondsRange {
            low: least.min(likely) * worked,
            likely: likely * worked,
            high: most.max(likely) * worked,
        };
        let lanes = match settings.workers {
            0 | 1 => one_lane,
            lanes => {
                let most = 1.0 + SPEED_UP_PER_LANE * f64::from(lanes - 1);
                one_lane.faster(most, SPEED_UP_LIKELY, SPEED_UP_LEAST)
            }
        };
        Self {
            rows,
            rows_to_seal: share(|batch| batch.rows),
            values: share(|batch| batch.values),
            value_bytes: share(|batch| batch.bytes),
            stages: stages.times(worked),
            one_lane,
            lanes,
        }
    }
}

fn per_row(batch: &Batch, network: f64) -> StageSeconds {
    let looked = batch.looked.max(1) as f64;
    StageSeconds {
        read: batch.read / looked,
        seal: batch.seal / looked,
        write: batch.write / looked,
        network,
    }
}

/// Seconds of round trips for each row. A run makes its batches as large as its target time allows,
/// so a round trip is shared by many rows.
fn network_per_row(measured: &Measured, settings: &RunSettings) -> f64 {
    let batches = &measured.batches;
    let slowest = median(batches, |batch| {
        let stages = per_row(batch, 0.0);
        stages.read.max(stages.seal).max(stages.write)
    });
    let by_time = settings.batch_target.as_secs_f64() / slowest.max(1e-9);
    let bytes = median(batches, |batch| {
        batch.bytes as f64 / batch.looked.max(1) as f64
    });
    let by_bytes = settings.batch_bytes_max as f64 / bytes.max(1.0);
    let rows = by_time.min(by_bytes).clamp(ROWS_MIN, ROWS_MAX);
    measured.round_trip.as_secs_f64() * f64::from(READ_TRIPS + WRITE_TRIPS) / rows
}

fn median<T>(of: &[T], value: impl Fn(&T) -> f64) -> f64 {
    let mut values: Vec<f64> = of.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const IN_TABLE: (TrialTable, Dialect) = (TrialTable::Table, Dialect::Postgres);
    const COPIED: (TrialTable, Dialect) = (TrialTable::Copy, Dialect::Postgres);

    fn settings(workers: u32) -> RunSettings {
        RunSettings {
            workers,
            batch_target: Duration::from_millis(250),
            batch_bytes_max: 4 << 20,
            value_bytes_max: 16 << 20,
            lease_seconds: 15,
            patience: Duration::from_secs(1),
            pace: crate::plan::pace::PaceSettings::default(),
            converge_within: Duration::from_secs(1),
        }
    }

    fn batch(write: f64) -> Batch {
        Batch {
            looked: 1000,
            rows: 500,
            values: 1000,
            bytes: 10_000,
            read: 0.01,
            seal: 0.005,
            write,
        }
    }

    fn measured(writes: &[f64], round_trip: Duration) -> Measured {
        Measured {
            batches: writes.iter().map(|write| batch(*write)).collect(),
            round_trip,
            looked: 1000 * writes.len() as u64,
            ..Measured::default()
        }
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * b.abs().max(1.0)
    }

    #[test]
    fn the_slowest_kind_of_work_bounds_and_the_spread_makes_the_range() {
        let measured = measured(&[0.02, 0.03, 0.05], Duration::ZERO);
        let forecast = Forecast::of(&measured, 100_000, IN_TABLE, &settings(1));
        assert_eq!(forecast.stages.bound(), Some(Bottleneck::Write));
        assert!(close(forecast.one_lane.low, 2.0), "{forecast:?}");
        assert!(close(forecast.one_lane.likely, 3.6), "{forecast:?}");
        assert!(close(forecast.one_lane.high, 9.0), "{forecast:?}");
        assert_eq!(forecast.lanes, forecast.one_lane);
        assert!(close(forecast.rows_to_seal, 50_000.0));
        assert!(close(forecast.values, 100_000.0));
        assert!(close(forecast.value_bytes, 1_000_000.0));
    }

    #[test]
    fn a_copy_is_taken_for_quicker_than_the_table_and_lanes_shorten_all() {
        let measured = measured(&[0.02; 3], Duration::ZERO);
        let in_table = Forecast::of(&measured, 100_000, IN_TABLE, &settings(1));
        let copied = Forecast::of(&measured, 100_000, COPIED, &settings(3));
        assert!(close(copied.one_lane.low, in_table.one_lane.low));
        assert!(copied.one_lane.likely > in_table.one_lane.likely);
        assert!(copied.one_lane.high > in_table.one_lane.high);
        let (place, dialect) = (TrialTable::Copy, Dialect::Sqlite);
        let sqlite = Forecast::of(&measured, 100_000, (place, dialect), &settings(1));
        assert!(sqlite.one_lane.likely > copied.one_lane.likely);
        for (many, one) in [
            (copied.lanes.low, copied.one_lane.low),
            (copied.lanes.likely, copied.one_lane.likely),
            (copied.lanes.high, copied.one_lane.high),
        ] {
            assert!(many < one);
        }
        assert!(copied.lanes.low <= copied.lanes.likely);
        assert!(copied.lanes.likely <= copied.lanes.high);
    }

    #[test]
    fn a_far_server_bounds_by_the_network() {
        let measured = measured(&[0.02; 3], Duration::from_millis(200));
        let forecast = Forecast::of(&measured, 100_000, IN_TABLE, &settings(1));
        assert_eq!(forecast.stages.bound(), Some(Bottleneck::Network));
        assert!(forecast.one_lane.likely > 2.0);
    }

    #[test]
    fn windows_without_anything_to_seal_shorten_the_run() {
        let mut half = measured(&[0.02; 2], Duration::ZERO);
        half.looked *= 2;
        let forecast = Forecast::of(&half, 100_000, IN_TABLE, &settings(1));
        assert!(close(forecast.one_lane.likely, 1.2), "{forecast:?}");
        assert!(close(forecast.rows_to_seal, 25_000.0));
    }

    #[test]
    fn an_empty_table_takes_nothing_and_nothing_bounds_it() {
        let forecast = Forecast::of(&Measured::default(), 0, COPIED, &settings(4));
        assert_eq!(forecast, Forecast::default());
        assert_eq!(forecast.stages.bound(), None);
    }
}
