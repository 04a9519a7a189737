//! Creates and drops the store's objects in the application's schema.
//! Owns the statements for columns, guards and indexes; each list of them runs in one transaction.
//! Every identifier is quoted; the only other text that enters is a column's declared type.

use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::connection;
use super::dialect::SqliteSession;
use super::fault;
use super::guard;
use super::guarded;
use super::relations;
use super::shape::{Shape, joined};
use super::statement::{Bind, bound, run};
use crate::ident::Ident;
use crate::store::ledger::fields;
use crate::store::{Access, Result, Sealed, Select, StoreError, Table, TableField};

/// The statements that are still needed before a table can be sealed.
pub(super) async fn missing(conn: &mut SqliteConnection, table: &Table) -> Result<Vec<String>> {
    let table_name = table.name.name.quoted();
    let there = columns(conn, table).await?;
    let is_missing = |column: &Ident| !has(&there, column);
    let mut statements = Vec::new();
    for field in &table.fields {
        if let Sealed::Beside { column, text } = &field.sealed
            && is_missing(column)
        {
            let form = if *text { "TEXT" } else { "BLOB" };
            statements.push(format!(
                "ALTER TABLE {table_name} ADD COLUMN {} {form}",
                column.quoted()
            ));
        }
        if let Some(index) = field.index.as_ref().filter(|index| is_missing(index)) {
            statements.push(format!(
                "ALTER TABLE {table_name} ADD COLUMN {} BLOB",
                index.quoted()
            ));
        }
    }
    let whole = guarded::with_registered(conn, table).await?;
    statements.extend(guard::missing(conn, &whole).await?);
    Ok(statements)
}

/// Creates what is missing before a table can be sealed.
pub(super) async fn prepare(conn: &mut SqliteConnection, table: &Table) -> Result<()> {
    let mut transaction = connection::write_transaction(conn).await?;
    let fresh = relations::is_fresh(&mut transaction, table).await?;
    relations::before_change(&mut transaction).await?;
    for statement in missing(&mut transaction, table).await? {
        run(&mut transaction, statement).await?;
    }
    relations::after_change(&mut transaction, Some(table), fresh).await?;
    relations::note_marks(&mut transaction).await?;
    connection::commit(transaction).await
}

/// Creates the lookup indexes of blind indexes.
pub(super) async fn finish_indexes(conn: &mut SqliteConnection, table: &Table) -> Result<()> {
    let mut transaction = connection::write_transaction(conn).await?;
    for field in &table.fields {
        if let Some(index) = &field.index {
            let statement = lookup_statement(table, index, field.index_unique)?;
            run(&mut transaction, statement).await?;
        }
    }
    connection::commit(transaction).await
}

/// The statement that creates the lookup index of a column.
pub(super) fn lookup_statement(table: &Table, column: &Ident, unique: bool) -> Result<String> {
    let unique = if unique { "UNIQUE " } else { "" };
    Ok(format!(
        "CREATE {unique}INDEX IF NOT EXISTS {} ON {} ({})",
        lookup_name(table, column)?.quoted(),
        table.name.name.quoted(),
        column.quoted(),
    ))
}

/// Creates the sweep's index.
pub(super) async fn make_sweep_index(conn: &mut SqliteConnection, access: &Access) -> Result<()> {
    let mut transaction = connection::write_transaction(conn).await?;
    let wanted = sweep_statement(&mut transaction, access).await?;
    run(
        &mut transaction,
        format!(
            "DROP INDEX IF EXISTS {}",
            sweep_name(&access.table)?.quoted()
        ),
    )
    .await?;
    run(&mut transaction, wanted).await?;
    connection::commit(transaction).await
}

/// Drops the sweep's index.
pub(super) async fn drop_sweep_index(conn: &mut SqliteConnection, table: &Table) -> Result<()> {
    let name = sweep_name(table)?;
    // Most runs made none, and need not wait for a writer.
    if schema_sql(conn, "index", name.as_str()).await?.is_none() {
        return Ok(());
    }
    run(conn, format!("DROP INDEX IF EXISTS {}", name.quoted())).await
}

/// The quoted name of the sweep's index, if it exists and was made for exactly these fields.
pub(super) async fn sweep_index(
    conn: &mut SqliteConnection,
    access: &Access,
) -> Result<Option<String>> {
    let name = sweep_name(&access.table)?;
    match schema_sql(conn, "index", name.as_str()).await? {
        Some(sql) if sql == sweep_statement(conn, access).await? => Ok(Some(name.quoted())),
        _ => Ok(None),
    }
}

async fn sweep_statement(conn: &mut SqliteConnection, access: &Access) -> Result<String> {
    let shape = Shape::read(conn, access).await?;
    Ok(format!(
        "CREATE INDEX {} ON {} ({}) WHERE {}",
        sweep_name(&access.table)?.quoted(),
        shape.table,
        shape.order(),
        shape.wanted(&Select::UnsealedIndexed)?,
    ))
}

/// The condition that a value could be in text form: `ps1.`, then base64 of at least 34 bytes, which
/// begin with 0xE7, suite 1 or 2, and a key id below 2^31.
fn could_be_sealed(column: &str) -> String {
    format!(
        "(typeof({column}) = 'text' AND length({column}) >= 50 AND {column} GLOB 'ps1.5w[EFIJ]*')"
    )
}

/// Whether a sealed value exists whose plaintext does not.
async fn holds_only_copies(conn: &mut SqliteConnection, table: &Table) -> Result<bool> {
    let there = columns(conn, table).await?;
    let mut conditions = Vec::new();
    for field in &table.fields {
        let plain = field.column.quoted();
        match &field.sealed {
            Sealed::Beside { column, .. } if has(&there, column) => {
                let sealed = column.quoted();
                conditions.push(format!("({sealed} IS NOT NULL AND {plain} IS NULL)"));
            }
            Sealed::Beside { .. } => {}
            Sealed::InPlace => conditions.push(could_be_sealed(&plain)),
        }
    }
    if conditions.is_empty() {
        return Ok(false);
    }
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM {} WHERE {})",
        table.name.name.quoted(),
        conditions.join(" OR ")
    );
    let row = bound(sql, []).fetch_one(conn).await.map_err(fault::of)?;
    row.try_get(0).map_err(fault::of)
}

/// Drops guard, sealed columns and blind indexes, including new ones that a key rotation is
/// filling.
pub(super) async fn drop_sealed(conn: &mut SqliteConnection, table: &Table) -> Result<()> {
    let mut transaction = connection::write_transaction(conn).await?;
    let table_name = table.name.name.quoted();
    let whole = guarded::with_registered(&mut transaction, table).await?;
    if holds_only_copies(&mut transaction, table).await? {
        return Err(StoreError::NotRestored {
            table: table.label.clone(),
        });
    }
    relations::before_change(&mut transaction).await?;
    let way = guard::drop_all(&mut transaction, &table.name).await?;
    let statement = format!("DROP INDEX IF EXISTS {}", sweep_name(table)?.quoted());
    run(&mut transaction, statement).await?;
    let there = columns(&mut transaction, table).await?;
    let is_named = |field: &TableField| table.fields.iter().any(|one| one.column == field.column);
    for field in whole.fields.iter().filter(|field| is_named(field)) {
        for index in field.index.iter().chain(&field.index_next) {
            let name = lookup_name(table, index)?.quoted();
            run(&mut transaction, format!("DROP INDEX IF EXISTS {name}")).await?;
        }
        if field.index_next.is_some() {
            fields::set_next(
                &mut SqliteSession(&mut *transaction),
                &table.label,
                &field.label,
                None,
                None,
            )
            .await?;
        }
        let sealed = match &field.sealed {
            Sealed::Beside { column, .. } => Some(column),
            Sealed::InPlace => None,
        };
        for column in sealed
            .into_iter()
            .chain(&field.index)
            .chain(&field.index_next)
            .filter(|column| has(&there, column))
        {
            let statement = format!("ALTER TABLE {table_name} DROP COLUMN {}", column.quoted());
            run(&mut transaction, statement).await?;
        }
    }
    // Guards the other fields of the table again, in the same transaction.
    let mut rest = guarded::with_registered(&mut transaction, table).await?;
    rest.fields.retain(|field| !is_named(field));
    rest.on_untrusted_seal.get_or_insert(way);
    if !rest.fields.is_empty() {
        for trigger in guard::triggers(&mut transaction, &rest).await? {
            run(&mut transaction, trigger.create).await?;
        }
    }
    relations::after_change(&mut transaction, None, false).await?;
    relations::columns_moved(&mut transaction, &table.label).await?;
    connection::commit(transaction).await
}

/// Creates the columns that a restore writes into.
pub(super) async fn make_plain_columns(conn: &mut SqliteConnection, table: &Table) -> Result<()> {
    let mut transaction = connection::write_transaction(conn).await?;
    let there = columns(&mut transaction, table).await?;
    for field in table
        .fields
        .iter()
        .filter(|field| !has(&there, &field.column))
    {
        let statement = format!(
            "ALTER TABLE {} ADD COLUMN {} {}",
            table.name.name.quoted(),
            field.column.quoted(),
            declared_type(field)?,
        );
        run(&mut transaction, statement).await?;
    }
    connection::commit(transaction).await
}

/// The declared type, if it consists of words and numbers only: other text could be more than a
/// type.
fn declared_type(field: &TableField) -> Result<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" _(),+-.".contains(&byte);
    match field.source_type.bytes().all(plain) && !field.source_type.contains("--") {
        true => Ok(&field.source_type),
        false => Err(StoreError::Unexpected {
            what: "a source type that is more than a type",
        }),
    }
}

/// A digest of the table's definition and its triggers.
pub(super) async fn fingerprint(conn: &mut SqliteConnection, table: &Table) -> Result<String> {
    const DEFINITION: &str = "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema \
        WHERE type IN ('table', 'trigger') AND tbl_name = ? COLLATE NOCASE ORDER BY type, name";
    let rows = bound(
        DEFINITION,
        [Bind::Text(table.name.name.as_str().to_owned())],
    )
    .fetch_all(conn)
    .await
    .map_err(fault::of)?;
    let mut digest = Sha256::new();
    for row in rows {
        let line: String = row.try_get(0).map_err(fault::of)?;
        digest.update((line.len() as u64).to_be_bytes());
        digest.update(line);
    }
    Ok(hex::encode(digest.finalize()))
}

pub(super) fn sweep_name(table: &Table) -> Result<Ident> {
    index_name(format!("phiseal_sweep_{}", table.name.name.as_str()))
}

/// The name of a lookup index. Index names are unique in a whole SQLite database, so it contains
/// the table's name.
pub(super) fn lookup_name(table: &Table, index: &Ident) -> Result<Ident> {
    let name = [table.name.name.as_str(), index.as_str(), "idx"];
    index_name(joined(&name, "_", |part| (*part).to_owned()))
}

fn index_name(name: String) -> Result<Ident> {
    Ident::new(name).map_err(|_| StoreError::Unexpected {
        what: "names too long to name an index after",
    })
}

pub(super) async fn columns(conn: &mut SqliteConnection, table: &Table) -> Result<Vec<String>> {
    let name = table.name.name.as_str().to_owned();
    let rows = bound("SELECT name FROM pragma_table_xinfo(?)", [Bind::Text(name)])
        .fetch_all(conn)
        .await
        .map_err(fault::of)?;
    let names: Vec<String> = rows
        .iter()
        .map(|row| row.try_get(0).map_err(fault::of))
        .collect::<Result<_>>()?;
    match names.is_empty() {
        true => Err(StoreError::Missing {
            what: format!("table {}", table.name),
        }),
        false => Ok(names),
    }
}

/// Whether a column is in the list; SQLite ignores the case of ASCII letters in names.
pub(super) fn has(columns: &[String], column: &Ident) -> bool {
    columns
        .iter()
        .any(|name| name.eq_ignore_ascii_case(column.as_str()))
}

async fn schema_sql(conn: &mut SqliteConnection, kind: &str, name: &str) -> Result<Option<String>> {
    let binds = [Bind::Text(kind.to_owned()), Bind::Text(name.to_owned())];
    let row = bound(
        "SELECT sql FROM sqlite_schema WHERE type = ? AND name = ?",
        binds,
    )
    .fetch_optional(conn)
    .await
    .map_err(fault::of)?;
    row.map(|row| row.try_get(0).map_err(fault::of)).transpose()
}
