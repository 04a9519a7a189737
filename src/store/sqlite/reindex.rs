//! The rotation of blind indexes: a new column beside the old one, then one switch.
//! Owns the columns, their indexes and the transaction that replaces the old ones by the new ones,
//! for all tables and together with the keys. A lookup finds the old column under the old key or
//! the new one under the new key, and never a mixture.

use sqlx::sqlite::SqliteConnection;

use super::catalog::schema_text::{checks, mentions};
use super::connect::{commit, write_transaction};
use super::dialect::SqliteSession;
use super::guard;
use super::read::window;
use super::relations;
use super::seal;
use super::sql::{Bind, run, scalar, tuple};
use super::{indexes, prepare};
use crate::crypto::KeyId;
use crate::store::ledger::session::Session;
use crate::store::ledger::{audit, fields, keys};
use crate::store::{
    Access, ColumnSwitch, IndexSwitch, LateRows, PageRequest, Result, Sealed, Select, StoreError,
    SwitchTable, Table, TableField, UntrustedSeal, Visibility,
};

/// Creates the new columns, registers them and makes the guard blank them.
pub(super) async fn prepare_columns(
    conn: &mut SqliteConnection,
    table: &Table,
    next: &[ColumnSwitch],
) -> Result<()> {
    let mut transaction = write_transaction(conn).await?;
    let there = prepare::columns(&mut transaction, table).await?;
    let records = relations::present_fields(&mut transaction).await?;
    for index in next {
        let field = field(table, index)?;
        refuse_dependents(&mut transaction, table, index).await?;
        let is_ours = records.iter().any(|record| {
            record.table_label == table.label
                && record.column_label == field.label
                && record.blind_index_next.as_deref() == Some(index.next.as_str())
        });
        match (prepare::has(&there, &index.next), is_ours) {
            (true, true) => {}
            (true, false) => return Err(in_the_way("column", index.next.as_str(), table)),
            (false, _) => {
                let statement = format!(
                    "ALTER TABLE {} ADD COLUMN {} BLOB",
                    table.name.name.quoted(),
                    index.next.quoted()
                );
                run(&mut transaction, statement).await?;
            }
        }
        let (table_name, column) = (&table.label, &field.label);
        fields::set_next(
            &mut SqliteSession(&mut *transaction),
            table_name,
            column,
            Some(&index.next),
            None,
        )
        .await?;
    }
    // The guard is made from the registry, so it now blanks the new columns too.
    for statement in prepare::missing(&mut transaction, table).await? {
        run(&mut transaction, statement).await?;
    }
    commit(transaction).await
}

/// Creates the lookup indexes on the new columns.
pub(super) async fn make_indexes(
    conn: &mut SqliteConnection,
    table: &Table,
    next: &[ColumnSwitch],
) -> Result<()> {
    let mut transaction = write_transaction(conn).await?;
    for index in next {
        let statement = indexes::lookup_statement(table, &index.next, index.unique)?;
        run(&mut transaction, statement).await?;
    }
    commit(transaction).await
}

/// Switches columns and keys; `false` if rows still lack their new index.
pub(super) async fn switch(conn: &mut SqliteConnection, order: &IndexSwitch<'_>) -> Result<bool> {
    let (handovers, due) = (order.handovers, order.due);
    // If this is cancelled, dropping the transaction rolls it back.
    let mut transaction = write_transaction(conn).await?;
    let mut session = SqliteSession(&mut *transaction);
    let before = session.newest_change().await?;
    if !keys::hand_over(&mut session, handovers, due, order.actor).await? {
        return Err(StoreError::unexpected(
            "the state of a blind index key changed during its rotation",
        ));
    }
    relations::before_change(&mut transaction).await?;
    let mut ways = Vec::new();
    for (
        at,
        SwitchTable {
            table,
            next,
            fill: access,
        },
    ) in order.tables.iter().enumerate()
    {
        for index in next {
            refuse_dependents(&mut transaction, table, index).await?;
        }
        // The last rows are filled without a guard; nobody else can write under the lock.
        ways.push(guard::drop_all(&mut transaction, &table.name).await?);
        fill(&mut transaction, access, order.late, at).await?;
        for index in next {
            if is_behind(&mut transaction, table, index).await? {
                return Ok(false);
            }
        }
    }
    // A single key is recorded for a column only if its table has no tenants.
    let key = match handovers {
        [handover] => Some(handover.to),
        _ => None,
    };
    for (SwitchTable { table, next, .. }, way) in order.tables.iter().zip(ways) {
        switch_table(&mut transaction, table, next, key, way).await?;
    }
    audit::note(
        &mut SqliteSession(&mut *transaction),
        order.note,
        &[],
        before,
    )
    .await?;
    commit(transaction).await?;
    Ok(true)
}

/// Fills the rows that still lack their new index: those written after the last pass. Skips rows
/// whose value does not open.
async fn fill(
    conn: &mut SqliteConnection,
    access: &Access,
    late: &dyn LateRows,
    table: usize,
) -> Result<()> {
    let mut request = PageRequest {
        relation: access.table.name.name.quoted(),
        after: None,
        upto: None,
        rows_max: 10_000,
        bytes_max: 64 << 20,
        value_bytes_max: 1 << 29,
        select: Select::Unsealed,
        with_key_text: true,
        versions: Visibility::All,
    };
    loop {
        let page = window(conn, access, &request).await?;
        let rows = late.fill(table, page.rows)?;
        if !rows.is_empty() {
            seal::write(conn, access, &rows).await?;
        }
        match page.next {
            Some(next) => request.after = Some(next),
            None => return Ok(()),
        }
    }
}

/// Whether more rows lack their new index than those whose value does not open.
async fn is_behind(
    conn: &mut SqliteConnection,
    table: &Table,
    index: &ColumnSwitch,
) -> Result<bool> {
    let field = field(table, index)?;
    let sealed = match &field.sealed {
        Sealed::Beside { column, .. } => column,
        Sealed::InPlace => &field.column,
    };
    let sql = format!(
        "SELECT count(*) FROM {} WHERE ({} IS NOT NULL AND {} IS NULL) AND {} IS NOT NULL",
        table.name.name.quoted(),
        sealed.quoted(),
        index.next.quoted(),
        index.column.quoted(),
    );
    let behind: i64 = scalar(sql, []).fetch_one(conn).await?;
    Ok(behind.unsigned_abs() > index.refused)
}

async fn switch_table(
    conn: &mut SqliteConnection,
    table: &Table,
    next: &[ColumnSwitch],
    key: Option<KeyId>,
    way: UntrustedSeal,
) -> Result<()> {
    let table_name = table.name.name.quoted();
    // A run may have left the sweep's index behind; the next run that needs it makes it again.
    let sweep = indexes::sweep_name(table)?.quoted();
    run(conn, format!("DROP INDEX IF EXISTS {sweep}")).await?;
    for index in next {
        for column in [&index.column, &index.next] {
            let name = indexes::lookup_name(table, column)?.quoted();
            run(conn, format!("DROP INDEX IF EXISTS {name}")).await?;
        }
        let (old, new) = (index.column.quoted(), index.next.quoted());
        run(conn, format!("ALTER TABLE {table_name} DROP COLUMN {old}")).await?;
        let rename = format!("ALTER TABLE {table_name} RENAME COLUMN {new} TO {old}");
        run(conn, rename).await?;
        // SQLite cannot rename an index.
        let lookup = indexes::lookup_statement(table, &index.column, index.unique)?;
        run(conn, lookup).await?;
        let (label, column) = (&table.label, &field(table, index)?.label);
        let key = key.filter(|_| table.tenant.is_none());
        fields::set_next(&mut SqliteSession(&mut *conn), label, column, None, key).await?;
    }
    // The registry says which columns still wait for their switch.
    let mut whole = guard::with_registered(conn, table).await?;
    whole.on_untrusted_seal.get_or_insert(way);
    for trigger in guard::triggers(conn, &whole).await? {
        run(conn, trigger.create).await?;
    }
    relations::after_change(conn, None, false).await?;
    relations::columns_moved(conn, &table.label).await
}

/// Refuses if an object of the application uses a blind index column: the object would be lost with
/// the column, or prevent it from being dropped.
async fn refuse_dependents(
    conn: &mut SqliteConnection,
    table: &Table,
    index: &ColumnSwitch,
) -> Result<()> {
    const SCHEMA: &str = "SELECT type, name, coalesce(sql, ''), tbl_name = ?1 COLLATE NOCASE, \
        type = 'index' AND EXISTS (SELECT 1 FROM pragma_index_info(s.name) AS i WHERE i.name = ?2 COLLATE NOCASE) \
        FROM sqlite_schema AS s WHERE tbl_name = ?1 COLLATE NOCASE OR type IN ('view', 'trigger') \
        ORDER BY type, name";
    let (table_name, column) = (table.name.name.as_str(), index.column.as_str());
    let ours = [
        indexes::lookup_name(table, &index.column)?,
        indexes::sweep_name(table)?,
    ];
    let is_ours = |name: &str| {
        ours.iter()
            .any(|ident| ident.as_str().eq_ignore_ascii_case(name))
    };
    let binds = [Bind::from(table_name), Bind::from(column)];
    let rows: Vec<(String, String, String, bool, bool)> =
        tuple(SCHEMA, binds).fetch_all(conn).await?;
    for (kind, name, sql, of_table, indexed) in rows {
        let depends = match kind.as_str() {
            "table" => checks(&sql).iter().any(|check| mentions(check, column)),
            // The name may also be in the expression or condition of an index, which no pragma
            // lists.
            "index" => !is_ours(&name) && (indexed || mentions(&sql, column)),
            "trigger" | "view" => {
                !guard::is_guard(&name)
                    && mentions(&sql, column)
                    && (of_table || mentions(&sql, table_name))
            }
            _ => false,
        };
        if depends {
            let what = match kind.as_str() {
                "table" => "a CHECK constraint of table",
                other => other,
            };
            return Err(in_the_way(what, &name, table));
        }
    }
    Ok(())
}

fn in_the_way(kind: &str, name: &str, table: &Table) -> StoreError {
    StoreError::InTheWay {
        what: format!("{kind} {name} on {}", table.label),
    }
}

fn field<'a>(table: &'a Table, index: &ColumnSwitch) -> Result<&'a TableField> {
    table.fields.get(index.field).ok_or(StoreError::unexpected(
        "a blind index of a field that the table does not name",
    ))
}

#[cfg(test)]
mod tests;
