//! What rows of a table say before a run: how much is left to do, and which rows no run can write.
//! Owns the shapes only. Holds no values but the text of row keys, and those only of rows that are to be listed.

use super::Cursor;

/// What a look at all rows of a table found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Survey {
    /// The share of the rows that still needs to be sealed, from 0 to 1; `None` where nobody looked.
    pub left: Option<f64>,
    /// Rows whose key holds a value without a fixed form, by key column.
    pub formless: Vec<(String, u64)>,
    /// Rows with a value that break a constraint which was never validated, by constraint.
    pub violating: Vec<(String, u64)>,
}

/// A row that breaks a constraint: the server refuses to write it, and writes it into its log.
#[derive(Clone)]
pub struct Violator {
    /// Its key.
    pub key: Cursor,
    /// The constraint.
    pub constraint: String,
}
