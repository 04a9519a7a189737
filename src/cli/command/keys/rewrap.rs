//! `phiseal keys rewrap`: wraps every data key under another wrapping key.

use std::path::PathBuf;

use serde_json::json;

use crate::cli::args::{Global, RewrapTo};
use crate::cli::command::rotate::object;
use crate::cli::output::Output;
use crate::cli::session::{Session, actor};
use crate::error::{Exit, Fault};
use crate::keys::{KeyProvider, Keyring, ProviderConfig, Rewrap, RotationRecord};
use crate::plural::counted;
use crate::run::audit::Note;

pub async fn run(global: &Global, args: &RewrapTo, output: Output) -> Result<Exit, Fault> {
    let (session, _) = Session::installed(global, false).await?;
    let config = parse(&args.to)?;
    let to = config.open()?;
    let from = session.providers(Some(Box::new(config.open()?))).await?;
    let actor = actor();
    let records = session.store.key_records().await?;
    let keyring = Keyring::load(&records, &from).await?;
    let note = Note::of_records(&keyring, &actor, |records| {
        let entry = |record: &RotationRecord| {
            let action = match record.finished_at {
                Some(_) => "key.rewrap.end",
                None => "key.rewrap",
            };
            let subject = json!({
                "history_id": record.history_id, "to": record.to_kek_ref,
                "keys": record.counts.rows_resealed, "reason": record.reason,
            });
            (action.to_owned(), subject)
        };
        records.iter().map(entry).collect()
    });
    let done = Rewrap {
        table: session.store.as_ref(),
        from: &from,
        to: &to,
        actor: &actor,
        reason: &args.reason,
        note: &note,
    }
    .run()
    .await?;
    let Some(record) = done else {
        output.result(
            &json!({ "history_id": null, "keys_rewrapped": 0, "to": to.reference(), "outcome": "nothing to do" }),
            "nothing to do: every data key is under this wrapping key",
        );
        return Ok(Exit::Done);
    };
    let mut value = object(&record);
    value["keys_rewrapped"] = json!(record.counts.rows_resealed);
    value["to"] = json!(to.reference());
    output.result(
        &value,
        &format!(
            "{} under wrapping key {}; every one was read back and compared\n\
             Now put the new wrapping key into the plan, under [keys]. Keep the old one as long as you keep backups \
             made before, and destroy it together with them.",
            counted(record.counts.rows_resealed, "data key"),
            to.reference()
        ),
    );
    Ok(Exit::Done)
}

/// Reads `file:PATH`, `env:NAME` or `command:PROGRAM ARGUMENTS`; blanks separate the arguments.
fn parse(text: &str) -> Result<ProviderConfig, Fault> {
    let config = match text.split_once(':') {
        Some(("file", path)) if !path.is_empty() => Some(ProviderConfig::File(PathBuf::from(path))),
        Some(("env", name)) if !name.is_empty() => Some(ProviderConfig::Env(name.to_owned())),
        Some(("command", line)) => {
            let argv: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            (!argv.is_empty()).then_some(ProviderConfig::Command(argv))
        }
        _ => None,
    };
    config.ok_or_else(|| Fault {
        code: "E0114",
        message: "--to names no wrapping key".to_owned(),
        hint: "give file:PATH, env:NAME or command:PROGRAM ARGUMENTS".to_owned(),
        exit: Exit::Usage,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_a_kind_and_what_it_takes() {
        let file = ProviderConfig::File(PathBuf::from("/k:1"));
        assert_eq!(parse("file:/k:1").unwrap(), file);
        assert_eq!(
            parse("env:KEY").unwrap(),
            ProviderConfig::Env("KEY".to_owned())
        );
        let argv = ["pass", "show", "x"].map(str::to_owned).to_vec();
        assert_eq!(
            parse("command:pass show  x").unwrap(),
            ProviderConfig::Command(argv)
        );
        for bad in ["", "/k", "file:", "env:", "command: ", "vault:x"] {
            assert_eq!(parse(bad).unwrap_err().code, "E0114", "{bad}");
        }
    }
}
