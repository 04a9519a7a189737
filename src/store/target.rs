//! One table as a run works on it: names, keys, fields, forms.
//! Owns the physical description that the stores build their SQL from, resolved once from plan,
//! catalog and registry. Holds no values.

use crate::ident::{Ident, TableName};

/// What a run works on.
#[derive(Debug, Clone)]
pub struct Target {
    /// The table's physical name.
    pub table: TableName,
    /// Its label: frozen at registration, part of every sealed value.
    pub label: String,
    /// The row key's columns, in the frozen order.
    pub keys: Vec<KeyColumn>,
    /// The column that names the tenant.
    pub tenant: Option<Ident>,
    /// The fields.
    pub fields: Vec<FieldTarget>,
    /// Run with the table's own UPDATE triggers suppressed (replica role).
    pub suppress_triggers: bool,
    /// The table's own UPDATE triggers fire, under the application's own search path.
    pub triggers_fire: bool,
    /// A marker of the program that works (`SET LOCAL` limits), in milliseconds.
    pub lock_timeout_ms: u32,
    /// Which of its relations are worked on.
    pub scope: Scope,
    /// What the guard does about an untrusted change of a seal; `None` keeps what the guard does that
    /// is there, and refuses where there is none.
    pub on_untrusted_seal: Option<UntrustedSeal>,
}

/// Which relations of a table a run works on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Scope {
    /// The table, or the leaves it has now.
    #[default]
    Attached,
    /// Also leaves that were detached, as long as they are there.
    Detached,
    /// Only these, named as [`crate::store::Store::relations`] names them.
    Only(Vec<String>),
}

/// What the guard does where a writer that is not trusted changes a sealed value and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UntrustedSeal {
    /// The statement fails.
    Refuse,
    /// The value stays as it was, and the writer learns nothing: for applications that write every
    /// column back that they once loaded.
    Undo,
}

impl Target {
    /// Whether the text of a key can only be a number or a uuid, and so is no PHI by itself.
    pub fn key_is_plain(&self) -> bool {
        self.keys
            .iter()
            .all(|key| matches!(key.kind, KeyKind::Int | KeyKind::Uuid))
    }

    /// Whether any field is sealed in place.
    pub fn in_place(&self) -> bool {
        self.fields
            .iter()
            .any(|field| field.sealed == Sealed::InPlace)
    }
}

/// One column of the row key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyColumn {
    /// The column.
    pub name: Ident,
    /// How its value enters the row key.
    pub kind: KeyKind,
    /// Its base type as a cast would name it (`bpchar`, `"public"."citext"`); empty in SQLite.
    pub cast: String,
    /// The schema of that type, where it is not the server's own.
    pub type_schema: Option<Ident>,
}

/// How a key value enters the row key (docs/FORMAT.md, "Row key").
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
    /// SQLite: by the storage class of each value.
    ByClass,
}

impl KeyKind {
    /// The tag letter as kept in the registry.
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

/// One field as a run works on it.
#[derive(Debug, Clone)]
pub struct FieldTarget {
    /// The plaintext column (in place: the column).
    pub column: Ident,
    /// Its label: frozen at registration.
    pub label: String,
    /// The plaintext's type as SQL would write it, with its modifiers (`varchar(11)`, `date`).
    pub source_type: String,
    /// Whether the plaintext is bytes (bytea, BLOB) and not text.
    pub plain_is_bytes: bool,
    /// Whether `octet_length` knows the size of a value without building its text.
    pub plain_is_varlena_text: bool,
    /// Where the sealed value goes.
    pub sealed: Sealed,
    /// The blind index column.
    pub index: Option<Ident>,
    /// The column that takes the new blind index while its key is rotated.
    pub index_next: Option<Ident>,
    /// Whether the blind index is to be unique.
    pub index_unique: bool,
    /// The plaintext column exists (it may be gone after finalize, or before a restore).
    pub plain_exists: bool,
}

/// Where the sealed value of a field goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sealed {
    /// Into a column beside the plaintext.
    Beside {
        /// The column.
        column: Ident,
        /// It is a text column, and takes the text form.
        text: bool,
    },
    /// Into the same column, in text form.
    InPlace,
}
