//! What one step reads and writes in a table: its relations, its columns and its triggers.
//! Owns which column of a row has which role. The table's description ([`Table`]) says what is
//! there; a step makes its access from it, and the stores make their statements from the access.

use std::sync::Arc;

use super::{Scope, Sealed, Table, TableField};
use crate::ident::Ident;

/// How one step reads and writes a table.
#[derive(Debug, Clone)]
pub struct Access {
    /// The table.
    pub table: Arc<Table>,
    /// Which of its relations the step works on.
    pub scope: Scope,
    /// The columns of each cell of a row, in the order of [`super::PageRow::cells`].
    pub cells: Vec<CellAccess>,
    /// Which of these columns a page returns.
    pub reads: ColumnsRead,
    /// What happens to the table's own UPDATE triggers during a write.
    pub triggers: Triggers,
    /// How long a write waits for a lock, in milliseconds (`lock_timeout`).
    pub lock_timeout_ms: u32,
}

/// The columns of one cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellAccess {
    /// The label of the field.
    pub label: String,
    /// The column whose values the step works on: mostly the plaintext.
    pub source: SourceColumn,
    /// Where the value that belongs to the source is read and written: mostly the sealed value.
    /// `None` if the step does neither.
    pub sealed: Option<Sealed>,
    /// The blind index column that is read and written.
    pub index: Option<Ident>,
}

/// A column that a step takes values from, or restores them to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceColumn {
    /// The column.
    pub name: Ident,
    /// Its type as SQL writes it, with its modifiers.
    pub sql_type: String,
    /// Whether its values are bytes (bytea, BLOB), not text.
    pub is_bytes: bool,
    /// Whether `octet_length` gives the size of a value without building its text.
    pub is_varlena_text: bool,
    /// Whether the column exists. It may not after finalize.
    pub exists: bool,
}

impl SourceColumn {
    /// The type whose form its values have, as [`crate::crypto::plaintext::check`] takes it.
    pub fn form(&self) -> &str {
        match (self.is_bytes, self.is_varlena_text) {
            (true, _) => "bytea",
            // A SQLite column of any type can hold text.
            (false, true) => "text",
            (false, false) => &self.sql_type,
        }
    }
}

/// Which columns of the cells a page returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnsRead {
    /// The source. For [`super::Select::Unsealed`] only if it is not sealed yet.
    pub source: bool,
    /// The sealed value.
    pub sealed: bool,
    /// The blind index.
    pub index: bool,
}

/// What happens to the table's own UPDATE triggers while the engine writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Triggers {
    /// The table has none. One that was created since ends the run.
    #[default]
    None,
    /// They are suppressed (`session_replication_role`).
    Suppressed,
    /// They fire, under the application's search path.
    Fire,
}

impl Access {
    /// Reads plaintext and sealed values, and writes both and the blind indexes.
    pub fn of(table: impl Into<Arc<Table>>) -> Self {
        let table = table.into();
        Self {
            scope: Scope::Attached,
            cells: table.fields.iter().map(CellAccess::of).collect(),
            reads: ColumnsRead {
                source: true,
                sealed: true,
                index: false,
            },
            triggers: Triggers::None,
            lock_timeout_ms: 0,
            table,
        }
    }

    /// Reads the sources only, as if nothing were sealed, and writes nothing.
    pub fn sources_only(self) -> Self {
        let unsealed = |cell| CellAccess {
            sealed: None,
            index: None,
            ..cell
        };
        Self {
            cells: self.cells.into_iter().map(unsealed).collect(),
            reads: ColumnsRead {
                source: true,
                sealed: false,
                index: false,
            },
            ..self
        }
    }

    /// Neither reads nor writes blind indexes.
    pub fn without_indexes(self) -> Self {
        let bare = |cell| CellAccess {
            index: None,
            ..cell
        };
        Self {
            cells: self.cells.into_iter().map(bare).collect(),
            ..self
        }
    }

    /// Whether any field is sealed in place.
    pub fn in_place(&self) -> bool {
        self.cells.iter().any(CellAccess::in_place)
    }
}

impl CellAccess {
    /// The columns of a field in their own roles.
    pub fn of(field: &TableField) -> Self {
        Self {
            label: field.label.clone(),
            source: SourceColumn {
                name: field.column.clone(),
                sql_type: field.source_type.clone(),
                is_bytes: field.plain_is_bytes,
                is_varlena_text: field.plain_is_varlena_text,
                exists: field.plain_exists,
            },
            sealed: Some(field.sealed.clone()),
            index: field.index.clone(),
        }
    }

    /// Takes the sealed column as the source, and the blind index column `index` as what belongs to
    /// it.
    pub fn index_of(field: &TableField, index: &Ident) -> Self {
        let (name, is_bytes) = match &field.sealed {
            Sealed::Beside { column, text } => (column.clone(), !text),
            Sealed::InPlace => (field.column.clone(), false),
        };
        Self {
            label: field.label.clone(),
            source: SourceColumn {
                name,
                sql_type: if is_bytes { "bytea" } else { "text" }.to_owned(),
                is_bytes,
                is_varlena_text: true,
                exists: true,
            },
            sealed: Some(Sealed::Beside {
                column: index.clone(),
                text: false,
            }),
            index: None,
        }
    }

    /// Whether the sealed value takes the place of the source.
    pub fn in_place(&self) -> bool {
        self.sealed == Some(Sealed::InPlace)
    }

    /// The column beside the source that holds the sealed value.
    pub fn beside(&self) -> Option<&Ident> {
        match &self.sealed {
            Some(Sealed::Beside { column, .. }) => Some(column),
            Some(Sealed::InPlace) | None => None,
        }
    }

    /// Whether the sealed value is in text form.
    pub fn is_text(&self) -> bool {
        !matches!(self.sealed, Some(Sealed::Beside { text: false, .. }))
    }
}
