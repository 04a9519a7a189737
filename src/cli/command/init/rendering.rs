//! How `init` shows what it proposes. Owns the words and the order: what was found, what has to be fixed, what is next.
//! No value of a row is in what it gets.

use std::path::Path;

use serde_json::{Value, json};

use super::schema::{Looked, Table};
use super::survey::Surveyed;
use crate::cli::command::tables::finding_json;
use crate::cli::lines::Lines;
use crate::engine::phi::{Confidence, Suspect};
use crate::engine::preflight::Finding;
use crate::foreign::Foreign;
use crate::ident::Ident;
use crate::plan::propose::{ProposedColumn, ProposedTable};
use crate::plural::counted;

/// The most problems that are shown one by one; more are shown by kind. All are in the file.
const PROBLEMS_MAX: usize = 8;
/// The most tables that are named whose values were not looked at.
const UNSAMPLED_MAX: usize = 5;
/// The widest name of a column beside its kind.
const NAME_WIDTH_MAX: usize = 24;

const NEXT: [&str; 6] = [
    "Next: read the plan and correct it, then",
    "  phiseal keys new-wrapping-key PATH   and set PHISEAL_KEY_FILE to PATH",
    "  phiseal migrate up                   makes phiseal's own tables",
    "  phiseal keys create                  makes the first data keys",
    "  phiseal plan                         shows what would happen, and what",
    "                                       stands in the way; changes nothing",
];

pub fn object(plan: &Path, found: &Surveyed) -> Value {
    json!({
        "plan": plan,
        "tables": found.proposal.tables.iter().map(table).collect::<Vec<_>>(),
        "problems": found.problems.iter().map(finding_json).collect::<Vec<_>>(),
    })
}

pub fn schema_object(plan: &Path, found: &Looked) -> Value {
    let tables = found.tables.iter().zip(&found.proposal.tables);
    let tables = tables.map(|(looked, proposed)| {
        let mut value = table(proposed);
        value["about"] = json!(looked.about);
        if let Some(columns) = value["columns"].as_array_mut() {
            for (value, one) in columns.iter_mut().zip(&looked.suspects) {
                value["kind"] = json!(one.kind.as_str());
                value["confidence"] = json!(one.confidence.as_str());
                value["reasons"] = json!(one.reasons);
                value["blocked"] = json!(one.blocked);
            }
        }
        value
    });
    let unsampled = found.unsampled.iter();
    let unsampled = unsampled.map(|(table, why)| json!({ "table": table, "why": why }));
    json!({
        "plan": plan,
        "schemas": found.schemas,
        "tables_looked_at": found.tables_looked_at,
        "columns_looked_at": found.columns_looked_at,
        "not_sampled": unsampled.collect::<Vec<_>>(),
        "tables": tables.collect::<Vec<_>>(),
        "problems": found.problems.iter().map(finding_json).collect::<Vec<_>>(),
    })
}

fn table(table: &ProposedTable) -> Value {
    let columns = table.columns.iter().map(|column| {
        json!({
            "name": column.name.as_str(),
            "source_type": column.source_type,
            "active": column.active,
            "blind_index": column.blind_index.map(|index| json!({
                "normalise": index.normaliser.as_str(),
                "unique": index.unique,
            })),
            "warnings": column.warnings,
        })
    });
    json!({
        "name": table.name.label(),
        "tenant_column": table.tenant_column.as_ref().map(Ident::as_str),
        "columns": columns.collect::<Vec<_>>(),
        "warnings": table.warnings,
    })
}

/// What is proposed of the tables and columns that the user named.
pub fn text(plan: &Path, found: &Surveyed) -> String {
    let mut lines = Lines::default();
    for table in &found.proposal.tables {
        let columns: Vec<String> = table.columns.iter().map(|c| c.name.label()).collect();
        let tenant = match &table.tenant_column {
            Some(tenant) => format!(" (tenant column, perhaps: {})", Foreign(&tenant.label())),
            None => String::new(),
        };
        lines.head(&format!(
            "{}: {}{tenant}",
            Foreign(&table.name.label()),
            Foreign(&columns.join(", ")),
        ));
    }
    let tables = &found.proposal.tables;
    let notes = (tables.iter())
        .map(|table| table.warnings.len() + (table.columns.iter()).map(notes).sum::<usize>())
        .sum::<usize>();
    ending(&mut lines, plan, &found.problems, notes);
    lines.0.join("\n")
}

fn notes(column: &ProposedColumn) -> usize {
    column.warnings.len()
}

/// What was found in all tables of schemas.
pub fn schema_text(plan: &Path, found: &Looked) -> String {
    let mut lines = Lines::default();
    for table in &found.tables {
        suspects(&mut lines, table);
    }
    let all = || found.tables.iter().flat_map(|table| &table.suspects);
    let count = |confidence: Confidence| {
        let open = all().filter(|one| one.blocked.is_none());
        open.filter(|one| one.confidence == confidence).count()
    };
    let blocked = all().filter(|one| one.blocked.is_some()).count();
    lines.head(&format!(
        "{} of {} looked at; {} of high, {} of medium and {} of low confidence. Those of low confidence{} are comments \
         in the plan.",
        counted(found.columns_looked_at, "column"),
        counted(found.tables_looked_at, "table"),
        counted(count(Confidence::High), "column"),
        count(Confidence::Medium),
        count(Confidence::Low),
        match blocked {
            0 => String::new(),
            blocked => format!(", and {blocked} that cannot be sealed as they are,"),
        },
    ));
    unsampled(&mut lines, &found.unsampled);
    lines.head(
        "PHI in columns with other names is not found: compare the plan with what you know of your data.",
    );
    ending(&mut lines, plan, &found.problems, 0);
    lines.0.join("\n")
}

/// One table: a line for each column that is proposed with some confidence.
fn suspects(lines: &mut Lines, table: &Table) {
    let shown: Vec<&Suspect> = (table.suspects.iter())
        .filter(|one| one.confidence != Confidence::Low)
        .collect();
    if shown.is_empty() {
        return;
    }
    let about = table
        .about
        .as_ref()
        .map(|about| format!(": {}", Foreign(about)));
    lines.head(&format!(
        "{}{}",
        Foreign(&table.name),
        about.unwrap_or_default()
    ));
    let name = |one: &Suspect| Foreign(&one.column).to_string();
    let names = shown.iter().map(|one| name(one).chars().count());
    let width = names.max().unwrap_or(0).min(NAME_WIDTH_MAX);
    let kinds = shown.iter().map(|one| one.kind.as_str().len());
    let kind_width = kinds.max().unwrap_or(0);
    for one in shown {
        let mut why = one.reasons.join("; ");
        if let Some(blocked) = &one.blocked {
            why = format!("not sealed: {}", Foreign(blocked));
        }
        let column = format!("  {:<6}  {:<width$}  ", one.confidence.as_str(), name(one));
        let kind = format!("{:<kind_width$}  ", one.kind.as_str());
        if name(one).chars().count() > width {
            lines.0.push(column.trim_end().to_owned());
            lines.column(&format!("{}{kind}", " ".repeat(width + 12)), &why);
        } else {
            lines.column(&format!("{column}{kind}"), &why);
        }
    }
}

fn unsampled(lines: &mut Lines, unsampled: &[(String, String)]) {
    if unsampled.is_empty() {
        return;
    }
    lines.head(&format!(
        "Not looked at in full ({}):",
        counted(unsampled.len(), "table")
    ));
    for (table, why) in unsampled.iter().take(UNSAMPLED_MAX) {
        lines.item(&format!("{}: {why}", Foreign(table)));
    }
    if let Some(more) = unsampled
        .len()
        .checked_sub(UNSAMPLED_MAX)
        .filter(|more| *more > 0)
    {
        lines.item(&format!("and {more} more"));
    }
}

/// What was written, what has to be fixed, and what comes next.
fn ending(lines: &mut Lines, plan: &Path, problems: &[Finding], notes: usize) {
    let wrote = format!(
        "Wrote {} (the database was not touched).",
        Foreign(&plan.to_string_lossy())
    );
    match problems {
        [] => lines.head(&wrote),
        some => {
            lines.head(&format!(
                "{wrote} {} to fix:",
                counted(some.len(), "problem")
            ));
            match some.len() <= PROBLEMS_MAX {
                true => some.iter().for_each(|one| problem(lines, one)),
                false => grouped(lines, some),
            }
        }
    }
    // Problems are notes too.
    let others = notes.saturating_sub(problems.len());
    if others > 0 {
        lines.head(&format!(
            "The file has {} on what to know before you seal or drop these columns.",
            counted(others, "note")
        ));
    }
    lines.0.extend(NEXT.map(str::to_owned));
}

/// The first problem of each kind, since many tables may have the same.
fn grouped(lines: &mut Lines, problems: &[Finding]) {
    let mut codes: Vec<&str> = problems.iter().map(|one| one.code).collect();
    codes.sort_unstable();
    codes.dedup();
    for code in codes {
        let mut same = problems.iter().filter(|one| one.code == code);
        same.by_ref()
            .take(1)
            .for_each(|first| problem(lines, first));
        let more = same.count();
        if more > 0 {
            lines.column(
                "    ",
                &format!("{more} more like this: see the notes in the file"),
            );
        }
    }
}

fn problem(lines: &mut Lines, one: &Finding) {
    lines.item(&format!("{one} [{}]", one.code));
    lines.column("    ", &one.hint);
}

#[cfg(test)]
mod tests;
