//! The way back: undoing a finalize that is not finished, and a plaintext column that a restore makes
//! again.
//! Owns what the column gets back of what it was. Its constraints come last, once every row has its
//! value, and only if no row contradicts them.

use sqlx::sqlite::SqliteConnection;

use super::super::connect::{commit, write_transaction};
use super::super::dialect::SqliteSession;
use super::super::sql::{Bind, run, scalar};
use super::super::table_text::column::{is_same, parts};
use super::super::table_text::tokens;
use super::{Held, begin_change, end_change, held, rebuild, rename, set_frozen, text_of};
use crate::store::ledger::fields;
use crate::store::{FieldState, PlainDefinition, Result, StoreError, Table, TableField};

/// See [`crate::store::Plaintext::unfreeze`].
pub(super) async fn unfreeze(conn: &mut SqliteConnection, table: &Table) -> Result<Vec<String>> {
    let mut transaction = write_transaction(conn).await?;
    let fields = held(&mut transaction, table).await?;
    let way = begin_change(&mut transaction, table).await?;
    let mut left = Vec::new();
    for field in &fields {
        if field.plain.is_none() {
            continue;
        }
        if let (Some(plain), true) = (&field.plain, field.is_hidden(table)?) {
            rename(&mut transaction, table, plain, &field.name).await?;
        }
        let definition = field.definition()?;
        left.extend(give_back(&mut transaction, table, field, &definition).await?);
        thaw(&mut transaction, table, field, "{}").await?;
    }
    end_change(&mut transaction, table, way).await?;
    commit(transaction).await?;
    Ok(left)
}

/// Records that a field takes plaintext again.
async fn thaw(
    conn: &mut SqliteConnection,
    table: &Table,
    field: &Held,
    definition: &str,
) -> Result<()> {
    set_frozen(conn, table, &field.label, false, definition).await?;
    if field.is_removed() {
        let labels = [field.label.clone()];
        let mut session = SqliteSession(conn);
        fields::set_state(&mut session, &table.label, &labels, FieldState::Sealed).await?;
    }
    Ok(())
}

/// Gives a plaintext column the declaration that it had, under its own name. Returns a comment for a
/// person if a row contradicts it.
async fn give_back(
    conn: &mut SqliteConnection,
    table: &Table,
    field: &Held,
    definition: &PlainDefinition,
) -> Result<Option<String>> {
    let text = text_of(conn, table).await?;
    let (Some(wanted), Some(now)) = (
        &definition.declaration,
        text.declaration(field.name.as_str()),
    ) else {
        return Ok(None);
    };
    if is_same(wanted, now) {
        return Ok(None);
    }
    let text = text.with_declaration(field.name.as_str(), wanted)?;
    run(conn, "SAVEPOINT phiseal_rebuild").await?;
    let rebuilt = rebuild::rebuild(conn, table, &text).await;
    let left = match rebuilt {
        Ok(()) => None,
        Err(
            StoreError::RowRefused { .. }
            | StoreError::InTheWay { .. }
            | StoreError::Refused { .. },
        ) => {
            run(conn, "ROLLBACK TO phiseal_rebuild").await?;
            Some(format!(
                "-- table {}: the column {} was declared {}, which a row contradicts",
                table.name.name.quoted(),
                field.name.quoted(),
                one_line(wanted),
            ))
        }
        Err(other) => return Err(other),
    };
    run(conn, "RELEASE phiseal_rebuild").await?;
    Ok(left)
}

/// A declaration without comments and line ends.
fn one_line(declaration: &str) -> String {
    let tokens = tokens(declaration).unwrap_or_default();
    let words: Vec<&str> = tokens.iter().map(|token| token.text(declaration)).collect();
    words.join(" ").replace(['\n', '\r'], " ")
}

/// Creates the columns that a restore writes into, and takes plaintext again. Constraints and a
/// default come later ([`finish`]): the rows have no values yet, and would take the default.
pub(crate) async fn make_plain_columns(conn: &mut SqliteConnection, table: &Table) -> Result<()> {
    let mut transaction = write_transaction(conn).await?;
    let fields = held(&mut transaction, table).await?;
    let is_frozen = |field: &Held| field.is_frozen() || field.is_removed();
    let is_done = |field: &Held| {
        let is_named = field.plain.as_ref() == Some(&field.name);
        is_named && !(is_frozen(field) && field.is_own)
    };
    if fields.iter().all(is_done) {
        return commit(transaction).await;
    }
    let way = begin_change(&mut transaction, table).await?;
    for (field, described) in fields.iter().zip(&table.fields) {
        let hidden = field.plain.as_ref().filter(|_| field.is_own);
        match hidden {
            Some(plain) if field.is_hidden(table)? => {
                rename(&mut transaction, table, plain, &field.name).await?;
            }
            _ if field.plain.as_ref() != Some(&field.name) => {
                let statement = format!(
                    "ALTER TABLE {} ADD COLUMN {} {}{}",
                    table.name.name.quoted(),
                    field.name.quoted(),
                    declared_type(described)?,
                    collation(field)?,
                );
                run(&mut transaction, statement).await?;
            }
            _ => {}
        }
        if let (Some(record), true, true) = (&field.record, is_frozen(field), field.is_own) {
            thaw(&mut transaction, table, field, &record.plaintext_definition).await?;
        }
    }
    end_change(&mut transaction, table, way).await?;
    commit(transaction).await
}

/// The collation that the column had.
fn collation(field: &Held) -> Result<String> {
    let declaration = field.definition()?.declaration.unwrap_or_default();
    let parts = parts(&declaration)
        .ok_or_else(|| StoreError::unexpected("the declaration of a plaintext column"))?;
    let found = parts.iter().find(|part| part.kind == "COLLATE");
    Ok(found.map_or_else(String::new, |part| format!(" {}", part.text)))
}

/// The declared type, if it consists of words and numbers only: other text could be more than a
/// type.
fn declared_type(field: &TableField) -> Result<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" _(),+-.".contains(&byte);
    match field.source_type.bytes().all(plain) && !field.source_type.contains("--") {
        true => Ok(&field.source_type),
        false => Err(StoreError::unexpected(
            "a source type that is more than a type",
        )),
    }
}

/// See [`crate::store::Plaintext::finish_plain_columns`].
pub(super) async fn finish(conn: &mut SqliteConnection, table: &Table) -> Result<Vec<String>> {
    let mut transaction = write_transaction(conn).await?;
    let mut fields = held(&mut transaction, table).await?;
    fields.retain(|field| {
        let recorded = field
            .record
            .as_ref()
            .map(|one| one.plaintext_definition.as_str());
        let is_recorded = recorded.is_some_and(|definition| definition != "{}");
        is_recorded
            && field.is_own
            && !field.is_frozen()
            && field.plain.as_ref() == Some(&field.name)
    });
    if fields.is_empty() {
        return Ok(Vec::new());
    }
    let way = begin_change(&mut transaction, table).await?;
    let mut left = Vec::new();
    for field in &fields {
        let definition = field.definition()?;
        left.extend(give_back(&mut transaction, table, field, &definition).await?);
        for statement in definition.dependents {
            if !is_there(&mut transaction, &statement).await? {
                left.push(statement);
            }
        }
        set_frozen(&mut transaction, table, &field.label, false, "{}").await?;
    }
    end_change(&mut transaction, table, way).await?;
    commit(transaction).await?;
    Ok(left)
}

/// Whether what this statement makes is in the schema: then it never went with its column.
async fn is_there(conn: &mut SqliteConnection, statement: &str) -> Result<bool> {
    const THERE: &str = "SELECT count(*) FROM sqlite_schema WHERE sql || ';' = ?";
    let count: i64 = scalar(THERE, [Bind::from(statement)])
        .fetch_one(conn)
        .await?;
    Ok(count > 0)
}
