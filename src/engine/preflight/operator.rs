//! E0250 and E0251: code of other roles that runs with the rights of phiseal's role. CHECK
//! constraints, domains, index expressions, triggers and casts are code of the table's owner, or of
//! a role that may create triggers on it. A write by phiseal runs this code, and a read runs casts,
//! with the rights of phiseal's role.

use super::{Dialect, Findings, Preflight, listed};
use crate::quote;

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    let Some(table) = p.table else { return };
    if p.dialect == Dialect::Sqlite {
        return;
    }
    let (role, login, owner) = (&p.server.role, &p.server.login, &table.owned_by);
    let foreign = !table.owner_is_superuser || !table.code_of_others.is_empty();
    if p.server.login_superuser && foreign && role == login {
        out.warn(
            "E0250",
            p.plan,
            None,
            format!(
                "phiseal's role {role} is a superuser, so triggers and functions that others wrote run with superuser rights: \
                 those of the table's owner {owner}{}",
                also(&table.code_of_others)
            ),
            "log in as a role that has no rights of its own and is a member of the owner, with `role` under \
             [database] in the plan",
        );
    } else if p.server.login_superuser && foreign {
        out.warn(
            "E0250",
            p.plan,
            None,
            format!(
                "the login {login} is a superuser: the role {role} limits ordinary code, but hostile code in a trigger can \
                 return to superuser rights"
            ),
            format!("log in as a role that has no rights of its own and is a member of {role}"),
        );
    }
    if p.writes() && !table.switching.is_empty() {
        out.refuse(
            "E0251",
            p.plan,
            None,
            format!(
                "code that runs when this table is written could switch from the role {role} back to the login \
                 {}: {}",
                p.server.login,
                listed(&table.switching)
            ),
            format!(
                "log in as {}, without `role` in the plan; or review these functions and let a superuser own \
                 them",
                quote::identifier(role)
            ),
        );
    }
}

/// The names of such code, for the message.
fn also(code: &[String]) -> String {
    if code.is_empty() {
        return String::new();
    }
    format!(", and {}", listed(code))
}
