//! E0247: in SQLite, times in which the guards could be bypassed. Values sealed then may not match
//! their plaintext.

use super::{Findings, Preflight};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    for gap in &p.server.guard_gaps {
        out.warn(
            "E0247",
            p.plan,
            None,
            gap.clone(),
            "any command that writes puts this program's guards there and no mark; then `phiseal verify` of all \
             tables opens and compares every value",
        );
    }
}
