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
                "synchronous_standby_names asks for {}, and {there} are there: a COMMIT would not end",
                counted(asked, "synchronous standby")
            ),
            "bring them back, or take them out of synchronous_standby_names until they are",
        ),
        Some(_) => {}
        None => out.warn(
            "E0272",
            p.plan,
            None,
            format!("role {} cannot see whether the synchronous standbys are there", p.server.login),
            "GRANT pg_monitor to it; if one is not there, every COMMIT waits, and says so",
        ),
    }
}
