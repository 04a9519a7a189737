//! `phiseal rotate`: makes a new key version, seals everything again under it, and records that in
//! the history. Run again after an interruption, it finishes the unfinished rotation and begins no
//! other.

use std::time::Duration;

use serde_json::{Value, json};

use super::keys::destroy;
use super::plan::conditions;
use super::{ahead, closing};
use crate::cli::args::{Global, KeyPurpose, RotateArgs};
use crate::cli::figures::{per_second, rounded};
use crate::cli::output::Output;
use crate::cli::progress;
use crate::cli::session::Session;
use crate::cli::signal;
use crate::crypto::{KeyId, Purpose};
use crate::engine::Stop;
use crate::engine::rotation::{KeySelection, Outlook, Rotated, Rotation, RotationAhead};
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::keys::{KeyRecord, RotationRecord};
use crate::plural::counted;

pub async fn run(global: &Global, args: &RotateArgs, output: Output) -> Result<Exit, Fault> {
    let selection = KeySelection {
        purpose: args.purpose.map(|purpose| match purpose {
            KeyPurpose::Cell => Purpose::Cell,
            KeyPurpose::BlindIndex => Purpose::BlindIndex,
        }),
        tenant: args.tenant.clone(),
        only_due: args.if_due,
    };
    if args.if_due {
        let looking = global.looking();
        let (session, _) = Session::installed(&looking, false).await?;
        let outlook = Outlook::of(session.store.as_ref(), &selection).await?;
        if outlook.is_idle() {
            warn_suspended(&outlook, output);
            return Ok(not_due(output));
        }
    }
    let (session, server) = Session::installed(global, false).await?;
    let outlook = Outlook::of(session.store.as_ref(), &selection).await?;
    warn_suspended(&outlook, output);
    if outlook.is_idle() {
        return Ok(not_due(output));
    }
    let stop = Stop::default();
    signal::watch(&stop, output);
    let engine = session.engine(progress::sink(output), stop).await?;
    let rotation = Rotation {
        database: session.database(&server),
        outlook,
        reason: args.reason.clone(),
        new_key: args.new_key,
        keep_going: args.going.keep_going,
        grace: Duration::from_secs(args.grace),
    };
    if args.dry_run {
        let on = conditions(&server, false);
        return would(engine.look_before_rotation(&rotation, on).await?, output);
    }
    match engine.rotate(&rotation).await? {
        Some(rotated) => conclude(rotated, output),
        None => Ok(not_due(output)),
    }
}

/// Shows what a rotation would do.
fn would(found: RotationAhead, output: Output) -> Result<Exit, Fault> {
    let ids =
        |keys: &[KeyRecord]| -> Vec<u32> { keys.iter().map(|key| key.key_id.get()).collect() };
    let value = json!({
        "would_refuse": found.refused.is_some(),
        "would_finish": found.open.iter().map(object).collect::<Vec<_>>(),
        "would_replace": ids(&found.keys),
        "would_retry_under": ids(&found.again),
        "tables": found.tables.iter().map(ahead::object).collect::<Vec<_>>(),
        "not_there": found.gone,
    });
    let mut lines: Vec<String> = (found.open.iter())
        .map(|record| format!("would finish {}, and begin no other", line(record)))
        .collect();
    lines.extend((found.keys.iter()).map(|key| format!("would replace {}", told(key))));
    lines.extend((found.again.iter()).map(|key| {
        format!(
            "would try again what the last rotation left behind, under {}",
            told(key)
        )
    }));
    lines.extend((found.tables.iter()).flat_map(|table| ahead::lines(table, "sealed again")));
    if !found.gone.is_empty() {
        lines.push(format!(
            "registered, but not in this database any more: {}",
            Foreign(&found.gone.join(", "))
        ));
    }
    output.result(&value, &lines.join("\n"));
    Ok(ahead::conclude(found.refused.map(Fault::from), output))
}

/// A key for a person: `key 7 (cell, version 2, tenant clinic-7)`.
fn told(key: &KeyRecord) -> String {
    let tenant = match key.tenant.as_str() {
        "" => String::new(),
        tenant => format!(", tenant {}", Foreign(tenant)),
    };
    format!(
        "key {} ({}, version {}{tenant})",
        key.key_id,
        key.purpose.as_str(),
        key.version
    )
}

/// Prints what was done and what could not be done.
///
/// # Errors
/// What refuses a table.
pub fn conclude(mut rotated: Rotated, output: Output) -> Result<Exit, Fault> {
    if let Some(refused) = rotated.refused.take() {
        output.say(&format!(
            "{} sealed again so far; the rotation stays open, because a table is refused:",
            counted(rotated.finished.done.tally.rows_written, "row")
        ));
        return Err(refused.into());
    }
    say(&rotated, output);
    Ok(match rotated.leaves_values() {
        true => Exit::Unverified,
        false => Exit::Done,
    })
}

fn warn_suspended(outlook: &Outlook, output: Output) {
    for key_id in &outlook.suspended {
        output.say(&format!(
            "warning: key {key_id} is suspended, so it is not rotated until you resume it (`phiseal keys resume`)"
        ));
    }
}

fn not_due(output: Output) -> Exit {
    let value = json!({
        "history_id": null, "from_key_ids": [], "to_key_id": null, "rows_found": 0, "rows_resealed": 0,
        "conflicts": 0, "quarantined": 0, "resumed": false, "outcome": "not due", "seconds": 0.0,
        "rows_per_second": 0.0, "rotations": [], "closing": null,
    });
    output.result(&value, "not due: no key's rotation date has come");
    Exit::Done
}

fn say(rotated: &Rotated, output: Output) {
    let (finished, gone) = (&rotated.finished, &rotated.gone);
    let (closed, done, from) = (&finished.closed, &finished.done, &finished.from);
    let (tally, seconds) = (done.tally, rotated.seconds);
    let beyond = finished.beyond.0.as_ref();
    let only = match closed.as_slice() {
        [one] => Some(one),
        _ => None,
    };
    let value = json!({
        "history_id": only.map(|record| record.history_id),
        "from_key_ids": from.iter().map(|id| id.get()).collect::<Vec<_>>(),
        "to_key_id": only.and_then(|record| record.to_key_id).map(|id| id.get()),
        "rows_found": tally.rows_found,
        "rows_resealed": tally.rows_written,
        "conflicts": tally.conflicts,
        "quarantined": tally.quarantined,
        "resumed": rotated.resumed || done.resumed,
        "outcome": rotated.outcome(),
        "seconds": rounded(seconds),
        "rows_per_second": per_second(tally.rows_written, seconds),
        "rotations": closed.iter().map(object).collect::<Vec<_>>(),
        "not_there": gone,
        "searched": beyond.map(destroy::object),
        "closing": closing::object(done.closing.as_ref()),
    });
    let mut lines: Vec<String> = closed.iter().map(line).collect();
    let retried = match tally.conflicts {
        0 => String::new(),
        rows => format!("; {} changed meanwhile and retried", counted(rows, "row")),
    };
    lines.push(format!(
        "this run sealed {} again at {:.0} rows/s, in {} s{retried}",
        counted(tally.rows_written, "row"),
        per_second(tally.rows_written, seconds),
        rounded(seconds),
    ));
    lines.extend(closing::retried(tally.conflicts));
    lines.extend(closing::lines(done.closing.as_ref()));
    let listed = tally.quarantined > 0 || (gone.is_empty() && beyond.is_none());
    if rotated.leaves_values() && listed {
        lines.push(
            "some values do not open and stay under their old key: see `phiseal quarantine list`"
                .to_owned(),
        );
    }
    if !gone.is_empty() {
        lines.push(format!(
            "registered, but not in this database any more, so what is sealed in them is unknown: {}",
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
            "not searched: {}; check them in another way, then name each with --except",
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
