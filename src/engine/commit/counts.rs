//! What a rotation did to the rows of a batch, counted in its transaction.

use std::collections::BTreeMap;

use super::{Committer, Load, Segment};
use crate::crypto::KeyId;
use crate::engine::parcel::Worked;
use crate::keys::RotationCounts;
use crate::store::RotationCount;

impl Committer {
    /// What a rotation did to the rows of a segment, by the key they were under. A row counts as
    /// found once it is settled: re-sealed or listed, and not each time it was met.
    pub(super) fn rotation_counts(
        &self,
        load: &Load<'_>,
        segment: &Segment,
        missed: &[usize],
        is_listed: impl Fn(usize) -> bool,
    ) -> Vec<RotationCount> {
        let rotations = &self.ctx.rotations;
        if rotations.is_empty() {
            return Vec::new();
        }
        let mut sums: BTreeMap<KeyId, RotationCounts> = BTreeMap::new();
        let mut add = |row: &Worked, one: RotationCounts| {
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
        for at in segment.rows.clone() {
            let one = if is_listed(at) {
                listed
            } else if missed.contains(&at) {
                conflict
            } else {
                resealed
            };
            add(&load.parcel.rows[load.positions[at]], one);
        }
        if segment.closes {
            let unwritten = load.parcel.rows.iter().enumerate().filter(|(at, row)| {
                !row.work.faults.is_empty() && load.positions.binary_search(at).is_err()
            });
            for (_, row) in unwritten {
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
