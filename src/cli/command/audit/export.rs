//! `phiseal audit export`: the whole log as JSON lines, for a program that is not this one.
//! Owns the form of the lines (docs/FORMAT.md, "The exported audit log"). Checks nothing, and exports
//! a broken chain as it is.

use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::entries_counted;
use crate::cli::args::Global;
use crate::cli::new_file::{NewFile, not_written};
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::error::{Exit, Fault};
use crate::foreign::{self, Foreign};
use crate::keys::ChangeRow;
use crate::plural::counted;
use crate::run::audit::{self, NotedHead, Pages};
use crate::store::AuditRow;

/// The version of the form of the lines.
const VERSION: u32 = 1;

pub async fn run(global: &Global, path: &Path, output: Output) -> Result<Exit, Fault> {
    let (session, _) = Session::installed(global, false).await?;
    let store = session.store.as_ref();
    let (head, changes) = audit::head_with_changes(store).await?;
    let noted = NotedHead::from(&head).to_string();
    let mut lines = Lines::open(path, output)?;
    lines.write(&json!({
        "type": "log",
        "format": "phiseal audit log",
        "version": VERSION,
        "program": concat!("phiseal ", env!("CARGO_PKG_VERSION")),
        "exported_at": head.now,
        "head": noted,
    }))?;
    let mut entries = 0;
    let mut pages = Pages::all();
    loop {
        let mut rows = pages.next(store).await?;
        // What comes after the head was appended meanwhile, or is no part of the chain.
        rows.retain(|row| row.entry_id <= head.entry_id);
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            lines.write(&entry(row))?;
            entries += 1;
        }
    }
    for row in &changes {
        lines.write(&change(row))?;
    }
    lines.finish()?;
    let what = format!(
        "{} and {}",
        entries_counted(entries),
        counted(changes.len(), "change") + " of keys"
    );
    let file = Foreign(&path.to_string_lossy()).to_string();
    if path == Path::new("-") {
        output.say(&format!("exported {what}, unchecked; head {noted}"));
        return Ok(Exit::Done);
    }
    output.result(
        &json!({ "file": path, "entries": entries, "changes": changes.len(), "head": noted }),
        &format!("Wrote {what} to {file}, unchecked.\nhead  {noted}"),
    );
    Ok(Exit::Done)
}

/// An entry, with every text exactly as its MAC covers it.
fn entry(row: &AuditRow) -> Value {
    let Some(entry) = &row.entry else {
        return json!({ "type": "unreadable", "entry_id": row.entry_id });
    };
    json!({
        "type": "entry",
        "entry_id": entry.entry_id,
        "at": entry.at,
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "key_id": entry.key_id,
        "prev_mac": hex::encode(&entry.prev_mac),
        "mac": hex::encode(&entry.mac),
    })
}

/// A change of a key's state, with every column as the text that its digest covers.
fn change(row: &ChangeRow) -> Value {
    let [key_id, from, to, at, actor, reason] = &row.columns;
    json!({
        "type": "change",
        "transition_id": row.transition_id,
        "key_id": key_id,
        "from": from,
        "to": to,
        "at": at,
        "actor": actor,
        "reason": reason,
    })
}

/// Where the lines go.
enum Lines {
    File(NewFile),
    Stdout(Output),
}

impl Lines {
    fn open(path: &Path, output: Output) -> Result<Self, Fault> {
        match path == Path::new("-") {
            true => Ok(Self::Stdout(output)),
            false => NewFile::create(path, 0o600).map(Self::File),
        }
    }

    fn write(&mut self, object: &Value) -> Result<(), Fault> {
        match self {
            Self::File(file) => {
                let line = object.to_string();
                file.write(foreign::json(&line).as_bytes())?;
                file.write(b"\n")
            }
            Self::Stdout(output) => match output.record(object) {
                // The reader has seen enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                written => {
                    written.map_err(|error| not_written(Path::new("standard output"), &error))
                }
            },
        }
    }

    fn finish(self) -> Result<(), Fault> {
        match self {
            Self::File(file) => file.finish(),
            Self::Stdout(_) => Ok(()),
        }
    }
}
