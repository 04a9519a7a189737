//! Looks at all tables of schemas, and proposes the columns that look like PHI. Owns what is looked at and for how long;
//! `engine/phi` judges, the database counts the forms of values, and preflight says what cannot be sealed.

use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::survey::{PlanFacts, note, physical, table_of};
use crate::cli::command::tables::nearest;
use crate::cli::output::Output;
use crate::engine::phi::{self, About, Confidence, Counts, Suspect};
use crate::engine::preflight::Finding;
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::ident::{Ident, TableName};
use crate::plan::Plan;
use crate::plan::propose::{self, Proposal, ProposedTable};
use crate::plural::counted;
use crate::store::catalog::{ColumnFacts, TableFacts};
use crate::store::{FieldRecord, Store, StoreError};

/// How long all samples together may take. Tables that come later are judged by names and types alone.
const SAMPLES_MAX: Duration = Duration::from_secs(60);
/// How long the server may take to tell about one table: it has to lock it for a moment.
const TABLE_MAX: Duration = Duration::from_secs(10);
/// The same once one table was waited for in vain: somebody may hold locks on many.
const NEXT_TABLE_MAX: Duration = Duration::from_secs(1);
const LOCKED: &str = "the server told nothing of it in time: does somebody hold a lock on it?";
/// SQLite's name for the schema of a file.
const MAIN: &str = "main";

/// What was found in all tables of some schemas.
pub struct Looked {
    /// The schemas.
    pub schemas: Vec<String>,
    /// What is proposed, one table for each of `tables`.
    pub proposal: Proposal,
    /// The tables with columns that look like PHI; the suspects are in the order of the proposed columns.
    pub tables: Vec<Table>,
    /// What a person has to fix before these tables can be sealed.
    pub problems: Vec<Finding>,
    /// How many tables were looked at.
    pub tables_looked_at: usize,
    /// How many columns they have.
    pub columns_looked_at: usize,
    /// Tables whose values were not looked at, and why.
    pub unsampled: Vec<(String, String)>,
}

/// A table with columns that look like PHI.
pub struct Table {
    /// Its name.
    pub name: String,
    /// Whom its rows are about, in words.
    pub about: Option<String>,
    /// Those columns.
    pub suspects: Vec<Suspect>,
}

/// Looks at all tables of these schemas.
///
/// # Errors
/// A schema without tables; what the store reports.
pub async fn propose(
    store: &dyn Store,
    sqlite: bool,
    schemas: &[String],
    output: Output,
) -> Result<Looked, Fault> {
    let look = PlanFacts::of(store, sqlite).await?;
    let names = names(store, sqlite, schemas).await?;
    output.say(&format!(
        "Looking at {} of {}; no value is read out of the database.",
        counted(names.len(), "table"),
        schemas.join(", ")
    ));
    let registered = registered(store, &look, output).await;
    let mut facts = Vec::with_capacity(names.len());
    let mut unsampled = Vec::new();
    for name in &names {
        let most = match unsampled.is_empty() {
            true => TABLE_MAX,
            false => NEXT_TABLE_MAX,
        };
        match read(store, sqlite, name, most).await? {
            // A table that was dropped meanwhile is none.
            Some(found) => facts.extend(found),
            None => unsampled.push((name.label(), LOCKED.to_owned())),
        }
    }
    let about = phi::about(&facts);
    let mut found = Looked {
        schemas: schemas.to_vec(),
        proposal: Proposal::default(),
        tables: Vec::new(),
        problems: Vec::new(),
        tables_looked_at: facts.len(),
        columns_looked_at: facts.iter().map(|table| table.columns.len()).sum(),
        unsampled,
    };
    let until = Instant::now() + SAMPLES_MAX;
    for (facts, about) in facts.iter().zip(&about) {
        let taken = taken(facts, &registered);
        let counts = match sample(store, facts, &taken, until).await? {
            Ok(counts) => counts,
            Err(why) => {
                found.unsampled.push((physical(facts)?.label(), why));
                Counts::new()
            }
        };
        found.add(&look, facts, about, &counts, &taken)?;
    }
    Ok(found)
}

impl Looked {
    /// Adds a table, if any of its columns looks like PHI.
    fn add(
        &mut self,
        look: &PlanFacts,
        facts: &TableFacts,
        about: &About,
        counts: &Counts,
        taken: &[String],
    ) -> Result<(), Fault> {
        let mut suspects = phi::suspects(facts, about, counts, taken);
        // SQLite has no longest name, and a plan file does.
        suspects.retain(|one| Ident::new(one.column.as_str()).is_ok());
        if suspects.is_empty() {
            return Ok(());
        }
        let columns: Vec<&ColumnFacts> = (facts.columns.iter())
            .filter(|column| suspects.iter().any(|one| one.column == column.name))
            .collect();
        let mut proposed = table_of(facts, &columns)?;
        // Parsed as a plan, so that preflight checks the names as the user will have them.
        let alone = Proposal {
            tables: vec![proposed.clone()],
            warnings: Vec::new(),
        };
        let plan = Plan::parse("the proposed plan", &propose::render(&alone))?;
        for plan in &plan.tables {
            let findings = look.findings(plan, Some(facts));
            note(&mut proposed, &findings);
            for refusal in findings.refusals() {
                let of = refusal.column.as_deref();
                match suspects
                    .iter_mut()
                    .find(|one| Some(one.column.as_str()) == of)
                {
                    Some(suspect) => {
                        let why =
                            format!("{}: {} [{}]", refusal.message, refusal.hint, refusal.code);
                        suspect.blocked.get_or_insert(why);
                    }
                    None => self.problems.push(refusal.clone()),
                }
            }
        }
        let name = proposed.name.label();
        decide(&mut proposed, &suspects);
        if proposed.columns.iter().all(|column| !column.active) {
            self.problems.retain(|problem| problem.table != name);
        }
        self.proposal.tables.push(proposed);
        self.tables.push(Table {
            name,
            about: about.told(),
            suspects,
        });
        Ok(())
    }
}

/// Makes columns active that are probably PHI and can be sealed, and writes down why.
fn decide(proposed: &mut ProposedTable, suspects: &[Suspect]) {
    for (column, suspect) in proposed.columns.iter_mut().zip(suspects) {
        column.active = suspect.confidence != Confidence::Low && suspect.blocked.is_none();
        column.reasons = vec![format!(
            "{}: {} ({})",
            suspect.confidence,
            suspect.kind,
            suspect.reasons.join("; ")
        )];
        column.reasons.extend(
            (suspect.blocked.iter()).map(|why| format!("It cannot be sealed as it is: {why}")),
        );
    }
}

/// What the catalog says about a table; `None` if it does not say so within `most`.
async fn read(
    store: &dyn Store,
    sqlite: bool,
    name: &TableName,
    most: Duration,
) -> Result<Option<Option<TableFacts>>, Fault> {
    // SQLite has no lock that lasts.
    if sqlite {
        return Ok(Some(store.table(name).await?));
    }
    match timeout(most, store.table(name)).await {
        Ok(found) => Ok(Some(found?)),
        Err(_) => Ok(None),
    }
}

/// The tables of the schemas.
async fn names(
    store: &dyn Store,
    sqlite: bool,
    schemas: &[String],
) -> Result<Vec<TableName>, Fault> {
    let all = store.table_names().await?;
    let of = |name: &TableName| match &name.schema {
        Some(schema) => schema.as_str().to_owned(),
        None => MAIN.to_owned(),
    };
    let mut there: Vec<String> = all.iter().map(of).collect();
    there.sort_unstable();
    there.dedup();
    if let Some(missing) = schemas.iter().find(|schema| !there.contains(schema)) {
        return Err(no_schema(missing, sqlite, &there));
    }
    let chosen = all.into_iter().filter(|name| schemas.contains(&of(name)));
    Ok(chosen.collect())
}

fn no_schema(missing: &str, sqlite: bool, there: &[String]) -> Fault {
    let hint = match nearest(missing, there) {
        _ if sqlite => "a file of SQLite has one schema: `--schema main`".to_owned(),
        Some(other) => format!("did you mean {}?", Foreign(other)),
        None if there.is_empty() => {
            "this role sees no tables at all: is it the right database, and may it use the schema?"
                .to_owned()
        }
        None => format!("schemas with tables are: {}", Foreign(&there.join(", "))),
    };
    Fault {
        code: "E0140",
        message: format!(
            "schema {} has no tables that this role can see",
            Foreign(missing)
        ),
        hint,
        exit: Exit::Refused,
    }
}

/// The fields that are registered already.
async fn registered(store: &dyn Store, look: &PlanFacts, output: Output) -> Vec<FieldRecord> {
    if !look.server.installed {
        return Vec::new();
    }
    // Before any of phiseal's tables is read: a view in place of a table would run code.
    let read = async {
        store.check_ownership(None).await?;
        store.fields().await
    };
    match read.await {
        Ok(fields) => fields,
        Err(error) => {
            output.say(&format!(
                "warning: columns that are sealed already may be proposed again: {error}"
            ));
            Vec::new()
        }
    }
}

/// The columns of a table that are sealed, or hold what is sealed.
fn taken(facts: &TableFacts, registered: &[FieldRecord]) -> Vec<String> {
    let here = registered.iter().filter(|field| {
        field.state.may_hold_seals()
            && field.schema_name == facts.schema
            && field.table_name == facts.name
    });
    here.flat_map(|field| {
        let beside = field.sealed_column.iter().chain(&field.blind_index_column);
        beside
            .chain(&field.blind_index_next)
            .chain([&field.column_name])
    })
    .cloned()
    .collect()
}

/// The forms of the values of a table's columns, or why they were not looked at.
///
/// # Errors
/// The connection is lost.
async fn sample(
    store: &dyn Store,
    facts: &TableFacts,
    taken: &[String],
    until: Instant,
) -> Result<Result<Counts, String>, Fault> {
    if Instant::now() > until {
        return Ok(Err(by_names("the time for samples was over")));
    }
    let columns: Vec<Ident> = (facts.columns.iter())
        .filter(|column| !taken.contains(&column.name) && phi::is_worth_a_look(column))
        .filter_map(|column| Ident::new(column.name.as_str()).ok())
        .collect();
    match store.forms(&physical(facts)?, &columns).await {
        Ok(counts) => {
            let names = columns.iter().map(|column| column.as_str().to_owned());
            Ok(Ok(names.zip(counts).collect()))
        }
        Err(StoreError::ConnectionLost) => Err(StoreError::ConnectionLost.into()),
        Err(StoreError::Locked) => Ok(Err(by_names("somebody holds a lock on it"))),
        Err(StoreError::Busy { .. }) => Ok(Err(by_names("it took too long"))),
        Err(StoreError::Denied { .. }) => Ok(Err(by_names("this role may not read it"))),
        Err(error) => Ok(Err(by_names(&error.to_string()))),
    }
}

fn by_names(why: &str) -> String {
    format!("{why}, so only names and types were judged")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_schema_is_refused_with_what_was_probably_meant() {
        let there = ["clinic".to_owned(), "public".to_owned()];
        let near = no_schema("publik", false, &there);
        assert_eq!((near.code, near.exit), ("E0140", Exit::Refused));
        assert_eq!(near.hint, "did you mean public?");
        assert!(
            no_schema("zzz", false, &there)
                .hint
                .ends_with("clinic, public")
        );
        assert!(
            no_schema("zzz", false, &[])
                .hint
                .contains("no tables at all")
        );
        assert!(
            no_schema("public", true, &there)
                .hint
                .contains("--schema main")
        );
    }
}
