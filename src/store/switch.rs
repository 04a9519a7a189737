//! The switch of blind indexes to new keys.
//! Owns the types for this one transaction, including the interface that fills rows which were
//! written late.

use std::sync::Arc;

use super::page::{PageRow, WriteRow};
use super::{Access, ColumnSwitch, Result, Table};
use crate::keys::{Handover, Notary, RotationPeriod};

/// One table of a switch.
#[derive(Debug, Clone)]
pub struct SwitchTable {
    /// The table; its fields name the new columns too.
    pub table: Arc<Table>,
    /// Its blind indexes that are switched.
    pub next: Vec<ColumnSwitch>,
    /// How the late rows are read and written: as the step that fills the new columns does.
    pub fill: Access,
}

/// Everything that one switch changes.
pub struct IndexSwitch<'a> {
    /// The tables.
    pub tables: &'a [SwitchTable],
    /// The changes of the keys' states.
    pub handovers: &'a [Handover],
    /// When the new keys are due for rotation.
    pub due: RotationPeriod,
    /// Who ordered it.
    pub actor: &'a str,
    /// Makes the audit entries.
    pub note: &'a dyn Notary,
    /// Computes the new index of rows that were written before the tables were locked.
    pub late: &'a dyn LateRows,
}

/// Computes the new index of rows that were written after the last pass and before the tables were
/// locked.
pub trait LateRows: Send + Sync {
    /// Returns what to write to these rows; `table` is the table's position in the switch. A row
    /// whose value does not open is left out.
    ///
    /// # Errors
    /// If no row at all can be filled.
    fn fill(&self, table: usize, rows: Vec<PageRow>) -> Result<Vec<WriteRow>>;
}
