//! E0259: rewrite rules of the table. What takes an UPDATE would take those of a run, too, and those of the guard's
//! readers; whatever else a rule does, it does to what applications write, the plaintext included.

use super::{Findings, Preflight, Purpose};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    let Some(table) = p.table else { return };
    for rule in &table.rules {
        let updates = table.update_rules.contains(rule);
        let refused = match p.purpose {
            Purpose::Backfill => true,
            // What is sealed already has to be reached as long as it can be.
            Purpose::Rotate { .. } | Purpose::Restore { .. } => updates,
            Purpose::Verify => false,
        };
        if !refused {
            continue;
        }
        let what = match updates {
            true => "takes the UPDATE statements of a run",
            false => "rewrites what applications send to the table",
        };
        out.refuse(
            "E0259",
            p.plan,
            None,
            format!("rule {rule} of the table {what}"),
            "write a trigger in its place, and drop the rule",
        );
    }
}
