//! Sealing and opening single values, for applications.
//! Owns the choice of the key: the tenant's active key seals; the key that the envelope names
//! opens, and no other is tried. Does no I/O.
//! Errors are distinguished by what a caller can do about them; none holds a value or a row key.

use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::crypto::{
    BlindIndexKey, ColumnKey, Context, Envelope, EnvelopeError, IndexSpec, KeyId, KeyPart,
    NonceBatch, Purpose, RandomError, RowKey, RowKeyError, TextError, text,
};
use crate::error::coded;
use crate::keys::{KEYS_AGE_MAX, Key, KeyCache, KeyError, Keyring, LoadError};

/// A request that took the keyring just before it became too old may still seal.
const STALE_GRACE: Duration = Duration::from_secs(1);

/// A column, as it is registered in `encrypted_field_metadata`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    table_label: String,
    column_label: String,
    pad_to: u32,
    blind_index: Option<IndexSpec>,
}

impl Field {
    /// A column by the labels recorded at registration, without padding or blind index.
    pub fn new(table_label: impl Into<String>, column_label: impl Into<String>) -> Self {
        Self {
            table_label: table_label.into(),
            column_label: column_label.into(),
            pad_to: 0,
            blind_index: None,
        }
    }

    /// Pads values to a multiple of this many bytes before they are sealed; 0 means no padding.
    #[must_use]
    pub const fn pad_to(mut self, bytes: u32) -> Self {
        self.pad_to = bytes;
        self
    }

    /// Gives the column a blind index.
    #[must_use]
    pub const fn blind_index(mut self, spec: IndexSpec) -> Self {
        self.blind_index = Some(spec);
        self
    }

    fn context(&self, tenant: &str) -> Context {
        Context::new(tenant, &self.table_label, &self.column_label)
    }
}

/// Seals values of one column and makes their blind indexes.
#[derive(Debug, Clone)]
pub struct Sealer {
    keyring: Arc<Keyring>,
    field: Field,
}

impl Sealer {
    /// A sealer for a column, with the active keys of a keyring.
    #[must_use]
    pub const fn new(keyring: Arc<Keyring>, field: Field) -> Self {
        Self { keyring, field }
    }

    /// Seals a value of one row into an envelope. `tenant` is empty if the table has none; `key`
    /// holds the row's key columns in the order recorded at registration.
    ///
    /// # Errors
    /// [`ValueError::Key`] if the tenant has no key that may seal, [`ValueError::StaleKeys`],
    /// [`ValueError::RowKey`], [`ValueError::NoRandomness`], [`ValueError::TooLong`].
    pub fn seal(
        &self,
        tenant: &str,
        key: &[KeyPart],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, ValueError> {
        let row_key = RowKey::encode(key)?;
        self.refuse_stale()?;
        let sealing = self.keyring.sealing(tenant, Purpose::Cell)?;
        let context = self.field.context(tenant);
        let column_key = ColumnKey::derive(sealing.key_id(), sealing.data_key(), &context);
        let nonce = NonceBatch::draw(1)?
            .next()
            .ok_or(ValueError::NoRandomness)?;
        let mut sealed = Vec::new();
        column_key
            .seal(&row_key, nonce, plaintext, self.field.pad_to, &mut sealed)
            .map_err(|_| ValueError::TooLong)?;
        Ok(sealed)
    }

    /// As [`seal`](Self::seal), but in the text form `ps1.…` for a text column.
    ///
    /// # Errors
    /// As [`seal`](Self::seal).
    pub fn seal_text(
        &self,
        tenant: &str,
        key: &[KeyPart],
        plaintext: &[u8],
    ) -> Result<String, ValueError> {
        Ok(text::encode(&self.seal(tenant, key, plaintext)?))
    }

    /// The blind index of a value, to store beside it or to search by. `None`, to store as NULL, if
    /// the value normalises to an empty text.
    ///
    /// # Errors
    /// [`ValueError::NoBlindIndex`] if the field has none, [`ValueError::StaleKeys`],
    /// [`ValueError::Key`] if the tenant has no active blind index key.
    pub fn blind_index(&self, tenant: &str, value: &str) -> Result<Option<Vec<u8>>, ValueError> {
        let spec = self.field.blind_index.ok_or(ValueError::NoBlindIndex)?;
        self.refuse_stale()?;
        let key = self.keyring.sealing(tenant, Purpose::BlindIndex)?;
        Ok(self.index_under(&key, spec, tenant, value))
    }

    /// Every blind index that a row with this value may carry now, that of the newest key first. If
    /// you look a value up by all of them (`WHERE ssn_bidx = ANY ($1)`), no lookup fails during a
    /// rotation of the blind index key. Empty if the value normalises to an empty text.
    ///
    /// # Errors
    /// [`ValueError::NoBlindIndex`]; [`ValueError::Key`] if the tenant has no blind index key.
    pub fn lookups(&self, tenant: &str, value: &str) -> Result<Vec<Vec<u8>>, ValueError> {
        let spec = self.field.blind_index.ok_or(ValueError::NoBlindIndex)?;
        let keys = self.keyring.snapshot();
        let mut own: Vec<&Arc<Key>> = keys
            .loaded()
            .filter(|key| key.tenant() == tenant && key.purpose() == Purpose::BlindIndex)
            .collect();
        if own.is_empty() {
            keys.sealing(tenant, Purpose::BlindIndex)?;
        }
        own.sort_by_key(|key| std::cmp::Reverse(key.version()));
        let indexes = own
            .iter()
            .filter_map(|key| self.index_under(key, spec, tenant, value));
        Ok(indexes.collect())
    }

    fn index_under(
        &self,
        key: &Key,
        spec: IndexSpec,
        tenant: &str,
        value: &str,
    ) -> Option<Vec<u8>> {
        let context = self.field.context(tenant);
        BlindIndexKey::derive(key.key_id(), key.data_key(), &context).index(spec, value)
    }

    /// Refuses to seal with keys that were loaded too long ago, so that no application seals under
    /// a superseded key long after a rotation.
    fn refuse_stale(&self) -> Result<(), ValueError> {
        if self.keyring.age() > KEYS_AGE_MAX + STALE_GRACE {
            return Err(ValueError::StaleKeys);
        }
        Ok(())
    }
}

/// Opens values of one column.
#[derive(Debug, Clone)]
pub struct Opener {
    keyring: Arc<Keyring>,
    field: Field,
}

impl Opener {
    /// An opener for a column, with every key of a keyring that may open.
    #[must_use]
    pub const fn new(keyring: Arc<Keyring>, field: Field) -> Self {
        Self { keyring, field }
    }

    /// Opens an envelope for the tenant and the row that it was sealed for. The plaintext is wiped
    /// when it is dropped.
    ///
    /// # Errors
    /// [`ValueError::Envelope`] if the bytes are not an envelope, [`ValueError::Key`] if the key it
    /// names cannot open or belongs to another tenant, [`ValueError::DoesNotOpen`], and
    /// [`ValueError::RowKey`].
    pub fn open(
        &self,
        tenant: &str,
        key: &[KeyPart],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, ValueError> {
        let row_key = RowKey::encode(key)?;
        let envelope = Envelope::parse(sealed)?;
        let opening = self.keyring.openable(envelope.key_id())?;
        open_under(&self.field, &opening, tenant, &row_key, &envelope)
    }

    /// As [`open`](Self::open), from the text form `ps1.…`.
    ///
    /// # Errors
    /// [`ValueError::Text`] if the text is not a sealed text; else as [`open`](Self::open).
    pub fn open_text(
        &self,
        tenant: &str,
        key: &[KeyPart],
        sealed: &str,
    ) -> Result<Zeroizing<Vec<u8>>, ValueError> {
        self.open(tenant, key, &text::decode(sealed)?)
    }
}

impl KeyCache {
    /// Opens a value of a column, for the tenant and the row that it was sealed for. If the key is
    /// not known, loads the keys again once, so that a reader continues during a rotation.
    ///
    /// # Errors
    /// As [`Opener::open`]; [`ValueError::Load`] if the keys cannot be loaded.
    pub async fn open_value(
        &self,
        field: &Field,
        tenant: &str,
        key: &[KeyPart],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, ValueError> {
        let row_key = RowKey::encode(key)?;
        let envelope = Envelope::parse(sealed)?;
        let opening = match self.openable(envelope.key_id()).await {
            Ok(opening) => opening,
            Err(LoadError::Key(error)) => return Err(error.into()),
            Err(error) => return Err(error.into()),
        };
        open_under(field, &opening, tenant, &row_key, &envelope)
    }

    /// As [`open_value`](Self::open_value), from the text form `ps1.…`.
    ///
    /// # Errors
    /// [`ValueError::Text`] if the text is not a sealed text; else as
    /// [`open_value`](Self::open_value).
    pub async fn open_text(
        &self,
        field: &Field,
        tenant: &str,
        key: &[KeyPart],
        sealed: &str,
    ) -> Result<Zeroizing<Vec<u8>>, ValueError> {
        let sealed = text::decode(sealed)?;
        self.open_value(field, tenant, key, &sealed).await
    }
}

/// Opens an envelope under the key that it names.
fn open_under(
    field: &Field,
    opening: &Key,
    tenant: &str,
    row_key: &RowKey,
    envelope: &Envelope<'_>,
) -> Result<Zeroizing<Vec<u8>>, ValueError> {
    let key_id = envelope.key_id();
    if opening.purpose() != Purpose::Cell {
        let purpose = opening.purpose();
        return Err(KeyError::OtherPurpose { key_id, purpose }.into());
    }
    if opening.tenant() != tenant {
        return Err(KeyError::OtherTenant { key_id }.into());
    }
    let context = field.context(tenant);
    ColumnKey::derive(key_id, opening.data_key(), &context)
        .open(row_key, envelope)
        .map_err(|_| ValueError::DoesNotOpen { key_id })
}

coded! {
    /// Why a value cannot be sealed, opened or indexed.
    #[derive(Debug, thiserror::Error)]
    pub enum ValueError, exit: Usage {
        /// There is no key that may do it.
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
    }
}

impl From<RandomError> for ValueError {
    fn from(_: RandomError) -> Self {
        Self::NoRandomness
    }
}

#[cfg(test)]
mod tests;
