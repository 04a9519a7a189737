//! The key table as an application reads it, over whatever connections it has.
//! Owns the columns that are read, and what a row of them becomes. The SQL is in [`crate::sql`].

use std::fmt;

use super::cache::LoadError;
use super::key::{ALGORITHM, KeyRecord};
use crate::crypto::KeyId;

/// An error of the application's database driver.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Where a [`KeyCache`](super::KeyCache) reads the keys from: a few lines over a pool of the application.
///
/// With sqlx, on PostgreSQL:
#[cfg_attr(feature = "postgres", doc = "```")]
#[cfg_attr(not(feature = "postgres"), doc = "```ignore")]
/// use phiseal::keys::{BoxError, KeyColumns, KeyRow, KeySource};
///
/// struct Pool(sqlx::PgPool);
///
/// impl KeySource for Pool {
///     async fn key_rows(&self) -> Result<Vec<KeyRow>, BoxError> {
///         let rows: Vec<KeyColumns> = sqlx::query_as(phiseal::sql::KEYS).fetch_all(&self.0).await?;
///         Ok(rows.into_iter().map(KeyRow::from).collect())
///     }
/// }
/// ```
///
/// With tokio-postgres:
/// ```ignore
/// impl KeySource for Client {
///     async fn key_rows(&self) -> Result<Vec<KeyRow>, BoxError> {
///         let rows = self.0.query(phiseal::sql::KEYS, &[]).await?;
///         let row = |r: tokio_postgres::Row| KeyRow {
///             key_id: r.get(0), tenant: r.get(1), purpose: r.get(2), version: r.get(3), status: r.get(4),
///             kek_ref: r.get(5), wrapped_key: r.get(6), check_value: r.get(7),
///         };
///         Ok(rows.into_iter().map(row).collect())
///     }
/// }
/// ```
pub trait KeySource: Send + Sync {
    /// All rows of [`sql::KEYS`](crate::sql::KEYS) or [`sql::KEYS_SQLITE`](crate::sql::KEYS_SQLITE). Its
    /// connection must not be within a transaction: keys that were made since would not be seen.
    fn key_rows(&self) -> impl Future<Output = Result<Vec<KeyRow>, BoxError>> + Send;
}

/// The columns of [`sql::KEYS`](crate::sql::KEYS), in their order.
pub type KeyColumns = (
    i64,
    String,
    String,
    i32,
    String,
    String,
    Option<Vec<u8>>,
    Vec<u8>,
);

/// A row of `encryption_keys`, as far as sealing and opening need it.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// The key's id.
    pub key_id: i64,
    /// The tenant; empty for tables without one.
    pub tenant: String,
    /// `cell` or `blind_index`.
    pub purpose: String,
    /// Numbers the keys of one tenant and purpose, from 1.
    pub version: i32,
    /// The word of a [`KeyStatus`](super::KeyStatus).
    pub status: String,
    /// The reference of the wrapping key.
    pub kek_ref: String,
    /// The wrapped data key; `None` once it is destroyed.
    pub wrapped_key: Option<Vec<u8>>,
    /// The key's check value, 32 bytes.
    pub check_value: Vec<u8>,
}

impl From<KeyColumns> for KeyRow {
    fn from(columns: KeyColumns) -> Self {
        let (key_id, tenant, purpose, version, status, kek_ref, wrapped_key, check_value) = columns;
        Self {
            key_id,
            tenant,
            purpose,
            version,
            status,
            kek_ref,
            wrapped_key,
            check_value,
        }
    }
}

impl From<KeyRecord> for KeyRow {
    fn from(record: KeyRecord) -> Self {
        Self {
            key_id: record.key_id.get().into(),
            tenant: record.tenant,
            purpose: record.purpose.as_str().to_owned(),
            version: record.version,
            status: record.status.as_str().to_owned(),
            kek_ref: record.kek_ref,
            wrapped_key: record.wrapped_key,
            check_value: record.check_value,
        }
    }
}

impl TryFrom<KeyRow> for KeyRecord {
    type Error = LoadError;

    fn try_from(row: KeyRow) -> Result<Self, LoadError> {
        let key_id = row.key_id;
        let not = |what| LoadError::Row { key_id, what };
        Ok(Self {
            key_id: KeyId::new(key_id).ok_or_else(|| not("key_id"))?,
            tenant: row.tenant,
            purpose: row.purpose.parse().map_err(|_| not("purpose"))?,
            version: row.version,
            algorithm: ALGORITHM.to_owned(),
            status: row.status.parse().map_err(|_| not("status"))?,
            kek_ref: row.kek_ref,
            wrapped_key: row.wrapped_key,
            check_value: row.check_value,
            created_at: String::new(),
            activated_at: None,
            deactivated_at: None,
            compromised_at: None,
            destroyed_at: None,
            rotation_due_at: None,
            created_by: String::new(),
            reason: None,
        })
    }
}

/// The records of rows.
///
/// # Errors
/// [`LoadError::Row`] for the first row that holds what no key has.
pub(super) fn records(rows: Vec<KeyRow>) -> Result<Vec<KeyRecord>, LoadError> {
    rows.into_iter().map(KeyRecord::try_from).collect()
}

impl fmt::Debug for KeyRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRow")
            .field("key_id", &self.key_id)
            .field("purpose", &self.purpose)
            .field("version", &self.version)
            .field("status", &self.status)
            .field("kek_ref", &self.kek_ref)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Coded;
    use crate::keys::KeyStatus;

    fn row() -> KeyRow {
        KeyRow::from((
            7,
            "clinic-7".to_owned(),
            "cell".to_owned(),
            2,
            "deactivated".to_owned(),
            "wk:0011223344556677".to_owned(),
            Some(vec![0xE8, 0x01]),
            vec![5; 32],
        ))
    }

    #[test]
    fn a_row_becomes_the_record_that_it_is_a_part_of() {
        let record = KeyRecord::try_from(row()).unwrap();
        assert_eq!((record.key_id.get(), record.version), (7, 2));
        assert_eq!(record.tenant, "clinic-7");
        assert_eq!(record.status, KeyStatus::Deactivated);
        assert_eq!(record.wrapped_key, Some(vec![0xE8, 0x01]));
        assert_eq!(record.check_value, [5; 32]);
        assert_eq!(KeyRow::from(record), row());
    }

    #[test]
    fn a_row_that_no_key_has_is_refused_by_its_column() {
        for (spoil, what) in [
            ((|row| row.key_id = 0) as fn(&mut KeyRow), "key_id"),
            (|row| row.key_id = 1 << 31, "key_id"),
            (|row| row.purpose = "wrap".to_owned(), "purpose"),
            (|row| row.status = "ACTIVE".to_owned(), "status"),
        ] {
            let mut row = row();
            spoil(&mut row);
            let refused = KeyRecord::try_from(row).unwrap_err();
            assert_eq!(refused.code(), "E0329");
            assert!(refused.message().contains(what), "{}", refused.message());
        }
    }

    #[test]
    fn debug_shows_neither_the_wrapped_key_nor_the_tenant() {
        let shown = format!("{:?}", row());
        assert!(
            shown.contains("key_id: 7") && !shown.contains("232"),
            "{shown}"
        );
        assert!(!shown.contains("clinic"), "{shown}");
    }
}
