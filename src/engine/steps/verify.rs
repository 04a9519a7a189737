//! Verify: open every sealed value, compare it with its plaintext while that is there, and see that it has
//! the padding, the blind index and, where there is no plaintext, the form of its field.
//! Writes nothing, and goes on past what does not open.

mod form;

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::engine::columns::{Columns, Unopened};
use crate::engine::step::{Hand, Order, Reads, Row, RowFault, RowWork, Step};
use crate::keys::KeySet;
use crate::store::page::{PageCell, WriteCell};
use crate::store::{RunKind, Sealed, Select, Target, Visits};

/// Opens and compares.
pub struct Verify {
    target: Arc<Target>,
    columns: Arc<Columns>,
}

impl Verify {
    /// A verification of the fields of `target`.
    pub fn new(target: Arc<Target>, columns: Arc<Columns>) -> Self {
        Self { target, columns }
    }

    fn cell(
        &self,
        row: &Row<'_>,
        field: usize,
        cell: &PageCell,
        keys: &KeySet,
        hand: &mut Hand,
        faults: &mut Vec<RowFault>,
    ) {
        let Hand {
            seen, memo, opened, ..
        } = hand;
        let in_place = self.target.fields[field].sealed == Sealed::InPlace;
        let sealed = if in_place {
            cell.plain.as_ref().map(|value| value.as_slice())
        } else {
            cell.sealed.as_deref()
        };
        let Some(sealed) = sealed else {
            if cell.plain.is_some() || cell.unreadable.is_some() {
                seen.unsealed += 1;
            }
            return;
        };
        match self
            .columns
            .open_into(keys, memo, row.cell(field), sealed, opened)
        {
            Ok(envelope) => {
                let target = &self.target.fields[field];
                let judged = match (&cell.plain, in_place) {
                    (Some(plain), false) if plain.as_slice() == opened.as_slice() => Ok(()),
                    (None, _) | (_, true) if cell.unreadable.is_none() => {
                        form::check(target, opened)
                    }
                    _ => Err("the value opens to something other than its plaintext"),
                };
                let judged = judged
                    .and_then(|()| self.columns.check_padding(field, &envelope))
                    .and_then(|()| {
                        let index = cell.index.as_deref();
                        self.columns
                            .check_index(keys, memo, row.cell(field), opened, index)
                    });
                match judged {
                    Ok(()) => *seen.opened.entry(envelope.key_id).or_default() += 1,
                    Err(why) => {
                        seen.failed += 1;
                        faults.push(RowFault::field(field, why));
                    }
                }
            }
            // In place, what is not in the sealed form is a plaintext that nobody sealed.
            Err(Unopened::NotSealed) if in_place => seen.unsealed += 1,
            Err(why) => {
                seen.failed += 1;
                faults.push(RowFault::field(field, why.reason()));
            }
        }
    }
}

impl Step for Verify {
    fn kind(&self) -> RunKind {
        RunKind::Verify
    }

    fn reads(&self) -> Reads {
        Reads {
            main: Select::Any,
            sweep: Select::Any,
            order: Order::Storage(Visits::Looking),
            indexed_sweep: false,
            ends_beside_writers: false,
            plain: true,
            sealed: true,
            index: true,
        }
    }

    fn seals(&self) -> bool {
        false
    }

    fn work(&self, row: &Row<'_>, keys: &KeySet, hand: &mut Hand) -> RowWork {
        let mut work = RowWork::default();
        let before = hand.seen.values_opened();
        for (field, cell) in row.read.cells.iter().enumerate() {
            self.cell(row, field, cell, keys, hand, &mut work.faults);
        }
        hand.seen.rows_opened += u64::from(hand.seen.values_opened() > before);
        work
    }

    fn stored_is_good(
        &self,
        _: &Row<'_>,
        _: &KeySet,
        _: &[WriteCell],
        _: &[Option<Zeroizing<Vec<u8>>>],
    ) -> bool {
        false
    }
}
