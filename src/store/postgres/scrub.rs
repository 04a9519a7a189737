//! Taking old plaintext out of the server's files.
//! Owns what a scrub asks of the server as a whole: the moment, who sees old rows, the log, the
//! files. Facts are in `scrub/facts.rs`, rewriting in `scrub/rewrite.rs` and
//! `scrub/pg_repack.rs`. What concerns the server and not a table is done with the rights of the
//! login, since none of it runs code of a table's owner.

mod estate;
mod facts;
mod files;
mod pg_repack;
mod rewrite;

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::PostgresStore;
use super::sql::{run, scalar, tuple};
use crate::store::{
    Keeper, Method, Result, ScrubFacts, ScrubStep, Scrubbing, StoredFile, StoredRelation, Table,
};

/// Whoever sees row versions older than the transaction `$1`. The server shows these columns of
/// other sessions to every role. VACUUM is left out: it keeps no row version.
const KEEPERS: &str = "
    SELECT 'pid ' || a.pid || coalesce(' (' || nullif(a.application_name, '') || ')', '')
           || CASE WHEN a.backend_type = 'walsender' THEN ', a replica'
              ELSE coalesce(', since ' || to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), '')
              END, false
      FROM pg_catalog.pg_stat_activity a
     WHERE age(coalesce(a.backend_xmin, a.backend_xid)) > age($1::text::xid)
       AND a.pid <> pg_backend_pid() AND (a.datname = current_database() OR a.datname IS NULL)
       AND NOT (coalesce(a.backend_type, '') = 'autovacuum worker' AND a.query LIKE 'autovacuum: VACUUM%')
    UNION ALL
    SELECT 'prepared transaction ' || gid, false FROM pg_catalog.pg_prepared_xacts
     WHERE database = current_database() AND age(transaction) > age($1::text::xid)
    UNION ALL
    SELECT 'replication slot ' || slot_name, false FROM pg_catalog.pg_replication_slots
     WHERE age(xmin) > age($1::text::xid)
    UNION ALL
    SELECT 'replication slot ' || slot_name, true FROM pg_catalog.pg_replication_slots
     WHERE age(catalog_xmin) > age($1::text::xid) AND coalesce(age(xmin) <= age($1::text::xid), true)";

#[async_trait]
impl Scrubbing for PostgresStore {
    async fn scrub_facts(&self, table: &Table) -> Result<ScrubFacts> {
        facts::facts(self, table).await
    }

    async fn row_horizon(&self) -> Result<String> {
        in_transaction!(self.begin(), |tx| scalar(
            "SELECT ((pg_snapshot_xmax(pg_current_snapshot()))::text::xid8)::xid::text"
        )
        .fetch_one(&mut **tx))
    }

    async fn keepers(&self, horizon: &str) -> Result<Vec<Keeper>> {
        let mut tx = self.begin_as_login().await?;
        let rows: Vec<(String, bool)> = tuple(KEEPERS)
            .bind(horizon.to_owned())
            .fetch_all(&mut *tx)
            .await?;
        tx.commit().await?;
        let keeper = |(who, catalogs_only)| Keeper { who, catalogs_only };
        Ok(rows.into_iter().map(keeper).collect())
    }

    async fn rewrite_seconds(&self, relation: &StoredRelation) -> Result<Option<f64>> {
        rewrite::seconds(self, relation).await
    }

    async fn rewrite(&self, relation: &StoredRelation, method: Method) -> Result<String> {
        rewrite::relation(self, relation, method).await
    }

    async fn scrub_step(&self, step: &ScrubStep) -> Result<()> {
        rewrite::step(self, step).await
    }

    async fn checkpoint(&self) -> Result<()> {
        let mut tx = self.begin_as_login().await?;
        run(&mut tx, "CHECKPOINT").await?;
        tx.commit().await
    }

    async fn switch_log(&self) -> Result<()> {
        let mut tx = self.begin_as_login().await?;
        // A segment that holds nothing is not ended.
        run(&mut tx, facts::SWITCH).await?;
        tx.commit().await
    }

    async fn log_files(&self) -> Result<Option<Vec<String>>> {
        in_transaction!(self.begin_as_login(), |tx| files::of_log(tx))
    }

    async fn stored_files(&self, table: &Table) -> Result<Vec<StoredFile>> {
        files::of_table(self, table).await
    }

    async fn file_chunk(&self, path: &str, from: u64, bytes: u32) -> Result<Zeroizing<Vec<u8>>> {
        let mut tx = self.begin_as_login().await?;
        let read: Option<Vec<u8>> =
            scalar("SELECT pg_catalog.pg_read_binary_file($1, $2, $3, true)")
                .bind(path.to_owned())
                .bind(from.cast_signed())
                .bind(i64::from(bytes))
                .fetch_one(&mut *tx)
                .await?;
        tx.commit().await?;
        Ok(Zeroizing::new(read.unwrap_or_default()))
    }
}
