//! Pages, rows to write, and bounds: the types that a store and the engine exchange.
//! Owns the types only. The server makes the text, the order and the cursor of a row; nothing here
//! compares them.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::crypto::envelope::{HEADER_BYTES, Suite, header};
use crate::crypto::{KeyId, KeyPart, text};

/// The text of each key column of a row, made by the server and returned to it unread. May be PHI
/// (a medical record number), so it has no `Display`, and `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText(pub Vec<String>);

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyText({} parts)", self.0.len())
    }
}

/// A place in the storage of a relation. A scan goes through the storage in groups of blocks, and
/// through each group in [`HeapPosition::passes`] passes. Each pass reads some of the lines of
/// every block, so that the row versions which one pass leaves dead make room in their blocks for
/// the rows of the next. Names no row, and so is not PHI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeapPosition {
    /// The identity of the storage; the place means nothing in another one.
    pub storage: String,
    /// The first block of the range that begins or goes on here. Where the last range ends: the first
    /// block that the relation did not have when the ranges were cut.
    pub first: u32,
    /// The block of this place; [`HeapPosition::OPEN`] where a range ends with its relation.
    pub block: u32,
    /// The line in the block; 0 is before its first line.
    pub line: u16,
    /// The present pass over the block's group.
    pub pass: u8,
    /// The number of passes over each group. Cursors of old versions have no number and mean two.
    #[serde(default = "two")]
    pub passes: u8,
}

const fn two() -> u8 {
    2
}

/// What a scan in storage order does to the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassKind {
    /// Each row is written again.
    Rewriting,
    /// Rows are only read.
    Looking,
}

/// The number of passes of a scan that writes rows again. With more passes, more new versions stay
/// in their block, where no index has to change; but each pass reads every block once more. Measured
/// in docs/decisions/0031.
pub(crate) const PASSES: u8 = 8;

/// A scan makes all passes over this many blocks before it goes on. They are few enough to stay in
/// the server's cache, and enough that the first pass has committed its batches where the second
/// one reads.
pub(crate) const GROUP_BLOCKS: u32 = 8192;

impl HeapPosition {
    /// The block that no relation has.
    pub const OPEN: u32 = u32::MAX;

    /// How many blocks of its range a scan has behind it at this place, if the range ends before the
    /// block `end`. A block that some passes have read counts in part.
    pub fn scanned(&self, end: u32) -> f64 {
        let into = self.block.saturating_sub(self.first) / GROUP_BLOCKS * GROUP_BLOCKS;
        let group = self.first.saturating_add(into);
        let group_blocks = end.saturating_sub(group).min(GROUP_BLOCKS);
        let in_pass = self.block.saturating_sub(group).min(group_blocks);
        let passed = f64::from(self.pass) * f64::from(group_blocks) + f64::from(in_pass);
        f64::from(into) + passed / f64::from(self.passes.max(1))
    }

    /// The number of passes where a block has so many rows. A pass takes at least two rows of a
    /// block, since the room of one dead version is too small for a longer one.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the range just before"
    )]
    pub fn passes_for(rows_a_block: f64) -> u8 {
        (rows_a_block / 2.0).clamp(1.0, f64::from(PASSES)) as u8
    }

    /// The beginning of `block` in the first pass of a range that begins with it.
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

    /// The beginning of this place's range, in another storage.
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

/// A moment in a relation's history, as a later pass needs it to tell old row versions from younger
/// ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Horizon {
    /// The identity of the storage; places mean something else in another one.
    pub storage: String,
    /// The oldest transaction that was open. Every row version made after the moment is of this
    /// transaction or of a younger one.
    pub oldest: String,
}

/// Which row versions a window reads, by the transaction that made them. A version older than a
/// horizon does not move while it lives, so a pass that begins at the horizon reads it; a later
/// pass reads the younger ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Visibility {
    /// All visible versions.
    #[default]
    All,
    /// Versions made by transactions older than every transaction that was open at the horizon.
    Before(Horizon),
    /// Versions made by any other transaction.
    Since(Horizon),
}

/// A bound of a range or of a window: in key order, in storage order or by rowid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// After this key.
    Key(KeyText),
    /// After this place. As the end of a range: before this place's block.
    Heap(HeapPosition),
    /// Before this rowid; a window that begins here includes it (SQLite, for a table without a key column that shows it).
    Row(i64),
}

impl Bound {
    /// The key, if this is a bound in key order.
    pub fn key(&self) -> Option<&KeyText> {
        match self {
            Self::Key(cursor) => Some(cursor),
            Self::Heap(_) | Self::Row(_) => None,
        }
    }
}

/// Names one version of one row: in PostgreSQL by its `ctid` and `xmin`, in SQLite by its key, the
/// values that were read and the rowid, if it has one. Only the store that made it can use it.
#[derive(Clone, Default)]
pub struct Locator {
    /// Where the row is.
    pub place: String,
    /// Which version of the row was read. In SQLite this holds its values, so it is wiped.
    pub version: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Locator(..)")
    }
}

/// Which rows of a window the page returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Select {
    /// Rows with a plaintext that is not sealed yet. For in-place fields, every value that is not
    /// NULL counts, and the engine decides by opening it.
    Unsealed,
    /// The same for the sweep. For in-place fields, values that begin with one of `sealed_prefixes`
    /// count as sealed.
    UnsealedSweep {
        /// The prefixes of all known keys, twelve characters each: `ps1.` and the key id.
        sealed_prefixes: Vec<String>,
    },
    /// The same through the sweep's partial index, so that no other rows are read. For in-place
    /// fields, values that do not begin with `ps1.` count as unsealed.
    UnsealedIndexed,
    /// Rows with a value to open or compare: a plaintext or a sealed value.
    Any,
    /// Rows with a plaintext beside a sealed column, whether it is sealed or not.
    Plaintext,
    /// Rows with a sealed value.
    Sealed,
    /// Rows with a value that is sealed under one of these keys according to its first bytes.
    SealedUnder {
        /// The keys.
        keys: Arc<[KeyId]>,
    },
}

impl Select {
    /// The six bytes that values of [`Select::SealedUnder`] begin with, for both suites of each
    /// key.
    pub(crate) fn prefixes(keys: &[KeyId]) -> impl Iterator<Item = [u8; HEADER_BYTES]> {
        keys.iter()
            .flat_map(|key| [header(*key, Suite::Plain), header(*key, Suite::Padded)])
    }

    /// The twelve characters that such values begin with in text form.
    pub(crate) fn text_prefixes(keys: &[KeyId]) -> impl Iterator<Item = String> {
        keys.iter().flat_map(|key| {
            [
                text::prefix(*key, Suite::Plain),
                text::prefix(*key, Suite::Padded),
            ]
        })
    }
}

/// A request for one window.
#[derive(Debug, Clone)]
pub struct PageRequest {
    /// The relation (a leaf partition, or the table).
    pub relation: String,
    /// The window begins after this bound, whose kind also sets the order; `None` begins at the
    /// first key.
    pub after: Option<Bound>,
    /// The window's range ends with this key (included) or before this place; `None` is the last
    /// key.
    pub upto: Option<Bound>,
    /// Look at no more than this many rows.
    pub rows_max: u32,
    /// Stop after this many bytes of values.
    pub bytes_max: u64,
    /// Leave out values longer than this, and mark their row [`PageRow::large`].
    pub value_bytes_max: u64,
    /// Which rows are returned.
    pub select: Select,
    /// Whether each row comes with the text of its key. A row whose key has no fixed form always
    /// does.
    pub with_key_text: bool,
    /// Which row versions are read (storage order only).
    pub versions: Visibility,
}

/// The result of reading one window.
#[derive(Debug)]
pub struct Page {
    /// The returned rows, in the order of the range.
    pub rows: Vec<PageRow>,
    /// How many rows the window looked at; in storage order only those that it returned.
    pub looked_at: u64,
    /// Where the next window begins; `None` at the end of the range.
    pub next: Option<Bound>,
    /// The identity of the relation's storage when the page was read; a batch compares it.
    pub storage: String,
}

/// One row as it was read.
pub struct PageRow {
    /// Names the version of the row that was read.
    pub locator: Locator,
    /// The row's key, one part for each key column; or the name of the first key column whose value
    /// has no fixed form (an infinite timestamp, a date before year 1, NULL).
    pub key: Result<Vec<KeyPart>, String>,
    /// The key's text, if the request asked for it or the key has no fixed form.
    pub key_text: Option<KeyText>,
    /// The text of the tenant column.
    pub tenant: Option<String>,
    /// The cells, in the order of the access.
    pub cells: Vec<PageCell>,
    /// The size of the values that were read, in bytes.
    pub bytes: u64,
    /// Whether a value is longer than `value_bytes_max` and was left out.
    pub large: bool,
    /// The SQLSTATE with which the database refused to read the values; these are then left out.
    pub refused: Option<String>,
}

/// One field of a row as it was read. The plaintext is wiped when dropped.
#[derive(Default)]
pub struct PageCell {
    /// The bytes of the source column as the server made them: mostly the plaintext.
    pub plain: Option<Zeroizing<Vec<u8>>>,
    /// The content of the column beside it, if there is one: mostly an envelope or its text form.
    pub sealed: Option<Vec<u8>>,
    /// The content of the blind index column, if the access reads it.
    pub index: Option<Vec<u8>>,
    /// Why the plaintext cannot be sealed so that a restore gives back the same bytes (SQLite: the
    /// column does not keep the value's storage class, or the text is not UTF-8).
    pub unreadable: Option<&'static str>,
}

/// One row to write, if it is still the version that was read.
pub struct WriteRow {
    /// Names the version of the row that was read.
    pub locator: Locator,
    /// The cells, in the order of the access.
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

/// What to write to one field.
#[derive(Default)]
pub enum WriteCell {
    /// Do not change the field.
    #[default]
    Keep,
    /// Write a sealed value, to the sealed column or in place, and its blind index.
    Seal {
        /// The envelope, or its text form if the column is a text column.
        sealed: Vec<u8>,
        /// The blind index; `None` writes NULL if the cell has an index column.
        index: Option<Vec<u8>>,
    },
    /// Write a plaintext back (restore); it is sent by COPY.
    Open(Zeroizing<Vec<u8>>),
    /// Set the plaintext to NULL. Its sealed value beside it stays.
    Clear,
}

/// The content of each in-place field of a row after a write, in the order of the fields; `None`
/// for other fields.
pub type StoredCells = Vec<Option<Zeroizing<Vec<u8>>>>;

/// The result of writing a batch.
#[derive(Debug, Default)]
pub struct Written {
    /// Rows that were written.
    pub rows: u64,
    /// Positions in the batch of the rows that were not written: changed, deleted or locked since
    /// they were read, or rewritten by a trigger.
    pub missed: Vec<usize>,
    /// Those of `missed` in which a trigger changed the value during the write, so that the guard
    /// removed the sealed value. For a restore: rows that hold another value now than was sent. If a
    /// plaintext was cleared: rows that hold one now.
    pub rewritten: Vec<usize>,
    /// Those of `missed` that are unchanged and unlocked: a trigger of the table suppressed the
    /// write.
    pub skipped: Vec<usize>,
    /// For each written row with in-place fields, its position and the content of these fields now.
    pub stored: Vec<(usize, StoredCells)>,
}
