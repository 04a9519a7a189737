//! E0243: prepared transactions that a run may have to wait for.

use super::{Findings, Preflight};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    if !p.writes() {
        return;
    }
    let prepared = p.server.prepared_transactions;
    if prepared > 0 {
        out.warn(
            "E0243",
            p.plan,
            None,
            format!(
                "{prepared} prepared transactions hold their locks and snapshots until resolved"
            ),
            "look at pg_prepared_xacts, and COMMIT PREPARED or ROLLBACK PREPARED those that were forgotten",
        );
    }
    let long = p.server.long_transactions;
    if long > 0 {
        out.warn(
            "E0243",
            p.plan,
            None,
            format!("{long} sessions have been in a transaction for over a minute"),
            "adding columns and the guard waits for those that use the table, and while one is open, no dead row version \
             makes room: table and indexes may double; see pg_stat_activity",
        );
    }
}
