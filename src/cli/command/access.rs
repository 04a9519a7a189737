//! Whether a command writes to an SQLite file.
//! Owns the list for all commands; no command has a default. A command that only reads opens the
//! file read-only, does not even change its journal mode, and works where the file may not be
//! written.

use crate::cli::args::{
    Audit, BenchArgs, Command, Destroy, Fields, FinalizeArgs, Keys, Migrate, Quarantine,
    RestoreArgs, RotateArgs, Runs, ScrubArgs,
};
use crate::store::sqlite::Access;

/// How this command opens the file.
pub fn of(command: &Command) -> Access {
    match command {
        Command::Completions(_)
        | Command::Man(_)
        | Command::Init(_)
        | Command::Plan(_)
        | Command::Status(_)
        | Command::Grants(_) => Access::Look,
        Command::Migrate(migrate) => of_migrate(migrate),
        Command::Keys(keys) => of_keys(keys),
        Command::Speed(args) => writes(args.pace.is_some() || args.rows_per_second.is_some()),
        Command::Bench(BenchArgs { write_sample }) => writes(*write_sample),
        Command::Finalize(FinalizeArgs { dry_run, .. }) => writes(!*dry_run),
        Command::Scrub(ScrubArgs { dry_run, .. }) => writes(!*dry_run),
        // `rotate --if-due` first opens the file read-only, by itself, to see whether a key is due.
        Command::Rotate(RotateArgs { dry_run, .. }) => writes(!*dry_run),
        Command::Restore(RestoreArgs { dry_run, .. }) => writes(!*dry_run),
        Command::Fields(Fields::List) => Access::Look,
        Command::Fields(Fields::Forget(_) | Fields::Rebind(_)) => Access::Write,
        Command::Runs(Runs::List) => Access::Look,
        Command::Runs(Runs::Abandon(_)) => Access::Write,
        Command::Quarantine(Quarantine::List { .. }) => Access::Look,
        // `show` writes to the audit log who looked at a row's key.
        Command::Quarantine(
            Quarantine::Show { .. } | Quarantine::Retry { .. } | Quarantine::Skip { .. },
        ) => Access::Write,
        Command::Audit(
            Audit::Verify { .. } | Audit::Head | Audit::List(_) | Audit::Export { .. },
        ) => Access::Look,
        // A verification writes to the quarantine list. It first opens the file read-only, by itself, to
        // see whether it may write at all.
        // `open` and `seal` write to the audit log.
        Command::Demo(_)
        | Command::Open(_)
        | Command::Seal(_)
        | Command::Backfill(_)
        | Command::Verify(_)
        | Command::Pause
        | Command::Resume => Access::Write,
    }
}

fn of_migrate(migrate: &Migrate) -> Access {
    match migrate {
        Migrate::Up { dry_run, .. }
        | Migrate::Down { dry_run, .. }
        | Migrate::Redo { dry_run, .. }
        | Migrate::Adopt { dry_run, .. } => writes(!*dry_run),
        // `new` writes files only, not the database.
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
        | Keys::Compromise(_) => Access::Write,
        Keys::Destroy(Destroy { dry_run, .. }) => writes(!*dry_run),
    }
}

fn writes(writes: bool) -> Access {
    match writes {
        true => Access::Write,
        false => Access::Look,
    }
}
