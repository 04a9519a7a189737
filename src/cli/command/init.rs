//! `phiseal init`: proposes a plan file from the tables of a database, or writes the plan file of a
//! migration set. Changes nothing in the database.

mod guess;
mod survey;

use std::path::Path;

use secrecy::SecretString;
use serde_json::{Value, json};

use crate::cli::args::{Global, Init};
use crate::cli::columns::or_nothing;
use crate::cli::output::Output;
use crate::cli::{new_file, session};
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::ident::Ident;
use crate::plan::propose::{self, Proposal, ProposedTable};
use crate::plan::{Plan, default_schema};
use crate::schema::platform_plan;

/// Readable to all: a plan holds no secret unless somebody writes one into it.
const PLAN_MODE: u32 = 0o644;

pub async fn run(global: &Global, args: &Init, output: Output) -> Result<Exit, Fault> {
    if let Some(set) = &args.set {
        return of_set(global, set, output);
    }
    if global.table.is_empty() {
        return Err(no_table());
    }
    let plan = global.plan_to_write();
    if plan.symlink_metadata().is_ok() {
        return Err(new_file::exists(plan));
    }
    let url = database_url(global)?;
    let schema = default_schema().map_err(|_| no_table())?;
    let store = session::connect(&url, &schema, None, global.access).await?;
    let proposal = survey::propose(
        store.as_ref(),
        session::is_sqlite(&url),
        &global.table,
        &args.columns,
    )
    .await?;
    new_file::write(plan, PLAN_MODE, propose::render(&proposal).as_bytes())?;
    output.result(&object(plan, &proposal), &text(plan, &proposal));
    warn_of_variable(plan, output);
    if global.database_url.is_some() {
        output.say(
            "the plan reads the database's URL from DATABASE_URL: set it, or give --database-url \
             each time",
        );
    }
    Ok(Exit::Done)
}

/// Writes the plan file that belongs to a migration set.
fn of_set(global: &Global, set: &str, output: Output) -> Result<Exit, Fault> {
    let text = platform_plan(set)?;
    let tables = Plan::parse(set, text)?.tables;
    let plan = global.plan_to_write();
    new_file::write(plan, PLAN_MODE, text.as_bytes())?;
    let columns: usize = tables.iter().map(|table| table.columns.len()).sum();
    output.result(
        &json!({ "plan": plan, "set": set, "tables": tables.len(), "columns": columns }),
        &format!(
            "wrote {}: {columns} PHI columns of {} tables; nothing was changed",
            Foreign(&plan.to_string_lossy()),
            tables.len()
        ),
    );
    warn_of_variable(plan, output);
    Ok(Exit::Done)
}

/// Says if the other commands will read another plan file than the one that was written.
fn warn_of_variable(written: &Path, output: Output) {
    let named = session::plan_of_variable();
    if let Some(named) = named.filter(|named| named.as_path() != written) {
        output.say(&format!(
            "the variable PHISEAL_PLAN names {}: commands without --plan read that file, and not {}",
            named.display(),
            written.display(),
        ));
    }
}

fn database_url(global: &Global) -> Result<SecretString, Fault> {
    let from_environment = || session::environment("DATABASE_URL").filter(|url| !url.is_empty());
    global
        .database_url
        .clone()
        .or_else(from_environment)
        .map(SecretString::from)
        .ok_or_else(|| Fault {
            code: "E0103",
            message:
                "no database is named: environment variable DATABASE_URL is not set or is empty"
                    .to_owned(),
            hint: "set it, or give --database-url".to_owned(),
            exit: Exit::Usage,
        })
}

fn no_table() -> Fault {
    Fault {
        code: "E0107",
        message: "no table is named".to_owned(),
        hint: "name one or more, as in `phiseal init --table public.patients --column ssn`"
            .to_owned(),
        exit: Exit::Usage,
    }
}

fn object(plan: &Path, proposal: &Proposal) -> Value {
    json!({
        "plan": plan,
        "tables": proposal.tables.iter().map(table).collect::<Vec<_>>(),
    })
}

fn table(table: &ProposedTable) -> Value {
    let columns = table.columns.iter().map(|column| {
        json!({
            "name": column.name.as_str(),
            "source_type": column.source_type,
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

fn text(plan: &Path, proposal: &Proposal) -> String {
    let mut lines = vec![format!(
        "wrote {}; nothing was changed",
        Foreign(&plan.to_string_lossy())
    )];
    for table in &proposal.tables {
        let columns: Vec<String> = table.columns.iter().map(|c| c.name.label()).collect();
        let notes = table.warnings.len()
            + table
                .columns
                .iter()
                .map(|c| c.warnings.len())
                .sum::<usize>();
        lines.push(format!(
            "  {}: {}; tenant column: {}; notes in the file: {notes}",
            Foreign(&table.name.label()),
            Foreign(&columns.join(", ")),
            Foreign(&or_nothing(
                table.tenant_column.as_ref().map(Ident::label).as_deref()
            )),
        ));
    }
    lines.push(
        "read and correct it, then:\n  \
         phiseal keys new-wrapping-key PATH    and set PHISEAL_KEY_FILE to PATH\n  \
         phiseal migrate up                    phiseal's own tables\n  \
         phiseal keys create                   the first data keys\n  \
         phiseal plan                          what would happen, what stands in the way"
            .to_owned(),
    );
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::propose::ProposedColumn;

    #[test]
    fn the_result_names_the_file_its_columns_and_what_is_next() {
        let proposal = Proposal {
            tables: vec![ProposedTable {
                name: "public.patients".parse().unwrap(),
                tenant_column: Some("clinic_id".parse().unwrap()),
                existing: Vec::new(),
                columns: vec![ProposedColumn {
                    name: "ssn".parse().unwrap(),
                    source_type: "text".to_owned(),
                    blind_index: None,
                    warnings: vec!["one".to_owned()],
                }],
                warnings: vec!["two".to_owned()],
            }],
            warnings: Vec::new(),
        };
        let text = text(Path::new("p.toml"), &proposal);
        assert!(text.starts_with("wrote p.toml; nothing was changed\n"));
        assert!(
            text.contains("public.patients: ssn; tenant column: clinic_id; notes in the file: 2")
        );
        for next in [
            "keys new-wrapping-key",
            "migrate up",
            "keys create",
            "phiseal plan",
        ] {
            assert!(text.contains(next), "{next}");
        }
        let object = object(Path::new("p.toml"), &proposal);
        assert_eq!(
            object["tables"][0]["columns"][0]["blind_index"],
            Value::Null
        );
    }
}
