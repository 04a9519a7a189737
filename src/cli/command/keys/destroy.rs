//! `phiseal keys destroy`: destroys a key under which nothing is sealed, or all keys of a tenant
//! (crypto-shredding). This cannot be undone, so it asks for the name of what is destroyed once more, and states which
//! copies phiseal cannot reach.

use serde_json::{Value, json};

use crate::cli::args::{Destroy, Global, Search};
use crate::cli::command::ahead;
use crate::cli::lines::Lines;
use crate::cli::output::Output;
use crate::cli::progress;
use crate::cli::question;
use crate::cli::session::Session;
use crate::cli::signal;
use crate::engine::Stop;
use crate::engine::destroy::{DestroyAhead, DestroyRequest, Destroyed};
use crate::engine::search::{Reach, Searched};
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::plural::counted;
use crate::store::Unsearchable;

/// What phiseal cannot reach.
const UNKNOWABLE: &str = "Copies that phiseal cannot reach: backups, replicas, write-ahead log and dead rows still hold \
     this key, and backups hold values under it. Other databases and files were not searched. To make the destruction \
     final, move to a new wrapping key (`phiseal keys rewrap`) and destroy every copy of the old one.";

pub async fn run(global: &Global, args: &Destroy, output: Output) -> Result<Exit, Fault> {
    let named = match (&args.key_id, &args.tenant) {
        (Some(key_id), _) => key_id.to_string(),
        (None, Some(tenant)) => tenant.clone(),
        (None, None) => String::new(),
    };
    if !args.dry_run {
        confirm(args, &named)?;
    }
    let (session, server) = Session::installed(global, false).await?;
    let stop = Stop::default();
    signal::watch(&stop, output);
    let engine = session.engine(progress::sink(output), stop).await?;
    // A destruction writes nothing to these tables, so preflight is not needed.
    let tables = session.database(&server).counted().await?;
    let reach = reach(&args.search);
    let order = DestroyRequest {
        tables: &tables,
        reason: &args.reason,
        reach: &reach,
    };
    if args.dry_run {
        let found = match (args.key_id, &args.tenant) {
            (Some(key_id), _) => engine.look_before_destroy(key_id, &order).await?,
            (None, tenant) => {
                let tenant = tenant.as_deref().unwrap_or_default();
                engine.look_before_shred(tenant, &order).await?
            }
        };
        return Ok(would(found, args.tenant.is_some(), output));
    }
    let done = match (args.key_id, &args.tenant) {
        (Some(key_id), _) => engine.destroy(key_id, &order).await?,
        (None, tenant) => {
            let tenant = tenant.as_deref().unwrap_or_default();
            engine.shred(tenant, &order).await?
        }
    };
    say(&done, args.tenant.is_some(), output);
    Ok(Exit::Done)
}

/// Goes on if `--confirm` names what is destroyed, or a person at the terminal types it.
fn confirm(args: &Destroy, named: &str) -> Result<(), Fault> {
    let what = match &args.tenant {
        Some(tenant) => format!(
            "This destroys every key of tenant {}: its values can then never be opened again.",
            Foreign(tenant)
        ),
        None => format!(
            "This destroys key {}. There is no way back.",
            Foreign(named)
        ),
    };
    let confirmed = match &args.confirm {
        Some(confirmed) => confirmed == named,
        None => question::types(&what, named),
    };
    match confirmed {
        true => Ok(()),
        false => Err(Fault {
            code: "E0115",
            message: "nothing was destroyed: the destruction was not confirmed".to_owned(),
            hint: format!("add --confirm {}; there is no way back", Foreign(named)),
            exit: Exit::Usage,
        }),
    }
}

/// Shows what a destruction would find.
fn would(found: DestroyAhead, shredded: bool, output: Output) -> Exit {
    let value = json!({
        "would_destroy": found.keys.iter().map(|id| id.get()).collect::<Vec<_>>(),
        "would_refuse": found.refused.is_some(),
        "values_lost": found.values_lost,
        "searched": found.searched.as_ref().map(object),
        "unknown": UNKNOWABLE,
    });
    let ids: Vec<String> = found.keys.iter().map(ToString::to_string).collect();
    let mut lines = vec![format!("would destroy key {}", ids.join(", "))];
    if shredded {
        lines.push(format!(
            "{} of this tenant would never open again",
            counted(found.values_lost, "value")
        ));
    }
    lines.push(coverage(found.searched.as_ref()));
    output.result(&value, &filled(&lines));
    ahead::conclude(found.refused.map(Fault::from), output)
}

/// How far to search for sealed values.
pub fn reach(search: &Search) -> Reach {
    Reach {
        except: search.except.clone(),
        registered_only: search.registered_only,
    }
}

/// What was searched, in one line.
fn coverage(searched: Option<&Searched>) -> String {
    let Some(searched) = searched else {
        return "only registered tables were counted, and nothing else was searched".to_owned();
    };
    let names = |places: &[Unsearchable]| {
        let names = places
            .iter()
            .map(|one| format!("{} ({})", Foreign(&one.name), one.why));
        names.collect::<Vec<_>>().join(", ")
    };
    let mut text = format!("searched: {}", counted(searched.places, "relation"));
    for (what, places) in [
        ("excepted", &searched.excepted),
        ("not searched", &searched.closed),
    ] {
        if !places.is_empty() {
            text.push_str(&format!("; {what}: {}", names(places)));
        }
    }
    if !searched.passed_over.is_empty() {
        let tables = counted(searched.passed_over.len(), "temporary table");
        text.push_str(&format!(
            "; {tables} of other sessions, which end with them"
        ));
    }
    text
}

fn say(done: &Destroyed, shredded: bool, output: Output) {
    let value = json!({
        "destroyed": done.keys.iter().map(|id| id.get()).collect::<Vec<_>>(),
        "values_lost": done.values_lost,
        "plaintext_left": done.plaintext_left,
        "searched": done.searched.as_ref().map(object),
        "unknown": UNKNOWABLE,
    });
    let mut lines = vec![format!(
        "{} destroyed: the wrapped key is deleted; its record and its history stay",
        counted(done.keys.len(), "key")
    )];
    if shredded {
        lines.push(format!(
            "{} of this tenant will not open again; its blind indexes are gone",
            counted(done.values_lost, "value")
        ));
        if done.plaintext_left > 0 {
            lines.push(format!(
                "{} of this tenant are still there in plaintext beside them: blank or delete those rows yourself",
                counted(done.plaintext_left, "value")
            ));
        }
    }
    lines.push(coverage(done.searched.as_ref()));
    lines.push(UNKNOWABLE.to_owned());
    output.result(&value, &filled(&lines));
}

/// The lines, broken where they are too long.
fn filled(lines: &[String]) -> String {
    let mut out = Lines::default();
    lines.iter().for_each(|line| out.head(line));
    out.0.join("\n")
}

/// What a search found and what it could not read, as JSON.
pub fn object(searched: &Searched) -> Value {
    let names = |places: &[Unsearchable]| -> Value {
        places
            .iter()
            .map(|one| json!({ "name": one.name, "why": one.why }))
            .collect()
    };
    json!({
        "relations": searched.places,
        "found": searched
            .hits
            .iter()
            .map(|hit| json!({ "place": hit.place, "values": hit.values }))
            .collect::<Vec<_>>(),
        "not_searched": names(&searched.closed),
        "excepted": names(&searched.excepted),
        "temporary": searched.passed_over,
    })
}
