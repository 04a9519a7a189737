//! Batches that are tried and rolled back, for measurements.
//! Owns the temporary copy of a table, which is created, filled and written to in one transaction
//! that never commits.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use sqlx::{PgConnection, Row};
use zeroize::Zeroizing;

use super::batch::{AS_USUAL, batch_settings};
use super::connect::Connector;
use super::guard::mark_sql;
use super::opening::{Opening, READ_COMMITTED};
use super::read::split;
use super::seal::seal_rows;
use super::sql::{OWNERS_NAMES, SAFE_NAMES, TEXT_SETTINGS, query, raw};
use super::timed;
use crate::ident::Ident;
use crate::store::change::Change;
use crate::store::{
    Access, Locator, Result, StoreError, Trial, TrialTable, Tried, Triggers, WriteBatch, WriteRow,
};

/// The name of the temporary copy.
const COPY: &str = "pg_temp.\"~phiseal_bench\"";
/// How often the round trip to the server is measured; the median counts.
const ROUND_TRIPS: usize = 11;

/// A connection that tries batches.
pub(super) struct PostgresTrial {
    connector: Connector,
    opening: Opening,
    conn: Option<PgConnection>,
}

impl PostgresTrial {
    pub(super) fn new(connector: Connector, opening: Opening, conn: PgConnection) -> Self {
        Self {
            connector,
            opening,
            conn: Some(conn),
        }
    }

    async fn conn(&mut self) -> Result<PgConnection> {
        match self.conn.take() {
            Some(conn) => Ok(conn),
            None => self.connector.connect("bench").await,
        }
    }

    /// Tries one batch and rolls it back. If the rollback fails, the connection is dropped, and the
    /// server rolls back.
    async fn attempt(
        &mut self,
        access: &Access,
        relation: &str,
        rows: &mut Vec<WriteRow>,
        place: TrialTable,
        skip_locked: bool,
    ) -> Result<Tried> {
        let mut conn = self.conn().await?;
        let tried = match place {
            TrialTable::Copy => in_copy(&mut conn, &self.opening, access, relation, rows).await,
            TrialTable::Table => {
                let opening = &self.opening;
                in_table(&mut conn, opening, access, relation, rows, skip_locked).await
            }
        };
        if timed(raw("ROLLBACK").execute(&mut conn)).await.is_ok() {
            self.conn = Some(conn);
        }
        tried
    }
}

#[async_trait]
impl Trial for PostgresTrial {
    async fn round_trip(&mut self) -> Result<Duration> {
        let mut conn = self.conn().await?;
        let mut took = Vec::with_capacity(ROUND_TRIPS);
        for _ in 0..ROUND_TRIPS {
            let begun = Instant::now();
            timed(raw("SELECT 1").execute(&mut conn)).await?;
            took.push(begun.elapsed());
        }
        self.conn = Some(conn);
        took.sort_unstable();
        Ok(took[ROUND_TRIPS / 2])
    }

    async fn write(
        &mut self,
        access: &Access,
        relation: &str,
        mut rows: Vec<WriteRow>,
        place: TrialTable,
    ) -> Result<Tried> {
        match self
            .attempt(access, relation, &mut rows, place, false)
            .await
        {
            Err(StoreError::Locked) if place == TrialTable::Table => {
                self.attempt(access, relation, &mut rows, place, true).await
            }
            tried => tried,
        }
    }
}

async fn begin(conn: &mut PgConnection, opening: &Opening, more: &str) -> Result<()> {
    let sql = format!(
        "{} {TEXT_SETTINGS} {} SET LOCAL lock_timeout = '2s';{more}",
        opening.begin(READ_COMMITTED),
        batch_settings(AS_USUAL)
    );
    timed(raw(sql).execute(conn)).await.map(|_| ())
}

async fn in_table(
    conn: &mut PgConnection,
    opening: &Opening,
    access: &Access,
    relation: &str,
    rows: &[WriteRow],
    skip_locked: bool,
) -> Result<Tried> {
    let replica = if access.triggers == Triggers::Suppressed {
        " SET LOCAL session_replication_role = 'replica';"
    } else {
        ""
    };
    let mark = mark_sql(Change::of(access, rows), &access.table.label);
    begin(conn, opening, &format!("{replica} {mark}")).await?;
    let before = usage(conn, relation).await?;
    if access.triggers == Triggers::Fire {
        timed(raw(OWNERS_NAMES).execute(&mut *conn)).await?;
    }
    let tried = put(conn, access, relation, rows, skip_locked).await?;
    timed(raw(SAFE_NAMES).execute(&mut *conn)).await?;
    let after = usage(conn, relation).await?;
    Ok(Tried {
        grown_bytes: after.0.saturating_sub(before.0),
        wal_bytes: after.1.saturating_sub(before.1),
        ..tried
    })
}

/// The size of the relation with its indexes, and the position in the WAL, both in bytes.
async fn usage(conn: &mut PgConnection, relation: &str) -> Result<(u64, u64)> {
    let statement = query(
        "SELECT pg_total_relation_size(to_regclass($1)), \
         pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::int8",
    )
    .bind(relation.to_owned());
    let row = timed(statement.fetch_one(conn)).await?;
    let number = |at: usize| row.try_get::<i64, _>(at).map(i64::unsigned_abs);
    Ok((number(0)?, number(1)?))
}

async fn in_copy(
    conn: &mut PgConnection,
    opening: &Opening,
    access: &Access,
    relation: &str,
    rows: &mut Vec<WriteRow>,
) -> Result<Tried> {
    begin(conn, opening, "").await?;
    // Constraints and defaults are not copied: the copied rows and the written values satisfy them
    // anyway. A generated column becomes an ordinary one.
    let create = format!(
        "CREATE TEMPORARY TABLE {name} (LIKE {relation} INCLUDING INDEXES INCLUDING STORAGE) ON COMMIT DROP",
        name = COPY.trim_start_matches("pg_temp."),
    );
    timed(raw(create).execute(&mut *conn)).await?;
    let missing = missing(conn, access).await?;
    fill(conn, relation, rows).await?;
    timed(raw(missing).execute(&mut *conn)).await?;
    put(conn, access, COPY, rows, false).await
}

/// The statements that add the columns and indexes which a backfill would add to the relation.
async fn missing(conn: &mut PgConnection, access: &Access) -> Result<String> {
    let statement = query(format!(
        "SELECT coalesce(array_agg(attname::text), '{{}}') FROM pg_catalog.pg_attribute \
         WHERE attrelid = '{COPY}'::pg_catalog.regclass AND attnum > 0 AND NOT attisdropped"
    ));
    let row = timed(statement.fetch_one(conn)).await?;
    let there: Vec<String> = row.try_get(0)?;
    let absent = |column: &&Ident| !there.iter().any(|name| name == column.as_str());
    let mut sql = String::new();
    for field in &access.table.fields {
        let sealed = field.sealed.beside();
        for column in sealed.into_iter().chain(&field.index).filter(absent) {
            sql.push_str(&format!(
                "ALTER TABLE {COPY} ADD COLUMN {} bytea; ",
                column.quoted()
            ));
        }
        // Of the lookup indexes, only unique ones exist during a backfill. This one is not unique,
        // because a sample may repeat a value.
        if let Some(index) = field
            .index
            .as_ref()
            .filter(|index| field.index_unique && absent(index))
        {
            sql.push_str(&format!("CREATE INDEX ON {COPY} ({}); ", index.quoted()));
        }
    }
    Ok(sql)
}

/// Copies the rows, and makes the locators point to the copies. Rows that changed since they were
/// read are left out.
async fn fill(conn: &mut PgConnection, relation: &str, rows: &mut Vec<WriteRow>) -> Result<()> {
    let (places, versions) = split(rows.iter().map(|row| &row.locator))?;
    let statement = query(format!(
        "INSERT INTO {COPY} AS c SELECT t.* FROM ONLY {relation} AS t \
         JOIN unnest($1::text[]::tid[], $2::text[]::xid[]) WITH ORDINALITY AS v(\"~place\", \"~version\", \"~n\") \
         ON t.ctid = v.\"~place\" AND t.xmin = v.\"~version\" ORDER BY v.\"~n\" \
         RETURNING c.ctid::text, c.xmin::text"
    ))
    .bind(places)
    .bind(versions);
    let copied = timed(statement.fetch_all(conn)).await?;
    rows.truncate(copied.len());
    // Which copy gets which value does not matter for the time it takes.
    for (row, copy) in rows.iter_mut().zip(&copied) {
        row.locator = Locator {
            place: copy.try_get(0)?,
            version: Zeroizing::new(copy.try_get::<String, _>(1)?.into_bytes()),
        };
    }
    Ok(())
}

async fn put(
    conn: &mut PgConnection,
    access: &Access,
    relation: &str,
    rows: &[WriteRow],
    skip_locked: bool,
) -> Result<Tried> {
    if rows.is_empty() {
        return Ok(Tried::default());
    }
    let batch = WriteBatch {
        relation,
        fingerprint: "",
        storage: "",
        rows,
    };
    let begun = Instant::now();
    let written = seal_rows(conn, access, &batch, skip_locked).await?;
    Ok(Tried {
        rows: written.rows,
        took: begun.elapsed(),
        ..Tried::default()
    })
}
