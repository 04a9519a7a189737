//! Rows on their way in and out of a store, and the place where the next page begins.
//! Owns the shapes only. A row's text, order and cursor are the server's; nothing here compares.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::crypto::envelope::{HEADER_BYTES, Suite, header};
use crate::crypto::{KeyId, KeyPart, text};

/// The place after which a window begins: the text of each key column, made by the server and
/// given back to it unread. May be PHI (a medical record number), so it cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Cursor(pub Vec<String>);

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor({} parts)", self.0.len())
    }
}

/// A place in the storage of a relation. Storage is gone through block by block, and each group of
/// blocks in [`HeapPlace::passes`] passes, each over some of the lines of every block: the versions
/// that one pass left behind make room in their blocks for the rows of the next.
/// Names no row, and so is no PHI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeapPlace {
    /// The identity of the storage: in any other the place means nothing.
    pub storage: String,
    /// The first block of the range.
    pub first: u32,
    /// The block.
    pub block: u32,
    /// The line in it; 0 before its first.
    pub line: u16,
    /// The pass over the block's group.
    pub pass: u8,
    /// Passes over each group; checkpoints of versions that wrote no number meant two.
    #[serde(default = "two")]
    pub passes: u8,
}

const fn two() -> u8 {
    2
}

/// What is done to the rows of a relation that is gone through in the order of storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visits {
    /// Each is written again, and becomes longer by what is sealed.
    Growing,
    /// Each is written again, as long as it was.
    Rewriting,
    /// They are only looked at.
    Looking,
}

impl HeapPlace {
    /// The begin of a block, in the first of so many passes of a range that begins with it.
    pub fn begin(storage: &str, block: u32, passes: u8) -> Self {
        Self {
            storage: storage.to_owned(),
            first: block,
            block,
            line: 0,
            pass: 0,
            passes,
        }
    }

    /// The begin of the range that this place is in, where the storage is another one by now.
    pub fn begin_again(&self, storage: &str) -> Self {
        Self {
            storage: storage.to_owned(),
            block: self.first,
            line: 0,
            pass: 0,
            ..self.clone()
        }
    }
}

/// A moment to look back to, for one relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The identity of the storage: in another one, places mean something else.
    pub storage: String,
    /// The oldest transaction that was not over. Every version made since is of it or of a younger one.
    pub oldest: String,
}

/// Versions of rows, by who made them. One that is there at a moment stands still for as long as it
/// lives, so a pass that begins then meets it; what is younger can be looked for afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// All that are there.
    #[default]
    All,
    /// Made by transactions older than any that was under way at this moment.
    Before(Moment),
    /// All others.
    Since(Moment),
}

/// A bound of a range, or where in it a window begins or ends: of keys, or of storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Behind a key.
    Key(Cursor),
    /// Behind a place; as the end of a range, before its block.
    Heap(HeapPlace),
    /// Before a row number that the database gave (SQLite's rowid, where no column shows it).
    Row(i64),
}

impl Mark {
    /// The key, where it is one.
    pub fn key(&self) -> Option<&Cursor> {
        match self {
            Self::Key(cursor) => Some(cursor),
            Self::Heap(_) | Self::Row(_) => None,
        }
    }
}

/// Names one version of one row: in PostgreSQL its `ctid` and `xmin`, in SQLite its key and the
/// values it was read with (and its rowid, where it has one). Made by a store, given back to the same store.
#[derive(Clone, Default)]
pub struct Locator {
    /// Where the row is.
    pub place: String,
    /// Which version of it was read; in SQLite this holds the values, so it is wiped.
    pub version: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Locator(..)")
    }
}

/// Which rows of a window are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Select {
    /// Rows with a plaintext that is not sealed yet. In place every value that is not NULL is
    /// returned, and the engine decides by opening it.
    Unsealed,
    /// The same for the sweep: in place, values that begin with one of these twelve characters
    /// (`ps1.` and the key id of a known key) count as sealed.
    UnsealedSweep {
        /// The prefixes of all known keys.
        sealed_prefixes: Vec<String>,
    },
    /// The same by way of the sweep's partial index, and only such rows are looked at: in place,
    /// values that do not begin with `ps1.`.
    UnsealedIndexed,
    /// Rows with anything to open or compare: a plaintext or a sealed value.
    Any,
    /// Rows with a sealed value.
    Sealed,
    /// Rows with a value sealed under one of these keys, as its first bytes say.
    SealedUnder {
        /// The keys.
        keys: Arc<[KeyId]>,
    },
}

impl Select {
    /// How the values of [`Select::SealedUnder`] begin, of either suite: six bytes.
    pub(crate) fn prefixes(keys: &[KeyId]) -> impl Iterator<Item = [u8; HEADER_BYTES]> {
        keys.iter()
            .flat_map(|key| [header(*key, Suite::Plain), header(*key, Suite::Padded)])
    }

    /// The same of values in text form: twelve characters.
    pub(crate) fn text_prefixes(keys: &[KeyId]) -> impl Iterator<Item = String> {
        keys.iter().flat_map(|key| {
            [
                text::prefix(*key, Suite::Plain),
                text::prefix(*key, Suite::Padded),
            ]
        })
    }
}

/// One window to read.
#[derive(Debug, Clone)]
pub struct PageRequest {
    /// The relation (a leaf partition, or the table).
    pub relation: String,
    /// Rows behind this mark, which says in which order the rows are gone through; `None` from the
    /// first key.
    pub after: Option<Mark>,
    /// Keys up to and including this one, or places before this one; `None` to the last key.
    pub upto: Option<Mark>,
    /// Rows to look at.
    pub rows_max: u32,
    /// Stop after this many bytes of values.
    pub bytes_max: u64,
    /// Values above this are left out, and the row is marked [`PageRow::large`].
    pub value_bytes_max: u64,
    /// Which rows are wanted.
    pub select: Select,
    /// Whether the plaintext columns are to be read; for [`Select::Unsealed`] only where the field
    /// of that row is not sealed yet.
    pub with_plain: bool,
    /// Whether the sealed columns are to be read.
    pub with_sealed: bool,
    /// Whether the blind indexes are to be read.
    pub with_index: bool,
    /// Whether each row is to come with the text of its key; one whose key has no fixed form does so
    /// in any case.
    pub with_key_text: bool,
    /// Which versions of rows are looked at in the order of storage.
    pub versions: Versions,
}

/// What a window held.
#[derive(Debug)]
pub struct Page {
    /// The rows that were wanted, in the order of the range.
    pub rows: Vec<PageRow>,
    /// Where the next window begins; `None` when the range is exhausted.
    pub next: Option<Mark>,
    /// The identity of the table's storage when the page was read; a batch compares it.
    pub storage: String,
}

/// One row as it was read.
pub struct PageRow {
    /// Which version of which row.
    pub locator: Locator,
    /// Its key, a part for each key column, or the name of the first column whose value has no
    /// fixed form (an infinite timestamp, a date before year 1, a NULL).
    pub key: Result<Vec<KeyPart>, String>,
    /// The key's text, where the request asked for it, and where the key has no fixed form.
    pub key_text: Option<Cursor>,
    /// The text of the tenant column.
    pub tenant: Option<String>,
    /// One for each field of the target, in its order.
    pub cells: Vec<PageCell>,
    /// Bytes of the values that came with it.
    pub bytes: u64,
    /// Some value is above `value_bytes_max` and was left out.
    pub large: bool,
    /// The SQLSTATE with which the database refused to read the values, which are left out.
    pub refused: Option<String>,
}

/// One field of a row as it was read. Plaintext is wiped when dropped.
#[derive(Default)]
pub struct PageCell {
    /// The plaintext bytes as the server made them; in place, whatever the column holds.
    pub plain: Option<Zeroizing<Vec<u8>>>,
    /// What the sealed column holds: an envelope, or its text form.
    pub sealed: Option<Vec<u8>>,
    /// What the blind index column holds, where the request asked for it.
    pub index: Option<Vec<u8>>,
    /// Why the plaintext has no bytes that could be given back (SQLite: a value whose storage
    /// class the column does not keep, text that is not UTF-8).
    pub unreadable: Option<&'static str>,
}

/// One row to be written, if it is still the version that was read.
pub struct WriteRow {
    /// Which version of which row.
    pub locator: Locator,
    /// One for each field of the target, in its order.
    pub cells: Vec<WriteCell>,
}

impl fmt::Debug for WriteRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WriteRow({} cells)", self.cells.len())
    }
}

impl fmt::Debug for PageRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "PageRow({} cells, {} bytes)",
            self.cells.len(),
            self.bytes
        )
    }
}

/// What to write into one field.
#[derive(Default)]
pub enum WriteCell {
    /// Leave the field alone.
    #[default]
    Keep,
    /// Write a sealed value, beside or in place as the target says, and its blind index.
    Seal {
        /// The envelope; its text form where the column that takes it is a text column.
        sealed: Vec<u8>,
        /// The blind index; `None` writes NULL where the target has an index column.
        index: Option<Vec<u8>>,
    },
    /// Write a plaintext back (restore), which travels by COPY.
    Open(Zeroizing<Vec<u8>>),
}

/// What the in-place fields of a row hold after a write, by field; `None` for other fields.
pub type StoredCells = Vec<Option<Zeroizing<Vec<u8>>>>;

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Written {
    /// Rows that were written.
    pub rows: u64,
    /// Positions in the batch of the rows that were not: changed, deleted or held meanwhile, or
    /// rewritten.
    pub missed: Vec<usize>,
    /// Of these, rows in which a trigger put another value while they were written, so that the guard
    /// let no seal stand; of a restore, rows that hold another value now than was sent.
    pub rewritten: Vec<usize>,
    /// Of those missed, rows that nobody changed or holds: a trigger of the table's passed over the write.
    pub skipped: Vec<usize>,
    /// In place: for each written row its position and what each in-place field now holds.
    pub stored: Vec<(usize, StoredCells)>,
}
