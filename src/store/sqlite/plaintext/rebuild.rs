//! Making a table again with another definition, as SQLite's documentation describes it ("Making
//! Other Kinds Of Table Schema Changes"), for the changes that ALTER TABLE does not make.
//! Owns what is carried over: rows with their rowids, the last AUTOINCREMENT, indexes and the
//! application's triggers. Views, and triggers and foreign keys of other tables, keep the name that
//! they refer to. Our connections enforce no foreign keys, so dropping the old table deletes no row of
//! another one.

use sqlx::sqlite::SqliteConnection;

use super::super::guard;
use super::super::select::rowid;
use super::super::sql::{Bind, bound, run, scalar, tuple};
use super::super::table_text::TableText;
use crate::ident::Ident;
use crate::store::text::joined;
use crate::store::{Result, StoreError, Table};

/// The name of the new table, until the old one is gone.
const NEW: &str = "~phiseal_rebuild";

/// Gives the table this definition. Its guard must be dropped before and made after. Call within a
/// writing transaction.
///
/// # Errors
/// [`StoreError::RowRefused`] if a row contradicts the definition, and [`StoreError::InTheWay`] if a
/// foreign key would be broken.
pub(super) async fn rebuild(
    conn: &mut SqliteConnection,
    table: &Table,
    text: &TableText,
) -> Result<()> {
    // Otherwise the last rename would fail wherever a view refers to the table that is gone.
    run(conn, "PRAGMA legacy_alter_table = ON").await?;
    let done = replace(conn, table, text).await;
    run(conn, "PRAGMA legacy_alter_table = OFF").await?;
    done
}

async fn replace(conn: &mut SqliteConnection, table: &Table, text: &TableText) -> Result<()> {
    let new = Ident::new(NEW).map_err(|_| StoreError::unexpected("the name of a table"))?;
    let (old, made) = (table.name.name.quoted(), new.quoted());
    let around = around(conn, table).await?;
    let last = last_autoincrement(conn, table).await?;
    let broken = broken_keys(conn).await?;
    run(conn, text.named(&new)).await?;
    let copied = copied(conn, table, &new).await?;
    run(
        conn,
        format!("INSERT INTO {made} ({copied}) SELECT {copied} FROM {old}"),
    )
    .await?;
    run(conn, format!("DROP TABLE {old}")).await?;
    run(conn, format!("ALTER TABLE {made} RENAME TO {old}")).await?;
    if let Some(last) = last {
        set_autoincrement(conn, table, last).await?;
    }
    for statement in around {
        run(conn, statement).await?;
    }
    match broken_keys(conn).await? {
        now if now == broken => Ok(()),
        _ => Err(StoreError::InTheWay {
            what: format!("a foreign key that refers to {}", table.label),
        }),
    }
}

/// The statements that make the table's indexes and the application's triggers, in their order.
async fn around(conn: &mut SqliteConnection, table: &Table) -> Result<Vec<String>> {
    const AROUND: &str = "SELECT sql FROM sqlite_schema WHERE tbl_name = ? COLLATE NOCASE \
        AND type IN ('index', 'trigger') AND sql IS NOT NULL AND substr(name, 1, length(?2)) <> ?2 \
        ORDER BY rowid";
    let binds = [table.name.name.as_str(), guard::GUARD_PREFIX].map(Bind::from);
    Ok(scalar(AROUND, binds).fetch_all(conn).await?)
}

/// The columns that both tables store, quoted; before them the rowid, where it has a name and no
/// column shows it.
async fn copied(conn: &mut SqliteConnection, table: &Table, new: &Ident) -> Result<String> {
    const STORED: &str = "SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0 ORDER BY cid";
    let rowid = rowid(conn, table.name.name.as_str()).await?;
    let names: Vec<String> = scalar(STORED, [Bind::from(new.as_str())])
        .fetch_all(&mut *conn)
        .await?;
    let own = rowid.name.filter(|_| !rowid.shown).map(str::to_owned);
    let columns = names.iter().map(|name| crate::quote::identifier(name));
    let all: Vec<String> = own.into_iter().chain(columns).collect();
    Ok(joined(all, ", ", |name| name))
}

/// The last number that AUTOINCREMENT gave, if the table has it.
async fn last_autoincrement(conn: &mut SqliteConnection, table: &Table) -> Result<Option<i64>> {
    const THERE: &str = "SELECT count(*) FROM sqlite_schema WHERE name = 'sqlite_sequence'";
    const LAST: &str = "SELECT seq FROM sqlite_sequence WHERE name = ? COLLATE NOCASE";
    let there: i64 = scalar(THERE, []).fetch_one(&mut *conn).await?;
    if there == 0 {
        return Ok(None);
    }
    let last = scalar(LAST, [Bind::from(table.name.name.as_str())]);
    Ok(last.fetch_optional(conn).await?)
}

async fn set_autoincrement(conn: &mut SqliteConnection, table: &Table, last: i64) -> Result<()> {
    const NAME: &str =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE";
    let name: String = scalar(NAME, [Bind::from(table.name.name.as_str())])
        .fetch_one(&mut *conn)
        .await?;
    let name = || Bind::from(name.as_str());
    for (sql, binds) in [
        ("DELETE FROM sqlite_sequence WHERE name = ?", vec![name()]),
        (
            "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)",
            vec![name(), Bind::from(last)],
        ),
    ] {
        bound(sql, binds).execute(&mut *conn).await?;
    }
    Ok(())
}

/// The references that lead nowhere, by table; `None` if there is a key that SQLite cannot check, since
/// what it refers to is not unique.
async fn broken_keys(conn: &mut SqliteConnection) -> Result<Option<Vec<(String, i64)>>> {
    const BROKEN: &str =
        "SELECT \"table\", count(*) FROM pragma_foreign_key_check GROUP BY 1 ORDER BY 1";
    let found = tuple(BROKEN, []).fetch_all(conn).await;
    match found.map_err(StoreError::from) {
        Ok(found) => Ok(Some(found)),
        Err(StoreError::Refused { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}
