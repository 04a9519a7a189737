//! `phiseal quarantine`: the rows that could not be processed, named by tag. Writes a row's key to
//! a file, never to the terminal.

mod row;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::{Value, json};

use super::status::quarantine_text;
use super::tables;
use crate::cli::args::{Global, Quarantine};
use crate::cli::columns::{self, Column, Cut, or_nothing};
use crate::cli::figures;
use crate::cli::output::Output;
use crate::cli::screen;
use crate::cli::session::{Session, actor};
use crate::error::sqlstate::named;
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::plural::counted;
use crate::run::audit;
use crate::store::{QuarantineCount, QuarantineRecord, QuarantineState, QuarantineSummary};

/// The most entries that people are shown without a limit of their own.
const SHOWN: u32 = 20;

pub async fn run(global: &Global, args: &Quarantine, output: Output) -> Result<Exit, Fault> {
    let (session, _, labels) = tables::listing(global).await?;
    if let Quarantine::List { limit } = args {
        list(&session, labels.as_ref(), *limit, output).await?;
        return Ok(Exit::Done);
    }
    let listed = listed(&session, labels.as_ref()).await?;
    match args {
        Quarantine::List { .. } => {}
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

/// Lists entries: to people their counts and the first of them, to scripts all, unless a limit is given.
async fn list(
    session: &Session,
    labels: Option<&HashSet<String>>,
    limit: Option<u32>,
    output: Output,
) -> Result<(), Fault> {
    let usual = if output.is_json() { u32::MAX } else { SHOWN };
    let labels: Vec<String> = labels.into_iter().flatten().cloned().collect();
    let found = session
        .store
        .quarantine_summary(&labels, limit.unwrap_or(usual))
        .await?;
    let value: Value = found.first.iter().map(object).collect();
    output.result(&value, &quarantine_text(&found, screen::columns()));
    Ok(())
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

/// The entries as text, within so many columns of a terminal.
pub fn table(listed: &[QuarantineRecord], width: Option<usize>) -> String {
    const COLUMNS: [Column; 9] = [
        Column::always("TAG", Cut::Never),
        Column::always("TABLE", Cut::Middle),
        Column::always("COLUMN", Cut::Middle),
        Column::with_room("STATE", 1, Cut::Never),
        Column::with_room("STEP", 4, Cut::Never),
        Column::always("REASON", Cut::End),
        Column::with_room("SQLSTATE", 3, Cut::Never),
        Column::with_room("CONSTRAINT", 2, Cut::Middle),
        Column::with_room("LISTED (UTC)", 5, Cut::End),
    ];
    let row = |record: &QuarantineRecord| {
        vec![
            record.row.row_tag.clone(),
            record.row.table_label.clone(),
            or_nothing(record.row.column_label.as_deref()),
            record.state.to_string(),
            record.row.step.clone(),
            record.row.reason.clone(),
            or_nothing(record.row.sqlstate.as_deref().map(named).as_deref()),
            or_nothing(record.row.constraint_name.as_deref()),
            figures::minute(&record.created_at),
        ]
    };
    let rows: Vec<Vec<String>> = listed.iter().map(row).collect();
    columns::table(&COLUMNS, &rows, width)
}

/// How many entries are alike, whichever key their row keys are sealed under.
pub struct Alike<'a> {
    pub example: &'a QuarantineCount,
    pub entries: u64,
}

/// The counts without regard to keys, the greatest first.
pub fn alike(summary: &QuarantineSummary) -> Vec<Alike<'_>> {
    let mut all: Vec<Alike<'_>> = Vec::new();
    for one in &summary.counts {
        let is_alike = |other: &&mut Alike<'_>| {
            let of = |count: &QuarantineCount| QuarantineCount {
                key_id: 0,
                entries: 0,
                ..count.clone()
            };
            of(other.example) == of(one)
        };
        match all.iter_mut().find(is_alike) {
            Some(known) => known.entries += one.entries,
            None => all.push(Alike {
                example: one,
                entries: one.entries,
            }),
        }
    }
    all.sort_by_key(|one| std::cmp::Reverse(one.entries));
    all
}

/// A count as JSON.
pub fn count_object(alike: &Alike<'_>) -> Value {
    json!({
        "table": alike.example.table_label,
        "column": alike.example.column_label,
        "step": alike.example.step,
        "state": alike.example.state.as_str(),
        "reason": alike.example.reason,
        "entries": alike.entries,
    })
}

/// The counts as text, within so many columns of a terminal.
pub fn counts_table(summary: &QuarantineSummary, width: Option<usize>) -> String {
    const COLUMNS: [Column; 6] = [
        Column::always("COUNT", Cut::Never),
        Column::always("TABLE", Cut::Middle),
        Column::always("COLUMN", Cut::Middle),
        Column::with_room("STATE", 1, Cut::Never),
        Column::with_room("STEP", 2, Cut::Never),
        Column::always("REASON", Cut::End),
    ];
    let row = |one: &Alike<'_>| {
        vec![
            one.entries.to_string(),
            one.example.table_label.clone(),
            or_nothing(one.example.column_label.as_deref()),
            one.example.state.to_string(),
            one.example.step.clone(),
            one.example.reason.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = alike(summary).iter().map(row).collect();
    columns::table(&COLUMNS, &rows, width)
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
        assert!(table(&[record], None).contains("9f2c41d07a33b8e1  public.patients  ssn"));
    }

    fn count(reason: &str, key_id: i64, entries: u64) -> QuarantineCount {
        QuarantineCount {
            table_label: "public.patients".to_owned(),
            column_label: Some("ssn".to_owned()),
            step: "verify".to_owned(),
            state: QuarantineState::Open,
            reason: reason.to_owned(),
            key_id,
            entries,
        }
    }

    #[test]
    fn entries_are_counted_by_reason_whichever_key_they_were_listed_under() {
        let summary = QuarantineSummary {
            counts: vec![
                count("too long", 7, 20),
                count("does not open", 7, 15),
                count("does not open", 8, 10),
            ],
            ..QuarantineSummary::default()
        };
        let counted: Vec<(String, u64)> = alike(&summary)
            .iter()
            .map(|one| (one.example.reason.clone(), one.entries))
            .collect();
        let expected = [
            ("does not open".to_owned(), 25),
            ("too long".to_owned(), 20),
        ];
        assert_eq!(counted, expected);
        assert_eq!(summary.entries(), 45);
        assert_eq!(
            counts_table(&summary, Some(59)).lines().nth(1),
            Some("25     public.patients  ssn     open   does not open")
        );
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
