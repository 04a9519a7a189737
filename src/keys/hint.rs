//! The hint for each key error: what to do next, in one sentence.
//! Owns the sentences; `error` has the errors and their codes. An error without a sentence does not
//! compile.

use super::error::KeyError;

/// The hint for an error. Store errors and trust errors have their own.
#[allow(
    clippy::too_many_lines,
    reason = "one arm an error; the compiler counts them, and a reader looks one up"
)]
pub(super) const fn of(error: &KeyError) -> &'static str {
    match error {
        KeyError::FileIsLink { .. } => {
            "name the file itself; for secrets mounted as links use provider = \"command\" or \"env\""
        }
        KeyError::FileNotRegular { .. } => {
            "name a regular file, or use provider = \"command\" or \"env\""
        }
        KeyError::FileMode { .. } => {
            "run chmod 600 on it, and ask who may have read it while it was open"
        }
        KeyError::FileOwner { .. } => {
            "run as the owner of the file, or give the file to the user this program runs as"
        }
        KeyError::FileUnreadable { .. } => {
            "check the path under [keys]; a new one is made by `phiseal keys new-wrapping-key PATH`"
        }
        KeyError::FileExists { .. } => {
            "give another path; if the old key wraps anything, keep it until `phiseal keys rewrap` is done"
        }
        KeyError::FileNotWritten { .. } => {
            "check that the directory exists, can be written and has space, then run it again"
        }
        KeyError::LineLength { .. } | KeyError::LineForm { .. } => {
            "a key line is `phiseal-wk-1.` and 43 characters, as `phiseal keys new-wrapping-key PATH` writes it"
        }
        KeyError::EnvMissing { .. } | KeyError::EnvEmpty { .. } => {
            "set the variable to the key line, or check its name under [keys]"
        }
        KeyError::CommandEmpty => {
            "set command under [keys] to a program and its arguments, such as [\"pass\", \"show\", \"x\"]"
        }
        KeyError::CommandNotStarted { .. } => {
            "check that the program is installed and executable; no shell is used, each argument is its own string"
        }
        KeyError::CommandFailed { .. } | KeyError::CommandTimeout { .. } => {
            "run the command by hand as the same user; it must print the key line without asking"
        }
        KeyError::CommandTooMuch { .. } => "the command must print the key line and nothing else",
        KeyError::ProviderUnavailable { .. } => {
            "check the service and the network, then run the command again: it resumes"
        }
        KeyError::WrongWrappingKey { .. } => {
            "give the wrapping key of that reference; to change wrapping keys use `phiseal keys rewrap`"
        }
        KeyError::DoesNotUnwrap { .. }
        | KeyError::CheckValueDiffers { .. }
        | KeyError::WrappedKeyMissing { .. } => {
            "restore this row of encryption_keys from a backup; `phiseal keys check` lists all keys"
        }
        KeyError::NoRandomness | KeyError::NotWrapped { .. } => {
            "nothing was stored; run the command again, and look at the system's log if it fails again"
        }
        KeyError::Unknown { .. } => {
            "load the keys again: it may have been made a moment ago (`KeyCache::open_value` does so by itself); if there is none in encryption_keys then, restore its row from a backup"
        }
        KeyError::Destroyed { .. } => {
            "its values are gone for good; bring them back from a backup that holds them otherwise"
        }
        KeyError::NeverActivated { .. } => {
            "load the keys again: it may have been activated a moment ago; else look at `phiseal keys list` and at who wrote the value"
        }
        KeyError::MayNotSeal { .. } => {
            "see `phiseal keys list`: a suspended key is taken back by `phiseal keys resume`, and replaced by `phiseal rotate` after that; where a key is gone for good, `phiseal keys create` makes a new one"
        }
        KeyError::OtherTenant { .. } | KeyError::OtherPurpose { .. } => {
            "the value was moved here or its key id was changed; run `phiseal verify`"
        }
        KeyError::NoneActive { .. } => "make one with `phiseal keys create`",
        KeyError::AlreadyActive { .. } => "use `phiseal rotate` for a new version",
        KeyError::ReadBackDiffers { .. } | KeyError::ReadBackMissing { .. } => {
            "nothing was sealed under it; find out what changes encryption_keys, `phiseal keys destroy` it, try again"
        }
        KeyError::NotActivated { .. } => {
            "nothing was sealed under it; look at `phiseal keys list` and run the command again"
        }
        KeyError::NoFreeId { .. } => {
            "look at how many rows encryption_keys has; ids are drawn from 2147483647"
        }
        KeyError::RewrapOpen { .. } => "finish that one first: give it as --to",
        KeyError::NoSuchMove { .. } => {
            "see `phiseal keys show KEY`; only an active key is suspended, only a suspended one resumed, and a key that still seals is replaced by `phiseal rotate` before it is destroyed"
        }
        KeyError::StillUsed { .. } => {
            "run `phiseal rotate` to seal them again under the active key; rows that do not open are in `phiseal quarantine list`; what is in no registered table is to be deleted, or put back where it was sealed and rotated"
        }
        KeyError::NotSearched { .. } => {
            "log in as a role that reads them, or look into them otherwise and name each with --except, which is recorded"
        }
        KeyError::SuspendedStands { .. } => {
            "take it back with `phiseal keys resume`, and then, if it is to be replaced, run `phiseal rotate`; if others may have it, `phiseal keys compromise` puts a new key in its place"
        }
        KeyError::OtherActive { .. } => {
            "leave it: it goes on opening; `phiseal rotate` seals what is under it again under the active key, and `phiseal keys destroy` ends it then"
        }
        KeyError::NoReplacement { .. } => {
            "mend what is said, then run the same command again: it makes the new key and seals everything again"
        }
        KeyError::RotationOpen { .. } => "run `phiseal rotate` again: it finishes the rotation",
        KeyError::NoneOfTenant => "see `phiseal keys list` for the tenants there are",
        KeyError::Store(_) => "see the database error",
        KeyError::Untrusted { .. } => "keep it where only you and root can write",
    }
}
