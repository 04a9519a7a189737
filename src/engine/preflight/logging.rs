//! E0242: settings and statistics that keep copies of values sent to the server or stored in the
//! table. E0285: how much of the server's log that will be. Values are bound, so the text of a
//! statement has none; but the server may log its parameters.

use super::{Findings, Preflight, RunPurpose, listed};
use crate::engine::estimate;

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    if !p.server.statement_logging.is_empty() {
        let what = match p.purpose {
            RunPurpose::Restore { .. } => "plaintext that is written back",
            RunPurpose::Backfill
            | RunPurpose::Rotate { .. }
            | RunPurpose::Verify
            | RunPurpose::Finalize => "sealed values and row keys",
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
                "ALTER ROLE {} SET these to values that log less, or protect the log as you protect the table",
                p.server.role
            ),
        );
    }
    let writes_seals = matches!(p.purpose, RunPurpose::Backfill | RunPurpose::Rotate { .. });
    let settings = &p.server.batch_log.with_values;
    // A duration is logged when values are bound and when the statement has run, both with the values.
    let by_duration = |setting: &String| !setting.starts_with("log_statement ");
    let times = 1 + u64::from(settings.iter().any(by_duration));
    if let (Some(table), true, false) = (p.table, writes_seals, settings.is_empty()) {
        out.warn(
            "E0285",
            p.plan,
            None,
            format!(
                "the server's log will grow by about {} MB: it records every batch with its values, because of {}",
                (estimate::log_bytes(table, p.plan) * times).div_ceil(1_000_000),
                listed(settings)
            ),
            "set log_parameter_max_length = 0, or GRANT SET ON PARAMETER log_parameter_max_length to the role \
             (PostgreSQL 15); a batch then leaves its values out",
        );
    }
    for (table, field) in p.fields() {
        let kept = table
            .extended_statistics
            .iter()
            .any(|name| name == field.name());
        if kept && p.purpose == RunPurpose::Backfill {
            out.warn(
                "E0242",
                p.plan,
                Some(field.name()),
                "extended statistics keep values of this column",
                "run run DROP STATISTICS once the plaintext is gone: they keep samples of it",
            );
        }
    }
}
