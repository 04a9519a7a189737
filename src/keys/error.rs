//! Errors of keys: why one cannot be had, and what to do about it.
//! Owns the codes E0401 to E0449, and E0119 for what is not trusted. Names key ids, references, paths and modes; never a key, a key
//! line, a tenant or what a command printed.

use std::io;
use std::path::PathBuf;

use super::lifecycle::KeyStatus;
use crate::crypto::{KeyId, Purpose};
use crate::error::round_trip::StoreError;
use crate::error::{Coded, Exit};
use crate::trust::Untrusted;

/// Why a key cannot be used, made or kept.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key file is a symbolic link.
    #[error("key file {path} is a symbolic link")]
    FileIsLink {
        /// The file.
        path: PathBuf,
    },
    /// The key file is a directory, a pipe, a device.
    #[error("key file {path} is not a regular file")]
    FileNotRegular {
        /// The file.
        path: PathBuf,
    },
    /// Others than the owner may read or write the key file.
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
    /// Others could have changed the key command's program, or put another key file in the place
    /// of this one.
    #[error("{what} is not trusted: {found}")]
    Untrusted {
        /// `key command pass`, `key file /etc/phiseal/wrapping.key`.
        what: String,
        /// How they could.
        found: Untrusted,
    },
    /// The key file is missing or cannot be opened or read.
    #[error("key file {path} cannot be read")]
    FileUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A new wrapping key would overwrite a file.
    #[error("{path} exists, a wrapping key is never written over a file")]
    FileExists {
        /// The file.
        path: PathBuf,
    },
    /// A new wrapping key could not be made durable.
    #[error("the wrapping key could not be written to {path}")]
    FileNotWritten {
        /// The file.
        path: PathBuf,
        /// Why.
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
    /// The environment variable is set to nothing.
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
        /// Why.
        source: io::Error,
    },
    /// The key command ended with a failure each time it was tried.
    #[error("key command {program} failed ({status}), {attempts} attempts")]
    CommandFailed {
        /// The program, without its arguments.
        program: String,
        /// `exit status: 1`, `signal: 9 (SIGKILL)`.
        status: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// The key command did not end in time, each time it was tried.
    #[error("key command {program} did not end within {timeout_seconds} s, {attempts} attempts")]
    CommandTimeout {
        /// The program, without its arguments.
        program: String,
        /// How long each attempt was given.
        timeout_seconds: u64,
        /// How often it was tried.
        attempts: u32,
    },
    /// The key command printed more than a key line.
    #[error("key command {program} printed more than a key line")]
    CommandTooMuch {
        /// The program, without its arguments.
        program: String,
    },
    /// A provider that is asked over a network gave no answer after all its retries.
    #[error("the key provider {reference} does not answer")]
    ProviderUnavailable {
        /// Its reference.
        reference: String,
    },
    /// The key is wrapped under another wrapping key than the one that was loaded.
    #[error("key {key_id} is wrapped under {stored}, the wrapping key given is {given}")]
    WrongWrappingKey {
        /// The key.
        key_id: KeyId,
        /// `kek_ref` of its record.
        stored: String,
        /// Reference of the provider.
        given: String,
    },
    /// The wrapped key is damaged, or belongs to another key id, purpose or tenant.
    #[error("key {key_id} does not unwrap")]
    DoesNotUnwrap {
        /// The key.
        key_id: KeyId,
    },
    /// The key unwraps, but its check value is not the stored one.
    #[error("key {key_id} does not have the check value that is stored with it")]
    CheckValueDiffers {
        /// The key.
        key_id: KeyId,
    },
    /// A key that is not destroyed has no wrapped key.
    #[error("key {key_id} has no wrapped key stored")]
    WrappedKeyMissing {
        /// The key.
        key_id: KeyId,
    },
    /// The generator failed to give bytes for a new key.
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
    /// The key is another tenant's.
    #[error("key {key_id} belongs to another tenant")]
    OtherTenant {
        /// The key.
        key_id: KeyId,
    },
    /// The key is of the other purpose.
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
    /// The key read back after the insert is not the one that was made.
    #[error("key {key_id} was stored, but what was read back is another key; it was not activated")]
    ReadBackDiffers {
        /// The key.
        key_id: KeyId,
    },
    /// The key read back after the insert is not there, or without its wrapped key.
    #[error("key {key_id} was stored, but could not be read back; it was not activated")]
    ReadBackMissing {
        /// The key.
        key_id: KeyId,
    },
    /// The server says it activated the key, and yet it is not active.
    #[error("key {key_id} was to be activated, but is not active")]
    NotActivated {
        /// The key.
        key_id: KeyId,
    },
    /// Every random id tried was refused as taken.
    #[error("no free key id was found in {attempts} attempts")]
    NoFreeId {
        /// How often it was tried.
        attempts: u32,
    },
    /// A rewrap to another wrapping key is unfinished.
    #[error("an unfinished rewrap goes to wrapping key {to}")]
    RewrapOpen {
        /// The reference of that wrapping key.
        to: String,
    },
    /// The key does not go from the state it is in to that one.
    #[error("key {key_id} is {from}, and does not become {to}")]
    NoSuchMove {
        /// The key.
        key_id: KeyId,
        /// The state it is in.
        from: KeyStatus,
        /// The state that was asked for.
        to: KeyStatus,
    },
    /// Something is still sealed under a key that is to be destroyed.
    #[error("{values} values are still sealed under key {key_id}: {places}")]
    StillUsed {
        /// The key.
        key_id: KeyId,
        /// How many.
        values: u64,
        /// Where, by table and column.
        places: String,
    },
    /// Something in the database cannot be read in full, so nobody knows what is sealed in it.
    #[error("not all of the database can be searched for values under key {key_id}: {places}")]
    NotSearched {
        /// The key.
        key_id: KeyId,
        /// What cannot be read, and why.
        places: String,
    },
    /// A key was set aside, and a new one beside it would settle what somebody wanted to look into.
    #[error("key {key_id} is suspended: no new key is made beside it")]
    SuspendedStands {
        /// The suspended key.
        key_id: KeyId,
    },
    /// Another key took the place of a suspended one.
    #[error("key {key_id} is not resumed: key {active} is active in its place")]
    OtherActive {
        /// The suspended key.
        key_id: KeyId,
        /// The active one.
        active: KeyId,
    },
    /// A compromised key is out of use, and no other could be made to take its place.
    #[error(
        "key {key_id} is compromised and seals nothing any more, but no key takes its place: {why}"
    )]
    NoReplacement {
        /// The compromised key.
        key_id: KeyId,
        /// Why not.
        why: String,
    },
    /// A rotation from or to the key is unfinished.
    #[error("a rotation of key {key_id} is unfinished")]
    RotationOpen {
        /// The key.
        key_id: KeyId,
    },
    /// There is no key of that tenant.
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
            // E0420 is the store's: a key of a batch is no longer active.
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
