//! E0245 and E0269: NOT NULL or a default on a plaintext column that has a sealed one beside it. Neither
//! hinders a backfill, but both hinder an application that seals and leaves the plaintext out.

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
                "nothing to do now: `phiseal finalize` drops NOT NULL and sets it on the sealed column; an application that \
                 stops writing the plaintext before that needs it dropped",
            );
        }
        let has_default = field.column.is_some_and(|column| column.has_default);
        if has_default && !field.in_place() {
            out.warn(
                "E0269",
                p.plan,
                Some(field.name()),
                "the column has a default: when an application writes only the sealed value, the default would appear as \
                 plaintext, and phiseal would take it for a newer value",
                "drop the default before an application seals its own values",
            );
        }
    }
}
