//! E0219: row-level security that hides rows. A hidden row would look done.

use super::{Findings, Preflight};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    if p.table.is_some_and(|table| table.row_security_applies) {
        out.refuse(
            "E0219",
            p.plan,
            None,
            format!("row-level security hides rows from phiseal's role {}", p.server.role),
            "use a role with BYPASSRLS, or the owner where the table has no FORCE ROW LEVEL SECURITY",
        );
    }
}
