//! The relations that hold sealed values, and the gaps of their guards.
//! Owns the trait; its types are in `record`.

use async_trait::async_trait;

use super::{Gap, RelationRecord, Result, Table};

/// The table `sealed_relations`, compared with what the database has now.
///
/// Contract: as [`Store`](super::Store).
#[async_trait]
pub trait SealedRelations: Send + Sync {
    /// The relations that hold, or once held, sealed values of registered tables. Includes leaf
    /// partitions that are not recorded yet.
    async fn sealed_relations(&self) -> Result<Vec<RelationRecord>>;

    /// Records the relations of a registered table and the guard of each. If a relation's guard is
    /// not the one recorded last, a gap begins: its sealed values may be of an older plaintext.
    async fn note_relations(&self, table: &Table) -> Result<()>;

    /// The relations of the table that have a gap, as [`SealedRelations::note_relations`] recorded them.
    async fn gaps(&self, table: &Table) -> Result<Vec<Gap>>;

    /// Records a gap for every relation of the table.
    async fn open_gaps(&self, table_label: &str, reason: &str) -> Result<()>;

    /// Records that every sealed value of these relations was compared, and that those which
    /// differed were sealed again. A relation whose guard has changed since keeps its gap. Returns
    /// the relations that keep it.
    async fn close_gaps(&self, table_label: &str, compared: &[Gap]) -> Result<Vec<String>>;

    /// Records that every sealed value of the database was opened and compared. This closes what
    /// [`ServerFacts::guard_gaps`](crate::store::ServerFacts::guard_gaps) reports.
    async fn all_verified(&self) -> Result<()> {
        Ok(())
    }

    /// Marks fields as forgotten for good. With the last field of a table, its guard is dropped and
    /// its recorded relations are released.
    async fn forget_fields(&self, table_label: &str, columns: &[String]) -> Result<()>;

    /// Binds the label to another table, forgets the table it was bound to before, and records a
    /// gap, so that the sealed values are compared.
    async fn rebind(&self, table: &Table) -> Result<()>;
}
