//! Sealing and opening single values, for applications.
//! Owns the choice of the key: the tenant's active key seals; the key that the envelope names
//! opens, and no other is tried. Does no I/O, but for [`KeyCache::open_value`], which may load keys.

mod error;
mod field;
mod value;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

pub use self::error::ValueError;
pub use self::field::{Field, FieldColumns};
pub use self::value::{Plaintext, Value};
use crate::crypto::{
    BlindIndexKey, ColumnKey, Envelope, IndexSpec, IntoRowKey, NonceBatch, Purpose, RowKey,
    TextError, text,
};
use crate::keys::{KEYS_AGE_MAX, Key, KeyCache, KeyError, Keyring, LoadError};

/// A request that took the keyring just before it became too old may still seal.
const STALE_GRACE: Duration = Duration::from_secs(1);

/// Seals values of one column and makes their blind indexes.
#[derive(Debug, Clone)]
pub struct Sealer {
    keyring: Arc<Keyring>,
    field: Field,
}

impl Sealer {
    /// A sealer for a column, with the active keys of a keyring. [`KeyCache::sealer`] makes one, too.
    #[must_use]
    pub const fn new(keyring: Arc<Keyring>, field: Field) -> Self {
        Self { keyring, field }
    }

    /// Seals a value of one row into an envelope. `tenant` is empty if the table has none; `row` is the
    /// value of its key column, or the key columns in the order recorded at registration.
    ///
    /// # Errors
    /// [`ValueError::Key`] if the tenant has no key that may seal, [`ValueError::StaleKeys`],
    /// [`ValueError::RowKey`], [`ValueError::Form`], [`ValueError::NoRandomness`],
    /// [`ValueError::TooLong`].
    pub fn seal<'v>(
        &self,
        tenant: &str,
        row: impl IntoRowKey,
        value: impl Into<Value<'v>>,
    ) -> Result<Vec<u8>, ValueError> {
        let row_key = row.into_row_key()?;
        value
            .into()
            .with_bytes(|plain| self.seal_bytes(tenant, &row_key, plain))
    }

    /// As [`seal`](Self::seal), but in the text form `ps1.…` for a text column.
    ///
    /// # Errors
    /// As [`seal`](Self::seal).
    pub fn seal_text<'v>(
        &self,
        tenant: &str,
        row: impl IntoRowKey,
        value: impl Into<Value<'v>>,
    ) -> Result<String, ValueError> {
        Ok(text::encode(&self.seal(tenant, row, value)?))
    }

    fn seal_bytes(
        &self,
        tenant: &str,
        row_key: &RowKey,
        plain: &[u8],
    ) -> Result<Vec<u8>, ValueError> {
        self.field.check(plain)?;
        self.refuse_stale()?;
        let sealing = self.keyring.sealing(tenant, Purpose::Cell)?;
        let context = self.field.context(tenant);
        let column_key = ColumnKey::derive(sealing.key_id(), sealing.data_key(), &context);
        let nonce = NonceBatch::draw(1)?
            .next()
            .ok_or(ValueError::NoRandomness)?;
        let mut sealed = Vec::new();
        column_key
            .seal(row_key, nonce, plain, self.field.pad_to, &mut sealed)
            .map_err(|_| ValueError::TooLong)?;
        Ok(sealed)
    }

    /// The blind index of a value, to store beside it. `None`, to store as NULL, if the value normalises
    /// to an empty text. To search, use [`lookups`](Self::lookups).
    ///
    /// # Errors
    /// [`ValueError::NoBlindIndex`] if the field has none, [`ValueError::StaleKeys`],
    /// [`ValueError::Key`] if the tenant has no active blind index key.
    pub fn blind_index<'v>(
        &self,
        tenant: &str,
        value: impl Into<Value<'v>>,
    ) -> Result<Option<Vec<u8>>, ValueError> {
        let spec = self.field.blind_index.ok_or(ValueError::NoBlindIndex)?;
        self.refuse_stale()?;
        let key = self.keyring.sealing(tenant, Purpose::BlindIndex)?;
        Ok(self.index_under(&key, spec, tenant, value.into()))
    }

    /// Every blind index that a row with this value may carry now, that of the newest key first. If
    /// you look a value up by all of them (`WHERE ssn_bidx = ANY ($1)`), no lookup fails during a
    /// rotation of the blind index key. Empty if the value normalises to an empty text.
    ///
    /// # Errors
    /// [`ValueError::NoBlindIndex`]; [`ValueError::Key`] if the tenant has no blind index key.
    pub fn lookups<'v>(
        &self,
        tenant: &str,
        value: impl Into<Value<'v>>,
    ) -> Result<Vec<Vec<u8>>, ValueError> {
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
        let value = value.into();
        let indexes = own
            .iter()
            .filter_map(|key| self.index_under(key, spec, tenant, value));
        Ok(indexes.collect())
    }

    /// The index of a value. Bytes that are not UTF-8 have none, as in a backfill.
    fn index_under(
        &self,
        key: &Key,
        spec: IndexSpec,
        tenant: &str,
        value: Value<'_>,
    ) -> Option<Vec<u8>> {
        let context = self.field.context(tenant);
        let derived = BlindIndexKey::derive(key.key_id(), key.data_key(), &context);
        value.with_bytes(|plain| derived.index(spec, std::str::from_utf8(plain).ok()?))
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

/// Opens values of one column. Needs no async runtime.
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

    /// Opens a sealed value for the tenant and the row that it was sealed for: an envelope, or the bytes
    /// of its text form `ps1.…`. Tenant and row are given as to [`Sealer::seal`].
    ///
    /// # Errors
    /// [`ValueError::Envelope`] or [`ValueError::Text`] if it is not a sealed value, [`ValueError::Key`]
    /// if the key it names cannot open or belongs to another tenant, [`ValueError::DoesNotOpen`], and
    /// [`ValueError::RowKey`].
    pub fn open(
        &self,
        tenant: &str,
        row: impl IntoRowKey,
        sealed: &[u8],
    ) -> Result<Plaintext, ValueError> {
        let row_key = row.into_row_key()?;
        let bytes = binary(sealed)?;
        let envelope = Envelope::parse(&bytes)?;
        let opening = self.keyring.openable(envelope.key_id())?;
        open_under(&self.field, &opening, tenant, &row_key, &envelope)
    }
}

impl KeyCache {
    /// A sealer for a column under the present keys. Ask for one for each request: it seals nothing once
    /// its keys are over a minute old.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn sealer(&self, field: &Field) -> Result<Sealer, LoadError> {
        Ok(Sealer::new(self.keyring().await?, field.clone()))
    }

    /// Opens a value of a column as [`Opener::open`] does. If the key is not known, loads the keys again
    /// once, so that a reader continues during a rotation.
    ///
    /// # Errors
    /// As [`Opener::open`]; [`ValueError::Load`] if the keys cannot be loaded.
    pub async fn open_value(
        &self,
        field: &Field,
        tenant: &str,
        row: impl IntoRowKey,
        sealed: &[u8],
    ) -> Result<Plaintext, ValueError> {
        let row_key = row.into_row_key()?;
        let bytes = binary(sealed)?;
        let envelope = Envelope::parse(&bytes)?;
        let opening = match self.openable(envelope.key_id()).await {
            Ok(opening) => opening,
            Err(LoadError::Key(error)) => return Err(error.into()),
            Err(error) => return Err(error.into()),
        };
        open_under(field, &opening, tenant, &row_key, &envelope)
    }
}

/// The envelope of a sealed value in either form.
fn binary(sealed: &[u8]) -> Result<Cow<'_, [u8]>, TextError> {
    match std::str::from_utf8(sealed) {
        Ok(sealed) if sealed.starts_with(text::PREFIX) => text::decode(sealed).map(Cow::Owned),
        _ => Ok(Cow::Borrowed(sealed)),
    }
}

/// Opens an envelope under the key that it names.
fn open_under(
    field: &Field,
    opening: &Key,
    tenant: &str,
    row_key: &RowKey,
    envelope: &Envelope<'_>,
) -> Result<Plaintext, ValueError> {
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
        .map(Plaintext::new)
        .map_err(|_| ValueError::DoesNotOpen { key_id })
}

#[cfg(feature = "store")]
#[cfg(test)]
mod tests;
