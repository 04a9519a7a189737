//! E0222 and E0223: logical replication. An apply worker stops at the first row with a column that
//! its subscriber does not have; a full replica identity sends the old plaintext too.

use super::{Findings, Preflight, RunPurpose, column_of, listed};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    let Some(table) = p.table.filter(|_| p.purpose == RunPurpose::Backfill) else {
        return;
    };
    if !table.publications.is_empty() {
        let missing: Vec<&str> = p
            .plan
            .columns
            .iter()
            .flat_map(|column| {
                let index = column.blind_index.as_ref().map(|index| &index.column);
                sealed(&column.target).into_iter().chain(index)
            })
            .map(crate::ident::Ident::as_str)
            .filter(|name| column_of(table, name).is_none())
            .collect();
        let names = listed(&table.publications);
        if missing.is_empty() {
            out.warn(
                "E0222",
                p.plan,
                None,
                format!("it is published by {names}: every sealed row goes to the subscribers"),
                "make sure that each subscriber has the same columns; otherwise its replication stops",
            );
        } else {
            let columns = listed(missing);
            out.refuse(
                "E0222",
                p.plan,
                None,
                format!("it is published by {names}, and {columns} would be added"),
                format!(
                    "add {columns} on every subscriber first, then here with `phiseal plan --sql`"
                ),
            );
        }
    }
    if table.replica_identity_full {
        out.warn(
            "E0223",
            p.plan,
            None,
            "REPLICA IDENTITY FULL sends the old row, plaintext included, with every update",
            "set REPLICA IDENTITY DEFAULT, unless every consumer of the WAL may see plaintext",
        );
    }
}

fn sealed(target: &crate::plan::SealTo) -> Option<&crate::ident::Ident> {
    match target {
        crate::plan::SealTo::Beside(column) => Some(column),
        crate::plan::SealTo::InPlace => None,
    }
}
