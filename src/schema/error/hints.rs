//! What to do about each of the migrator's errors.

use super::super::platform_sets::PLATFORM_SETS;
use super::{Doing, MigrateError, Refusal};
use crate::error::Coded;

pub(super) fn of(error: &MigrateError) -> String {
    match error {
        MigrateError::ChecksumDiffers { .. } => {
            "applied files never change: put the file back, or use the release of phiseal that \
                 applied it, and make a new migration of the change"
        }
        MigrateError::UnknownApplied { .. } => {
            "use the folder or the newer release of phiseal that applied it"
        }
        MigrateError::UnknownSet { .. } => {
            return format!("it carries {}", PLATFORM_SETS.join(", "));
        }
        MigrateError::Folder { .. } => {
            "names are as 20251104_143000_what.sql, 00020-what.up.sql and .down.sql, or Flyway's; \
                 both ways of a file are marked as its tool has it; see docs/CLI.md"
        }
        MigrateError::NotOurs { hint, .. } => hint,
        MigrateError::Untrusted { found } => return found.hint(),
        MigrateError::NoWayBack { .. } => "write a file of the same name that ends with .down.sql",
        MigrateError::TablesExist { .. } => {
            "if another tool made them, compare and take them over with `phiseal migrate adopt`"
        }
        MigrateError::ReadOnly => "connect to the primary, and see default_transaction_read_only",
        MigrateError::NeedsPostgres => "name a PostgreSQL database with --database-url",
        MigrateError::NoScratch { .. }
        | MigrateError::ScratchInUse { .. }
        | MigrateError::ScratchReaches { .. }
        | MigrateError::ScratchUnreachable { .. }
        | MigrateError::NoCage { .. } => of_scratch(error),
        MigrateError::CannotAdopt { .. } => {
            "bring the database to what the migrations make, or adopt fewer with --to"
        }
        MigrateError::Partly { .. } => {
            "mend what stopped it, then run the same command: it goes on from that line"
        }
        MigrateError::PartlyUndone { .. } => "finish with `phiseal migrate down`, then go up again",
        MigrateError::NoSuchVersion { .. } => "see `phiseal migrate status`",
        MigrateError::Refused {
            refusal: Refusal::SealedFields,
            ..
        } => "decrypt back first: `phiseal restore --drop-sealed`",
        MigrateError::Refused { .. } => "45 CFR 164.316(b)(2)(i) has it kept for six years",
        MigrateError::SchemaName => "correct `schema` in the plan file",
        MigrateError::LockTimeout { .. } => {
            "another migrator or a long transaction holds the lock: try again"
        }
        MigrateError::Stopped { error, .. } => return error.hint(),
        MigrateError::OutOfOrder { .. } => {
            "number them behind what is applied, or apply them all the same with \
                 --allow-out-of-order"
        }
        MigrateError::WouldDrop { .. } => {
            "it was not undone; if its rows are to be lost, add --drop-data; sealed values are given \
                 back first with `phiseal restore --drop-sealed`"
        }
        MigrateError::NoVersion { .. } => "see `phiseal migrate status`",
        MigrateError::Database {
            doing, sqlstate, ..
        } => of_refused(*doing, sqlstate),
        MigrateError::Connection { .. } => {
            "see `phiseal migrate status`, then run the command again"
        }
    }
    .to_owned()
}

/// What to do where the set cannot be built apart from the server.
fn of_scratch(error: &MigrateError) -> &'static str {
    match error {
        MigrateError::NoScratch { .. } => {
            "use a role that may create databases, or name an empty one with \
                 --scratch-database-url"
        }
        MigrateError::ScratchInUse { .. } => {
            "name a database without tables; it is left without any"
        }
        MigrateError::ScratchReaches { .. } => {
            "give it a login of its own: CREATE ROLE scratch LOGIN PASSWORD '...'; CREATE DATABASE \
                 scratch OWNER scratch; or leave --scratch-database-url out where initdb and postgres of \
                 the server's version are on this host: the set is then built in a private cluster"
        }
        MigrateError::ScratchUnreachable { .. } => "see that the server takes one more connection",
        _ => {
            "install the server's programs of the same major version on this host (initdb and \
                 postgres), or name an empty database, with a login that can change nothing else, with \
                 --scratch-database-url"
        }
    }
}

/// What a statement that the database refused asks for.
fn of_refused(doing: Doing, sqlstate: &str) -> &'static str {
    match (doing, sqlstate) {
        (_, "2D000") => {
            "a file is one transaction, so nothing in it can commit or roll back: move what commits, \
             as a procedure that is called, to a job of its own, or write each part that is to commit \
             by itself into a file of its own"
        }
        (Doing::History | Doing::Comparing, _) => {
            "the role must be able to read the catalog, and to make the history's schema"
        }
        (Doing::Building { .. }, _) => {
            "nothing was changed; the migration needs what an empty database has not, or the role \
             may not make it there"
        }
        _ => {
            "nothing of that migration was applied; look the SQLSTATE up in PostgreSQL's list of \
             error codes (42501: the role may not make what the migration makes)"
        }
    }
}
