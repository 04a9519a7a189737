//! The recorded guard of each relation, and the gaps during which it had none or another one.
//! Owns the statements that record guards and gaps, including those in the list that a DBA may run.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::super::PostgresStore;
use super::super::prepare;
use super::super::sql::{block, query, raw, run, scalar};
use super::{
    ATTACHED, DATABASE, GUARDED_FROM_BIRTH, REPLACED, UNSEEN, columns_of, guard_now, oid_of, tree,
};
use crate::quote;
use crate::store::postgres::transaction::Transaction;
use crate::store::text::joined;
use crate::store::{Gap, Result, StoreError, Table};

/// The statement before any change of a guard: a relation whose present guard is not the recorded
/// one gets a gap. A partitioned table gets none, since it holds no rows itself.
pub(crate) fn before_change(store: &PostgresStore, table: &Table) -> String {
    let relation = "r.relation::pg_catalog.oid";
    format!(
        "UPDATE {} AS r SET guard = {now}, \
           gap = CASE WHEN c.relkind = 'p' THEN r.gap ELSE coalesce(r.gap, {reason}) END, \
           gap_since = CASE WHEN c.relkind = 'p' THEN r.gap_since ELSE coalesce(r.gap_since, pg_catalog.clock_timestamp()) END \
         FROM pg_catalog.pg_class AS c WHERE c.oid = {relation} AND r.table_label = {label} AND r.left_at IS NULL \
           AND r.database = {DATABASE} AND r.guard IS DISTINCT FROM {now}",
        store.own("sealed_relations"),
        now = guard_now(relation),
        reason = quote::literal(REPLACED),
        label = quote::literal(&table.label),
    )
}

/// The statements after the change: they record the present guards, and the relations that were not
/// recorded yet. `no_seals_yet` says that these cannot contain sealed values, so they get no gap.
pub(crate) fn after_change(
    store: &PostgresStore,
    table: &Table,
    no_seals_yet: bool,
) -> [String; 2] {
    let relations = store.own("sealed_relations");
    let label = quote::literal(&table.label);
    let root = oid_of(table);
    let reason = match no_seals_yet {
        true => "NULL".to_owned(),
        false => format!(
            "CASE WHEN c.relkind = 'p' THEN NULL WHEN NOT EXISTS (SELECT FROM {relations} AS o WHERE o.table_label = {label} \
               AND o.root AND o.left_at IS NULL AND o.database = {DATABASE} AND o.relation <> c.oid::pg_catalog.int8) \
               THEN {} WHEN {GUARDED_FROM_BIRTH} THEN NULL ELSE {} END",
            quote::literal(UNSEEN),
            quote::literal(ATTACHED)
        ),
    };
    [
        format!(
            "UPDATE {relations} AS r SET guard = {now}, \
               columns = ({columns}::pg_catalog.jsonb || r.columns::pg_catalog.jsonb)::pg_catalog.text \
             WHERE r.table_label = {label} AND r.left_at IS NULL \
               AND r.database = {DATABASE} AND r.guard IS DISTINCT FROM {now}",
            now = guard_now("r.relation::pg_catalog.oid"),
            columns = columns_of("r.relation::pg_catalog.oid"),
        ),
        format!(
            "INSERT INTO {relations} (table_label, database, relation, root, schema_name, table_name, columns, guard, gap, gap_since) \
             SELECT {label}, {DATABASE}, c.oid::pg_catalog.int8, c.oid = {root}, n.nspname, c.relname, {columns}, {guard}, \
               f.gap, CASE WHEN f.gap IS NOT NULL THEN pg_catalog.clock_timestamp() END \
             FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace, \
               LATERAL (SELECT ({reason})::pg_catalog.text AS gap) AS f \
             WHERE c.oid IN {tree} AND c.relkind IN ('r', 'p') AND NOT EXISTS (SELECT FROM {relations} AS o \
               WHERE o.database = {DATABASE} AND o.relation = c.oid::pg_catalog.int8 AND o.left_at IS NULL \
                 AND o.table_label = {label}) ORDER BY c.oid = {root} DESC, c.oid",
            columns = columns_of("c.oid"),
            guard = guard_now("c.oid"),
            tree = tree(&root),
        ),
    ]
}

/// Whether no plaintext of the table has a sealed value beside it, so that nothing needs to be
/// compared. In-place fields do not count, since a backfill opens their values anyway.
pub(crate) async fn has_no_seals(
    tx: &mut Transaction,
    store: &PostgresStore,
    table: &Table,
) -> Result<bool> {
    let yes: bool = scalar(format!(
        "SELECT EXISTS (SELECT FROM {} WHERE table_label = $1 AND left_at IS NULL AND database = {DATABASE})",
        store.own("sealed_relations")
    ))
    .bind(table.label.clone())
    .fetch_one(&mut **tx)
    .await?;
    if yes {
        return Ok(false);
    }
    let there = prepare::columns_there(tx, table).await?;
    let sealed = joined(
        table
            .fields
            .iter()
            .filter_map(|field| field.sealed.beside())
            .filter(|column| there.iter().any(|name| name == column.as_str())),
        " OR ",
        |column| format!("t.{} IS NOT NULL", column.quoted()),
    );
    if sealed.is_empty() {
        return Ok(true);
    }
    run(
        tx,
        "SET LOCAL statement_timeout = 0; SET LOCAL row_security = off",
    )
    .await?;
    Ok(scalar(format!(
        "SELECT NOT EXISTS (SELECT FROM {} AS t WHERE {})",
        table.name.quoted(),
        sealed
    ))
    .fetch_one(&mut **tx)
    .await?)
}

/// Wraps a statement on our own table for the list that a DBA may run. A role without the right to
/// write to that table skips it; our next command then finds a guard that is not recorded.
pub(crate) fn if_allowed(store: &PostgresStore, statement: &str) -> String {
    let relations = quote::literal(&store.own("sealed_relations"));
    block(&format!(
        "BEGIN IF has_table_privilege({relations}, 'INSERT') AND has_table_privilege({relations}, 'UPDATE') \
         THEN {statement}; END IF; END"
    ))
    .trim_end_matches([' ', ';'])
    .to_owned()
}

/// See [`crate::store::SealedRelations::note_relations`].
pub(crate) async fn note(store: &PostgresStore, table: &Table) -> Result<()> {
    let mut tx = store.begin().await?;
    let no_seals_yet = has_no_seals(&mut tx, store, table).await?;
    run(&mut tx, before_change(store, table)).await?;
    for statement in after_change(store, table, no_seals_yet) {
        raw(statement)
            .execute(&mut *tx)
            .await
            .map_err(map_second_root(table))?;
    }
    tx.commit().await
}

/// Translates a violated unique index: the relation is recorded under another label, or the label
/// has another root.
pub(super) fn map_second_root(table: &Table) -> impl Fn(sqlx::Error) -> StoreError {
    let (label, table_name) = (table.label.clone(), table.name.label());
    move |error| match error.into() {
        StoreError::RowRefused { sqlstate, .. } if sqlstate == "23505" => StoreError::OtherTable {
            label: label.clone(),
            table: format!("{table_name}, or a relation of it has another label"),
        },
        other => other,
    }
}

/// See [`crate::store::SealedRelations::gaps`].
pub(crate) async fn gaps(store: &PostgresStore, table: &Table) -> Result<Vec<Gap>> {
    let mut tx = store.begin().await?;
    let rows = query(format!(
        "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), coalesce(r.guard, ''), r.gap, c.oid IN {} \
         FROM {} AS r JOIN pg_catalog.pg_class AS c ON c.oid = r.relation::pg_catalog.oid \
         JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
         WHERE r.table_label = $1 AND r.left_at IS NULL AND r.database = {DATABASE} AND r.gap IS NOT NULL \
           AND c.relkind = 'r' ORDER BY 1",
        tree("to_regclass($2)::pg_catalog.oid"),
        store.own("sealed_relations"),
    ))
    .bind(table.label.clone())
    .bind(table.name.quoted())
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    let gap = |row: &PgRow| {
        Ok(Gap {
            relation: row.try_get(0)?,
            guard: row.try_get(1)?,
            reason: row.try_get(2)?,
            attached: row.try_get(3)?,
        })
    };
    rows.iter().map(gap).collect()
}

/// See [`crate::store::SealedRelations::open_gaps`].
pub(crate) async fn open_gaps(store: &PostgresStore, label: &str, reason: &str) -> Result<()> {
    let mut tx = store.begin().await?;
    query(format!(
        "UPDATE {} AS r SET gap = $2, gap_since = pg_catalog.clock_timestamp() FROM pg_catalog.pg_class AS c \
         WHERE c.oid = r.relation::pg_catalog.oid AND c.relkind = 'r' AND r.table_label = $1 \
           AND r.left_at IS NULL AND r.database = {DATABASE} AND r.gap IS NULL",
        store.own("sealed_relations")
    ))
    .bind(label.to_owned())
    .bind(reason.to_owned())
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

/// See [`crate::store::SealedRelations::close_gaps`].
pub(crate) async fn close_gaps(
    store: &PostgresStore,
    label: &str,
    compared: &[Gap],
) -> Result<Vec<String>> {
    in_transaction!(store.begin(), |tx| {
        scalar(format!(
        "WITH closed AS (UPDATE {} AS r SET gap = NULL, gap_since = NULL, compared_at = pg_catalog.clock_timestamp() \
           FROM unnest($2::pg_catalog.text[], $3::pg_catalog.text[]) AS g(relation, guard) \
           WHERE r.table_label = $1 AND r.left_at IS NULL AND r.database = {DATABASE} \
             AND r.relation = pg_catalog.to_regclass(g.relation)::pg_catalog.oid::pg_catalog.int8 \
             AND r.guard = g.guard AND r.guard = {} RETURNING g.relation) \
         SELECT g FROM pg_catalog.unnest($2::pg_catalog.text[]) AS g WHERE g NOT IN (SELECT relation FROM closed)",
        store.own("sealed_relations"),
        guard_now("r.relation::pg_catalog.oid"),
    ))
    .bind(label.to_owned())
    .bind(compared.iter().map(|gap| gap.relation.clone()).collect::<Vec<_>>())
    .bind(compared.iter().map(|gap| gap.guard.clone()).collect::<Vec<_>>())
    .fetch_all(&mut **tx)
    })
}
