//! E0201, E0203 to E0206: the table exists, and is of a kind whose rows can be sealed.
//! E0268: SQLite tables whose name means a row in a trigger.

use super::{Dialect, Findings, Preflight, RunPurpose, listed};
use crate::store::catalog::{RelationKind, TableFacts};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    let Some(table) = p.table else {
        let hint = match p.dialect {
            Dialect::Postgres if p.plan.name.schema.is_none() => {
                "write its schema in the plan, as in \"public.patients\""
            }
            Dialect::Postgres => {
                "look at `\\dt *.*` in psql; capitals need quotes, as in 'public.\"Patients\"'"
            }
            Dialect::Sqlite => {
                "look at `.tables` in sqlite3, and whether the URL names the right file"
            }
        };
        let hint = new_name(p).unwrap_or_else(|| hint.to_owned());
        out.refuse("E0201", p.plan, None, "there is no such table", hint);
        return;
    };
    kind(p, table, out);
    storage(p, table, out);
    name(p, table, out);
}

/// Refuses tables called `old` or `new`. In a trigger that updates a table `old`, `OLD.x` is that
/// table's own column, so the guard would compare a row with itself and blank nothing.
fn name(p: &Preflight<'_>, table: &TableFacts, out: &mut Findings) {
    let taken = ["old", "new"]
        .iter()
        .any(|name| table.name.eq_ignore_ascii_case(name));
    if taken && p.dialect == Dialect::Sqlite && p.purpose == RunPurpose::Backfill {
        out.refuse(
            "E0268",
            p.plan,
            None,
            "a table of this name cannot have the guard: inside a trigger the name means the row before or after the change",
            "ALTER TABLE … RENAME TO another name",
        );
    }
}

/// A hint with the table's present name, if it was renamed.
fn new_name(p: &Preflight<'_>) -> Option<String> {
    let is_this = |was: &str| match &p.plan.name.schema {
        Some(_) => was == p.plan.name.label(),
        None => was == p.plan.name.label() || was.ends_with(&format!(".{}", p.plan.name.label())),
    };
    let mut renames = p.registered.iter().flat_map(|record| &record.place.renames);
    let (_, now) = renames.find(|(was, _)| is_this(was))?;
    Some(format!(
        "the table is now called {now}: write that name in the plan"
    ))
}

fn kind(p: &Preflight<'_>, table: &TableFacts, out: &mut Findings) {
    let refused = match table.kind {
        RelationKind::Table | RelationKind::Partitioned | RelationKind::Partition => None,
        RelationKind::View => Some(("a view", "name the table that it reads")),
        RelationKind::MaterializedView => Some((
            "a materialized view",
            "name the table that it reads, and refresh it afterwards: it holds copies",
        )),
        RelationKind::Foreign => Some((
            "a foreign table",
            "connect to the server that stores its rows, and seal them there",
        )),
        RelationKind::Other => Some(("not a table", "name a table")),
    };
    if let Some((what, hint)) = refused {
        out.refuse("E0203", p.plan, None, format!("it is {what}"), hint);
    }
    let foreign: Vec<&str> = (table.leaves.iter())
        .filter(|leaf| leaf.foreign)
        .map(|leaf| leaf.relation.as_str())
        .collect();
    if !foreign.is_empty() {
        out.refuse(
            "E0203",
            p.plan,
            None,
            format!("partitions are foreign tables: {}", listed(foreign)),
            "detach them, and seal their rows on the server that has them",
        );
    }
    if table.temporary {
        out.refuse(
            "E0203",
            p.plan,
            None,
            "it is a temporary table, which only its own session sees",
            "name a permanent table",
        );
    }
    if let (RelationKind::Partition, Some(root)) = (table.kind, &table.root) {
        out.warn(
            "E0203",
            p.plan,
            None,
            format!("it is a partition of {root}; the other partitions stay unsealed"),
            format!("name {root} in the plan to seal them all"),
        );
    }
}

fn storage(p: &Preflight<'_>, table: &TableFacts, out: &mut Findings) {
    if let Some(method) = &table.foreign_access_method {
        out.refuse(
            "E0204",
            p.plan,
            None,
            format!("its rows are stored by the access method {method}, not heap"),
            "phiseal needs row versions, which only heap tables have: ALTER TABLE … SET ACCESS METHOD heap",
        );
    }
    if table.inheritance {
        out.refuse(
            "E0205",
            p.plan,
            None,
            "it inherits from another table or is inherited from",
            "rows of child tables would be missed or read twice: make them partitions, or end the inheritance with NO INHERIT",
        );
    }
    if table.unlogged && p.purpose == RunPurpose::Backfill {
        out.warn(
            "E0206",
            p.plan,
            None,
            "it is unlogged: a crash of the server empties it, and replicas never have it",
            "nothing to do if this is intended",
        );
    }
}
