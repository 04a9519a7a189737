//! How far a run has gone through its table, as a share.
//! Owns what counts as done: blocks where the storage is scanned in order, rows elsewhere. A place in the
//! storage is exact, however many dead rows the table has and however old its statistics are; rows are
//! compared with an estimate, and a range that ends counts as done whatever the estimate was
//! (docs/decisions/0034). Knows no time, and needs no key: a place in the storage is never sealed.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::pipeline::LaneRange;
use crate::run::checkpoint::Checkpoints;
use crate::store::{Bound, Extent, HeapPosition, LaneKind, LaneRecord};

/// What is done of a range at most, as long as it has not ended.
const NOT_ENDED_MAX: f64 = 0.99;

/// How much is done of the run that is under way. Many tasks report to it.
#[derive(Default)]
pub struct Coverage {
    state: Mutex<State>,
}

struct State {
    extents: Vec<Extent>,
    parts: BTreeMap<i32, Part>,
    /// Which share of the work the parts are.
    of_all: Range<f64>,
    /// The greatest share so far: an estimate that turns out to be wrong does not take it back.
    highest: f64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            extents: Vec::new(),
            parts: BTreeMap::new(),
            of_all: 0.0..1.0,
            highest: 0.0,
        }
    }
}

impl Coverage {
    /// The run works on these lanes of relations of these sizes.
    pub fn begin(&self, lanes: &[LaneRecord], extents: &[Extent]) {
        let pieces = lanes.iter().filter_map(Piece::of_lane).collect();
        self.set(pieces, extents, 0.0..1.0);
    }

    /// A verification works on these ranges. They are a share of its work: from where to where.
    pub fn begin_ranges(&self, ranges: &[LaneRange], extents: &[Extent], of_all: Range<f64>) {
        let pieces = ranges.iter().map(Piece::of_range).collect();
        self.set(pieces, extents, of_all);
    }

    /// Takes over what other processes did, and the lanes that they added.
    pub fn refresh(&self, lanes: &[LaneRecord]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let pieces = lanes.iter().filter_map(Piece::of_lane).collect();
        let known = std::mem::take(&mut state.parts);
        state.parts = parts(pieces, &state.extents);
        for (number, before) in known {
            if let Some(part) = state.parts.get_mut(&number) {
                // What was measured first stays, so that a share can be compared with the one before.
                let (done, ended) = (part.done.max(before.done), part.ended || before.ended);
                *part = Part {
                    done,
                    ended,
                    ..before
                };
            }
        }
    }

    /// A window of the range with this number is done: so many rows were looked at, and the next window
    /// begins at `next`; `None` if the range is done.
    pub fn moved(&self, number: i32, next: Option<&Bound>, looked_at: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(part) = state.parts.get_mut(&number) else {
            return;
        };
        match (next, part.end) {
            (None, _) => part.ended = true,
            (Some(Bound::Heap(place)), Some(end)) => part.done = place.scanned(end),
            #[allow(clippy::cast_precision_loss, reason = "a share is rounded")]
            (Some(_), _) => part.done += looked_at as f64,
        }
    }

    /// The share that is done, 0 to 1; it never falls until the work begins again. `None` if nothing is
    /// known of the ranges.
    pub fn share(&self) -> Option<f64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Range { start, end } = state.of_all;
        let share = start + (end - start) * share_of(&state.parts)?;
        state.highest = state.highest.max(share);
        Some(state.highest)
    }

    fn set(&self, pieces: Vec<Piece<'_>>, extents: &[Extent], of_all: Range<f64>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = State {
            parts: parts(pieces, extents),
            extents: extents.to_vec(),
            highest: of_all.start,
            of_all,
        };
    }
}

/// The share that is done of a run with these lanes, as another process sees it.
pub fn of_lanes(lanes: &[LaneRecord], extents: &[Extent]) -> Option<f64> {
    share_of(&parts(
        lanes.iter().filter_map(Piece::of_lane).collect(),
        extents,
    ))
}

/// A share in whole percent, never more than is done.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0 to 100 just before"
)]
pub fn percent(share: f64) -> u8 {
    // Sums of parts miss the whole by a few of the last digits.
    (share * 100.0 + 1e-6).floor().clamp(0.0, 100.0) as u8
}

/// A range as it was recorded.
struct Piece<'a> {
    number: i32,
    relation: &'a str,
    /// Where it begins and ends in the storage; `None` if it is a range of keys.
    places: Option<(HeapPosition, HeapPosition)>,
    /// How far it is done.
    cursor: Option<HeapPosition>,
    rows_found: u64,
    done: bool,
}

impl<'a> Piece<'a> {
    /// `None` for a sweep, which has no size.
    fn of_lane(lane: &'a LaneRecord) -> Option<Self> {
        let place = |stored: &Option<Vec<u8>>| Checkpoints::place(stored.as_deref()?);
        (lane.kind == LaneKind::Range).then(|| Self {
            number: lane.lane_no,
            relation: &lane.relation,
            places: place(&lane.lower).zip(place(&lane.upper)),
            cursor: place(&lane.cursor),
            rows_found: lane.tally.rows_found.unsigned_abs(),
            done: lane.done,
        })
    }

    fn of_range(range: &'a LaneRange) -> Self {
        let place = |bound: &Option<Bound>| match bound {
            Some(Bound::Heap(place)) => Some(place.clone()),
            _ => None,
        };
        Self {
            number: range.number,
            relation: &range.relation,
            places: place(&range.after).zip(place(&range.upto)),
            cursor: None,
            rows_found: 0,
            done: false,
        }
    }
}

/// A range with its size and what of it is done, both in blocks or both in rows.
#[derive(Debug, Clone, PartialEq)]
struct Part {
    /// How much of the whole work it is.
    weight: f64,
    size: f64,
    done: f64,
    /// The block that it ends before; `None` if its rows are counted.
    end: Option<u32>,
    ended: bool,
}

impl Part {
    fn share(&self) -> f64 {
        match self.ended {
            true => 1.0,
            // Blocks that were added, and rows of which there are more than was estimated, are still read.
            false if self.size > 0.0 => (self.done / self.size).clamp(0.0, NOT_ENDED_MAX),
            false => 0.0,
        }
    }
}

fn share_of(parts: &BTreeMap<i32, Part>) -> Option<f64> {
    if parts.is_empty() {
        return None;
    }
    let all: f64 = parts.values().map(|part| part.weight).sum();
    // Of an empty table, and of one whose size is not known, only what has ended counts.
    let weight = |part: &Part| if all > 0.0 { part.weight } else { 1.0 };
    let sum: f64 = parts.values().map(weight).sum();
    let done: f64 = parts.values().map(|part| weight(part) * part.share()).sum();
    Some(done / sum)
}

#[allow(clippy::cast_precision_loss, reason = "a share is rounded")]
fn parts(pieces: Vec<Piece<'_>>, extents: &[Extent]) -> BTreeMap<i32, Part> {
    let mut by_relation: HashMap<&str, Vec<Piece<'_>>> = HashMap::new();
    for piece in pieces {
        by_relation.entry(piece.relation).or_default().push(piece);
    }
    let mut all = BTreeMap::new();
    for (relation, pieces) in by_relation {
        let extent = extents.iter().find(|one| one.relation == relation);
        let rows = extent.map_or(0, |one| one.rows) as f64;
        let blocks = extent.and_then(|one| one.blocks);
        let pieces_count = pieces.len() as f64;
        for piece in pieces {
            let part = match &piece.places {
                Some((first, end)) => {
                    let is_rewritten =
                        (piece.cursor.as_ref()).is_some_and(|cursor| cursor.storage != end.storage);
                    let end = end_of(first, end, blocks, is_rewritten);
                    let size = f64::from(end.saturating_sub(first.block));
                    let done = piece.cursor.as_ref().map_or(0.0, |at| at.scanned(end));
                    Part {
                        weight: size,
                        size,
                        done,
                        end: Some(end),
                        ended: piece.done,
                    }
                }
                None => {
                    let size = rows / pieces_count;
                    Part {
                        weight: blocks.map_or(rows, |blocks| blocks as f64) / pieces_count,
                        size,
                        done: piece.rows_found as f64,
                        end: None,
                        ended: piece.done,
                    }
                }
            };
            all.insert(piece.number, part);
        }
    }
    all
}

/// The block that a range ends before. The last range of a relation is open: it ends where the relation
/// ended when the ranges were cut, and not where the versions are that the run has added since. Ranges of
/// old versions do not say where that was; they end where the relation ends now, and so do ranges of a
/// relation that was rewritten.
fn end_of(
    first: &HeapPosition,
    end: &HeapPosition,
    blocks: Option<u64>,
    is_rewritten: bool,
) -> u32 {
    if end.block != HeapPosition::OPEN {
        return end.block;
    }
    let blocks = blocks.map_or(first.block, |blocks| {
        u32::try_from(blocks).unwrap_or(HeapPosition::OPEN - 1)
    });
    match is_rewritten {
        true => blocks.max(first.block),
        false => blocks.min(end.first).max(first.block),
    }
}

#[cfg(test)]
mod tests;
