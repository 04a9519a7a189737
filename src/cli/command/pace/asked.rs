//! The tables that `pause`, `resume`, `speed`, and lists without a plan file, mean: all, or those that
//! `--table` names.
//! Owns how a name is found, in the registry and among unfinished runs: the plan file may be of another
//! host and name other tables.

use std::collections::BTreeMap;

use crate::cli::command::tables::nearest;
use crate::cli::session::Session;
use crate::engine::registered::name_of;
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::ident::TableName;
use crate::pace::PaceRequestKind;
use crate::store::PaceRequest;

/// The most runs that are looked at; unfinished runs come first.
const RUNS_MAX: u32 = 1000;

/// The labels of the tables that are meant; none for all tables.
pub struct Asked(Vec<String>);

impl Asked {
    /// Finds the tables by label or by name, with or without their schema.
    ///
    /// # Errors
    /// E0120 if nothing is known by a name, and errors of the store.
    pub async fn named(session: &Session, wanted: &[String]) -> Result<Self, Fault> {
        if wanted.is_empty() {
            return Ok(Self(Vec::new()));
        }
        // Each label, with the names of its table as that is called now.
        let mut known: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for field in session.store.fields().await? {
            let names = vec![name_of(&field), field.table_name.clone()];
            known.insert(field.table_label, names);
        }
        for run in session.store.runs(RUNS_MAX).await? {
            if run.finished_at.is_none() {
                known.entry(run.table_label).or_default();
            }
        }
        Ok(Self(meant(&known, wanted)?))
    }

    /// The labels; none for all tables.
    pub fn tables(&self) -> &[String] {
        &self.0
    }

    /// The labels of the requests: an empty one for all tables.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        let all = self.0.is_empty().then_some("");
        self.0.iter().map(String::as_str).chain(all)
    }

    /// Whether all tables are meant.
    pub fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the table of this label is meant.
    pub fn covers(&self, label: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|one| one == label)
    }

    /// The tables, for a message.
    pub fn shown(&self) -> String {
        match self.0.is_empty() {
            true => "all tables".to_owned(),
            false => Foreign(&self.0.join(", ")).to_string(),
        }
    }

    /// The options that mean the same tables, for a hint.
    pub fn options(&self) -> String {
        let options = self.0.iter().map(|label| format!(" --table {label}"));
        Foreign(&options.collect::<String>()).to_string()
    }

    /// The refusal to withdraw for some tables what holds for all.
    pub fn not_for_one(&self, of_all: &PaceRequest) -> Fault {
        let (what, all, again) = match of_all.kind {
            PaceRequestKind::Pause => ("all tables are paused", "resume", "pause"),
            PaceRequestKind::Speed => ("a speed is asked for all tables", "speed plan", "speed"),
        };
        Fault {
            code: "E0121",
            message: format!(
                "{what}, by {} since {}: that cannot be taken back for {} alone",
                Foreign(&of_all.actor),
                of_all.requested_at,
                self.shown()
            ),
            hint: format!(
                "`phiseal {all}` takes it back for all; then `phiseal {again} --table T` for each of the others"
            ),
            exit: Exit::Usage,
        }
    }
}

/// The labels that these names mean.
fn meant(known: &BTreeMap<String, Vec<String>>, wanted: &[String]) -> Result<Vec<String>, Fault> {
    let mut found: Vec<String> = Vec::new();
    for name in wanted {
        let parsed = name.parse::<TableName>().map(|name| name.label());
        let is = |other: &String| other == name || parsed.as_ref() == Ok(other);
        let of_name = known
            .iter()
            .filter(|(label, names)| is(label) || names.iter().any(is));
        let before = found.len();
        found.extend(of_name.map(|(label, _)| label.clone()));
        if found.len() == before {
            return Err(unknown(known, name));
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn unknown(known: &BTreeMap<String, Vec<String>>, name: &str) -> Fault {
    let labels: Vec<String> = known.keys().cloned().collect();
    let hint = match nearest(name, &labels) {
        Some(label) => format!("did you mean {}?", Foreign(label)),
        None if labels.is_empty() => {
            "leave --table out: a request for all tables is for the first run, too".to_owned()
        }
        None => format!("known are {}", Foreign(&labels.join(", "))),
    };
    Fault {
        code: "E0120",
        message: format!(
            "no table {} is registered, and no run of one is unfinished",
            Foreign(name)
        ),
        hint,
        exit: Exit::Usage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> BTreeMap<String, Vec<String>> {
        let of = |label: &str, names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            (label.to_owned(), names)
        };
        BTreeMap::from([
            of("public.patients", &["public.patients", "patients"]),
            of("old.visits", &["public.\"Visits 2\"", "Visits 2"]),
            of("public.orders", &[]),
            of("ward.patients", &["ward.patients", "patients"]),
        ])
    }

    fn found(names: &[&str]) -> Result<Vec<String>, Fault> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        meant(&known(), &names)
    }

    #[test]
    fn a_table_is_found_by_label_and_by_its_present_name() {
        for (name, labels) in [
            ("public.patients", vec!["public.patients"]),
            ("PUBLIC.Patients", vec!["public.patients"]),
            ("patients", vec!["public.patients", "ward.patients"]),
            ("old.visits", vec!["old.visits"]),
            ("public.\"Visits 2\"", vec!["old.visits"]),
            ("Visits 2", vec!["old.visits"]),
            ("public.orders", vec!["public.orders"]),
        ] {
            assert_eq!(found(&[name]).unwrap(), labels, "{name}");
        }
        let twice = found(&["public.patients", "patients"]).unwrap();
        assert_eq!(twice, ["public.patients", "ward.patients"]);
    }

    #[test]
    fn an_unknown_table_is_refused_with_the_one_that_was_meant() {
        let fault = found(&["public.orders", "public.patient"]).unwrap_err();
        assert_eq!((fault.code, fault.exit), ("E0120", Exit::Usage));
        assert_eq!(fault.hint, "did you mean public.patients?");
        let other = found(&["zzz"]).unwrap_err();
        assert!(
            other.hint.starts_with("known are old.visits, public"),
            "{other:?}"
        );
        let none = meant(&BTreeMap::new(), &["t".to_owned()]).unwrap_err();
        assert!(none.hint.starts_with("leave --table out"), "{none:?}");
    }

    #[test]
    fn what_holds_for_all_is_not_taken_back_for_one() {
        let asked = Asked(vec!["public.patients".to_owned()]);
        let all = crate::engine::health::fixture::pause("", "2026-03-19T00:00:00Z");
        let fault = asked.not_for_one(&all);
        assert_eq!((fault.code, fault.exit), ("E0121", Exit::Usage));
        assert!(
            fault
                .message
                .starts_with("all tables are paused, by me@here")
        );
        assert!(fault.hint.contains("`phiseal resume` takes it back"));
    }
}
