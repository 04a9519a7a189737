//! What a check found: a refusal or a warning, about a table or one of its columns.
//! Owns the finding and the list of findings. A finding names objects of the catalog, never a
//! value.

use std::fmt;

use crate::foreign::Foreign;
use crate::plan::TablePlan;

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The run does not begin.
    Refusal,
    /// The run goes on; the operator should know.
    Warning,
}

/// The finding of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `E02xx`, one for each check.
    pub code: &'static str,
    /// Whether it refuses the run or warns.
    pub level: Level,
    /// The table, as the plan names it.
    pub table: String,
    /// The column, if the finding is about one.
    pub column: Option<String>,
    /// What was found, as one line.
    pub message: String,
    /// What to do about it, as one line.
    pub hint: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Foreign(&self.table))?;
        if let Some(column) = &self.column {
            write!(f, ".{}", Foreign(column))?;
        }
        write!(f, ": {}", self.message)
    }
}

/// All findings of preflight, in the order of the checks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// All findings.
    pub fn all(&self) -> &[Finding] {
        &self.0
    }

    /// The findings that prevent the run.
    pub fn refusals(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter().filter(|f| f.level == Level::Refusal)
    }

    /// The findings that the operator should know of.
    pub fn warnings(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter().filter(|f| f.level == Level::Warning)
    }

    /// Whether a finding prevents the run.
    pub fn refused(&self) -> bool {
        self.refusals().next().is_some()
    }

    /// Adds the findings of another table.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Adds a refusal for the table, or for one of its columns.
    pub fn refuse(
        &mut self,
        code: &'static str,
        plan: &TablePlan,
        column: Option<&str>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.0.push(finding(
            code,
            Level::Refusal,
            plan,
            column,
            message.into(),
            hint.into(),
        ));
    }

    pub(super) fn warn(
        &mut self,
        code: &'static str,
        plan: &TablePlan,
        column: Option<&str>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.0.push(finding(
            code,
            Level::Warning,
            plan,
            column,
            message.into(),
            hint.into(),
        ));
    }
}

pub(super) fn finding(
    code: &'static str,
    level: Level,
    plan: &TablePlan,
    column: Option<&str>,
    message: String,
    hint: String,
) -> Finding {
    Finding {
        code,
        level,
        table: plan.name.label(),
        column: column.map(str::to_owned),
        message: Foreign(&message).to_string(),
        hint: Foreign(&hint).to_string(),
    }
}
