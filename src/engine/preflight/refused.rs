//! The refusals of preflight as one error. Owns how several of them are told at once.

use super::{Finding, Findings};
use crate::error::{Coded, Exit};

/// Preflight refuses.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", self.text())]
pub struct Refused(pub Vec<Finding>);

impl Refused {
    /// The refusals among these findings; `None` if there are none.
    pub fn among<'a>(findings: impl IntoIterator<Item = &'a Findings>) -> Option<Self> {
        let all = findings.into_iter().flat_map(Findings::refusals);
        let refusals: Vec<Finding> = all.cloned().collect();
        (!refusals.is_empty()).then_some(Self(refusals))
    }

    fn text(&self) -> String {
        let many = match self.0.as_slice() {
            [one] => return one.to_string(),
            many => many,
        };
        let lines: Vec<String> = many
            .iter()
            .map(|finding| format!("  [{}] {finding}\n      {}", finding.code, finding.hint))
            .collect();
        format!(
            "preflight found {} reasons to refuse\n{}",
            many.len(),
            lines.join("\n")
        )
    }
}

impl From<Finding> for Refused {
    fn from(finding: Finding) -> Self {
        Self(vec![finding])
    }
}

impl Coded for Refused {
    /// The refusals' own code, if they share one.
    fn code(&self) -> &'static str {
        let mut codes = self.0.iter().map(|finding| finding.code);
        match codes.next() {
            Some(first) if codes.all(|code| code == first) => first,
            _ => "E0200",
        }
    }

    /// Each refusal is on a line of its own, and is escaped already.
    fn message(&self) -> String {
        self.text()
    }

    fn hint(&self) -> String {
        match self.0.as_slice() {
            [one] => one.hint.clone(),
            _ => "see each reason; `phiseal plan` lists them again".to_owned(),
        }
    }

    fn exit(&self) -> Exit {
        match self.code() {
            // A missing key.
            "E0216" => Exit::Keys,
            _ => Exit::Refused,
        }
    }
}
