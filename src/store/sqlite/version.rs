//! The values that a row had when it was read, packed into a [`crate::store::Locator`].
//! Owns the packing. SQLite gives rows no version, so the transaction that writes compares the
//! values themselves by class and bytes. The packed bytes are plaintext, and are wiped.

use zeroize::Zeroizing;

use super::value::Value;
use crate::store::{Result, StoreError};

/// The values that were read of a row.
pub(super) struct RowVersion<'a> {
    /// Its rowid, if the table has one that can be named.
    pub(super) rowid: Option<i64>,
    /// The tenant, then plaintext and sealed column of each field.
    pub(super) columns: Vec<SeenCell<'a>>,
}

/// One column of the row.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum SeenCell<'a> {
    /// It was not read, and is not compared.
    Unread,
    /// Its class as `typeof` names it, and its bytes unless it is NULL.
    Value(&'static str, Option<&'a [u8]>),
    /// It has this many bytes, too many to read. It can only be compared until it is read in full.
    Large(i64),
}

const CLASSES: [&str; 5] = ["null", "integer", "real", "text", "blob"];
const UNREAD: u8 = 0xff;
const LARGE: u8 = 0xfe;
const ROWID: u8 = 0xfd;

impl<'a> SeenCell<'a> {
    /// The packed form of a value.
    pub(super) fn of(value: &'a Value) -> Self {
        match value {
            Value::Large(length) => Self::Large(*length),
            value => Self::Value(value.class(), value.bytes().map(|bytes| bytes.as_slice())),
        }
    }

    /// Whether a value read later is still this one.
    pub(super) fn is_still(&self, now: &Value) -> bool {
        match self {
            Self::Unread => true,
            Self::Value(class, bytes) => {
                now.class() == *class && now.bytes().map(|bytes| bytes.as_slice()) == *bytes
            }
            Self::Large(length) => match now {
                Value::Large(now) => now == length,
                now => i64::try_from(now.len()) == Ok(*length),
            },
        }
    }
}

/// The position of a class in the list; classes differ in their first letters.
fn tag(class: &str) -> u8 {
    let letter = class.bytes().next();
    let at = CLASSES
        .iter()
        .position(|known| known.bytes().next() == letter);
    at.unwrap_or(0) as u8
}

/// Packs the columns of a row.
pub(super) fn pack(rowid: Option<i64>, columns: &[SeenCell<'_>]) -> Zeroizing<Vec<u8>> {
    let room = columns.iter().map(|seen| match seen {
        SeenCell::Value(_, Some(bytes)) => bytes.len() + 9,
        _ => 9,
    });
    // Allocated at full size: a buffer that grows leaves copies behind.
    let mut packed = Zeroizing::new(Vec::with_capacity(9 + room.sum::<usize>()));
    if let Some(rowid) = rowid {
        packed.push(ROWID);
        packed.extend_from_slice(&rowid.to_be_bytes());
    }
    for seen in columns {
        let (tag, length, bytes) = match seen {
            SeenCell::Unread => (UNREAD, 0, None),
            SeenCell::Large(length) => (LARGE, *length, None),
            SeenCell::Value(class, bytes) => (
                tag(class),
                bytes.as_ref().map_or(0, |bytes| bytes.len() as i64),
                *bytes,
            ),
        };
        packed.push(tag);
        packed.extend_from_slice(&length.to_be_bytes());
        if let Some(bytes) = bytes {
            packed.extend_from_slice(bytes);
        }
    }
    packed
}

/// Unpacks the columns of a row.
pub(super) fn unpack(packed: &[u8]) -> Result<RowVersion<'_>> {
    let bad = || StoreError::unexpected("a locator of another form than this store makes");
    let (mut rowid, mut columns, mut rest) = (None, Vec::new(), packed);
    while let Some((&tag, after)) = rest.split_first() {
        let (length, after) = after.split_first_chunk::<8>().ok_or_else(bad)?;
        let length = i64::from_be_bytes(*length);
        rest = after;
        columns.push(match tag {
            ROWID => {
                rowid = Some(length);
                continue;
            }
            UNREAD => SeenCell::Unread,
            LARGE => SeenCell::Large(length),
            tag => {
                let class = *CLASSES.get(usize::from(tag)).ok_or_else(bad)?;
                let length = usize::try_from(length).map_err(|_| bad())?;
                let (bytes, after) = rest.split_at_checked(length).ok_or_else(bad)?;
                rest = after;
                SeenCell::Value(class, (class != "null").then_some(bytes))
            }
        });
    }
    Ok(RowVersion { rowid, columns })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_unpacked_and_nothing_else_is() {
        let columns = vec![
            SeenCell::Unread,
            SeenCell::Value("null", None),
            SeenCell::Value("text", Some(b"")),
            SeenCell::Value("blob", Some(b"\x00\xff")),
            SeenCell::Large(1 << 40),
        ];
        for rowid in [None, Some(i64::MIN), Some(7)] {
            let packed = pack(rowid, &columns);
            let version = unpack(&packed).unwrap();
            assert!(version.columns == columns && version.rowid == rowid);
        }
        let packed = pack(None, &columns);
        assert!(unpack(&packed[..packed.len() - 1]).is_err());
        assert!(unpack(b"\x09\0\0\0\0\0\0\0\0").is_err());
    }

    #[test]
    fn another_class_with_the_same_bytes_is_another_value() {
        let seen = SeenCell::Value("text", Some(b"1"));
        let bytes = Zeroizing::new(b"1".to_vec());
        assert!(seen.is_still(&Value::Text(bytes.clone())));
        assert!(!seen.is_still(&Value::Integer(bytes)));
        assert!(!seen.is_still(&Value::Null));
        assert!(SeenCell::Large(1).is_still(&Value::Text(Zeroizing::new(b"2".to_vec()))));
        assert!(!SeenCell::Large(3).is_still(&Value::Large(4)));
    }
}
