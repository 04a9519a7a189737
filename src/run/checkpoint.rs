//! Checkpoints: where a lane stands, as it is stored.
//! Owns the form of a stored cursor. A key other than integer or uuid may be PHI (a medical record
//! number, a name), so its text is sealed under the labels `phiseal.lanes`, bound to its lane. A
//! place in the storage names no row and is never sealed, nor is a row number that no column shows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::crypto::{ColumnKey, Context, Envelope, KeyPart, NonceBatch, RowKey};
use crate::keys::{Key, KeyError, Keyring};
use crate::store::{Cursor, HeapPlace, Mark};

/// The table label of everything of ours that is sealed.
const LANES: &str = "phiseal.lanes";

/// Writes and reads the cursors of one run.
pub struct Checkpoints {
    keyring: Arc<Keyring>,
    seal_under: Option<Arc<Key>>,
}

/// Which of a lane's three places is meant; part of what a sealed one is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The lane begins behind it.
    Lower,
    /// The lane ends with it.
    Upper,
    /// Done up to it.
    Cursor,
}

impl Place {
    const fn label(self) -> &'static str {
        match self {
            Self::Lower => "lower",
            Self::Upper => "upper",
            Self::Cursor => "cursor",
        }
    }
}

/// [`Mark::Row`] as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRow {
    row: i64,
}

/// A stored cursor that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// It is sealed, and its key is not there or may not open.
    #[error("the checkpoint of a lane cannot be opened: {0}")]
    Key(#[from] KeyError),
    /// It was changed, or belongs to another lane.
    #[error("the checkpoint of lane {lane_no} is damaged")]
    Damaged {
        /// The lane.
        lane_no: i32,
    },
    /// The operating system gave no random bytes, or a limit was met.
    #[error("a checkpoint cannot be sealed")]
    Seal,
}

impl Checkpoints {
    /// Checkpoints that are sealed under `key`, or plain where the row key is no PHI.
    pub fn new(keyring: Arc<Keyring>, seal_under: Option<Arc<Key>>) -> Self {
        Self {
            keyring,
            seal_under,
        }
    }

    /// Whether cursors are sealed.
    pub const fn seals(&self) -> bool {
        self.seal_under.is_some()
    }

    /// The stored form of a mark.
    ///
    /// # Errors
    /// Where there are no random bytes.
    pub fn encode(
        &self,
        lane_no: i32,
        place: Place,
        mark: &Mark,
    ) -> Result<Vec<u8>, CheckpointError> {
        let cursor = match mark {
            Mark::Key(cursor) => cursor,
            Mark::Heap(place) => {
                return serde_json::to_vec(place).map_err(|_| CheckpointError::Seal);
            }
            Mark::Row(row) => {
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

    /// The mark of a stored form, sealed or not.
    ///
    /// # Errors
    /// A key that is not there, or a form that was changed.
    pub fn decode(
        &self,
        lane_no: i32,
        place: Place,
        stored: &[u8],
    ) -> Result<Mark, CheckpointError> {
        let damaged = || CheckpointError::Damaged { lane_no };
        if stored.first() == Some(&b'{') {
            if let Ok(StoredRow { row }) = serde_json::from_slice(stored) {
                return Ok(Mark::Row(row));
            }
            let place: HeapPlace = serde_json::from_slice(stored).map_err(|_| damaged())?;
            return Ok(Mark::Heap(place));
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
            .map(|texts| Mark::Key(Cursor(texts)))
            .map_err(|_| damaged())
    }
}

fn column_key(key: &Key, place: Place) -> ColumnKey {
    ColumnKey::derive(
        key.key_id(),
        key.data_key(),
        &Context::new(key.tenant(), LANES, place.label()),
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
        let place = HeapPlace {
            block: 7,
            line: 3,
            pass: 5,
            ..HeapPlace::begin("16384", 4, 8)
        };
        for mark in [
            Mark::Key(Cursor(vec!["1".to_owned(), "{\"row\":1}".to_owned()])),
            Mark::Heap(place),
            Mark::Row(i64::MIN),
        ] {
            let stored = checkpoints().encode(1, Place::Cursor, &mark).unwrap();
            let read = checkpoints().decode(1, Place::Cursor, &stored).unwrap();
            assert_eq!(read, mark);
        }
    }

    #[test]
    fn a_place_without_a_number_of_passes_had_two() {
        let stored = br#"{"storage":"16384","first":0,"block":9,"line":2,"pass":1}"#;
        let read = checkpoints().decode(1, Place::Cursor, stored).unwrap();
        let Mark::Heap(place) = read else { panic!() };
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
                checkpoints().decode(4, Place::Cursor, stored),
                Err(CheckpointError::Damaged { lane_no: 4 })
            ));
        }
    }
}
