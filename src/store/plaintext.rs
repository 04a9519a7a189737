//! Taking the plaintext of sealed fields out of a table, and giving its column back.
//! Owns the trait and its types. The order of these steps is the engine's (`engine/finalize.rs`); a
//! store makes each of them short, atomic and repeatable.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{KeyText, OpenTransaction, Result, Table};

/// The steps by which the plaintext leaves a table.
///
/// Contract: as [`Store`](super::Store). Each method works on all fields of `table`, and finds a
/// plaintext column under its registered name or under its hidden one. Statements that change the
/// table hold its strongest lock only briefly, and the store gives up, never the application.
#[async_trait]
pub trait Plaintext: Send + Sync {
    /// The sessions that hold the lock of a writer on the table now, each with the number of its
    /// transaction, and, without a number, those that may write to it. Empty in SQLite.
    async fn writers(&self, table: &Table) -> Result<Vec<OpenTransaction>>;

    /// The plaintext that is not sealed, by the transaction that wrote it; at most 1,000 of them.
    /// For in-place fields, values that are not in the sealed form. In SQLite one entry at most,
    /// without a transaction.
    async fn unsealed(&self, table: &Table) -> Result<Vec<UnsealedRows>>;

    /// Everything that depends on the plaintext columns, except phiseal's own objects.
    async fn plaintext_dependents(&self, table: &Table) -> Result<Vec<Dependent>>;

    /// From now on the guard takes no plaintext: in one transaction, hidden columns get their names
    /// back, the registry says that the
    /// fields are frozen, the plaintext columns lose default and NOT NULL, what they were is recorded
    /// ([`PlainDefinition`]), and the guard is made again if it is not the one it should be. What was
    /// recorded before is kept.
    async fn freeze(&self, table: &Table) -> Result<()>;

    /// Undoes [`Plaintext::freeze`], [`Plaintext::constrain`] and [`Plaintext::hide`]: hidden columns
    /// get their names back, the guard takes plaintext again, defaults come back, and NOT NULL where
    /// no row contradicts it. Returns the statements that are left for a person.
    async fn unfreeze(&self, table: &Table) -> Result<Vec<String>>;

    /// What must stay as it is from the freeze to the end; see [`FrozenState`].
    async fn frozen_state(&self, table: &Table) -> Result<FrozenState>;

    /// Deletes, in one row, the plaintext and the sealed value of the field at the position `field`,
    /// as an application does that seals; with `None`, every plaintext that is not sealed. For rows
    /// that a person gave up. Returns whether the row is there.
    async fn give_up(&self, table: &Table, field: Option<usize>, key: &KeyText) -> Result<bool>;

    /// Adds and validates the constraints that prove what is so far true: each plaintext has a sealed
    /// value (with `blank`: there is no plaintext), and each sealed value has the form of one. Carries
    /// NOT NULL over to the sealed column. Does nothing where they are there and valid. In SQLite,
    /// checks the same with one scan.
    ///
    /// # Errors
    /// [`StoreError::NotSealed`](super::StoreError::NotSealed) if a row contradicts one.
    async fn constrain(&self, table: &Table, blank: bool) -> Result<()>;

    /// Gives the plaintext columns of fields beside a name that nobody knows ([`hidden_name`]), and
    /// makes the guard for that name, in one transaction that first compares `state`. Returns the
    /// state afterwards; `None`, having done nothing, if the present state is another one than
    /// `state`. Columns that are hidden already stay so.
    async fn hide(&self, table: &Table, state: &FrozenState) -> Result<Option<FrozenState>>;

    /// Ends a finalize in one transaction: compares `state` under the lock, drops the plaintext columns of fields
    /// beside (with [`Removal::Blanked`], keeps them, after it looked that they are empty), makes the
    /// guard for what is left, sets the fields' state to finalized, and ends the procedure with the
    /// outcome `finalized`. Returns `false`, having done nothing, if the present state is another one.
    ///
    /// # Errors
    /// [`StoreError::NotSealed`](super::StoreError::NotSealed) if a plaintext is there that is not
    /// sealed, or, with [`Removal::Blanked`], any.
    async fn remove_plaintext(
        &self,
        table: &Table,
        removal: Removal,
        state: &FrozenState,
    ) -> Result<bool>;

    /// Makes the server forget its statistics of columns that were blanked; returns the names of
    /// columns of which it still shows values. Does nothing in SQLite.
    async fn forget_statistics(&self, table: &Table) -> Result<Vec<String>>;

    /// After a restore: makes NOT NULL of the plaintext columns as recorded, and returns the
    /// statements of the dependents that were recorded, for a person.
    async fn finish_plain_columns(&self, table: &Table) -> Result<Vec<String>>;
}

/// What becomes of a plaintext column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It is dropped.
    Dropped,
    /// It stays, with NULL in every row, and its guard refuses plaintext for good.
    Blanked,
}

/// What must stay as it is from the freeze to the end of a finalize. If it changed, rows may have been
/// written that no guard saw, so that everything begins again at the freeze.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrozenState {
    /// Identifies the guard of each relation of the table, its relations, and its key and tenant
    /// columns.
    pub guard: String,
    /// Identifies phiseal's constraints on each of them; empty if one is missing or not validated.
    pub constraints: String,
}

/// Plaintext values that are not sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsealedRows {
    /// The transaction that wrote the rows; empty in SQLite.
    pub transaction: String,
    /// How many rows.
    pub rows: u64,
}

/// An object that depends on a plaintext column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependent {
    /// `view`, `index`, `policy` …
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The label of the field.
    pub column: String,
    /// Whether the column cannot be dropped while it is there. Otherwise it goes with the column.
    pub blocks: bool,
    /// The statement that removes it, if one does.
    pub drop: Option<String>,
    /// The statement that makes it again, if one does.
    pub create: Option<String>,
}

/// What a plaintext column was before it was frozen, as the registry keeps it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlainDefinition {
    /// Its default, as SQL.
    pub default: Option<String>,
    /// NOT NULL.
    pub not_null: bool,
    /// Its comment.
    pub comment: Option<String>,
    /// Its collation, if it is not that of its type: qualified and quoted.
    pub collation: Option<String>,
    /// The whole declaration of the column (SQLite).
    pub declaration: Option<String>,
    /// The statements that make its dependents again.
    pub dependents: Vec<String>,
    /// Whether the sealed column took over NOT NULL.
    pub not_null_carried: bool,
    /// Whether the column was dropped.
    pub dropped: bool,
}

/// What the name of a hidden column begins with.
pub(crate) const HIDDEN: &str = "~phiseal_hidden_";

/// The name that a plaintext column has while it is hidden.
pub fn hidden_name(table_label: &str, column_label: &str) -> String {
    let digest = super::change::label_digest(&format!("{table_label}\0{column_label}"));
    format!("{HIDDEN}{}", hex::encode(digest))
}

/// The name of one of phiseal's constraints of a field: `sealed`, `form`, `blank`.
pub fn constraint_name(table_label: &str, column_label: &str, what: &str) -> String {
    let digest = super::change::label_digest(&format!("{table_label}\0{column_label}"));
    format!("phiseal_{what}_{}", hex::encode(digest))
}
