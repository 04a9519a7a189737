//! Estimates a run that writes rows again whose columns are there already: a rotation, a restore.
//! Owns what such a run writes to a row; what that does to table, log and time is the same as for a backfill.

use super::width::Width;
use super::{Conditions, Estimate, POINTER_BYTES, whole};
use crate::store::catalog::TableFacts;

/// What a run writes to each row.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rewrite {
    /// Rows that are written.
    pub rows: u64,
    /// Bytes of the values that are written to a row.
    pub written: f64,
    /// Bytes by which a row becomes longer.
    pub grown: f64,
    /// Blind indexes that are built beside the old ones.
    pub indexes: usize,
}

/// Estimates the run, by the statistics of the table.
#[must_use]
pub fn rewrite(table: &TableFacts, run: Rewrite, on: Conditions<'_>) -> Estimate {
    let old = (table.row_bytes as f64 - POINTER_BYTES).max(0.0);
    let aligned = |bytes: f64| (bytes / 8.0).ceil() * 8.0;
    let width = Width {
        old: aligned(old),
        new: aligned(old + run.grown),
        // In the log of PostgreSQL is what is written; a file of SQLite grows by what is longer.
        added: match table.heap_bytes > 0 {
            true => run.written,
            false => run.grown,
        },
        ..Width::default()
    };
    whole(table, run.indexes, (run.rows as f64, width), on)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> TableFacts {
        TableFacts {
            rows: 300_000,
            bytes: 140 << 20,
            heap_bytes: 90 << 20,
            row_bytes: 280,
            ..TableFacts::default()
        }
    }

    #[test]
    fn a_rotation_grows_the_table_little_and_a_run_without_rows_not_at_all() {
        let run = Rewrite {
            rows: 300_000,
            written: 60.0,
            ..Rewrite::default()
        };
        let estimate = rewrite(&table(), run, Conditions::default());
        // Measured for the students of decision 31: 90 to 96 MB, with 69 MB of log.
        assert!(estimate.growth_bytes < 40 << 20, "{estimate:?}");
        assert!(
            (40 << 20..200 << 20).contains(&estimate.wal_bytes),
            "{estimate:?}"
        );
        assert!(estimate.seconds > 0);
        let none = rewrite(&table(), Rewrite::default(), Conditions::default());
        assert_eq!((none.growth_bytes, none.wal_bytes, none.seconds), (0, 0, 0));
    }
}
