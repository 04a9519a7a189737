//! What each command does to a file of SQLite.
//! Owns the list: what only looks opens the file read-only, changes nothing in it, not even its journal mode, and
//! works where it may not be written to. Decided here alone, for every command, without a default.

use crate::cli::args::{Audit, Bench, Command, Fields, Keys, Migrate, Quarantine, Runs};
use crate::store::sqlite::Access;

/// What this command does.
pub fn of(command: &Command) -> Access {
    match command {
        Command::Init(_) | Command::Plan(_) | Command::Status(_) => Access::Look,
        Command::Migrate(migrate) => of_migrate(migrate),
        Command::Keys(keys) => of_keys(keys),
        Command::Bench(Bench { write_sample }) => writes(*write_sample),
        Command::Fields(Fields::List) => Access::Look,
        Command::Fields(Fields::Forget(_) | Fields::Rebind(_)) => Access::Write,
        Command::Runs(Runs::List) => Access::Look,
        Command::Runs(Runs::Abandon(_)) => Access::Write,
        Command::Quarantine(Quarantine::List) => Access::Look,
        // Who looked at a row's key is written into the audit log.
        Command::Quarantine(
            Quarantine::Show { .. } | Quarantine::Retry { .. } | Quarantine::Skip { .. },
        ) => Access::Write,
        Command::Audit(Audit::Verify { .. } | Audit::Head) => Access::Look,
        // A verification lists what does not open in quarantine. A rotation that is not due looks only, which it
        // says itself.
        Command::Demo(_)
        | Command::Backfill(_)
        | Command::Verify(_)
        | Command::Rotate(_)
        | Command::Restore(_) => Access::Write,
    }
}

fn of_migrate(migrate: &Migrate) -> Access {
    match migrate {
        Migrate::Up { dry_run, .. }
        | Migrate::Down { dry_run, .. }
        | Migrate::Redo { dry_run, .. }
        | Migrate::Adopt { dry_run, .. } => writes(!*dry_run),
        // It writes files alone.
        Migrate::Status { .. } | Migrate::Verify { .. } | Migrate::New { .. } => Access::Look,
    }
}

fn of_keys(keys: &Keys) -> Access {
    match keys {
        Keys::NewWrappingKey { .. } | Keys::List | Keys::Show { .. } | Keys::Check => Access::Look,
        Keys::Create(_)
        | Keys::Rewrap(_)
        | Keys::Suspend(_)
        | Keys::Resume(_)
        | Keys::Compromise(_)
        | Keys::Destroy(_) => Access::Write,
    }
}

fn writes(writes: bool) -> Access {
    match writes {
        true => Access::Write,
        false => Access::Look,
    }
}
