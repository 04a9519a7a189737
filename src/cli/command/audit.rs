//! `phiseal audit`: checks the audit log, lists and exports it, and prints its head for the operator to
//! save elsewhere. Only the check needs the wrapping key.

mod export;
mod list;

use serde_json::json;

use crate::cli::args::{Audit, Global};
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::error::{Exit, Fault};
use crate::run::audit::{self, NotedHead};

pub async fn run(global: &Global, args: &Audit, output: Output) -> Result<Exit, Fault> {
    match args {
        Audit::Verify { head } => verify(global, head.as_deref(), output).await,
        Audit::Head => head(global, output).await,
        Audit::List(args) => list::run(global, args, output).await,
        Audit::Export { output: path } => export::run(global, path, output).await,
    }
}

async fn verify(global: &Global, noted: Option<&str>, output: Output) -> Result<Exit, Fault> {
    let noted: Option<NotedHead> = noted.map(str::parse).transpose()?;
    let (session, _) = Session::installed(global, false).await?;
    let tenants = match session.tenants().await {
        Ok(tenants) => tenants,
        Err(fault) => return Err(without_key(fault, output)),
    };
    let store = session.store.as_ref();
    let head = audit::verify(store, &tenants.keyring).await??;
    if let Some(noted) = &noted {
        audit::contains(store, noted).await??;
    }
    let now_noted = NotedHead::from(&head).to_string();
    let entries = usize::try_from(head.entry_id).unwrap_or_default();
    let compared = if noted.is_some() {
        " and contains the saved head"
    } else {
        ""
    };
    output.result(
        &json!({ "verified": true, "entries": entries, "head": now_noted }),
        &format!(
            "The audit log is intact{compared}: {}.\nhead  {now_noted}",
            entries_counted(entries)
        ),
    );
    if noted.is_none() {
        output.say("To find entries deleted at the end, compare with a head saved earlier: --head");
    }
    Ok(Exit::Done)
}

async fn head(global: &Global, output: Output) -> Result<Exit, Fault> {
    let (session, _) = Session::installed(global, false).await?;
    let head = session.store.audit_head().await?;
    let noted = NotedHead::from(&head).to_string();
    output.result(
        &json!({ "head": noted, "entry_id": head.entry_id, "at": head.now }),
        &noted,
    );
    Ok(Exit::Done)
}

/// Says what is possible without the wrapping key, if that is why the command ends.
fn without_key(fault: Fault, output: Output) -> Fault {
    if fault.exit == Exit::Keys {
        output.say_lines(&[
            "Without the wrapping key no entry's MAC can be checked, so nothing was verified.",
            "What needs no key: in the file of `phiseal audit export` another program can",
            "check that no entry is missing and that they are in order, not what they say.",
        ]);
    }
    fault
}

/// `1 entry`, `2 entries`.
fn entries_counted(count: usize) -> String {
    match count {
        1 => "1 entry".to_owned(),
        _ => format!("{count} entries"),
    }
}
