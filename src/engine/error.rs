//! Errors of a run. Each names the place, never a value.

use super::alike::Refusals;
use super::finalize::FinalizeError;
use crate::error::{Coded, coded};
use crate::keys::{KeyError, KeyFaults};
use crate::run::checkpoint::CheckpointError;
use crate::store::StoreError;

coded! {
    /// Why a run stopped.
    #[derive(Debug, thiserror::Error)]
    pub enum EngineError, exit: NotConverging {
        /// A round trip failed for good.
        Store(error: StoreError) = error(transparent);
        /// A key is not there or may not be used.
        Key(#[from] error: KeyError) = error(transparent);
        /// Several keys are not there or may not be used.
        Keys(error: KeyFaults) = error(transparent);
        /// The audit chain is broken.
        Audit(error: crate::run::audit::Broken) = error(transparent);
        /// A finalize does not go on.
        Finalize(#[from] error: FinalizeError) = error(transparent);
        /// A transaction that began before the keys changed does not end.
        OldTransaction {
            /// Whose transaction it is.
            who: String,
        } = "E0608"("an older transaction does not end: {who}"),
            hint: "it may still act on what was true before: end it, or wait, then run the command again, which goes on";
        /// A checkpoint cannot be read or written.
        Checkpoint(#[from] error: CheckpointError) = "E0604"(transparent), exit: Keys,
            hint: "`phiseal keys check`; if all keys are well, the checkpoint is damaged: give the run up with `phiseal runs \
                abandon` (docs/RUNBOOK.md, \"A checkpoint that cannot be read\")";
        /// A signal asked to stop; all that was committed stays.
        Interrupted {
            /// How much is done, such as `41 % of public.patients done`; `None` where nobody knows.
            done: Option<String>,
        } = "E0605"("interrupted{}", after_colon(.done.as_deref())), exit: Interrupted,
            hint: "run the same command again to resume (a verification starts from the beginning)";
        /// What an in-place column holds after the write is not what was sent.
        ReadBackDiffers {
            /// The table's label.
            table: String,
            /// The row's tag.
            row_tag: String,
        } = "E0303"("{table}: a value sealed in place did not read back as it was sent (row {row_tag})"), exit: Unverified,
            hint: "something rewrites the column on its way in: see `phiseal plan`; the batch was rolled back";
        /// Rows are held by others, or changed each time they are to be written.
        NotConverging {
            /// The table's label.
            table: String,
            /// Rows found by the last pass.
            rows: u64,
            /// Passes made.
            passes: u64,
            /// Who holds rows, or nothing.
            held: String,
        } = "E0606"("{table} does not converge: {rows} rows still need work after {passes} passes{held}"),
            hint: "end the transactions that hold rows, or what goes on writing them, then run the command again";
        /// Each round of a procedure found new work, up to the last round that it makes.
        Unending {
            /// The procedure, with its article.
            what: &'static str,
            /// Rounds made.
            rounds: u32,
        } = "E0606"("{what} did not end: each of {rounds} rounds found something new to do"),
            hint: "find what goes on writing or making tables meanwhile, then run the command again";
        /// A trigger of the table's changes the value each time that it is written.
        Rewritten {
            /// The table's label.
            table: String,
            /// The row triggers of UPDATE.
            triggers: String,
        } = "E0526"("{table} does not converge: a trigger changes a value each time it is written ({triggers})"),
            hint: "see that the triggers leave a value alone that is stored already, then run the command again";
        /// The database refuses every row alike: the cause is not in the rows.
        AllRefused {
            /// The table's label.
            table: String,
            /// Why, and which.
            refused: Box<Refusals>,
            /// The row triggers of UPDATE, or nothing.
            triggers: String,
        } = "E0524"("{table}: every row is refused alike, {} of them: {}{triggers}", refused.tags.len(), refused.cause),
            hint: "the cause is a trigger, a constraint or the table's definition and not the rows, so none of them is left in quarantine: mend it, then run the command again, which resumes";
        /// So many rows break a constraint that was added NOT VALID that they are not listed one by one.
        Violating {
            /// The table's label.
            table: String,
            /// The constraint.
            constraint: String,
            /// How many are listed at most.
            rows: u32,
        } = "E0264"("{table}: more than {rows} rows break the constraint {constraint}, which was added NOT VALID"), exit: Refused,
            hint: "no update of such a row is taken, and the server would write the row into its log: mend the rows and \
                VALIDATE the constraint, or drop it";
        /// Another kind of run, or one of other columns, is unfinished.
        OtherRun {
            /// `backfill`, `restore` …
            kind: String,
            /// The table's label.
            table: String,
            /// What is different.
            why: String,
        } = "E0607"("an unfinished {kind} of {table} stands in the way: {why}"), exit: Held,
            hint: "finish it first by running its command again with the plan it was begun with, or give it up: `phiseal runs \
                abandon`; see `phiseal runs list`";
        /// Every lane is held by somebody alive.
        LanesHeld {
            /// The table's label.
            table: String,
            /// Who.
            holder: String,
        } = "E0603"("all lanes of {table} are held by {holder}"), exit: Held,
            hint: "let it finish; or stop that process and run the command again, which resumes";
        /// A worker ended in a way that must not happen.
        Worker = "E0901"("a worker ended unexpectedly"), exit: Bug,
            hint: "report this, with the log";
        /// The operating system gave no random bytes.
        NoRandomness = "E0902"("the operating system gave no random bytes"), exit: Bug,
            hint: "report this, with the log";
        /// Fields that still have a plaintext, or may get one.
        NotFinalized {
            /// `public.patients.ssn (sealed)`, one after the other.
            fields: String,
        } = "E0620"("not finalized, so that plaintext is there or may come: {fields}"), exit: Refused,
            hint: "run `phiseal finalize` first; `--table` and `--column` choose what is scrubbed";
        /// The rewriting method that was asked for cannot be used.
        NoSuchMethod {
            /// Its word.
            method: &'static str,
            /// The relation.
            relation: String,
            /// Why.
            why: String,
        } = "E0621"("{relation} cannot be rewritten by {method}: {why}"), exit: Refused,
            hint: "leave `--method` out; `phiseal scrub --dry-run` shows what is taken and why";
        /// Plaintext was found after the rewriting.
        PlaintextFound {
            /// The table's label.
            table: String,
            /// Where, and how many values.
            files: String,
        } = "E0622"("plaintext of {table} is still in the files: {files}"), exit: Unverified,
            hint: "run the command again; in a table's own files, a value that also stands in a column which is not \
                sealed is found there; in the write-ahead log, see what keeps it: `phiseal scrub --dry-run`";
        /// What sees old rows does not end.
        OldRows {
            /// Who.
            who: String,
        } = "E0623"("what still sees old rows does not end: {who}"),
            hint: "a rewrite would keep these rows: end it, or wait, then run the command again, which goes on";
        /// The lock of a table was not granted in all attempts.
        NotGranted {
            /// The relation.
            relation: String,
        } = "E0625"("no lock on {relation}: others use it all the time"),
            hint: "run the command again at a quieter time: it goes on";
        /// Our role may not rewrite a table.
        MayNotRewrite {
            /// The relation.
            relation: String,
        } = "E0627"("our role may not rewrite {relation}"), exit: Refused,
            hint: "run it as the owner of the table, or of the database (`role` in the plan); from PostgreSQL 17 on, MAINTAIN on the table suffices";
        /// A field of the plan cannot be worked on as the registry has it.
        NotRegistered {
            /// `public.patients.ssn`.
            place: String,
        } = "E0304"("{place} is not registered: nothing of it was sealed yet"), exit: Refused,
            hint: "run `phiseal backfill` first";
    }
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Interrupted => Self::interrupted(),
            other => Self::Store(other),
        }
    }
}

fn after_colon(text: Option<&str>) -> String {
    text.map_or_else(String::new, |text| format!(": {text}"))
}

impl EngineError {
    /// A signal asked to stop, where nobody knows how much is done.
    pub fn interrupted() -> Self {
        Self::Interrupted { done: None }
    }

    /// Whether the other tables would meet the same: the database, the keys or the program itself. Else they are
    /// worked on although one failed.
    pub fn ends_all(&self) -> bool {
        match self {
            Self::Interrupted { .. } | Self::Worker | Self::NoRandomness => true,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;

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
