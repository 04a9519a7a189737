//! E0217 and E0218: privileges that phiseal's role lacks, and objects that only an owner can make.
//! A DBA may have prepared everything from `plan --sql`; then the role need not own the table.

use super::{Field, Findings, Preflight, RunPurpose, column_of, listed};
use crate::ident::Ident;
use crate::quote;
use crate::store::catalog::TableFacts;

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    let role = &p.server.role;
    let mut missing: Vec<String> = p.server.missing_privileges.clone();
    if let Some(table) = p.table {
        let of_table = table.missing_privileges.iter();
        missing.extend(
            of_table
                .filter(|line| p.writes() || !line.starts_with("UPDATE"))
                .cloned(),
        );
        missing.extend(denied_columns(p, table));
    }
    for privilege in missing {
        out.refuse(
            "E0217",
            p.plan,
            None,
            format!("our role {role} lacks {privilege}"),
            format!(
                "GRANT {} TO {}",
                privilege
                    .replacen(" on ", " ON ", 1)
                    .replacen("ON schema", "ON SCHEMA", 1),
                Ident::new(role.as_str())
                    .map_or_else(|_| quote::identifier(role), |name| name.label())
            ),
        );
    }
    let Some(table) = p.table else { return };
    if !table.owner {
        ownership(p, table, out);
    }
    if p.server.create_denied && p.purpose == RunPurpose::Backfill && !guarded(table) {
        out.refuse(
            "E0218",
            p.plan,
            None,
            format!("our role {role} may not create the guard's functions in our own schema"),
            "GRANT CREATE on that schema, or let its owner run the statements of `phiseal plan --sql`",
        );
    }
}

/// `UPDATE (a, b) on t` for existing columns that the run writes and the role may not.
fn denied_columns(p: &Preflight<'_>, table: &TableFacts) -> Option<String> {
    // The whole table has been reported already.
    if table
        .missing_privileges
        .iter()
        .any(|line| line.starts_with("UPDATE"))
    {
        return None;
    }
    let denied: Vec<String> = p
        .fields()
        .flat_map(|(_, field)| written(p.purpose, &field))
        .filter(|name| column_of(table, name).is_some_and(|column| column.update_denied))
        .collect();
    if denied.is_empty() {
        return None;
    }
    Some(format!(
        "UPDATE ({}) on {}",
        listed(denied),
        p.plan.name.label()
    ))
}

/// The columns of a field that the run writes.
fn written(purpose: RunPurpose, field: &Field<'_>) -> Vec<String> {
    let plain = field.name().to_owned();
    match purpose {
        RunPurpose::Verify => Vec::new(),
        RunPurpose::Restore { .. } | RunPurpose::Finalize => vec![plain],
        RunPurpose::Backfill | RunPurpose::Rotate { .. } => {
            let sealed = field
                .seal_into()
                .map_or(plain, |column| column.as_str().to_owned());
            let index = field.plan.blind_index.as_ref();
            std::iter::once(sealed)
                .chain(index.map(|index| index.column.as_str().to_owned()))
                .collect()
        }
    }
}

fn ownership(p: &Preflight<'_>, table: &TableFacts, out: &mut Findings) {
    let mut made: Vec<String> = p
        .fields()
        .flat_map(|(_, field)| written(p.purpose, &field))
        .filter(|name| column_of(table, name).is_none())
        .map(|name| format!("column {name}"))
        .collect();
    if p.purpose == RunPurpose::Backfill && !guarded(table) {
        made.push("the guard's triggers".to_owned());
    }
    if p.purpose == RunPurpose::Finalize {
        made.push("another guard, and constraints".to_owned());
    }
    if !made.is_empty() {
        out.refuse(
            "E0218",
            p.plan,
            None,
            format!(
                "our role {} does not own the table, and these are still to be made: {}",
                p.server.role,
                listed(made)
            ),
            "let its owner run the statements of `phiseal plan --sql`, then run this again",
        );
    }
    for (table, field) in p.fields() {
        let Some(index) = &field.plan.blind_index else {
            continue;
        };
        let name = index.column.as_str();
        let there = table
            .indexes
            .iter()
            .any(|i| i.columns.iter().any(|column| column == name));
        if !there && p.purpose == RunPurpose::Backfill {
            out.warn(
                "E0218",
                p.plan,
                Some(field.name()),
                format!("there is no index on {name} yet, and our role does not own the table"),
                "let its owner create it once the backfill is done",
            );
        }
    }
}

/// Whether both triggers of the guard exist on every partition and always fire.
fn guarded(table: &TableFacts) -> bool {
    let fires = |name: &str| {
        table
            .guard
            .iter()
            .any(|t| t.name == name && t.enabled == 'A')
    };
    if table.leaves.is_empty() {
        fires("~phiseal_i") && fires("~phiseal_u")
    } else {
        table.leaves.iter().all(|leaf| leaf.guarded)
    }
}
