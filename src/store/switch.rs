//! The switch of blind indexes: what takes whose place, and how rows are filled that came late.
//! Owns the shapes of that one transaction.

use super::page::{PageRow, WriteRow};
use super::{Reindex, Result, Target};
use crate::keys::{Handover, Notary, RotationPeriod};

/// One table of a switch.
#[derive(Debug, Clone)]
pub struct SwitchTable {
    /// The table, with its columns on their way noted.
    pub target: Target,
    /// Its blind indexes.
    pub next: Vec<Reindex>,
    /// The same table as the rows to be filled are read and written: each sealed column as the
    /// plaintext, each new index as the sealed column.
    pub over: Target,
}

/// Everything that changes at once.
pub struct IndexSwitch<'a> {
    /// The tables.
    pub tables: &'a [SwitchTable],
    /// The keys.
    pub handovers: &'a [Handover],
    /// When the new keys are due for rotation.
    pub due: RotationPeriod,
    /// Who.
    pub actor: &'a str,
    /// Writes it down.
    pub note: &'a dyn Notary,
    /// Fills what was written until the tables were locked.
    pub late: &'a dyn LateRows,
}

/// Makes the new indexes of rows that were written until the tables were locked.
pub trait LateRows: Send + Sync {
    /// What is to be written into these rows of a table, by its position; a row whose value does not
    /// open is left out.
    ///
    /// # Errors
    /// What keeps all of them from being filled.
    fn fill(&self, table: usize, rows: Vec<PageRow>) -> Result<Vec<WriteRow>>;
}
