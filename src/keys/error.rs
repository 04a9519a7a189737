//! Errors of keys: why a key cannot be used, and what to do about it.
//! Owns the codes E0401 to E0449, and E0119 for a file or program that is not trusted. Errors name
//! key ids, references, paths and modes, but never a key, a key line, a tenant or the output of a
//! command.

use std::io;
use std::path::PathBuf;

use super::lifecycle::KeyStatus;
use crate::crypto::{KeyId, Purpose};
use crate::error::round_trip::StoreError;
use crate::error::{coded, io_fault};
use crate::trust::Untrusted;

coded! {
    /// Why a key cannot be used, made or stored.
    #[derive(Debug, thiserror::Error)]
    pub enum KeyError, exit: Keys {
        /// The key file is a symbolic link.
        FileIsLink {
            /// The file.
            path: PathBuf,
        } = "E0401"("key file {path} is a symbolic link"),
            hint: "name the file itself; for secrets mounted as links use provider = \"command\" or \"env\"";
        /// The key file is a directory, a pipe or a device.
        FileNotRegular {
            /// The file.
            path: PathBuf,
        } = "E0402"("key file {path} is not a regular file"),
            hint: "name a regular file, or use provider = \"command\" or \"env\"";
        /// Users other than the owner may read or write the key file.
        FileMode {
            /// The file.
            path: PathBuf,
            /// Its permission bits.
            mode: u32,
        } = "E0403"("key file {path} has mode {mode:04o}, wider than 0600"),
            hint: "run chmod 600 on it, and ask who may have read it while it was open";
        /// The key file belongs to another user.
        FileOwner {
            /// The file.
            path: PathBuf,
            /// User id of the file.
            owner: u32,
            /// Effective user id of the process.
            user: u32,
        } = "E0404"("key file {path} is owned by user {owner}, this program runs as {user}"),
            hint: "run as the owner of the file, or give the file to the user this program runs as";
        /// Another user could have changed the key command's program, or exchanged the key file.
        Untrusted {
            /// `key command pass`, `key file /etc/phiseal/wrapping.key`.
            what: String,
            /// How another user could have done it.
            found: Untrusted,
        } = "E0119"("{what} is not trusted: {found}"), exit: Usage,
            hint: found.hint();
        /// The key file is missing or cannot be opened or read.
        FileUnreadable {
            /// The file.
            path: PathBuf,
            /// The cause.
            source: io::Error,
        } = "E0405"("key file {path} cannot be read: {}", io_fault::words(source)),
            hint: "check the path under [keys]; a new one is made by `phiseal keys new-wrapping-key PATH`";
        /// A new wrapping key would overwrite an existing file.
        FileExists {
            /// The file.
            path: PathBuf,
        } = "E0406"("{path} exists, a wrapping key is never written over a file"),
            hint: "give another path; if the old key wraps anything, keep it until `phiseal keys rewrap` is done";
        /// A new wrapping key could not be written durably.
        FileNotWritten {
            /// The file.
            path: PathBuf,
            /// The cause.
            source: io::Error,
        } = "E0407"("the wrapping key could not be written to {path}: {}", io_fault::words(source)),
            hint: "check that the directory exists, can be written and has space, then run it again";
        /// The key line does not decode to 32 bytes.
        LineLength {
            /// Where the line came from.
            origin: String,
        } = "E0408"("the wrapping key from {origin} is not 32 bytes long"),
            hint: "a key line is `phiseal-wk-1.` and 43 characters, as `phiseal keys new-wrapping-key PATH` writes it";
        /// The key line does not begin with the prefix, or is not strict base64.
        LineForm {
            /// Where the line came from.
            origin: String,
        } = "E0409"("{origin} holds no wrapping key line"),
            hint: "a key line is `phiseal-wk-1.` and 43 characters, as `phiseal keys new-wrapping-key PATH` writes it";
        /// The environment variable is not set.
        EnvMissing {
            /// The variable.
            name: String,
        } = "E0410"("environment variable {name} is not set"),
            hint: "set the variable to the key line, or check its name under [keys]";
        /// The environment variable is set but empty.
        EnvEmpty {
            /// The variable.
            name: String,
        } = "E0411"("environment variable {name} is empty"),
            hint: "set the variable to the key line, or check its name under [keys]";
        /// The key command has no program.
        CommandEmpty = "E0412"("the key command is empty"),
            hint: "set command under [keys] to a program and its arguments, such as [\"pass\", \"show\", \"x\"]";
        /// The key command could not be started.
        CommandNotStarted {
            /// The program, without its arguments.
            program: String,
            /// The cause.
            source: io::Error,
        } = "E0413"("key command {program} could not be started: {}", io_fault::words(source)),
            hint: "check that the program is installed and executable; no shell is used, each argument is its own string";
        /// The key command ended with a failure each time it was tried.
        CommandFailed {
            /// The program, without its arguments.
            program: String,
            /// `exit status: 1`, `signal: 9 (SIGKILL)`.
            status: String,
            /// How many times it was tried.
            attempts: u32,
        } = "E0414"("key command {program} failed ({status}), {attempts} attempts"),
            hint: "run the command by hand as the same user; it must print the key line without asking";
        /// The key command did not end in time, each time it was tried.
        CommandTimeout {
            /// The program, without its arguments.
            program: String,
            /// How long each attempt could take.
            timeout_seconds: u64,
            /// How many times it was tried.
            attempts: u32,
        } = "E0415"("key command {program} did not end within {timeout_seconds} s, {attempts} attempts"),
            hint: "run the command by hand as the same user; it must print the key line without asking";
        /// The key command printed more bytes than a key line can have.
        CommandTooMuch {
            /// The program, without its arguments.
            program: String,
        } = "E0416"("key command {program} printed more than a key line"),
            hint: "the command must print the key line and nothing else";
        /// A provider that is reached over a network did not answer, after all retries.
        ProviderUnavailable {
            /// Its reference.
            reference: String,
        } = "E0417"("the key provider {reference} does not answer"),
            hint: "check the service and the network, then run the command again: it resumes";
        /// The key is wrapped under a wrapping key other than the loaded one.
        WrongWrappingKey {
            /// The key.
            key_id: KeyId,
            /// `kek_ref` of its record.
            stored: String,
            /// The reference of the provider.
            given: String,
        } = "E0421"("key {key_id} is wrapped under {stored}, the wrapping key given is {given}"),
            hint: "give the wrapping key of that reference; to change wrapping keys use `phiseal keys rewrap`";
        /// The wrapped key is damaged, or belongs to another key id, purpose or tenant.
        DoesNotUnwrap {
            /// The key.
            key_id: KeyId,
        } = "E0422"("key {key_id} does not unwrap"),
            hint: "restore this row of encryption_keys from a backup; `phiseal keys check` lists all keys";
        /// The key unwraps, but its check value differs from the stored one.
        CheckValueDiffers {
            /// The key.
            key_id: KeyId,
        } = "E0423"("key {key_id} does not have the check value that is stored with it"),
            hint: "restore this row of encryption_keys from a backup; `phiseal keys check` lists all keys";
        /// A key that is not destroyed has no wrapped key stored.
        WrappedKeyMissing {
            /// The key.
            key_id: KeyId,
        } = "E0424"("key {key_id} has no wrapped key stored"),
            hint: "restore this row of encryption_keys from a backup; `phiseal keys check` lists all keys";
        /// The operating system gave no random bytes for a new key.
        NoRandomness = "E0425"("the operating system gave no random bytes"),
            hint: "nothing was stored; run the command again, and look at the system's log if it fails again";
        /// The provider could not wrap a new key.
        NotWrapped {
            /// The key.
            key_id: KeyId,
        } = "E0426"("key {key_id} could not be wrapped"),
            hint: "nothing was stored; run the command again, and look at the system's log if it fails again";
        /// No record has this id.
        Unknown {
            /// The id asked for.
            key_id: KeyId,
        } = "E0427"("there is no key {key_id}"),
            hint: "load the keys again: it may have been made a moment ago (`KeyCache::open_value` does so by itself); if there is none in encryption_keys then, restore its row from a backup";
        /// The key is destroyed.
        Destroyed {
            /// The key.
            key_id: KeyId,
        } = "E0428"("key {key_id} is destroyed"),
            hint: "its values are gone for good; bring them back from a backup that holds them otherwise";
        /// The key was never activated.
        NeverActivated {
            /// The key.
            key_id: KeyId,
        } = "E0429"("key {key_id} was never activated"),
            hint: "load the keys again: it may have been activated a moment ago; else look at `phiseal keys list` and at who wrote the value";
        /// The key's state does not allow it to seal.
        MayNotSeal {
            /// The key.
            key_id: KeyId,
            /// Its state.
            status: KeyStatus,
        } = "E0430"("key {key_id} is {status}, it may not seal"),
            hint: "see `phiseal keys list`: a suspended key is taken back by `phiseal keys resume`, and replaced by `phiseal rotate` after that; where a key is gone for good, `phiseal keys create` makes a new one";
        /// The key belongs to another tenant.
        OtherTenant {
            /// The key.
            key_id: KeyId,
        } = "E0431"("key {key_id} belongs to another tenant"),
            hint: "the value was moved here or its key id was changed; run `phiseal verify`";
        /// The key has the other purpose.
        OtherPurpose {
            /// The key.
            key_id: KeyId,
            /// The purpose it has.
            purpose: Purpose,
        } = "E0432"("key {key_id} has purpose {purpose}, which does not fit"),
            hint: "the value was moved here or its key id was changed; run `phiseal verify`";
        /// There is no active key to seal under.
        NoneActive {
            /// The purpose asked for.
            purpose: Purpose,
        } = "E0433"("there is no active {purpose} key for this tenant"),
            hint: "make it with `phiseal keys create`, for a tenant with `--tenant T --if-missing`";
        /// A tenant already has an active key of this purpose.
        AlreadyActive {
            /// The purpose asked for.
            purpose: Purpose,
        } = "E0434"("a {purpose} key is active already"),
            hint: "use `phiseal rotate` for a new version, or `--if-missing` where that is no error";
        /// The key that was read back after the insert is not the key that was made.
        ReadBackDiffers {
            /// The key.
            key_id: KeyId,
        } = "E0435"("key {key_id} was stored, but what was read back is another key; it was not activated"),
            hint: "nothing was sealed under it; find out what changes encryption_keys, `phiseal keys destroy` it, try again";
        /// The key is missing after the insert, or lacks its wrapped key.
        ReadBackMissing {
            /// The key.
            key_id: KeyId,
        } = "E0436"("key {key_id} was stored, but could not be read back; it was not activated"),
            hint: "nothing was sealed under it; find out what changes encryption_keys, `phiseal keys destroy` it, try again";
        /// The server reported that the key was activated, but it is not active.
        NotActivated {
            /// The key.
            key_id: KeyId,
        } = "E0437"("key {key_id} was to be activated, but is not active"),
            hint: "nothing was sealed under it; look at `phiseal keys list` and run the command again";
        /// Every random id that was tried is taken.
        NoFreeId {
            /// How many times it was tried.
            attempts: u32,
        } = "E0438"("no free key id was found in {attempts} attempts"),
            hint: "look at how many rows encryption_keys has; ids are drawn from 2147483647";
        /// An unfinished rewrap moves keys to another wrapping key.
        RewrapOpen {
            /// The reference of that wrapping key.
            to: String,
        } = "E0439"("an unfinished rewrap goes to wrapping key {to}"),
            hint: "finish that one first: give it as --to";
        /// The key's state cannot change to the one asked for.
        NoSuchMove {
            /// The key.
            key_id: KeyId,
            /// The state it is in.
            from: KeyStatus,
            /// The state that was asked for.
            to: KeyStatus,
        } = "E0440"("key {key_id} is {from}; a key cannot become {to} from that state"),
            hint: match (from, to) {
                (KeyStatus::PreActive | KeyStatus::Active, KeyStatus::Destroyed) => "replace it first: `phiseal rotate`, \
                    with `--purpose blind_index` for a key of blind indexes",
                _ => "see `phiseal keys show KEY`: only an active key can be suspended, only a suspended one resumed",
            };
        /// Values are still sealed under a key that is to be destroyed.
        StillUsed {
            /// The key.
            key_id: KeyId,
            /// How many values.
            values: u64,
            /// Where they are, by table and column.
            places: String,
        } = "E0441"("{values} values are still sealed under key {key_id}: {places}"),
            hint: "run `phiseal rotate` to seal them again under the active key; rows that do not open are in `phiseal quarantine list`; what is in no registered table is to be deleted, or put back where it was sealed and rotated";
        /// Part of the database cannot be read, so it is unknown whether values are sealed in it.
        NotSearched {
            /// The key.
            key_id: KeyId,
            /// What cannot be read, and why.
            places: String,
        } = "E0444"("not all of the database can be searched for values under key {key_id}: {places}"),
            hint: "log in as a role that reads them, or look into them otherwise and name each with --except, which is recorded";
        /// A key is suspended. No new key is made beside it until the operator has decided what to do
        /// with the suspended one.
        SuspendedStands {
            /// The suspended key.
            key_id: KeyId,
        } = "E0445"("key {key_id} is suspended: no new key is made beside it"),
            hint: "take it back with `phiseal keys resume`, and then, if it is to be replaced, run `phiseal rotate`; if others may have it, `phiseal keys compromise` puts a new key in its place";
        /// Another key is active in place of a suspended one.
        OtherActive {
            /// The suspended key.
            key_id: KeyId,
            /// The active one.
            active: KeyId,
        } = "E0446"("key {key_id} is not resumed: key {active} is active in its place"),
            hint: "leave it: it goes on opening; `phiseal rotate` seals what is under it again under the active key, and `phiseal keys destroy` ends it then";
        /// A compromised key is out of use, but no key could be made to replace it.
        NoReplacement {
            /// The compromised key.
            key_id: KeyId,
            /// Why no key could be made.
            why: String,
        } = "E0447"("key {key_id} is compromised and seals nothing any more, but no key takes its place: {why}"),
            hint: "mend what is said, then run the same command again: it makes the new key and seals everything again";
        /// A rotation from or to the key is unfinished.
        RotationOpen {
            /// The key.
            key_id: KeyId,
        } = "E0442"("a rotation of key {key_id} is unfinished"),
            hint: "run `phiseal rotate` again: it finishes the rotation";
        /// The tenant has no key that is not destroyed.
        NoneOfTenant = "E0443"("there is no key of this tenant that is not destroyed"),
            hint: "see `phiseal keys list` for the tenants there are";
        /// The key table could not be read or written.
        Store(#[from] error: StoreError) = error(transparent);
    }
}
