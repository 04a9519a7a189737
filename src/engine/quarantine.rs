//! Rows that could not be processed: what is written down of them, and which are known already.
//! Owns the sealed form of a row's key and its tag. A known row is passed over until an operator
//! says retry; it never stops a run and never disappears.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use zeroize::Zeroizing;

use super::step::RowFault;
use crate::crypto::{ColumnKey, Context as Labels, Envelope, KeyPart, NonceBatch, RowKey, Tagger};
use crate::keys::{Key, Keyring};
use crate::store::locate::MICROSECONDS;
use crate::store::{
    KeyColumn, KeyKind, NewQuarantine, PageRow, QuarantineRecord, QuarantineState, Resealed,
    RunKind, Target,
};

/// Faults that are listed, each by its field, or of the whole row.
#[derive(Default)]
struct Known {
    by_key: HashMap<RowKey, HashSet<Option<usize>>>,
    by_tag: HashMap<String, HashSet<Option<usize>>>,
    /// The row key behind each tag that this book listed.
    listed: HashMap<String, RowKey>,
}

/// What is known to be bad in one table.
pub struct Book {
    table_label: String,
    column_labels: Vec<String>,
    step: &'static str,
    own: Option<Arc<Key>>,
    tagger: Option<Tagger>,
    known: RwLock<Known>,
    /// What a person wanted tried again when this run began.
    to_retry: HashSet<i64>,
}

impl Book {
    /// A book for one table; `own` is the key that seals row keys. What is listed already, and not
    /// marked for another try, is known from the start: by its row key, since the tag is another one
    /// under each key. Where the row key does not open any more, by its tag.
    pub fn new(
        target: &Target,
        step: &'static str,
        own: Option<Arc<Key>>,
        keyring: &Keyring,
        listed: &[QuarantineRecord],
    ) -> Self {
        let column_labels: Vec<String> = (target.fields.iter())
            .map(|field| field.label.clone())
            .collect();
        let mut known = Known::default();
        for record in listed {
            // What verify or a restore listed says nothing about a later backfill.
            if !is_of(&record.row.step, step) || record.state == QuarantineState::Retry {
                continue;
            }
            let field = record
                .row
                .column_label
                .as_ref()
                .map(|label| column_labels.iter().position(|l| l == label));
            if let Some(None) = field {
                continue;
            }
            let text = open_key(keyring, record);
            let keys = text.map_or_else(Vec::new, |text| {
                row_keys(&target.keys, &text, record, keyring)
            });
            let field = field.flatten();
            if keys.is_empty() {
                let tag = record.row.row_tag.clone();
                known.by_tag.entry(tag).or_default().insert(field);
            }
            for key in keys {
                known.by_key.entry(key).or_default().insert(field);
            }
        }
        let tagger = own.as_ref().map(|key| key.data_key().tagger());
        let to_retry = listed
            .iter()
            .filter(|record| record.row.step == step && record.state == QuarantineState::Retry)
            .map(|record| record.quarantine_id)
            .collect();
        Self {
            table_label: target.label.clone(),
            column_labels,
            step,
            own,
            tagger,
            known: RwLock::new(known),
            to_retry,
        }
    }

    /// Whether this run tries the row of an entry again: what a person marks while it goes on is for the
    /// next one.
    pub fn retries(&self, quarantine_id: i64) -> bool {
        self.to_retry.contains(&quarantine_id)
    }

    /// Whether it tries any again.
    pub fn retries_any(&self) -> bool {
        !self.to_retry.is_empty()
    }

    /// The row's tag: a keyed digest, safe to print. `unkeyed` where there is no key to make it with.
    pub fn tag(&self, row_key: &RowKey) -> String {
        self.tagger.as_ref().map_or_else(
            || "unkeyed".to_owned(),
            |tagger| tagger.row_tag(&self.table_label, row_key).to_string(),
        )
    }

    /// Whether this fault of this row is listed.
    pub fn knows(&self, row_key: &RowKey, field: Option<usize>) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let has = |fields: &HashSet<Option<usize>>| fields.contains(&field);
        known.by_key.get(row_key).is_some_and(has)
            || (!known.by_tag.is_empty() && known.by_tag.get(&self.tag(row_key)).is_some_and(has))
    }

    /// The faults as they are to be listed; they are known from now on.
    pub fn list(
        &self,
        run_id: Option<i64>,
        row: &PageRow,
        row_key: &RowKey,
        faults: &[RowFault],
    ) -> Vec<NewQuarantine> {
        let Some(own) = &self.own else {
            return Vec::new();
        };
        let tag = self.tag(row_key);
        let Some(key_sealed) = seal_key(own, &tag, &key_text(row)) else {
            return Vec::new();
        };
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.listed.insert(tag.clone(), row_key.clone());
        let fields = known.by_key.entry(row_key.clone()).or_default();
        faults
            .iter()
            .filter(|fault| fields.insert(fault.field))
            .map(|fault| NewQuarantine {
                run_id,
                table_label: self.table_label.clone(),
                column_label: fault.field.map(|at| self.column_labels[at].clone()),
                row_tag: tag.clone(),
                key_sealed: key_sealed.clone(),
                key_id: i64::from(own.key_id().get()),
                step: self.step.to_owned(),
                reason: fault.reason.clone(),
                sqlstate: fault.sqlstate.clone(),
                constraint_name: fault.constraint.clone(),
            })
            .collect()
    }

    /// Forgets faults whose listing was rolled back.
    pub fn forget(&self, listed: &[NewQuarantine]) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for row in listed {
            let field = row
                .column_label
                .as_ref()
                .and_then(|label| self.column_labels.iter().position(|l| l == label));
            let Some(key) = known.listed.get(&row.row_tag).cloned() else {
                continue;
            };
            if let Some(fields) = known.by_key.get_mut(&key) {
                fields.remove(&field);
            }
        }
    }
}

/// Whether what one step listed is met by another: both seal from the plaintext.
fn is_of(listed_by: &str, step: &str) -> bool {
    let sealing = [RunKind::Backfill.as_str(), RunKind::Compare.as_str()];
    listed_by == step || (sealing.contains(&listed_by) && sealing.contains(&step))
}

/// The row key of a row whose key has no fixed form, so that it can be tagged and listed: its text.
pub fn stand_in_key(row: &PageRow) -> RowKey {
    let parts: Vec<KeyPart> = key_text(row).into_iter().map(KeyPart::Text).collect();
    RowKey::encode(&parts)
        .or_else(|_| RowKey::encode(&[KeyPart::Text(row.locator.place.clone())]))
        .unwrap_or_else(|_| unreachable_key())
}

fn unreachable_key() -> RowKey {
    // One text part always encodes; an empty one stands in so that nothing can panic here.
    RowKey::encode(&[KeyPart::Bool(false)]).unwrap_or_else(|_| std::process::abort())
}

/// The text of a row's key, for the operator who has to find it: the same whichever way the row
/// was read, so that `store::locate` can make a condition of it.
fn key_text(row: &PageRow) -> Vec<String> {
    match (&row.key, &row.key_text) {
        (Ok(parts), _) => parts.iter().map(part_text).collect(),
        (Err(_), Some(text)) => text.0.clone(),
        (Err(_), None) => vec![format!("row at {}", row.locator.place)],
    }
}

/// The row keys that a listed text can stand for. A column without a type takes values of several kinds that look
/// alike: there the tag tells which it was, if the key that it was made with is still here.
fn row_keys(
    columns: &[KeyColumn],
    text: &[u8],
    record: &QuarantineRecord,
    keyring: &Keyring,
) -> Vec<RowKey> {
    let Ok(texts) = serde_json::from_slice::<Vec<String>>(text) else {
        return Vec::new();
    };
    let stand_in: Vec<KeyPart> = texts.iter().cloned().map(KeyPart::Text).collect();
    let mut keys: Vec<RowKey> = RowKey::encode(&stand_in).into_iter().collect();
    if texts.len() != columns.len() {
        return keys;
    }
    let mut ambiguous = false;
    let mut combined = vec![Vec::new()];
    for (column, text) in columns.iter().zip(&texts) {
        let parts = parts_of(column.kind, text);
        ambiguous |= parts.len() > 1;
        let with = |begun: &Vec<KeyPart>, part: &KeyPart| {
            [begun.as_slice(), std::slice::from_ref(part)].concat()
        };
        combined = (combined.iter())
            .flat_map(|begun| parts.iter().map(move |part| with(begun, part)))
            .collect();
    }
    let encoded = combined
        .iter()
        .filter_map(|parts| RowKey::encode(parts).ok());
    if !ambiguous {
        keys.extend(encoded);
        return keys;
    }
    let loaded = keyring.snapshot();
    let taggers: Vec<Tagger> = loaded.loaded().map(|key| key.data_key().tagger()).collect();
    let row = &record.row;
    let is_it = |key: &RowKey| {
        (taggers.iter())
            .any(|tagger| tagger.row_tag(&row.table_label, key).to_string() == row.row_tag)
    };
    encoded.filter(is_it).collect()
}

/// The parts whose text this is, as [`part_text`] writes them.
fn parts_of(kind: KeyKind, text: &str) -> Vec<KeyPart> {
    let int = || text.parse().ok().map(KeyPart::Int);
    let bytes = || {
        hex::decode(text.strip_prefix("\\x")?)
            .ok()
            .map(KeyPart::Bytes)
    };
    let one = match kind {
        KeyKind::Int => int(),
        KeyKind::Uuid => uuid::Uuid::parse_str(text)
            .ok()
            .map(|id| KeyPart::Uuid(*id.as_bytes())),
        KeyKind::Text => Some(KeyPart::Text(text.to_owned())),
        KeyKind::Numeric => Some(KeyPart::Numeric(text.to_owned())),
        KeyKind::Date => Some(KeyPart::Date(text.to_owned())),
        KeyKind::Timestamp => {
            let micros = text
                .strip_suffix(MICROSECONDS)
                .and_then(|micros| micros.parse().ok());
            micros.map(KeyPart::Timestamp)
        }
        KeyKind::Bytes => bytes(),
        KeyKind::Bool => text.parse().ok().map(KeyPart::Bool),
        KeyKind::ByClass => {
            let text = Some(KeyPart::Text(text.to_owned()));
            return [int(), text, bytes()].into_iter().flatten().collect();
        }
    };
    one.into_iter().collect()
}

fn part_text(part: &KeyPart) -> String {
    match part {
        KeyPart::Int(value) => value.to_string(),
        KeyPart::Uuid(bytes) => uuid::Uuid::from_bytes(*bytes).to_string(),
        KeyPart::Text(text) | KeyPart::Numeric(text) | KeyPart::Date(text) => text.clone(),
        KeyPart::Timestamp(micros) => format!("{micros}{MICROSECONDS}"),
        KeyPart::Bytes(bytes) => format!("\\x{}", hex::encode(bytes)),
        KeyPart::Bool(value) => value.to_string(),
    }
}

fn labels() -> Labels {
    Labels::new("", "phiseal.quarantine", "key")
}

fn seal_key(own: &Key, tag: &str, text: &[String]) -> Option<Vec<u8>> {
    let text = Zeroizing::new(serde_json::to_vec(text).ok()?);
    let nonce = NonceBatch::draw(1).ok()?.next()?;
    let mut out = Vec::new();
    ColumnKey::derive(own.key_id(), own.data_key(), &labels())
        .seal(
            &RowKey::encode(&[KeyPart::Text(tag.to_owned())]).ok()?,
            nonce,
            &text,
            0,
            &mut out,
        )
        .ok()?;
    Some(out)
}

/// The key of a listed row, sealed again under `own`; `None` where it does not open, or there are no
/// random bytes: it then stays as it is, and is in the census.
pub fn reseal(keyring: &Keyring, own: &Key, record: &QuarantineRecord) -> Option<Resealed> {
    let text = open_key(keyring, record)?;
    let text: Vec<String> = serde_json::from_slice(&text).ok()?;
    Some(Resealed {
        quarantine_id: record.quarantine_id,
        before: record.row.key_sealed.clone(),
        key_sealed: seal_key(own, &record.row.row_tag, &text)?,
        key_id: own.key_id(),
    })
}

/// Opens the key text of a listed row; `None` where its key is not there or it was changed.
pub fn open_key(keyring: &Keyring, record: &QuarantineRecord) -> Option<Zeroizing<Vec<u8>>> {
    let envelope = Envelope::parse(&record.row.key_sealed).ok()?;
    let key = keyring.openable(envelope.key_id()).ok()?;
    ColumnKey::derive(key.key_id(), key.data_key(), &labels())
        .open(
            &RowKey::encode(&[KeyPart::Text(record.row.row_tag.clone())]).ok()?,
            &envelope,
        )
        .ok()
}
