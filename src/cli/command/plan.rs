//! `phiseal plan`: runs preflight; changes nothing.

mod script;

use serde_json::{Value, json};

use super::connection;
use super::tables::finding_json;
use crate::cli::args::{Global, PlanArgs};
use crate::cli::figures::{bytes, duration};
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::engine::estimate::{self, Conditions, Estimate, Sample};
use crate::engine::look::Look;
use crate::engine::preflight::{RunPurpose, surveyed};
use crate::engine::{Job, NoEvents, Stop};
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::plan::{SealTo, TablePlan};
use crate::store::{ServerFacts, Survey};

pub async fn run(global: &Global, args: &PlanArgs, output: Output) -> Result<Exit, Fault> {
    let session = Session::open(global, true).await?;
    let server = session.server().await?;
    let mut look = session.database(&server).look(RunPurpose::Backfill).await?;
    // A DBA who asks for the DDL need not have the key.
    let keys = match args.sql {
        true => None,
        false => keys_fault(&session, &server).await,
    };
    let surveys = survey(&session, &mut look, args.sql).await;
    let mut tables = Vec::new();
    let mut ddl = Vec::new();
    for (table, survey) in look.tables.iter().zip(&surveys) {
        let Some(facts) = &table.facts else {
            continue;
        };
        // A refused table may give no job, and then there is neither a sample nor DDL.
        let job = look.job(&table.plan, facts).ok();
        let refused = table.findings.refused();
        let sample = match &job {
            Some(job) if !refused && keys.is_none() => sample(&session, job).await,
            _ => None,
        };
        if let Some(job) = &job
            && !refused
        {
            let statements = session.store.ddl(&job.table).await?;
            ddl.push((table.plan.name.label(), statements));
        }
        let name = table.plan.name.label();
        let on = Conditions {
            sample: sample.as_ref(),
            left: survey.left,
            ..conditions(&server, is_in_place(&table.plan))
        };
        let estimate = estimate::backfill(facts, &table.plan, on);
        tables.push((name, estimate, sample.is_some()));
    }
    let transport = server.transport.as_ref();
    let mut warnings = connection::warnings(transport);
    warnings.extend(findings(&look, false));
    let mut refusals: Vec<Value> = keys.iter().map(of_keys).collect();
    refusals.extend(findings(&look, true));
    let first: Vec<&String> = (ddl.iter())
        .flat_map(|(_, ddl)| ddl.together.iter().chain(&ddl.alone))
        .collect();
    let value = json!({
        "connection": connection::object(transport),
        "refusals": refusals,
        "warnings": warnings,
        "tables": tables.iter().map(|(name, estimate, _)| object(name, estimate)).collect::<Vec<_>>(),
        "ddl": first,
        "ddl_after_backfill": ddl.iter().flat_map(|(_, ddl)| &ddl.later).collect::<Vec<_>>(),
    });
    if args.sql {
        output.sql(&value, &script::script(&ddl))?;
    } else {
        let warning = connection::warning_text(transport);
        let rest = text(&look, &tables, first.len(), keys.is_some());
        let lines = warning.into_iter().chain(keys.iter().map(trouble));
        let lines: Vec<String> = lines.chain([rest]).collect();
        output.result(&value, &lines.join("\n"));
    }
    let refused = look.tables.iter().any(|table| table.findings.refused());
    Ok(if refused || keys.is_some() {
        Exit::Refused
    } else {
        Exit::Done
    })
}

/// The first version of PostgreSQL whose tables a run reads in storage order.
const STORAGE_ORDER: i64 = 140_000;

fn is_in_place(plan: &TablePlan) -> bool {
    (plan.columns.iter()).any(|column| column.target == SealTo::InPlace)
}

/// What the server says of a run; a table with a column that is sealed in place is read in key order.
pub(super) fn conditions(server: &ServerFacts, in_place: bool) -> Conditions<'static> {
    Conditions {
        horizon_stands: server.long_transactions > 0,
        key_order: server.version_num < STORAGE_ORDER || in_place,
        ..Conditions::default()
    }
}

fn trouble(fault: &Fault) -> String {
    format!(
        "refused[{}] {}\n  hint: {}",
        fault.code, fault.message, fault.hint
    )
}

fn object(name: &str, estimate: &Estimate) -> Value {
    json!({
        "name": name,
        "rows": estimate.rows,
        "rows_to_seal": estimate.rows_left,
        "bytes": estimate.bytes,
        "growth_bytes_estimate": estimate.growth_bytes,
        "seconds_estimate": estimate.seconds,
        "wal_bytes_estimate": estimate.wal_bytes,
    })
}

/// Why the wrapping key cannot be loaded, or which data keys it does not unwrap: a run would end
/// with that error. If there are no keys yet, preflight says so for each table.
async fn keys_fault(session: &Session, server: &ServerFacts) -> Option<Fault> {
    session.keyring_if_any(server).await.err()
}

/// Examines rows of each table that is not refused, and reports those that no run can write. If the
/// examination takes too long, it reports nothing.
async fn survey(session: &Session, look: &mut Look, only_sql: bool) -> Vec<Survey> {
    let mut surveys = Vec::new();
    for at in 0..look.tables.len() {
        let table = &look.tables[at];
        let job = match (&table.facts, table.findings.refused()) {
            (Some(facts), false) => look.job(&table.plan, facts).ok(),
            _ => None,
        };
        let survey = match &job {
            Some(job) if !only_sql => match session.store.survey(&job.table).await {
                Ok(survey) => survey,
                Err(error) => {
                    tracing::warn!("the rows were not looked at: {error}");
                    Survey::default()
                }
            },
            _ => Survey::default(),
        };
        let table = &mut look.tables[at];
        surveyed(&table.plan, &survey, &mut table.findings);
        surveys.push(survey);
    }
    surveys
}

/// A fault of the keys as a JSON refusal that belongs to no table.
fn of_keys(fault: &Fault) -> Value {
    json!({ "code": fault.code, "table": null, "column": null, "message": fault.message, "hint": fault.hint })
}

/// Reads and seals a few pages in memory. `None` if there are no keys or reading fails; preflight
/// has reported that already.
async fn sample(session: &Session, job: &Job) -> Option<Sample> {
    let stop = Stop::default();
    let engine = session
        .engine(std::sync::Arc::new(NoEvents), stop)
        .await
        .ok()?;
    engine.sample(job).await.ok().flatten()
}

fn findings(look: &Look, refusals: bool) -> Vec<Value> {
    look.tables
        .iter()
        .flat_map(|table| table.findings.all())
        .filter(|finding| (finding.level == crate::engine::preflight::Level::Refusal) == refusals)
        .map(finding_json)
        .collect()
}

fn text(look: &Look, tables: &[(String, Estimate, bool)], ddl: usize, keys: bool) -> String {
    let mut out = Vec::new();
    for (name, e, sampled) in tables {
        out.push(format!(
            "{}: ~{} rows{}, ~{}; the backfill takes ~{}{}, grows table and indexes by ~{}, writes ~{} of WAL",
            Foreign(name),
            e.rows,
            match e.rows_left < e.rows {
                true => format!(" (~{} to seal)", e.rows_left),
                false => String::new(),
            },
            bytes(e.bytes),
            duration(e.seconds),
            if *sampled { "" } else { " (not measured)" },
            bytes(e.growth_bytes),
            bytes(e.wal_bytes),
        ));
    }
    for (title, refusals) in [("refused", true), ("warning", false)] {
        for table in &look.tables {
            let list: Vec<_> = if refusals {
                table.findings.refusals().collect()
            } else {
                table.findings.warnings().collect()
            };
            for finding in list {
                out.push(format!(
                    "{title}[{}] {finding}\n  hint: {}",
                    finding.code, finding.hint
                ));
            }
        }
    }
    if ddl > 0 {
        out.push(format!(
            "{ddl} statements of DDL are to be run first; see them with `phiseal plan --sql`"
        ));
    }
    if !keys && look.tables.iter().all(|table| !table.findings.refused()) {
        out.push("nothing stands in the way: `phiseal backfill`".to_owned());
    }
    out.join("\n")
}
