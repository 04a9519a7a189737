//! Errors of a run. Each names the place, never a value.

use super::alike::Refusals;
use crate::error::{Coded, Exit};
use crate::foreign::Foreign;
use crate::keys::{KeyError, KeyFaults};
use crate::run::checkpoint::CheckpointError;
use crate::store::StoreError;

/// Why a run stopped.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A round trip failed for good.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key is not there or may not be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Several keys are not there or may not be used.
    #[error(transparent)]
    Keys(KeyFaults),
    /// The audit chain is broken.
    #[error(transparent)]
    Audit(crate::run::audit::Broken),
    /// A transaction that began before the keys changed does not end.
    #[error("an older transaction does not end: {who}")]
    OldTransaction {
        /// Whose transaction it is.
        who: String,
    },
    /// A checkpoint cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A signal asked to stop; all that was committed stays.
    #[error("interrupted")]
    Interrupted,
    /// What an in-place column holds after the write is not what was sent.
    #[error("{table}: a value sealed in place did not read back as it was sent (row {row_tag})")]
    ReadBackDiffers {
        /// The table's label.
        table: String,
        /// The row's tag.
        row_tag: String,
    },
    /// Rows are held by others, or changed each time they are to be written.
    #[error("{table} does not converge: {rows} rows still need work after {passes} passes{held}")]
    NotConverging {
        /// The table's label.
        table: String,
        /// Rows found by the last pass.
        rows: u64,
        /// Passes made.
        passes: u64,
        /// Who holds rows, or nothing.
        held: String,
    },
    /// Each round of a procedure found new work, up to the last round that it makes.
    #[error("{what} did not end: each of {rounds} rounds found something new to do")]
    Unending {
        /// The procedure, with its article.
        what: &'static str,
        /// Rounds made.
        rounds: u32,
    },
    /// A trigger of the table's changes the value each time that it is written.
    #[error(
        "{table} does not converge: a trigger changes a value each time it is written ({triggers})"
    )]
    Rewritten {
        /// The table's label.
        table: String,
        /// The row triggers of UPDATE.
        triggers: String,
    },
    /// The database refuses every row alike: the cause is not in the rows.
    #[error("{table}: every row is refused alike, {} of them: {}{triggers}", refused.tags.len(), refused.cause)]
    AllRefused {
        /// The table's label.
        table: String,
        /// Why, and which.
        refused: Box<Refusals>,
        /// The row triggers of UPDATE, or nothing.
        triggers: String,
    },
    /// So many rows break a constraint that was added NOT VALID that they are not listed one by one.
    #[error(
        "{table}: more than {rows} rows break the constraint {constraint}, which was added NOT VALID"
    )]
    Violating {
        /// The table's label.
        table: String,
        /// The constraint.
        constraint: String,
        /// How many are listed at most.
        rows: u32,
    },
    /// Another kind of run, or one of other columns, is unfinished.
    #[error("an unfinished {kind} of {table} stands in the way: {why}")]
    OtherRun {
        /// `backfill`, `restore` …
        kind: String,
        /// The table's label.
        table: String,
        /// What is different.
        why: String,
    },
    /// Every lane is held by somebody alive.
    #[error("all lanes of {table} are held by {holder}")]
    LanesHeld {
        /// The table's label.
        table: String,
        /// Who.
        holder: String,
    },
    /// A worker ended in a way that must not happen.
    #[error("a worker ended unexpectedly")]
    Worker,
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    NoRandomness,
    /// A field of the plan cannot be worked on as the registry has it.
    #[error("{place} is not registered: nothing of it was sealed yet")]
    NotRegistered {
        /// `public.patients.ssn`.
        place: String,
    },
}

impl EngineError {
    /// Whether the other tables would meet the same: the database, the keys or the program itself. Else they are
    /// worked on although one failed.
    pub fn ends_all(&self) -> bool {
        match self {
            Self::Interrupted | Self::Worker | Self::NoRandomness => true,
            Self::Store(error) => matches!(
                error,
                StoreError::Unreachable { .. }
                    | StoreError::BadUrl { .. }
                    | StoreError::LoginRefused { .. }
                    | StoreError::NoTls { .. }
                    | StoreError::Tls { .. }
                    | StoreError::LoginMethod { .. }
                    | StoreError::ConnectionLost
                    | StoreError::DiskFull
                    | StoreError::RoleRefused { .. }
                    | StoreError::NotOurs { .. }
                    | StoreError::ReadOnly
            ),
            _ => false,
        }
    }

    /// The more serious of two.
    pub fn worse(self, other: Self) -> Self {
        match other.exit().weight() > self.exit().weight() {
            true => other,
            false => self,
        }
    }
}

impl Coded for EngineError {
    fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Key(error) => error.code(),
            Self::Keys(error) => error.code(),
            Self::Audit(error) => error.code(),
            Self::OldTransaction { .. } => "E0608",
            Self::Checkpoint(_) => "E0604",
            Self::Interrupted => "E0605",
            Self::ReadBackDiffers { .. } => "E0303",
            Self::NotConverging { .. } | Self::Unending { .. } => "E0606",
            Self::Rewritten { .. } => "E0526",
            Self::AllRefused { .. } => "E0524",
            Self::Violating { .. } => "E0264",
            Self::OtherRun { .. } => "E0607",
            Self::LanesHeld { .. } => "E0603",
            Self::Worker => "E0901",
            Self::NoRandomness => "E0902",
            Self::NotRegistered { .. } => "E0304",
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Keys(error) => error.message(),
            other => Foreign(&other.to_string()).to_string(),
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Store(error) => error.hint(),
            Self::Key(error) => error.hint(),
            Self::Keys(error) => error.hint(),
            Self::Audit(error) => error.hint(),
            Self::OldTransaction { .. } => {
                "it may still write under the old key: end it, or wait, then run the command again, which goes on"
                    .to_owned()
            }
            Self::Checkpoint(_) => {
                "`phiseal keys check`; if all keys are well, the checkpoint is damaged: give the run up with `phiseal runs \
                 abandon` (docs/RUNBOOK.md, \"A checkpoint that cannot be read\")"
                    .to_owned()
            }
            Self::Interrupted => "run the same command again: it resumes (`verify` begins anew)".to_owned(),
            Self::ReadBackDiffers { .. } => {
                "something rewrites the column on its way in: see `phiseal plan`; the batch was rolled back".to_owned()
            }
            Self::NotConverging { .. } => {
                "end the transactions that hold rows, or what goes on writing them, then run the command again".to_owned()
            }
            Self::Unending { .. } => {
                "find what goes on writing or making tables meanwhile, then run the command again".to_owned()
            }
            Self::Rewritten { .. } => {
                "see that the triggers leave a value alone that is stored already, then run the command again".to_owned()
            }
            Self::AllRefused { .. } => {
                "the cause is a trigger, a constraint or the table's definition and not the rows, so none of them is left in quarantine: mend it, then run the command again, which resumes".to_owned()
            }
            Self::Violating { .. } => {
                "no update of such a row is taken, and the server would write the row into its log: mend the rows and \
                 VALIDATE the constraint, or drop it"
                    .to_owned()
            }
            Self::OtherRun { .. } => {
                "finish it first by running its command again with the plan it was begun with, or give it up: `phiseal runs \
                 abandon`; see `phiseal runs list`"
                    .to_owned()
            }
            Self::LanesHeld { .. } => {
                "let it finish; or stop that process and run the command again, which resumes".to_owned()
            }
            Self::Worker | Self::NoRandomness => "report this, with the log".to_owned(),
            Self::NotRegistered { .. } => "run `phiseal backfill` first".to_owned(),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Store(error) => error.exit(),
            Self::Key(error) => error.exit(),
            Self::Keys(error) => error.exit(),
            Self::Audit(error) => error.exit(),
            Self::OldTransaction { .. } => Exit::NotConverging,
            Self::Checkpoint(_) => Exit::Keys,
            Self::Interrupted => Exit::Interrupted,
            Self::ReadBackDiffers { .. } => Exit::Unverified,
            Self::NotConverging { .. }
            | Self::Unending { .. }
            | Self::Rewritten { .. }
            | Self::AllRefused { .. } => Exit::NotConverging,
            Self::Violating { .. } => Exit::Refused,
            Self::OtherRun { .. } | Self::LanesHeld { .. } => Exit::Held,
            Self::Worker | Self::NoRandomness => Exit::Bug,
            Self::NotRegistered { .. } => Exit::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_procedure_that_does_not_end_is_told_by_its_name_and_not_as_rows() {
        let error = EngineError::Unending {
            what: "the rotation",
            rounds: 10,
        };
        let said = "the rotation did not end: each of 10 rounds found something new to do";
        assert_eq!(error.to_string(), said);
        assert_eq!((error.code(), error.exit()), ("E0606", Exit::NotConverging));
        assert!(error.hint().contains("goes on writing"));
    }
}
