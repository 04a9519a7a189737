//! E0259: rewrite rules of the table. A rule on UPDATE would also rewrite the updates of a run and
//! of the guard's readers. Other rules act on what applications write, which includes the
//! plaintext.

use super::{Findings, Preflight, RunPurpose};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    let Some(table) = p.table else { return };
    for rule in &table.rules {
        let updates = table.update_rules.contains(rule);
        let refused = match p.purpose {
            RunPurpose::Backfill => true,
            // Sealed values must stay reachable as long as that is possible.
            RunPurpose::Rotate { .. } | RunPurpose::Restore { .. } | RunPurpose::Finalize => {
                updates
            }
            RunPurpose::Verify => false,
        };
        if !refused {
            continue;
        }
        let what = match updates {
            true => "replaces the UPDATE statements of a run",
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
