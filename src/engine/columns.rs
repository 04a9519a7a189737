//! The derived keys of a table's columns, kept for the length of a run. Owns the derivation of one
//! column's key from a row's tenant or an envelope's key id, and the sealing and opening of one
//! value. Does not own keys or rows. A derivation costs two HMACs, a lookup two hashes.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use zeroize::Zeroizing;

use crate::crypto::envelope::{MAGIC, Suite, named_key};
use crate::crypto::{
    BlindIndexKey, ColumnKey, Context, Envelope, IndexSpec, KeyId, Nonce, Purpose, RowKey, text,
};
use crate::keys::{Key, KeyError, KeySet};

/// How to seal one field, apart from its key.
#[derive(Debug, Clone)]
pub struct FieldSpec {
    /// The column's label.
    pub label: String,
    /// The padding bucket in bytes; 0 for no padding.
    pub pad_to: u32,
    /// The blind index of the field, if it has one.
    pub index: Option<IndexSpec>,
}

/// The derived keys of one table.
pub struct Columns {
    table_label: String,
    fields: Vec<FieldSpec>,
    cells: RwLock<HashMap<String, ByKey<ColumnKey>>>,
    indexes: RwLock<HashMap<String, ByKey<BlindIndexKey>>>,
}

type ByKey<T> = HashMap<(KeyId, usize), Arc<T>>;

/// One cell: what a sealed value is bound to, apart from its table.
#[derive(Clone, Copy)]
pub struct Cell<'a> {
    /// The row's tenant; empty if the table has no tenants.
    pub tenant: &'a str,
    /// The field's position in the table.
    pub field: usize,
    /// The row's key.
    pub row_key: &'a RowKey,
}

/// The column keys that were used last. Successive rows mostly need the same ones, which then need
/// no lookup. Valid for one set of keys only.
#[derive(Default)]
pub struct LastKeys {
    tenant: String,
    fields: Vec<LastColumnKeys>,
}

/// The keys of one field that were used last.
#[derive(Default)]
struct LastColumnKeys {
    sealing: Option<Arc<ColumnKey>>,
    opening: Option<Arc<ColumnKey>>,
    index: Option<Arc<BlindIndexKey>>,
}

impl LastKeys {
    /// The keys remembered for the cell's field and tenant.
    fn of(&mut self, cell: &Cell<'_>) -> &mut LastColumnKeys {
        if !same(&self.tenant, cell.tenant) {
            self.fields.clear();
            cell.tenant.clone_into(&mut self.tenant);
        }
        if self.fields.len() <= cell.field {
            self.fields
                .resize_with(cell.field + 1, LastColumnKeys::default);
        }
        &mut self.fields[cell.field]
    }
}

/// Whether two tenants are equal. Compares no bytes if both are empty, as in most tables.
pub fn same(one: &str, other: &str) -> bool {
    one.len() == other.len() && (one.is_empty() || one == other)
}

/// What the envelope of an opened value says about itself.
#[derive(Debug, Clone, Copy)]
pub struct Opened {
    /// The id of the key that it is sealed under.
    pub key_id: KeyId,
    /// The cipher suite, which also says whether the value is padded.
    pub suite: Suite,
    /// The length of its ciphertext in bytes.
    pub ciphertext_bytes: usize,
}

/// Why a sealed value did not open.
#[derive(Debug)]
pub enum Unopened {
    /// The bytes are not an envelope.
    NotSealed,
    /// The key that it names is unknown or may not open values.
    Key(KeyError),
    /// The key rejects it: the value was changed or belongs to another cell.
    Refused,
}

impl Unopened {
    /// The reason in words, for the quarantine and for reports.
    pub fn reason(&self) -> String {
        match self {
            Self::NotSealed => "the value is not in the sealed form".to_owned(),
            Self::Key(error) => error.to_string(),
            Self::Refused => {
                "the value does not open: it was changed, or belongs to another cell".to_owned()
            }
        }
    }
}

impl Columns {
    /// Creates the columns of a table, by their labels.
    pub fn new(table_label: &str, fields: Vec<FieldSpec>) -> Self {
        Self {
            table_label: table_label.to_owned(),
            fields,
            cells: RwLock::default(),
            indexes: RwLock::default(),
        }
    }

    /// The fields, in the table's order.
    pub fn fields(&self) -> &[FieldSpec] {
        &self.fields
    }

    /// Seals a value under the tenant's active key, and computes its blind index.
    ///
    /// # Errors
    /// The tenant has no key that may seal, or the value is too long for the cipher.
    pub fn seal(
        &self,
        keys: &KeySet,
        last_keys: &mut LastKeys,
        cell: Cell<'_>,
        nonce: Nonce,
        plain: &[u8],
        as_text: bool,
    ) -> Result<(Vec<u8>, Option<Vec<u8>>), KeyError> {
        let Cell {
            tenant,
            field,
            row_key,
        } = cell;
        let spec = &self.fields[field];
        let last = last_keys.of(&cell);
        let column = match &last.sealing {
            Some(column) => column,
            None => {
                let key = keys.sealing(tenant, Purpose::Cell)?;
                let column = self.cell_key(key.key_id(), key.data_key(), tenant, field);
                last.sealing.insert(column)
            }
        };
        let mut out = Vec::new();
        column
            .seal(row_key, nonce, plain, spec.pad_to, &mut out)
            .map_err(|_| KeyError::NoRandomness)?;
        let out = if as_text {
            text::encode(&out).into_bytes()
        } else {
            out
        };
        let index = match spec.index {
            None => None,
            Some(index) => {
                let key = keys.sealing(tenant, Purpose::BlindIndex)?;
                let derived = self.index_key(key.key_id(), key.data_key(), tenant, field);
                std::str::from_utf8(plain)
                    .ok()
                    .and_then(|value| derived.index(index, value))
            }
        };
        Ok((out, index))
    }

    /// Opens a sealed value in binary or text form. Tries only the key that its id names.
    ///
    /// # Errors
    /// See [`Unopened`].
    pub fn open(
        &self,
        keys: &KeySet,
        cell: Cell<'_>,
        sealed: &[u8],
    ) -> Result<(Zeroizing<Vec<u8>>, KeyId), Unopened> {
        let mut plain = Zeroizing::new(Vec::new());
        let opened = self.open_into(keys, &mut LastKeys::default(), cell, sealed, &mut plain)?;
        Ok((plain, opened.key_id))
    }

    /// Like [`Columns::open`], but opens into a buffer that is reused, and overwrites its content.
    ///
    /// # Errors
    /// See [`Unopened`].
    pub fn open_into(
        &self,
        keys: &KeySet,
        last_keys: &mut LastKeys,
        cell: Cell<'_>,
        sealed: &[u8],
        plain: &mut Zeroizing<Vec<u8>>,
    ) -> Result<Opened, Unopened> {
        if sealed.first() == Some(&MAGIC) {
            return self.open_envelope(keys, last_keys, cell, sealed, plain);
        }
        let text = std::str::from_utf8(sealed).map_err(|_| Unopened::NotSealed)?;
        let bytes = text::decode(text).map_err(|_| Unopened::NotSealed)?;
        self.open_envelope(keys, last_keys, cell, &bytes, plain)
    }

    /// The key that the first bytes of a sealed value name, in either form, even if it is damaged.
    pub fn key_id_of(sealed: &[u8]) -> Option<KeyId> {
        if sealed.first() == Some(&MAGIC) {
            return named_key(sealed);
        }
        text::named_key(std::str::from_utf8(sealed).ok()?)
    }

    /// The blind index of a value under a given key. `None` if the value normalises to nothing or
    /// the field has no index.
    pub fn index_under(
        &self,
        key: &Key,
        tenant: &str,
        field: usize,
        plain: &[u8],
    ) -> Option<Vec<u8>> {
        let spec = self.fields[field].index?;
        let derived = self.index_key(key.key_id(), key.data_key(), tenant, field);
        derived.index(spec, std::str::from_utf8(plain).ok()?)
    }

    /// Checks that an opened value has the padding that its field is registered with.
    ///
    /// # Errors
    /// A message that says how it differs.
    pub fn check_padding(&self, field: usize, opened: &Opened) -> Result<(), &'static str> {
        let pad_to = self.fields[field].pad_to as usize;
        match (opened.suite, pad_to) {
            (Suite::Plain, 0) => Ok(()),
            (Suite::Plain, _) => Err("the value is not padded, and its field is to be"),
            (Suite::Padded, 0) => Err("the value is padded, and its field is not to be"),
            (Suite::Padded, pad_to) if opened.ciphertext_bytes.is_multiple_of(pad_to) => Ok(()),
            (Suite::Padded, _) => {
                Err("the value is padded to another length than its field is to be")
            }
        }
    }

    /// Checks that a blind index is the value's index under the tenant's active key. Passes if the
    /// tenant has no active key.
    ///
    /// # Errors
    /// A message that says how it differs.
    pub fn check_index(
        &self,
        keys: &KeySet,
        last_keys: &mut LastKeys,
        cell: Cell<'_>,
        plain: &[u8],
        index: Option<&[u8]>,
    ) -> Result<(), &'static str> {
        let Some(spec) = self.fields[cell.field].index else {
            return Ok(());
        };
        let Some(active) = keys.active(cell.tenant, Purpose::BlindIndex) else {
            return Ok(());
        };
        let last = last_keys.of(&cell);
        let key = match &last.index {
            Some(key) if key.key_id() == active.key_id() => key,
            _ => {
                let (id, data_key) = (active.key_id(), active.data_key());
                let key = self.index_key(id, data_key, cell.tenant, cell.field);
                last.index.insert(key)
            }
        };
        let right = std::str::from_utf8(plain)
            .ok()
            .and_then(|value| key.index(spec, value));
        match (right, index) {
            (None, None) => Ok(()),
            (Some(right), Some(index)) if right == index => Ok(()),
            (Some(_), None) => Err("the value has no blind index"),
            (None, Some(_)) => Err("the value has a blind index, and gives none"),
            (Some(right), Some(index)) if right.len() != index.len() => {
                Err("the blind index is of another length than is registered")
            }
            (Some(_), Some(_)) => Err("the blind index is not that of the value"),
        }
    }

    fn open_envelope(
        &self,
        keys: &KeySet,
        last_keys: &mut LastKeys,
        cell: Cell<'_>,
        bytes: &[u8],
        plain: &mut Zeroizing<Vec<u8>>,
    ) -> Result<Opened, Unopened> {
        let envelope = Envelope::parse(bytes).map_err(|_| Unopened::NotSealed)?;
        let last = last_keys.of(&cell);
        let column = match &last.opening {
            Some(column) if column.key_id() == envelope.key_id() => column,
            _ => {
                let key = keys.openable(envelope.key_id()).map_err(Unopened::Key)?;
                let column = self.cell_key(key.key_id(), key.data_key(), cell.tenant, cell.field);
                last.opening.insert(column)
            }
        };
        column
            .open_into(cell.row_key, &envelope, plain)
            .map(|()| Opened {
                key_id: envelope.key_id(),
                suite: envelope.suite(),
                ciphertext_bytes: envelope.ciphertext().len(),
            })
            .map_err(|_| Unopened::Refused)
    }

    fn cell_key(
        &self,
        key_id: KeyId,
        data_key: &crate::crypto::DataKey,
        tenant: &str,
        field: usize,
    ) -> Arc<ColumnKey> {
        derived(&self.cells, key_id, tenant, field, || {
            ColumnKey::derive(key_id, data_key, &self.context(tenant, field))
        })
    }

    fn index_key(
        &self,
        key_id: KeyId,
        data_key: &crate::crypto::DataKey,
        tenant: &str,
        field: usize,
    ) -> Arc<BlindIndexKey> {
        derived(&self.indexes, key_id, tenant, field, || {
            BlindIndexKey::derive(key_id, data_key, &self.context(tenant, field))
        })
    }

    fn context(&self, tenant: &str, field: usize) -> Context {
        Context::new(tenant, &self.table_label, &self.fields[field].label)
    }
}

/// Looks up a derived key, or derives and keeps it.
fn derived<T>(
    cache: &RwLock<HashMap<String, ByKey<T>>>,
    key_id: KeyId,
    tenant: &str,
    field: usize,
    derive: impl FnOnce() -> T,
) -> Arc<T> {
    let found = cache
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .get(tenant)
        .and_then(|keys| keys.get(&(key_id, field)))
        .cloned();
    found.unwrap_or_else(|| {
        let made = Arc::new(derive());
        let mut cache = cache.write().unwrap_or_else(PoisonError::into_inner);
        let keys = cache.entry(tenant.to_owned()).or_default();
        Arc::clone(keys.entry((key_id, field)).or_insert(made))
    })
}
