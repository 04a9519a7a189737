//! Reading the plan file, and choosing its tables by `--table`.

use std::io::Read;
use std::path::Path;

use crate::cli::args::Global;
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::ident::TableName;
use crate::plan::{Plan, TablePlan};
use crate::trust::{self, Refused};

/// Reads the plan file. `tables` says whether the command works on tables.
pub fn read_plan(global: &Global, tables: bool) -> Result<Plan, Fault> {
    let name = global.plan.display().to_string();
    let text = plan_text(&global.plan).map_err(|refused| match refused {
        Refused::Unreadable(error) => Fault {
            code: "E0104",
            message: format!(
                "cannot read the plan file {}: {}",
                Foreign(&name),
                error.kind()
            ),
            hint: "name it with --plan, or have one written by `phiseal init`".to_owned(),
            exit: Exit::Usage,
        },
        // The plan names the program that gives the key, and the columns that get plaintext.
        Refused::Untrusted(found) => Fault {
            code: "E0118",
            message: format!("the plan file {} is not trusted: {found}", Foreign(&name)),
            hint: found.hint(),
            exit: Exit::Usage,
        },
    })?;
    let mut plan = if tables {
        Plan::parse(&name, &text)?
    } else {
        Plan::parse_settings(&name, &text)?
    };
    if let Some(pace) = global.pace {
        plan.run.pace.pace = pace;
        plan.run.pace.window = None;
    }
    if tables {
        plan.tables = chosen(plan.tables, &global.table)?;
    }
    Ok(plan)
}

fn plan_text(path: &Path) -> Result<String, Refused> {
    let mut text = String::new();
    trust::open(path)?.read_to_string(&mut text)?;
    Ok(text)
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
