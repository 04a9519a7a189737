//! Why `open` and `seal` stop, or pass over a row. A message names columns, never a value.

use std::io;

use crate::error::coded;
use crate::keys::KeyError;
use crate::sealer::ValueError;

coded! {
    /// Why a stream of values ends, or a row of it fails.
    #[derive(Debug, thiserror::Error)]
    pub enum ValuesError, exit: Usage {
        /// Not exactly one table is named.
        OneTable = "E0151"("this works on one column of one table"),
            hint: "name the table with one --table, by its name or label: `phiseal fields list` shows them";
        /// Not exactly one field has this name.
        Field {
            /// The field, as it was asked for.
            field: String,
            /// How many have it.
            found: usize,
        } = "E0152"("{}", found_fields(field, *found)),
            hint: "see `phiseal fields list`: name a table with its schema or by its label; a column is registered by its first `phiseal backfill`";
        /// An argument of `--row` is not `NAME=VALUE`.
        RowArgument = "E0153"("--row is not written as NAME=VALUE"),
            hint: "give it once for each key column, and for the tenant column: --row id=42";
        /// The rows lack a column.
        NoColumn {
            /// Its name.
            column: String,
        } = "E0154"("there is no {column} in it"),
            hint: "each row needs the key columns, the tenant column if the table has one, and the column to work on";
        /// The line is not a row.
        NotARow {
            /// What it is not.
            what: String,
        } = "E0155"("{what}"),
            hint: "give one JSON object a line, or CSV with a header as psql's COPY ... TO STDOUT CSV HEADER writes it";
        /// A value of a key column or of the tenant column is not one.
        Key {
            /// The column.
            column: String,
            /// What is wrong with it.
            what: &'static str,
        } = "E0156"("{column} {what}"),
            hint: "give key columns as psql prints them: timestamps as YYYY-MM-DD HH:MM:SS with their zone, bytea as \\x and hex digits";
        /// stdin cannot be read.
        Input {
            /// Why.
            kind: io::ErrorKind,
        } = "E0157"("stdin cannot be read: {kind}"),
            hint: "what was read before is done; run it again with the other rows";
        /// stdout cannot be written.
        Output {
            /// Why.
            kind: io::ErrorKind,
        } = "E0158"("stdout cannot be written: {kind}"),
            hint: "see where it goes: whether the program that reads it has ended, or the disk is full";
        /// The value is not written as one of its column's type.
        Form {
            /// The column.
            column: String,
            /// What it is not.
            what: &'static str,
        } = "E0159"("{column} is not {what}"),
            hint: "bytes are \\x and hex digits; a sealed value is that, or begins with ps1.; a text is a string in JSON";
        /// The value cannot be opened or sealed.
        Value(#[from] error: ValueError) = error(transparent);
    }
}

fn found_fields(field: &str, found: usize) -> String {
    match found {
        0 => format!("no sealed column {field} is registered"),
        _ => format!("{found} sealed columns are called {field}"),
    }
}

impl ValuesError {
    /// Whether the key that a sealed value names is not among those that are loaded.
    pub fn is_unknown_key(&self) -> bool {
        matches!(
            self,
            Self::Value(ValueError::Key(
                KeyError::Unknown { .. } | KeyError::NeverActivated { .. }
            ))
        )
    }
}

pub fn no_column(column: &str) -> ValuesError {
    ValuesError::NoColumn {
        column: column.to_owned(),
    }
}

pub fn not_a_row(what: impl Into<String>) -> ValuesError {
    ValuesError::NotARow { what: what.into() }
}
