//! Builds a proposal from the catalog's facts about the tables that the user named.
//! Owns how names are matched and which indexes are proposed. Preflight finds what prevents
//! sealing; its findings become notes in the proposal.

use super::guess;
use crate::cli::command::tables::nearest;
use crate::engine::preflight::{
    Dialect, Finding, Findings, KeysHave, Level, Preflight, Refused, RunPurpose, check,
};
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::ident::{Ident, TableName};
use crate::plan::propose::{self, Proposal, ProposedColumn, ProposedIndex, ProposedTable};
use crate::plan::{ColumnPlan, Plan, SealTo, TablePlan, TriggerPolicy};
use crate::store::catalog::{ColumnFacts, TableFacts};
use crate::store::{ServerFacts, Store};

/// Reads the tables from the catalog and proposes to seal those of `columns` that each has.
///
/// # Errors
/// A table or column that does not exist, with the most similar name; a table that has none of the
/// columns.
pub async fn propose(
    store: &dyn Store,
    sqlite: bool,
    tables: &[String],
    columns: &[String],
) -> Result<Proposal, Fault> {
    let look = PlanFacts {
        server: store.server().await?,
        dialect: if sqlite {
            Dialect::Sqlite
        } else {
            Dialect::Postgres
        },
    };
    let mut found: Vec<TableFacts> = Vec::new();
    for name in tables {
        let facts = table(store, &look, name).await?;
        let is_same = |other: &TableFacts| other.name == facts.name && other.schema == facts.schema;
        if !found.iter().any(is_same) {
            found.push(facts);
        }
    }
    look.refuse_unknown(&found, columns)?;
    let mut proposal = Proposal::default();
    for facts in &found {
        proposal.tables.push(proposed(facts, columns)?);
    }
    // Parses the rendered proposal, so that preflight checks the names as the user will have them.
    let plan = Plan::parse("the proposed plan", &propose::render(&proposal))?;
    for ((table, facts), plan) in proposal.tables.iter_mut().zip(&found).zip(&plan.tables) {
        note(table, &look.findings(plan, Some(facts)));
    }
    Ok(proposal)
}

struct PlanFacts {
    server: ServerFacts,
    dialect: Dialect,
}

impl PlanFacts {
    fn findings(&self, plan: &TablePlan, facts: Option<&TableFacts>) -> Findings {
        // The proposal needs no notes about missing phiseal tables and keys.
        let server = ServerFacts {
            installed: true,
            ..self.server.clone()
        };
        check(&Preflight {
            server: &server,
            table: facts,
            plan,
            registered: &[],
            keys: KeysHave {
                cell: true,
                blind_index: true,
            },
            purpose: RunPurpose::Backfill,
            dialect: self.dialect,
        })
    }

    /// Refuses columns that none of the tables has.
    fn refuse_unknown(&self, found: &[TableFacts], columns: &[String]) -> Result<(), Fault> {
        let unknown: Vec<&String> = columns
            .iter()
            .filter(|name| !found.iter().any(|facts| column(facts, name).is_some()))
            .collect();
        let mut refusals: Vec<Finding> = Vec::new();
        for facts in found {
            let plan = plan_of(facts, &unknown)?;
            let findings = self.findings(&plan, Some(facts));
            let missing = findings.refusals().filter(|finding| {
                let name = finding.column.as_deref();
                finding.code == "E0202" && unknown.iter().any(|u| Some(spelled(u)) == name)
            });
            refusals.extend(missing.cloned());
        }
        if unknown.is_empty() {
            Ok(())
        } else {
            Err(Refused(refusals).into())
        }
    }
}

/// The table of this name, either spelled as in the catalog or parsed as SQL.
async fn table(store: &dyn Store, look: &PlanFacts, name: &str) -> Result<TableFacts, Fault> {
    let parsed: Option<TableName> = name.parse().ok();
    for candidate in verbatim(name).iter().chain(&parsed) {
        if let Some(facts) = store.table(candidate).await? {
            return Ok(facts);
        }
    }
    let wanted = parsed.or_else(|| verbatim(name)).ok_or_else(|| Fault {
        code: "E0101",
        message: format!("--table {}: that is no name of a table", Foreign(name)),
        hint: "write it as SQL does: public.patients, or public.\"Patients\"".to_owned(),
        exit: Exit::Usage,
    })?;
    let plan = TablePlan {
        name: wanted,
        label: None,
        tenant_column: None,
        triggers: TriggerPolicy::Refuse,
        on_untrusted_seal: None,
        columns: Vec::new(),
    };
    let names: Vec<String> = store
        .table_names()
        .await?
        .iter()
        .map(TableName::label)
        .collect();
    let mut refusals: Vec<Finding> = look
        .findings(&plan, None)
        .refusals()
        .filter(|finding| finding.code == "E0201")
        .cloned()
        .collect();
    if let (Some(refusal), Some(nearest)) = (refusals.first_mut(), nearest(name, &names)) {
        refusal.hint = format!("did you mean {}?", Foreign(nearest));
    }
    Err(Refused(refusals).into())
}

/// `public.Patients` without folding to lower case: users copy names as their tools show them.
fn verbatim(name: &str) -> Option<TableName> {
    if name.contains('"') {
        return None;
    }
    let (schema, table) = match name.split_once('.') {
        Some((schema, table)) => (Some(Ident::new(schema).ok()?), table),
        None => (None, name),
    };
    Some(TableName {
        schema,
        name: Ident::new(table).ok()?,
    })
}

/// The column of this name, either spelled as in the catalog or parsed as SQL.
fn column<'a>(facts: &'a TableFacts, name: &str) -> Option<&'a ColumnFacts> {
    let exactly = |wanted: &str| facts.columns.iter().find(|column| column.name == wanted);
    exactly(name).or_else(|| exactly(name.parse::<Ident>().ok()?.as_str()))
}

/// The name without enclosing double quotes.
fn spelled(name: &str) -> &str {
    name.strip_prefix('"')
        .and_then(|name| name.strip_suffix('"'))
        .unwrap_or(name)
}

/// A plan that names `columns`, which the table lacks, so that preflight refuses them.
fn plan_of(facts: &TableFacts, columns: &[&String]) -> Result<TablePlan, Fault> {
    let column = |name: &&String| {
        let name = ident(spelled(name))?;
        Ok(ColumnPlan {
            target: SealTo::Beside(
                name.with_suffix("_sealed")
                    .map_err(|_| no_name(name.as_str()))?,
            ),
            name,
            blind_index: None,
            pad_to: 0,
        })
    };
    Ok(TablePlan {
        name: physical(facts)?,
        label: None,
        tenant_column: None,
        triggers: TriggerPolicy::Refuse,
        on_untrusted_seal: None,
        columns: columns.iter().map(column).collect::<Result<_, Fault>>()?,
    })
}

fn proposed(facts: &TableFacts, wanted: &[String]) -> Result<ProposedTable, Fault> {
    let mut columns: Vec<ProposedColumn> = Vec::new();
    for found in wanted.iter().filter_map(|name| column(facts, name)) {
        let name = ident(&found.name)?;
        if columns.iter().any(|column| column.name == name) {
            continue;
        }
        columns.push(ProposedColumn {
            name,
            source_type: found.sql_type.clone(),
            blind_index: index(facts, found),
            warnings: Vec::new(),
        });
    }
    let name = physical(facts)?;
    if columns.is_empty() {
        return Err(Fault {
            code: "E0107",
            message: format!(
                "{}: it has none of the columns that were named",
                Foreign(&name.label())
            ),
            hint: "leave the table out, or name a column of it".to_owned(),
            exit: Exit::Refused,
        });
    }
    let sealed: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let tenant_column = guess::tenant(facts, &sealed).map(ident).transpose()?;
    Ok(ProposedTable {
        name,
        tenant_column,
        existing: facts
            .columns
            .iter()
            .map(|column| ident(&column.name))
            .collect::<Result<_, _>>()?,
        columns,
        warnings: Vec::new(),
    })
}

/// The blind index to propose in place of the indexes over a column. It is unique only if one of
/// them is unique over exactly this column, without an expression or a predicate.
fn index(facts: &TableFacts, column: &ColumnFacts) -> Option<ProposedIndex> {
    let partial = |name: &str| facts.keys.iter().any(|key| key.name == name && key.partial);
    let mut over = facts
        .indexes
        .iter()
        .filter(|index| index.columns.contains(&column.name))
        .peekable();
    over.peek()?;
    let unique = over.any(|index| {
        index.unique && index.columns == [column.name.as_str()] && !partial(&index.name)
    });
    Some(ProposedIndex {
        normaliser: guess::normaliser(&column.name, &column.base_type),
        unique,
    })
}

/// Adds each finding as a note to its column, or to the table.
fn note(table: &mut ProposedTable, findings: &Findings) {
    for finding in findings.all() {
        let stands = match finding.level {
            Level::Refusal => "stands in the way: ",
            Level::Warning => "",
        };
        let text = format!(
            "[{}] {stands}{}; {}",
            finding.code, finding.message, finding.hint
        );
        let column = finding
            .column
            .as_deref()
            .and_then(|name| table.columns.iter_mut().find(|c| c.name.as_str() == name));
        match column {
            Some(column) => column.warnings.push(text),
            None => table.warnings.push(text),
        }
    }
}

fn physical(facts: &TableFacts) -> Result<TableName, Fault> {
    let schema = match facts.schema.as_str() {
        "" => None,
        schema => Some(ident(schema)?),
    };
    Ok(TableName {
        schema,
        name: ident(&facts.name)?,
    })
}

fn ident(name: &str) -> Result<Ident, Fault> {
    Ident::new(name).map_err(|_| no_name(name))
}

fn no_name(name: &str) -> Fault {
    Fault {
        code: "E0101",
        message: format!("{} is no name of a table or column", Foreign(name)),
        hint: "names have 1 to 63 bytes".to_owned(),
        exit: Exit::Usage,
    }
}

#[cfg(test)]
mod tests;
