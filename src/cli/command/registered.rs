//! Every registered table as something to work on, whatever the plan file says of it: a rotation
//! and a destruction are of all that is sealed, not of what is written down today.

use std::collections::BTreeMap;

use super::work::{Look, Looked, refused};
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::crypto::Normaliser;
use crate::engine::Job;
use crate::engine::preflight::{Dialect, KeysHave, Preflight, Purpose, check};
use crate::error::Fault;
use crate::ident::{Ident, TableName};
use crate::plan::{BlindIndexPlan, ColumnPlan, TablePlan, Target, TriggerPolicy};
use crate::store::{FieldRecord, FieldState, ServerFacts, StoreError};

/// The jobs of all registered tables of which something is sealed, whatever they are called by now. A
/// table that is gone is said and passed over: nothing is sealed in it any more.
///
/// # Errors
/// All refusals at once.
pub async fn jobs(
    session: &Session,
    server: &ServerFacts,
    purpose: Purpose,
    output: Output,
) -> Result<Vec<Job>, Fault> {
    let registered = session.store.fields().await?;
    let dialect = if session.sqlite {
        Dialect::Sqlite
    } else {
        Dialect::Postgres
    };
    let mut look = Look {
        tables: Vec::new(),
        registered: registered.clone(),
        dialect,
    };
    for plan in tables(session, &registered).await? {
        let facts = session.store.table(&plan.name).await?;
        if facts.is_none() {
            output.say(&format!(
                "warning: table {} is registered and not there any more",
                plan.name.label()
            ));
            continue;
        }
        let findings = check(&Preflight {
            server,
            table: facts.as_ref(),
            plan: &plan,
            registered: &registered,
            keys: KeysHave {
                cell: true,
                blind_index: true,
            },
            purpose,
            dialect,
        });
        look.tables.push(Looked {
            plan,
            facts,
            findings,
        });
    }
    look.jobs()
}

/// The plan that each table was sealed by, under the name it has now: that of the plan file for its
/// label, or else that of the table its guard is on. Its triggers are as the plan file has them.
async fn tables(session: &Session, registered: &[FieldRecord]) -> Result<Vec<TablePlan>, Fault> {
    let planned = &session.plan.tables;
    let mut tables: BTreeMap<&str, Vec<&FieldRecord>> = BTreeMap::new();
    let sealed = registered
        .iter()
        .filter(|field| !matches!(field.state, FieldState::Declared | FieldState::Restored));
    for field in sealed {
        tables.entry(&field.table_label).or_default().push(field);
    }
    let mut plans = Vec::new();
    for (label, fields) in tables {
        let labelled = planned
            .iter()
            .find(|plan| plan.label.as_deref() == Some(label));
        let name = match labelled {
            Some(plan) => Some(plan.name.clone()),
            None => session.store.guarded(fields[0]).await?,
        };
        let named = |plan: &&TablePlan| plan.name.name.as_str() == fields[0].table_name;
        let mut plan = table(label, &fields, labelled.or(planned.iter().find(named)))?;
        if let Some(name) = name {
            plan.name = name;
        }
        plans.push(plan);
    }
    Ok(plans)
}

fn table(
    label: &str,
    fields: &[&FieldRecord],
    plan: Option<&TablePlan>,
) -> Result<TablePlan, Fault> {
    let first = fields[0];
    let columns = fields
        .iter()
        .map(|field| column(field, plan))
        .collect::<Result<_, Fault>>()?;
    Ok(TablePlan {
        name: TableName {
            schema: match first.schema_name.as_str() {
                "" => None,
                schema => Some(ident(schema)?),
            },
            name: ident(&first.table_name)?,
        },
        label: Some(label.to_owned()),
        tenant_column: first.tenant_column.as_deref().map(ident).transpose()?,
        triggers: plan.map_or(TriggerPolicy::Refuse, |plan| plan.triggers),
        columns,
    })
}

fn column(field: &FieldRecord, plan: Option<&TablePlan>) -> Result<ColumnPlan, Fault> {
    let name = ident(&field.column_name)?;
    let planned = plan.and_then(|plan| plan.columns.iter().find(|column| column.name == name));
    let blind_index = match (&field.blind_index_column, &field.blind_index_normaliser) {
        (Some(column), Some(normaliser)) => Some(BlindIndexPlan {
            column: ident(column)?,
            normaliser: normaliser
                .parse::<Normaliser>()
                .map_err(|_| unexpected("a normaliser this version does not know"))?,
            bits: field
                .blind_index_bits
                .and_then(|bits| u16::try_from(bits).ok())
                .ok_or_else(|| unexpected("a blind index without its bits"))?,
            force: true,
            unique: planned
                .and_then(|column| column.blind_index.as_ref())
                .is_some_and(|index| index.unique),
        }),
        _ => None,
    };
    Ok(ColumnPlan {
        name,
        target: match &field.sealed_column {
            Some(column) => Target::Beside(ident(column)?),
            None => Target::InPlace,
        },
        blind_index,
        pad_to: field.pad_to,
    })
}

fn ident(name: &str) -> Result<Ident, Fault> {
    Ident::new(name).map_err(|_| unexpected("a name in the registry"))
}

fn unexpected(what: &'static str) -> Fault {
    StoreError::Unexpected { what }.into()
}

/// As [`jobs`], without preflight: for counting only.
///
/// # Errors
/// A table whose key cannot be worked with.
pub async fn counted(session: &Session) -> Result<Vec<crate::store::Target>, Fault> {
    let registered = session.store.fields().await?;
    let dialect = if session.sqlite {
        Dialect::Sqlite
    } else {
        Dialect::Postgres
    };
    let mut targets = Vec::new();
    for plan in tables(session, &registered).await? {
        if let Some(facts) = session.store.table(&plan.name).await? {
            let job = Job::resolve(&plan, &facts, &registered, dialect)
                .map_err(|finding| refused(&[finding]))?;
            targets.push(job.target);
        }
    }
    Ok(targets)
}
