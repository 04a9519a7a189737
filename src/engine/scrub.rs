//! Scrubbing a table: what the database still holds of the plaintext of finalized columns is
//! rewritten, and then looked for.
//! Owns the order of the phases, and when a field counts as scrubbed. The actions are in
//! `scrub/act.rs`; the report, which each phase leaves behind, in `scrub/report.rs`.

mod act;
mod canary;
mod method;
mod refusal;
mod report;
mod search;

use async_trait::async_trait;
use serde_json::json;

use super::error::EngineError;
use super::procedure::{Procedure, Then};
use super::{Engine, Job};
use crate::run::audit;
use crate::store::{
    FieldState, Method, ProcedureKind, ProcedureRecord, ScrubFacts, StoredRelation, Table,
};
use crate::words::word_enum;

pub use act::log_work;
pub use method::Chosen;
pub use report::{
    CHECKLIST, ColumnLooked, FilesLooked, FoundIn, LogDone, Rewritten, ScrubReport, StepDone,
};

/// The outcome of a scrub that left no plaintext.
const SCRUBBED: &str = "scrubbed";
/// The outcome of a scrub after which plaintext was found.
const NOT_CLEAN: &str = "not clean";
/// How many files a message names.
const NAMED_MAX: usize = 5;

word_enum! {
    /// The phases of a scrub.
    ScrubPhase {
        /// Waits for those who see old rows.
        Wait = "wait",
        /// Rewrites the relations.
        Rewrite = "rewrite",
        /// Clears statistics, views and texts of statements.
        Statistics = "statistics",
        /// Overwrites the log.
        Log = "wal",
        /// Looks for plaintext.
        Look = "look",
    }
}

impl From<ScrubPhase> for &'static str {
    fn from(phase: ScrubPhase) -> Self {
        phase.as_str()
    }
}

/// What a scrub would do.
#[derive(Debug, Clone)]
pub struct ScrubPlan {
    /// The label of the table.
    pub table: String,
    /// What is known.
    pub facts: ScrubFacts,
    /// Each relation with its method.
    pub relations: Vec<PlannedRewrite>,
}

/// A relation that would be rewritten.
#[derive(Debug, Clone)]
pub struct PlannedRewrite {
    /// The relation.
    pub relation: StoredRelation,
    /// The method.
    pub chosen: Chosen,
    /// How long the application waits for it, in seconds; `None` if it does not, or nobody knows.
    pub blocked_seconds: Option<f64>,
}

impl ScrubPlan {
    /// Whether the application would wait for a rewrite.
    pub fn blocks(&self) -> bool {
        self.relations.iter().any(|one| one.chosen.method.blocks())
    }
}

impl Engine {
    /// What a scrub of the table would do; changes nothing, except that a sample is copied into a
    /// temporary table for an estimate.
    ///
    /// # Errors
    /// [`EngineError::NotFinalized`], [`EngineError::NoSuchMethod`], [`EngineError::MayNotRewrite`],
    /// [`EngineError::OtherRun`], and what the store reports.
    pub async fn scrub_plan(
        &self,
        job: &Job,
        wish: Option<Method>,
    ) -> Result<ScrubPlan, EngineError> {
        self.refuse_unfinalized(job).await?;
        let facts = self.store.scrub_facts(&job.table).await?;
        self.refuse_open_runs(job, &facts).await?;
        let mut relations = Vec::new();
        for relation in &facts.relations {
            let chosen = act::chosen(wish, &facts, relation)?;
            let blocked_seconds = match chosen.method.blocks() {
                true => self.store.rewrite_seconds(relation).await?,
                false => None,
            };
            relations.push(PlannedRewrite {
                relation: relation.clone(),
                chosen,
                blocked_seconds,
            });
        }
        Ok(ScrubPlan {
            table: job.table.label.clone(),
            facts,
            relations,
        })
    }

    /// Rewrites what may still hold plaintext of the job's fields and looks for it, or goes on with
    /// a scrub that was interrupted.
    ///
    /// # Errors
    /// As [`Engine::scrub_plan`]; [`EngineError::OldRows`], [`EngineError::NotGranted`];
    /// [`EngineError::PlaintextFound`]. The same call goes on, or begins again.
    pub async fn scrub(&self, job: &Job, wish: Option<Method>) -> Result<ScrubReport, EngineError> {
        self.refuse_unfinalized(job).await?;
        let facts = self.store.scrub_facts(&job.table).await?;
        self.refuse_open_runs(job, &facts).await?;
        for relation in &facts.relations {
            act::chosen(wish, &facts, relation)?;
        }
        let mut scrub = Scrub {
            job,
            wish,
            report: None,
        };
        self.proceed(&mut scrub).await?;
        let report = scrub.report.ok_or(EngineError::Worker)?;
        match report.found() {
            [] => Ok(report),
            found => Err(EngineError::PlaintextFound {
                table: job.table.label.clone(),
                files: named(found),
            }),
        }
    }

    async fn note_scrub(
        &self,
        action: &str,
        record: &ProcedureRecord,
        outcome: Option<&str>,
    ) -> Result<(), EngineError> {
        let subject = json!({
            "table": record.table_label,
            "columns": record.columns,
            "procedure_id": record.procedure_id,
            "outcome": outcome,
        });
        let (store, keyring) = (self.store.as_ref(), &self.tenants.keyring);
        audit::append(store, keyring, &self.tenants.actor, action, &subject).await?;
        Ok(())
    }
}

/// The files for a message, at most [`NAMED_MAX`] of them.
fn named(found: &[FoundIn]) -> String {
    let name = |one: &FoundIn| format!("{} ({}): {} values", one.file, one.what, one.values);
    let mut names: Vec<String> = found.iter().take(NAMED_MAX).map(name).collect();
    if found.len() > NAMED_MAX {
        names.push(format!("{} more files", found.len() - NAMED_MAX));
    }
    names.join("; ")
}

/// One scrub.
struct Scrub<'a> {
    job: &'a Job,
    wish: Option<Method>,
    /// What was done so far; `None` before the first phase of this call.
    report: Option<ScrubReport>,
}

#[async_trait]
impl Procedure for Scrub<'_> {
    type Phase = ScrubPhase;

    fn kind(&self) -> ProcedureKind {
        ProcedureKind::Scrub
    }

    fn table(&self) -> &Table {
        &self.job.table
    }

    fn first(&self) -> ScrubPhase {
        ScrubPhase::Wait
    }

    async fn run(
        &mut self,
        engine: &Engine,
        phase: ScrubPhase,
        record: &ProcedureRecord,
    ) -> Result<Then<ScrubPhase>, EngineError> {
        let facts = engine.store.scrub_facts(&self.job.table).await?;
        let mut report = match self.report.take() {
            Some(report) => report,
            None => begin(engine, self.job, record, &facts).await?,
        };
        let then = self
            .phase(engine, phase, record, &facts, &mut report)
            .await?;
        save(engine, record, &report).await?;
        if let Then::End(outcome) = &then {
            engine
                .note_scrub("scrub.end", record, Some(outcome))
                .await?;
        }
        self.report = Some(report);
        Ok(then)
    }
}

impl Scrub<'_> {
    async fn phase(
        &self,
        engine: &Engine,
        phase: ScrubPhase,
        record: &ProcedureRecord,
        facts: &ScrubFacts,
        report: &mut ScrubReport,
    ) -> Result<Then<ScrubPhase>, EngineError> {
        Ok(match phase {
            ScrubPhase::Wait => {
                let (horizon, keepers) = engine.outlive_old_rows().await?;
                report.horizon = Some(horizon).filter(|horizon| !horizon.is_empty());
                report.catalog_keepers = keepers;
                Then::Phase(ScrubPhase::Rewrite)
            }
            ScrubPhase::Rewrite => {
                for relation in &facts.relations {
                    let is_done = |one: &Rewritten| {
                        one.relation == relation.name && one.storage_after == relation.storage
                    };
                    if report.relations.iter().any(is_done) {
                        continue;
                    }
                    (report.relations).retain(|one| one.relation != relation.name);
                    let chosen = act::chosen(self.wish, facts, relation)?;
                    let done = engine.rewrite(relation, chosen).await?;
                    report.relations.push(done);
                    save(engine, record, report).await?;
                    if engine.stop.is_requested() {
                        return Err(EngineError::interrupted());
                    }
                }
                Then::Phase(ScrubPhase::Statistics)
            }
            ScrubPhase::Statistics => {
                report.steps = engine.clear(facts).await?;
                Then::Phase(ScrubPhase::Log)
            }
            ScrubPhase::Log => {
                engine.overwrite_log(facts, report).await?;
                Then::Phase(ScrubPhase::Look)
            }
            ScrubPhase::Look => self.look(engine, facts, report).await?,
        })
    }

    /// Looks for plaintext. Without the right to read the files, the evidence has to do.
    async fn look(
        &self,
        engine: &Engine,
        facts: &ScrubFacts,
        report: &mut ScrubReport,
    ) -> Result<Then<ScrubPhase>, EngineError> {
        let table = &self.job.table;
        let mut files = match &facts.unread {
            Some(why) => FilesLooked {
                not_searched: Some(why.clone()),
                ..FilesLooked::default()
            },
            None => {
                let canaries = engine.canaries(self.job).await?;
                engine.search_files(table, canaries).await?
            }
        };
        if facts.unread.is_none() && facts.log.files.is_none() {
            (files.left_out).push("the write-ahead log: our login may not list it".to_owned());
        }
        set_live_statistics_apart(&mut files, &report.steps);
        report.files = Some(files);
        report.logical.clone_from(&facts.constraints);
        report.estate.clone_from(&facts.estate);
        report.ended.clone_from(&facts.now);
        if !report.found().is_empty() {
            return Ok(Then::End(NOT_CLEAN));
        }
        engine
            .store
            .set_field_state(&table.label, &self.job.labels(), FieldState::Scrubbed)
            .await?;
        Ok(Then::End(SCRUBBED))
    }
}

/// A catalog of statistics that was rewritten holds what is visible and nothing else, and the rows of
/// finalized columns are not: a value that is found in it stands in a column that is not sealed.
fn set_live_statistics_apart(files: &mut FilesLooked, steps: &[StepDone]) {
    let is_rewritten = |found: &FoundIn| {
        let extended = found.what.contains("pg_statistic_ext_data");
        let catalog = match extended {
            true => "pg_catalog.pg_statistic_ext_data",
            false => "pg_catalog.pg_statistic",
        };
        found.what.contains("pg_statistic")
            && (steps.iter())
                .any(|step| step.not_done.is_none() && step.statement.ends_with(catalog))
    };
    let found = std::mem::take(&mut files.found);
    let (live, left): (Vec<FoundIn>, Vec<FoundIn>) = found.into_iter().partition(is_rewritten);
    files.found = left;
    let notes = live.into_iter().map(|one| {
        format!(
            "{}: {} of the values stand in a column that is not sealed",
            one.what, one.values
        )
    });
    files.left_out.extend(notes);
}

/// The report so far: that of an interrupted scrub, or a new one, whose beginning is noted.
async fn begin(
    engine: &Engine,
    job: &Job,
    record: &ProcedureRecord,
    facts: &ScrubFacts,
) -> Result<ScrubReport, EngineError> {
    let stored: Option<ScrubReport> = serde_json::from_str(&record.report).ok();
    if let Some(report) = stored.filter(|report| !report.began.is_empty()) {
        return Ok(report);
    }
    engine.note_scrub("scrub.begin", record, None).await?;
    let (label, actor) = (&job.table.label, &engine.tenants.actor);
    let report = ScrubReport::begin(label, job.labels(), actor, &facts.server, &facts.now);
    save(engine, record, &report).await?;
    Ok(report)
}

async fn save(
    engine: &Engine,
    record: &ProcedureRecord,
    report: &ScrubReport,
) -> Result<(), EngineError> {
    let text = serde_json::to_string(report).map_err(|_| EngineError::Worker)?;
    engine.store.set_report(record.procedure_id, &text).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
