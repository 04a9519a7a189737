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

/// What is proposed of the tables and columns that the user named.
pub struct Surveyed {
    /// What is proposed.
    pub proposal: Proposal,
    /// What a person has to fix before it can be sealed.
    pub problems: Vec<Finding>,
}

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
) -> Result<Surveyed, Fault> {
    let look = PlanFacts::of(store, sqlite).await?;
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
    let mut problems = Vec::new();
    for ((table, facts), plan) in proposal.tables.iter_mut().zip(&found).zip(&plan.tables) {
        let findings = look.findings(plan, Some(facts));
        note(table, &findings);
        problems.extend(findings.refusals().cloned());
    }
    Ok(Surveyed { proposal, problems })
}

/// What preflight needs to know besides a table and its plan.
pub(super) struct PlanFacts {
    pub(super) server: ServerFacts,
    dialect: Dialect,
}

impl PlanFacts {
    /// Asks the server.
    ///
    /// # Errors
    /// What the store reports.
    pub(super) async fn of(store: &dyn Store, sqlite: bool) -> Result<Self, Fault> {
        Ok(Self {
            server: store.server().await?,
            dialect: if sqlite {
                Dialect::Sqlite
            } else {
                Dialect::Postgres
            },
        })
    }

    /// What preflight finds; that phiseal's own tables and keys are missing is no finding here.
    pub(super) fn findings(&self, plan: &TablePlan, facts: Option<&TableFacts>) -> Findings {
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
    let mut columns: Vec<&ColumnFacts> = Vec::new();
    for found in wanted.iter().filter_map(|name| column(facts, name)) {
        if !columns.iter().any(|column| column.name == found.name) {
            columns.push(found);
        }
    }
    if columns.is_empty() {
        return Err(Fault {
            code: "E0107",
            message: format!(
                "{} has none of the columns that were named",
                Foreign(&physical(facts)?.label())
            ),
            hint: "leave the table out, or name a column of it".to_owned(),
            exit: Exit::Refused,
        });
    }
    table_of(facts, &columns)
}

/// The proposal to seal these columns of a table.
pub(super) fn table_of(
    facts: &TableFacts,
    columns: &[&ColumnFacts],
) -> Result<ProposedTable, Fault> {
    let sealed: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let tenant_column = guess::tenant(facts, &sealed).map(ident).transpose()?;
    let columns = columns.iter().map(|found| {
        Ok(ProposedColumn {
            name: ident(&found.name)?,
            source_type: found.sql_type.clone(),
            blind_index: index(facts, found),
            reasons: Vec::new(),
            active: true,
            warnings: Vec::new(),
        })
    });
    let columns = columns.collect::<Result<_, Fault>>()?;
    Ok(ProposedTable {
        name: physical(facts)?,
        tenant_column,
        // A name that is too long for a plan collides with none in it.
        existing: (facts.columns.iter())
            .filter_map(|column| Ident::new(column.name.as_str()).ok())
            .collect(),
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
pub(super) fn note(table: &mut ProposedTable, findings: &Findings) {
    for finding in findings.all() {
        let stands = match finding.level {
            Level::Refusal => "to fix: ",
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

pub(super) fn physical(facts: &TableFacts) -> Result<TableName, Fault> {
    let schema = match facts.schema.as_str() {
        "" => None,
        schema => Some(ident(schema)?),
    };
    Ok(TableName {
        schema,
        name: ident(&facts.name)?,
    })
}

pub(super) fn ident(name: &str) -> Result<Ident, Fault> {
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
