//! E0242: settings and statistics that keep copies of what passes through or lies in the table.
//! Values are bound, so a statement's text holds none; its parameters in the log do.

use super::{Findings, Preflight, Purpose, listed};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    if !p.server.statement_logging.is_empty() {
        let what = match p.purpose {
            Purpose::Restore { .. } => "plaintext that is written back",
            Purpose::Backfill | Purpose::Rotate { .. } | Purpose::Verify => {
                "sealed values and row keys"
            }
        };
        out.warn(
            "E0242",
            p.plan,
            None,
            format!(
                "the server may log {what}: {}",
                listed(&p.server.statement_logging)
            ),
            format!(
                "ALTER ROLE {} SET these to their quiet values, or guard the log as you guard the table",
                p.server.role
            ),
        );
    }
    for (table, field) in p.fields() {
        let kept = table
            .extended_statistics
            .iter()
            .any(|name| name == field.name());
        if kept && p.purpose == Purpose::Backfill {
            out.warn(
                "E0242",
                p.plan,
                Some(field.name()),
                "extended statistics keep values of this column",
                "DROP STATISTICS once the plaintext is gone: they keep samples of it",
            );
        }
    }
}
