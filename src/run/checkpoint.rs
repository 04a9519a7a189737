//! Checkpoints: how the bounds and the cursor of a lane are stored.
//! Owns their form. A key other than integer or uuid may be PHI (a medical record number, a name),
//! so its text is sealed under the labels `phiseal.lanes`, bound to its lane. A place in the
//! storage identifies no row to a reader, and neither does a row number that no column shows, so
//! they are not sealed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::crypto::{ColumnKey, Context, Envelope, KeyPart, NonceBatch, RowKey};
use crate::keys::{Key, KeyError, Keyring};
use crate::store::{Bound, HeapPosition, KeyText};
use crate::words::word_enum;

/// The table label of what phiseal seals for lanes.
const LANES: &str = "phiseal.lanes";

/// Encodes and decodes the bounds and cursors of one run.
pub struct Checkpoints {
    keyring: Arc<Keyring>,
    seal_under: Option<Arc<Key>>,
}

word_enum! {
    /// Which of a lane's three bounds is meant. A sealed one is bound to it: its word is the label.
    Slot {
        /// The lane begins after this bound.
        Lower = "lower",
        /// The lane ends with this bound.
        Upper = "upper",
        /// The lane is done up to this bound.
        Cursor = "cursor",
    }
}

/// The stored form of [`Bound::Row`].
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRow {
    row: i64,
}

/// A stored bound cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// It is sealed, and its key does not exist or may not open.
    #[error("the checkpoint of a lane cannot be opened: {0}")]
    Key(#[from] KeyError),
    /// It was changed, or belongs to another lane.
    #[error("the checkpoint of lane {lane_no} is damaged")]
    Damaged {
        /// The number of the lane.
        lane_no: i32,
    },
    /// The operating system gave no random bytes, or a limit was reached.
    #[error("a checkpoint cannot be sealed")]
    Seal,
}

impl Checkpoints {
    /// Checkpoints that are sealed under `key`, or plain if the row key is not PHI.
    pub fn new(keyring: Arc<Keyring>, seal_under: Option<Arc<Key>>) -> Self {
        Self {
            keyring,
            seal_under,
        }
    }

    /// Whether bounds are sealed.
    pub const fn seals(&self) -> bool {
        self.seal_under.is_some()
    }

    /// The stored form of a bound.
    ///
    /// # Errors
    /// If there are no random bytes.
    pub fn encode(
        &self,
        lane_no: i32,
        place: Slot,
        bound: &Bound,
    ) -> Result<Vec<u8>, CheckpointError> {
        let cursor = match bound {
            Bound::Key(cursor) => cursor,
            Bound::Heap(place) => {
                return serde_json::to_vec(place).map_err(|_| CheckpointError::Seal);
            }
            Bound::Row(row) => {
                let stored = StoredRow { row: *row };
                return serde_json::to_vec(&stored).map_err(|_| CheckpointError::Seal);
            }
        };
        let text =
            Zeroizing::new(serde_json::to_vec(&cursor.0).map_err(|_| CheckpointError::Seal)?);
        let Some(key) = &self.seal_under else {
            return Ok(text.to_vec());
        };
        let mut nonces = NonceBatch::draw(1).map_err(|_| CheckpointError::Seal)?;
        let nonce = nonces.next().ok_or(CheckpointError::Seal)?;
        let mut out = Vec::new();
        column_key(key, place)
            .seal(&lane_key(lane_no)?, nonce, &text, 0, &mut out)
            .map_err(|_| CheckpointError::Seal)?;
        Ok(out)
    }

    /// The place in the storage that a stored bound names; `None` if it is another bound. Needs no key.
    pub fn place(stored: &[u8]) -> Option<HeapPosition> {
        serde_json::from_slice(stored).ok()
    }

    /// Decodes a stored bound, sealed or not.
    ///
    /// # Errors
    /// A key that does not exist or may not open, or a stored form that was changed.
    pub fn decode(
        &self,
        lane_no: i32,
        place: Slot,
        stored: &[u8],
    ) -> Result<Bound, CheckpointError> {
        let damaged = || CheckpointError::Damaged { lane_no };
        if stored.first() == Some(&b'{') {
            if let Ok(StoredRow { row }) = serde_json::from_slice(stored) {
                return Ok(Bound::Row(row));
            }
            let place: HeapPosition = serde_json::from_slice(stored).map_err(|_| damaged())?;
            return Ok(Bound::Heap(place));
        }
        let text = if stored.first() == Some(&b'[') {
            Zeroizing::new(stored.to_vec())
        } else {
            let envelope = Envelope::parse(stored).map_err(|_| damaged())?;
            let key = self.keyring.openable(envelope.key_id())?;
            column_key(&key, place)
                .open(&lane_key(lane_no)?, &envelope)
                .map_err(|_| damaged())?
        };
        serde_json::from_slice(&text)
            .map(|texts| Bound::Key(KeyText(texts)))
            .map_err(|_| damaged())
    }
}

fn column_key(key: &Key, place: Slot) -> ColumnKey {
    ColumnKey::derive(
        key.key_id(),
        key.data_key(),
        &Context::new(key.tenant(), LANES, place.as_str()),
    )
}

fn lane_key(lane_no: i32) -> Result<RowKey, CheckpointError> {
    RowKey::encode(&[KeyPart::Int(i64::from(lane_no))]).map_err(|_| CheckpointError::Seal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoints() -> Checkpoints {
        Checkpoints::new(Arc::new(Keyring::default()), None)
    }

    #[test]
    fn every_mark_comes_back() {
        let place = HeapPosition {
            block: 7,
            line: 3,
            pass: 5,
            ..HeapPosition::begin("16384", 4, 8)
        };
        for bound in [
            Bound::Key(KeyText(vec!["1".to_owned(), "{\"row\":1}".to_owned()])),
            Bound::Heap(place),
            Bound::Row(i64::MIN),
        ] {
            let stored = checkpoints().encode(1, Slot::Cursor, &bound).unwrap();
            let read = checkpoints().decode(1, Slot::Cursor, &stored).unwrap();
            assert_eq!(read, bound);
        }
    }

    #[test]
    fn a_place_without_a_number_of_passes_had_two() {
        let stored = br#"{"storage":"16384","first":0,"block":9,"line":2,"pass":1}"#;
        let read = checkpoints().decode(1, Slot::Cursor, stored).unwrap();
        let Bound::Heap(place) = read else { panic!() };
        assert_eq!((place.block, place.pass, place.passes), (9, 1, 2));
    }

    #[test]
    fn a_changed_checkpoint_is_refused() {
        for stored in [
            &b"{}"[..],
            br#"{"row":1,"block":2}"#,
            br#"{"row":"1"}"#,
            br#"[1]"#,
            b"x",
        ] {
            assert!(matches!(
                checkpoints().decode(4, Slot::Cursor, stored),
                Err(CheckpointError::Damaged { lane_no: 4 })
            ));
        }
    }
}
