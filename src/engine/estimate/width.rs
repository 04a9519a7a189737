//! How long the rows of a table are, before and after their columns are sealed.
//! Owns the lengths of sealed values as they are stored, in the row or beside it (TOAST).

use super::{Sample, block::POINTER_BYTES};
use crate::plan::{ColumnPlan, SealTo, TablePlan};
use crate::store::catalog::{ColumnFacts, TableFacts};

/// Bytes of magic, suite, key id, nonce and tag (docs/FORMAT.md).
const ENVELOPE_BYTES: f64 = 34.0;
/// Bytes of the prefix `ps1.`.
const PREFIX_BYTES: f64 = 4.0;
/// A varlena up to 126 bytes has a header of one byte, a longer one of four (postgres.h).
const SHORT_VARLENA_MAX: f64 = 126.0;
/// A row longer than this moves its longest values out; each leaves a pointer (heaptoast.h).
const TOAST_FROM: f64 = 2032.0;
const TOAST_POINTER_BYTES: f64 = 18.0;
/// The longest piece of a value that was moved out, and the bytes beside it: a row's header and line
/// pointer, and the number of the value and of the piece.
const TOAST_PIECE_BYTES: f64 = 1996.0;
const TOAST_PIECE_HEADER: f64 = 40.0;

/// The bytes of a row.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Width {
    /// The row as it is, aligned, without its line pointer.
    pub old: f64,
    /// The row with the sealed values.
    pub new: f64,
    /// What is added, not aligned.
    pub added: f64,
    /// What is written beside the row, with its headers.
    pub toast: f64,
    /// The number of pieces in which it is written.
    pub pieces: f64,
}

/// The bytes of a row of `table`, by its statistics; the lengths of values are those of the sample,
/// if there is one.
pub(super) fn of(table: &TableFacts, plan: &TablePlan, sample: Option<&Sample>) -> Width {
    let now = (table.row_bytes as f64 - POINTER_BYTES).max(0.0);
    let mut parts: Vec<f64> = Vec::new();
    let mut replaced = 0.0;
    for (at, column) in plan.columns.iter().enumerate() {
        let facts = facts_of(table, column.name.as_str());
        let sampled = sample.and_then(|sample| sample.sealed.get(at));
        let envelope = sampled.map_or_else(
            || envelope(facts.map_or(0.0, text_bytes), column.pad_to),
            |sealed| sealed.bytes,
        );
        let share = sampled.map_or(1.0, |sealed| sealed.share);
        parts.push(share * stored_form(table, column, envelope));
        if let Some(index) = &column.blind_index {
            parts.push(share * stored(f64::from(index.bits.div_ceil(8))));
        }
        if column.target == SealTo::InPlace {
            replaced += facts.map_or(0.0, |facts| facts.width as f64);
        }
    }
    let mut out = Width::default();
    while table.heap_bytes > 0 && now + sum(&parts) - replaced > TOAST_FROM {
        let Some(longest) = parts.iter_mut().max_by(|a, b| a.total_cmp(b)) else {
            break;
        };
        if *longest <= 2.0 * TOAST_POINTER_BYTES {
            break;
        }
        let pieces = (*longest / TOAST_PIECE_BYTES).ceil();
        out.pieces += pieces;
        out.toast += *longest + pieces * TOAST_PIECE_HEADER;
        *longest = TOAST_POINTER_BYTES;
    }
    out.added = sum(&parts) - replaced;
    out.old = aligned(now);
    out.new = aligned(now + out.added);
    out
}

fn sum(parts: &[f64]) -> f64 {
    parts.iter().sum()
}

fn aligned(bytes: f64) -> f64 {
    (bytes / 8.0).ceil() * 8.0
}

/// The bytes of a sealed value of so many bytes of plaintext.
fn envelope(plain: f64, pad_to: u32) -> f64 {
    let padded = match f64::from(pad_to) {
        0.0 => plain,
        bucket => ((plain + 1.0) / bucket).ceil() * bucket,
    };
    padded + ENVELOPE_BYTES
}

/// The bytes that a sealed value takes in its column, as bytes or in text form.
fn stored_form(table: &TableFacts, column: &ColumnPlan, envelope: f64) -> f64 {
    let is_text = match &column.target {
        SealTo::InPlace => true,
        SealTo::Beside(name) => facts_of(table, name.as_str())
            .is_some_and(|facts| matches!(facts.base_type.as_str(), "text" | "varchar")),
    };
    stored(match is_text {
        true => PREFIX_BYTES + (4.0 * envelope / 3.0).ceil(),
        false => envelope,
    })
}

fn facts_of<'a>(table: &'a TableFacts, name: &str) -> Option<&'a ColumnFacts> {
    table.columns.iter().find(|facts| facts.name == name)
}

fn stored(bytes: f64) -> f64 {
    bytes + if bytes <= SHORT_VARLENA_MAX { 1.0 } else { 4.0 }
}

/// The average length of a value's text. For varlena types the statistics have it, header included;
/// other types have text of roughly one length.
fn text_bytes(facts: &ColumnFacts) -> f64 {
    let typical = match facts.base_type.as_str() {
        "bool" | "int2" => 4.0,
        "int4" | "date" => 10.0,
        "int8" | "float4" => 12.0,
        "float8" => 18.0,
        "time" | "interval" => 15.0,
        "timestamp" => 26.0,
        "timestamptz" => 29.0,
        "uuid" => 36.0,
        _ => return (facts.width as f64 - 1.0).max(0.0),
    };
    if facts.array {
        (facts.width as f64).max(typical)
    } else {
        typical
    }
}
