//! What needs a person. Owns the rules by which a fact becomes a reason, and each reason's text.

mod rules;

use std::fmt;

use crate::crypto::{KeyId, Purpose};
use crate::ident::TableName;
use crate::keys::Due;
use crate::store::{ProcedureKind, RunKind};
pub(super) use rules::of;

/// Something that needs a person, with the object concerned. As text, it says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A key's rotation is due, or is soon.
    KeyDue {
        /// The key.
        key: KeyId,
        /// What it is for.
        purpose: Purpose,
        /// When its rotation is due, as the server writes it.
        at: String,
        /// How near its rotation is.
        due: Due,
    },
    /// A key is suspended.
    KeySuspended {
        /// The key.
        key: KeyId,
    },
    /// A rewrap is not finished, and nobody works on it.
    RewrapUnfinished {
        /// The record's number.
        history_id: i64,
    },
    /// A rotation is not finished, and nobody works on it.
    RotationUnfinished {
        /// The record's number.
        history_id: i64,
    },
    /// A procedure is not finished, and nobody works on it.
    ProcedureUnfinished {
        /// What it does.
        kind: ProcedureKind,
        /// The label of its table.
        label: String,
        /// The phase that comes next.
        phase: String,
        /// Since when.
        since: String,
    },
    /// A run was interrupted.
    RunInterrupted {
        /// The run.
        run: RunNamed,
        /// The code of the error that ended it.
        code: Option<String>,
    },
    /// Runs have been paused for more than a day.
    Paused(Paused),
    /// A process no longer renews its leases on lanes of a run.
    RunLost {
        /// The run.
        run: RunNamed,
        /// The process, in words.
        holder: String,
    },
    /// Rows are in quarantine.
    Quarantined {
        /// The label of their table.
        label: String,
        /// How many rows.
        rows: u64,
    },
    /// The guards cannot be relied upon.
    GuardsMissed {
        /// Why.
        why: String,
    },
    /// A registered table or column is not where it was.
    Place(Place),
    /// A plaintext column that was dropped is there again.
    PlaintextBack {
        /// The label of the table.
        label: String,
        /// The column.
        column: String,
    },
    /// A relation's guard is not as it should be.
    GuardFault {
        /// The relation.
        relation: TableName,
        /// What is wrong with it.
        fault: String,
    },
    /// A relation has a gap: its sealed values are not compared with their plaintext.
    NotCompared {
        /// The relation.
        relation: TableName,
        /// Why it has a gap.
        gap: String,
    },
}

/// A run, as it is named to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunNamed {
    /// Its number.
    pub run_id: i64,
    /// Its kind.
    pub kind: RunKind,
    /// The label of its table.
    pub label: String,
    /// The command that resumes it.
    pub command: &'static str,
}

/// A pause that somebody may have forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paused {
    /// The label of the table whose runs are paused; empty for all tables.
    pub label: String,
    /// Who asked for it.
    pub actor: String,
    /// Since when.
    pub since: String,
}

/// Why a registered table or column is not where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A registered table is gone.
    Gone {
        /// The table's label.
        label: String,
    },
    /// Several tables carry the guard of one label.
    Several {
        /// The label.
        label: String,
        /// The tables.
        tables: Vec<TableName>,
    },
    /// Nothing is recorded of a registered table in this database.
    NotRecorded {
        /// The table's label.
        label: String,
    },
    /// A table or column has another name than the one that is registered.
    Renamed {
        /// The table's label.
        label: String,
        /// The registered name.
        was: String,
        /// The present name.
        now: String,
    },
}

/// What is wrong, and what to do about it.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what(), self.remedy())
    }
}

impl Reason {
    /// What is wrong, in one sentence.
    #[must_use]
    pub fn what(&self) -> String {
        match self {
            Self::ProcedureUnfinished {
                kind,
                label,
                phase,
                since,
            } => format!("{kind} of {label} is not finished (next phase: {phase}, since {since})"),
            Self::PlaintextBack { label, column } => format!(
                "{label}.{column} was finalized, but the table has a column of that name again"
            ),
            Self::KeyDue { key, due, .. } => format!("key {key} is {due}"),
            Self::KeySuspended { key } => {
                format!("key {key} is suspended, so new values cannot be encrypted under it")
            }
            Self::RewrapUnfinished { history_id } => format!("rewrap {history_id} is not finished"),
            Self::RotationUnfinished { history_id } => {
                format!("rotation {history_id} is not finished")
            }
            Self::RunInterrupted { run, code } => match code {
                Some(code) => format!("{run} was interrupted ({code})"),
                None => format!("{run} was interrupted"),
            },
            Self::Paused(paused) => paused.to_string(),
            Self::RunLost { run, holder } => {
                format!("{run}: {holder} no longer works on it, and did not end it")
            }
            Self::Quarantined { label, rows } => match rows {
                1 => format!("1 row of {label} is in quarantine"),
                rows => format!("{rows} rows of {label} are in quarantine"),
            },
            Self::GuardsMissed { why } => why.clone(),
            Self::Place(place) => place.what(),
            Self::GuardFault { relation, fault } => format!("{}: {fault}", relation.label()),
            Self::NotCompared { relation, gap } => format!(
                "the sealed values of {} are not compared with their plaintext: {gap}",
                relation.label()
            ),
        }
    }

    /// What to do about it: mostly a command.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::ProcedureUnfinished { kind, .. } => command(*kind).to_owned(),
            Self::PlaintextBack { .. } => "drop that column, or run `phiseal restore`".to_owned(),
            Self::KeyDue { purpose, .. } => match purpose {
                Purpose::Cell => "`phiseal rotate`".to_owned(),
                purpose => format!("`phiseal rotate --purpose {purpose}`"),
            },
            Self::KeySuspended { key } => format!(
                "`phiseal keys resume {key} --reason ...` or `phiseal keys compromise {key} --reason ...`"
            ),
            Self::RewrapUnfinished { .. } => "run `phiseal keys rewrap` again".to_owned(),
            Self::RotationUnfinished { .. } => "`phiseal rotate` finishes it".to_owned(),
            Self::RunInterrupted { run, .. } | Self::RunLost { run, .. } => {
                format!("`phiseal {}` resumes it", run.command)
            }
            Self::Paused(paused) => match paused.label.as_str() {
                "" => "`phiseal resume`".to_owned(),
                label => format!("`phiseal resume --table {label}`"),
            },
            Self::Quarantined { .. } => "`phiseal quarantine list`".to_owned(),
            Self::GuardsMissed { .. } => "`phiseal backfill`, then `phiseal verify`".to_owned(),
            Self::Place(place) => place.remedy(),
            Self::GuardFault { .. } | Self::NotCompared { .. } => "`phiseal backfill`".to_owned(),
        }
    }
}

impl fmt::Display for RunNamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {} ({} of {})", self.run_id, self.kind, self.label)
    }
}

impl fmt::Display for Paused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = match self.label.as_str() {
            "" => "all runs".to_owned(),
            label => format!("runs of {label}"),
        };
        write!(
            f,
            "{runs} have been paused for more than a day, since {} by {}",
            self.since, self.actor
        )
    }
}

impl Place {
    fn what(&self) -> String {
        match self {
            Self::Gone { label } => format!("the table with the label {label} is gone"),
            Self::Several { label, tables } => {
                let names: Vec<String> = tables.iter().map(TableName::label).collect();
                format!(
                    "several tables carry the guard of label {label}: {}",
                    names.join(", ")
                )
            }
            Self::NotRecorded { label } => format!(
                "the sealed values of {label} are not compared: this database has no record of their table"
            ),
            Self::Renamed { was, now, .. } => format!("{was} is now called {now}"),
        }
    }

    fn remedy(&self) -> String {
        match self {
            Self::Gone { label } => format!(
                "`phiseal fields rebind {label} --to TABLE --reason ...`, or `phiseal fields forget {label} --reason ...`"
            ),
            Self::Several { label, .. } => {
                format!("`phiseal fields rebind {label} --to TABLE --reason ...`")
            }
            Self::NotRecorded { .. } => "`phiseal backfill`".to_owned(),
            Self::Renamed { label, .. } => format!(
                "write the new name into the plan, then `phiseal backfill`, which makes the guard of {label} again"
            ),
        }
    }
}

/// The command that goes on with a procedure.
fn command(kind: ProcedureKind) -> &'static str {
    match kind {
        ProcedureKind::Restore => "`phiseal restore --drop-sealed`",
        ProcedureKind::Finalize => "`phiseal finalize`",
        ProcedureKind::Scrub => "`phiseal scrub`",
    }
}

#[cfg(test)]
mod tests;
