//! E0237: a blind index over a column of few distinct values. It shows which rows are equal and
//! how often, so that someone who knows how common each value is can tell which is which.
//! Refused, unless the plan says `force`, of boolean and enum columns, and where the statistics
//! know of fewer than 100 distinct values that each stand in two rows or more on average: a small
//! table of all different values tells nothing.

use super::{Findings, Preflight, Purpose};
use crate::store::catalog::ColumnFacts;

const DISTINCT_MIN: f64 = 100.0;
const ROWS_PER_VALUE: f64 = 2.0;

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    if p.purpose != Purpose::Backfill {
        return;
    }
    for (table, field) in p.fields() {
        let Some(index) = &field.plan.blind_index else {
            continue;
        };
        let Some(column) = field.column else { continue };
        // One that is there already shows what it shows.
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
                format!("a blind index would give its values away: {what}"),
                "leave the blind index out, or write force = true into it if the risk is understood",
            );
        }
    }
}

fn few(column: &ColumnFacts, rows: i64) -> Option<String> {
    if column.type_class == 'e' || column.base_type.starts_with("bool") {
        return Some(format!("type {} has few values", column.sql_type));
    }
    // Precision is of no concern: these are estimates.
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
