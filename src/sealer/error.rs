//! Errors of single values, distinguished by what a caller can do about them. None holds a value or a
//! row key.

use crate::crypto::{EnvelopeError, KeyId, RandomError, RowKeyError, TextError, WrongForm};
use crate::error::coded;
use crate::keys::{KEYS_AGE_MAX, KeyError, LoadError};

coded! {
    /// Why a value cannot be sealed, opened or indexed. Its code, its message and what to do about it are
    /// those of [`Coded`](crate::error::Coded).
    #[derive(Debug, thiserror::Error)]
    pub enum ValueError, exit: Usage {
        /// There is no key that may do it: of sealing for a tenant without keys,
        /// [`KeyError::NoneActive`].
        Key(#[from] error: KeyError) = error(transparent);
        /// The row's key has no single form.
        RowKey(#[from] error: RowKeyError) = "E0320"(transparent),
            hint: "give the key columns as they were registered, in that order";
        /// The keys cannot be loaded again.
        Load(#[from] error: LoadError) = error(transparent);
        /// The bytes are not an envelope.
        Envelope(#[from] error: EnvelopeError) = "E0321"(transparent), exit: Unverified,
            hint: "the column holds something else than sealed values; run `phiseal verify`";
        /// The text is not a sealed text.
        Text(#[from] error: TextError) = "E0322"(transparent), exit: Unverified,
            hint: "the column holds something else than sealed values; run `phiseal verify`";
        /// The key exists, but the value was sealed for another row or column, or was changed.
        DoesNotOpen {
            /// The key that the envelope names.
            key_id: KeyId,
        } = "E0323"("the value does not open under key {key_id}"), exit: Unverified,
            hint: "check the row's key, the labels and the tenant; run `phiseal verify`";
        /// The field has no blind index.
        NoBlindIndex = "E0324"("the field has no blind index"),
            hint: "give the field the blind index that it is registered with";
        /// The keys were loaded more than a minute ago.
        StaleKeys = "E0327"("the keys were loaded more than {} s ago", KEYS_AGE_MAX.as_secs()), exit: Keys,
            hint: "take the keyring from a KeyCache before each value: it loads the keys again in time";
        /// The operating system's random generator failed.
        NoRandomness = "E0325"("the operating system gave no random bytes"), exit: Bug,
            hint: "look at the system's log; nothing was sealed";
        /// The value is too long to seal.
        TooLong = "E0326"("the value is too long to seal"),
            hint: "store the value in parts; AES-GCM seals less than 64 GiB";
        /// The opened value is of another type than it was asked for.
        NotOfType {
            /// The type.
            what: &'static str,
        } = "E0330"("the opened value is not {what}"), exit: Unverified,
            hint: "the column's type is in encrypted_field_metadata.source_type; `Plaintext::text` reads any but bytea";
        /// The value to be sealed has not the form of its column's type.
        Form(#[from] error: WrongForm) = "E0331"(transparent),
            hint: "write it as the server does (docs/FORMAT.md, \"The plaintext\"); nothing was sealed";
    }
}

impl From<RandomError> for ValueError {
    fn from(_: RandomError) -> Self {
        Self::NoRandomness
    }
}
