//! Windows of a scan in storage order.
//! Owns the arithmetic of blocks, groups and passes.

use super::Storage;
use crate::quote;
use crate::store::page::GROUP_BLOCKS;
use crate::store::{Bound, HeapPosition, Result, StoreError, Visibility};
use std::time::Duration;

/// A pass over a group is cut into this many windows, unless they would have fewer than
/// [`WINDOW_BLOCKS_MIN`] blocks. Then the window which is read ahead is mostly of the same pass,
/// and the next pass reads blocks whose previous pass is committed.
const WINDOWS_A_PASS: u32 = 8;

/// A window has at least this many blocks, unless the group has fewer.
const WINDOW_BLOCKS_MIN: u32 = 64;

/// A server that takes longer than this to answer is far away. Each window waits for several
/// answers, so windows are then larger and fewer.
const FAR_ROUND_TRIP: Duration = Duration::from_millis(5);

const WINDOWS_A_PASS_FAR: u32 = 2;

const WINDOW_BLOCKS_MIN_FAR: u32 = 1024;

/// One window: from after a place up to a block, in one pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Window {
    from: HeapPosition,
    /// The window ends before this block.
    until: u32,
    group: u32,
    /// The group ends before this block.
    group_end: u32,
    range_end: u32,
}

impl Window {
    /// The window after `after`. If the storage was replaced, the range begins again; but a scan
    /// that depends on a horizon ends, since places meant something else at that time.
    pub(crate) fn new(
        after: &HeapPosition,
        upto: Option<&Bound>,
        storage: &Storage,
        versions: &Visibility,
        answers_take: Duration,
    ) -> Result<Self> {
        let Some(Bound::Heap(end)) = upto else {
            return Err(StoreError::unexpected("a range of places without an end"));
        };
        let from = if after.storage == storage.id {
            after.clone()
        } else {
            after.begin_again(&storage.id)
        };
        let range_end = match versions {
            Visibility::Before(horizon) | Visibility::Since(horizon)
                if horizon.storage != storage.id =>
            {
                0
            }
            _ => end.block.min(storage.blocks),
        };
        let into = from.block.saturating_sub(from.first) / GROUP_BLOCKS * GROUP_BLOCKS;
        let group = from.first.saturating_add(into);
        let group_end = group.saturating_add(GROUP_BLOCKS).min(range_end);
        let (windows, blocks_min) = match answers_take > FAR_ROUND_TRIP {
            true => (WINDOWS_A_PASS_FAR, WINDOW_BLOCKS_MIN_FAR),
            false => (WINDOWS_A_PASS, WINDOW_BLOCKS_MIN),
        };
        let blocks = (group_end.saturating_sub(group) / windows).max(blocks_min);
        let until = from.block.saturating_add(blocks).min(group_end);
        Ok(Self {
            from,
            until,
            group,
            group_end,
            range_end,
        })
    }

    pub(crate) fn storage(&self) -> &str {
        &self.from.storage
    }

    /// The condition that selects this window's rows in a table `t`.
    pub(crate) fn condition(&self, versions: &Visibility) -> String {
        let HeapPosition {
            block,
            line,
            pass,
            passes,
            ..
        } = self.from;
        let mut condition = format!(
            "t.ctid > '({block},{line})'::pg_catalog.tid AND t.ctid < '({},0)'::pg_catalog.tid",
            self.until
        );
        if passes > 1 {
            // Byte 5 of a `tid` is the lower byte of its line number.
            condition.push_str(&format!(
                " AND pg_catalog.get_byte(pg_catalog.tidsend(t.ctid), 5) % {passes} = {pass}"
            ));
        }
        let of_age = match versions {
            Visibility::All => None,
            Visibility::Before(horizon) => Some((">", horizon)),
            Visibility::Since(horizon) => Some(("<=", horizon)),
        };
        if let Some((sign, horizon)) = of_age {
            // `age` counts back from now, so the wraparound of transaction numbers does not matter.
            // A frozen row may show a number from before a wraparound: it may then be read twice,
            // but is never left out.
            condition.push_str(&format!(
                " AND pg_catalog.age(t.xmin) {sign} pg_catalog.age({}::pg_catalog.xid8::pg_catalog.xid)",
                quote::literal(&horizon.oldest)
            ));
        }
        condition
    }

    /// The bound after a row of this window.
    pub(crate) fn behind(&self, (block, line): (u32, u16)) -> Bound {
        Bound::Heap(HeapPosition {
            block,
            line,
            ..self.from.clone()
        })
    }

    /// The bound after this whole window; `None` if the range ends with it.
    pub(crate) fn end(&self) -> Option<Bound> {
        let (block, pass) = if self.group >= self.range_end {
            // The relation was truncated during the scan.
            return None;
        } else if self.until < self.group_end {
            (self.until, self.from.pass)
        } else if self.from.pass + 1 < self.from.passes {
            (self.group, self.from.pass + 1)
        } else if self.group_end < self.range_end {
            (self.group_end, 0)
        } else {
            return None;
        };
        Some(Bound::Heap(HeapPosition {
            block,
            line: 0,
            pass,
            ..self.from.clone()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Horizon;
    use crate::store::page::PASSES;
    use crate::store::postgres::heap::bounds;

    fn storage(id: &str, blocks: u32) -> Storage {
        Storage {
            id: id.to_owned(),
            blocks,
        }
    }

    fn begin(block: u32) -> HeapPosition {
        HeapPosition::begin("1", block, PASSES)
    }

    /// Every window of a range, as (pass, first block, end block).
    fn walk(first: u32, end: u32) -> Vec<(u8, u32, u32)> {
        let upto = Bound::Heap(begin(end));
        let mut at = begin(first);
        let mut windows = Vec::new();
        loop {
            let window = Window::new(
                &at,
                Some(&upto),
                &storage("1", u32::MAX),
                &Visibility::All,
                Duration::ZERO,
            )
            .unwrap();
            windows.push((window.from.pass, window.from.block, window.until));
            match window.end() {
                Some(Bound::Heap(next)) => at = next,
                _ => return windows,
            }
        }
    }

    #[test]
    fn every_block_of_a_range_is_in_every_pass_once() {
        for (first, end) in [(0, 1), (0, 64), (3, 70), (100, 5000), (7, 20_000)] {
            let windows = walk(first, end);
            for pass in 0..begin(0).passes {
                let mut next = first;
                for (_, from, until) in windows.iter().filter(|window| window.0 == pass) {
                    assert_eq!(*from, next);
                    assert!(until > from);
                    next = *until;
                }
                assert_eq!(next, end);
            }
        }
    }

    #[test]
    fn a_group_is_gone_through_in_all_passes_before_the_next() {
        let windows = walk(0, 3 * GROUP_BLOCKS);
        let order: Vec<(u32, u8)> = windows.iter().map(|w| (w.1 / GROUP_BLOCKS, w.0)).collect();
        assert!(order.is_sorted(), "{order:?}");
    }

    #[test]
    fn behind_a_row_the_same_window_goes_on() {
        let upto = Bound::Heap(begin(100));
        let window = Window::new(
            &begin(10),
            Some(&upto),
            &storage("1", 100),
            &Visibility::All,
            Duration::ZERO,
        )
        .unwrap();
        let Bound::Heap(next) = window.behind((20, 7)) else {
            panic!()
        };
        assert_eq!(
            (next.first, next.block, next.line, next.pass),
            (10, 20, 7, 0)
        );
        let next = Window::new(
            &next,
            Some(&upto),
            &storage("1", 100),
            &Visibility::All,
            Duration::ZERO,
        )
        .unwrap();
        assert!(
            next.condition(&Visibility::All).contains("'(20,7)'"),
            "{}",
            next.condition(&Visibility::All)
        );
    }

    #[test]
    fn other_storage_begins_the_range_again() {
        let upto = Bound::Heap(begin(100));
        let at = HeapPosition {
            block: 50,
            line: 3,
            pass: 1,
            ..begin(10)
        };
        let window = Window::new(
            &at,
            Some(&upto),
            &storage("2", 100),
            &Visibility::All,
            Duration::ZERO,
        )
        .unwrap();
        assert_eq!(window.from, begin(10).begin_again("2"));
    }

    #[test]
    fn ranges_are_of_all_blocks() {
        let blocks = |all, pieces| {
            bounds(&storage("1", all), pieces, PASSES)
                .iter()
                .map(|p| p.block)
                .collect::<Vec<_>>()
        };
        assert_eq!(blocks(10, 1), [0, u32::MAX]);
        assert_eq!(blocks(10, 4), [0, 2, 5, 7, u32::MAX]);
        assert_eq!(blocks(2, 16), [0, 1, u32::MAX]);
        // The last range has no end, and says where the relation ended.
        let last = bounds(&storage("1", 10), 4, PASSES).pop().unwrap();
        assert_eq!((last.first, last.block), (10, HeapPosition::OPEN));
    }

    #[test]
    fn the_last_range_ends_where_the_relation_does() {
        let upto = Bound::Heap(bounds(&storage("1", 5), 1, PASSES).pop().unwrap());
        let window = |at: u32, blocks| {
            Window::new(
                &begin(at),
                Some(&upto),
                &storage("1", blocks),
                &Visibility::All,
                Duration::ZERO,
            )
            .unwrap()
        };
        assert_eq!(window(0, 10).until, 10);
        // The relation was truncated during the scan: no blocks are left, and the range ends.
        assert_eq!(window(20, 10).end(), None);
    }

    #[test]
    fn a_look_back_is_over_where_the_storage_was_exchanged() {
        let upto = Bound::Heap(begin(100));
        let horizon = Horizon {
            storage: "1".to_owned(),
            oldest: "700".to_owned(),
        };
        for versions in [
            Visibility::Before(horizon.clone()),
            Visibility::Since(horizon),
        ] {
            let window = |id| {
                Window::new(
                    &begin(0),
                    Some(&upto),
                    &storage(id, 100),
                    &versions,
                    Duration::ZERO,
                )
                .unwrap()
            };
            assert!(window("1").end().is_some());
            assert_eq!((window("2").until, window("2").end()), (0, None));
        }
    }
}
