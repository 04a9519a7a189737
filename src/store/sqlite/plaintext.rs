//! Taking the plaintext of sealed fields out of a table, and giving its column back.
//! Owns the freeze, the checks, and hiding. `plaintext/remove.rs` has the removal, `plaintext/back.rs`
//! the way back, `plaintext/dependents.rs` what depends on a column, `plaintext/rebuild.rs` the changes
//! that SQLite makes only by making the table again. SQLite has one writer, so each step is one
//! transaction, and the guard's triggers are the only constraints.

pub(super) mod back;
mod dependents;
mod give_up;
mod held;
mod rebuild;
mod remove;

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;

use super::SqliteStore;
use super::connect::{commit, read_transaction, write_transaction};
use super::fence;
use super::guard;
use super::prepare::{columns, has};
use super::relations;
use super::sql::{Bind, bound, run, scalar};
use super::table_text::TableText;
use super::table_text::column::nullable;
use crate::ident::Ident;
use crate::store::{
    Dependent, FrozenState, KeyText, OpenTransaction, Plaintext, Removal, Result, StoreError,
    Table, UnsealedRows, UntrustedSeal,
};
use held::{Held, held, name};

/// Each step has a connection of its own, which is closed if the step fails: a pragma that it set ends
/// with it.
#[async_trait]
impl Plaintext for SqliteStore {
    /// Always empty: SQLite does not tell who writes.
    async fn writers(&self, _table: &Table) -> Result<Vec<OpenTransaction>> {
        Ok(Vec::new())
    }

    async fn unsealed(&self, table: &Table) -> Result<Vec<UnsealedRows>> {
        let mut conn = self.opener.open().await?;
        let held = held(&mut conn, table).await?;
        let conditions: Vec<String> = held.iter().filter_map(Held::is_unsealed).collect();
        let rows = count(&mut conn, table, &conditions).await?;
        Ok(match rows {
            0 => Vec::new(),
            rows => vec![UnsealedRows {
                transaction: String::new(),
                rows,
            }],
        })
    }

    async fn plaintext_dependents(&self, table: &Table) -> Result<Vec<Dependent>> {
        let mut conn = self.opener.open().await?;
        let mut snapshot = read_transaction(&mut conn).await?;
        let held = held(&mut snapshot, table).await?;
        dependents::of(&mut snapshot, table, &held).await
    }

    async fn freeze(&self, table: &Table) -> Result<()> {
        freeze(&mut self.opener.open().await?, table).await
    }

    async fn unfreeze(&self, table: &Table) -> Result<Vec<String>> {
        back::unfreeze(&mut self.opener.open().await?, table).await
    }

    async fn frozen_state(&self, table: &Table) -> Result<FrozenState> {
        let mut conn = self.opener.open().await?;
        let mut snapshot = read_transaction(&mut conn).await?;
        frozen_state(&mut snapshot, table).await
    }

    async fn give_up(&self, table: &Table, field: Option<usize>, key: &KeyText) -> Result<bool> {
        give_up::give_up(&mut self.opener.open().await?, table, field, key).await
    }

    async fn constrain(&self, table: &Table, blank: bool) -> Result<()> {
        let mut conn = self.opener.open().await?;
        let mut snapshot = read_transaction(&mut conn).await?;
        let held = held(&mut snapshot, table).await?;
        check(&mut snapshot, table, &held, blank).await
    }

    async fn hide(&self, table: &Table, state: &FrozenState) -> Result<Option<FrozenState>> {
        hide(&mut self.opener.open().await?, table, state).await
    }

    async fn remove_plaintext(
        &self,
        table: &Table,
        removal: Removal,
        state: &FrozenState,
    ) -> Result<bool> {
        remove::remove(&mut self.opener.open().await?, table, removal, state).await
    }

    /// Does nothing: SQLite's statistics hold no values, unless it was built with STAT4.
    async fn forget_statistics(&self, _table: &Table) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn finish_plain_columns(&self, table: &Table) -> Result<Vec<String>> {
        back::finish(&mut self.opener.open().await?, table).await
    }
}

/// How many rows meet one of the conditions.
async fn count(conn: &mut SqliteConnection, table: &Table, any: &[String]) -> Result<u64> {
    if any.is_empty() {
        return Ok(0);
    }
    let sql = format!(
        "SELECT count(*) FROM {} WHERE {}",
        table.name.name.quoted(),
        any.join(" OR ")
    );
    let rows: i64 = scalar(sql, []).fetch_one(conn).await?;
    Ok(rows.unsigned_abs())
}

/// Fails if a row has plaintext that is not sealed (with `blank`: any beside), or something else than
/// a sealed value in the place of one.
async fn check(
    conn: &mut SqliteConnection,
    table: &Table,
    held: &[Held],
    blank: bool,
) -> Result<()> {
    let mut any: Vec<String> = held.iter().filter_map(Held::is_unsealed).collect();
    any.extend(held.iter().filter_map(Held::is_malformed));
    if blank {
        let beside = held.iter().filter_map(Held::beside);
        any.extend(beside.map(|plain| format!("{} IS NOT NULL", plain.quoted())));
    }
    match count(conn, table, &any).await? {
        0 => Ok(()),
        _ => Err(StoreError::NotSealed {
            table: table.label.clone(),
        }),
    }
}

/// The text of the table's statement.
async fn text_of(conn: &mut SqliteConnection, table: &Table) -> Result<TableText> {
    const TEXT: &str =
        "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE";
    let sql: Option<String> = scalar(TEXT, [Bind::from(table.name.name.as_str())])
        .fetch_optional(conn)
        .await?;
    TableText::read(&sql.ok_or_else(|| StoreError::missing(format!("table {}", table.name)))?)
}

/// Drops the guard, so that the table can be changed; returns how it handled an untrusted change of a
/// sealed value.
async fn begin_change(conn: &mut SqliteConnection, table: &Table) -> Result<UntrustedSeal> {
    relations::before_change(conn).await?;
    guard::drop_all(conn, &table.name).await
}

/// Makes the guard for the columns as they are now, and records it.
async fn end_change(conn: &mut SqliteConnection, table: &Table, way: UntrustedSeal) -> Result<()> {
    let there = columns(conn, table).await?;
    let records = relations::present_fields(conn).await?;
    let mut whole = guard::with_registered(conn, table).await?;
    whole.on_untrusted_seal.get_or_insert(way);
    whole.fields.retain(|field| match field.sealed.beside() {
        Some(column) => has(&there, column),
        None => records.iter().any(|record| {
            record.table_label == table.label
                && record.column_label == field.label
                && record.state.may_hold_seals()
        }),
    });
    if !whole.fields.is_empty() {
        for trigger in guard::triggers(conn, &whole).await? {
            run(conn, trigger.create).await?;
        }
    }
    relations::after_change(conn, None, false).await?;
    relations::columns_moved(conn, &table.label).await
}

/// Records whether a field is frozen, and what its plaintext column was.
async fn set_frozen(
    conn: &mut SqliteConnection,
    table: &Table,
    label: &str,
    frozen: bool,
    definition: &str,
) -> Result<()> {
    const SET: &str = "UPDATE phiseal_encrypted_field_metadata SET frozen = ?, plaintext_definition = ?, \
        updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE table_label = ? AND column_label = ?";
    let binds = [
        Bind::from(frozen),
        Bind::from(definition),
        Bind::from(&table.label),
        Bind::from(label),
    ];
    match bound(SET, binds).execute(conn).await?.rows_affected() {
        1 => Ok(()),
        _ => Err(StoreError::missing("a registered field")),
    }
}

async fn freeze(conn: &mut SqliteConnection, table: &Table) -> Result<()> {
    let mut transaction = write_transaction(conn).await?;
    show(&mut transaction, table).await?;
    let held = held(&mut transaction, table).await?;
    let mut text = text_of(&mut transaction, table).await?;
    let mut is_changed = false;
    for field in &held {
        let declaration = field
            .beside()
            .and_then(|name| text.declaration(name.as_str()));
        if let (Some(name), Some(wanted)) = (field.beside(), declaration.and_then(nullable)) {
            text = text.with_declaration(name.as_str(), &wanted)?;
            is_changed = true;
        }
    }
    if !is_changed && held.iter().all(Held::is_frozen) {
        let whole = guard::with_registered(&mut transaction, table).await?;
        let stands = relations::guard_identity(&mut transaction, &table.label)
            .await?
            .is_some();
        if stands && guard::missing(&mut transaction, &whole).await?.is_empty() {
            return commit(transaction).await;
        }
    }
    let way = begin_change(&mut transaction, table).await?;
    for field in &held {
        let recorded = field
            .record
            .as_ref()
            .map(|one| one.plaintext_definition.as_str());
        let definition = match recorded {
            Some("{}") => dependents::definition(&mut transaction, table, field).await?,
            other => other.unwrap_or("{}").to_owned(),
        };
        set_frozen(&mut transaction, table, &field.label, true, &definition).await?;
    }
    if is_changed {
        rebuild::rebuild(&mut transaction, table, &text).await?;
    }
    end_change(&mut transaction, table, way).await?;
    // What an early version prepared is not recorded yet.
    relations::after_change(&mut transaction, Some(table), false).await?;
    commit(transaction).await
}

/// Gives hidden columns their names back.
async fn show(conn: &mut SqliteConnection, table: &Table) -> Result<()> {
    let mut hidden = Vec::new();
    for field in held(conn, table).await? {
        if field.is_hidden(table)? {
            hidden.push(field);
        }
    }
    if hidden.is_empty() {
        return Ok(());
    }
    let way = begin_change(conn, table).await?;
    for field in hidden {
        rename(conn, table, &field.hidden(table)?, &field.name).await?;
    }
    end_change(conn, table, way).await
}

/// See [`FrozenState`]. The guard is compared by text and by its place in the schema, so that one which
/// was gone for a time is not taken for the same. (`PRAGMA schema_version` would also change with each
/// index of a sweep and each table of the application.)
async fn frozen_state(conn: &mut SqliteConnection, table: &Table) -> Result<FrozenState> {
    let identity = relations::guard_identity(conn, &table.label).await?;
    let definition = fence::fingerprint(conn, table).await?;
    let held = held(conn, table).await?;
    let stands = identity.is_some() && held.iter().all(Held::is_frozen);
    Ok(FrozenState {
        guard: format!("{definition} {}", identity.as_deref().unwrap_or("none")),
        constraints: if stands { "checked" } else { "" }.to_owned(),
    })
}

/// Whether the state is still the expected one, and the guard stands.
async fn is_still(
    conn: &mut SqliteConnection,
    table: &Table,
    expected: &FrozenState,
) -> Result<bool> {
    let now = frozen_state(conn, table).await?;
    Ok(now == *expected && !now.constraints.is_empty())
}

async fn hide(
    conn: &mut SqliteConnection,
    table: &Table,
    state: &FrozenState,
) -> Result<Option<FrozenState>> {
    let mut transaction = write_transaction(conn).await?;
    if !is_still(&mut transaction, table, state).await? {
        return Ok(None);
    }
    let held = held(&mut transaction, table).await?;
    let mut shown = Vec::new();
    for field in &held {
        if let (Some(plain), false) = (field.beside(), field.is_hidden(table)?) {
            shown.push((plain, field.hidden(table)?));
        }
    }
    if shown.is_empty() {
        return Ok(Some(state.clone()));
    }
    let way = begin_change(&mut transaction, table).await?;
    for (plain, hidden) in shown {
        rename(&mut transaction, table, plain, &hidden).await?;
    }
    end_change(&mut transaction, table, way).await?;
    let state = frozen_state(&mut transaction, table).await?;
    commit(transaction).await?;
    Ok(Some(state))
}

async fn rename(
    conn: &mut SqliteConnection,
    table: &Table,
    from: &Ident,
    to: &Ident,
) -> Result<()> {
    let sql = format!(
        "ALTER TABLE {} RENAME COLUMN {} TO {}",
        table.name.name.quoted(),
        from.quoted(),
        to.quoted()
    );
    run(conn, sql).await
}

#[cfg(test)]
mod tests;
