//! What needs a person. Owns the rules by which a fact becomes a reason, and each reason's text.

mod rules;

use std::fmt;

use crate::crypto::KeyId;
use crate::ident::TableName;
use crate::keys::Due;
use crate::plural::counted;
use crate::store::{ProcedureKind, RunKind};
pub(super) use rules::of;

/// Something that needs a person, with the object concerned. As text, it says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A key's rotation is due, or is soon.
    KeyDue {
        /// The key.
        key: KeyId,
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
        run_id: i64,
        /// Its kind.
        kind: RunKind,
        /// The label of its table.
        label: String,
        /// The code of the error that ended it.
        code: Option<String>,
    },
    /// Runs have been paused for more than a day.
    Paused(Paused),
    /// The holder of a lane no longer renews its lease.
    LaneLost {
        /// The lane.
        lane_no: i32,
        /// Its run.
        run_id: i64,
        /// The holder, in words.
        holder: String,
    },
    /// Rows are in quarantine.
    Quarantined {
        /// The label of their table.
        label: String,
        /// How many rows.
        rows: usize,
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

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProcedureUnfinished {
                kind,
                label,
                phase,
                since,
            } => write!(
                f,
                "the {kind} of {label} was not finished (next: {phase}, since {since}): {}",
                command(*kind)
            ),
            Self::PlaintextBack { label, column } => write!(
                f,
                "{label}.{column} was finalized, and a column of that name is there again: drop it, or \
                 `phiseal restore`"
            ),
            Self::KeyDue { key, due } => write!(f, "key {key} is {due}: `phiseal rotate`"),
            Self::KeySuspended { key } => write!(
                f,
                "key {key} is suspended, and nothing of its tenant is sealed: `phiseal keys resume`"
            ),
            Self::RewrapUnfinished { history_id } => write!(
                f,
                "rewrap {history_id} is unfinished: run `phiseal keys rewrap` again"
            ),
            Self::RotationUnfinished { history_id } => write!(
                f,
                "rotation {history_id} is unfinished: run `phiseal rotate` again, which finishes it"
            ),
            Self::RunInterrupted {
                run_id,
                kind,
                label,
                code,
            } => {
                write!(f, "run {run_id}, {kind} of {label}, was interrupted")?;
                if let Some(code) = code {
                    write!(f, " ({code})")?;
                }
                f.write_str(": run the command again to resume")
            }
            Self::Paused(paused) => paused.fmt(f),
            Self::LaneLost {
                lane_no,
                run_id,
                holder,
            } => write!(
                f,
                "lane {lane_no} of run {run_id} has lost its holder, {holder}: run the command again to resume"
            ),
            Self::Quarantined { label, rows } => write!(
                f,
                "{} of {label} in quarantine: `phiseal quarantine list`",
                counted(*rows, "row")
            ),
            Self::GuardsMissed { why } => {
                write!(f, "{why}: `phiseal backfill`, then `phiseal verify`")
            }
            Self::Place(place) => place.fmt(f),
            Self::GuardFault { relation, fault } => {
                write!(f, "{}: {fault}: `phiseal backfill`", relation.label())
            }
            Self::NotCompared { relation, gap } => write!(
                f,
                "the sealed values of {} are not compared, because {gap}: `phiseal backfill`",
                relation.label()
            ),
        }
    }
}

impl fmt::Display for Paused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tables, option) = match self.label.as_str() {
            "" => ("all tables".to_owned(), String::new()),
            label => (label.to_owned(), format!(" --table {label}")),
        };
        write!(
            f,
            "runs of {tables} have been paused for more than a day, since {} by {}: `phiseal resume{option}`",
            self.since, self.actor
        )
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone { label } => write!(
                f,
                "the table of label {label} is gone: `phiseal fields list`, then `fields rebind` or `fields forget`"
            ),
            Self::Several { label, tables } => {
                let names: Vec<String> = tables.iter().map(TableName::label).collect();
                write!(
                    f,
                    "several tables carry the guard of label {label}, {}: `phiseal fields rebind`",
                    names.join(", ")
                )
            }
            Self::NotRecorded { label } => write!(
                f,
                "the values of {label} are not compared: nothing is recorded of their table in this database: \
                 `phiseal backfill`"
            ),
            Self::Renamed { label, was, now } => write!(
                f,
                "{was} is called {now} now: write that in the plan, then `phiseal backfill`, which makes the guard of \
                 {label} again"
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
