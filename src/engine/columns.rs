//! The derived keys of a table's columns, kept for as long as a run lasts.
//! Owns the way from a row's tenant or an envelope's key id to the key of one column. Derivation is
//! two HMACs; a lookup is two hashes.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use zeroize::Zeroizing;

use crate::crypto::envelope::{MAGIC, Suite, named_key};
use crate::crypto::{
    BlindIndexKey, ColumnKey, Context, Envelope, IndexSpec, KeyId, Nonce, Purpose, RowKey, text,
};
use crate::keys::{Key, KeyError, KeySet};

/// What sealing one field takes, beside its key.
#[derive(Debug, Clone)]
pub struct FieldSpec {
    /// The column's label.
    pub label: String,
    /// Padding bucket, bytes; 0 for none.
    pub pad_to: u32,
    /// The blind index.
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

/// One cell: what a sealed value is bound to, beside its table.
#[derive(Clone, Copy)]
pub struct Cell<'a> {
    /// The row's tenant; empty where the table has none.
    pub tenant: &'a str,
    /// The field's position in the target.
    pub field: usize,
    /// The row key.
    pub row_key: &'a RowKey,
}

/// The column keys that rows worked on one after another, with one set of keys, needed last: most
/// need the same again, and need not look them up.
#[derive(Default)]
pub struct Memo {
    tenant: String,
    fields: Vec<Last>,
}

/// Of one field.
#[derive(Default)]
struct Last {
    sealing: Option<Arc<ColumnKey>>,
    opening: Option<Arc<ColumnKey>>,
    index: Option<Arc<BlindIndexKey>>,
}

impl Memo {
    /// What is remembered of a field of this tenant.
    fn of(&mut self, cell: &Cell<'_>) -> &mut Last {
        if !same(&self.tenant, cell.tenant) {
            self.fields.clear();
            cell.tenant.clone_into(&mut self.tenant);
        }
        if self.fields.len() <= cell.field {
            self.fields.resize_with(cell.field + 1, Last::default);
        }
        &mut self.fields[cell.field]
    }
}

/// Whether two tenants are one; without a call where there are none, as in most tables.
pub fn same(one: &str, other: &str) -> bool {
    one.len() == other.len() && (one.is_empty() || one == other)
}

/// What an envelope that opened says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Opened {
    /// The key it is sealed under.
    pub key_id: KeyId,
    /// Its suite.
    pub suite: Suite,
    /// The length of its ciphertext.
    pub ciphertext_bytes: usize,
}

/// Why a sealed value did not give its plaintext.
#[derive(Debug)]
pub enum Unopened {
    /// The bytes are no envelope.
    NotSealed,
    /// The key it names is unknown or may not open.
    Key(KeyError),
    /// Its key refuses it: changed, or of another cell.
    Refused,
}

impl Unopened {
    /// Why, for the quarantine and for reports.
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
    /// The columns of a table, by their frozen labels.
    pub fn new(table_label: &str, fields: Vec<FieldSpec>) -> Self {
        Self {
            table_label: table_label.to_owned(),
            fields,
            cells: RwLock::default(),
            indexes: RwLock::default(),
        }
    }

    /// The fields.
    pub fn fields(&self) -> &[FieldSpec] {
        &self.fields
    }

    /// Seals a value under the tenant's active key, and gives its blind index.
    ///
    /// # Errors
    /// The tenant has no key that may seal, or the value is longer than the cipher takes.
    pub fn seal(
        &self,
        keys: &KeySet,
        memo: &mut Memo,
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
        let last = memo.of(&cell);
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

    /// Opens a sealed value of either form; the id in it names the key, and no other is tried.
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
        let opened = self.open_into(keys, &mut Memo::default(), cell, sealed, &mut plain)?;
        Ok((plain, opened.key_id))
    }

    /// The same into a buffer kept from one value to the next; what it held is gone.
    ///
    /// # Errors
    /// See [`Unopened`].
    pub fn open_into(
        &self,
        keys: &KeySet,
        memo: &mut Memo,
        cell: Cell<'_>,
        sealed: &[u8],
        plain: &mut Zeroizing<Vec<u8>>,
    ) -> Result<Opened, Unopened> {
        if sealed.first() == Some(&MAGIC) {
            return self.open_envelope(keys, memo, cell, sealed, plain);
        }
        let text = std::str::from_utf8(sealed).map_err(|_| Unopened::NotSealed)?;
        let bytes = text::decode(text).map_err(|_| Unopened::NotSealed)?;
        self.open_envelope(keys, memo, cell, &bytes, plain)
    }

    /// The key that a sealed value of either form names by its first bytes, damaged or not.
    pub fn key_id_of(sealed: &[u8]) -> Option<KeyId> {
        if sealed.first() == Some(&MAGIC) {
            return named_key(sealed);
        }
        text::named_key(std::str::from_utf8(sealed).ok()?)
    }

    /// The blind index of a value under a given key; `None` where it normalises to nothing, or the
    /// field has none.
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

    /// Whether an opened value is sealed as its field is registered: padded or not, and how far; why not.
    ///
    /// # Errors
    /// What is otherwise.
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

    /// Whether a blind index is that of a value under the tenant's active key; a tenant without one is not
    /// judged.
    ///
    /// # Errors
    /// What is otherwise.
    pub fn check_index(
        &self,
        keys: &KeySet,
        memo: &mut Memo,
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
        let last = memo.of(&cell);
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
        memo: &mut Memo,
        cell: Cell<'_>,
        bytes: &[u8],
        plain: &mut Zeroizing<Vec<u8>>,
    ) -> Result<Opened, Unopened> {
        let envelope = Envelope::parse(bytes).map_err(|_| Unopened::NotSealed)?;
        let last = memo.of(&cell);
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

/// Looks a derived key up, or derives and keeps it.
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
