//! Statements about a whole relation: the ranges of keys that it is cut into, and whether any row
//! still needs work.
//! Owns their SQL, but not the conditions (`wanted.rs`).

use sqlx::Row;

use super::read::{Binds, READ_SETTINGS};
use super::select;
use super::sql::{TEXT_SETTINGS, query, run};
use super::wanted;
use super::{PostgresStore, timed};
use crate::store::text::joined;
use crate::store::{Access, KeyText, Result, Select, StoreError, Table};

/// Whether any row needs work: one scan of the table, which the server may run in parallel.
pub(super) async fn any_left(
    store: &PostgresStore,
    access: &Access,
    relation: &str,
    select: &Select,
) -> Result<bool> {
    let mut tx = store.begin().await?;
    // By old statistics, a scan of the table meets such a row at once, and seems cheaper than the
    // sweep's index.
    let by_index = match select {
        Select::UnsealedIndexed => "SET LOCAL enable_seqscan = off;",
        _ => "",
    };
    run(
        &mut tx,
        format!("{TEXT_SETTINGS} {READ_SETTINGS} {by_index}"),
    )
    .await?;
    let mut statement = query(wanted::any_left(access, relation, select));
    for array in (Binds {
        texts: Vec::new(),
        arrays: Vec::new(),
    })
    .with_prefixes(select)
    .arrays
    {
        statement = statement.bind(array);
    }
    let left = match timed(statement.fetch_one(&mut *tx)).await {
        Ok(row) => row.try_get(0)?,
        // The scan took too long; the sweep's windows will find out.
        Err(StoreError::Busy { .. }) => true,
        Err(error) => return Err(error),
    };
    // Ends the transaction at once: the next steps create and drop an index and wait for every
    // transaction that has read the table.
    tx.rollback().await?;
    Ok(left)
}

/// Cuts a relation into ranges of keys at the quantiles of a sample of its blocks.
pub(super) async fn cut_by_key(
    store: &PostgresStore,
    table: &Table,
    relation: &str,
    pieces: u32,
) -> Result<Vec<KeyText>> {
    const SAMPLE_ROWS: i64 = 20_000;
    if pieces < 2 {
        return Ok(Vec::new());
    }
    let mut tx = store.begin().await?;
    run(
        &mut tx,
        format!("{TEXT_SETTINGS} SET LOCAL statement_timeout = '60s'"),
    )
    .await?;
    let pages: i64 = query(
        "SELECT greatest(pg_relation_size(to_regclass($1)) / current_setting('block_size')::int8, 1)",
    )
    .bind(relation.to_owned())
    .fetch_one(&mut *tx)
    .await
    .and_then(|row| row.try_get(0))?;
    // Assumes forty rows a block; a wrong guess only makes the lanes less even.
    let percent = (SAMPLE_ROWS as f64 / 40.0 / pages as f64 * 100.0).clamp(0.001, 100.0);
    let texts = joined(0..table.keys.len(), ", ", |i| format!("q.key{i}::text"));
    let columns = joined(table.keys.iter().enumerate(), ", ", |(i, key)| {
        format!("t.{} AS key{i}", key.name.quoted())
    });
    let sql = format!(
        "SELECT {texts} FROM (SELECT {columns}, row_number() OVER (ORDER BY {keys}) AS rn, count(*) OVER () AS n \
           FROM ONLY {relation} AS t TABLESAMPLE SYSTEM ({percent:.3}) REPEATABLE (1)) AS q \
         WHERE q.rn < q.n AND q.rn % greatest(q.n / {pieces}, 1) = 0 ORDER BY q.rn LIMIT {}",
        pieces - 1,
        keys = select::key_list(&table.keys, "t"),
    );
    let rows = query(sql).fetch_all(&mut *tx).await?;
    tx.commit().await?;
    rows.iter()
        .map(|row| {
            let texts = (0..table.keys.len()).map(|i| row.try_get(i));
            Ok(KeyText(texts.collect::<sqlx::Result<_>>()?))
        })
        .collect()
}
