//! What the migrator did, as JSON and as text.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::cli::columns::{self, Column, Cut};
use crate::cli::screen;
use crate::foreign::Foreign;
use crate::schema::{Adopted, Difference, Drift, MigrationStatus, Planned, Version};

pub(super) fn said(versions: &[String], what: &str, nothing: &str) -> String {
    const LISTED: usize = 8;
    match versions {
        [] => nothing.to_owned(),
        [first, .., last] if versions.len() > LISTED => format!(
            "{what}: {} migrations, {} to {}",
            versions.len(),
            Foreign(first),
            Foreign(last)
        ),
        _ => format!("{what}: {}", Foreign(&versions.join(", "))),
    }
}

pub(super) fn steps(planned: &[Planned]) -> Vec<Value> {
    planned
        .iter()
        .map(|p| {
            let version = written(&p.label, p.version);
            json!({ "version": version, "name": p.name, "sql": p.sql })
        })
        .collect()
}

/// The SQL of all files in order, to read or to give to a DBA. Comments at the top say what would
/// be refused.
pub(super) fn sql(
    planned: &[Planned],
    losses: &[(Version, Vec<String>)],
    what: &str,
    nothing: &str,
) -> String {
    if planned.is_empty() {
        return format!("-- {nothing}");
    }
    let mut text = String::new();
    for p in planned {
        let lost = losses.iter().filter(|(version, _)| *version == p.version);
        for line in lost.flat_map(|(_, lines)| lines) {
            let _ = writeln!(
                text,
                "-- would be refused without --drop-data: {}",
                Foreign(line)
            );
        }
        let name = if p.name.is_empty() { "" } else { " " };
        let sql = p.sql.trim_end();
        let end = if sql.is_empty() || sql.ends_with(';') {
            ""
        } else {
            "\n;"
        };
        let _ = writeln!(
            text,
            "-- {what} {}{name}{}\n{sql}{end}",
            Foreign(&p.label),
            Foreign(&p.name)
        );
    }
    text.truncate(text.trim_end().len());
    text
}

pub(super) fn object(status: &MigrationStatus) -> Value {
    json!({
        "version": written(&status.label, status.version),
        "name": status.name,
        "state": status.state.as_str(),
        "applied_at": status.applied_at,
    })
}

/// The version as a number, or the label that a file has in place of one.
pub(super) fn written(label: &str, version: Version) -> Value {
    match label.parse::<Version>() {
        Ok(number) if number == version => json!(number),
        _ => json!(label),
    }
}

pub(super) fn table(all: &[MigrationStatus]) -> String {
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|status| {
            vec![
                status.label.clone(),
                status.name.clone(),
                status.state.as_str().to_owned(),
                columns::or_nothing(status.applied_at.as_deref()),
            ]
        })
        .collect();
    const COLUMNS: [Column; 4] = [
        Column::always("VERSION", Cut::Never),
        Column::always("NAME", Cut::Middle),
        Column::always("STATE", Cut::Never),
        Column::with_room("APPLIED AT", 1, Cut::Never),
    ];
    columns::table(&COLUMNS, &rows, screen::columns())
}

pub(super) fn drift(drift: &Drift, label: impl Fn(Version) -> String) -> (Value, String) {
    let objects =
        |differences: &[Difference]| -> Vec<Value> { differences.iter().map(difference).collect() };
    let value = json!({
        "version": drift.version.map(|version| written(&label(version), version)),
        "missing": objects(&drift.missing),
        "extra": objects(&drift.extra),
        "different": objects(&drift.different),
        "built_in": drift.place,
        "left_out": drift.left_out,
    });
    let Some(version) = drift.version else {
        return (
            value,
            "nothing is applied, so there is nothing to compare".to_owned(),
        );
    };
    let mut lines = how(drift.place, &drift.left_out);
    if drift.is_none() {
        lines.push(format!(
            "no drift: the database is what the migrations up to {} make",
            label(version)
        ));
        return (value, lines.join("\n"));
    }
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

/// Where the comparison database was built, and what the comparison left out.
fn how(place: &str, left_out: &[String]) -> Vec<String> {
    let mut lines = vec![format!("compared with a build in {place}")];
    lines.extend(
        left_out
            .iter()
            .map(|what| format!("left out: {}", Foreign(what))),
    );
    lines
}

pub(super) fn adoption(
    adopted: &Adopted,
    dry: bool,
    label: impl Fn(Version) -> String,
) -> (Value, String) {
    let labels = |of: &[Version]| -> Vec<String> { of.iter().map(|v| label(*v)).collect() };
    let numbers =
        |of: &[Version]| -> Vec<Value> { of.iter().map(|v| written(&label(*v), *v)).collect() };
    let what = if dry { "would_adopt" } else { "adopted" };
    let value = json!({
        what: numbers(&adopted.adopted),
        "rows_not_compared": numbers(&adopted.rows_not_compared),
        "extra": adopted.extra.iter().map(difference).collect::<Vec<_>>(),
        "built_in": adopted.place,
        "left_out": adopted.left_out,
    });
    let mut lines = how(adopted.place, &adopted.left_out);
    lines.push(said(
        &labels(&adopted.adopted),
        &what.replace('_', " "),
        "nothing to adopt: all of it is in the history",
    ));
    if !adopted.rows_not_compared.is_empty() {
        lines.push(said(
            &labels(&adopted.rows_not_compared),
            "rows not compared",
            "",
        ));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::MigrationState;

    fn labels(to: i64) -> Vec<String> {
        (1..=to).map(|n| n.to_string()).collect()
    }

    #[test]
    fn what_was_done_is_said_by_number_and_nothing_is_said_too() {
        assert_eq!(
            said(&labels(2), "applied", "nothing to apply"),
            "applied: 1, 2"
        );
        assert_eq!(
            said(&labels(53), "applied", "nothing to apply"),
            "applied: 53 migrations, 1 to 53"
        );
        assert_eq!(said(&[], "undone", "nothing to undo"), "nothing to undo");
    }

    #[test]
    fn a_pending_migration_has_no_time() {
        let pending = MigrationStatus {
            version: 3,
            label: "3".to_owned(),
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
