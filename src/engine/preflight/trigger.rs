//! E0224 to E0226: the application's triggers that a run's UPDATE would fire. They may write old
//! plaintext into audit tables, count versions up, or rewrite the row. E0260: triggers that fire
//! after the guard and can change what it has seen.

use super::{Dialect, Findings, Preflight};
use crate::plan::{SealTo, TriggerPolicy};
use crate::store::catalog::TriggerFacts;
use crate::store::{Right, Securable};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    let Some(table) = p.table.filter(|_| p.writes()) else {
        return;
    };
    let on_update = || {
        table
            .triggers
            .iter()
            .filter(|t| t.update && t.enabled != 'D')
    };
    for trigger in on_update() {
        fired(p, trigger, out);
    }
    will_fire(p, on_update(), out);
    for trigger in table
        .triggers
        .iter()
        .filter(|t| p.dialect == Dialect::Postgres && sorts_last(t))
    {
        out.refuse(
            "E0260",
            p.plan,
            None,
            format!(
                "trigger {} fires after phiseal's guard, and may change a value that the guard has already checked",
                trigger.name
            ),
            "rename it: triggers fire in the order of their names, byte by byte, and this one must come before ~phiseal",
        );
    }
    let in_place = p
        .plan
        .columns
        .iter()
        .any(|column| column.target == SealTo::InPlace);
    for trigger in on_update().filter(|t| in_place && t.before && t.row) {
        out.refuse(
            "E0225",
            p.plan,
            None,
            format!(
                "trigger {} may rewrite the row before it is stored in place",
                trigger.name
            ),
            "seal into a column beside the plaintext, or drop the trigger for good",
        );
    }
    if p.plan.triggers == TriggerPolicy::Suppress && on_update().next().is_some() {
        suppression(p, out);
    }
}

/// Whether the trigger fires before a row is written and after the guard has looked at it.
fn sorts_last(trigger: &TriggerFacts) -> bool {
    let behind = |guard: &str| trigger.name.as_bytes() >= guard.as_bytes();
    trigger.row
        && trigger.before
        && trigger.enabled != 'D'
        && (trigger.update && behind("~phiseal_n") || trigger.insert && behind("~phiseal_i"))
}

/// Reports triggers that will fire in one warning per table: the operator has decided, and a table
/// may have many.
fn will_fire<'t>(
    p: &Preflight<'_>,
    on_update: impl Iterator<Item = &'t TriggerFacts>,
    out: &mut Findings,
) {
    let names: Vec<String> = on_update
        .filter(|trigger| p.plan.triggers == TriggerPolicy::Fire && trigger.enabled != 'R')
        .map(|trigger| trigger.name.to_string())
        .collect();
    let (what, they) = match names.as_slice() {
        [] => return,
        [name] => (format!("trigger {name}"), "it keeps"),
        names => (format!("triggers {}", names.join(", ")), "they keep"),
    };
    out.warn(
        "E0224",
        p.plan,
        None,
        format!("{what} will fire for every row that is written"),
        format!("make sure that {they} no copy of OLD.* with the plaintext"),
    );
}

fn fired(p: &Preflight<'_>, trigger: &TriggerFacts, out: &mut Findings) {
    let name = &trigger.name;
    match p.plan.triggers {
        TriggerPolicy::Refuse if trigger.enabled != 'R' => out.refuse(
            "E0224",
            p.plan,
            None,
            format!("trigger {name} fires on UPDATE, for every row that is written"),
            "read what it does, then set triggers = \"fire\" or \"suppress\" in the plan",
        ),
        // `suppression` refuses this for the whole table.
        TriggerPolicy::Suppress if p.dialect == Dialect::Sqlite => {}
        // ENABLE ALWAYS and ENABLE REPLICA triggers fire under the replica role, the former under
        // any role.
        TriggerPolicy::Suppress if matches!(trigger.enabled, 'A' | 'R') => out.refuse(
            "E0224",
            p.plan,
            None,
            format!("trigger {name} fires under the replica role too, so it cannot be suppressed"),
            "ALTER TABLE … ENABLE TRIGGER makes it an ordinary one; or set triggers = \"fire\"",
        ),
        TriggerPolicy::Suppress => out.warn(
            "E0224",
            p.plan,
            None,
            format!("trigger {name} will not see the rows that are written"),
            "make sure that nothing depends on it, such as a search index or an updated_at column",
        ),
        // Reported together for the whole table.
        TriggerPolicy::Fire | TriggerPolicy::Refuse => {}
    }
}

fn suppression(p: &Preflight<'_>, out: &mut Findings) {
    let role = &p.server.role;
    match p.dialect {
        Dialect::Sqlite => out.refuse(
            "E0226",
            p.plan,
            None,
            "SQLite has no way to suppress triggers",
            "set triggers = \"fire\", or drop the trigger",
        ),
        Dialect::Postgres if !p.server.may_suppress_triggers => out.refuse(
            "E0226",
            p.plan,
            None,
            format!(
                "the role {role} may not set session_replication_role, so nothing can be suppressed"
            ),
            format!(
                "{} (PostgreSQL 15 and later), use a superuser, or set triggers = \"fire\"",
                Right::new(["SET"], Securable::Parameter("session_replication_role"))
                    .grant_to(role)
            ),
        ),
        Dialect::Postgres => {}
    }
}
