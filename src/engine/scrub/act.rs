//! The actions of a scrub: it waits for those who see old rows, rewrites, clears, and overwrites
//! the log.
//! Owns how long each is waited for and how often it is tried. What was done goes into the report.

use std::time::Duration;

use super::method::{Chosen, choose};
use super::report::{LogDone, Rewritten, ScrubReport, StepDone};
use crate::engine::error::EngineError;
use crate::engine::wait::names;
use crate::engine::{Engine, Event};
use crate::store::{LogFacts, Method, ScrubFacts, StoreError, StoredRelation};

/// The pause between two looks at who sees old rows.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long those are waited for that keep rows of the catalogs only. A slot in use moves on with
/// the server's next record of open transactions, every 15 seconds.
const CATALOGS: Duration = Duration::from_secs(20);
/// How often a lock is tried.
const ATTEMPTS: u32 = 30;
/// The first pause between two attempts, which grows up to the last.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// The log is not overwritten if that writes more.
const LOG_BYTES_MAX: u64 = 16 << 30;

/// How many files of the log are to be ended, so that each that exists is overwritten.
///
/// # Errors
/// Why it is left to a person.
pub fn log_work(log: &LogFacts) -> Result<u64, String> {
    if !log.missing.is_empty() {
        return Err("no right".to_owned());
    }
    let files = log.files.unwrap_or(0);
    match files.checked_mul(log.file_bytes) {
        Some(bytes) if bytes <= LOG_BYTES_MAX => Ok(files),
        _ => Err(format!(
            "it would write more than {} GiB",
            LOG_BYTES_MAX >> 30
        )),
    }
}

/// Adds the wish and the obstacle to an error.
pub(super) fn chosen(
    wish: Option<Method>,
    facts: &ScrubFacts,
    relation: &StoredRelation,
) -> Result<Chosen, EngineError> {
    if !relation.allowed {
        return Err(EngineError::MayNotRewrite {
            relation: relation.name.clone(),
        });
    }
    choose(wish, facts, relation).map_err(|why| EngineError::NoSuchMethod {
        method: wish.map_or("auto", Method::as_str),
        relation: relation.name.clone(),
        why,
    })
}

impl Engine {
    /// Waits until nothing sees row versions older than now. Returns the moment, and who still sees
    /// old rows of the catalogs.
    pub(super) async fn outlive_old_rows(&self) -> Result<(String, Vec<String>), EngineError> {
        let horizon = self.store.row_horizon().await?;
        let begun = self.stop.clock().now();
        let mut waited = false;
        loop {
            let keepers = self.store.keepers(&horizon).await?;
            let of_tables = keepers.iter().any(|keeper| !keeper.catalogs_only);
            let who: Vec<String> = keepers.into_iter().map(|keeper| keeper.who).collect();
            let time = self.stop.clock().since(begun);
            if who.is_empty() || !of_tables && time >= CATALOGS {
                if waited {
                    self.events.emit(Event::GoingOn);
                }
                return Ok((horizon, who));
            }
            if self.stop.is_requested() {
                return Err(EngineError::interrupted());
            }
            let who = names(who.iter().map(String::as_str));
            if time >= self.settings.patience {
                return Err(EngineError::OldRows { who });
            }
            waited = true;
            self.events.emit(Event::Waiting {
                why: format!("what still sees old rows: {who}"),
            });
            self.stop.sleep(LOOK_EVERY).await;
        }
    }

    /// Rewrites one relation.
    pub(super) async fn rewrite(
        &self,
        relation: &StoredRelation,
        chosen: Chosen,
    ) -> Result<Rewritten, EngineError> {
        let name = &relation.name;
        let work = || self.store.rewrite(relation, chosen.method);
        let storage_after = self.with_lock(name, work).await?;
        if storage_after == relation.storage {
            return Err(StoreError::NotRewritten {
                relation: name.clone(),
                why: "its files are those of before".to_owned(),
            }
            .into());
        }
        Ok(Rewritten {
            relation: name.clone(),
            method: chosen.method.to_string(),
            why: chosen.why,
            storage_before: relation.storage.clone(),
            storage_after,
        })
    }

    /// Does something that needs a lock which is not waited for: again and again, with pauses in
    /// which others get theirs.
    async fn with_lock<T, F>(
        &self,
        relation: &str,
        mut work: impl FnMut() -> F,
    ) -> Result<T, EngineError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut pause = PAUSE;
        for attempt in 1.. {
            match work().await {
                Err(StoreError::Locked) if attempt < ATTEMPTS => {}
                Err(StoreError::Locked) => break,
                Ok(done) => {
                    if attempt > 1 {
                        self.events.emit(Event::GoingOn);
                    }
                    return Ok(done);
                }
                Err(error) => return Err(error.into()),
            }
            if self.stop.is_requested() {
                return Err(EngineError::interrupted());
            }
            self.events.emit(Event::Waiting {
                why: format!("a lock on {relation}"),
            });
            self.stop.sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
        Err(EngineError::NotGranted {
            relation: relation.to_owned(),
        })
    }

    /// Clears statistics, views and texts of statements, as far as we may. What is not done is
    /// recorded with its reason.
    pub(super) async fn clear(&self, facts: &ScrubFacts) -> Result<Vec<StepDone>, EngineError> {
        let mut done = Vec::new();
        for step in &facts.steps {
            let outcome = match step.allowed {
                true => {
                    let work = || self.store.scrub_step(step);
                    self.with_lock(&step.object, work).await
                }
                false => Err(StoreError::Denied {
                    sqlstate: "42501".to_owned(),
                }
                .into()),
            };
            done.push(StepDone {
                statement: step.statement.clone(),
                needs: step.needs.clone(),
                not_done: match outcome {
                    Ok(()) => None,
                    Err(error) => Some(self.reason(error)?),
                },
            });
        }
        Ok(done)
    }

    /// Why a step was not done; the error itself if the scrub cannot go on.
    fn reason(&self, error: EngineError) -> Result<String, EngineError> {
        match error {
            EngineError::Store(StoreError::Denied { .. }) => Ok("no right".to_owned()),
            EngineError::NotGranted { .. } => Ok("no lock in time".to_owned()),
            EngineError::Store(
                error @ (StoreError::NotRewritten { .. } | StoreError::Refused { .. }),
            ) => Ok(error.to_string()),
            error => Err(error),
        }
    }

    /// Overwrites the log: ends the present file, lets go what is behind it, and ends as many more
    /// as exist then, since the server takes old files again and fills the rest of one with zeros.
    pub(super) async fn overwrite_log(
        &self,
        facts: &ScrubFacts,
        report: &mut ScrubReport,
    ) -> Result<(), EngineError> {
        if let Err(why) = log_work(&facts.log) {
            report.log = None;
            let log = &facts.log.statements;
            // An interrupted call may have recorded them.
            let is_of_log = |step: &StepDone| log.iter().any(|(one, _)| *one == step.statement);
            report.steps.retain(|step| !is_of_log(step));
            report
                .steps
                .extend(log.iter().map(|(statement, needs)| StepDone {
                    statement: statement.clone(),
                    needs: needs.clone(),
                    not_done: Some(why.clone()),
                }));
            return Ok(());
        }
        let before = self.store.log_files().await?.unwrap_or_default();
        self.store.switch_log().await?;
        self.store.checkpoint().await?;
        let now = self.store.log_files().await?.unwrap_or_default();
        let files = now.len() as u64;
        if files > 0 {
            self.events.emit(Event::Waiting {
                why: format!("{files} files of the write-ahead log that are overwritten"),
            });
        }
        for _ in 0..files {
            if self.stop.is_requested() {
                return Err(EngineError::interrupted());
            }
            self.store.switch_log().await?;
        }
        self.events.emit(Event::GoingOn);
        self.store.checkpoint().await?;
        let after = self.store.log_files().await?.unwrap_or_default();
        let kept = before.iter().filter(|file| after.contains(file)).count() as u64;
        report.log = Some(LogDone {
            files,
            bytes: files * facts.log.file_bytes,
            kept,
            keepers: match kept {
                0 => Vec::new(),
                _ => facts.log.keepers.clone(),
            },
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_overwritten_within_a_bound_and_only_with_the_rights() {
        let log = LogFacts {
            files: Some(7),
            file_bytes: 16 << 20,
            ..LogFacts::default()
        };
        assert_eq!(log_work(&log), Ok(7));
        let many = LogFacts {
            files: Some(1025),
            ..log.clone()
        };
        assert!(log_work(&many).unwrap_err().contains("16 GiB"));
        let missing = LogFacts {
            missing: vec!["pg_checkpoint".to_owned()],
            files: None,
            ..log
        };
        assert_eq!(log_work(&missing).unwrap_err(), "no right");
        // SQLite: a checkpoint alone.
        assert_eq!(
            log_work(&LogFacts {
                files: Some(0),
                ..LogFacts::default()
            }),
            Ok(0)
        );
    }
}
