//! Reading the plan file, and choosing its tables by `--table`.
//! Owns that a plan file that was found elsewhere than in the working directory is named on stderr,
//! once.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Once;

use super::plan_place::{Found, PlanPlace};
use crate::cli::args::Global;
use crate::cli::output::Output;
use crate::error::{Exit, Fault, io_fault};
use crate::foreign::Foreign;
use crate::ident::TableName;
use crate::plan::{Plan, TablePlan};
use crate::trust::{self, Refused};

/// Reads the plan file. `tables` says whether the command works on tables.
///
/// # Errors
/// What is wrong with the file, or with who could have written it.
pub fn read_plan(global: &Global, place: &PlanPlace, tables: bool) -> Result<Plan, Fault> {
    let name = place.path.display().to_string();
    let (file, text) = opened(&place.path).map_err(|refused| refusal(place, refused))?;
    if place.how.is_elsewhere() {
        static SAID: Once = Once::new();
        let output = Output::new(global.json, global.log_format, global.color).quiet(global.quiet);
        SAID.call_once(|| output.say(&format!("using the plan file {name}")));
    }
    let mut plan = if tables {
        Plan::parse(&name, &text)?
    } else {
        Plan::parse_settings(&name, &text)?
    };
    // A pipe such as /dev/stdin is in no folder of the user's.
    if file.metadata().is_ok_and(|found| found.is_file()) {
        plan.resolve_paths_from(place.path.parent().unwrap_or(Path::new("")));
    }
    if let Some(pace) = global.pace {
        plan.run.pace.pace = pace;
        plan.run.pace.window = None;
    }
    if tables {
        plan.tables = chosen(plan.tables, &global.table)?;
    }
    Ok(plan)
}

fn opened(path: &Path) -> Result<(File, String), Refused> {
    let mut text = String::new();
    let mut file = trust::open(path)?;
    file.read_to_string(&mut text)?;
    Ok((file, text))
}

fn refusal(place: &PlanPlace, refused: Refused) -> Fault {
    let name = place.path.to_string_lossy();
    let name = Foreign(&name);
    let above = match place.how {
        Found::Above => ", found above the working directory,",
        Found::System | Found::Named | Found::Here => "",
    };
    match refused {
        Refused::Unreadable(error) => Fault {
            code: "E0104",
            message: format!(
                "cannot read the plan file {name}{above}: {}",
                io_fault::words(&error)
            ),
            hint: "name another one with --plan, or have one written by `phiseal init`".to_owned(),
            exit: Exit::Usage,
        },
        // The plan names the program that gives the key, and the columns that get plaintext.
        Refused::Untrusted(found) => Fault {
            code: "E0118",
            message: format!("the plan file {name}{above} is not trusted: {found}"),
            hint: match place.how {
                // Whoever put it there may want it to be used.
                Found::Above => format!(
                    "if it is not yours, name yours with --plan or PHISEAL_PLAN; if it is: {}",
                    found.hint()
                ),
                Found::System | Found::Named | Found::Here => found.hint(),
            },
            exit: Exit::Usage,
        },
    }
}

/// The tables of the plan that `--table` names; all if it names none.
fn chosen(tables: Vec<TablePlan>, wanted: &[String]) -> Result<Vec<TablePlan>, Fault> {
    if wanted.is_empty() {
        return Ok(tables);
    }
    let is = |table: &TablePlan, name: &str| {
        table.label.as_deref() == Some(name)
            || table.name.label() == name
            || table.name.name.as_str() == name
            || name
                .parse::<TableName>()
                .is_ok_and(|parsed| parsed == table.name)
    };
    for name in wanted {
        if !tables.iter().any(|table| is(table, name)) {
            return Err(Fault {
                code: "E0105",
                message: format!("the plan has no table {}", Foreign(name)),
                hint: format!(
                    "it has {}",
                    tables
                        .iter()
                        .map(|table| Foreign(&table.name.label()).to_string())
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
                exit: Exit::Usage,
            });
        }
    }
    Ok(tables
        .into_iter()
        .filter(|table| wanted.iter().any(|name| is(table, name)))
        .collect())
}
