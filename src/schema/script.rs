//! A migration's file as it is run: units, each a transaction or one statement that takes none.
//! Owns how a file is cut into units, by its own BEGIN and COMMIT. Runs nothing.

mod lexer;
mod statement;

use sha2::{Digest, Sha256};

pub(super) use lexer::{CommentLine, Statement, Unreadable, comment_lines};
pub(super) use statement::ConcurrentIndex;
use statement::Kind;

/// A file's statements in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Script {
    pub units: Vec<Unit>,
}

/// What commits together. Of several statements only in a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    pub statements: Vec<Statement>,
    pub transactional: bool,
}

/// Why a file cannot be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ScriptFault {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("the transaction that line {line} begins is not committed")]
    NoCommit { line: usize },
    #[error("line {line} ends a transaction that was not begun")]
    NoBegin { line: usize },
    #[error("line {line} rolls back")]
    RollsBack { line: usize },
    #[error("line {line} builds an index concurrently without naming it")]
    NamelessIndex { line: usize },
}

impl Script {
    /// Cuts a file into units: each BEGIN … COMMIT is one, each statement that takes no
    /// transaction is one, and what stands between is one.
    pub fn parse(text: &str) -> Result<Self, ScriptFault> {
        let mut units: Vec<Unit> = Vec::new();
        let mut open: Option<Unit> = None;
        let mut block_since: Option<usize> = None;
        for statement in lexer::statements(text)? {
            statement.check()?;
            let line = statement.line;
            match (statement.kind(), block_since) {
                (Kind::Begin, None) => {
                    units.extend(open.take());
                    block_since = Some(line);
                }
                (Kind::Begin, Some(line)) => return Err(ScriptFault::NoCommit { line }),
                (Kind::Commit, Some(_)) => {
                    units.extend(open.take());
                    block_since = None;
                }
                // Tools that run a whole file as one transaction let it commit in its midst.
                (Kind::Commit, None) if open.is_some() => units.extend(open.take()),
                (Kind::Commit, None) => return Err(ScriptFault::NoBegin { line }),
                (Kind::Rollback, _) => return Err(ScriptFault::RollsBack { line }),
                (Kind::Alone { transactional }, None) => {
                    units.extend(open.take());
                    units.push(Unit {
                        statements: vec![statement],
                        transactional,
                    });
                }
                // Within its own BEGIN, the server says what it thinks of it.
                (Kind::Ordinary, _) | (Kind::Alone { .. }, Some(_)) => {
                    let unit = open.get_or_insert_with(|| Unit {
                        statements: Vec::new(),
                        transactional: true,
                    });
                    unit.statements.push(statement);
                }
            }
        }
        if let Some(line) = block_since {
            return Err(ScriptFault::NoCommit { line });
        }
        units.extend(open);
        Ok(Self { units })
    }

    /// Whether it and its history row can commit together.
    pub fn is_atomic(&self) -> bool {
        self.units.len() <= 1 && self.units.iter().all(|unit| unit.transactional)
    }

    /// SHA-256 of the statements of the first `units` units, in hexadecimal.
    pub fn digest(&self, units: usize) -> String {
        let mut hash = Sha256::new();
        for unit in self.units.iter().take(units) {
            for statement in &unit.statements {
                hash.update(statement.text.as_bytes());
                hash.update([0]);
            }
        }
        hex::encode(hash.finalize())
    }

    pub fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.units.iter().flat_map(|unit| &unit.statements)
    }

    /// Whether it changes rows, which no look at the catalog can tell.
    pub fn changes_rows(&self) -> bool {
        self.statements().any(|statement| {
            matches!(
                statement.word(0),
                "INSERT" | "UPDATE" | "DELETE" | "COPY" | "MERGE" | "TRUNCATE" | "WITH"
            )
        })
    }
}

/// The statements of an SQL text, as files of migrations are cut into them; for a test that asks the
/// server's own parser about each.
///
/// # Errors
/// Why it cannot be cut, in words.
pub fn cut(text: &str) -> Result<Vec<String>, String> {
    let script = Script::parse(text).map_err(|fault| fault.to_string())?;
    Ok(script.statements().map(|s| s.text.clone()).collect())
}

#[cfg(test)]
mod tests;
