//! E0236: policies, triggers and functions that name the plaintext column.

use super::{Findings, Preflight};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    for (table, field) in p.fields() {
        let named = (table.dependents.iter())
            .filter(|d| matches!(d.kind.as_str(), "policy" | "trigger" | "function"))
            .filter(|d| field.is_in(&d.columns));
        for reader in named {
            let (kind, name) = (&reader.kind, &reader.name);
            let what = format!("{kind} {name} names the column");
            let remedy = format!("redefine the {kind} without it");
            p.in_the_way(out, "E0236", &field, what, &remedy);
        }
    }
}
