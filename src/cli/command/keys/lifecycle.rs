//! `phiseal keys suspend|resume`: changes of a key's state that are not part of a rotation.
//! Owns the order: the state changes first, whatever applications do and even if no key can be
//! loaded. Then the command waits for the transactions that were open at the change, and names
//! them.

use serde_json::json;

use super::list;
use crate::cli::args::{Global, KeyMove};
use crate::cli::output::Output;
use crate::cli::progress;
use crate::cli::session::{Session, actor};
use crate::cli::signal;
use crate::engine::Stop;
use crate::engine::retry::Patience;
use crate::engine::wait::Waiting;
use crate::error::{Exit, Fault};
use crate::keys::{KeyError, KeyRecord, KeyStatus, Notary, Unnoted};
use crate::run::audit::Note;
use crate::store::StoreError;

/// Moves an active key to suspended.
pub async fn suspend(global: &Global, args: &KeyMove, output: Output) -> Result<Exit, Fault> {
    let (session, _) = Session::installed(global, false).await?;
    let record = key(&session, args).await?;
    // When the key is suspended already, the command only waits for the transactions open now.
    if record.status != KeyStatus::Suspended {
        let (from, to) = (KeyStatus::Active, KeyStatus::Suspended);
        refuse_illegal(&record, from, to)?;
        let note = note(&session, args, "key.suspend", output).await;
        moved(&session, args, (from, to), note.as_ref(), output).await?;
    }
    // A transaction that checked the key before the change may still seal under it until it ends.
    let stop = Stop::default();
    signal::watch(&stop, output);
    let events = progress::sink(output);
    let waiting = Waiting {
        store: session.store.as_ref(),
        events: events.as_ref(),
        stop: &stop,
        patience: session.settings().patience,
    };
    waiting.outlive_all().await?;
    done(&session, args, output).await
}

/// Moves a suspended key back to active.
pub async fn resume(global: &Global, args: &KeyMove, output: Output) -> Result<Exit, Fault> {
    let (session, _) = Session::installed(global, false).await?;
    let record = key(&session, args).await?;
    let (from, to) = (KeyStatus::Suspended, KeyStatus::Active);
    refuse_illegal(&record, from, to)?;
    let records = session.store.key_records().await?;
    let active = records.iter().find(|one| {
        one.status == KeyStatus::Active
            && one.tenant == record.tenant
            && one.purpose == record.purpose
    });
    if let Some(active) = active {
        return Err(KeyError::OtherActive {
            key_id: record.key_id,
            active: active.key_id,
        }
        .into());
    }
    let note = note(&session, args, "key.resume", output).await;
    moved(&session, args, (from, to), note.as_ref(), output).await?;
    done(&session, args, output).await
}

/// Writes the change to the audit log. If the keys cannot be loaded it writes nothing, and the next
/// audit entry names the change.
async fn note(session: &Session, args: &KeyMove, action: &str, output: Output) -> Box<dyn Notary> {
    match session.tenants().await {
        Ok(tenants) => {
            let subject = json!({ "key_id": args.key_id.get(), "reason": args.reason });
            Box::new(Note::new(&tenants.keyring, &tenants.actor, action, subject))
        }
        Err(fault) => {
            output.say(&format!(
                "warning: the keys cannot be loaded ([{}] {}): the audit log names this change with its next entry",
                fault.code, fault.message
            ));
            Box::new(Unnoted)
        }
    }
}

/// Moves a key to another state, and waits while another move holds its lock.
pub(super) async fn moved(
    session: &Session,
    args: &KeyMove,
    (from, to): (KeyStatus, KeyStatus),
    note: &dyn Notary,
    output: Output,
) -> Result<(), Fault> {
    let mut patience = Patience::new(session.settings().patience);
    loop {
        let moved = session
            .store
            .move_key(args.key_id, from, to, &actor(), &args.reason, note)
            .await;
        match moved {
            Ok(true) => return Ok(()),
            Ok(false) => {
                let now = key(session, args).await?;
                return Err(illegal(&now, to).into());
            }
            Err(error @ (StoreError::Locked | StoreError::Busy { .. })) => {
                let Some(pause) = patience.after(&error) else {
                    return Err(error.into());
                };
                output.say(&format!("waiting: {error}"));
                tokio::time::sleep(pause).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

pub(super) async fn done(session: &Session, args: &KeyMove, output: Output) -> Result<Exit, Fault> {
    let record = key(session, args).await?;
    let text = format!("key {} is {}", args.key_id, record.status);
    output.result(&list::object(&record), &text);
    Ok(Exit::Done)
}

pub(super) async fn key(session: &Session, args: &KeyMove) -> Result<KeyRecord, Fault> {
    let key_id = args.key_id;
    let records = session.store.key_records_by_id(&[key_id]).await?;
    let record = records.into_iter().next();
    Ok(record.ok_or(KeyError::Unknown { key_id })?)
}

fn refuse_illegal(record: &KeyRecord, from: KeyStatus, to: KeyStatus) -> Result<(), KeyError> {
    if record.status == from {
        Ok(())
    } else {
        Err(illegal(record, to))
    }
}

pub(super) fn illegal(record: &KeyRecord, to: KeyStatus) -> KeyError {
    KeyError::NoSuchMove {
        key_id: record.key_id,
        from: record.status,
        to,
    }
}
