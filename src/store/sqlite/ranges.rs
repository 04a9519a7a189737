//! Statements about a whole table: where it is cut, and whether any row still needs work.
//! Owns their SQL, but not the conditions (`wanted.rs`).

use sqlx::sqlite::SqliteConnection;

use super::catalog;
use super::key_value::{self, KeyValue};
use super::select::Shape;
use super::sql::{bound, scalar};
use crate::store::{Access, Bound, KeyText, Result, Select, Table};

/// Whether any row needs work.
pub(super) async fn any_left(
    conn: &mut SqliteConnection,
    access: &Access,
    select: &Select,
) -> Result<bool> {
    let shape = Shape::read(conn, access).await?;
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM {} WHERE {})",
        shape.table,
        shape.wanted(select)?
    );
    Ok(scalar(sql, []).fetch_one(conn).await?)
}

/// The bound before the first row by its rowid, if no column shows the rowid.
pub(super) async fn first_row(
    conn: &mut SqliteConnection,
    access: &Access,
) -> Result<Option<Bound>> {
    let rowid = Shape::read(conn, access).await?.rowid;
    Ok((rowid.name.is_some() && !rowid.shown).then_some(Bound::Row(i64::MIN)))
}

/// Keys that divide the table into ranges of equally many rows.
pub(super) async fn sample_keys(
    conn: &mut SqliteConnection,
    table: &Table,
    pieces: u32,
) -> Result<Vec<KeyText>> {
    let shape = Shape::read(conn, &Access::of(table.clone())).await?;
    let rows = catalog::row_count(conn, &table.name.name).await?;
    let mut places = Vec::new();
    for piece in 1..u64::from(pieces) {
        let before = rows * piece / u64::from(pieces);
        if before == 0 {
            continue;
        }
        let sql = format!(
            "SELECT {} FROM {} ORDER BY {} LIMIT 1 OFFSET {}",
            shape.key_columns(),
            shape.table,
            shape.order(),
            before - 1,
        );
        let row = bound(sql, []).fetch_optional(&mut *conn).await?;
        if let Some(row) = row {
            let key: Result<Vec<KeyValue>> = (0..shape.keys.len())
                .map(|column| KeyValue::read(&row, column))
                .collect();
            places.push(key_value::cursor(&key?));
        }
    }
    Ok(places)
}
