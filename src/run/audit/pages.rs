//! Reads the audit log page by page, in the order of its numbers.
//! Anyone may have written the rows, so it also reads numbers that no appender gives.

use crate::store::{AuditRow, Store, StoreError};

const PAGE: u32 = 1000;

/// The rows of the audit log that are still to be read.
pub struct Pages {
    /// The number to begin with; `None` at the end.
    from: Option<i64>,
}

impl Pages {
    /// Every row.
    #[must_use]
    pub const fn all() -> Self {
        Self::from(i64::MIN)
    }

    /// The rows from this number on.
    #[must_use]
    pub const fn from(number: i64) -> Self {
        Self { from: Some(number) }
    }

    /// The next rows; none at the end of the log.
    ///
    /// # Errors
    /// What the store reports.
    pub async fn next(&mut self, store: &dyn Store) -> Result<Vec<AuditRow>, StoreError> {
        let Some(from) = self.from else {
            return Ok(Vec::new());
        };
        let rows = store.audit_entries(from, PAGE).await?;
        self.from = rows.last().and_then(|row| row.entry_id.checked_add(1));
        Ok(rows)
    }
}
