//! What a table is: names, keys, fields, forms.
//! Owns the description, which is made once, from plan, catalog and registry, and holds no values.
//! What a step does with the table is in [`super::Access`].

use super::ColumnSwitch;
use crate::ident::{Ident, TableName};

/// A table with the fields that the plan names.
#[derive(Debug, Clone)]
pub struct Table {
    /// The table's present name.
    pub name: TableName,
    /// Its label, which never changes and is part of what each sealed value is bound to.
    pub label: String,
    /// The columns of the row key, in the order of registration.
    pub keys: Vec<KeyColumn>,
    /// The column that names the tenant.
    pub tenant: Option<Ident>,
    /// The fields.
    pub fields: Vec<TableField>,
    /// What the guard does about an untrusted change of a sealed value. `None` keeps the behaviour
    /// of the present guard; a new guard refuses the change.
    pub on_untrusted_seal: Option<UntrustedSeal>,
}

/// Which relations of a table a run works on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Scope {
    /// The table itself, or its present leaves.
    #[default]
    Attached,
    /// Also leaves that were detached and still exist.
    Detached,
    /// Only these, as [`crate::store::Catalog::relations`] names them.
    Only(Vec<String>),
}

/// What the guard does if an untrusted writer changes a sealed value but not its plaintext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UntrustedSeal {
    /// The statement fails.
    Refuse,
    /// The old value is kept without an error, for applications that write back every column they
    /// loaded.
    Undo,
}

impl Table {
    /// The labels of its fields, separated by `, `, as a procedure records them.
    pub fn column_labels(&self) -> String {
        let labels: Vec<&str> = self
            .fields
            .iter()
            .map(|field| field.label.as_str())
            .collect();
        labels.join(", ")
    }

    /// Whether a key's text can only be a number or a uuid, so that it is not PHI by itself.
    pub fn key_is_plain(&self) -> bool {
        self.keys
            .iter()
            .all(|key| matches!(key.kind, KeyKind::Int | KeyKind::Uuid))
    }

    /// The table once [`make_plain_columns`](crate::store::Catalog::make_plain_columns) has made its plaintext columns.
    pub fn with_plain_columns(&self) -> Self {
        let mut table = self.clone();
        for field in &mut table.fields {
            field.plain_exists = true;
        }
        table
    }

    /// The table once the new column of each of these blind indexes is there.
    pub fn with_next(&self, next: &[ColumnSwitch]) -> Self {
        let mut table = self.clone();
        for index in next {
            table.fields[index.field].index_next = Some(index.next.clone());
        }
        table
    }

    /// The table if the plaintext of its field `field` is in `column`.
    pub fn with_plaintext_in(&self, field: usize, column: Ident) -> Self {
        let mut table = self.clone();
        table.fields[field].column = column;
        table
    }
}

/// One column of the row key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyColumn {
    /// The column.
    pub name: Ident,
    /// How its value is encoded in the row key.
    pub kind: KeyKind,
    /// Its base type as a cast names it (`bpchar`, `"public"."citext"`); empty in SQLite.
    pub cast: String,
    /// The schema of that type, if it is not the server's own.
    pub type_schema: Option<Ident>,
}

/// How a key value is encoded in the row key (docs/FORMAT.md, "Row key").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Any integer.
    Int,
    /// uuid.
    Uuid,
    /// text, varchar, citext, char(n).
    Text,
    /// numeric.
    Numeric,
    /// date.
    Date,
    /// timestamp, timestamptz.
    Timestamp,
    /// bytea.
    Bytes,
    /// boolean.
    Bool,
    /// By the storage class of each value (SQLite).
    ByClass,
}

impl KeyKind {
    /// The tag letter that the registry stores.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Int => "i",
            Self::Uuid => "u",
            Self::Text => "t",
            Self::Numeric => "n",
            Self::Date => "d",
            Self::Timestamp => "z",
            Self::Bytes => "b",
            Self::Bool => "o",
            Self::ByClass => "*",
        }
    }
}

/// One field with all its columns.
#[derive(Debug, Clone)]
pub struct TableField {
    /// The plaintext column; for an in-place field, its only column.
    pub column: Ident,
    /// Its label, which never changes.
    pub label: String,
    /// The plaintext's type as SQL writes it, with its modifiers (`varchar(11)`, `date`).
    pub source_type: String,
    /// Whether the plaintext is bytes (bytea, BLOB), not text.
    pub plain_is_bytes: bool,
    /// Whether `octet_length` gives the size of a value without building its text.
    pub plain_is_varlena_text: bool,
    /// Where the sealed value is stored.
    pub sealed: Sealed,
    /// The blind index column.
    pub index: Option<Ident>,
    /// The column that takes the new blind index while its key is rotated.
    pub index_next: Option<Ident>,
    /// Whether the blind index is unique.
    pub index_unique: bool,
    /// Whether the plaintext column exists. It may not after finalize, or before a restore.
    pub plain_exists: bool,
}

/// Where the sealed value of a field is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sealed {
    /// In a column beside the plaintext.
    Beside {
        /// The sealed column.
        column: Ident,
        /// Whether it is a text column, which takes the text form.
        text: bool,
    },
    /// In the field's own column, in text form.
    InPlace,
}

impl Sealed {
    /// The sealed column, if it is beside the plaintext.
    pub(crate) fn beside(&self) -> Option<&Ident> {
        match self {
            Self::Beside { column, .. } => Some(column),
            Self::InPlace => None,
        }
    }
}
