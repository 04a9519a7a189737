//! E0270: the connections that a run needs.

use super::{Findings, Preflight};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    let needed = i64::from(p.server.connections_needed);
    if let Some(free) = p.server.connections_free.filter(|free| *free < needed) {
        out.refuse(
            "E0270",
            p.plan,
            None,
            format!(
                "the command uses up to {needed} connections, and {} leaves it {}",
                p.server.connections_limit,
                free.max(0)
            ),
            "close idle sessions, raise the limit, or set fewer `lanes` in the [run] section of the plan: \
             a run uses lanes + 3",
        );
    }
}
