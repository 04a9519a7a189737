//! `phiseal init`: proposes a plan file, from the columns that the user names or from all tables of a schema, or writes
//! the plan file of a migration set. Changes nothing in the database.

mod guess;
mod rendering;
mod schema;
mod survey;

use std::path::Path;

use secrecy::SecretString;
use serde_json::json;

use crate::cli::args::{Global, Init};
use crate::cli::output::Output;
use crate::cli::{new_file, session};
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::plan::propose::{self, Proposal};
use crate::plan::{PLAN_BYTES_MAX, Plan, default_schema};
use crate::schema::platform_plan;

/// Readable to all: a plan holds no secret unless somebody writes one into it.
const PLAN_MODE: u32 = 0o644;

pub async fn run(global: &Global, args: &Init, output: Output) -> Result<Exit, Fault> {
    if let Some(set) = &args.set {
        return of_set(global, set, output);
    }
    let of_schemas = !args.schemas.is_empty();
    if of_schemas && !global.table.is_empty() {
        return Err(two_ways());
    }
    if !of_schemas && global.table.is_empty() {
        return Err(no_table());
    }
    let plan = global.plan_to_write();
    if plan.symlink_metadata().is_ok() {
        return Err(new_file::exists(plan));
    }
    let url = database_url(global)?;
    let own = default_schema().map_err(|_| no_table())?;
    let store = session::connect(&url, &own, None, global.access).await?;
    let (store, sqlite) = (store.as_ref(), session::is_sqlite(&url));
    if of_schemas {
        let found = schema::propose(store, sqlite, &args.schemas, output).await?;
        write(plan, &found.proposal)?;
        let text = rendering::schema_text(plan, &found);
        output.result(&rendering::schema_object(plan, &found), &text);
    } else {
        let found = survey::propose(store, sqlite, &global.table, &args.columns).await?;
        write(plan, &found.proposal)?;
        let text = rendering::text(plan, &found);
        output.result(&rendering::object(plan, &found), &text);
    }
    warn_of_variable(plan, output);
    if global.database_url.is_some() {
        output.say_lines(&[
            "The plan reads the database's URL from DATABASE_URL: set it, or give",
            "--database-url each time.",
        ]);
    }
    Ok(Exit::Done)
}

fn write(plan: &Path, proposal: &Proposal) -> Result<(), Fault> {
    let text = propose::render(proposal);
    refuse_too_long(text.len())?;
    new_file::write(plan, PLAN_MODE, text.as_bytes())
}

/// Refuses a plan that no command would read.
fn refuse_too_long(bytes: usize) -> Result<(), Fault> {
    if bytes <= PLAN_BYTES_MAX {
        return Ok(());
    }
    Err(Fault {
        code: "E0142",
        message: "the proposed plan would be longer than a plan file may be (1 MiB)".to_owned(),
        hint:
            "look at fewer schemas at a time, or name tables and columns with --table and --column"
                .to_owned(),
        exit: Exit::Usage,
    })
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
            "Wrote {}: {columns} PHI columns of {} tables. The database was not touched.",
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
        hint: "name one or more, as in `phiseal init --table public.patients --column ssn`; or have phiseal look for PHI \
               in all tables: `phiseal init --schema public`"
            .to_owned(),
        exit: Exit::Usage,
    }
}

fn two_ways() -> Fault {
    Fault {
        code: "E0141",
        message: "--schema looks at all tables of a schema, and --table names some".to_owned(),
        hint: "give one of the two; --table needs --column".to_owned(),
        exit: Exit::Usage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_no_command_would_read_is_not_written() {
        assert!(refuse_too_long(PLAN_BYTES_MAX).is_ok());
        let refused = refuse_too_long(PLAN_BYTES_MAX + 1).unwrap_err();
        assert_eq!((refused.code, refused.exit), ("E0142", Exit::Usage));
    }
}
