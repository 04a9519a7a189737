//! What the migrator did, as JSON and as text.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::cli::columns;
use crate::foreign::Foreign;
use crate::schema::{
    Adopted, Difference, Drift, MigrationState, MigrationStatus, Planned, Version,
};

pub(super) fn said(versions: &[Version], what: &str, nothing: &str) -> String {
    if versions.is_empty() {
        return nothing.to_owned();
    }
    let numbers: Vec<String> = versions.iter().map(ToString::to_string).collect();
    format!("{what}: {}", numbers.join(", "))
}

pub(super) fn steps(planned: &[Planned]) -> Vec<Value> {
    planned
        .iter()
        .map(|p| json!({ "version": p.version, "name": p.name, "sql": p.sql }))
        .collect()
}

/// The SQL, file after file: it can be read, or given to a DBA.
pub(super) fn sql(planned: &[Planned], what: &str, nothing: &str) -> String {
    if planned.is_empty() {
        return nothing.to_owned();
    }
    let mut text = String::new();
    for p in planned {
        let name = if p.name.is_empty() { "" } else { " " };
        let _ = writeln!(
            text,
            "-- {what} {}{name}{}\n{}",
            p.version,
            Foreign(&p.name),
            p.sql.trim_end()
        );
    }
    text.truncate(text.trim_end().len());
    text
}

pub(super) fn object(status: &MigrationStatus) -> Value {
    json!({
        "version": status.version,
        "name": status.name,
        "state": word(status.state),
        "applied_at": status.applied_at,
    })
}

pub(super) fn table(all: &[MigrationStatus]) -> String {
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|status| {
            vec![
                status.version.to_string(),
                status.name.clone(),
                word(status.state).to_owned(),
                columns::or_nothing(status.applied_at.as_deref()),
            ]
        })
        .collect();
    columns::table(&["VERSION", "NAME", "STATE", "APPLIED AT"], &rows)
}

pub(super) fn drift(drift: &Drift) -> (Value, String) {
    let objects =
        |differences: &[Difference]| -> Vec<Value> { differences.iter().map(difference).collect() };
    let value = json!({
        "version": drift.version,
        "missing": objects(&drift.missing),
        "extra": objects(&drift.extra),
        "different": objects(&drift.different),
    });
    let Some(version) = drift.version else {
        return (
            value,
            "nothing is applied, so there is nothing to compare".to_owned(),
        );
    };
    if drift.is_none() {
        return (
            value,
            format!("no drift: the database is what the migrations up to {version} make"),
        );
    }
    let mut lines = Vec::new();
    lines.extend(drift.missing.iter().map(|d| line("missing", d)));
    lines.extend(drift.extra.iter().map(|d| line("extra", d)));
    for d in &drift.different {
        lines.push(line("different", d));
        for (what, definition) in [("expected", &d.expected), ("found", &d.found)] {
            let definition = definition.as_deref().unwrap_or_default();
            lines.push(format!("  {what}: {}", definition.replace('\n', "\n    ")));
        }
    }
    (value, lines.join("\n"))
}

pub(super) fn adoption(adopted: &Adopted, dry: bool) -> (Value, String) {
    let what = if dry { "would_adopt" } else { "adopted" };
    let value = json!({
        what: adopted.adopted,
        "rows_not_compared": adopted.rows_not_compared,
        "extra": adopted.extra.iter().map(difference).collect::<Vec<_>>(),
    });
    let mut lines = vec![said(
        &adopted.adopted,
        &what.replace('_', " "),
        "nothing to adopt: all of it is in the history",
    )];
    if !adopted.rows_not_compared.is_empty() {
        lines.push(said(&adopted.rows_not_compared, "rows not compared", ""));
    }
    lines.extend(adopted.extra.iter().map(|d| line("besides", d)));
    (value, lines.join("\n"))
}

fn line(what: &str, d: &Difference) -> String {
    format!("{what}: {} {}", d.kind, Foreign(&d.name))
}

fn difference(d: &Difference) -> Value {
    json!({ "kind": d.kind, "name": d.name, "expected": d.expected, "found": d.found })
}

const fn word(state: MigrationState) -> &'static str {
    match state {
        MigrationState::Applied => "applied",
        MigrationState::Pending => "pending",
        MigrationState::ChecksumDiffers => "checksum_differs",
        MigrationState::Unknown => "unknown",
        MigrationState::PartlyApplied => "partly_applied",
        MigrationState::PartlyUndone => "partly_undone",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_said_by_number_and_nothing_is_said_too() {
        assert_eq!(
            said(&[1, 2], "applied", "nothing to apply"),
            "applied: 1, 2"
        );
        assert_eq!(said(&[], "undone", "nothing to undo"), "nothing to undo");
    }

    #[test]
    fn a_pending_migration_has_no_time() {
        let pending = MigrationStatus {
            version: 3,
            name: "runs".to_owned(),
            applied_at: None,
            state: MigrationState::Pending,
        };
        assert_eq!(
            object(&pending),
            json!({"version": 3, "name": "runs", "state": "pending", "applied_at": null})
        );
        assert!(table(&[pending]).ends_with("3        runs  pending  -"));
    }
}
