//! `phiseal keys compromise`: takes the key out of use before anything else. Then seals every value
//! under it again, in each table that can be worked on, and searches the whole database for more.

use std::time::Instant;

use super::destroy::reach;
use super::lifecycle::{done, illegal, key, moved};
use crate::cli::args::{Compromise, Global};
use crate::cli::command::rotate;
use crate::cli::output::Output;
use crate::cli::progress;
use crate::cli::session::Session;
use crate::cli::signal;
use crate::engine::Stop;
use crate::engine::rotation::Rotated;
use crate::error::{Exit, Fault};
use crate::keys::{KeyError, KeyStatus, Unnoted};

pub async fn run(global: &Global, args: &Compromise, output: Output) -> Result<Exit, Fault> {
    let begun = Instant::now();
    let (session, server) = Session::installed(global, false).await?;
    let stop = Stop::default();
    signal::watch(&stop, output);
    let engine = match session.engine(progress::sink(output), stop).await {
        Ok(engine) => engine,
        Err(fault) => return Err(without_keys(&session, args, &fault, output).await?),
    };
    let key_id = args.key.key_id;
    let reason = format!("compromised: {}", args.key.reason);
    let declared = engine.declare_compromised(key_id, &reason).await?;
    if let Some(because) = declared.none_because {
        return Err(no_replacement(args, &because.to_string()).into());
    }
    let Some(successor) = declared.successor else {
        return done(&session, &args.key, output).await;
    };
    output.say(&format!(
        "key {key_id} is compromised: it seals nothing from now on, and key {successor} takes its place"
    ));
    let database = session.database(&server);
    let reach = reach(&args.search);
    let rotated = engine
        .reseal_compromised(key_id, declared, &database, &reach)
        .await?;
    let seconds = begun.elapsed().as_secs_f64();
    rotate::conclude(Rotated { seconds, ..rotated }, output)
}

/// Takes the key out of use although no key can be loaded; the next entry of the audit log names
/// the change.
async fn without_keys(
    session: &Session,
    args: &Compromise,
    why: &Fault,
    output: Output,
) -> Result<Fault, Fault> {
    let record = key(session, &args.key).await?;
    let to = KeyStatus::Compromised;
    if record.status != to {
        if !record.status.may_become(to) {
            return Err(illegal(&record, to).into());
        }
        moved(session, &args.key, (record.status, to), &Unnoted, output).await?;
    }
    Ok(no_replacement(args, &format!("[{}] {}", why.code, why.message)).into())
}

fn no_replacement(args: &Compromise, why: &str) -> KeyError {
    KeyError::NoReplacement {
        key_id: args.key.key_id,
        why: why.to_owned(),
    }
}
