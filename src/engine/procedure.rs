//! Procedures: work of several phases of which each may be interrupted, such as a restore that drops
//! the sealed columns afterwards.
//! Owns the order: the phase that comes next is recorded in the database before it begins, so a
//! procedure that was killed goes on there when somebody asks for it again, from any host. A procedure
//! owns what its phases do; each phase may be repeated.

use std::str::FromStr;

use async_trait::async_trait;

use super::Engine;
use super::error::EngineError;
use super::events::Event;
use crate::store::{ProcedureKind, ProcedureRecord, StoreError};

/// What comes after a phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then<P> {
    /// This phase. It may be an earlier one, if what it did was undone meanwhile.
    Phase(P),
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

    /// What it works on: the label of a table, or the ids of keys. Two procedures of one kind and
    /// subject are the same procedure.
    fn subject(&self) -> String;

    /// Where it begins.
    fn first(&self) -> Self::Phase;

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
        let mut record = self
            .store
            .begin_procedure(kind, &procedure.subject(), first, "{}", actor)
            .await?;
        loop {
            if self.stop.is_requested() {
                return Err(EngineError::Interrupted);
            }
            let phase: P::Phase = record.phase.parse().map_err(|_| StoreError::Unexpected {
                what: "a phase of a procedure that this version does not know",
            })?;
            self.events.emit(Event::Phase {
                kind: kind.as_str(),
                subject: record.subject.clone(),
                phase: phase.into(),
            });
            match procedure.run(self, phase, &record).await? {
                Then::Phase(next) => {
                    let next: &'static str = next.into();
                    self.store
                        .set_phase(record.procedure_id, &record.phase, next, None)
                        .await?;
                    next.clone_into(&mut record.phase);
                }
                Then::Stay => return Ok(()),
                Then::End(outcome) => {
                    self.store
                        .finish_procedure(record.procedure_id, outcome)
                        .await?;
                    return Ok(());
                }
            }
        }
    }
}
