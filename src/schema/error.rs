//! Why a migration was not applied or undone.
//! Owns the classes. Carries SQLSTATE only: the MESSAGE of a database error quotes values, so no
//! error of the driver is kept as a source.

use std::fmt;

use super::set::Version;
use crate::error::{Coded, Exit};
use crate::foreign::Foreign;
use crate::trust::Untrusted;

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
    #[error("migration {version} has no way back")]
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
    #[error("no scratch database could be made to compare with (SQLSTATE {sqlstate})")]
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
        "migration {version} stopped at line {line} of its file (SQLSTATE {sqlstate}); {done} of its \
         {of} parts, those above that line, are {} and recorded", if *undoing { "undone" } else { "applied" }
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
    #[error("migration {version} is undone in part")]
    PartlyUndone {
        /// Its number.
        version: Version,
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

/// Each of several things on a line of its own.
fn below(several: &[String]) -> String {
    several
        .iter()
        .map(|one| format!("\n  {}", Foreign(one)))
        .collect()
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

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::History => f.write_str("the history of migrations"),
            Self::Applying(version) => write!(f, "migration {version}"),
            Self::Undoing(version) => write!(f, "the undoing of migration {version}"),
            Self::Statement {
                version,
                undoing,
                line,
            } => {
                let way = if *undoing { "down" } else { "up" };
                write!(
                    f,
                    "the statement at line {line} of migration {version} on its way {way}"
                )
            }
            Self::Comparing => f.write_str("the comparison of the catalogs"),
            Self::Building { version, line } => write!(
                f,
                "the statement at line {line} of migration {version} in the scratch database"
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
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Folder { .. } | Self::CannotAdopt { .. } => self.to_string(),
            other => Foreign(&other.to_string()).to_string(),
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::ChecksumDiffers { .. } => {
                "applied files never change: put the file back, or use the release of phiseal that \
                 applied it, and make a new migration of the change"
            }
            Self::UnknownApplied { .. } => {
                "use the folder or the newer release of phiseal that applied it"
            }
            Self::UnknownSet { .. } => {
                return format!("it carries {}", super::PLATFORM_SETS.join(", "));
            }
            Self::Folder { .. } => {
                "names are as 20251104_143000_what.sql, 00020-what.up.sql and .down.sql; see \
                 docs/CLI.md"
            }
            Self::NotOurs { hint, .. } => hint,
            Self::Untrusted { found } => return found.hint(),
            Self::NoWayBack { .. } => "write a file of the same name that ends with .down.sql",
            Self::TablesExist { .. } => {
                "if another tool made them, compare and take them over with `phiseal migrate adopt`"
            }
            Self::ReadOnly => "connect to the primary, and see default_transaction_read_only",
            Self::NeedsPostgres => "name a PostgreSQL database with --database-url",
            Self::NoScratch { .. } => {
                "use a role that may create databases, or name an empty one with \
                 --scratch-database-url"
            }
            Self::ScratchInUse { .. } => "name a database without tables; it is left without any",
            Self::ScratchUnreachable { .. } => "see that the server takes one more connection",
            Self::CannotAdopt { .. } => {
                "bring the database to what the migrations make, or adopt fewer with --to"
            }
            Self::Partly { .. } => {
                "mend what stopped it, then run the same command: it goes on from that line"
            }
            Self::PartlyUndone { .. } => "finish with `phiseal migrate down`, then go up again",
            Self::NoSuchVersion { .. } => "see `phiseal migrate status`",
            Self::Refused {
                refusal: Refusal::SealedFields,
                ..
            } => "decrypt back first: `phiseal restore --drop-sealed`",
            Self::Refused { .. } => "45 CFR 164.316(b)(2)(i) has it kept for six years",
            Self::SchemaName => "correct `schema` in the plan file",
            Self::LockTimeout { .. } => "another migrator or a long transaction holds the lock: try again",
            Self::Database {
                doing: Doing::History | Doing::Comparing,
                ..
            } => "the role must be able to read the catalog, and to make the history's schema",
            Self::Database {
                doing: Doing::Building { .. },
                ..
            } => {
                "nothing was changed; the migration needs what an empty database has not, or the role \
                 may not make it there"
            }
            Self::Database { .. } => {
                "nothing of that migration was applied; look the SQLSTATE up in PostgreSQL's list of \
                 error codes (42501: the role may not make what the migration makes)"
            }
            Self::Connection { .. } => "see `phiseal migrate status`, then run the command again",
        }
        .to_owned()
    }

    fn exit(&self) -> Exit {
        match self {
            Self::NoSuchVersion { .. }
            | Self::SchemaName
            | Self::UnknownSet { .. }
            | Self::Folder { .. }
            | Self::Untrusted { .. }
            | Self::NeedsPostgres => Exit::Usage,
            Self::ReadOnly
            | Self::NoWayBack { .. }
            | Self::TablesExist { .. }
            | Self::NotOurs { .. }
            | Self::NoScratch { .. }
            | Self::ScratchInUse { .. }
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
