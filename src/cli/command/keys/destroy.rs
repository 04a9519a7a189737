//! `phiseal keys destroy`: destroys a key under which nothing is sealed, or all keys of a tenant
//! (crypto-shredding). This cannot be undone, so it asks for confirmation and states what it cannot
//! know.

use serde_json::{Value, json};

use crate::cli::args::{Destroy, Global, Search};
use crate::cli::command::rotate::refuse_tables;
use crate::cli::output::Output;
use crate::cli::progress;
use crate::cli::session::Session;
use crate::cli::signal;
use crate::engine::Stop;
use crate::engine::destroy::{DestroyRequest, Destroyed};
use crate::engine::search::{Reach, Searched};
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::plural::counted;
use crate::store::Unsearchable;

/// What a census of one database cannot know.
const UNKNOWABLE: &str = "what this cannot know: other databases and files with copies of values, and what somebody \
     writes later where no guard is, were not searched; backups and replicas of the database, its write-ahead log, and the \
     old version of the key's row until VACUUM still hold the wrapped key, and backups of the tables values under \
     it; they open for as long as the wrapping key exists: to be final, `phiseal keys rewrap` to another wrapping \
     key, and destroy every copy of the old one";

pub async fn run(global: &Global, args: &Destroy, output: Output) -> Result<Exit, Fault> {
    refuse_tables(global)?;
    let named = match (&args.key_id, &args.tenant) {
        (Some(key_id), _) => key_id.to_string(),
        (None, Some(tenant)) => tenant.clone(),
        (None, None) => String::new(),
    };
    if args.confirm.as_deref() != Some(named.as_str()) {
        return Err(Fault {
            code: "E0115",
            message: "a destruction is confirmed by naming what is destroyed once more".to_owned(),
            hint: format!("add --confirm {}; there is no way back", Foreign(&named)),
            exit: Exit::Usage,
        });
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
        "{} destroyed: the wrapped key is wiped, its record and its history stay",
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
    output.result(&value, &lines.join("\n"));
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
