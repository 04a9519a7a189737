//! E0250 and E0251: with whose rights code of the table's owner runs.
//! CHECK constraints, domains, index expressions, triggers and casts are code of whoever owns the table,
//! and a write of ours runs it with the rights of our role.

use super::{Dialect, Findings, Preflight, listed};
use crate::quote;

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    let Some(table) = p.table.filter(|_| p.writes()) else {
        return;
    };
    if p.dialect == Dialect::Sqlite {
        return;
    }
    let (role, owner) = (&p.server.role, &table.owned_by);
    if p.server.superuser && !table.owner_is_superuser {
        out.warn(
            "E0250",
            p.plan,
            None,
            format!(
                "our role {role} is a superuser, and code of the table's owner {owner} (triggers, constraints, \
                 index expressions) runs with its rights"
            ),
            format!(
                "say role = {:?} under [database] in the plan, or log in as that role",
                owner
            ),
        );
    }
    if !table.switching.is_empty() {
        out.refuse(
            "E0251",
            p.plan,
            None,
            format!(
                "code that a write of this table runs could go back from the role {role} to the rights of the \
                 login {}: {}",
                p.server.login,
                listed(&table.switching)
            ),
            format!(
                "log in as {}, without `role` in the plan; or let a superuser own these functions once they \
                 are read",
                quote::identifier(role)
            ),
        );
    }
}
