//! E0271 and E0272: synchronous standbys, which every COMMIT waits for.

use super::{Findings, Preflight};
use crate::plural::counted;

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    let Some(standbys) = p.server.standbys else {
        return;
    };
    let asked = standbys.asked;
    match standbys.there {
        Some(there) if there < i64::from(asked) => out.refuse(
            "E0271",
            p.plan,
            None,
            format!(
                "synchronous_standby_names requires {}, and {there} are connected: a COMMIT would never return",
                counted(asked, "synchronous standby")
            ),
            "start them, or remove them from synchronous_standby_names until they run",
        ),
        Some(_) => {}
        None => out.warn(
            "E0272",
            p.plan,
            None,
            format!("role {} cannot see whether the synchronous standbys are connected", p.server.login),
            "GRANT pg_monitor to it; if a standby is missing, every COMMIT waits, and phiseal says so",
        ),
    }
}
