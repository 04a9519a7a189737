//! What a run does to one block of a table: which rows stay in it, and which leave it.
//! Owns the model of PostgreSQL's heap that the estimate of growth needs; reads no table.

/// Bytes of a block, and those of its header (bufpage.h).
pub(super) const BLOCK_BYTES: f64 = 8192.0;
const HEADER_BYTES: f64 = 24.0;
/// Bytes of a row's line pointer.
pub(super) const POINTER_BYTES: f64 = 4.0;
/// A block is pruned when it is read, if a row did not fit or less than this is free (pruneheap.c,
/// heap_page_prune_opt).
const PRUNED_BELOW: f64 = BLOCK_BYTES / 10.0;

/// One block, with rows of one length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    /// How many rows it has.
    pub rows: u32,
    /// The bytes of a row before and after, aligned, without its line pointer.
    pub old: f64,
    pub new: f64,
    /// Whether versions that a pass left dead are removed before the next one. They are not while an
    /// older transaction is open.
    pub pruned: bool,
}

/// Where the rows of a block end up.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Stay {
    /// The share of the rows whose new version is in another block, so that each index gets an
    /// entry.
    pub leave: f64,
    /// The greatest share that leaves in one pass.
    pub peak: f64,
}

impl Block {
    /// Makes these passes over the block: each writes every so-many-th row. A new version stays if
    /// it fits. The version before makes room only once its block is pruned, at the next pass.
    pub(super) fn after(&self, passes: u8) -> Stay {
        let rows = f64::from(self.rows.max(1));
        let taken = rows * (self.old + POINTER_BYTES);
        let mut free = (BLOCK_BYTES - HEADER_BYTES - taken).max(0.0);
        let (mut dead, mut full) = (0.0, false);
        let (mut left, mut peak) = (0.0_f64, 0.0_f64);
        for pass in 0..u32::from(passes.max(1)) {
            if self.pruned && (full || free < PRUNED_BELOW) {
                free += dead;
                dead = 0.0;
                full = false;
            }
            let mut leaving = 0.0;
            for _ in (pass..self.rows).step_by(usize::from(passes.max(1))) {
                if free >= self.new + POINTER_BYTES {
                    free -= self.new + POINTER_BYTES;
                } else {
                    full = true;
                    leaving += 1.0;
                }
                dead += self.old;
            }
            left += leaving;
            peak = peak.max(leaving);
        }
        Stay {
            leave: left / rows,
            peak: peak / rows,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(rows: u32, (old, new): (f64, f64), passes: u8) -> f64 {
        let block = Block {
            rows,
            old,
            new,
            pruned: true,
        };
        block.after(passes).leave
    }

    #[test]
    fn shares_are_those_that_were_measured() {
        // Measured on PostgreSQL 15 as updates that were not HOT.
        for (rows, bytes, passes, measured) in [
            (97, (80.0, 120.0), 3, 0.57),
            (97, (80.0, 120.0), 8, 0.43),
            (34, (232.0, 280.0), 8, 0.28),
            (34, (232.0, 280.0), 3, 0.47),
            (8, (992.0, 1272.0), 8, 0.5),
            (37, (216.0, 304.0), 8, 0.4),
            (37, (216.0, 304.0), 1, 1.0),
        ] {
            let left = left(rows, bytes, passes);
            assert!(
                (left - measured).abs() < 0.06,
                "{rows} rows, {passes} passes: {left}, {measured} measured"
            );
        }
    }

    #[test]
    fn an_older_transaction_keeps_every_version() {
        let block = Block {
            rows: 34,
            old: 232.0,
            new: 280.0,
            pruned: false,
        };
        assert!(block.after(8).leave > 0.9);
    }

    #[test]
    fn a_block_with_room_keeps_its_rows() {
        assert!(left(20, (200.0, 250.0), 8) < 0.01);
    }
}
