//! `phiseal keys check`: unwraps every key and compares its check value; changes nothing.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::cli::args::Global;
use crate::cli::columns::{self, Column, Cut};
use crate::cli::output::Output;
use crate::cli::screen;
use crate::cli::session::Session;
use crate::error::{Coded, Exit, Fault};
use crate::foreign::Foreign;
use crate::keys::{KeyCheck, Keyring};
use crate::plural::counted;

const COLUMNS: [Column; 6] = [
    Column::always("KEY ID", Cut::Never),
    Column::with_room("PURPOSE", 1, Cut::Never),
    Column::always("TENANT", Cut::Middle),
    Column::always("VERSION", Cut::Never),
    Column::always("STATUS", Cut::Never),
    Column::always("RESULT", Cut::Never),
];

pub async fn run(global: &Global, output: Output) -> Result<Exit, Fault> {
    let (session, _) = Session::installed(global, false).await?;
    let provider = session.provider().await?;
    let records = session.store.key_records().await?;
    let checks = Keyring::check_all(&records, provider.as_ref()).await;
    output.result(&object(&checks), &text(&checks));
    let mut faults = checks
        .iter()
        .filter_map(|check| check.outcome.as_ref().err());
    Ok(match faults.next() {
        None => Exit::Done,
        Some(first) => {
            output.say(&format!("hint: {}", first.hint()));
            Exit::Keys
        }
    })
}

fn object(checks: &[KeyCheck]) -> Value {
    json!({
        "checked": checks.len(),
        "failed": failed(checks),
        "keys": checks.iter().map(key).collect::<Vec<_>>(),
    })
}

fn key(check: &KeyCheck) -> Value {
    let mut key = json!({
        "key_id": check.key_id.get(),
        "purpose": check.purpose.as_str(),
        "tenant": check.tenant,
        "status": check.status.as_str(),
        "ok": check.outcome.is_ok(),
    });
    if let Err(fault) = &check.outcome {
        key["fault"] = json!({
            "code": fault.code(),
            "message": fault.to_string(),
            "hint": fault.hint(),
        });
    }
    key
}

fn text(checks: &[KeyCheck]) -> String {
    if checks.is_empty() {
        return "no keys".to_owned();
    }
    let row = |check: &KeyCheck| {
        vec![
            check.key_id.to_string(),
            check.purpose.as_str().to_owned(),
            check.tenant.clone(),
            check.version.to_string(),
            check.status.to_string(),
            match &check.outcome {
                Ok(()) => "ok".to_owned(),
                Err(fault) => fault.code().to_owned(),
            },
        ]
    };
    let rows: Vec<Vec<String>> = checks.iter().map(row).collect();
    let mut lines = vec![columns::table(&COLUMNS, &rows, screen::columns())];
    let faults = checks
        .iter()
        .filter_map(|check| check.outcome.as_ref().err());
    let faults = faults.map(|fault| format!("[{}] {}", fault.code(), Foreign(&fault.to_string())));
    // A provider that does not answer is the same fault for every key.
    let mut said = BTreeSet::new();
    lines.extend(faults.filter(|fault| said.insert(fault.clone())));
    lines.push(format!(
        "{} checked, {} failed",
        counted(checks.len(), "key"),
        failed(checks)
    ));
    lines.join("\n")
}

fn failed(checks: &[KeyCheck]) -> usize {
    checks.iter().filter(|check| check.outcome.is_err()).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{KeyId, Purpose};
    use crate::keys::{KeyError, KeyStatus};

    fn check(id: i64, fails: bool) -> KeyCheck {
        let key_id = KeyId::new(id).unwrap();
        KeyCheck {
            key_id,
            tenant: "clinic".to_owned(),
            purpose: Purpose::Cell,
            version: 1,
            status: KeyStatus::Active,
            outcome: if fails {
                Err(KeyError::DoesNotUnwrap { key_id })
            } else {
                Ok(())
            },
        }
    }

    #[test]
    fn every_key_is_listed_and_only_a_failed_one_has_a_fault() {
        let object = object(&[check(1, false), check(2, true)]);
        assert_eq!(
            (&object["checked"], &object["failed"]),
            (&json!(2), &json!(1))
        );
        assert_eq!(object["keys"][0]["ok"], true);
        assert_eq!(object["keys"][0].get("fault"), None);
        assert_eq!(object["keys"][1]["fault"]["code"], "E0422");
    }

    #[test]
    fn the_text_ends_with_the_counts() {
        let text = text(&[check(1, false), check(2, true)]);
        assert!(text.contains("[E0422] key 2 does not unwrap"));
        assert!(text.ends_with("2 keys checked, 1 failed"));
        assert_eq!(super::text(&[]), "no keys");
    }
}
