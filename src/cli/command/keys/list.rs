//! `phiseal keys list` and `keys show`: the records of data keys, without the keys.

use serde_json::{Value, json};

use crate::cli::args::Global;
use crate::cli::columns::{self, Column, Cut, or_nothing};
use crate::cli::figures;
use crate::cli::output::Output;
use crate::cli::screen;
use crate::cli::session::Session;
use crate::crypto::KeyId;
use crate::error::{Exit, Fault};
use crate::keys::{Due, KeyError, KeyRecord, KeyTransition};

pub async fn all(global: &Global, output: Output) -> Result<Exit, Fault> {
    let (session, _) = Session::installed(global, false).await?;
    let records = session.store.key_records().await?;
    let now = session.store.audit_head().await?.now;
    let value: Value = records.iter().map(object).collect();
    output.result(&value, &table(&records));
    for record in &records {
        warn(record, &now, output);
    }
    Ok(Exit::Done)
}

pub async fn one(global: &Global, key_id: KeyId, output: Output) -> Result<Exit, Fault> {
    let (session, _) = Session::installed(global, false).await?;
    let records = session.store.key_records_by_id(&[key_id]).await?;
    let record = records.first().ok_or(KeyError::Unknown { key_id })?;
    let now = session.store.audit_head().await?.now;
    let moves = session.store.key_transitions(&[key_id]).await?;
    let mut value = object(record);
    value["transitions"] = moves.iter().map(transition).collect();
    let text = format!("{}\n\n{}", properties(record), moves_table(&moves));
    output.result(&value, &text);
    warn(record, &now, output);
    Ok(Exit::Done)
}

fn transition(one: &KeyTransition) -> Value {
    json!({
        "from": one.from.map(|status| status.as_str()),
        "to": one.to.as_str(),
        "at": one.at,
        "actor": one.actor,
        "reason": one.reason,
    })
}

/// The state changes of a key as a table: when, from, to, by whom and why.
fn moves_table(moves: &[KeyTransition]) -> String {
    let row = |one: &KeyTransition| {
        vec![
            figures::minute(&one.at),
            or_nothing(one.from.map(|status| status.as_str())),
            one.to.to_string(),
            one.actor.clone(),
            or_nothing(one.reason.as_deref()),
        ]
    };
    let rows: Vec<Vec<String>> = moves.iter().map(row).collect();
    const COLUMNS: [Column; 5] = [
        Column::always("AT (UTC)", Cut::Never),
        Column::always("FROM", Cut::Never),
        Column::always("TO", Cut::Never),
        Column::always("ACTOR", Cut::Middle),
        Column::always("REASON", Cut::Never),
    ];
    columns::table(&COLUMNS, &rows, screen::columns())
}

/// The columns of `encryption_keys`, without the wrapped key and the check value.
pub fn object(record: &KeyRecord) -> Value {
    json!({
        "key_id": record.key_id.get(),
        "tenant": record.tenant,
        "purpose": record.purpose.as_str(),
        "version": record.version,
        "algorithm": record.algorithm,
        "status": record.status.as_str(),
        "kek_ref": record.kek_ref,
        "created_at": record.created_at,
        "activated_at": record.activated_at,
        "deactivated_at": record.deactivated_at,
        "compromised_at": record.compromised_at,
        "destroyed_at": record.destroyed_at,
        "rotation_due_at": record.rotation_due_at,
        "created_by": record.created_by,
        "reason": record.reason,
    })
}

pub fn table(records: &[KeyRecord]) -> String {
    if records.is_empty() {
        return "no keys; make them with `phiseal keys create`".to_owned();
    }
    const COLUMNS: [Column; 8] = [
        Column::always("KEY ID", Cut::Never),
        Column::always("PURPOSE", Cut::Never),
        Column::always("TENANT", Cut::Middle),
        Column::with_room("VERSION", 1, Cut::Never),
        Column::always("STATUS", Cut::Never),
        Column::with_room("DUE (UTC)", 2, Cut::Never),
        Column::with_room("ACTIVE SINCE (UTC)", 3, Cut::Never),
        Column::with_room("WRAPPED UNDER", 4, Cut::Never),
    ];
    let time = |time: &Option<String>| or_nothing(time.as_deref().map(figures::minute).as_deref());
    let row = |record: &KeyRecord| {
        vec![
            record.key_id.to_string(),
            record.purpose.as_str().to_owned(),
            record.tenant.clone(),
            record.version.to_string(),
            record.status.to_string(),
            time(&record.rotation_due_at),
            time(&record.activated_at),
            record.kek_ref.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = records.iter().map(row).collect();
    columns::table(&COLUMNS, &rows, screen::columns())
}

fn properties(record: &KeyRecord) -> String {
    let optional = |value: &Option<String>| or_nothing(value.as_deref());
    columns::properties(&[
        ("key id", record.key_id.to_string()),
        ("purpose", record.purpose.as_str().to_owned()),
        ("tenant", record.tenant.clone()),
        ("version", record.version.to_string()),
        ("algorithm", record.algorithm.clone()),
        ("status", record.status.to_string()),
        ("wrapped under", record.kek_ref.clone()),
        ("created at", record.created_at.clone()),
        ("created by", record.created_by.clone()),
        ("reason", optional(&record.reason)),
        ("activated at", optional(&record.activated_at)),
        ("rotation due at", optional(&record.rotation_due_at)),
        ("deactivated at", optional(&record.deactivated_at)),
        ("compromised at", optional(&record.compromised_at)),
        ("destroyed at", optional(&record.destroyed_at)),
    ])
}

fn warn(record: &KeyRecord, now: &str, output: Output) {
    if let Some(due) = Due::of(record, now) {
        output.say(&format!("warning: key {} is {due}", record.key_id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::health::fixture::key as record;

    #[test]
    fn neither_form_holds_the_wrapped_key_or_its_check_value() {
        let record = record(42);
        let object = object(&record);
        let names: Vec<&String> = object.as_object().unwrap().keys().collect();
        assert_eq!(names.len(), 15);
        assert!(
            !names
                .iter()
                .any(|name| *name == "wrapped_key" || *name == "check_value")
        );
        for secret in ["wrapped", "check"] {
            for form in [hex::encode(secret), secret.to_owned() + "\""] {
                assert!(!object.to_string().contains(&form));
            }
        }
        assert!(properties(&record).starts_with("key id           42\n"));
    }

    #[test]
    fn an_empty_list_says_so() {
        assert_eq!(table(&[]), "no keys; make them with `phiseal keys create`");
        assert_eq!(table(&[record(1), record(2)]).lines().count(), 3);
    }
}
