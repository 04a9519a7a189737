//! What a run left behind: how much the files grew, what the log took, which indexes doubled.
//! Owns the comparison of two moments. The server counts what everybody did meanwhile, not only the
//! run.

use super::Engine;
use crate::store::{Table, Usage};

/// An index counts as doubled from this factor on, and is worth a line from this size on.
const DOUBLED: f64 = 1.9;
const WORTH_BYTES: u64 = 1 << 20;

/// The difference of two moments of one table, or the sum over several tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closing {
    /// By how many bytes the table grew, with TOAST; in SQLite the whole file.
    pub table_growth: i64,
    /// By how many bytes its indexes grew, with those that the run made; `None` in SQLite.
    pub index_growth: Option<i64>,
    /// What only a server counts; `None` in SQLite.
    pub counted: Option<Counted>,
    /// The indexes that doubled, by their names for SQL.
    pub doubled: Vec<String>,
}

/// What a server counted between two moments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Bytes of write-ahead log, of the whole server.
    pub wal: u64,
    /// Updated rows of the table.
    pub updates: u64,
    /// Those of them that no index had to follow.
    pub hot_updates: u64,
    /// Dead row versions at the end.
    pub dead_rows: u64,
}

impl Engine {
    /// The table as it is now. `None` if the database does not say: that never ends a run.
    pub(super) async fn usage(&self, table: &Table) -> Option<Usage> {
        self.store.usage(table).await.ok()
    }

    /// What was done since then.
    pub(super) async fn closing(&self, table: &Table, before: Option<Usage>) -> Option<Closing> {
        let before = before?;
        let after = self.usage(table).await?;
        Some(Closing::between(&before, &after))
    }
}

impl Closing {
    /// What was done between two moments.
    pub fn between(before: &Usage, after: &Usage) -> Self {
        let sum = |usage: &Usage| usage.indexes.iter().map(|(_, bytes)| bytes).sum::<u64>();
        let counted = before
            .counters
            .zip(after.counters)
            .map(|(was, is)| Counted {
                wal: is.wal.saturating_sub(was.wal),
                updates: is.updates.saturating_sub(was.updates),
                hot_updates: is.hot_updates.saturating_sub(was.hot_updates),
                dead_rows: is.dead_rows,
            });
        let doubled = after.indexes.iter().filter(|(name, bytes)| {
            let known = before.indexes.iter().find(|(other, _)| other == name);
            known.is_some_and(|(_, was)| *bytes >= WORTH_BYTES && is_doubled(*was, *bytes))
        });
        Self {
            table_growth: difference(before.table_bytes, after.table_bytes),
            index_growth: counted.map(|_| difference(sum(before), sum(after))),
            counted,
            doubled: doubled.map(|(name, _)| name.clone()).collect(),
        }
    }

    /// Adds what was done to another table, or later.
    pub fn add(&mut self, other: Self) {
        self.table_growth += other.table_growth;
        self.index_growth = match (self.index_growth, other.index_growth) {
            (None, None) => None,
            (one, two) => Some(one.unwrap_or(0) + two.unwrap_or(0)),
        };
        self.counted = match (self.counted, other.counted) {
            (Some(one), Some(two)) => Some(Counted {
                wal: one.wal + two.wal,
                updates: one.updates + two.updates,
                hot_updates: one.hot_updates + two.hot_updates,
                dead_rows: one.dead_rows + two.dead_rows,
            }),
            (one, two) => one.or(two),
        };
        for name in other.doubled {
            if !self.doubled.contains(&name) {
                self.doubled.push(name);
            }
        }
    }

    /// The statements that bring doubled indexes back to their size.
    pub fn reindex(&self) -> Vec<String> {
        let statement = |name: &String| format!("REINDEX INDEX CONCURRENTLY {name};");
        self.doubled.iter().map(statement).collect()
    }
}

fn difference(was: u64, is: u64) -> i64 {
    i64::try_from(is).unwrap_or(i64::MAX) - i64::try_from(was).unwrap_or(i64::MAX)
}

#[allow(clippy::cast_precision_loss, reason = "sizes are compared roughly")]
fn is_doubled(was: u64, is: u64) -> bool {
    was > 0 && is as f64 >= was as f64 * DOUBLED
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Counters;

    const MIB: u64 = 1 << 20;

    fn usage(table: u64, indexes: &[(&str, u64)], updates: u64) -> Usage {
        Usage {
            table_bytes: table,
            indexes: (indexes.iter())
                .map(|(name, bytes)| ((*name).to_owned(), *bytes))
                .collect(),
            counters: Some(Counters {
                wal: 100 + updates,
                updates,
                hot_updates: updates / 2,
                dead_rows: 7,
            }),
        }
    }

    #[test]
    fn growth_is_a_difference_and_doubled_indexes_are_named() {
        let before = usage(
            10 * MIB,
            &[("s.\"a b\"", 2 * MIB), ("s.c", 2 * MIB), ("s.d", 8192)],
            10,
        );
        let after = usage(
            13 * MIB,
            &[
                ("s.\"a b\"", 4 * MIB),
                ("s.c", 3 * MIB),
                ("s.d", 16384),
                ("s.new", 9 * MIB),
            ],
            30,
        );
        let closing = Closing::between(&before, &after);
        assert_eq!(closing.table_growth, 3 * 1024 * 1024);
        assert_eq!(closing.reindex(), ["REINDEX INDEX CONCURRENTLY s.\"a b\";"]);
        let counted = closing.counted.unwrap();
        assert_eq!(
            (
                counted.wal,
                counted.updates,
                counted.hot_updates,
                counted.dead_rows
            ),
            (20, 20, 10, 7)
        );
    }

    #[test]
    fn a_file_that_shrank_has_a_negative_growth() {
        let file = |table_bytes| Usage {
            table_bytes,
            ..Usage::default()
        };
        let closing = Closing::between(&file(300), &file(100));
        assert_eq!((closing.table_growth, closing.index_growth), (-200, None));
        let mut sum = closing.clone();
        sum.add(closing);
        assert_eq!((sum.table_growth, sum.counted), (-400, None));
    }
}
