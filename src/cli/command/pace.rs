//! `phiseal pause|resume|speed`: what an operator asks of runs, from another terminal or host.
//! Owns the order: the request is written and noted first, then the processes at work are waited for.
//! Each of them reads the requests by itself; nothing is sent to it.

pub mod asked;
pub mod rendering;

use std::time::Duration;

use serde_json::{Value, json};

use self::asked::Asked;
use crate::cli::args::{Global, Speed, SpeedArg};
use crate::cli::figures;
use crate::cli::output::Output;
use crate::cli::screen;
use crate::cli::session::{Session, actor};
use crate::engine::under_way::{self, UnderWay};
use crate::error::{Exit, Fault};
use crate::pace::{Pace, PaceRequestKind};
use crate::run::audit;
use crate::store::PaceRequest;

/// How long the processes at work are waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// How long a speed holds if nothing else is said.
const A_DAY: Duration = Duration::from_secs(86_400);

/// Pauses the runs of the tables that are named, or of all, also those that begin later.
///
/// # Errors
/// Errors of the store, and a table that nobody knows.
pub async fn pause(global: &Global, output: Output) -> Result<Exit, Fault> {
    let (session, _) = Session::installed(global, false).await?;
    let asked = Asked::named(&session, &global.table).await?;
    for label in asked.labels() {
        let request = request(label, PaceRequestKind::Pause);
        session.store.put_pace_request(&request).await?;
    }
    note(&session, "pace.pause", &json!({}), &asked, output).await?;
    let found = settled(&session, &asked, UnderWay::is_paused).await?;
    let acknowledged = found.iter().all(UnderWay::is_paused);
    output.result(
        &rendering::answer("pause", &asked, &found, acknowledged),
        &rendering::paused(&asked, &found),
    );
    Ok(exit(acknowledged))
}

/// Lets the runs of the tables that are named, or of all, go on.
///
/// # Errors
/// Errors of the store, a table that nobody knows, and E0121 if a table is named and all are paused.
pub async fn resume(global: &Global, output: Output) -> Result<Exit, Fault> {
    let (session, _) = Session::installed(global, false).await?;
    let asked = Asked::named(&session, &global.table).await?;
    let withdrawn = withdraw(&session, PaceRequestKind::Pause, &asked).await?;
    if withdrawn > 0 {
        note(&session, "pace.resume", &json!({}), &asked, output).await?;
    }
    let found = settled(&session, &asked, |one| !one.is_paused()).await?;
    let acknowledged = found.iter().all(|one| !one.is_paused());
    let left = requests(&session, PaceRequestKind::Pause).await?;
    output.result(
        &rendering::answer("resume", &asked, &found, acknowledged),
        &rendering::resumed(&asked, &found, withdrawn, &left),
    );
    Ok(exit(acknowledged))
}

/// Asks for another pace, withdraws what was asked, or shows it.
///
/// # Errors
/// Errors of the store, a table that nobody knows, options that do not go together, and E0121 if a
/// table is named and the request is for all.
pub async fn speed(global: &Global, args: &Speed, output: Output) -> Result<Exit, Fault> {
    refuse_odd(args)?;
    let (session, _) = Session::installed(global, false).await?;
    let asked = Asked::named(&session, &global.table).await?;
    match args.pace {
        Some(SpeedArg::Plan) => slow_down_to_plan(&session, &asked, output).await,
        None if args.rows_per_second.is_none() => show(&session, &asked, output).await,
        _ => ask_for(&session, &asked, args, output).await,
    }
}

/// Refuses options that say nothing here.
fn refuse_odd(args: &Speed) -> Result<(), Fault> {
    let asks = args.rows_per_second.is_some() || args.period.is_some();
    let (message, hint) = match args.pace {
        Some(SpeedArg::Plan) if asks => (
            "`speed plan` withdraws what was asked for, and takes neither --rows-per-second nor --for",
            "leave them out",
        ),
        None if args.period.is_some() && args.rows_per_second.is_none() => (
            "--for says how long a request holds, and nothing is asked for",
            "give a pace or --rows-per-second as well",
        ),
        _ => return Ok(()),
    };
    Err(Fault {
        code: "E0101",
        message: message.to_owned(),
        hint: hint.to_owned(),
        exit: Exit::Usage,
    })
}

async fn ask_for(
    session: &Session,
    asked: &Asked,
    args: &Speed,
    output: Output,
) -> Result<Exit, Fault> {
    let pace = match args.pace {
        Some(SpeedArg::Polite) => Some(Pace::Polite),
        Some(SpeedArg::Fast) => Some(Pace::Fast),
        Some(SpeedArg::Plan) | None => None,
    };
    let period = args.period.unwrap_or(A_DAY);
    let wanted = PaceRequest {
        pace,
        rows_per_second_max: args.rows_per_second,
        seconds: Some(period.as_secs_f64()),
        ..request("", PaceRequestKind::Speed)
    };
    for label in asked.labels() {
        let request = PaceRequest {
            table_label: label.to_owned(),
            ..wanted.clone()
        };
        session.store.put_pace_request(&request).await?;
    }
    let terms = json!({
        "pace": pace.map(Pace::as_str),
        "rows_per_second_max": args.rows_per_second,
        "seconds": period.as_secs(),
    });
    note(session, "pace.speed", &terms, asked, output).await?;
    let found = under_way::on_tables(session.store.as_ref(), asked.tables()).await?;
    let mut value = rendering::answer("speed", asked, &found, true);
    // Nobody says so: a process takes it up when it next reads the requests.
    value["acknowledged"] = Value::Null;
    for (name, term) in terms.as_object().into_iter().flatten() {
        value[name] = term.clone();
    }
    let held = figures::duration(period.as_secs());
    output.result(&value, &rendering::sped(asked, &found, &wanted, &held));
    Ok(Exit::Done)
}

async fn slow_down_to_plan(
    session: &Session,
    asked: &Asked,
    output: Output,
) -> Result<Exit, Fault> {
    let withdrawn = withdraw(session, PaceRequestKind::Speed, asked).await?;
    if withdrawn > 0 {
        note(
            session,
            "pace.speed",
            &json!({ "pace": "plan" }),
            asked,
            output,
        )
        .await?;
    }
    let found = under_way::on_tables(session.store.as_ref(), asked.tables()).await?;
    let mut value = rendering::answer("speed", asked, &found, true);
    value["acknowledged"] = Value::Null;
    value["pace"] = json!("plan");
    output.result(&value, &rendering::as_planned(asked, withdrawn));
    Ok(Exit::Done)
}

async fn show(session: &Session, asked: &Asked, output: Output) -> Result<Exit, Fault> {
    let mut held = session.store.pace_requests().await?;
    held.retain(|one| one.table_label.is_empty() || asked.covers(&one.table_label));
    let now = session.store.audit_head().await?.now;
    let objects: Vec<Value> = held
        .iter()
        .map(|one| rendering::request_object(one, &now))
        .collect();
    let text = match held.is_empty() {
        true => "nothing is asked for: runs go as the plan says".to_owned(),
        false => rendering::requests_table(&held, &now, screen::columns()),
    };
    output.result(&json!({ "requests": objects }), &text);
    Ok(Exit::Done)
}

/// A request for a table, or for all if the label is empty.
fn request(label: &str, kind: PaceRequestKind) -> PaceRequest {
    PaceRequest {
        table_label: label.to_owned(),
        kind,
        pace: None,
        rows_per_second_max: None,
        seconds: None,
        actor: actor(),
        requested_at: String::new(),
    }
}

/// The requests of a kind that hold.
async fn requests(session: &Session, kind: PaceRequestKind) -> Result<Vec<PaceRequest>, Fault> {
    let mut held = session.store.pace_requests().await?;
    held.retain(|one| one.kind == kind);
    Ok(held)
}

/// Withdraws the requests for these tables, or every one. How many there were.
async fn withdraw(session: &Session, kind: PaceRequestKind, asked: &Asked) -> Result<u64, Fault> {
    if asked.is_all() {
        return Ok(session.store.withdraw_pace_request(kind, None).await?);
    }
    let held = requests(session, kind).await?;
    if let Some(of_all) = held.iter().find(|one| one.table_label.is_empty()) {
        return Err(asked.not_for_one(of_all));
    }
    let mut withdrawn = 0;
    for label in asked.labels() {
        withdrawn += session
            .store
            .withdraw_pace_request(kind, Some(label))
            .await?;
    }
    Ok(withdrawn)
}

/// Notes the request in the audit log. Whoever stops a run at night need not have the wrapping key: then
/// the request holds all the same, and the log has no entry.
async fn note(
    session: &Session,
    action: &str,
    terms: &Value,
    asked: &Asked,
    output: Output,
) -> Result<(), Fault> {
    let tenants = match session.tenants().await {
        Ok(tenants) => tenants,
        Err(fault) => {
            output.say(&format!(
                "warning: the keys cannot be loaded ([{}] {}): the request holds, and the audit log has no entry \
                 of it",
                fault.code, fault.message
            ));
            return Ok(());
        }
    };
    let mut subject = terms.clone();
    subject["tables"] = json!(asked.tables());
    let store = session.store.as_ref();
    Ok(audit::append(store, &tenants.keyring, &tenants.actor, action, &subject).await?)
}

/// The processes at work on these tables, once all are as asked or have had their time.
async fn settled(
    session: &Session,
    asked: &Asked,
    is_settled: impl Fn(&UnderWay) -> bool + Send,
) -> Result<Vec<UnderWay>, Fault> {
    let store = session.store.as_ref();
    Ok(under_way::settled(store, asked.tables(), is_settled, ANSWER_WITHIN).await?)
}

/// A process that has not answered goes on as it was: somebody else has what was asked for.
fn exit(acknowledged: bool) -> Exit {
    match acknowledged {
        true => Exit::Done,
        false => Exit::Held,
    }
}
