//! Counts what a rotation did to the rows of a batch, in the batch's transaction. Owns no row
//! writes.

use std::collections::BTreeMap;

use super::Committer;
use super::batch::{Batch, PageWrites};
use crate::crypto::KeyId;
use crate::engine::worked_page::WorkedRow;
use crate::keys::RotationCounts;
use crate::store::RotationCount;

impl Committer {
    /// Counts what a rotation did to the rows of a batch, by superseded key. A row counts as found
    /// once it is re-sealed or listed, not each time it is read.
    pub(super) fn rotation_counts(
        &self,
        page_writes: &PageWrites,
        batch: &Batch,
        missed: &[usize],
        is_listed: impl Fn(usize) -> bool,
    ) -> Vec<RotationCount> {
        let rotations = &self.ctx.rotations;
        if rotations.is_empty() {
            return Vec::new();
        }
        let mut sums: BTreeMap<KeyId, RotationCounts> = BTreeMap::new();
        let mut add = |row: &WorkedRow, one: RotationCounts| {
            for key in &row.work.under {
                *sums.entry(*key).or_default() += one;
            }
        };
        let settled = |counts: RotationCounts| RotationCounts {
            rows_found: 1,
            ..counts
        };
        let resealed = settled(RotationCounts {
            rows_resealed: 1,
            ..RotationCounts::default()
        });
        let listed = settled(RotationCounts {
            quarantined: 1,
            ..RotationCounts::default()
        });
        let conflict = RotationCounts {
            conflicts: 1,
            ..RotationCounts::default()
        };
        for at in batch.rows.clone() {
            let one = if is_listed(at) {
                listed
            } else if missed.contains(&at) {
                conflict
            } else {
                resealed
            };
            add(page_writes.row(at), one);
        }
        if batch.closes {
            for row in page_writes.listed_only() {
                add(row, listed);
            }
        }
        sums.into_iter()
            .filter_map(|(from_key_id, counts)| {
                Some(RotationCount {
                    history_id: *rotations.get(&from_key_id)?,
                    from_key_id,
                    counts,
                })
            })
            .collect()
    }
}
