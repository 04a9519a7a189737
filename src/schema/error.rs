//! Why a migration was not applied or undone.
//! Owns the classes. Carries SQLSTATE only: the MESSAGE of a database error quotes values, so no
//! error of the driver is kept as a source.

use std::fmt;

use super::set::Version;
use crate::error::{Coded, Exit};

/// Why the migrator stopped. What was committed before stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MigrateError {
    /// The file is not the one that was applied.
    #[error("migration {version} is not the one that was applied: its checksum differs")]
    ChecksumDiffers {
        /// Its number.
        version: Version,
    },
    /// The database was migrated by a newer program.
    #[error("the database has migration {version}, which this program does not know")]
    UnknownApplied {
        /// Its number.
        version: Version,
    },
    /// There is no such migration to go to.
    #[error("there is no migration {version}")]
    NoSuchVersion {
        /// The number asked for.
        version: Version,
    },
    /// Undoing would lose what must be kept.
    #[error("undoing migration {version} is refused: {refusal}")]
    Refused {
        /// The migration that would have been undone.
        version: Version,
        /// What must be kept.
        refusal: Refusal,
    },
    /// The name cannot be a schema's.
    #[error("the name of the schema must be 1 to 63 bytes long, without NUL")]
    SchemaName,
    /// Another migrator, or an application's transaction, holds what is needed.
    #[error("a lock was not granted in {attempts} attempts")]
    LockTimeout {
        /// How often it was tried.
        attempts: u32,
    },
    /// The database refused a statement.
    #[error("the database refused {doing} (SQLSTATE {sqlstate})")]
    Database {
        /// What was being done.
        doing: Doing,
        /// SQLSTATE, or the result code of SQLite.
        sqlstate: String,
    },
    /// The connection was lost or cannot be used. Whether the last migration was committed,
    /// `status` tells.
    #[error("the connection failed in {doing}")]
    Connection {
        /// What was being done.
        doing: Doing,
    },
}

/// What undoing a migration of our own tables would lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Without the tables, the fields could not be opened again.
    #[error("a field is sealed")]
    SealedFields,
    /// 45 CFR 164.316(b)(2)(i).
    #[error("rotation history is under six years old")]
    YoungHistory,
    /// 45 CFR 164.316(b)(2)(i).
    #[error("audit entries are under six years old")]
    YoungAudit,
}

/// The part of the migrator's work that met an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Reading, making or writing the history of migrations.
    History,
    /// Applying a migration.
    Applying(Version),
    /// Undoing a migration.
    Undoing(Version),
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::History => f.write_str("the history of migrations"),
            Self::Applying(version) => write!(f, "migration {version}"),
            Self::Undoing(version) => write!(f, "the undoing of migration {version}"),
        }
    }
}

/// How one attempt ended short of its end: again after a pause, or not at all.
#[derive(Debug)]
pub(super) enum Failure {
    /// Somebody else holds a lock, or made the same thing at the same moment.
    Busy,
    Stop(MigrateError),
}

impl Failure {
    /// Sorts an error of the driver; `is_busy` knows the codes of its database.
    pub fn of(error: &sqlx::Error, doing: Doing, is_busy: fn(&str) -> bool) -> Self {
        let code = error.as_database_error().and_then(|e| e.code());
        match code {
            Some(code) if is_busy(&code) => Self::Busy,
            Some(code) => Self::Stop(MigrateError::Database {
                doing,
                sqlstate: code.into_owned(),
            }),
            None => Self::Stop(MigrateError::Connection { doing }),
        }
    }
}

impl From<MigrateError> for Failure {
    fn from(error: MigrateError) -> Self {
        Self::Stop(error)
    }
}

impl Coded for MigrateError {
    fn code(&self) -> &'static str {
        match self {
            Self::ChecksumDiffers { .. } => "E0701",
            Self::UnknownApplied { .. } => "E0702",
            Self::NoSuchVersion { .. } => "E0703",
            Self::Refused { .. } => "E0704",
            Self::SchemaName => "E0705",
            Self::LockTimeout { .. } => "E0706",
            Self::Database { .. } => "E0707",
            Self::Connection { .. } => "E0708",
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::ChecksumDiffers { .. } => "use the release of phiseal that applied it",
            Self::UnknownApplied { .. } => "use the newer release of phiseal that applied it",
            Self::NoSuchVersion { .. } => "see `phiseal migrate status`",
            Self::Refused {
                refusal: Refusal::SealedFields,
                ..
            } => "decrypt back first: `phiseal restore --drop-sealed`",
            Self::Refused { .. } => "45 CFR 164.316(b)(2)(i) has it kept for six years",
            Self::SchemaName => "correct `schema` in the plan file",
            Self::LockTimeout { .. } => "another migrator or a long transaction holds the lock: try again",
            Self::Database { .. } => {
                "see the privileges of the role: it must be able to create the schema and its tables"
            }
            Self::Connection { .. } => "see `phiseal migrate status`, then run the command again",
        }
        .to_owned()
    }

    fn exit(&self) -> Exit {
        match self {
            Self::NoSuchVersion { .. } | Self::SchemaName => Exit::Usage,
            Self::ChecksumDiffers { .. }
            | Self::UnknownApplied { .. }
            | Self::Refused { .. }
            | Self::Database { .. } => Exit::Refused,
            Self::LockTimeout { .. } | Self::Connection { .. } => Exit::Unreachable,
        }
    }
}
