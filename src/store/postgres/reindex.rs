//! The rotation of a blind index's key: a new column is filled beside the old one and then replaces
//! it.
//! Owns the columns, their indexes and the transaction of the switch, which covers all tables and
//! the keys. A lookup finds either the old column under the old key or the new column under the new
//! key, and nothing in between.

use sqlx::Row;

use super::PostgresStore;
use super::ddl_lock::{begin_briefly, settle};
use super::decode::{Places, decode_cut};
use super::prepare::{self, apply};
use super::read::{binds, page_rows};
use super::relations;
use super::seal::seal_rows;
use super::select::{Cut, Rows};
use super::sql::{OWNERS_NAMES, SAFE_NAMES, TEXT_SETTINGS, query, run, scalar, set_local};
use super::{guard, indexes};
use crate::crypto::KeyId;
use crate::ident::Ident;
use crate::quote;
use crate::store::ledger::{audit, keys};
use crate::store::page::WriteCell;
use crate::store::postgres::transaction::Transaction;
use crate::store::{
    Access, ColumnSwitch, IndexSwitch, LateRows, PageRequest, Result, Select, StoreError,
    SwitchTable, Table, Triggers, UntrustedSeal, Visibility, WriteBatch, WriteRow,
};

/// Creates the new columns, records them, and extends the guard to them.
pub(super) async fn prepare_columns(
    store: &PostgresStore,
    table: &Table,
    next: &[ColumnSwitch],
) -> Result<()> {
    let mut tx = store.begin().await?;
    let mut inherit = Vec::new();
    for index in next {
        refuse_dependents(&mut tx, table, index).await?;
        inherit.extend(inherited(&mut tx, table, index).await?);
    }
    tx.commit().await?;
    let mut statements: Vec<String> = next
        .iter()
        .map(|index| {
            format!(
                "ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} bytea",
                table.name.quoted(),
                index.next.quoted()
            )
        })
        .collect();
    for index in next {
        statements.push(format!(
            "UPDATE {} SET blind_index_next = {}, updated_at = clock_timestamp() \
             WHERE table_label = {} AND column_label = {}",
            store.own("encrypted_field_metadata"),
            quote::literal(index.next.as_str()),
            quote::literal(&table.label),
            quote::literal(&table.fields[index.field].label),
        ));
    }
    statements.extend(inherit);
    apply(store, table, &statements).await?;
    // From here on the guard also sets the new column to NULL when a value changes; it has been
    // empty until now.
    prepare::prepare(store, &table.with_next(next)).await
}

/// Returns an error if an object of the application depends on a blind index column, since it would
/// be dropped with the column or prevent the switch: an index, a constraint, a view, a policy.
/// Publications count too, because a subscriber does not have the new column.
async fn refuse_dependents(
    tx: &mut Transaction,
    table: &Table,
    index: &ColumnSwitch,
) -> Result<()> {
    let ours = indexes::index_name(&table.name, &index.column)?;
    let row = query(
        "WITH relations AS (SELECT to_regclass($1)::oid AS oid \
           UNION SELECT relid FROM pg_partition_tree(to_regclass($1))), \
         columns AS (SELECT a.attrelid, a.attnum FROM pg_catalog.pg_attribute a JOIN relations r ON r.oid = a.attrelid \
           WHERE a.attname = $2 AND NOT a.attisdropped) \
         SELECT pg_describe_object(d.classid, d.objid, d.objsubid) FROM pg_catalog.pg_depend d \
           JOIN columns c ON c.attrelid = d.refobjid AND c.attnum = d.refobjsubid \
           WHERE d.refclassid = 'pg_class'::regclass \
             AND NOT (d.classid = 'pg_trigger'::regclass AND EXISTS (SELECT 1 FROM pg_catalog.pg_trigger t \
               WHERE t.oid = d.objid AND t.tgname LIKE '~phiseal%')) \
             AND NOT (d.classid = 'pg_class'::regclass AND EXISTS (SELECT 1 FROM pg_catalog.pg_class i \
               WHERE i.oid = d.objid AND i.relkind IN ('i', 'I') AND left(i.relname, length($3)) = $3)) \
         UNION ALL SELECT 'publication ' || p.pubname FROM pg_catalog.pg_publication p \
           WHERE p.puballtables OR EXISTS (SELECT 1 FROM pg_catalog.pg_publication_rel pr JOIN relations r \
             ON r.oid = pr.prrelid WHERE pr.prpubid = p.oid) LIMIT 1",
    )
    .bind(table.name.quoted())
    .bind(index.column.as_str().to_owned())
    .bind(ours.as_str().to_owned())
    .fetch_optional(&mut **tx)
    .await?;
    match row {
        None => Ok(()),
        Some(row) => Err(StoreError::InTheWay {
            what: format!(
                "{}, on {}.{},",
                row.try_get::<String, _>(0)?,
                table.label,
                index.column.as_str()
            ),
        }),
    }
}

/// The rights on a column and its comment, as statements for the column that replaces it.
async fn inherited(
    tx: &mut Transaction,
    table: &Table,
    index: &ColumnSwitch,
) -> Result<Vec<String>> {
    Ok(scalar(
        "SELECT format('GRANT %s (%I) ON %s TO %s%s', x.privilege_type, $3, $1, \
             CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END, \
             CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) \
         FROM pg_catalog.pg_attribute a, aclexplode(a.attacl) AS x \
         WHERE a.attrelid = to_regclass($1) AND a.attname = $2 AND NOT a.attisdropped \
         UNION ALL SELECT format('COMMENT ON COLUMN %s.%I IS %L', $1, $3, col_description(a.attrelid, a.attnum)) \
         FROM pg_catalog.pg_attribute a WHERE a.attrelid = to_regclass($1) AND a.attname = $2 \
           AND NOT a.attisdropped AND col_description(a.attrelid, a.attnum) IS NOT NULL",
    )
    .bind(table.name.quoted())
    .bind(index.column.as_str().to_owned())
    .bind(index.next.as_str().to_owned())
    .fetch_all(&mut **tx)
    .await?)
}

/// Creates the lookup indexes on the new columns.
pub(super) async fn make_indexes(
    store: &PostgresStore,
    table: &Table,
    next: &[ColumnSwitch],
) -> Result<()> {
    for index in next {
        indexes::lookup_index(store, table, &index.next, index.unique).await?;
    }
    Ok(())
}

/// Replaces the old columns by the new ones; see [`crate::store::Rows::switch_indexes`].
pub(super) async fn switch(store: &PostgresStore, order: &IndexSwitch<'_>) -> Result<bool> {
    // If a table's lock is not granted soon, the caller tries again.
    let mut tx = begin_briefly(store).await?;
    run(&mut tx, set_local!("row_security" = "off")).await?;
    let (handovers, due) = (order.handovers, order.due);
    if !keys::hand_over(&mut store.session(&mut tx), handovers, due, order.actor).await? {
        return Err(StoreError::unexpected(
            "the state of a blind index key changed during its rotation",
        ));
    }
    let mut leaves = Vec::new();
    for one in order.tables {
        let table = &one.table;
        run(
            &mut tx,
            format!(
                "LOCK TABLE {} IN ACCESS EXCLUSIVE MODE",
                table.name.quoted()
            ),
        )
        .await?;
        leaves.push(super::table::relations_in(store, &mut tx, table, &one.fill.scope).await?);
    }
    let shared = handovers.iter().map(|h| h.to).collect::<Vec<KeyId>>();
    for (at, (one, leaves)) in order.tables.iter().zip(&leaves).enumerate() {
        let SwitchTable { table, next, .. } = one;
        // The guard is dropped so that it does not interfere with filling the last rows. Nobody
        // else can write to the table now.
        let guard = guard::guard_of(store, &mut tx, table).await?;
        let way = match guard.undoes {
            true => UntrustedSeal::Undo,
            false => UntrustedSeal::Refuse,
        };
        run(&mut tx, relations::before_change(store, table)).await?;
        for statement in guard.drop_statements() {
            run(&mut tx, statement).await?;
        }
        for relation in leaves {
            fill(&mut tx, &one.fill, relation, order.late, at).await?;
        }
        if is_behind(&mut tx, table, next, leaves).await? {
            tx.rollback().await?;
            return Ok(false);
        }
        switch_table(store, &mut tx, table, next, (leaves, way), &shared).await?;
    }
    audit::note(&mut store.session(&mut tx), order.note, &[], 0).await?;
    tx.commit().await?;
    settle(store).await?;
    Ok(true)
}

/// The number of rows that one statement fills.
const ROWS_AT_ONCE: u32 = 1_000;

/// Fills the rows of a relation that have no new index yet, because they were written between the
/// last pass and the lock. Rows whose value does not open are left unchanged.
async fn fill(
    tx: &mut Transaction,
    access: &Access,
    relation: &str,
    late: &dyn LateRows,
    table: usize,
) -> Result<()> {
    let replica = if access.triggers == Triggers::Suppressed {
        "SET LOCAL session_replication_role = 'replica';"
    } else {
        ""
    };
    run(tx, format!("{TEXT_SETTINGS} {replica}")).await?;
    let mut request = PageRequest {
        relation: relation.to_owned(),
        after: None,
        upto: None,
        rows_max: ROWS_AT_ONCE,
        bytes_max: 64 << 20,
        value_bytes_max: 1 << 29,
        select: Select::UnsealedIndexed,
        with_key_text: true,
        versions: Visibility::All,
    };
    loop {
        let window = Rows::Window(&request);
        let rows = page_rows(tx, access, &window, Cut::Server, binds(&request)).await?;
        let page = decode_cut(access, &rows, &Places::ByKey)?.page;
        let rows = late.fill(table, page.rows)?;
        let written = rows.iter().any(|row| {
            row.cells
                .iter()
                .any(|cell| !matches!(cell, WriteCell::Keep))
        });
        if written {
            write(tx, access, relation, &page.storage, &rows).await?;
        }
        match page.next {
            Some(next) => request.after = Some(next),
            None => break,
        }
    }
    let origin = if access.triggers == Triggers::Suppressed {
        "SET LOCAL session_replication_role = 'origin';"
    } else {
        ""
    };
    // Deferred triggers must run now, since pending ones would prevent the columns from being
    // dropped.
    run(tx, format!("SET CONSTRAINTS ALL IMMEDIATE; {origin}")).await?;
    Ok(())
}

async fn write(
    tx: &mut Transaction,
    access: &Access,
    relation: &str,
    storage: &str,
    rows: &[WriteRow],
) -> Result<()> {
    let batch = WriteBatch {
        relation,
        fingerprint: "",
        storage,
        rows,
    };
    // The application's triggers must find the same names as under its own writes.
    if access.triggers == Triggers::Fire {
        run(tx, OWNERS_NAMES).await?;
    }
    seal_rows(tx, access, &batch, false).await?;
    if access.triggers == Triggers::Fire {
        run(tx, SAFE_NAMES).await?;
    }
    Ok(())
}

/// Whether more rows than expected have the old index but not the new one. The sweep's partial
/// index makes this quick.
async fn is_behind(
    tx: &mut Transaction,
    table: &Table,
    next: &[ColumnSwitch],
    leaves: &[String],
) -> Result<bool> {
    for relation in leaves {
        for index in next {
            let sealed = match &table.fields[index.field].sealed {
                crate::store::Sealed::Beside { column, .. } => column,
                crate::store::Sealed::InPlace => &table.fields[index.field].column,
            };
            let behind: i64 = scalar(format!(
                "SELECT count(*) FROM ONLY {relation} \
                 WHERE ({} IS NOT NULL AND {} IS NULL) AND {} IS NOT NULL",
                sealed.quoted(),
                index.next.quoted(),
                index.column.quoted()
            ))
            .fetch_one(&mut **tx)
            .await?;
            if behind.unsigned_abs() > index.refused {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

async fn switch_table(
    store: &PostgresStore,
    tx: &mut Transaction,
    table: &Table,
    next: &[ColumnSwitch],
    (leaves, way): (&[String], UntrustedSeal),
    keys: &[KeyId],
) -> Result<()> {
    let table_name = table.name.quoted();
    let mut after = table.clone();
    for index in next {
        after.fields[index.field].index_next = None;
    }
    after.on_untrusted_seal = Some(way);
    let mut statements = Vec::new();
    for index in next {
        statements.push(format!(
            "ALTER TABLE {table_name} DROP COLUMN {}",
            index.column.quoted()
        ));
        statements.push(format!(
            "ALTER TABLE {table_name} RENAME COLUMN {} TO {}",
            index.next.quoted(),
            index.column.quoted()
        ));
        let old = indexes::index_name(&table.name, &index.next)?;
        let new = indexes::index_name(&table.name, &index.column)?;
        for (leaf, suffix) in indexes::suffixes(leaves) {
            statements.push(rename_index(&leaf, &old, &new, &suffix)?);
        }
        // A column has a single key only if its table_name has no tenants.
        let key = match (&table.tenant, keys) {
            (None, [key]) => format!(", blind_index_key_id = {key}"),
            _ => String::new(),
        };
        statements.push(format!(
            "UPDATE {} SET blind_index_next = NULL{key}, updated_at = clock_timestamp() \
             WHERE table_label = {} AND column_label = {}",
            store.own("encrypted_field_metadata"),
            quote::literal(&table.label),
            quote::literal(&table.fields[index.field].label),
        ));
    }
    for statement in statements {
        run(tx, statement).await?;
    }
    let guard = guard::guard_of(store, tx, &after).await?;
    for statement in guard.statements() {
        run(tx, statement).await?;
    }
    for leaf in leaves {
        for name in [super::guard::INSERT, super::guard::UPDATE] {
            run(
                tx,
                format!("ALTER TABLE {leaf} ENABLE ALWAYS TRIGGER \"{name}\""),
            )
            .await?;
        }
    }
    for statement in relations::after_change(store, table, false) {
        run(tx, statement).await?;
    }
    Ok(())
}

fn rename_index(leaf: &str, old: &Ident, new: &Ident, suffix: &str) -> Result<String> {
    let name = |ident: &Ident| {
        ident
            .with_suffix(suffix)
            .map_err(|_| StoreError::unexpected("an index name"))
    };
    let schema = leaf
        .parse::<crate::ident::TableName>()
        .ok()
        .and_then(|table| table.schema)
        .map_or_else(String::new, |schema| format!("{}.", schema.quoted()));
    Ok(format!(
        "ALTER INDEX IF EXISTS {schema}{} RENAME TO {}",
        name(old)?.quoted(),
        name(new)?.quoted()
    ))
}
