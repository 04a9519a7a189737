//! How `--dry-run` of restore and rotate shows what would be done to each table, and what is in the way.

use serde_json::{Value, json};

use crate::cli::figures::{bytes, duration};
use crate::cli::output::Output;
use crate::engine::ahead::TableAhead;
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::plural::counted;

/// A table as JSON.
pub fn object(table: &TableAhead) -> Value {
    let estimate = &table.estimate;
    json!({
        "table": table.table,
        "columns": table.columns,
        "rows": table.rows,
        "values": table.values,
        "rows_to_write_estimate": estimate.rows_left,
        "growth_bytes_estimate": estimate.growth_bytes,
        "wal_bytes_estimate": estimate.wal_bytes,
        "seconds_estimate": estimate.seconds,
    })
}

/// A table in two lines. `done` is what becomes of its values: `sealed again`.
pub fn lines(table: &TableAhead, done: &str) -> Vec<String> {
    let estimate = &table.estimate;
    let columns: Vec<String> = (table.columns.iter())
        .map(|column| Foreign(column).to_string())
        .collect();
    let values = match table.values {
        Some(values) => counted(values, "value"),
        None => format!("the values of ~{}", counted(table.rows, "row")),
    };
    let written = match estimate.rows_left {
        0 => "  nothing would be written".to_owned(),
        rows => format!(
            "  ~{} to write; takes ~{} (not measured), grows files by ~{}, writes ~{} of WAL",
            counted(rows, "row"),
            duration(estimate.seconds),
            bytes(estimate.growth_bytes),
            bytes(estimate.wal_bytes),
        ),
    };
    vec![
        format!(
            "{} ({}): {values} would be {done}",
            Foreign(&table.table),
            columns.join(", "),
        ),
        written,
    ]
}

/// Says what is in the way, and returns the exit code that the command itself would end with.
pub fn conclude(refused: Option<Fault>, output: Output) -> Exit {
    let Some(fault) = refused else {
        return Exit::Done;
    };
    let message = format!("would be refused[{}]: {}", fault.code, fault.message);
    let hint = format!("  hint: {}", fault.hint);
    let lines: Vec<&str> = message.lines().chain([hint.as_str()]).collect();
    output.insist(tracing::Level::ERROR, &lines);
    fault.exit
}
