//! Why a migration was not applied or undone.
//! Owns the classes. Carries SQLSTATE only: the MESSAGE of a database error quotes values, so no
//! error of the driver is kept as a source.

mod hints;

use std::fmt;

use super::set::Version;
use super::sqlstates::named;
use super::version::shown;
use crate::error::{Coded, Exit};
use crate::foreign::Foreign;
use crate::trust::Untrusted;

/// Why the migrator stopped. What was committed before stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MigrateError {
    /// The file is not the one that was applied.
    #[error("migration {} is not the one that was applied: its checksum differs", shown(*version))]
    ChecksumDiffers {
        /// Its number.
        version: Version,
    },
    /// The database was migrated by a newer program.
    #[error("the database has migration {}, which this program does not know", shown(*version))]
    UnknownApplied {
        /// Its number.
        version: Version,
    },
    /// There is no such migration to go to.
    #[error("there is no migration {}", shown(*version))]
    NoSuchVersion {
        /// The number asked for.
        version: Version,
    },
    /// Undoing would lose what must be kept.
    #[error("undoing migration {} is refused: {refusal}", shown(*version))]
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
    /// This program carries no such set.
    #[error("this program carries no migration set {name:?}")]
    UnknownSet {
        /// What was asked for.
        name: String,
    },
    /// A folder of migrations cannot be run as it is.
    #[error("the folder of migrations cannot be run:{}", below(faults))]
    Folder {
        /// Every fault found: file, and why.
        faults: Vec<String>,
    },
    /// Others could have changed a file that root is to run.
    #[error("the folder of migrations is not trusted: {found}")]
    Untrusted {
        /// How they could.
        found: Untrusted,
    },
    /// There is no file that undoes it.
    #[error("migration {} has no way back", shown(*version))]
    NoWayBack {
        /// Its number.
        version: Version,
    },
    /// Our schema, or something in it, belongs to a role that is not ours.
    #[error("{what}")]
    NotOurs {
        /// What belongs to whom.
        what: String,
        /// What mends it.
        hint: String,
    },
    /// Tables that are to be made are there already.
    #[error("tables that are to be made exist already: {}", tables.join(", "))]
    TablesExist {
        /// Their names.
        tables: Vec<String>,
    },
    /// A standby, or a database opened read only.
    #[error("the database takes no writes: it is a standby, or read only")]
    ReadOnly,
    /// Only our own tables are for both databases.
    #[error("migration sets and folders are for PostgreSQL")]
    NeedsPostgres,
    /// No database could be made to build the set in.
    #[error(
        "no scratch database could be made to compare with (SQLSTATE {})",
        named(sqlstate)
    )]
    NoScratch {
        /// SQLSTATE.
        sqlstate: String,
    },
    /// The database given for comparing is in use.
    #[error("the scratch database is not empty: it has {found}")]
    ScratchInUse {
        /// A table of it.
        found: String,
    },
    /// The database for comparing cannot be reached.
    #[error("the scratch database: {reason}")]
    ScratchUnreachable {
        /// Why, without its URL.
        reason: String,
    },
    /// What the migrations make is not what is there.
    #[error("the database is not what the migrations make:{}", below(differences))]
    CannotAdopt {
        /// Every missing or different object.
        differences: Vec<String>,
    },
    /// Some statements were committed before one failed.
    #[error(
        "migration {} stopped at line {line} of its file (SQLSTATE {}); {done} of its {of} parts, those \
         above that line, are {} and recorded",
        shown(*version), named(sqlstate), if *undoing { "undone" } else { "applied" }
    )]
    Partly {
        /// Its number.
        version: Version,
        /// Whether it was being undone.
        undoing: bool,
        /// Where the statement begins that failed, counted from 1.
        line: usize,
        /// SQLSTATE.
        sqlstate: String,
        /// Parts that are committed.
        done: usize,
        /// All its parts.
        of: usize,
    },
    /// It must be undone as a whole before anything is applied again.
    #[error("migration {} is undone in part", shown(*version))]
    PartlyUndone {
        /// Its number.
        version: Version,
    },
    /// The database refused a statement.
    #[error(
        "the database refused {doing} (SQLSTATE {}{})", named(sqlstate),
        constraint.as_ref().map(|name| format!("; constraint {name}")).unwrap_or_default()
    )]
    Database {
        /// What was being done.
        doing: Doing,
        /// SQLSTATE, or the result code of SQLite.
        sqlstate: String,
        /// The constraint that was broken, where one was.
        constraint: Option<String>,
    },
    /// A migration of a folder or set failed: where, and what was committed before.
    #[error("{}{error}{}", in_file(file.as_ref()), before(done, *undoing))]
    Stopped {
        /// The name of its file.
        file: Option<String>,
        /// What the same command committed before.
        done: Vec<Version>,
        /// Whether it was being undone.
        undoing: bool,
        /// What failed.
        error: Box<MigrateError>,
    },
    /// Migrations are pending that are older than one that is applied.
    #[error(
        "pending and older than migration {}, which is applied: {}", shown(*newest),
        several(versions)
    )]
    OutOfOrder {
        /// The pending ones, in order.
        versions: Vec<Version>,
        /// The newest that is applied.
        newest: Version,
    },
    /// Undoing would take rows away.
    #[error("undoing migration {} would drop:{}", shown(*version), below(losses))]
    WouldDrop {
        /// The migration that would have been undone.
        version: Version,
        /// Tables with their rows, and sealed columns with their values.
        losses: Vec<String>,
    },
    /// There is nowhere to build the set without reaching what must not change.
    #[error("the set cannot be built apart from this server: {reason}")]
    NoCage {
        /// Why not.
        reason: String,
    },
    /// The login of the database given for comparing could change what is outside of it.
    #[error("the login of the scratch database could change what is outside of it: it {found}")]
    ScratchReaches {
        /// What it is or may do.
        found: String,
    },
    /// What was given is no version of this set.
    #[error("{text:?} is no version of this set: {why}")]
    NoVersion {
        /// As given.
        text: String,
        /// Why.
        why: &'static str,
    },
    /// The connection was lost or cannot be used. Whether the last migration was committed,
    /// `status` tells.
    #[error("the connection failed in {doing}")]
    Connection {
        /// What was being done.
        doing: Doing,
    },
}

/// Each of several things on a line of its own. Of many, the first ones, and how many more there are.
fn below(several: &[String]) -> String {
    const SHOWN: usize = 20;
    let mut lines: String = several
        .iter()
        .take(SHOWN)
        .map(|one| format!("\n  {}", Foreign(one)))
        .collect();
    if several.len() > SHOWN {
        lines.push_str(&format!("\n  and {} more", several.len() - SHOWN));
    }
    lines
}

/// A few numbers, or how many there are.
pub(crate) fn several(versions: &[Version]) -> String {
    const SHOWN: usize = 8;
    let shown_all: Vec<String> = versions.iter().copied().map(shown).collect();
    match (versions.first(), versions.last()) {
        (Some(first), Some(last)) if versions.len() > SHOWN => format!(
            "{} migrations, {} to {}",
            versions.len(),
            shown(*first),
            shown(*last)
        ),
        _ => shown_all.join(", "),
    }
}

fn in_file(file: Option<&String>) -> String {
    file.map(|file| format!("{file}: ")).unwrap_or_default()
}

fn before(done: &[Version], undoing: bool) -> String {
    let what = if undoing { "undone" } else { "applied" };
    match done {
        [] => format!("; nothing was {what} before it by this command"),
        done => format!("; {what} before it: {}", several(done)),
    }
}

impl MigrateError {
    /// What would have been dropped, where that is why it stopped: a line each.
    pub fn losses(&self) -> Option<&[String]> {
        match self {
            Self::WouldDrop { losses, .. } => Some(losses),
            Self::Stopped { error, .. } => error.losses(),
            _ => None,
        }
    }

    /// The migration that failed.
    pub(super) fn version(&self) -> Option<Version> {
        match self {
            Self::Database { doing, .. } | Self::Connection { doing } => doing.version(),
            Self::ChecksumDiffers { version }
            | Self::Refused { version, .. }
            | Self::NoWayBack { version }
            | Self::Partly { version, .. }
            | Self::PartlyUndone { version }
            | Self::WouldDrop { version, .. } => Some(*version),
            _ => None,
        }
    }
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
    const fn version(self) -> Option<Version> {
        match self {
            Self::History | Self::Comparing => None,
            Self::Applying(version) | Self::Undoing(version) => Some(version),
            Self::Statement { version, .. } | Self::Building { version, .. } => Some(version),
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

/// How one attempt ended short of its end: again after a pause, or not at all.
#[derive(Debug)]
pub(super) enum Failure {
    /// Somebody else holds a lock, or made the same thing at the same moment.
    Busy,
    /// Another migrator of the same set is at work.
    Held,
    Stop(MigrateError),
}

impl Failure {
    /// Sorts an error of the driver; `is_busy` knows the codes of its database.
    pub fn of(error: &sqlx::Error, doing: Doing, is_busy: fn(&str) -> bool) -> Self {
        let code = error.as_database_error().and_then(|e| e.code());
        match code {
            Some(code) if code == "25006" => Self::Stop(MigrateError::ReadOnly),
            Some(code) if is_busy(&code) => Self::Busy,
            Some(code) => Self::Stop(MigrateError::Database {
                doing,
                sqlstate: code.into_owned(),
                constraint: error
                    .as_database_error()
                    .and_then(|e| e.constraint())
                    .map(str::to_owned),
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
            Self::UnknownSet { .. } => "E0709",
            Self::Folder { .. } => "E0710",
            Self::NoWayBack { .. } => "E0711",
            Self::TablesExist { .. } => "E0712",
            Self::ReadOnly => "E0214",
            Self::NeedsPostgres => "E0713",
            Self::NoScratch { .. } => "E0714",
            Self::ScratchInUse { .. } => "E0715",
            Self::CannotAdopt { .. } => "E0716",
            Self::Partly { .. } => "E0717",
            Self::PartlyUndone { .. } => "E0718",
            Self::ScratchUnreachable { .. } => "E0719",
            Self::NotOurs { .. } => "E0722",
            Self::Untrusted { .. } => "E0720",
            Self::Stopped { error, .. } => error.code(),
            Self::OutOfOrder { .. } => "E0750",
            Self::WouldDrop { .. } => "E0751",
            Self::NoCage { .. } => "E0752",
            Self::NoVersion { .. } => "E0753",
            Self::ScratchReaches { .. } => "E0755",
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Folder { .. } | Self::CannotAdopt { .. } | Self::WouldDrop { .. } => {
                self.to_string()
            }
            Self::Stopped { error, .. } if matches!(**error, Self::WouldDrop { .. }) => {
                self.to_string()
            }
            other => Foreign(&other.to_string()).to_string(),
        }
    }

    fn hint(&self) -> String {
        hints::of(self)
    }

    fn exit(&self) -> Exit {
        match self {
            Self::NoSuchVersion { .. }
            | Self::SchemaName
            | Self::UnknownSet { .. }
            | Self::Folder { .. }
            | Self::Untrusted { .. }
            | Self::NoVersion { .. }
            | Self::NeedsPostgres => Exit::Usage,
            Self::Stopped { error, .. } => error.exit(),
            Self::ReadOnly
            | Self::NoWayBack { .. }
            | Self::OutOfOrder { .. }
            | Self::WouldDrop { .. }
            | Self::NoCage { .. }
            | Self::TablesExist { .. }
            | Self::NotOurs { .. }
            | Self::NoScratch { .. }
            | Self::ScratchInUse { .. }
            | Self::ScratchReaches { .. }
            | Self::CannotAdopt { .. }
            | Self::Partly { .. }
            | Self::PartlyUndone { .. }
            | Self::ChecksumDiffers { .. }
            | Self::UnknownApplied { .. }
            | Self::Refused { .. }
            | Self::Database { .. } => Exit::Refused,
            Self::LockTimeout { .. }
            | Self::Connection { .. }
            | Self::ScratchUnreachable { .. } => Exit::Unreachable,
        }
    }
}
