//! Rewriting relations, and the statements that cannot run in a transaction block.
//! Owns how such a statement waits for its lock: more briefly than the server waits before it looks
//! for a deadlock, so that we give up and never the application. Its session is our own, and ends
//! afterwards.

use std::time::Instant;

use super::super::PostgresStore;
use super::super::alone::Alone;
use super::super::ddl_lock::{LOCK_WAIT, begin_briefly, settle};
use super::super::sql::{OWNERS_NAMES, run, scalar};
use super::pg_repack;
use crate::store::{Method, Result, ScrubStep, StepKind, StoreError, StoredRelation};

/// How many bytes of rows a sample copies.
const SAMPLE_BYTES: u64 = 32 << 20;
/// How long a sample may take before it is given up.
const SAMPLE_TIME: &str = "30s";
/// The temporary copy of a sample.
const SAMPLE: &str = "\"~phiseal_scrub\"";
/// A temporary table writes no log, and a rewritten one does.
const WITH_LOG: f64 = 2.0;

/// Rewrites a relation, and returns its storage.
pub(super) async fn relation(
    store: &PostgresStore,
    relation: &StoredRelation,
    method: Method,
) -> Result<String> {
    let name = &relation.name;
    let before = storage(store, name).await?;
    match method {
        Method::Repack => alone(store, &format!("REPACK (CONCURRENTLY) {name}"), true).await?,
        Method::PgRepack => pg_repack::run(store, name).await?,
        Method::VacuumFull => alone(store, &format!("VACUUM (FULL) {name}"), true).await?,
        Method::Vacuum => return Err(StoreError::unexpected("a method of another store")),
    }
    changed(store, name, &before).await
}

/// Does one step.
pub(super) async fn step(store: &PostgresStore, step: &ScrubStep) -> Result<()> {
    let object = &step.object;
    match step.kind {
        StepKind::Catalog => {
            let before = storage(store, object).await?;
            alone(store, &format!("VACUUM (FULL) {object}"), false).await?;
            changed(store, object, &before).await.map(drop)
        }
        StepKind::View => {
            let mut tx = begin_briefly(store).await?;
            run(&mut tx, OWNERS_NAMES).await?;
            run(&mut tx, format!("REFRESH MATERIALIZED VIEW {object}")).await?;
            tx.commit().await?;
            settle(store).await
        }
        StepKind::Statements => {
            let mut tx = store.begin_as_login().await?;
            run(&mut tx, format!("SELECT {object}()")).await?;
            tx.commit().await
        }
    }
}

/// Runs a statement outside of a transaction block, which gives up if its lock is not granted soon.
async fn alone(store: &PostgresStore, statement: &str, in_role: bool) -> Result<()> {
    let role = store.opening.role().filter(|_| in_role);
    let mut session = Alone::open(store, role, LOCK_WAIT).await?;
    let done = session.run(statement).await;
    session.close().await;
    done?;
    settle(store).await
}

/// The numbers of the files of a relation and of its TOAST table.
async fn storage(store: &PostgresStore, name: &str) -> Result<String> {
    in_transaction!(store.begin(), |tx| scalar(
        "SELECT coalesce(pg_relation_filenode(c.oid)::text, '') || '/' \
           || coalesce(pg_relation_filenode(c.reltoastrelid)::text, '') \
         FROM pg_catalog.pg_class c WHERE c.oid = to_regclass($1)",
    )
    .bind(name.to_owned())
    .fetch_one(&mut **tx))
}

/// The storage now, if each part of it is another one than before. VACUUM only warns where it
/// passes a relation over.
async fn changed(store: &PostgresStore, name: &str, before: &str) -> Result<String> {
    let now = storage(store, name).await?;
    let is_same = |(one, other): (&str, &str)| !one.is_empty() && one == other;
    if now.split('/').zip(before.split('/')).any(is_same) {
        return Err(StoreError::NotRewritten {
            relation: name.to_owned(),
            why: "its files are those of before".to_owned(),
        });
    }
    Ok(now)
}

/// How long a rewrite takes that blocks everybody, by a copy of the first rows.
pub(super) async fn seconds(
    store: &PostgresStore,
    relation: &StoredRelation,
) -> Result<Option<f64>> {
    match copied(store, relation).await {
        Ok((bytes, seconds)) => Ok(projected(relation, bytes, seconds)),
        // No right to make temporary tables, no lock, or no time.
        Err(StoreError::Denied { .. } | StoreError::Locked | StoreError::Busy { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[allow(clippy::cast_precision_loss, reason = "an estimate")]
fn projected(relation: &StoredRelation, bytes: u64, seconds: f64) -> Option<f64> {
    let all = relation.row_bytes + relation.index_bytes;
    (bytes > 0).then(|| seconds * WITH_LOG * all as f64 / bytes as f64)
}

/// The size of the copy of the first rows, and how long it took.
async fn copied(store: &PostgresStore, relation: &StoredRelation) -> Result<(u64, f64)> {
    let name = &relation.name;
    let mut tx = store.begin().await?;
    run(
        &mut tx,
        format!(
            "SET LOCAL row_security = off; SET LOCAL lock_timeout = '{LOCK_WAIT}'; \
             SET LOCAL statement_timeout = '{SAMPLE_TIME}'"
        ),
    )
    .await?;
    let rows: f32 = scalar("SELECT reltuples FROM pg_catalog.pg_class WHERE oid = to_regclass($1)")
        .bind(name.clone())
        .fetch_one(&mut *tx)
        .await?;
    let limit = sample_rows(f64::from(rows), relation.row_bytes);
    let begun = Instant::now();
    run(
        &mut tx,
        format!(
            "CREATE TEMPORARY TABLE {SAMPLE} ON COMMIT DROP AS SELECT * FROM ONLY {name} LIMIT {limit}"
        ),
    )
    .await?;
    let seconds = begun.elapsed().as_secs_f64();
    let bytes: i64 = scalar(format!(
        "SELECT pg_total_relation_size('pg_temp.{SAMPLE}'::pg_catalog.regclass)"
    ))
    .fetch_one(&mut *tx)
    .await?;
    tx.rollback().await?;
    Ok((bytes.unsigned_abs(), seconds))
}

/// How many rows have about [`SAMPLE_BYTES`]; some if the number of rows is not known.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate, of at least one row"
)]
fn sample_rows(rows: f64, bytes: u64) -> u64 {
    const UNKNOWN: u64 = 50_000;
    if rows < 1.0 || bytes == 0 {
        return UNKNOWN;
    }
    (rows * SAMPLE_BYTES as f64 / bytes as f64).ceil().max(1.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_a_part_of_the_rows_and_its_time_stands_for_all() {
        assert_eq!(sample_rows(-1.0, 0), 50_000);
        assert_eq!(sample_rows(1000.0, SAMPLE_BYTES * 10), 100);
        assert_eq!(sample_rows(1.0, SAMPLE_BYTES * 10), 1);
        let relation = StoredRelation {
            row_bytes: 800,
            index_bytes: 200,
            ..StoredRelation::default()
        };
        assert_eq!(projected(&relation, 100, 0.5), Some(10.0));
        assert_eq!(projected(&relation, 0, 0.5), None);
    }
}
