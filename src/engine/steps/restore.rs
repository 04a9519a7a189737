//! Restore: decrypt back, into the plaintext column or in place.
//! A different plaintext that stands there already is listed, never overwritten.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::engine::columns::{Columns, Unopened};
use crate::engine::step::{Hand, Order, Reads, Row, RowFault, RowWork, Step};
use crate::keys::KeySet;
use crate::store::page::{PageCell, WriteCell};
use crate::store::{RunKind, Sealed, Select, Target};

/// Opens and writes back.
pub struct Restore {
    target: Arc<Target>,
    columns: Arc<Columns>,
}

impl Restore {
    /// A restore of the fields of `target`, whose columns are the ones to write into.
    pub fn new(target: Arc<Target>, columns: Arc<Columns>) -> Self {
        Self { target, columns }
    }

    fn cell(
        &self,
        row: &Row<'_>,
        field: usize,
        cell: &PageCell,
        keys: &KeySet,
    ) -> Result<Option<WriteCell>, RowFault> {
        let in_place = self.target.fields[field].sealed == Sealed::InPlace;
        let sealed = if in_place {
            cell.plain.as_ref().map(|value| value.as_slice())
        } else {
            cell.sealed.as_deref()
        };
        let Some(sealed) = sealed else {
            return Ok(None);
        };
        let opened = match self.columns.open(keys, row.cell(field), sealed) {
            Ok((opened, _)) => opened,
            Err(Unopened::NotSealed) if in_place => return Ok(None),
            Err(why) => return Err(RowFault::field(field, why.reason())),
        };
        match &cell.plain {
            Some(plain) if !in_place && plain.as_slice() == opened.as_slice() => Ok(None),
            Some(_) if !in_place => Err(RowFault::field(
                field,
                "a different plaintext is there already, and is not overwritten",
            )),
            _ if cell.unreadable.is_some() => Err(RowFault::field(
                field,
                "a value that cannot be compared is there already, and is not overwritten",
            )),
            _ => Ok(Some(WriteCell::Open(opened))),
        }
    }
}

impl Step for Restore {
    fn kind(&self) -> RunKind {
        RunKind::Restore
    }

    fn reads(&self) -> Reads {
        Reads {
            main: Select::Sealed,
            sweep: Select::Sealed,
            order: Order::Keys,
            indexed_sweep: false,
            ends_beside_writers: false,
            plain: true,
            sealed: true,
            index: false,
        }
    }

    fn seals(&self) -> bool {
        false
    }

    fn work(&self, row: &Row<'_>, keys: &KeySet, _: &mut Hand) -> RowWork {
        let mut work = RowWork::default();
        let mut write = Vec::with_capacity(row.read.cells.len());
        for (field, cell) in row.read.cells.iter().enumerate() {
            write.push(match self.cell(row, field, cell, keys) {
                Ok(Some(cell)) => {
                    work.values += 1;
                    cell
                }
                Ok(None) => WriteCell::Keep,
                Err(fault) => {
                    work.faults.push(fault);
                    WriteCell::Keep
                }
            });
        }
        if work.values > 0 {
            work.write = write;
        }
        work
    }

    fn stored_is_good(
        &self,
        _: &Row<'_>,
        _: &KeySet,
        _: &[WriteCell],
        _: &[Option<Zeroizing<Vec<u8>>>],
    ) -> bool {
        // A restore gives nothing back to compare: the version check stands for it, and `verify`
        // compares every value afterwards.
        true
    }
}
