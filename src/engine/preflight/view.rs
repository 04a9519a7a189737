//! E0234 and E0235: views, materialized views and rules that read the plaintext. They break, or
//! show sealed text; a materialized view also keeps a copy of the plaintext. Rules of the table
//! itself are E0259.

use super::{Findings, Preflight};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    for (table, field) in p.fields() {
        for reader in table.dependents.iter().filter(|d| field.is_in(&d.columns)) {
            let name = &reader.name;
            match reader.kind.as_str() {
                "view" => {
                    let what = format!("view {name} reads it");
                    p.in_the_way(out, "E0234", &field, what, "drop or redefine the view");
                }
                "materialized view" => {
                    let what = format!("materialized view {name} reads it, and keeps a copy");
                    p.in_the_way(out, "E0234", &field, what, "drop the materialized view");
                }
                "rule" if !table.rules.contains(name) => {
                    let what = format!("rule {name} of another table reads it");
                    p.in_the_way(out, "E0235", &field, what, "drop or redefine the rule");
                }
                _ => {}
            }
        }
    }
}
