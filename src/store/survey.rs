//! What a look at a table's rows shows before a run: how much is left to do, and which rows no run
//! can write.
//! Owns the types only. They hold no values except the text of row keys, and that only of rows that
//! are to be listed.

use super::KeyText;

/// The result of looking at all rows of a table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Survey {
    /// The share of the rows that still need to be sealed, from 0 to 1; `None` if it was not
    /// determined.
    pub left: Option<f64>,
    /// For each key column, the number of rows whose key value has no fixed form.
    pub formless: Vec<(String, u64)>,
    /// For each constraint that was never validated, the number of rows that break it and have a
    /// value to seal.
    pub violating: Vec<(String, u64)>,
}

/// A row that breaks a constraint: the server refuses to write it, and may show it in its log.
#[derive(Clone)]
pub struct Violator {
    /// The row's key.
    pub key: KeyText,
    /// The constraint that it breaks.
    pub constraint: String,
}
