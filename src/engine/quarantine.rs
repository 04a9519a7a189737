//! The rows that could not be processed: what is recorded of them, and which are known already.
//! Owns the sealed form of a row's key and its tag. The run skips a known row until an operator
//! asks for a retry; a row in quarantine never stops a run and never disappears. Does not own its
//! storage.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use zeroize::Zeroizing;

use super::step::RowFault;
use crate::crypto::{ColumnKey, Context as Labels, Envelope, KeyPart, NonceBatch, RowKey, Tagger};
use crate::keys::{Key, Keyring};
use crate::store::locate::MICROSECONDS;
use crate::store::{
    Access, KeyColumn, KeyKind, NewQuarantine, PageRow, QuarantineRecord, QuarantineState,
    Resealed, RunKind,
};

/// The listed faults of each row: positions of fields, or `None` for the whole row.
#[derive(Default)]
struct FaultIndex {
    by_key: HashMap<RowKey, HashSet<Option<usize>>>,
    by_tag: HashMap<String, HashSet<Option<usize>>>,
    /// The row key behind each tag that [`KnownFaults::list`] made.
    listed: HashMap<String, RowKey>,
}

/// The faults that are known in one table.
pub struct KnownFaults {
    table_label: String,
    column_labels: Vec<String>,
    step: &'static str,
    own: Option<Arc<Key>>,
    tagger: Option<Tagger>,
    known: RwLock<FaultIndex>,
    /// Ids of the entries that were marked for retry when this run began.
    to_retry: HashSet<i64>,
}

impl KnownFaults {
    /// Creates the index for one table; `own` is the key that seals row keys. Entries in `listed`
    /// are known from the start, unless they are marked for retry. They are known by row key, since
    /// a row's tag differs under each key, or by tag if the row key does not open any more.
    pub fn new(
        access: &Access,
        step: &'static str,
        own: Option<Arc<Key>>,
        keyring: &Keyring,
        listed: &[QuarantineRecord],
    ) -> Self {
        let column_labels: Vec<String> = (access.cells.iter())
            .map(|field| field.label.clone())
            .collect();
        let mut known = FaultIndex::default();
        for record in listed {
            // Entries of a verification or a restore say nothing about a later backfill.
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
                row_keys(&access.table.keys, &text, record, keyring)
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
            table_label: access.table.label.clone(),
            column_labels,
            step,
            own,
            tagger,
            known: RwLock::new(known),
            to_retry,
        }
    }

    /// Whether this run retries the row of an entry. A row that is marked during the run is for the
    /// next run.
    pub fn retries(&self, quarantine_id: i64) -> bool {
        self.to_retry.contains(&quarantine_id)
    }

    /// Whether this run retries any row.
    pub fn retries_any(&self) -> bool {
        !self.to_retry.is_empty()
    }

    /// The row's tag: a keyed digest that is safe to print, or `unkeyed` if there is no key.
    pub fn tag(&self, row_key: &RowKey) -> String {
        self.tagger.as_ref().map_or_else(
            || "unkeyed".to_owned(),
            |tagger| tagger.row_tag(&self.table_label, row_key).to_string(),
        )
    }

    /// Whether this fault of this row is known.
    pub fn knows(&self, row_key: &RowKey, field: Option<usize>) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let has = |fields: &HashSet<Option<usize>>| fields.contains(&field);
        known.by_key.get(row_key).is_some_and(has)
            || (!known.by_tag.is_empty() && known.by_tag.get(&self.tag(row_key)).is_some_and(has))
    }

    /// Makes the entries for those faults that are not known yet; from now on they are known.
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

    /// Forgets faults whose entries were rolled back.
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

/// Whether entries of one step count for another: the same step, or two that seal plaintext.
fn is_of(listed_by: &str, step: &str) -> bool {
    let sealing = [RunKind::Backfill.as_str(), RunKind::Compare.as_str()];
    listed_by == step || (sealing.contains(&listed_by) && sealing.contains(&step))
}

/// A substitute row key made of the key's text, to tag and list a row whose key has no fixed form.
pub fn stand_in_key(row: &PageRow) -> RowKey {
    let parts: Vec<KeyPart> = key_text(row).into_iter().map(KeyPart::Text).collect();
    RowKey::encode(&parts)
        .or_else(|_| RowKey::encode(&[KeyPart::Text(row.locator.place.clone())]))
        .unwrap_or_else(|_| unreachable_key())
}

fn unreachable_key() -> RowKey {
    // One text part always encodes, so this is never reached; it must not panic.
    RowKey::encode(&[KeyPart::Bool(false)]).unwrap_or_else(|_| std::process::abort())
}

/// The text of a row's key, by which an operator finds the row. It does not depend on how the row
/// was read, so that `store::locate` can turn it into a condition.
fn key_text(row: &PageRow) -> Vec<String> {
    match (&row.key, &row.key_text) {
        (Ok(parts), _) => parts.iter().map(part_text).collect(),
        (Err(_), Some(text)) => text.0.clone(),
        (Err(_), None) => vec![format!("row at {}", row.locator.place)],
    }
}

/// The row keys that a listed text can mean. A column without a type holds values of several kinds
/// that look alike; then the tag tells which it was, if the key that made the tag still exists.
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

/// The key parts that [`part_text`] writes as this text.
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

/// Seals the row key of an entry again under `own`. `None` if it does not open or there are no
/// random bytes: the entry then stays as it is, and the census counts it.
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

/// Opens the key text of an entry. `None` if its key is missing or the entry was changed.
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
