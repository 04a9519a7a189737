//! Why a migration was not applied or undone.
//! Owns the classes. Carries SQLSTATE only: the MESSAGE of a database error quotes values, so no
//! error of the driver is kept as a source.

mod doing;

pub use self::doing::Doing;
use super::set::Version;
use super::version::shown;
use crate::error::{coded, sqlstate};
use crate::foreign::Foreign;
use crate::schema::platform_sets::PLATFORM_SETS;
use crate::trust::Untrusted;

coded! {
    /// Why the migrator stopped. What was committed before stays.
    #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
    pub enum MigrateError, exit: Refused {
        /// The file is not the one that was applied.
        ChecksumDiffers {
            /// Its number.
            version: Version,
        } = "E0701"("migration {} is not the one that was applied: its checksum differs", shown(*version)),
            hint: "applied files never change: put the file back, or use the release of phiseal that \
                applied it, and make a new migration of the change";
        /// The database was migrated by a newer program.
        UnknownApplied {
            /// Its number.
            version: Version,
        } = "E0702"("the database has migration {}, which this program does not know", shown(*version)),
            hint: "use the folder or the newer release of phiseal that applied it";
        /// There is no such migration to go to.
        NoSuchVersion {
            /// The number asked for.
            version: Version,
        } = "E0703"("there is no migration {}", shown(*version)), exit: Usage,
            hint: "see `phiseal migrate status`";
        /// Undoing would lose what must be kept.
        Refused {
            /// The migration that would have been undone.
            version: Version,
            /// What must be kept.
            refusal: Refusal,
        } = "E0704"("undoing migration {} is refused: {refusal}", shown(*version)),
            hint: match refusal {
                Refusal::SealedFields => "decrypt back first: `phiseal restore --drop-sealed`",
                _ => "45 CFR 164.316(b)(2)(i) has it kept for six years",
            };
        /// The name cannot be a schema's.
        SchemaName = "E0705"("the name of the schema must be 1 to 63 bytes long, without NUL"), exit: Usage,
            hint: "correct `schema` in the plan file";
        /// Another migrator, or an application's transaction, holds what is needed.
        LockTimeout {
            /// How often it was tried.
            attempts: u32,
        } = "E0706"("a lock was not granted in {attempts} attempts"), exit: Unreachable,
            hint: "another migrator or a long transaction holds the lock: try again";
        /// This program carries no such set.
        UnknownSet {
            /// What was asked for.
            name: String,
        } = "E0709"("this program carries no migration set called '{name}'"), exit: Usage,
            hint: format!("it carries {}", PLATFORM_SETS.join(", "));
        /// A folder of migrations cannot be run as it is.
        Folder {
            /// Every fault found: file, and why.
            faults: Vec<String>,
        } = "E0710"("the folder of migrations cannot be run:{}", below(faults)), exit: Usage,
            hint: "names are as 20251104_143000_what.sql, 00020-what.up.sql and .down.sql, or Flyway's; \
                both ways of a file are marked as its tool has it; see docs/CLI.md",
            lines: true;
        /// Others could have changed a file that root is to run.
        Untrusted {
            /// How they could.
            found: Untrusted,
        } = "E0720"("the folder of migrations is not trusted: {found}"), exit: Usage,
            hint: found.hint();
        /// There is no file that undoes it.
        NoWayBack {
            /// Its number.
            version: Version,
        } = "E0711"("migration {} has no way back", shown(*version)),
            hint: "write a file of the same name that ends with .down.sql";
        /// Our schema, or something in it, belongs to a role that is not ours.
        NotOurs {
            /// What belongs to whom.
            what: String,
            /// What mends it.
            hint: String,
        } = "E0722"("{what}"),
            hint: hint;
        /// Tables that are to be made are there already.
        TablesExist {
            /// Their names.
            tables: Vec<String>,
        } = "E0712"("tables that are to be made exist already: {}", tables.join(", ")),
            hint: "if another tool made them, compare and take them over with `phiseal migrate adopt`";
        /// A standby, or a database opened read only.
        ReadOnly = "E0214"("the database takes no writes: it is a standby, or read only"),
            hint: "connect to the primary, and see default_transaction_read_only";
        /// Only our own tables are for both databases.
        NeedsPostgres = "E0713"("migration sets and folders are for PostgreSQL"), exit: Usage,
            hint: "name a PostgreSQL database with --database-url";
        /// No database could be made to build the set in.
        NoScratch {
            /// SQLSTATE.
            sqlstate: String,
        } = "E0714"("no scratch database could be made to compare with ({})", sqlstate::shown(sqlstate)),
            hint: "use a role that may create databases, or name an empty one with --scratch-database-url";
        /// The database given for comparing is in use.
        ScratchInUse {
            /// A table of it.
            found: String,
        } = "E0715"("the scratch database is not empty: it has {found}"),
            hint: "name a database without tables; it is left without any";
        /// The database for comparing cannot be reached.
        ScratchUnreachable {
            /// Why, without its URL.
            reason: String,
            /// What to do about that.
            hint: String,
        } = "E0719"("the scratch database: {reason}"), exit: Unreachable,
            hint: hint;
        /// What the migrations make is not what is there.
        CannotAdopt {
            /// Every missing or different object.
            differences: Vec<String>,
        } = "E0716"("the database is not what the migrations make:{}", below(differences)),
            hint: "bring the database to what the migrations make, or adopt fewer with --to",
            lines: true;
        /// Some statements were committed before one failed.
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
        } = "E0717"("migration {} stopped at line {line} of its file ({}); {done} of its {of} parts, those \
             above that line, are {} and recorded",
            shown(*version), sqlstate::shown(sqlstate), if *undoing { "undone" } else { "applied" }),
            hint: "mend what stopped it, then run the same command: it goes on from that line";
        /// It must be undone as a whole before anything is applied again.
        PartlyUndone {
            /// Its number.
            version: Version,
        } = "E0718"("migration {} is undone in part", shown(*version)),
            hint: "finish with `phiseal migrate down`, then go up again";
        /// The database refused a statement.
        Database {
            /// What was being done.
            doing: Doing,
            /// SQLSTATE, or the result code of SQLite.
            sqlstate: String,
            /// The constraint that was broken, where one was.
            constraint: Option<String>,
        } = "E0707"("the database refused {doing} ({}{})", sqlstate::shown(sqlstate),
            constraint.as_ref().map(|name| format!("; constraint {name}")).unwrap_or_default()),
            hint: doing.hint_after_refusal(sqlstate);
        /// A migration of a folder or set failed: where, and what was committed before.
        Stopped {
            /// The name of its file.
            file: Option<String>,
            /// What the same command committed before.
            done: Vec<Version>,
            /// Whether it was being undone.
            undoing: bool,
            /// What failed.
            error: Box<MigrateError>,
        } = error("{}{error}{}", in_file(file.as_ref()), before(done, *undoing)),
            lines: matches!(**error, Self::WouldDrop { .. });
        /// Migrations are pending that are older than one that is applied.
        OutOfOrder {
            /// The pending ones, in order.
            versions: Vec<Version>,
            /// The newest that is applied.
            newest: Version,
        } = "E0750"("pending and older than migration {}, which is applied: {}", shown(*newest),
            several(versions)),
            hint: "number them behind what is applied, or apply them all the same with \
                --allow-out-of-order";
        /// Undoing would take rows away.
        WouldDrop {
            /// The migration that would have been undone.
            version: Version,
            /// Tables with their rows, and sealed columns with their values.
            losses: Vec<String>,
        } = "E0751"("undoing migration {} would drop:{}", shown(*version), below(losses)),
            hint: "it was not undone; if its rows are to be lost, add --drop-data, and --yes where there is no \
                terminal; sealed values are given back first with `phiseal restore --drop-sealed`",
            lines: true;
        /// There is nowhere to build the set without reaching what must not change.
        NoCage {
            /// Why not.
            reason: String,
        } = "E0752"("the set cannot be built apart from this server: {reason}"),
            hint: "install the server's programs of the same major version on this host (initdb and \
                postgres), or name an empty database, with a login that can change nothing else, with \
                --scratch-database-url";
        /// The login of the database given for comparing could change what is outside of it.
        ScratchReaches {
            /// What it is or may do.
            found: String,
        } = "E0755"("the login of the scratch database could change what is outside of it: it {found}"),
            hint: "give it a login of its own: CREATE ROLE scratch LOGIN PASSWORD '...'; CREATE DATABASE \
                scratch OWNER scratch; or leave --scratch-database-url out where initdb and postgres of \
                the server's version are on this host: the set is then built in a private cluster";
        /// What was given is no version of this set.
        NoVersion {
            /// As given.
            text: String,
            /// Why.
            why: &'static str,
        } = "E0753"("'{text}' is no version of this set: {why}"), exit: Usage,
            hint: "see `phiseal migrate status`";
        /// The connection was lost or cannot be used. Whether the last migration was committed,
        /// `status` tells.
        Connection {
            /// What was being done.
            doing: Doing,
        } = "E0708"("the connection failed in {doing}"), exit: Unreachable,
            hint: "see `phiseal migrate status`, then run the command again";
    }
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
