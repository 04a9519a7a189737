//! The removal: the plaintext columns are dropped, or stay empty for good.
//! Owns the last look at the rows, which has the write lock, and what is dropped with a column.

use sqlx::sqlite::SqliteConnection;

use super::super::catalog::schema_text::mentions;
use super::super::connect::{commit, write_transaction};
use super::super::dialect::SqliteSession;
use super::super::sql::{Bind, run, tuple};
use super::super::table_text::TableText;
use super::super::table_text::column::parts;
use super::{
    Held, begin_change, check, dependents, end_change, held, is_still, rebuild, set_frozen, text_of,
};
use crate::ident::Ident;
use crate::store::ledger::{fields, procedures};
use crate::store::record::FINALIZED;
use crate::store::{
    FieldState, FrozenState, PlainDefinition, ProcedureKind, Removal, Result, StoreError, Table,
};

pub(super) async fn remove(
    conn: &mut SqliteConnection,
    table: &Table,
    removal: Removal,
    state: &FrozenState,
) -> Result<bool> {
    let mut transaction = write_transaction(conn).await?;
    let held = held(&mut transaction, table).await?;
    if held.iter().all(Held::is_removed) {
        // An earlier call did it, but did not hear of it.
        return Ok(true);
    }
    if !is_still(&mut transaction, table, state).await? {
        return Ok(false);
    }
    check(&mut transaction, table, &held, removal == Removal::Blanked).await?;
    let plain: Vec<&Ident> = held.iter().filter_map(Held::beside).collect();
    let way = match removal == Removal::Dropped && !plain.is_empty() {
        true => {
            record_late(&mut transaction, table, &held).await?;
            let way = begin_change(&mut transaction, table).await?;
            drop_columns(&mut transaction, table, &plain).await?;
            Some(way)
        }
        false => None,
    };
    let labels: Vec<String> = held.iter().map(|field| field.label.clone()).collect();
    let columns = table.column_labels();
    let mut session = SqliteSession(&mut *transaction);
    fields::set_state(&mut session, &table.label, &labels, FieldState::Finalized).await?;
    procedures::finish_of(
        &mut session,
        ProcedureKind::Finalize,
        &table.label,
        Some(&columns),
        FINALIZED,
    )
    .await?;
    if let Some(way) = way {
        end_change(&mut transaction, table, way).await?;
    }
    commit(transaction).await?;
    Ok(true)
}

/// Looks once more for what depends on the columns: what was made since the freeze is recorded, too, or
/// refuses the removal. Says in the record that the columns were dropped.
async fn record_late(conn: &mut SqliteConnection, table: &Table, held: &[Held]) -> Result<()> {
    for one in dependents::of(conn, table, held).await? {
        if one.blocks {
            return Err(StoreError::InTheWay {
                what: format!(
                    "{} {}, on a plaintext column of {},",
                    one.kind, one.name, table.label
                ),
            });
        }
    }
    for field in held.iter().filter(|field| field.beside().is_some()) {
        let mut definition = field.definition()?;
        let now = dependents::definition(conn, table, field).await?;
        let now: PlainDefinition = serde_json::from_str(&now)
            .map_err(|_| StoreError::unexpected("the definition of a plaintext column"))?;
        let hidden = field.hidden(table)?;
        // A hidden column had another name when its dependents were made.
        let bare = |sql: &str| -> String {
            let shown = sql.replace(hidden.as_str(), field.name.as_str());
            let bare = shown.chars().filter(|c| *c != '"');
            bare.collect::<String>().to_lowercase()
        };
        for statement in now.dependents {
            let known = |one: &String| bare(one) == bare(&statement);
            if !definition.dependents.iter().any(known) {
                let own = statement.replace(hidden.as_str(), field.name.as_str());
                definition.dependents.push(own);
            }
        }
        definition.dropped = true;
        let json = serde_json::to_string(&definition)
            .map_err(|_| StoreError::unexpected("a definition that is no JSON"))?;
        set_frozen(conn, table, &field.label, true, &json).await?;
    }
    Ok(())
}

/// Drops the columns, and the indexes on them. The guard is dropped already.
async fn drop_columns(
    conn: &mut SqliteConnection,
    table: &Table,
    columns: &[&Ident],
) -> Result<()> {
    let mut text = text_of(conn, table).await?;
    let mut needs_rebuild = false;
    for column in columns {
        for index in indexes_on(conn, table, column).await? {
            run(conn, format!("DROP INDEX {}", index.quoted())).await?;
        }
        needs_rebuild |= needs_rebuild_without(&text, column)?;
        text = text.without(column.as_str())?;
    }
    if needs_rebuild {
        return rebuild::rebuild(conn, table, &text).await;
    }
    for column in columns {
        let statement = format!(
            "ALTER TABLE {} DROP COLUMN {}",
            table.name.name.quoted(),
            column.quoted()
        );
        run(conn, statement).await.map_err(|error| match error {
            StoreError::Refused { .. } => in_the_way(table),
            other => other,
        })?;
    }
    Ok(())
}

fn in_the_way(table: &Table) -> StoreError {
    StoreError::InTheWay {
        what: format!(
            "an object that depends on a plaintext column of {}",
            table.label
        ),
    }
}

/// Whether DROP COLUMN would refuse the column: for its own UNIQUE or REFERENCES, or a constraint of
/// the table.
fn needs_rebuild_without(text: &TableText, column: &Ident) -> Result<bool> {
    let declaration = text
        .declaration(column.as_str())
        .ok_or_else(|| StoreError::missing("a column"))?;
    let parts =
        parts(declaration).ok_or_else(|| StoreError::unexpected("the declaration of a column"))?;
    let refuses = ["UNIQUE", "REFERENCES"];
    let own = parts
        .iter()
        .any(|part| refuses.contains(&part.kind.as_str()));
    let of_table = text.constraints().any(|(one, _)| {
        let mut names = one.names.iter();
        names.any(|name| name.eq_ignore_ascii_case(column.as_str()))
    });
    Ok(own || of_table)
}

/// The indexes that name a column, made by CREATE INDEX. Phiseal's index for the sweep is one.
async fn indexes_on(
    conn: &mut SqliteConnection,
    table: &Table,
    column: &Ident,
) -> Result<Vec<Ident>> {
    const INDEXES: &str = "SELECT name, sql FROM sqlite_schema \
        WHERE type = 'index' AND tbl_name = ? COLLATE NOCASE AND sql IS NOT NULL ORDER BY rowid";
    let rows: Vec<(String, String)> = tuple(INDEXES, [Bind::from(table.name.name.as_str())])
        .fetch_all(conn)
        .await?;
    let body = |sql: &str| sql.split_once('(').map(|(_, body)| body.to_owned());
    let named = rows
        .into_iter()
        .filter(|(_, sql)| body(sql).is_some_and(|body| mentions(&body, column.as_str())));
    named.map(|(index, _)| super::name(index)).collect()
}
