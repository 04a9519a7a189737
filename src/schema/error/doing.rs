//! What the migrator was doing when it met an error, as messages name it.
//! Owns the parts of its work. Which errors there are is in `error`.

use std::fmt;

use crate::schema::set::Version;
use crate::schema::version::shown;

/// The part of the migrator's work that met an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Reading, making or writing the history of migrations.
    History,
    /// Applying a migration.
    Applying(Version),
    /// Undoing a migration.
    Undoing(Version),
    /// A statement of a migration's file.
    Statement {
        /// The migration's number.
        version: Version,
        /// Whether it was being undone.
        undoing: bool,
        /// Where the statement begins in its file, counted from 1.
        line: usize,
    },
    /// Reading a catalog to compare it.
    Comparing,
    /// Building a set in the scratch database.
    Building {
        /// The migration's number.
        version: Version,
        /// Where the statement begins in its file, counted from 1.
        line: usize,
    },
}

impl Doing {
    pub(super) const fn version(self) -> Option<Version> {
        match self {
            Self::History | Self::Comparing => None,
            Self::Applying(version) | Self::Undoing(version) => Some(version),
            Self::Statement { version, .. } | Self::Building { version, .. } => Some(version),
        }
    }

    /// What to do after the database refused a statement of it.
    pub(super) fn hint_after_refusal(self, sqlstate: &str) -> &'static str {
        match (self, sqlstate) {
            (_, "2D000") => {
                "a file is one transaction, so nothing in it can commit or roll back: move what commits, \
                 as a procedure that is called, to a job of its own, or write each part that is to commit \
                 by itself into a file of its own"
            }
            (Self::History | Self::Comparing, _) => {
                "the role must be able to read the catalog, and to make the history's schema"
            }
            (Self::Building { .. }, _) => {
                "nothing was changed; the migration needs what an empty database has not, or the role \
                 may not make it there"
            }
            _ => {
                "nothing of that migration was applied; the server's log has its message \
                 (42501: the role may not make what the migration makes)"
            }
        }
    }
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::History => f.write_str("the history of migrations"),
            Self::Applying(version) => write!(f, "migration {}", shown(*version)),
            Self::Undoing(version) => write!(f, "the undoing of migration {}", shown(*version)),
            Self::Statement {
                version,
                undoing,
                line,
            } => {
                let way = if *undoing { "down" } else { "up" };
                write!(
                    f,
                    "the statement at line {line} of migration {} on its way {way}",
                    shown(*version)
                )
            }
            Self::Comparing => f.write_str("the comparison of the catalogs"),
            Self::Building { version, line } => write!(
                f,
                "the statement at line {line} of migration {} in the scratch database",
                shown(*version)
            ),
        }
    }
}
