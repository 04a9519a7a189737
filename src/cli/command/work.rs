//! What plan, backfill, verify and restore share: preflight over the chosen tables, and the jobs for
//! them.

use serde_json::{Value, json};

use super::failures::Failures;
use crate::cli::args::Going;
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::crypto::Purpose;
use crate::engine::preflight::{
    Dialect, Finding, Findings, KeysHave, Preflight, RunPurpose, check, label_of,
};
use crate::engine::{EngineError, Job};
use crate::error::{Exit, Fault};
use crate::keys::KeyStatus;
use crate::plan::TablePlan;
use crate::store::catalog::TableFacts;
use crate::store::{FieldRecord, FieldState, Sealed, ServerFacts};

/// One table of the plan with the facts and findings about it.
pub struct Looked {
    pub plan: TablePlan,
    pub facts: Option<TableFacts>,
    pub findings: Findings,
}

/// All tables of the plan with their findings, and the registered fields.
pub struct Look {
    pub tables: Vec<Looked>,
    pub registered: Vec<FieldRecord>,
    pub dialect: Dialect,
}

/// Runs preflight over all chosen tables.
pub async fn look(
    session: &Session,
    server: &ServerFacts,
    purpose: RunPurpose,
) -> Result<Look, Fault> {
    let active = active_keys(session, server).await?;
    look_with(session, server, purpose, &active).await
}

/// As [`look`], but treats phiseal's own tables and all keys as present.
pub async fn look_beforehand(session: &Session, server: &ServerFacts) -> Result<Look, Fault> {
    let keys = [Purpose::Cell, Purpose::BlindIndex];
    if server.installed {
        return look_with(session, server, RunPurpose::Backfill, &keys).await;
    }
    let installed = ServerFacts {
        installed: true,
        missing_privileges: Vec::new(),
        create_denied: false,
        ..server.clone()
    };
    // phiseal's tables do not exist yet, so no registered fields are read.
    look_over(session, &installed, RunPurpose::Backfill, &keys, Vec::new()).await
}

async fn look_with(
    session: &Session,
    server: &ServerFacts,
    purpose: RunPurpose,
    active: &[Purpose],
) -> Result<Look, Fault> {
    let registered = if server.installed {
        session.store.fields().await?
    } else {
        Vec::new()
    };
    look_over(session, server, purpose, active, registered).await
}

async fn look_over(
    session: &Session,
    server: &ServerFacts,
    purpose: RunPurpose,
    active: &[Purpose],
    registered: Vec<FieldRecord>,
) -> Result<Look, Fault> {
    let dialect = if session.sqlite {
        Dialect::Sqlite
    } else {
        Dialect::Postgres
    };
    let mut tables = Vec::new();
    for plan in &session.plan.tables {
        let facts = session.store.table(&plan.name).await?;
        let tenants = plan.tenant_column.is_some();
        let keys = KeysHave {
            // A tenant's keys are made when its first row is read; sealing our cursors needs a cell
            // key in any case.
            cell: active.contains(&Purpose::Cell),
            blind_index: tenants || active.contains(&Purpose::BlindIndex),
        };
        let findings = check(&Preflight {
            server,
            table: facts.as_ref(),
            plan,
            registered: &registered,
            keys,
            purpose,
            dialect,
        });
        tables.push(Looked {
            plan: plan.clone(),
            facts,
            findings,
        });
    }
    refuse_shared_labels(&mut tables, &registered);
    Ok(Look {
        tables,
        registered,
        dialect,
    })
}

/// Refuses two tables of one plan with the same label: two partitions of one table, or a repeated
/// label.
fn refuse_shared_labels(tables: &mut [Looked], registered: &[FieldRecord]) {
    let labels: Vec<Option<String>> = tables
        .iter()
        .map(|table| Some(label_of(&table.plan, table.facts.as_ref()?, registered)))
        .collect();
    for at in 0..tables.len() {
        let Some(label) = &labels[at] else { continue };
        let Some(first) = labels[..at]
            .iter()
            .position(|one| one.as_ref() == Some(label))
        else {
            continue;
        };
        let other = tables[first].plan.name.label();
        let Looked { plan, findings, .. } = &mut tables[at];
        findings.refuse(
            "E0241",
            plan,
            None,
            format!("label {label} is that of table {other} in this plan, too"),
            "one label is one table's: name the partitioned table instead of its partitions, or give each table a label \
             of its own",
        );
    }
}

async fn active_keys(session: &Session, server: &ServerFacts) -> Result<Vec<Purpose>, Fault> {
    if !server.installed {
        return Ok(Vec::new());
    }
    Ok(session
        .store
        .key_records()
        .await?
        .into_iter()
        .filter(|key| key.tenant.is_empty() && key.status == KeyStatus::Active)
        .map(|key| key.purpose)
        .collect())
}

impl Look {
    /// The job of each table.
    ///
    /// # Errors
    /// All refusals at once.
    pub fn jobs(&self) -> Result<Vec<Job>, Fault> {
        self.refuse()?;
        self.tables
            .iter()
            .filter_map(|table| table.facts.as_ref().map(|facts| (table, facts)))
            .map(|(table, facts)| self.job(&table.plan, facts))
            .collect()
    }

    /// The jobs to work on, and, with `--keep-going`, the refusals of the other tables.
    ///
    /// # Errors
    /// All refusals at once, also if every table is refused.
    pub fn jobs_going(&self, going: Going, output: Output) -> Result<(Vec<Job>, Failures), Fault> {
        let able = |table: &&Looked| !table.findings.refused() && table.facts.is_some();
        let able: Vec<&Looked> = self.tables.iter().filter(able).collect();
        if !going.keep_going || able.is_empty() {
            return Ok((self.jobs()?, Failures::default()));
        }
        let mut failures = Failures::default();
        for table in self.tables.iter().filter(|table| table.findings.refused()) {
            let refusals: Vec<Finding> = table.findings.refusals().cloned().collect();
            let fault = refused(&refusals);
            output.say_lines(&[
                &format!(
                    "refused[{}]: {}; going on with the other tables",
                    fault.code, fault.message
                ),
                &format!("  hint: {}", fault.hint),
            ]);
            failures.add(fault);
        }
        let jobs = able
            .into_iter()
            .filter_map(|table| Some(self.job(&table.plan, table.facts.as_ref()?)))
            .collect::<Result<_, _>>()?;
        Ok((jobs, failures))
    }

    /// The job of one table.
    pub fn job(&self, plan: &TablePlan, facts: &TableFacts) -> Result<Job, Fault> {
        Job::resolve(plan, facts, &self.registered, self.dialect)
            .map_err(|finding| refused(&[finding]))
    }

    /// Fails with all refusals, if there are any.
    pub fn refuse(&self) -> Result<(), Fault> {
        let refusals: Vec<Finding> = self
            .tables
            .iter()
            .flat_map(|table| table.findings.refusals().cloned())
            .collect();
        if refusals.is_empty() {
            Ok(())
        } else {
            Err(refused(&refusals))
        }
    }

    /// Prints all warnings to stderr.
    pub fn warn(&self, output: Output) {
        for finding in self
            .tables
            .iter()
            .flat_map(|table| table.findings.warnings())
        {
            output.say_lines(&[
                &format!("warning[{}]: {finding}", finding.code),
                &format!("  hint: {}", finding.hint),
            ]);
        }
    }
}

/// All refusals as one fault, with their code if they share one.
pub fn refused(refusals: &[Finding]) -> Fault {
    let first = refusals.first();
    let same = refusals
        .iter()
        .all(|f| Some(f.code) == first.map(|f| f.code));
    let code = first
        .filter(|_| same)
        .map_or("E0200", |finding| finding.code);
    let message = match refusals {
        [one] => one.to_string(),
        many => {
            let lines: Vec<String> = many
                .iter()
                .map(|f| format!("  [{}] {f}\n      {}", f.code, f.hint))
                .collect();
            format!(
                "preflight refuses for {} reasons\n{}",
                many.len(),
                lines.join("\n")
            )
        }
    };
    let hint = match refusals {
        [one] => one.hint.clone(),
        _ => "see each reason; `phiseal plan` lists them again".to_owned(),
    };
    // E0216, a missing key, exits as a key error.
    let keys = code == "E0216";
    Fault {
        code,
        message,
        hint,
        exit: if keys { Exit::Keys } else { Exit::Refused },
    }
}

/// A finding as JSON.
pub fn finding_json(finding: &Finding) -> Value {
    json!({
        "code": finding.code,
        "table": finding.table,
        "column": finding.column,
        "message": finding.message,
        "hint": finding.hint,
    })
}

/// The jobs with only those registered fields that may hold sealed values. Leaves out restored
/// fields, and tables that have no other. With `dropping`, a restored field that was sealed in
/// place stays if its table has others, since what belongs to it is dropped with theirs.
///
/// # Errors
/// A field that was never sealed; the first restored field if all were restored.
pub fn sealed_only(look: &Look, jobs: Vec<Job>, dropping: bool) -> Result<Vec<Job>, Fault> {
    let mut sealed = Vec::new();
    let mut restored = None;
    for mut job in jobs {
        let mut kept = Vec::with_capacity(job.fields.len());
        let mut holds_any = false;
        for (field, table) in job.fields.iter().zip(&job.table.fields) {
            let record = look.registered.iter().find(|record| {
                record.table_label == job.table.label && record.column_label == field.label
            });
            let state = record.map(|record| record.state);
            let holds = state.is_some_and(FieldState::may_hold_seals);
            if !holds {
                let place = format!("{}.{}", job.table.label, field.label);
                let error = EngineError::NotRegistered { place };
                if state != Some(FieldState::Restored) {
                    return Err(error.into());
                }
                restored.get_or_insert(error);
            }
            holds_any |= holds;
            kept.push(holds || dropping && table.sealed == Sealed::InPlace);
        }
        job.keep(&kept);
        if holds_any {
            sealed.push(job);
        }
    }
    match restored {
        Some(error) if sealed.is_empty() => Err(error.into()),
        _ => Ok(sealed),
    }
}
