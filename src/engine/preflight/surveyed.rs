//! E0264 and E0265: what a survey of the rows found before a run. Both count rows that will go to
//! quarantine, so that the operator knows how many there are before that happens.

use super::Findings;
use crate::plan::TablePlan;
use crate::store::Survey;

/// Adds the findings of the survey.
pub fn surveyed(plan: &TablePlan, survey: &Survey, out: &mut Findings) {
    for (constraint, rows) in &survey.violating {
        out.warn(
            "E0264",
            plan,
            None,
            format!(
                "{} the constraint {constraint}, which was added NOT VALID: the server refuses every update of such a row and \
                 writes the whole row into its log, so phiseal does not send it and lists it in quarantine",
                counted(*rows, "row breaks", "rows break")
            ),
            "correct these rows and VALIDATE the constraint, or drop it",
        );
    }
    for (column, rows) in &survey.formless {
        out.warn(
            "E0265",
            plan,
            Some(column),
            format!(
                "{} a key that the format does not allow (a date before the year 1 or after 9999, infinity, NaN): they \
                 cannot be sealed, and are listed in quarantine",
                counted(*rows, "row has", "rows have")
            ),
            "give these rows another key; or give the table another unique key before its first column is sealed",
        );
    }
}

fn counted(rows: u64, one: &str, many: &str) -> String {
    format!("{rows} {}", if rows == 1 { one } else { many })
}
