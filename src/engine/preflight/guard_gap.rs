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
            "any command that writes installs this program's guards; afterwards run `phiseal verify` on all tables, which \
             decrypts and compares every value",
        );
    }
}
