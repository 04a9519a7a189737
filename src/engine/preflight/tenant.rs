//! E0212: the tenant column. Its text selects a row's keys, so it must be of a type whose text
//! changes only by a write to the row. NULL or an empty tenant has no key.

use super::{Dialect, Findings, Preflight, column, column_of, key};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    let (Some(table), Some(tenant)) = (p.table, &p.plan.tenant_column) else {
        return;
    };
    let name = tenant.as_str();
    let Some(facts) = column_of(table, name) else {
        out.refuse(
            "E0212",
            p.plan,
            Some(name),
            "there is no such tenant column",
            column::did_you_mean(table, name),
        );
        return;
    };
    if facts.generated {
        out.refuse(
            "E0212",
            p.plan,
            Some(name),
            "the tenant column is generated, and the guard cannot see its new value",
            "name the column from which it is generated",
        );
    }
    if p.dialect == Dialect::Postgres && key::kind_of(facts).is_none() {
        out.refuse(
            "E0212",
            p.plan,
            Some(name),
            format!("the tenant column is of type {}, whose text depends on settings", facts.sql_type),
            "use a column of an integer, uuid, text, numeric, date, timestamp, bytea or boolean type",
        );
    }
    if !facts.not_null && p.writes() {
        out.warn(
            "E0212",
            p.plan,
            Some(name),
            "the tenant column may be NULL; rows whose tenant is NULL or empty are listed in quarantine",
            "give each row a tenant, then SET NOT NULL",
        );
    }
}
