//! What a finalize looks at before it changes anything: whether plaintext still comes, from whom, what
//! is in quarantine, and what depends on the plaintext columns.
//! Owns the observation. The transaction that wrote an unsealed row is matched with the sessions that
//! held a writer's lock, so that nothing has to be installed to see who writes.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::refusal::FinalizeError;
use super::{FinalizeOptions, PlaintextFate};
use crate::engine::error::EngineError;
use crate::engine::events::Event;
use crate::engine::{Engine, Job};
use crate::store::{Dependent, QuarantineRecord, QuarantineState, UnsealedRows};

/// The pause between two looks at the sessions that write.
const SAMPLE_EVERY: Duration = Duration::from_millis(30);

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Outlook {
    /// Rows with plaintext that is not sealed.
    pub unsealed: u64,
    /// Who was seen writing plaintext.
    pub writers: Vec<String>,
    /// The tags of rows in quarantine.
    pub quarantined: Vec<String>,
    /// What depends on the plaintext columns.
    pub dependents: Vec<Dependent>,
}

impl Engine {
    /// Looks whether a finalize of the job's fields may begin, and observes for a time whether
    /// plaintext still comes. Changes nothing.
    ///
    /// # Errors
    /// What the store reports; [`EngineError::Interrupted`].
    pub async fn look_before_finalize(
        &self,
        job: &Job,
        observe: Duration,
    ) -> Result<Outlook, EngineError> {
        let table = &job.table;
        let seen = self.watch_writers(job, observe).await?;
        let unsealed = self.store.unsealed(table).await?;
        Ok(Outlook {
            unsealed: unsealed.iter().map(|one| one.rows).sum(),
            writers: matched(&unsealed, &seen),
            quarantined: self.quarantined_tags(job).await?,
            dependents: self.store.plaintext_dependents(table).await?,
        })
    }

    /// The sessions that wrote to the table during `observe`, by their transaction.
    async fn watch_writers(&self, job: &Job, observe: Duration) -> Result<Seen, EngineError> {
        let clock = self.stop.clock();
        let begun = clock.now();
        let mut seen = Seen::new();
        while clock.since(begun) < observe {
            if self.stop.is_requested() {
                return Err(EngineError::interrupted());
            }
            for writer in self.store.writers(&job.table).await? {
                seen.entry(writer.id).or_default().insert(writer.who);
            }
            self.events.emit(Event::Waiting {
                why: format!(
                    "to see whether plaintext still comes, {} s in all",
                    observe.as_secs()
                ),
            });
            self.stop.sleep(SAMPLE_EVERY).await;
        }
        self.events.emit(Event::GoingOn);
        Ok(seen)
    }

    /// The tags of rows in quarantine that concern the job's fields, each once.
    pub(super) async fn quarantined_tags(&self, job: &Job) -> Result<Vec<String>, EngineError> {
        let rows = self.quarantined_rows(job).await?;
        let tags: BTreeSet<String> = rows.into_iter().map(|one| one.row.row_tag).collect();
        Ok(tags.into_iter().collect())
    }

    /// The entries of the quarantine that concern the job's fields.
    pub(super) async fn quarantined_rows(
        &self,
        job: &Job,
    ) -> Result<Vec<QuarantineRecord>, EngineError> {
        let labels = job.labels();
        let mut listed = self.store.quarantined(Some(&job.table.label)).await?;
        listed.retain(|record| {
            let column = record.row.column_label.as_ref();
            record.state != QuarantineState::Resolved
                && column.is_none_or(|column| labels.contains(column))
        });
        Ok(listed)
    }
}

impl Outlook {
    /// The first reason why the finalize may not begin.
    ///
    /// # Errors
    /// The reason.
    pub fn refuse(self, table: &str, options: &FinalizeOptions) -> Result<(), FinalizeError> {
        let (table, given_up) = (table.to_owned(), &options.give_up);
        let hides = options.fate == PlaintextFate::Drop && !options.grace.is_zero();
        let mut objects = self.dependents;
        objects.retain(|one| one.blocks || hides && one.kind == "publication of all columns");
        if !objects.is_empty() {
            return Err(FinalizeError::Dependents { table, objects });
        }
        let mut tags = self.quarantined;
        let any_listed = !tags.is_empty();
        tags.retain(|tag| !given_up.contains(tag));
        if !tags.is_empty() {
            return Err(FinalizeError::Quarantined { table, tags });
        }
        // A row whose plaintext is given up counts as unsealed until it is removed.
        if self.unsealed > 0 && !any_listed {
            return Err(FinalizeError::Unsealed {
                table,
                rows: self.unsealed,
                writers: self.writers,
            });
        }
        Ok(())
    }
}

/// Sessions by the transaction in which they were seen to write; under the empty name those that may.
type Seen = HashMap<String, BTreeSet<String>>;

/// The sessions that wrote unsealed rows. If their transactions were too short to be met: those that
/// were seen to write anything, or else those that may.
fn matched(unsealed: &[UnsealedRows], seen: &Seen) -> Vec<String> {
    if unsealed.is_empty() {
        return Vec::new();
    }
    let mut writers: BTreeSet<&String> = BTreeSet::new();
    for rows in unsealed.iter().filter(|rows| !rows.transaction.is_empty()) {
        writers.extend(seen.get(&rows.transaction).into_iter().flatten());
    }
    if writers.is_empty() {
        let met = seen
            .iter()
            .filter(|(transaction, _)| !transaction.is_empty());
        writers.extend(met.flat_map(|(_, who)| who));
    }
    if writers.is_empty() {
        let may = seen.get("").into_iter().flatten();
        return may.map(|who| format!("perhaps {who}")).collect();
    }
    writers.into_iter().cloned().collect()
}
