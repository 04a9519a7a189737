//! Jobs for every registered table, whether or not the plan file names it: a rotation or a
//! destruction concerns all sealed values.

use std::collections::BTreeMap;

use super::work::{Look, Looked, refused};
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::crypto::Normaliser;
use crate::engine::Job;
use crate::engine::preflight::{Dialect, KeysHave, Preflight, RunPurpose, check};
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::ident::{Ident, TableName};
use crate::plan::{BlindIndexPlan, ColumnPlan, SealTo, TablePlan, TriggerPolicy};
use crate::store::{Access, FieldRecord, Found, Scope, ServerFacts, StoreError, Whereabouts};

/// The registered tables that may hold sealed values, under their present names.
pub struct Reached {
    /// The tables that can be worked on.
    pub jobs: Vec<Job>,
    /// Why the other tables cannot, as one fault.
    pub refused: Option<Fault>,
    /// Tables that no longer exist; it is unknown where their rows went.
    pub gone: Vec<String>,
}

/// Jobs for all registered tables.
///
/// # Errors
/// All refusals at once.
pub async fn all(
    session: &Session,
    server: &ServerFacts,
    purpose: RunPurpose,
    output: Output,
) -> Result<Reached, Fault> {
    let (look, gone) = looked(session, server, purpose, output).await?;
    let mut jobs = with_detached(look.jobs()?);
    jobs.extend(orphans(session, server, &look.registered).await?);
    Ok(Reached {
        jobs,
        refused: None,
        gone,
    })
}

/// Jobs for those registered tables that can be worked on.
///
/// # Errors
/// What the store reports.
pub async fn able(
    session: &Session,
    server: &ServerFacts,
    purpose: RunPurpose,
    output: Output,
) -> Result<Reached, Fault> {
    let (look, gone) = looked(session, server, purpose, output).await?;
    let mut reached = Reached {
        jobs: Vec::new(),
        refused: look.refuse().err(),
        gone,
    };
    let (registered, dialect) = (look.registered, look.dialect);
    match orphans(session, server, &registered).await {
        Ok(jobs) => reached.jobs.extend(jobs),
        Err(fault) => {
            reached.refused.get_or_insert(fault);
        }
    }
    for table in look.tables {
        let alone = Look {
            tables: vec![table],
            registered: registered.clone(),
            dialect,
        };
        match alone.jobs() {
            Ok(jobs) => reached.jobs.extend(with_detached(jobs)),
            Err(fault) => {
                reached.refused.get_or_insert(fault);
            }
        }
    }
    Ok(reached)
}

/// The same jobs with detached partitions included.
fn with_detached(mut jobs: Vec<Job>) -> Vec<Job> {
    for job in &mut jobs {
        job.scope = Scope::Detached;
    }
    jobs
}

async fn looked(
    session: &Session,
    server: &ServerFacts,
    purpose: RunPurpose,
    output: Output,
) -> Result<(Look, Vec<String>), Fault> {
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
    let mut gone = Vec::new();
    for mut plan in tables(session, &registered)? {
        let lost = is_gone(&registered, &plan);
        let facts = match lost {
            true => None,
            false => session.store.table(&plan.name).await?,
        };
        let dropped = facts
            .as_ref()
            .map(|_| without_dropped(&mut plan, &registered));
        for column in dropped.into_iter().flatten() {
            output.say(&format!(
                "warning: column {} of table {} is registered, and what held its sealed values was dropped; if that is \
                 meant: phiseal fields forget",
                Foreign(column.as_str()),
                plan.name.label()
            ));
        }
        if facts.is_some() && plan.columns.is_empty() {
            continue;
        }
        if facts.is_none() {
            output.say(&format!(
                "warning: table {} is registered and not there any more",
                plan.name.label()
            ));
            gone.push(plan.label.unwrap_or_else(|| plan.name.label()));
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
    Ok((look, gone))
}

/// Jobs for the partitions that were detached from a table that no longer exists, one job each.
async fn orphans(
    session: &Session,
    server: &ServerFacts,
    registered: &[FieldRecord],
) -> Result<Vec<Job>, Fault> {
    let mut labels: Vec<&str> = registered
        .iter()
        .filter(|field| field.place.found == Found::Gone && field.state.may_hold_seals())
        .map(|field| field.table_label.as_str())
        .collect();
    labels.dedup();
    let mut jobs = Vec::new();
    for label in labels {
        let fields: Vec<FieldRecord> = registered
            .iter()
            .filter(|field| field.table_label == label)
            .cloned()
            .collect();
        for leaf in survivors(session, label).await? {
            jobs.push(job_at(session, server, &fields, &leaf).await?);
        }
    }
    Ok(jobs)
}

/// The relations with this label that still exist.
async fn survivors(session: &Session, label: &str) -> Result<Vec<TableName>, Fault> {
    let relations = session.store.sealed_relations().await?;
    let ours = relations.into_iter().filter(|one| one.table_label == label);
    Ok(ours.filter_map(|one| one.now).collect())
}

/// Removes the columns whose sealed values were dropped from a plan, and returns them. Keeps a
/// column that is only missing under its name.
fn without_dropped(plan: &mut TablePlan, registered: &[FieldRecord]) -> Vec<Ident> {
    let label = plan.label.clone();
    let is_dropped = |name: &Ident| {
        registered.iter().any(|field| {
            Some(&field.table_label) == label.as_ref()
                && field.column_name == name.as_str()
                && field.place.holder_dropped
        })
    };
    let (dropped, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut plan.columns)
        .into_iter()
        .partition(|column| is_dropped(&column.name));
    plan.columns = kept;
    dropped.into_iter().map(|column| column.name).collect()
}

fn is_gone(registered: &[FieldRecord], plan: &TablePlan) -> bool {
    let mut ours = registered
        .iter()
        .filter(|field| plan.label.as_deref() == Some(&field.table_label));
    ours.any(|field| field.place.found == Found::Gone)
}

/// The plan by which each table was sealed, with the present names of the table and its columns.
/// The trigger policy comes from the plan file.
fn tables(session: &Session, registered: &[FieldRecord]) -> Result<Vec<TablePlan>, Fault> {
    let planned = &session.plan.tables;
    let mut tables: BTreeMap<&str, Vec<&FieldRecord>> = BTreeMap::new();
    let sealed = registered
        .iter()
        .filter(|field| field.state.may_hold_seals());
    for field in sealed {
        tables.entry(&field.table_label).or_default().push(field);
    }
    let mut plans = Vec::new();
    for (label, fields) in tables {
        if let Found::Several(several) = &fields[0].place.found {
            return Err(ambiguous(label, several));
        }
        let named = |plan: &&TablePlan| {
            let schema = plan.name.schema.as_ref().map(Ident::as_str);
            plan.name.name.as_str() == fields[0].table_name
                && schema.is_none_or(|schema| schema == fields[0].schema_name)
        };
        plans.push(table(label, &fields, planned.iter().find(named))?);
    }
    Ok(plans)
}

fn ambiguous(label: &str, tables: &[TableName]) -> Fault {
    let names: Vec<String> = tables.iter().map(TableName::label).collect();
    Fault {
        code: "E0241",
        message: format!(
            "several tables carry the guard of label {}: {}",
            Foreign(label),
            Foreign(&names.join(", "))
        ),
        hint: "say which is the one of the label with `phiseal fields rebind`".to_owned(),
        exit: Exit::Refused,
    }
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
        on_untrusted_seal: plan.and_then(|plan| plan.on_untrusted_seal),
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
            Some(column) => SealTo::Beside(ident(column)?),
            None => SealTo::InPlace,
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

/// The present name of a field's table.
pub fn name_of(field: &FieldRecord) -> String {
    let name =
        |text: &String| Ident::new(text.clone()).map_or_else(|_| text.clone(), |name| name.label());
    match field.schema_name.as_str() {
        "" => name(&field.table_name),
        _ => format!("{}.{}", name(&field.schema_name), name(&field.table_name)),
    }
}

/// The job of registered fields as if `to` were their table.
///
/// # Errors
/// What preflight for a verification refuses about the table.
pub async fn job_at(
    session: &Session,
    server: &ServerFacts,
    fields: &[FieldRecord],
    to: &TableName,
) -> Result<Job, Fault> {
    let dialect = match session.sqlite {
        true => Dialect::Sqlite,
        false => Dialect::Postgres,
    };
    let facts = session.store.table(to).await?;
    let mut moved: Vec<FieldRecord> = session.store.fields().await?;
    for field in &mut moved {
        if Some(&field.table_label) == fields.first().map(|first| &first.table_label) {
            field.place = Whereabouts::default();
            if let Some(facts) = &facts {
                field.schema_name.clone_from(&facts.schema);
                field.table_name.clone_from(&facts.name);
            }
        }
    }
    let label = fields.first().map_or("", |field| &field.table_label);
    let ours: Vec<&FieldRecord> = moved
        .iter()
        .filter(|field| field.table_label == label && field.state.may_hold_seals())
        .collect();
    if ours.is_empty() {
        return Err(Fault {
            code: "E0253",
            message: format!("nothing of label {} is sealed", Foreign(label)),
            hint: "forget it (`phiseal fields forget`), and give the table a label of its own in the plan".to_owned(),
            exit: Exit::Usage,
        });
    }
    let mut plan = table(label, &ours, None)?;
    plan.name = to.clone();
    plan.triggers = TriggerPolicy::Fire;
    let findings = check(&Preflight {
        server,
        table: facts.as_ref(),
        plan: &plan,
        registered: &moved,
        keys: KeysHave {
            cell: true,
            blind_index: true,
        },
        purpose: RunPurpose::Verify,
        dialect,
    });
    let refusals: Vec<_> = findings.refusals().cloned().collect();
    match (&facts, refusals.is_empty()) {
        (Some(facts), true) => {
            Job::resolve(&plan, facts, &moved, dialect).map_err(|finding| refused(&[finding]))
        }
        _ => Err(refused(&refusals)),
    }
}

/// The tables, except `but`, that may hold sealed values of these fields: the table that has their
/// label, or all tables that have their guard if there are several.
///
/// # Errors
/// What the store reports.
pub async fn holders(
    session: &Session,
    server: &ServerFacts,
    fields: &[FieldRecord],
    but: Option<&TableName>,
) -> Result<Vec<Job>, Fault> {
    let Some(first) = fields.first() else {
        return Ok(Vec::new());
    };
    let tables = match &first.place.found {
        Found::Gone => survivors(session, &first.table_label).await?,
        Found::Several(tables) => tables.clone(),
        Found::Known | Found::Guarded | Found::Named => vec![TableName {
            schema: match first.schema_name.as_str() {
                "" => None,
                schema => Some(ident(schema)?),
            },
            name: ident(&first.table_name)?,
        }],
    };
    let mut jobs = Vec::new();
    for table in tables.iter().filter(|table| but != Some(*table)) {
        // A table that cannot be verified has none of the columns, so nothing is sealed in it.
        if let Ok(mut job) = job_at(session, server, fields, table).await {
            job.scope = Scope::Detached;
            jobs.push(job);
        }
    }
    Ok(jobs)
}

/// As [`all`] but without preflight, for counting only.
///
/// # Errors
/// A table whose key columns phiseal cannot use.
pub async fn counted(session: &Session) -> Result<Vec<Access>, Fault> {
    let registered = session.store.fields().await?;
    let dialect = if session.sqlite {
        Dialect::Sqlite
    } else {
        Dialect::Postgres
    };
    let mut counted = Vec::new();
    for mut plan in tables(session, &registered)? {
        if is_gone(&registered, &plan) {
            continue;
        }
        if let Some(facts) = session.store.table(&plan.name).await? {
            without_dropped(&mut plan, &registered);
            if plan.columns.is_empty() {
                continue;
            }
            let mut job = Job::resolve(&plan, &facts, &registered, dialect)
                .map_err(|finding| refused(&[finding]))?;
            job.scope = Scope::Detached;
            counted.push(job.access());
        }
    }
    let server = session.store.server().await?;
    let orphans = orphans(session, &server, &registered).await?;
    counted.extend(orphans.iter().map(Job::access));
    Ok(counted)
}
