//! E0233: generated columns: those that are to be sealed, and those that read a column to be
//! sealed.

use super::{Findings, Preflight, RunPurpose};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    for (table, field) in p.fields() {
        if field.column.is_some_and(|column| column.generated) && p.purpose != RunPurpose::Verify {
            out.refuse(
                "E0233",
                p.plan,
                Some(field.name()),
                "the column is generated: nobody can write to it, and the guard cannot see its new value",
                "seal the columns from which it is generated, and drop it",
            );
        }
        let readers = (table.dependents.iter())
            .filter(|d| d.kind == "generated column" && field.is_in(&d.columns));
        for reader in readers {
            let what = format!(
                "generated column {} is computed from it, and keeps the plaintext readable",
                reader.name
            );
            p.in_the_way(out, "E0233", &field, what, "drop the generated column");
        }
    }
}
