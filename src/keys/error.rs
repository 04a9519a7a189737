//! Errors of keys: why a key cannot be used, and what to do about it.
//! Owns the codes E0401 to E0449, and E0119 for a file or program that is not trusted. Errors name
//! key ids, references, paths and modes, but never a key, a key line, a tenant or the output of a
//! command.

use std::io;
use std::path::PathBuf;

use super::lifecycle::KeyStatus;
use crate::crypto::{KeyId, Purpose};
use crate::error::round_trip::StoreError;
use crate::error::{Coded, Exit};
use crate::trust::Untrusted;

/// Why a key cannot be used, made or stored.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key file is a symbolic link.
    #[error("key file {path} is a symbolic link")]
    FileIsLink {
        /// The file.
        path: PathBuf,
    },
    /// The key file is a directory, a pipe or a device.
    #[error("key file {path} is not a regular file")]
    FileNotRegular {
        /// The file.
        path: PathBuf,
    },
    /// Users other than the owner may read or write the key file.
    #[error("key file {path} has mode {mode:04o}, wider than 0600")]
    FileMode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file belongs to another user.
    #[error("key file {path} is owned by user {owner}, this program runs as {user}")]
    FileOwner {
        /// The file.
        path: PathBuf,
        /// User id of the file.
        owner: u32,
        /// Effective user id of the process.
        user: u32,
    },
    /// Another user could have changed the key command's program, or exchanged the key file.
    #[error("{what} is not trusted: {found}")]
    Untrusted {
        /// `key command pass`, `key file /etc/phiseal/wrapping.key`.
        what: String,
        /// How another user could have done it.
        found: Untrusted,
    },
    /// The key file is missing or cannot be opened or read.
    #[error("key file {path} cannot be read")]
    FileUnreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A new wrapping key would overwrite an existing file.
    #[error("{path} exists, a wrapping key is never written over a file")]
    FileExists {
        /// The file.
        path: PathBuf,
    },
    /// A new wrapping key could not be written durably.
    #[error("the wrapping key could not be written to {path}")]
    FileNotWritten {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The key line does not decode to 32 bytes.
    #[error("the wrapping key from {origin} is not 32 bytes long")]
    LineLength {
        /// Where the line came from.
        origin: String,
    },
    /// The key line does not begin with the prefix, or is not strict base64.
    #[error("{origin} holds no wrapping key line")]
    LineForm {
        /// Where the line came from.
        origin: String,
    },
    /// The environment variable is not set.
    #[error("environment variable {name} is not set")]
    EnvMissing {
        /// The variable.
        name: String,
    },
    /// The environment variable is set but empty.
    #[error("environment variable {name} is empty")]
    EnvEmpty {
        /// The variable.
        name: String,
    },
    /// The key command has no program.
    #[error("the key command is empty")]
    CommandEmpty,
    /// The key command could not be started.
    #[error("key command {program} could not be started")]
    CommandNotStarted {
        /// The program, without its arguments.
        program: String,
        /// The cause.
        source: io::Error,
    },
    /// The key command ended with a failure each time it was tried.
    #[error("key command {program} failed ({status}), {attempts} attempts")]
    CommandFailed {
        /// The program, without its arguments.
        program: String,
        /// `exit status: 1`, `signal: 9 (SIGKILL)`.
        status: String,
        /// How many times it was tried.
        attempts: u32,
    },
    /// The key command did not end in time, each time it was tried.
    #[error("key command {program} did not end within {timeout_seconds} s, {attempts} attempts")]
    CommandTimeout {
        /// The program, without its arguments.
        program: String,
        /// How long each attempt could take.
        timeout_seconds: u64,
        /// How many times it was tried.
        attempts: u32,
    },
    /// The key command printed more bytes than a key line can have.
    #[error("key command {program} printed more than a key line")]
    CommandTooMuch {
        /// The program, without its arguments.
        program: String,
    },
    /// A provider that is reached over a network did not answer, after all retries.
    #[error("the key provider {reference} does not answer")]
    ProviderUnavailable {
        /// Its reference.
        reference: String,
    },
    /// The key is wrapped under a wrapping key other than the loaded one.
    #[error("key {key_id} is wrapped under {stored}, the wrapping key given is {given}")]
    WrongWrappingKey {
        /// The key.
        key_id: KeyId,
        /// `kek_ref` of its record.
        stored: String,
        /// The reference of the provider.
        given: String,
    },
    /// The wrapped key is damaged, or belongs to another key id, purpose or tenant.
    #[error("key {key_id} does not unwrap")]
    DoesNotUnwrap {
        /// The key.
        key_id: KeyId,
    },
    /// The key unwraps, but its check value differs from the stored one.
    #[error("key {key_id} does not have the check value that is stored with it")]
    CheckValueDiffers {
        /// The key.
        key_id: KeyId,
    },
    /// A key that is not destroyed has no wrapped key stored.
    #[error("key {key_id} has no wrapped key stored")]
    WrappedKeyMissing {
        /// The key.
        key_id: KeyId,
    },
    /// The operating system gave no random bytes for a new key.
    #[error("the operating system gave no random bytes")]
    NoRandomness,
    /// The provider could not wrap a new key.
    #[error("key {key_id} could not be wrapped")]
    NotWrapped {
        /// The key.
        key_id: KeyId,
    },
    /// No record has this id.
    #[error("there is no key {key_id}")]
    Unknown {
        /// The id asked for.
        key_id: KeyId,
    },
    /// The key is destroyed.
    #[error("key {key_id} is destroyed")]
    Destroyed {
        /// The key.
        key_id: KeyId,
    },
    /// The key was never activated.
    #[error("key {key_id} was never activated")]
    NeverActivated {
        /// The key.
        key_id: KeyId,
    },
    /// The key's state does not allow it to seal.
    #[error("key {key_id} is {status}, it may not seal")]
    MayNotSeal {
        /// The key.
        key_id: KeyId,
        /// Its state.
        status: KeyStatus,
    },
    /// The key belongs to another tenant.
    #[error("key {key_id} belongs to another tenant")]
    OtherTenant {
        /// The key.
        key_id: KeyId,
    },
    /// The key has the other purpose.
    #[error("key {key_id} has purpose {purpose}, which does not fit", purpose = purpose.as_str())]
    OtherPurpose {
        /// The key.
        key_id: KeyId,
        /// The purpose it has.
        purpose: Purpose,
    },
    /// There is no active key to seal under.
    #[error("there is no active {purpose} key for this tenant", purpose = purpose.as_str())]
    NoneActive {
        /// The purpose asked for.
        purpose: Purpose,
    },
    /// A tenant already has an active key of this purpose.
    #[error("a {purpose} key is active already", purpose = purpose.as_str())]
    AlreadyActive {
        /// The purpose asked for.
        purpose: Purpose,
    },
    /// The key that was read back after the insert is not the key that was made.
    #[error("key {key_id} was stored, but what was read back is another key; it was not activated")]
    ReadBackDiffers {
        /// The key.
        key_id: KeyId,
    },
    /// The key is missing after the insert, or lacks its wrapped key.
    #[error("key {key_id} was stored, but could not be read back; it was not activated")]
    ReadBackMissing {
        /// The key.
        key_id: KeyId,
    },
    /// The server reported that the key was activated, but it is not active.
    #[error("key {key_id} was to be activated, but is not active")]
    NotActivated {
        /// The key.
        key_id: KeyId,
    },
    /// Every random id that was tried is taken.
    #[error("no free key id was found in {attempts} attempts")]
    NoFreeId {
        /// How many times it was tried.
        attempts: u32,
    },
    /// An unfinished rewrap moves keys to another wrapping key.
    #[error("an unfinished rewrap goes to wrapping key {to}")]
    RewrapOpen {
        /// The reference of that wrapping key.
        to: String,
    },
    /// The key's state cannot change to the one asked for.
    #[error("key {key_id} is {from}, and does not become {to}")]
    NoSuchMove {
        /// The key.
        key_id: KeyId,
        /// The state it is in.
        from: KeyStatus,
        /// The state that was asked for.
        to: KeyStatus,
    },
    /// Values are still sealed under a key that is to be destroyed.
    #[error("{values} values are still sealed under key {key_id}: {places}")]
    StillUsed {
        /// The key.
        key_id: KeyId,
        /// How many values.
        values: u64,
        /// Where they are, by table and column.
        places: String,
    },
    /// Part of the database cannot be read, so it is unknown whether values are sealed in it.
    #[error("not all of the database can be searched for values under key {key_id}: {places}")]
    NotSearched {
        /// The key.
        key_id: KeyId,
        /// What cannot be read, and why.
        places: String,
    },
    /// A key is suspended. No new key is made beside it until the operator has decided what to do
    /// with the suspended one.
    #[error("key {key_id} is suspended: no new key is made beside it")]
    SuspendedStands {
        /// The suspended key.
        key_id: KeyId,
    },
    /// Another key is active in place of a suspended one.
    #[error("key {key_id} is not resumed: key {active} is active in its place")]
    OtherActive {
        /// The suspended key.
        key_id: KeyId,
        /// The active one.
        active: KeyId,
    },
    /// A compromised key is out of use, but no key could be made to replace it.
    #[error(
        "key {key_id} is compromised and seals nothing any more, but no key takes its place: {why}"
    )]
    NoReplacement {
        /// The compromised key.
        key_id: KeyId,
        /// Why no key could be made.
        why: String,
    },
    /// A rotation from or to the key is unfinished.
    #[error("a rotation of key {key_id} is unfinished")]
    RotationOpen {
        /// The key.
        key_id: KeyId,
    },
    /// The tenant has no key that is not destroyed.
    #[error("there is no key of this tenant that is not destroyed")]
    NoneOfTenant,
    /// The key table could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Coded for KeyError {
    fn code(&self) -> &'static str {
        match self {
            Self::FileIsLink { .. } => "E0401",
            Self::FileNotRegular { .. } => "E0402",
            Self::FileMode { .. } => "E0403",
            Self::FileOwner { .. } => "E0404",
            Self::Untrusted { .. } => "E0119",
            Self::FileUnreadable { .. } => "E0405",
            Self::FileExists { .. } => "E0406",
            Self::FileNotWritten { .. } => "E0407",
            Self::LineLength { .. } => "E0408",
            Self::LineForm { .. } => "E0409",
            Self::EnvMissing { .. } => "E0410",
            Self::EnvEmpty { .. } => "E0411",
            Self::CommandEmpty => "E0412",
            Self::CommandNotStarted { .. } => "E0413",
            Self::CommandFailed { .. } => "E0414",
            Self::CommandTimeout { .. } => "E0415",
            Self::CommandTooMuch { .. } => "E0416",
            Self::ProviderUnavailable { .. } => "E0417",
            // E0420 is an error of the store: a key of a batch is no longer active.
            Self::WrongWrappingKey { .. } => "E0421",
            Self::DoesNotUnwrap { .. } => "E0422",
            Self::CheckValueDiffers { .. } => "E0423",
            Self::WrappedKeyMissing { .. } => "E0424",
            Self::NoRandomness => "E0425",
            Self::NotWrapped { .. } => "E0426",
            Self::Unknown { .. } => "E0427",
            Self::Destroyed { .. } => "E0428",
            Self::NeverActivated { .. } => "E0429",
            Self::MayNotSeal { .. } => "E0430",
            Self::OtherTenant { .. } => "E0431",
            Self::OtherPurpose { .. } => "E0432",
            Self::NoneActive { .. } => "E0433",
            Self::AlreadyActive { .. } => "E0434",
            Self::ReadBackDiffers { .. } => "E0435",
            Self::ReadBackMissing { .. } => "E0436",
            Self::NotActivated { .. } => "E0437",
            Self::NoFreeId { .. } => "E0438",
            Self::RewrapOpen { .. } => "E0439",
            Self::NoSuchMove { .. } => "E0440",
            Self::StillUsed { .. } => "E0441",
            Self::RotationOpen { .. } => "E0442",
            Self::NoneOfTenant => "E0443",
            Self::NotSearched { .. } => "E0444",
            Self::SuspendedStands { .. } => "E0445",
            Self::OtherActive { .. } => "E0446",
            Self::NoReplacement { .. } => "E0447",
            Self::Store(error) => error.code(),
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Store(error) => error.hint(),
            Self::Untrusted { found, .. } => found.hint(),
            other => super::hint::of(other).to_owned(),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Store(error) => error.exit(),
            Self::Untrusted { .. } => Exit::Usage,
            _ => Exit::Keys,
        }
    }
}
