//! E0217 and E0218: rights that phiseal's role lacks, each with its GRANT, and objects that only an
//! owner can make.
//! A DBA may have prepared everything from `plan --sql`; then the role need not own the table.

use super::{Field, Findings, Preflight, RunPurpose, column_of, listed, resolve};
use crate::ident::{Ident, TableName};
use crate::store::catalog::TableFacts;
use crate::store::grants::verified_columns;
use crate::store::right::{Right, Securable, grant_membership};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    let role = &p.server.role;
    let mut missing = on_own_tables(p);
    if let Some(table) = p.table {
        match p.writes() {
            true => missing.extend(table.missing_rights.iter().cloned()),
            false => missing.extend(to_verify(p, table)),
        }
        missing.extend(denied_columns(p, table));
    }
    for right in missing {
        out.refuse(
            "E0217",
            p.plan,
            None,
            format!("the role {role} lacks {right}"),
            right.grant_to(role),
        );
    }
    let Some(table) = p.table else { return };
    if !table.owner {
        ownership(p, table, out);
    }
    let create = p.server.create_denied.as_ref();
    if let Some(create) = create.filter(|_| p.purpose == RunPurpose::Backfill && !guarded(table)) {
        out.refuse(
            "E0218",
            p.plan,
            None,
            format!("the role {role} lacks {create}, which the guard's functions need"),
            format!(
                "{} Or let the owner of that schema run the statements of `phiseal plan --sql`",
                create.grant_to(role)
            ),
        );
    }
}

/// What the role lacks on phiseal's own tables. A verification that records nothing only reads them.
fn on_own_tables(p: &Preflight<'_>) -> Vec<Right> {
    let missing = p.server.missing_rights.iter();
    match p.writes() || p.server.unrecorded().is_none() {
        true => missing.cloned().collect(),
        false => missing
            .filter_map(|right| right.only(|one| matches!(one, "SELECT" | "USAGE")))
            .collect(),
    }
}

/// What a verification lacks on the table: the schema, or some of the columns that it reads.
fn to_verify(p: &Preflight<'_>, table: &TableFacts) -> Vec<Right> {
    let columns = resolve(p.plan, table, p.registered, p.dialect)
        .map(|resolved| verified_columns(&resolved, table));
    // Without a row key nothing is read; another check says so.
    let Ok(columns) = columns else {
        return Vec::new();
    };
    let is_denied = (columns.iter()).any(|name| table.unreadable_columns.contains(name));
    let read = |right: &Right| match right.on() {
        Securable::Tables(names) if right.includes("SELECT") => {
            names.first().filter(|_| is_denied).map(|name| {
                Right::new(
                    ["SELECT"],
                    Securable::Columns(name.clone(), columns.clone()),
                )
            })
        }
        _ => right.only(|one| one == "USAGE"),
    };
    table.missing_rights.iter().filter_map(read).collect()
}

/// `UPDATE` of the existing columns that the run writes and the role may not.
fn denied_columns(p: &Preflight<'_>, table: &TableFacts) -> Option<Right> {
    // The whole table, or that only its owner may run this, is reported already.
    let is_whole = (table.missing_rights.iter()).any(|right| right.includes("UPDATE"));
    if is_whole || (!table.owner && by_owner(p).is_some()) {
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
    let name = TableName {
        schema: Ident::new(table.schema.as_str()).ok(),
        name: p.plan.name.name.clone(),
    };
    Some(Right::new(["UPDATE"], Securable::Columns(name, denied)))
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

/// What the run makes or drops in its course, so that its role must own the table.
fn by_owner(p: &Preflight<'_>) -> Option<&'static str> {
    match p.purpose {
        RunPurpose::Finalize => Some("another guard, and constraints"),
        RunPurpose::Rotate { indexes: true } => {
            let mut fields = p.fields();
            let has_index = fields.any(|(_, field)| field.plan.blind_index.is_some());
            has_index.then_some("new columns of the blind indexes, and another guard")
        }
        RunPurpose::Restore { drop_sealed: true } => Some("the sealed columns and the guard"),
        _ => None,
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
    let by_owner = by_owner(p);
    made.extend(by_owner.map(str::to_owned));
    if !made.is_empty() {
        out.refuse(
            "E0218",
            p.plan,
            None,
            format!(
                "the role {} does not own the table, and only its owner may make or drop: {}",
                p.server.role,
                listed(made)
            ),
            format!(
                "{}run phiseal as the owner: {} and `role = \"{}\"` under [database] in the plan",
                match by_owner {
                    // There is no script for what comes in the middle of a command.
                    Some(_) => String::new(),
                    None => format!(
                        "let the owner {} run the statements of `phiseal plan --sql`, then run this again; or ",
                        table.owned_by
                    ),
                },
                grant_membership(&table.owned_by, &p.server.login),
                table.owned_by,
            ),
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
                format!(
                    "there is no index on {name} yet, and the role {} does not own the table",
                    p.server.role
                ),
                format!(
                    "let the owner {} create it once the backfill is done",
                    table.owned_by
                ),
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
