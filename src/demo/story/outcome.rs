//! How a demo ended: what both of them report, and the exit code they deserve.

use std::time::Instant;

use indicatif::HumanCount;
use serde_json::{Value, json};

use crate::cli::columns;
use crate::cli::figures::{per_second, rounded};
use crate::cli::output::Output;
use crate::demo::program::{Answer, Killed};
use crate::error::Exit;

/// The numbers of a demo.
pub struct Outcome<'a> {
    /// Rows with values to seal.
    pub rows: u64,
    pub values: u64,
    /// Values that were found as they should be, told to the reader.
    pub verified: u64,
    /// The same by another way of counting: a value counts only if both say so.
    pub also_verified: u64,
    /// Values that were found to be wrong, besides those that `phiseal verify` reports.
    pub failed: u64,
    pub killed: &'a Killed,
    pub resumed: &'a Answer,
    pub verify: &'a Answer,
}

impl Outcome<'_> {
    /// Says the result: `of` and `first` are what only this demo has to say.
    pub fn tell(
        &self,
        output: Output,
        of: Value,
        first: &[(&'static str, String)],
        files: &str,
        begun: Instant,
    ) -> Exit {
        let by_program = self.verify.count("failed") + self.verify.count("unsealed");
        let verified_twice = self.verified.min(self.also_verified);
        let failed = by_program
            .max(self.failed)
            .max(self.values.saturating_sub(verified_twice));
        let resumed_at = self.rows.saturating_sub(self.resumed.count("rows_sealed"));
        // From the start of the first backfill to its death, and of the second to its end.
        let seconds = self.killed.seconds + self.resumed.seconds;
        let rows = i64::try_from(self.rows).unwrap_or(i64::MAX);
        let rows_per_second = per_second(rows, seconds);
        let mut value = json!({
            "values": self.values,
            "verified": self.verified,
            "failed": failed,
            "seconds": rounded(seconds),
            "rows_per_second": rows_per_second,
            "killed_at": self.killed.rows,
            "resumed_at": resumed_at,
        });
        if let (Value::Object(value), Value::Object(of)) = (&mut value, of) {
            value.extend(of);
        }
        let seamless = resumed_at == self.killed.rows;
        let how = if seamless {
            "nothing lost, nothing sealed twice"
        } else {
            "not where it was killed"
        };
        let human = |count: u64| HumanCount(count).to_string();
        let mut lines = first.to_vec();
        lines.extend([
            ("killed at", format!("{} rows", human(self.killed.rows))),
            ("resumed at", format!("{} rows: {how}", human(resumed_at))),
            (
                "verified",
                format!(
                    "{} of {}, {} failed",
                    human(self.verified),
                    human(self.values),
                    human(failed)
                ),
            ),
            (
                "sealing",
                format!(
                    "{seconds:.1} s, {} rows/s",
                    indicatif::HumanFloatCount(rows_per_second)
                ),
            ),
            ("in all", format!("{:.1} s", begun.elapsed().as_secs_f64())),
            ("files", files.to_owned()),
        ]);
        // Results may go elsewhere than the story.
        output.say("");
        output.result(&value, &columns::properties(&lines));
        if failed == 0 && seamless {
            Exit::Done
        } else {
            Exit::Unverified
        }
    }
}
