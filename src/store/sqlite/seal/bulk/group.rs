//! Rows that one statement can write: their compared values have the same classes, and they set the
//! same columns.

use super::super::super::select::Shape;
use super::{Piece, ROW_BYTES_MAX, like};
use crate::store::{Result, WriteRow};
use std::collections::HashMap;
use std::ops::Range;

/// Rows that one statement can write: they have the same classes of compared values, and set the
/// same columns.
pub(super) struct Group<'a> {
    /// Their positions in the batch.
    pub(super) positions: Vec<usize>,
    pub(super) rowids: Vec<i64>,
    /// The values to compare and set: equally many pieces for each row, in the statement's order.
    pub(super) pieces: Vec<Piece<'a>>,
    /// Letters for the classes and for what is set; see [`like`].
    pub(super) likeness: Vec<u8>,
    /// The first row of the group.
    pub(super) row: &'a WriteRow,
}

impl<'a> Group<'a> {
    pub(super) fn of(shape: &Shape, rows: &'a [WriteRow]) -> Result<Vec<Self>> {
        let mut groups: Vec<Self> = Vec::new();
        let mut known: HashMap<Vec<u8>, usize> = HashMap::new();
        let (mut likeness, mut pieces) = (Vec::new(), Vec::new());
        for (position, row) in rows.iter().enumerate() {
            likeness.clear();
            pieces.clear();
            let Some(rowid) = like(shape, row, &mut likeness, &mut pieces)? else {
                continue;
            };
            if pieces.iter().map(|piece| piece.len()).sum::<usize>() > ROW_BYTES_MAX {
                continue;
            }
            let at = match known.get(&likeness) {
                Some(at) => *at,
                None => {
                    known.insert(likeness.clone(), groups.len());
                    groups.push(Self {
                        positions: Vec::new(),
                        rowids: Vec::new(),
                        pieces: Vec::new(),
                        likeness: likeness.clone(),
                        row,
                    });
                    groups.len() - 1
                }
            };
            groups[at].positions.push(position);
            groups[at].rowids.push(rowid);
            groups[at].pieces.append(&mut pieces);
        }
        Ok(groups)
    }

    /// The pieces of these rows, row by row.
    pub(super) fn rows(&self, rows: Range<usize>) -> impl Iterator<Item = &[Piece<'a>]> {
        let each = self.pieces.len() / self.rowids.len();
        rows.map(move |row| &self.pieces[row * each..(row + 1) * each])
    }
}
