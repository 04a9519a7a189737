//! A range of keys or rowids, as the condition of a statement.
//! Owns where the range begins and ends in the order of the key's index, including NULL keys.

use sqlx::sqlite::SqliteConnection;

use super::key_value::{self, KeyValue};
use super::select::Shape;
use super::sql::{Bind, scalar};
use crate::store::text::joined;
use crate::store::{KeyText, Result};

/// A range of keys or rowids as a condition.
#[derive(Clone)]
pub(super) struct KeyRange {
    conditions: Vec<String>,
    binds: Vec<Bind>,
    nulls: Option<String>,
}

impl KeyRange {
    /// Keys greater than `after`, up to `upto`.
    pub(super) async fn new(
        conn: &mut SqliteConnection,
        shape: &Shape,
        after: Option<&KeyText>,
        upto: Option<&KeyText>,
    ) -> Result<Self> {
        let key = |cursor: Option<&KeyText>| {
            let key = cursor.map(|cursor| key_value::values(cursor, shape.keys.len()));
            key.transpose()
        };
        let (after, upto) = (key(after)?, key(upto)?);
        let mut range = Self {
            conditions: Vec::new(),
            binds: Vec::new(),
            nulls: None,
        };
        // NULL keys come first in the index's order, so after other keys there are none.
        if after
            .as_ref()
            .is_none_or(|key| key.contains(&KeyValue::Null))
        {
            range.nulls = null_keys(conn, shape).await?;
        }
        if let Some(after) = &after {
            let (condition, binds) = shape.beyond(">", after);
            range.conditions.push(condition);
            range.binds.extend(binds);
        }
        if let Some(upto) = &upto {
            range.end_at(shape, upto);
        }
        Ok(range)
    }

    /// Rowids from `first` on.
    pub(super) fn of_rows(name: &str, first: i64) -> Self {
        Self {
            conditions: vec![format!("{name} >= ?")],
            binds: vec![Bind::from(first)],
            nulls: None,
        }
    }

    /// Ends the range at a rowid.
    pub(super) fn end_at_row(&mut self, name: &str, rowid: i64) {
        self.conditions.push(format!("{name} <= ?"));
        self.binds.push(Bind::from(rowid));
    }

    /// Ends the range at a key.
    pub(super) fn end_at(&mut self, shape: &Shape, key: &[KeyValue]) {
        let (condition, binds) = shape.beyond("<=", key);
        self.conditions.push(match &self.nulls {
            // `<=` is not true for NULL, but a row with a NULL key must not be skipped silently.
            Some(nulls) => format!("({nulls} OR {condition})"),
            None => condition,
        });
        self.binds.extend(binds);
    }

    /// A copy of the values to bind.
    pub(super) fn again(&self) -> Vec<Bind> {
        self.binds.clone()
    }

    /// The condition of the range, and one more.
    pub(super) fn sql(&self, more: &str) -> String {
        let conditions = self.conditions.iter().map(String::as_str);
        conditions.chain([more]).collect::<Vec<_>>().join(" AND ")
    }
}

/// The condition for keys with a NULL in them, if there are any.
async fn null_keys(conn: &mut SqliteConnection, shape: &Shape) -> Result<Option<String>> {
    let condition = joined(&shape.keys, " OR ", |key| format!("{} IS NULL", key.column));
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM {} WHERE {condition})",
        shape.table
    );
    let exist: bool = scalar(sql, []).fetch_one(conn).await?;
    Ok(exist.then(|| format!("({condition})")))
}
