//! `phiseal quarantine`: the rows that could not be processed, named by tag. Writes a row's key to
//! a file, never to the terminal.

mod row;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::{Value, json};

use super::tables;
use crate::cli::args::{Global, Quarantine};
use crate::cli::columns::{self, or_nothing};
use crate::cli::output::Output;
use crate::cli::session::{Session, actor};
use crate::error::sqlstate::named;
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::plural::counted;
use crate::run::audit;
use crate::store::{QuarantineRecord, QuarantineState};

pub async fn run(global: &Global, args: &Quarantine, output: Output) -> Result<Exit, Fault> {
    let (session, _, labels) = tables::listing(global).await?;
    let listed = listed(&session, labels.as_ref()).await?;
    match args {
        Quarantine::List => {
            let value: Value = listed.iter().map(object).collect();
            output.result(&value, &table(&listed));
        }
        Quarantine::Show { tag, output: path } => {
            let chosen = chosen(listed, std::slice::from_ref(tag))?;
            // Before the file is written: if the audit entry fails, the key is not shown.
            note(&session, "quarantine.show", &chosen).await?;
            row::write(&session, &chosen, path).await?;
            output.result(
                &json!({ "tag": tag, "file": path }),
                &format!(
                    "written to {}, which holds PHI",
                    Foreign(&path.to_string_lossy())
                ),
            );
        }
        Quarantine::Retry { tags } => {
            let chosen = if tags.is_empty() {
                only_open(listed)
            } else {
                chosen(listed, tags)?
            };
            decide(&session, &chosen, QuarantineState::Retry, output).await?;
        }
        Quarantine::Skip { tags } => {
            let chosen = chosen(listed, tags)?;
            decide(&session, &chosen, QuarantineState::Skipped, output).await?;
        }
    }
    Ok(Exit::Done)
}

async fn listed(
    session: &Session,
    labels: Option<&HashSet<String>>,
) -> Result<Vec<QuarantineRecord>, Fault> {
    let mut listed = session.store.quarantined(None).await?;
    listed.retain(|record| labels.is_none_or(|labels| labels.contains(&record.row.table_label)));
    Ok(listed)
}

/// What may be shown of a listed row: never its key.
pub fn object(record: &QuarantineRecord) -> Value {
    json!({
        "tag": record.row.row_tag,
        "table": record.row.table_label,
        "column": record.row.column_label,
        "step": record.row.step,
        "reason": record.row.reason,
        "sqlstate": record.row.sqlstate,
        "constraint": record.row.constraint_name,
        "state": record.state.as_str(),
        "created_at": record.created_at,
    })
}

pub fn table(listed: &[QuarantineRecord]) -> String {
    if listed.is_empty() {
        return "no rows in quarantine".to_owned();
    }
    let row = |record: &QuarantineRecord| {
        vec![
            record.row.row_tag.clone(),
            record.row.table_label.clone(),
            or_nothing(record.row.column_label.as_deref()),
            record.row.step.clone(),
            record.state.to_string(),
            record.row.reason.clone(),
            or_nothing(record.row.sqlstate.as_deref().map(named).as_deref()),
            or_nothing(record.row.constraint_name.as_deref()),
            record.created_at.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = listed.iter().map(row).collect();
    columns::table(
        &[
            "TAG",
            "TABLE",
            "COLUMN",
            "STEP",
            "STATE",
            "REASON",
            "SQLSTATE",
            "CONSTRAINT",
            "LISTED AT",
        ],
        &rows,
    )
}

/// The rows with these tags.
fn chosen(listed: Vec<QuarantineRecord>, tags: &[String]) -> Result<Vec<QuarantineRecord>, Fault> {
    let is = |record: &QuarantineRecord, tag: &String| record.row.row_tag == *tag;
    let unknown = tags
        .iter()
        .find(|tag| !listed.iter().any(|record| is(record, tag)));
    if let Some(tag) = unknown {
        return Err(Fault {
            code: "E0306",
            message: format!("no row with the tag {} is in quarantine", Foreign(tag)),
            hint: "see `phiseal quarantine list`".to_owned(),
            exit: Exit::Usage,
        });
    }
    Ok(listed
        .into_iter()
        .filter(|record| tags.iter().any(|tag| is(record, tag)))
        .collect())
}

fn only_open(mut listed: Vec<QuarantineRecord>) -> Vec<QuarantineRecord> {
    listed.retain(|record| record.state == QuarantineState::Open);
    listed
}

/// Changes the state of rows, and writes to the audit log who did it.
async fn decide(
    session: &Session,
    chosen: &[QuarantineRecord],
    state: QuarantineState,
    output: Output,
) -> Result<(), Fault> {
    let (action, past) = match state {
        QuarantineState::Retry => ("quarantine.retry", "retried"),
        _ => ("quarantine.skip", "skipped"),
    };
    let by_table = by_table(chosen);
    let tags: BTreeSet<&str> = by_table.values().flatten().copied().collect();
    if !chosen.is_empty() {
        // Before any change: without the keys there could be no audit entry.
        session.tenants().await?;
        let ids: Vec<i64> = chosen.iter().map(|record| record.quarantine_id).collect();
        session.store.set_quarantine_state(&ids, state).await?;
        note(session, action, chosen).await?;
    }
    let text = match (tags.len(), state) {
        (0, _) => "no open rows in quarantine".to_owned(),
        (rows, QuarantineState::Retry) => {
            format!(
                "{}: the next run of the command tries again",
                counted(rows, "row")
            )
        }
        (rows, _) => format!(
            "{}: left alone, and no longer reported",
            counted(rows, "row")
        ),
    };
    output.result(&json!({ past: tags.len(), "tags": tags }), &text);
    Ok(())
}

/// Appends one audit entry for each table.
async fn note(session: &Session, action: &str, chosen: &[QuarantineRecord]) -> Result<(), Fault> {
    let tenants = session.tenants().await?;
    for (table, tags) in &by_table(chosen) {
        let subject = json!({ "table": table, "tags": tags });
        let store = session.store.as_ref();
        audit::append(store, &tenants.keyring, &actor(), action, &subject).await?;
    }
    Ok(())
}

/// The tags of each table, sorted and without duplicates.
fn by_table(chosen: &[QuarantineRecord]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut tables: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for record in chosen {
        let tags = tables.entry(&record.row.table_label).or_default();
        tags.insert(&record.row.row_tag);
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::health::fixture::quarantined as record;

    #[test]
    fn a_listed_row_shows_everything_but_its_key() {
        let record = record("9f2c41d07a33b8e1", Some("ssn"), QuarantineState::Open);
        let object = object(&record);
        assert_eq!(object["tag"], "9f2c41d07a33b8e1");
        assert_eq!(object["constraint"], "ssn_form");
        for name in ["key_sealed", "key", "key_id"] {
            assert_eq!(object.get(name), None);
        }
        assert_eq!(table(&[]), "no rows in quarantine");
        assert!(table(&[record]).contains("9f2c41d07a33b8e1  public.patients  ssn"));
    }

    #[test]
    fn a_tag_stands_for_every_fault_of_its_row_and_an_unknown_one_is_refused() {
        let listed = || {
            vec![
                record("aa", Some("ssn"), QuarantineState::Open),
                record("aa", Some("email"), QuarantineState::Skipped),
                record("bb", None, QuarantineState::Open),
            ]
        };
        let tags = |tags: &[&str]| tags.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        assert_eq!(chosen(listed(), &tags(&["aa"])).unwrap().len(), 2);
        let refused = chosen(listed(), &tags(&["bb", "cc"])).unwrap_err();
        assert_eq!((refused.code, refused.exit), ("E0306", Exit::Usage));
        assert!(refused.message.contains("cc"));
        assert_eq!(only_open(listed()).len(), 2);
    }

    #[test]
    fn the_record_of_a_decision_has_each_tag_once_by_table() {
        let mut other = record("aa", None, QuarantineState::Open);
        other.row.table_label = "public.visits".to_owned();
        let all = [
            record("bb", None, QuarantineState::Open),
            record("aa", Some("ssn"), QuarantineState::Open),
            record("aa", Some("email"), QuarantineState::Open),
            other,
        ];
        let tables = by_table(&all);
        assert_eq!(json!(tables["public.patients"]), json!(["aa", "bb"]));
        assert_eq!(json!(tables["public.visits"]), json!(["aa"]));
    }
}
