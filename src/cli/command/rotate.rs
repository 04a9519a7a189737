//! `phiseal rotate`: makes a new key version, seals everything again under it, and records that in
//! the history. Run again after an interruption, it finishes the unfinished rotation and begins no
//! other.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::keys::destroy;
use super::work::{per_second, rounded};
use crate::cli::args::{Global, KeyPurpose, RotateArgs};
use crate::cli::output::Output;
use crate::cli::progress;
use crate::cli::session::Session;
use crate::cli::signal;
use crate::crypto::{KeyId, Purpose};
use crate::engine::preflight::RunPurpose;
use crate::engine::registered::Reached;
use crate::engine::rotation::{Finish, Finished, RotationRequest};
use crate::engine::search::Reach;
use crate::engine::{Engine, Stop};
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::keys::rotation::REMAINDER;
use crate::keys::{Due, KeyFor, KeyRecord, KeyStatus, RotationKind, RotationRecord};
use crate::plural::counted;

pub async fn run(global: &Global, args: &RotateArgs, output: Output) -> Result<Exit, Fault> {
    refuse_tables(global)?;
    if args.if_due {
        let looking = global.looking();
        let (session, _) = Session::installed(&looking, false).await?;
        if !is_anything_to_do(&session, args).await? {
            warn_suspended(&session, args, output).await?;
            return Ok(not_due(output));
        }
    }
    let (session, server) = Session::installed(global, false).await?;
    let newest = session.store.rotations(1).await?;
    let since = newest.iter().map(|record| record.history_id).max();
    let open: BTreeSet<i64> = newest
        .iter()
        .filter(|record| is_unfinished(record))
        .map(|record| record.history_id)
        .collect();
    warn_suspended(&session, args, output).await?;
    let wanted = wanted(&session, args).await?;
    if wanted.is_empty() && open.is_empty() {
        return Ok(not_due(output));
    }
    let stop = Stop::default();
    signal::watch(&stop, output);
    let engine = session.engine(progress::sink(output), stop).await?;
    let indexes = is_of_indexes(&session, &wanted, &open).await?;
    let purpose = RunPurpose::Rotate { indexes };
    let database = session.database(&server);
    let say = |line: &str| output.say(line);
    let mut reached = match args.going.keep_going {
        true => database.able_registered(purpose, &say).await?,
        false => database.all_registered(purpose, &say).await?,
    };
    if reached.jobs.is_empty()
        && let Some(refused) = reached.refused.take()
    {
        return Err(refused.into());
    }
    let order = RotationRequest {
        keys: wanted,
        reason: args.reason.clone(),
        new_key: args.new_key,
        since: since.unwrap_or_default(),
        open,
    };
    let grace = Duration::from_secs(args.grace);
    rotate(&engine, &mut reached, &order, grace, output).await
}

fn is_unfinished(record: &RotationRecord) -> bool {
    record.finished_at.is_none() && record.kind != RotationKind::Rewrap
}

/// Whether this command replaces blind indexes. Unfinished rotations decide it if there are any.
async fn is_of_indexes(
    session: &Session,
    wanted: &[KeyFor],
    open: &BTreeSet<i64>,
) -> Result<bool, Fault> {
    if open.is_empty() {
        return Ok(wanted.iter().any(|key| key.purpose == Purpose::BlindIndex));
    }
    let keys = session.store.key_records().await?;
    let unfinished = session.store.rotations(u32::MAX).await?;
    let to = unfinished
        .iter()
        .filter(|record| is_unfinished(record))
        .filter_map(|record| record.to_key_id);
    let of_indexes = |id: KeyId| {
        let key = keys.iter().find(|key| key.key_id == id);
        key.is_some_and(|key| key.purpose == Purpose::BlindIndex)
    };
    Ok(to.into_iter().any(of_indexes))
}

/// Whether a key is due or a rotation is unfinished.
async fn is_anything_to_do(session: &Session, args: &RotateArgs) -> Result<bool, Fault> {
    let newest = session.store.rotations(1).await?;
    Ok(newest.iter().any(is_unfinished) || !wanted(session, args).await?.is_empty())
}

/// Refuses `--table`: a key serves all tables.
///
/// # Errors
/// E0116 if `--table` is given.
pub fn refuse_tables(global: &Global) -> Result<(), Fault> {
    if global.table.is_empty() {
        return Ok(());
    }
    Err(Fault {
        code: "E0116",
        message: "--table has no meaning here: a key is of all tables".to_owned(),
        hint: "leave it out; --tenant narrows a rotation to one tenant".to_owned(),
        exit: Exit::Usage,
    })
}

/// Finishes the unfinished rotations, or else begins and finishes the ordered one; prints the
/// result.
async fn rotate(
    engine: &Engine,
    reached: &mut Reached,
    order: &RotationRequest,
    grace: Duration,
    output: Output,
) -> Result<Exit, Fault> {
    let begun = Instant::now();
    let mut open = engine.unfinished().await?;
    if open.is_empty() && order.keys.is_empty() {
        // Another process finished the rotation in the meantime.
        return Ok(not_due(output));
    }
    let resumed = !open.is_empty();
    if resumed {
        output.say("finishing the rotation that was interrupted");
    } else {
        let before = engine.store.key_records().await?;
        let started = engine.begin_rotation(&reached.jobs, order).await?;
        let was_active = |record: &RotationRecord| {
            let key = before
                .iter()
                .find(|key| Some(key.key_id) == record.to_key_id);
            key.is_some_and(|key| key.status == KeyStatus::Active)
        };
        if started.iter().any(was_active) {
            output.say("the last rotation left values behind: they are tried again, under the key that is active; --new-key makes another");
        }
        open.retain(|one| started.iter().all(|new| new.history_id != one.history_id));
        open.extend(started);
    }
    let conclusion = Conclusion {
        reached,
        open: &open,
        reach: &Reach::default(),
        resumed,
        begun,
        grace,
    };
    conclude(engine, conclusion, output).await
}

/// What `conclude` needs to finish rotations.
pub struct Conclusion<'a> {
    /// The registered tables.
    pub reached: &'a mut Reached,
    /// The unfinished records.
    pub open: &'a [RotationRecord],
    /// How far to search for values of a compromised key.
    pub reach: &'a Reach,
    /// Whether an earlier command began the rotations.
    pub resumed: bool,
    /// When the command began.
    pub begun: Instant,
    /// How long applications may go on with the keys they have loaded.
    pub grace: Duration,
}

/// Finishes open records, and prints what was done and what could not be done.
///
/// # Errors
/// What stops a run (the same command resumes it), or, once all other tables are done, what refuses
/// a table.
pub async fn conclude(
    engine: &Engine,
    conclusion: Conclusion<'_>,
    output: Output,
) -> Result<Exit, Fault> {
    let finished = finish(engine, &conclusion).await?;
    if let Some(refused) = conclusion.reached.refused.take() {
        output.say(&format!(
            "{} sealed again so far; what refuses a table keeps the record open, and is:",
            counted(finished.done.tally.rows_written, "row")
        ));
        return Err(refused.into());
    }
    say(&finished, &conclusion, output);
    let clean = finished
        .closed
        .iter()
        .all(|record| record.outcome.as_deref() != Some(REMAINDER));
    Ok(if clean { Exit::Done } else { Exit::Unverified })
}

async fn finish(engine: &Engine, conclusion: &Conclusion<'_>) -> Result<Finished, Fault> {
    let (open, reached) = (conclusion.open, &*conclusion.reached);
    let keys = engine.store.key_records().await?;
    let purpose = |record: &RotationRecord| {
        let to = keys.iter().find(|key| Some(key.key_id) == record.to_key_id);
        to.map(|key| key.purpose)
    };
    let (cells, indexes): (Vec<_>, Vec<_>) = open
        .iter()
        .filter(|record| record.finished_at.is_none())
        .cloned()
        .partition(|record| purpose(record) == Some(Purpose::Cell));
    // A record that another process has finished is reported as it is.
    let mut all = Finished {
        closed: open
            .iter()
            .filter(|record| record.finished_at.is_some())
            .cloned()
            .collect(),
        from: open.iter().filter_map(|one| one.from_key_id).collect(),
        ..Finished::default()
    };
    let part = |open| Finish {
        jobs: &reached.jobs,
        open,
        table_missing: !reached.gone.is_empty(),
        stays_open: reached.refused.is_some(),
        reach: conclusion.reach,
    };
    if !cells.is_empty() {
        let done = engine.finish_rotation(&part(&cells)).await?;
        all.closed.extend(done.closed);
        all.done.merge(done.done);
        all.from.extend(done.from);
        all.beyond = done.beyond;
    }
    if !indexes.is_empty() {
        let grace = conclusion.grace;
        let done = engine.finish_reindex(&part(&indexes), grace).await?;
        all.closed.extend(done.closed);
        all.done.merge(done.done);
    }
    all.closed.sort_by_key(|record| record.history_id);
    Ok(all)
}

/// The key purposes that the arguments ask for.
fn purposes(args: &RotateArgs) -> &'static [Purpose] {
    match (args.purpose, args.if_due) {
        (Some(KeyPurpose::Cell), _) | (None, false) => &[Purpose::Cell],
        (Some(KeyPurpose::BlindIndex), _) => &[Purpose::BlindIndex],
        (None, true) => &[Purpose::Cell, Purpose::BlindIndex],
    }
}

fn is_asked(args: &RotateArgs, record: &KeyRecord) -> bool {
    let tenant = args.tenant.as_ref();
    purposes(args).contains(&record.purpose) && tenant.is_none_or(|tenant| *tenant == record.tenant)
}

/// The keys to rotate: those asked for, or with `--if-due` those of them that are due.
async fn wanted(session: &Session, args: &RotateArgs) -> Result<Vec<KeyFor>, Fault> {
    let records = session.store.key_records().await?;
    let now = session.store.audit_head().await?.now;
    let due = |record: &&KeyRecord| {
        !args.if_due
            || matches!(
                Due::of(record, &now),
                Some(Due::Overdue(_) | Due::Unreadable)
            )
    };
    let mut keys: Vec<KeyFor> = records
        .iter()
        .filter(|record| is_asked(args, record) && record.status == KeyStatus::Active)
        .filter(due)
        .map(whom)
        .collect();
    if keys.is_empty() && !args.if_due {
        // No key is active; beginning the rotation will report why.
        keys = vec![KeyFor {
            tenant: args.tenant.clone().unwrap_or_default(),
            purpose: purposes(args)[0],
        }];
    }
    keys.sort_by(|a, b| (&a.tenant, a.purpose.as_str()).cmp(&(&b.tenant, b.purpose.as_str())));
    Ok(keys)
}

async fn warn_suspended(session: &Session, args: &RotateArgs, output: Output) -> Result<(), Fault> {
    for record in session.store.key_records().await? {
        if is_asked(args, &record) && record.status == KeyStatus::Suspended {
            output.say(&format!(
                "warning: key {} is suspended, and is not rotated until it is resumed",
                record.key_id
            ));
        }
    }
    Ok(())
}

fn whom(record: &KeyRecord) -> KeyFor {
    KeyFor {
        tenant: record.tenant.clone(),
        purpose: record.purpose,
    }
}

fn not_due(output: Output) -> Exit {
    let value = json!({
        "history_id": null, "from_key_ids": [], "to_key_id": null, "rows_found": 0, "rows_resealed": 0,
        "conflicts": 0, "quarantined": 0, "resumed": false, "outcome": "not due", "seconds": 0.0,
        "rows_per_second": 0.0, "rotations": [],
    });
    output.result(&value, "not due: no key's rotation date has come");
    Exit::Done
}

fn say(finished: &Finished, conclusion: &Conclusion<'_>, output: Output) {
    let (closed, done, from) = (&finished.closed, &finished.done, &finished.from);
    let (resumed, elapsed) = (conclusion.resumed, conclusion.begun.elapsed());
    let gone = &conclusion.reached.gone;
    let beyond = finished.beyond.0.as_ref();
    let tally = done.tally;
    let seconds = elapsed.as_secs_f64();
    let only = match closed.as_slice() {
        [one] => Some(one),
        _ => None,
    };
    let remainder = closed
        .iter()
        .any(|record| record.outcome.as_deref() == Some(REMAINDER));
    let outcome = closed
        .iter()
        .find(|record| !remainder || record.outcome.as_deref() == Some(REMAINDER))
        .and_then(|record| record.outcome.clone());
    let value = json!({
        "history_id": only.map(|record| record.history_id),
        "from_key_ids": from.iter().map(|id| id.get()).collect::<Vec<_>>(),
        "to_key_id": only.and_then(|record| record.to_key_id).map(|id| id.get()),
        "rows_found": tally.rows_found,
        "rows_resealed": tally.rows_written,
        "conflicts": tally.conflicts,
        "quarantined": tally.quarantined,
        "resumed": resumed || done.resumed,
        "outcome": outcome,
        "seconds": rounded(seconds),
        "rows_per_second": per_second(tally.rows_written, seconds),
        "rotations": closed.iter().map(object).collect::<Vec<_>>(),
        "not_there": gone,
        "searched": beyond.map(destroy::object),
    });
    let mut lines: Vec<String> = closed.iter().map(line).collect();
    lines.push(format!(
        "this run sealed {} again, {:.0} rows/s, {} s; {} retried",
        counted(tally.rows_written, "row"),
        per_second(tally.rows_written, seconds),
        rounded(seconds),
        counted(tally.conflicts, "conflict"),
    ));
    if remainder && (tally.quarantined > 0 || (gone.is_empty() && beyond.is_none())) {
        lines.push(
            "some values do not open and stay under their old key: see `phiseal quarantine list`"
                .to_owned(),
        );
    }
    if !gone.is_empty() {
        lines.push(format!(
            "registered and not there, so nobody knows what is sealed in them: {}",
            Foreign(&gone.join(", "))
        ));
    }
    if let Some(searched) = beyond.filter(|found| !found.hits.is_empty()) {
        lines.push(format!(
            "values under the compromised key are left: {}",
            Foreign(&searched.places())
        ));
    }
    if let Some(searched) = beyond.filter(|found| !found.closed.is_empty()) {
        let names = searched
            .closed
            .iter()
            .map(|one| format!("{} ({})", one.name, one.why));
        lines.push(format!(
            "not searched: {}; look into them otherwise, then name each with --except",
            Foreign(&names.collect::<Vec<_>>().join(", "))
        ));
    }
    output.result(&value, &lines.join("\n"));
}

/// A rotation record as JSON.
pub fn object(record: &RotationRecord) -> Value {
    json!({
        "history_id": record.history_id,
        "kind": record.kind.as_str(),
        "from_key_id": record.from_key_id.map(|id| id.get()),
        "to_key_id": record.to_key_id.map(|id| id.get()),
        "from_kek_ref": record.from_kek_ref,
        "to_kek_ref": record.to_kek_ref,
        "reason": record.reason,
        "started_at": record.started_at,
        "finished_at": record.finished_at,
        "actor": record.actor,
        "rows_found": record.counts.rows_found,
        "rows_resealed": record.counts.rows_resealed,
        "conflicts": record.counts.conflicts,
        "quarantined": record.counts.quarantined,
        "census": record.census.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok()),
        "outcome": record.outcome,
    })
}

fn line(record: &RotationRecord) -> String {
    let id = |id: Option<KeyId>| id.map_or_else(|| "?".to_owned(), |id| id.to_string());
    format!(
        "rotation {}: key {} -> key {}, {} re-sealed, {}",
        record.history_id,
        id(record.from_key_id),
        id(record.to_key_id),
        counted(record.counts.rows_resealed, "row"),
        Foreign(record.outcome.as_deref().unwrap_or("unfinished")),
    )
}
