//! `phiseal fields list|forget|rebind`: the registered fields, the tables they are in now, their
//! states.

use serde_json::{Value, json};

use super::status::fields_text;
use crate::cli::args::{Fields, Forget, Global, Rebind};
use crate::cli::output::Output;
use crate::cli::progress;
use crate::cli::question;
use crate::cli::screen;
use crate::cli::session::{Session, actor};
use crate::cli::signal;
use crate::engine::census;
use crate::engine::registered::name_of;
use crate::engine::{Engine, Stop};
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::ident::TableName;
use crate::plural::counted;
use crate::run::audit;
use crate::store::{FieldRecord, FieldState, Found, RelationRecord, ServerFacts};

/// Runs one `fields` subcommand.
///
/// # Errors
/// Errors of the store, and the refusals in this file.
pub async fn run(global: &Global, fields: &Fields, output: Output) -> Result<Exit, Fault> {
    match fields {
        Fields::List => list(global, output).await,
        Fields::Forget(args) => forget(global, args, output).await,
        Fields::Rebind(args) => rebind(global, args, output).await,
    }
}

async fn list(global: &Global, output: Output) -> Result<Exit, Fault> {
    let (session, _) = Session::installed(global, false).await?;
    let fields = session.store.fields().await?;
    let relations = session.store.sealed_relations().await?;
    let rows: Vec<Row> = fields.iter().map(|field| row(field, &relations)).collect();
    let value = Value::from(rows.iter().map(Row::object).collect::<Vec<_>>());
    let text = fields_text(&fields, &relations, screen::columns());
    output.result(&value, &text);
    Ok(Exit::Done)
}

/// A field, as `fields list` shows it.
pub struct Row {
    table: String,
    column: String,
    relation: Option<String>,
    detached: Vec<String>,
    state: &'static str,
    /// Whether its guard takes no plaintext any more.
    frozen: bool,
    health: Vec<String>,
}

impl Row {
    fn object(&self) -> Value {
        json!({
            "table": self.table,
            "column": self.column,
            "relation": self.relation,
            "detached": self.detached,
            "state": self.state,
            "frozen": self.frozen,
            "health": if self.health.is_empty() { "good".to_owned() } else { self.health.join("; ") },
        })
    }

    /// Whether its plaintext is gone, which says that it is frozen.
    fn is_removed(&self) -> bool {
        [FieldState::Finalized, FieldState::Scrubbed]
            .map(FieldState::as_str)
            .contains(&self.state)
    }

    /// Its cells: table, column, state, health, and the table as it is called now.
    pub fn line(&self) -> Vec<String> {
        let health = match self.health.as_slice() {
            [] => "good".to_owned(),
            all => all.join("; "),
        };
        vec![
            self.table.clone(),
            self.column.clone(),
            match self.frozen && !self.is_removed() {
                true => format!("{}, frozen", self.state),
                false => self.state.to_owned(),
            },
            health,
            self.relation.clone().unwrap_or_else(|| "gone".to_owned()),
        ]
    }
}

/// A field, with the relations of all tables that may hold sealed values.
pub fn row(field: &FieldRecord, relations: &[RelationRecord]) -> Row {
    let ours: Vec<&RelationRecord> = relations
        .iter()
        .filter(|one| one.table_label == field.table_label)
        .collect();
    let relation = match field.place.found {
        Found::Gone => None,
        _ => Some(name_of(field)),
    };
    let detached = ours
        .iter()
        .filter(|one| !one.attached)
        .filter_map(|one| one.now.as_ref().map(TableName::label))
        .collect();
    Row {
        table: field.table_label.clone(),
        column: field.column_label.clone(),
        relation,
        detached,
        state: field.state.as_str(),
        frozen: field.frozen,
        health: match field.state.may_hold_seals() {
            true => health(field, &ours),
            false => Vec::new(),
        },
    }
}

fn health(field: &FieldRecord, relations: &[&RelationRecord]) -> Vec<String> {
    let mut out: Vec<String> = field
        .place
        .renames
        .iter()
        .map(|(was, now)| format!("{was} is called {now} now"))
        .collect();
    if let Found::Several(tables) = &field.place.found {
        let names: Vec<String> = tables.iter().map(TableName::label).collect();
        out.push(format!(
            "several tables carry its guard: {}",
            names.join(", ")
        ));
    }
    if relations.is_empty() {
        out.push("not compared: nothing is recorded of its table in this database".to_owned());
    }
    for one in relations {
        let name = one.now.as_ref().unwrap_or(&one.recorded).label();
        out.extend(one.faults.iter().map(|fault| format!("{name}: {fault}")));
        out.extend(
            one.gap
                .iter()
                .map(|gap| format!("{name}: not compared, {gap}")),
        );
    }
    out
}

async fn forget(global: &Global, args: &Forget, output: Output) -> Result<Exit, Fault> {
    let (session, server) = Session::installed(global, false).await?;
    let stop = Stop::default();
    signal::watch(&stop, output);
    let engine = session.engine(progress::sink(output), stop).await?;
    let fields = named(&session, &args.label, args.column.as_deref()).await?;
    let sealed = still_sealed(&session, &server, &fields, None).await?;
    if sealed > 0 {
        return Err(Fault {
            code: "E0254",
            message: format!(
                "{} of {} are sealed and can be found: nothing was forgotten",
                counted(sealed, "value"),
                Foreign(&args.label)
            ),
            hint: "their keys would be lost with the field: `phiseal restore` them first, or delete them".to_owned(),
            exit: Exit::Refused,
        });
    }
    let columns: Vec<String> = fields
        .iter()
        .map(|field| field.column_label.clone())
        .collect();
    let lines: Vec<String> = (columns.iter())
        .map(|column| format!("{}.{column}", args.label))
        .collect();
    question::agreed(
        args.yes,
        "this makes phiseal forget what is registered of:",
        &lines,
        "Values of these fields in other places (backups, detached tables) are not counted any more. Go on?",
    )?;
    session.store.forget_fields(&args.label, &columns).await?;
    note(
        &session,
        &engine,
        "field.forget",
        &json!({
            "table": args.label, "columns": columns, "reason": args.reason,
        }),
    )
    .await?;
    output.result(
        &json!({ "table": args.label, "forgotten": columns }),
        &format!(
            "{} of {} forgotten",
            counted(columns.len(), "field"),
            Foreign(&args.label)
        ),
    );
    Ok(Exit::Done)
}

/// The registered fields with this table label, or only the field of `column`.
async fn named(
    session: &Session,
    label: &str,
    column: Option<&str>,
) -> Result<Vec<FieldRecord>, Fault> {
    let mut fields = session.store.fields().await?;
    fields.retain(|field| {
        field.table_label == label && column.is_none_or(|column| field.column_label == column)
    });
    if fields.is_empty() {
        return Err(Fault {
            code: "E0253",
            message: format!("no field of label {} is registered", Foreign(label)),
            hint: "see `phiseal fields list`: its first column is label and column".to_owned(),
            exit: Exit::Usage,
        });
    }
    Ok(fields)
}

/// Counts the sealed values of these fields in all tables that may hold them except `but`.
async fn still_sealed(
    session: &Session,
    server: &ServerFacts,
    fields: &[FieldRecord],
    but: Option<&TableName>,
) -> Result<u64, Fault> {
    let labels: Vec<&str> = fields
        .iter()
        .map(|field| field.column_label.as_str())
        .collect();
    let mut sealed = 0;
    for mut job in session.database(server).holders(fields, but).await? {
        let kept = (job.fields.iter()).map(|field| labels.contains(&field.label.as_str()));
        job.keep(&kept.collect::<Vec<_>>());
        let census = census::take(session.store.as_ref(), &[job.access()]).await?;
        sealed += census.values().sum::<u64>();
    }
    Ok(sealed)
}

async fn rebind(global: &Global, args: &Rebind, output: Output) -> Result<Exit, Fault> {
    let (session, server) = Session::installed(global, false).await?;
    let stop = Stop::default();
    signal::watch(&stop, output);
    let engine = session.engine(progress::sink(output), stop).await?;
    let fields = named(&session, &args.label, None).await?;
    let job = session.database(&server).job_at(&fields, &args.to).await?;
    let sealed = still_sealed(&session, &server, &fields, Some(&job.table.name)).await?;
    if sealed > 0 {
        return Err(Fault {
            code: "E0255",
            message: format!(
                "{} of {} are sealed in the table it is bound to now: nothing was changed",
                counted(sealed, "value"),
                Foreign(&args.label)
            ),
            hint: "two tables under one label would share their keys: delete what is sealed there, or drop that table"
                .to_owned(),
            exit: Exit::Refused,
        });
    }
    let done = engine.verify_only(&job).await?;
    let failed = done.seen.failed();
    if failed > 0 {
        return Err(Fault {
            code: "E0256",
            message: format!(
                "{} of the new table do not open, or open to something else: nothing was changed",
                counted(failed, "value")
            ),
            hint: "see `phiseal quarantine list`; where the plaintext is beside it, set the sealed value NULL: the next \
                   backfill seals it"
                .to_owned(),
            exit: Exit::Unverified,
        });
    }
    let relation = job.table.name.label();
    session.store.rebind(&job.table).await?;
    session.store.register_fields(&job.records).await?;
    note(&session, &engine, "field.rebind", &json!({
        "table": args.label, "to": relation, "values_compared": done.seen.values_opened(), "reason": args.reason,
    }))
    .await?;
    output.result(
        &json!({ "table": args.label, "relation": relation, "values_compared": done.seen.values_opened() }),
        &format!(
            "{} is {} now: {} opened and compared; run `phiseal backfill`, which makes its guard",
            Foreign(&args.label),
            Foreign(&relation),
            counted(done.seen.values_opened(), "value")
        ),
    );
    Ok(Exit::Done)
}

async fn note(
    session: &Session,
    engine: &Engine,
    action: &str,
    subject: &Value,
) -> Result<(), Fault> {
    let (store, keyring) = (session.store.as_ref(), &engine.tenants.keyring);
    audit::append(store, keyring, &actor(), action, subject).await?;
    Ok(())
}
