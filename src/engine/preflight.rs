//! Preflight: finds everything that prevents a run before its first row, and lists it all at once.
//! Owns the list of checks and what they may look at; each check is in a file of its own. Judges
//! facts only: reads no database, changes nothing. A code belongs to one check for ever
//! (docs/ERRORS.md).

mod blind_index;
mod broken_object;
mod check_constraint;
mod column;
mod connections;
mod few_distinct;
mod finding;
mod foreign_key;
mod generated;
mod guard_gap;
mod in_place_type;
mod index;
mod key;
mod logging;
mod mention;
mod not_null;
mod operator;
mod prepared;
mod privilege;
mod publication;
mod refused;
mod registered;
mod relation;
mod resolve;
mod room;
mod row_security;
mod rule;
mod sealed_column;
mod server;
mod standby;
mod storage_class;
mod surveyed;
mod tenant;
mod trigger;
mod types;
mod unique;
mod usable_key;
mod view;
mod width;

use crate::ident::Ident;
use crate::plan::{ColumnPlan, SealTo, TablePlan};
use crate::store::catalog::{ColumnFacts, ServerFacts, TableFacts};
use crate::store::{FieldRecord, FieldState};

pub use finding::{Finding, Findings, Level};
pub use refused::Refused;
pub use registered::label_of;
pub use resolve::{records, resolve};
pub use surveyed::surveyed;

/// Runs every check on one table of the plan.
///
/// The findings are in the order of the checks: the server and its keys, the table, its key, then
/// each column. If the table is missing, the list ends there, since nothing else can be judged.
pub fn check(preflight: &Preflight<'_>) -> Findings {
    let mut out = Findings::default();
    for check in CHECKS {
        check(preflight, &mut out);
    }
    out
}

/// Everything that the checks may look at.
#[derive(Debug, Clone, Copy)]
pub struct Preflight<'a> {
    /// Facts of the server.
    pub server: &'a ServerFacts,
    /// Facts of the table; `None` if there is no relation of that name.
    pub table: Option<&'a TableFacts>,
    /// The plan for the table.
    pub plan: &'a TablePlan,
    /// All registered fields, of all tables.
    pub registered: &'a [FieldRecord],
    /// Which keys there are for the table's tenants.
    pub keys: KeysHave,
    /// What the run is to do.
    pub purpose: RunPurpose,
    /// The kind of database.
    pub dialect: Dialect,
}

/// Which kinds of keys exist.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeysHave {
    /// There is a usable key of purpose `cell`.
    pub cell: bool,
    /// There is a usable key of purpose `blind_index`.
    pub blind_index: bool,
}

/// What a run is to do with the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunPurpose {
    /// Seal values.
    Backfill,
    /// Re-seal values under another key.
    Rotate {
        /// Blind indexes are rotated too, so their columns are replaced.
        indexes: bool,
    },
    /// Write the plaintext back.
    Restore {
        /// Then drop the sealed columns.
        drop_sealed: bool,
    },
    /// Remove the plaintext.
    Finalize,
    /// Open and compare values; writes no row of the table.
    Verify,
}

/// The kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
}

impl RunPurpose {
    /// Whether the run writes the plaintext back.
    fn is_restore(self) -> bool {
        matches!(self, Self::Restore { .. })
    }

    /// Whether the run drops or renames columns of the table.
    fn drops_columns(self) -> bool {
        match self {
            Self::Rotate { indexes } => indexes,
            Self::Restore { drop_sealed } => drop_sealed,
            Self::Finalize => true,
            Self::Backfill | Self::Verify => false,
        }
    }
}

type Check = fn(&Preflight<'_>, &mut Findings);

const CHECKS: &[Check] = &[
    server::check,
    connections::check,
    standby::check,
    usable_key::check,
    broken_object::check,
    guard_gap::check,
    logging::check,
    prepared::check,
    relation::check,
    rule::check,
    room::check,
    row_security::check,
    privilege::check,
    operator::check,
    publication::check,
    trigger::check,
    key::check,
    registered::check,
    tenant::check,
    column::check,
    types::check,
    generated::check,
    storage_class::check,
    sealed_column::check,
    blind_index::check,
    few_distinct::check,
    in_place_type::check,
    width::check,
    unique::check,
    check_constraint::check,
    foreign_key::check,
    index::check,
    view::check,
    mention::check,
    not_null::check,
];

/// One column of the plan with its facts.
#[derive(Clone, Copy)]
struct Field<'a> {
    plan: &'a ColumnPlan,
    /// The plaintext column, if it exists.
    column: Option<&'a ColumnFacts>,
    /// The column's registration.
    record: Option<&'a FieldRecord>,
}

impl<'a> Field<'a> {
    fn name(&self) -> &'a str {
        self.plan.name.as_str()
    }

    fn in_place(&self) -> bool {
        self.plan.target == SealTo::InPlace
    }

    /// The column that takes the sealed values; `None` in place.
    fn seal_into(&self) -> Option<&'a Ident> {
        match &self.plan.target {
            SealTo::Beside(column) => Some(column),
            SealTo::InPlace => None,
        }
    }

    /// Whether finalize has put phiseal's constraints on the sealed column.
    fn finalized(&self) -> bool {
        self.record.is_some_and(|record| {
            matches!(record.state, FieldState::Finalized | FieldState::Scrubbed)
        })
    }

    /// Whether `columns` name the plaintext column and not also the sealed one, as phiseal's own
    /// constraints and indexes do.
    fn is_in(&self, columns: &[String]) -> bool {
        let has = |name: &str| columns.iter().any(|column| column == name);
        has(self.name()) && !self.seal_into().is_some_and(|sealed| has(sealed.as_str()))
    }
}

impl<'a> Preflight<'a> {
    /// The columns of the plan, each with its facts; none if the table is missing.
    fn fields(&self) -> impl Iterator<Item = (&'a TableFacts, Field<'a>)> + use<'a> {
        let (table, plan, registered) = (self.table, self.plan, self.registered);
        plan.columns.iter().filter_map(move |column| {
            let table = table?;
            let field = Field {
                plan: column,
                column: column_of(table, column.name.as_str()),
                record: registered::record_of(plan, table, registered, column),
            };
            Some((table, field))
        })
    }

    /// Reports an object that reads or restricts the plaintext of `field`. In place this refuses a
    /// backfill, since the values change; beside, the object only has to be gone before finalize.
    fn in_the_way(
        &self,
        out: &mut Findings,
        code: &'static str,
        field: &Field<'_>,
        what: String,
        remedy: &str,
    ) {
        if self.purpose != RunPurpose::Backfill {
            return;
        }
        let at = Some(field.name());
        if field.in_place() {
            out.refuse(code, self.plan, at, what, remedy);
        } else {
            let hint =
                format!("sealing does not touch it; before the plaintext is dropped, {remedy}");
            out.warn(code, self.plan, at, what, hint);
        }
    }

    /// Whether the run writes rows of the table.
    fn writes(&self) -> bool {
        self.purpose != RunPurpose::Verify
    }
}

/// The column of that name.
fn column_of<'a>(table: &'a TableFacts, name: &str) -> Option<&'a ColumnFacts> {
    table.columns.iter().find(|column| column.name == name)
}

/// Whether phiseal made this index or constraint: the stores put `phiseal` into each name.
fn is_ours(name: &str) -> bool {
    name.contains("phiseal")
}

/// The names for a message: `a, b`.
fn listed<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    let mut line = String::new();
    for name in names {
        if !line.is_empty() {
            line.push_str(", ");
        }
        line.push_str(name.as_ref());
    }
    line
}

#[cfg(test)]
mod tests;
