//! Procedures: work of several phases of which each may be interrupted, such as a restore that drops
//! the sealed columns afterwards.
//! Owns the order: the phase that comes next is recorded in the database before it begins, so a
//! procedure that was killed goes on there when somebody asks for it again, from any host. A procedure
//! owns what its phases do; each phase may be repeated.

use std::str::FromStr;

use async_trait::async_trait;
use serde_json::json;

use super::Engine;
use super::error::EngineError;
use super::events::Event;
use crate::run::audit;
use crate::store::{ProcedureKind, ProcedureRecord, StoreError, Table};

/// What comes after a phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then<P> {
    /// This phase. It may be an earlier one, if what it did was undone meanwhile.
    Phase(P),
    /// This phase, with other parameters for it and the phases after it, as JSON text.
    With(P, String),
    /// The same phase, in a later call: a person has to do something first.
    Stay,
    /// Nothing; the procedure ended with this outcome, which holds no value.
    End(&'static str),
}

/// One kind of procedure over one subject.
#[async_trait]
pub trait Procedure: Send {
    /// Its phases, each with the word that is stored.
    type Phase: Copy + FromStr + Send + Sync + Into<&'static str>;

    /// What it does.
    fn kind(&self) -> ProcedureKind;

    /// The table, with the fields that it works on. Two procedures of one kind for the same columns of
    /// a table are the same procedure.
    fn table(&self) -> &Table;

    /// Where it begins.
    fn first(&self) -> Self::Phase;

    /// Where a call goes on that finds this phase recorded.
    fn resumes_at(&self, recorded: Self::Phase) -> Self::Phase {
        recorded
    }

    /// Does one phase. `record` is the procedure as it is recorded.
    ///
    /// # Errors
    /// Anything that prevents the phase; the next call repeats it.
    async fn run(
        &mut self,
        engine: &Engine,
        phase: Self::Phase,
        record: &ProcedureRecord,
    ) -> Result<Then<Self::Phase>, EngineError>;
}

impl Engine {
    /// Does what is left of a procedure: all of it, or the phases after the one at which an earlier
    /// call ended.
    ///
    /// # Errors
    /// What a phase returns; [`StoreError::Unexpected`] if another version recorded a phase that this
    /// one does not know.
    pub async fn proceed<P: Procedure>(&self, procedure: &mut P) -> Result<(), EngineError> {
        let first: &'static str = procedure.first().into();
        let (kind, actor) = (procedure.kind(), &self.tenants.actor);
        let (label, columns) = (&procedure.table().label, procedure.table().column_labels());
        let record = self
            .store
            .begin_procedure(kind, label, &columns, first, "{}", actor)
            .await?;
        let label = label.clone();
        let begun = if record.phase == first {
            "begin"
        } else {
            "resume"
        };
        self.note_procedure(&record, begun).await?;
        let recorded: P::Phase = record.phase.parse().map_err(|_| {
            StoreError::unexpected("a phase of a procedure that this version does not know")
        })?;
        let mut stored: &'static str = recorded.into();
        let mut phase = procedure.resumes_at(recorded);
        loop {
            if self.stop.is_requested() {
                return Err(EngineError::interrupted());
            }
            let name: &'static str = phase.into();
            if name != stored {
                self.store
                    .set_phase(record.procedure_id, stored, name, None)
                    .await?;
                stored = name;
            }
            self.events.emit(Event::Phase {
                kind: kind.as_str(),
                table: label.clone(),
                phase: name,
            });
            match procedure.run(self, phase, &record).await? {
                Then::Phase(next) => phase = next,
                Then::With(next, params) => {
                    let name: &'static str = next.into();
                    self.store
                        .set_phase(record.procedure_id, stored, name, Some(&params))
                        .await?;
                    stored = name;
                    phase = next;
                }
                Then::Stay => return Ok(()),
                Then::End(outcome) => {
                    let id = record.procedure_id;
                    self.store.finish_procedure(id, outcome).await?;
                    return self.note_procedure(&record, outcome).await;
                }
            }
        }
    }

    /// Appends to the audit log what happened to a procedure.
    pub(super) async fn note_procedure(
        &self,
        record: &ProcedureRecord,
        what: &str,
    ) -> Result<(), EngineError> {
        // Others have notes of their own.
        if record.kind != ProcedureKind::Finalize {
            return Ok(());
        }
        let action = format!("{}.{what}", record.kind);
        let subject = json!({
            "table": record.table_label,
            "columns": record.columns,
            "procedure_id": record.procedure_id,
        });
        let (keyring, actor) = (&self.tenants.keyring, &self.tenants.actor);
        Ok(audit::append(self.store.as_ref(), keyring, actor, &action, &subject).await?)
    }
}
