//! `phiseal audit list`: what the log says, a line for each entry.
//! Owns the choice of entries and the lines, none of which is wider than a terminal. Checks nothing:
//! anyone may have written the rows.

use std::collections::{BTreeSet, VecDeque};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::entries_counted;
use crate::cli::args::{AuditList, Global};
use crate::cli::columns::{self, Column, Cut};
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::error::{Exit, Fault};
use crate::run::audit::Pages;
use crate::store::{AuditEntry, AuditRow, Store, StoreError};

/// The widest line, in characters.
const WIDTH: usize = 80;

pub async fn run(global: &Global, args: &AuditList, output: Output) -> Result<Exit, Fault> {
    let (session, _) = Session::installed(global, false).await?;
    let found = Found::read(session.store.as_ref(), args).await?;
    let value: Value = found.rows.iter().map(object).collect();
    output.result(&value, &found.text());
    if found.older > 0 {
        let older = usize::try_from(found.older).unwrap_or(usize::MAX);
        let rest = entries_counted(older);
        output.say(&format!("{rest} before these: see --limit"));
    }
    Ok(Exit::Done)
}

/// The newest entries that were asked for.
struct Found {
    rows: VecDeque<AuditRow>,
    /// How many entries that were asked for are older.
    older: u64,
    /// The kinds of all entries that were read.
    kinds: BTreeSet<String>,
}

impl Found {
    async fn read(store: &dyn Store, args: &AuditList) -> Result<Self, StoreError> {
        let mut found = Self {
            rows: VecDeque::new(),
            older: 0,
            kinds: BTreeSet::new(),
        };
        let takes_all = args.since.is_none() && args.until.is_none() && args.kind.is_empty();
        let mut pages = Pages::all();
        if takes_all {
            let last = store.audit_head().await?.entry_id;
            let before = last.saturating_sub(i64::from(args.limit)).max(0);
            found.older = before.unsigned_abs();
            pages = Pages::from(before.saturating_add(1));
        }
        loop {
            let rows = pages.next(store).await?;
            if rows.is_empty() {
                return Ok(found);
            }
            for row in rows {
                found.take(row, args);
            }
        }
    }

    fn take(&mut self, row: AuditRow, args: &AuditList) {
        if let Some(entry) = &row.entry {
            self.kinds.insert(kind(&entry.action).to_owned());
        }
        if !is_wanted(&row, args) {
            return;
        }
        self.rows.push_back(row);
        if self.rows.len() > args.limit as usize {
            self.rows.pop_front();
            self.older += 1;
        }
    }

    fn text(&self) -> String {
        match (self.rows.is_empty(), self.kinds.is_empty()) {
            (true, true) => "no entries; the first `phiseal keys create` makes one".to_owned(),
            (true, false) => {
                let kinds: Vec<&str> = self.kinds.iter().map(String::as_str).collect();
                format!(
                    "no such entries; the log has the kinds {}",
                    kinds.join(", ")
                )
            }
            (false, _) => table(self.rows.iter()),
        }
    }
}

/// The part of an action before its dot: `key` of `key.create`.
fn kind(action: &str) -> &str {
    action.split_once('.').map_or(action, |(kind, _)| kind)
}

/// Whether the row was asked for. A row or time that cannot be read always is.
fn is_wanted(row: &AuditRow, args: &AuditList) -> bool {
    let Some(entry) = &row.entry else {
        return true;
    };
    let is_kind = |wanted: &String| *wanted == entry.action || wanted == kind(&entry.action);
    if !args.kind.is_empty() && !args.kind.iter().any(is_kind) {
        return false;
    }
    let Ok(at) = entry.at.parse::<Timestamp>() else {
        return true;
    };
    args.since.is_none_or(|since| at >= since) && args.until.is_none_or(|until| at <= until)
}

fn object(row: &AuditRow) -> Value {
    let Some(entry) = &row.entry else {
        return json!({ "entry_id": row.entry_id, "unreadable": true });
    };
    json!({
        "entry_id": entry.entry_id,
        "at": entry.at,
        "actor": entry.actor,
        "action": entry.action,
        "subject": subject(entry),
        "key_id": entry.key_id,
    })
}

fn subject(entry: &AuditEntry) -> Value {
    serde_json::from_str(&entry.subject).unwrap_or_else(|_| Value::from(entry.subject.as_str()))
}

/// The rows as lines of at most [`WIDTH`] columns.
fn table<'a>(rows: impl Iterator<Item = &'a AuditRow>) -> String {
    const COLUMNS: [Column; 5] = [
        Column::always("NO", Cut::Never),
        Column::always("TIME (UTC)", Cut::Never),
        Column::always("WHO", Cut::End),
        Column::always("ACTION", Cut::End),
        Column::always("ABOUT", Cut::End),
    ];
    let lines: Vec<Vec<String>> = rows.map(line).collect();
    columns::table(&COLUMNS, &lines, Some(WIDTH))
}

fn line(row: &AuditRow) -> Vec<String> {
    let number = row.entry_id.to_string();
    let Some(entry) = &row.entry else {
        let nothing = || "?".to_owned();
        return vec![
            number,
            nothing(),
            nothing(),
            nothing(),
            "cannot be read".to_owned(),
        ];
    };
    let time = entry
        .at
        .get(..19)
        .unwrap_or(&entry.at)
        .replacen('T', " ", 1);
    vec![
        number,
        time,
        entry.actor.clone(),
        entry.action.clone(),
        about(&subject(entry)),
    ]
}

/// What of a subject is shown, in this order, with the word before each.
const SHOWN: [(&str, &str); 14] = [
    ("table", ""),
    ("columns", ""),
    ("column", ""),
    ("key_id", "key "),
    ("key_ids", "keys "),
    ("from_key_id", "key "),
    ("from_key_ids", "keys "),
    ("purpose", ""),
    ("tenant", "tenant "),
    ("to", "under "),
    ("run_id", "run "),
    ("row_tag", "row "),
    ("tags", "rows "),
    ("reason", ""),
];

/// What an entry is about: the table, key, tenant, run or row that it names.
fn about(subject: &Value) -> String {
    let part = |(name, word): &(&str, &str)| {
        let text = plain(&subject[*name]);
        let to = match name.strip_prefix("from") {
            Some(keys) => format!(" to {}", plain(&subject[format!("to{keys}")])),
            None => String::new(),
        };
        (!text.is_empty()).then(|| format!("{word}{text}{to}"))
    };
    let parts: Vec<String> = SHOWN.iter().filter_map(part).collect();
    parts.join(", ")
}

/// A text, a number or a list of them; empty for anything else.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Array(values) => {
            let texts: Vec<String> = values.iter().map(plain).collect();
            texts.join(" ")
        }
        Value::Null | Value::Bool(_) | Value::Object(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(entry_id: i64, at: &str, action: &str, subject: &Value) -> AuditRow {
        AuditRow {
            entry_id,
            entry: Some(AuditEntry {
                entry_id,
                at: at.to_owned(),
                actor: "root@a-host-with-a-long-name.example".to_owned(),
                action: action.to_owned(),
                subject: subject.to_string(),
                key_id: 7,
                prev_mac: Vec::new(),
                mac: Vec::new(),
            }),
        }
    }

    fn args() -> AuditList {
        AuditList {
            since: None,
            until: None,
            kind: Vec::new(),
            limit: 2,
        }
    }

    const AT: &str = "2026-07-01T12:00:00.123456Z";

    #[test]
    fn no_line_is_wider_than_a_terminal_and_none_imitates_another() {
        let long =
            json!({ "table": "public.patients_of_a_very_long_name", "reason": "x\n9 forged" });
        let rows = [
            row(1, AT, "quarantine.retry", &long),
            row(i64::MAX, AT, "an.action.that.nobody.knows", &json!({})),
            AuditRow {
                entry_id: 3,
                entry: None,
            },
        ];
        let text = table(rows.iter());
        assert_eq!(text.lines().count(), 4, "{text}");
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
        let usual = table([&rows[0], &rows[2]].into_iter());
        assert!(usual.contains("2026-07-01 12:00:00  root@a-"), "{usual}");
        assert!(usual.contains("cannot be read"), "{usual}");
    }

    #[test]
    fn entries_are_chosen_by_kind_and_time_and_what_cannot_be_read_always_is() {
        let made = row(1, AT, "key.create", &json!({}));
        let odd = row(2, "no time", "key.create", &json!({}));
        let broken = AuditRow {
            entry_id: 3,
            entry: None,
        };
        let kinds = |kinds: &[&str]| AuditList {
            kind: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            ..args()
        };
        for (wanted, of) in [
            (true, kinds(&[])),
            (true, kinds(&["key"])),
            (true, kinds(&["backfill", "key.create"])),
            (false, kinds(&["key.destroy"])),
            (false, kinds(&["ke"])),
        ] {
            assert_eq!(is_wanted(&made, &of), wanted, "{of:?}");
            assert!(is_wanted(&broken, &of));
        }
        let time = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        for (since, until, wanted) in [
            (time("2026-07-01T12:00:00Z"), None, true),
            (time("2026-07-01T12:00:01Z"), None, false),
            (None, time("2026-07-01T12:00:00Z"), false),
            (None, time("2026-07-01T12:00:00.123456Z"), true),
        ] {
            let of = AuditList {
                since,
                until,
                ..args()
            };
            assert_eq!(is_wanted(&made, &of), wanted);
            assert!(is_wanted(&odd, &of));
        }
    }

    #[test]
    fn the_newest_entries_are_kept_and_the_others_counted() {
        let mut found = Found {
            rows: VecDeque::new(),
            older: 0,
            kinds: BTreeSet::new(),
        };
        for number in 1..=5 {
            found.take(row(number, AT, "key.create", &json!({})), &args());
        }
        let numbers: Vec<i64> = found.rows.iter().map(|row| row.entry_id).collect();
        assert_eq!((numbers, found.older), (vec![4, 5], 3));
    }

    #[test]
    fn an_entry_says_which_table_or_key_it_is_about() {
        for (subject, shown) in [
            (
                json!({ "table": "public.t", "run_id": 3, "rows_found": 9 }),
                "public.t, run 3",
            ),
            (
                json!({ "key_id": 7, "purpose": "cell", "tenant": "", "version": 1 }),
                "key 7, cell",
            ),
            (
                json!({ "key_ids": [7, 8], "tenant": "north", "reason": "left" }),
                "keys 7 8, tenant north, left",
            ),
            (
                json!({ "history_id": 1, "from_key_id": 7, "to_key_id": 8, "reason": "due" }),
                "key 7 to 8, due",
            ),
            (json!("no object"), ""),
        ] {
            assert_eq!(about(&subject), shown);
        }
    }
}
