//! E0230: CHECK and EXCLUDE constraints that mention the plaintext column.

use super::{Findings, Preflight, is_ours};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    for (table, field) in p.fields() {
        let checks = (table.checks.iter())
            .filter(|check| field.is_in(&check.columns) && !is_ours(&check.name));
        for check in checks {
            let what = format!("constraint {} checks the plaintext", check.name);
            let remedy =
                "drop the constraint, and let the application check the value before it seals it";
            p.in_the_way(out, "E0230", &field, what, remedy);
        }
    }
}
