//! `phiseal keys destroy`: a key that nothing is sealed under any more; or, for crypto-shredding, all
//! keys of a tenant. There is no way back, so it is asked for twice, and says what it cannot know.

use serde_json::json;

use crate::cli::args::{Destroy, Global};
use crate::cli::columns::counted;
use crate::cli::command::registered;
use crate::cli::command::rotate::refuse_tables;
use crate::cli::output::Output;
use crate::cli::progress;
use crate::cli::session::Session;
use crate::cli::signal;
use crate::engine::Stop;
use crate::engine::destroy::Destroyed;
use crate::engine::preflight::Purpose;
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;

/// What no census of one database can know.
const UNKNOWABLE: &str = "what this cannot know: backups and replicas of the database, its write-ahead log, and the \
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
    let jobs = registered::jobs(
        &session,
        &server,
        Purpose::Rotate { indexes: false },
        output,
    )
    .await?;
    let targets: Vec<_> = jobs.iter().map(|job| job.target.clone()).collect();
    let done = match (args.key_id, &args.tenant) {
        (Some(key_id), _) => engine.destroy(key_id, &targets, &args.reason).await?,
        (None, tenant) => {
            let tenant = tenant.as_deref().unwrap_or_default();
            engine.shred(tenant, &targets, &args.reason).await?
        }
    };
    say(&done, args.tenant.is_some(), output);
    Ok(Exit::Done)
}

fn say(done: &Destroyed, shredded: bool, output: Output) {
    let value = json!({
        "destroyed": done.keys.iter().map(|id| id.get()).collect::<Vec<_>>(),
        "values_lost": done.values_lost,
        "plaintext_left": done.plaintext_left,
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
    lines.push(UNKNOWABLE.to_owned());
    output.result(&value, &lines.join("\n"));
}
