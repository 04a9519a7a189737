//! Registered fields, and the relations that hold their values.

use crate::ident::TableName;
use crate::words::word_enum;

word_enum! {
    /// The state of a field, in the order of its life.
    FieldState {
        /// It is in the plan and in the registry.
        Declared = "declared",
        /// Its columns and its guard exist.
        Prepared = "prepared",
        /// A backfill has begun.
        Sealing = "sealing",
        /// A sweep found no row left to seal.
        Sealed = "sealed",
        /// Every value was opened and compared.
        Verified = "verified",
        /// In-place field: every value opens.
        Opened = "opened",
        /// A validated constraint proves that no plaintext is left.
        Finalized = "finalized",
        /// No plaintext was found in the database files.
        Scrubbed = "scrubbed",
        /// Restored to plaintext, and no longer sealed.
        Restored = "restored",
        /// A person declared that its column or table is gone for good.
        Forgotten = "forgotten",
    }
}

impl FieldState {
    /// Whether values of the field may be sealed: from the preparation until the last value is
    /// restored.
    pub fn may_hold_seals(self) -> bool {
        !matches!(self, Self::Declared | Self::Restored | Self::Forgotten)
    }

    /// Whether a field may move from this state to `next`. Every field may be forgotten, and a state
    /// may be set again.
    pub fn may_become(self, next: Self) -> bool {
        let to: &[Self] = match self {
            Self::Declared | Self::Restored | Self::Forgotten => &[
                Self::Declared,
                Self::Prepared,
                Self::Sealing,
                Self::Restored,
            ],
            Self::Prepared => &[Self::Sealing, Self::Restored],
            Self::Sealing | Self::Sealed | Self::Verified | Self::Opened => &[
                Self::Sealing,
                Self::Sealed,
                Self::Verified,
                Self::Opened,
                Self::Finalized,
                Self::Restored,
            ],
            // Without a plaintext nothing can be sealed again; a restore makes one.
            Self::Finalized => &[Self::Sealed, Self::Scrubbed, Self::Restored],
            Self::Scrubbed => &[Self::Sealed, Self::Restored],
        };
        self == next || next == Self::Forgotten || to.contains(&next)
    }
}

/// How the table of a registered field was found. The names in the [`FieldRecord`] are the present
/// ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Found {
    /// By its number in this database, or the equivalent in SQLite.
    Known,
    /// By its guard only: this is not the database that was recorded.
    Guarded,
    /// By its name only: nothing was recorded, and no table has its guard.
    #[default]
    Named,
    /// Not decided: several tables have its guard.
    Several(Vec<TableName>),
    /// Not at all: the recorded table is not in this database any more.
    Gone,
}

/// How a field was found, beyond its names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whereabouts {
    /// How its table was found.
    pub found: Found,
    /// Names that changed since they were recorded: the old one and the present one.
    pub renames: Vec<(String, String)>,
    /// The plaintext column was dropped, not renamed.
    pub plain_dropped: bool,
    /// The column that held its sealed values was dropped, not renamed.
    pub holder_dropped: bool,
}

/// A registered field (`encrypted_field_metadata`), with the present names of its table and
/// columns.
#[derive(Debug, Clone)]
pub struct FieldRecord {
    /// The label of the table.
    pub table_label: String,
    /// The label of the column.
    pub column_label: String,
    /// The name of the schema; empty in SQLite.
    pub schema_name: String,
    /// The name of the table.
    pub table_name: String,
    /// The name of the plaintext column.
    pub column_name: String,
    /// The name of the sealed column; `None` for an in-place field.
    pub sealed_column: Option<String>,
    /// The name of the blind index column.
    pub blind_index_column: Option<String>,
    /// The normaliser of the blind index.
    pub blind_index_normaliser: Option<String>,
    /// The length of the blind index, in bits.
    pub blind_index_bits: Option<i32>,
    /// The column that takes the new blind index while its key is rotated.
    pub blind_index_next: Option<String>,
    /// The key of the blind index, if the table has no tenants.
    pub blind_index_key_id: Option<i64>,
    /// The name of the tenant column.
    pub tenant_column: Option<String>,
    /// The key columns, in the order of registration.
    pub key_columns: Vec<String>,
    /// The row key tags of the key columns.
    pub key_types: Vec<String>,
    /// The plaintext's type as SQL writes it.
    pub source_type: String,
    /// Whether the field is sealed in place, not in a column beside the plaintext.
    pub in_place: bool,
    /// The size to which values are padded, in bytes; 0 for no padding.
    pub pad_to: u32,
    /// The state of the field.
    pub state: FieldState,
    /// Whether its guard takes no plaintext any more.
    pub frozen: bool,
    /// What its plaintext column was before it was removed, as JSON text.
    pub plaintext_definition: String,
    /// The number of values that finished runs have sealed.
    pub values_sealed: i64,
    /// How its table was found.
    pub place: Whereabouts,
}

/// A relation that holds, or once held, sealed values of a table (`sealed_relations`), in its
/// present state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationRecord {
    /// The table's label.
    pub table_label: String,
    /// Whether it is the table itself or the root of its partitions, and not one of the leaves.
    pub root: bool,
    /// Its recorded name.
    pub recorded: TableName,
    /// Its present name; `None` if it no longer exists.
    pub now: Option<TableName>,
    /// Whether it is the table or one of its partitions now. A detached partition keeps its sealed
    /// values.
    pub attached: bool,
    /// Why its sealed values may be older than their plaintext; `None` without a gap.
    pub gap: Option<String>,
    /// What is wrong with its guard, one message each.
    pub faults: Vec<String>,
}

/// A relation whose sealed values must be compared with their plaintext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The relation, qualified and quoted, as [`crate::store::Catalog::relations`] names it.
    pub relation: String,
    /// Its present guard. If it has another one later, the comparison did not cover every write.
    pub guard: String,
    /// Why it has a gap.
    pub reason: String,
    /// Whether it is the table or one of its leaves now, and not a detached one.
    pub attached: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_moves_along_its_life_and_never_past_a_missing_plaintext() {
        use FieldState::*;
        for (from, to) in [
            (Declared, Sealing),
            (Sealing, Sealed),
            (Sealed, Verified),
            (Verified, Sealing),
            (Verified, Finalized),
            (Finalized, Scrubbed),
            (Finalized, Sealed),
            (Scrubbed, Restored),
            (Restored, Sealing),
        ] {
            assert!(from.may_become(to), "{from} to {to}");
        }
        for (from, to) in [
            (Declared, Sealed),
            (Declared, Verified),
            (Restored, Verified),
            (Finalized, Sealing),
            (Finalized, Verified),
            (Scrubbed, Sealing),
            (Scrubbed, Finalized),
            (Forgotten, Finalized),
        ] {
            assert!(!from.may_become(to), "{from} to {to}");
        }
        for state in FieldState::ALL {
            assert!(
                state.may_become(state) && state.may_become(Forgotten),
                "{state}"
            );
        }
    }
}
