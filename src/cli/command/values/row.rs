//! A row, whatever it was written as: what it says of a column, and how it is written with its results.

use std::borrow::Cow;

use zeroize::Zeroizing;

use super::error::ValuesError;
use super::json_row;

/// What a row says of a column.
#[derive(Clone, PartialEq, Eq)]
pub enum Given<'a> {
    /// NULL.
    Null,
    /// A text; in CSV every value.
    Text(Cow<'a, str>),
    /// A number of JSON, as it is written.
    Number(&'a str),
    /// An object or array of JSON, as it is written.
    Nested(&'a str),
}

/// A column of the result, NULL if it has no text.
pub type Cell = (String, Option<Zeroizing<String>>);

/// One row of the input.
pub trait Row {
    /// What it says of a column; `None` if it has no such column.
    ///
    /// # Errors
    /// The row is not one of its format.
    fn get(&self, column: &str) -> Result<Option<Given<'_>>, ValuesError>;

    /// Appends the row with the results in the place of the column `source`. Other columns with a name
    /// of a result are left out. `failed` is the code of its error, if it has one.
    fn write(&self, source: &str, results: &[Cell], failed: Option<&str>, out: &mut Vec<u8>);
}

/// The name of the column that marks a row that failed.
pub const MARK: &str = "phiseal_error";

/// The row of one value, which the arguments name.
pub struct OneValue<'a> {
    /// The column of the value.
    pub source: String,
    /// The value.
    pub value: Zeroizing<String>,
    /// The other columns.
    pub named: &'a [(String, String)],
}

impl Row for OneValue<'_> {
    fn get(&self, column: &str) -> Result<Option<Given<'_>>, ValuesError> {
        if column == self.source {
            return Ok(Some(Given::Text(self.value.as_str().into())));
        }
        let named = self.named.iter().find(|(name, _)| name == column);
        Ok(named.map(|(_, value)| Given::Text(value.as_str().into())))
    }

    fn write(&self, _: &str, results: &[Cell], _: Option<&str>, out: &mut Vec<u8>) {
        let text = |text: &str| Some(Zeroizing::new(text.to_owned()));
        let mut cells: Vec<Cell> = (self.named.iter())
            .map(|(name, value)| (name.clone(), text(value)))
            .collect();
        cells.extend(results.iter().cloned());
        json_row::write_object(&cells, out);
    }
}
