//! `phiseal keys suspend|resume|compromise`: moves of a key's state that are not a rotation's own.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::list;
use crate::cli::args::{Global, KeyMove};
use crate::cli::command::{registered, rotate};
use crate::cli::output::Output;
use crate::cli::progress;
use crate::cli::session::{Session, actor};
use crate::cli::signal;
use crate::crypto::Purpose as KeyPurpose;
use crate::engine::preflight::Purpose;
use crate::engine::rotation::Order;
use crate::engine::{Engine, Stop, reindex};
use crate::error::{Exit, Fault};
use crate::keys::{KeyError, KeyRecord, KeyStatus, RotationKind};
use crate::run::audit;

/// Active to suspended.
pub async fn suspend(global: &Global, args: &KeyMove, output: Output) -> Result<Exit, Fault> {
    let (from, to) = (KeyStatus::Active, KeyStatus::Suspended);
    simple(global, args, from, to, "key.suspend", output).await
}

/// Suspended to active.
pub async fn resume(global: &Global, args: &KeyMove, output: Output) -> Result<Exit, Fault> {
    let (from, to) = (KeyStatus::Suspended, KeyStatus::Active);
    simple(global, args, from, to, "key.resume", output).await
}

async fn simple(
    global: &Global,
    args: &KeyMove,
    from: KeyStatus,
    to: KeyStatus,
    action: &str,
    output: Output,
) -> Result<Exit, Fault> {
    let (session, _) = Session::installed(global, false).await?;
    let stop = Stop::default();
    signal::watch(&stop, output);
    let engine = session.engine(progress::sink(output), stop).await?;
    let record = key(&session, args).await?;
    refuse_illegal(&record, from, to)?;
    let subject = json!({ "key_id": args.key_id.get(), "reason": args.reason });
    let store = session.store.as_ref();
    moved(&session, args, from, to).await?;
    let keyring = &engine.tenants.keyring;
    audit::append(store, keyring, &actor(), action, &subject).await?;
    if to == KeyStatus::Suspended {
        // A transaction that looked at the key before may still seal under it until it ends.
        engine.outlive_transactions().await?;
    }
    let record = key(&session, args).await?;
    output.result(
        &list::object(&record),
        &format!("key {} is {to}", args.key_id),
    );
    Ok(Exit::Done)
}

async fn moved(
    session: &Session,
    args: &KeyMove,
    from: KeyStatus,
    to: KeyStatus,
) -> Result<(), Fault> {
    let done = session
        .store
        .move_key(args.key_id, from, to, &actor(), &args.reason)
        .await?;
    if done {
        return Ok(());
    }
    let now = key(session, args).await?;
    Err(illegal(&now, to).into())
}

/// Any state that may open to compromised; then everything under it is sealed again.
pub async fn compromise(global: &Global, args: &KeyMove, output: Output) -> Result<Exit, Fault> {
    rotate::refuse_tables(global)?;
    let (session, server) = Session::installed(global, false).await?;
    let record = key(&session, args).await?;
    let stop = Stop::default();
    signal::watch(&stop, output);
    let engine = session.engine(progress::sink(output), stop).await?;
    if !record.status.may_become(KeyStatus::Compromised) {
        return Err(illegal(&record, KeyStatus::Compromised).into());
    }
    let reason = format!("compromised: {}", args.reason);
    if record.status == KeyStatus::PreActive {
        // Nothing is sealed under it, so nothing has to follow.
        let (from, to) = (KeyStatus::PreActive, KeyStatus::Compromised);
        moved(&session, args, from, to).await?;
        note(&session, &engine, args).await?;
        let record = key(&session, args).await?;
        output.result(
            &list::object(&record),
            &format!("key {} is {to}", args.key_id),
        );
        return Ok(Exit::Done);
    }
    let purpose = Purpose::Rotate {
        indexes: record.purpose == KeyPurpose::BlindIndex,
    };
    let jobs = registered::jobs(&session, &server, purpose, output).await?;
    let leaving = engine
        .unfinished()
        .await?
        .iter()
        .any(|open| open.from_key_id == Some(args.key_id));
    if leaving {
        // It is being left already: it is called by its name, and that rotation is finished.
        moved(&session, args, record.status, KeyStatus::Compromised).await?;
        note(&session, &engine, args).await?;
    }
    let order = Order {
        keys: Vec::new(),
        kind: RotationKind::Compromise,
        compromised: (!leaving).then_some(args.key_id),
        reason,
        since: i64::MAX,
        open: BTreeSet::new(),
    };
    let grace: Duration = reindex::GRACE;
    rotate::rotate(&engine, &jobs, &order, grace, output).await
}

async fn note(session: &Session, engine: &Engine, args: &KeyMove) -> Result<(), Fault> {
    let subject = json!({ "key_id": args.key_id.get(), "reason": args.reason });
    let (store, keyring) = (session.store.as_ref(), &engine.tenants.keyring);
    audit::append(store, keyring, &actor(), "key.compromise", &subject).await?;
    Ok(())
}

async fn key(session: &Session, args: &KeyMove) -> Result<KeyRecord, Fault> {
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

fn illegal(record: &KeyRecord, to: KeyStatus) -> KeyError {
    KeyError::NoSuchMove {
        key_id: record.key_id,
        from: record.status,
        to,
    }
}
