//! E0237: a blind index over a column of few distinct values. The index shows which rows are equal
//! and how often, so a reader who knows how common each value is can tell which is which. Refuses,
//! unless the plan says `force`, boolean and enum columns, and columns for which the statistics
//! show fewer than 100 distinct values with two or more rows each on average. (A small table of all
//! different values reveals nothing.)

use super::{Findings, Preflight, RunPurpose};
use crate::store::catalog::ColumnFacts;

const DISTINCT_MIN: f64 = 100.0;
const ROWS_PER_VALUE: f64 = 2.0;

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    if p.purpose != RunPurpose::Backfill {
        return;
    }
    for (table, field) in p.fields() {
        let Some(index) = &field.plan.blind_index else {
            continue;
        };
        let Some(column) = field.column else { continue };
        // An index that exists already reveals what it reveals.
        let indexed = field
            .record
            .is_some_and(|record| record.blind_index_column.is_some());
        let Some(what) = few(column, table.rows) else {
            continue;
        };
        if !index.force && !indexed {
            out.refuse(
                "E0237",
                p.plan,
                Some(field.name()),
                format!("a blind index would reveal its values: {what}"),
                "leave the blind index out, or write force = true into it if the risk is understood",
            );
        }
    }
}

fn few(column: &ColumnFacts, rows: i64) -> Option<String> {
    if column.type_class == 'e' || column.base_type.starts_with("bool") {
        return Some(format!("type {} has few values", column.sql_type));
    }
    // Precision does not matter: these are estimates.
    let rows = rows as f64;
    let distinct = if column.distinct < 0.0 {
        -column.distinct * rows
    } else {
        column.distinct
    };
    let known = distinct > 0.0;
    (known && distinct < DISTINCT_MIN && rows >= distinct * ROWS_PER_VALUE)
        .then(|| format!("about {distinct:.0} distinct values in {rows:.0} rows"))
}
