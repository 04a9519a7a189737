//! E0245: NOT NULL on a plaintext column that has a sealed one beside it.

use super::{Findings, Preflight, RunPurpose};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    if p.purpose != RunPurpose::Backfill {
        return;
    }
    for (_, field) in p.fields() {
        let not_null = field.column.is_some_and(|column| column.not_null);
        if not_null && !field.in_place() {
            out.warn(
                "E0245",
                p.plan,
                Some(field.name()),
                "the column is NOT NULL",
                "nothing to do now; give the sealed column NOT NULL when this one is dropped",
            );
        }
    }
}
