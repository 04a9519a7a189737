//! Signals of the server for the pace of runs, and the probe.
//! Owns the SQL that reads them with an ordinary role's rights. What a role may not read, the server
//! shows as NULL; such a signal is named and not used. Judges nothing.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::sql::{OURS, query, raw, scalar};
use super::{PostgresStore, prepare, timed};
use crate::store::{Activity, Conditions, Pacing, Replica, Result, Table, WaitingSession};

/// The clock, the transactions and the log. Of sessions of other roles only the number, the database
/// and the application's name are shown to everybody.
fn activity_sql() -> String {
    format!(
        "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8 AS micros, \
           (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datid IS NOT NULL AND usesysid IS NOT NULL \
              AND NOT {OURS} AND coalesce(backend_type, 'client backend') = 'client backend')::int4 AS sessions, \
           (SELECT sum(xact_commit + xact_rollback) FROM pg_catalog.pg_stat_database)::int8 AS transactions, \
           ({WAL} - '0/0'::pg_lsn)::int8 AS wal"
    )
}

/// The end of the log; of a standby, of what it has received.
const WAL: &str = "CASE WHEN pg_is_in_recovery() \
    THEN coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn(), '0/0'::pg_lsn) \
    ELSE pg_current_wal_insert_lsn() END";

/// A session `b` that writes a batch in this database: `phiseal backfill 12/3`. Only a batch may be
/// given up for others; it is repeated.
const BATCHES: &str =
    "b.datname = current_database() AND b.application_name ~ '^phiseal [a-z]+ [0-9]+/[0-9]+$'";

/// With each, the sessions of this database that wait for a lock: behind a batch, or on the whole table
/// `$1`. Before version 14 the server does not tell since when.
fn activity_and_waits_sql() -> String {
    let activity = activity_sql();
    format!(
        "SELECT now.*, waiting.* FROM ({activity}) AS now LEFT JOIN LATERAL (SELECT 'process ' || l.pid || ' (' || coalesce(nullif(a.application_name, ''), 'no name') || ')' AS who, \
           greatest(coalesce(extract(epoch FROM clock_timestamp() \
             - (to_jsonb(l) ->> 'waitstart')::timestamptz), 0), 0)::float8 AS waited, \
           (SELECT b.pid FROM pg_catalog.pg_stat_activity AS b \
             WHERE b.pid = ANY (pg_blocking_pids(l.pid)) AND {BATCHES} LIMIT 1) AS ours, \
           coalesce(l.locktype = 'relation' AND l.relation IN (SELECT relid FROM pg_partition_tree(to_regclass($1)) \
             UNION SELECT to_regclass($1)::oid), false) AS on_table \
         FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid \
         WHERE NOT l.granted AND a.datname = current_database() AND NOT a.{OURS}) AS waiting ON true"
    )
}

/// Slots, archive, vacuum and the data folder; with each, the standbys. Of a standby nothing, since
/// nobody writes there.
const CONDITIONS: &str = "
    SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8 AS wal,
      ARRAY(SELECT slot_name::text FROM pg_catalog.pg_replication_slots WHERE wal_status = 'unreserved'
        OR safe_wal_size < pg_size_bytes(current_setting('max_slot_wal_keep_size')) / 4) AS slots,
      current_setting('archive_mode') <> 'off'
        AND coalesce(r.last_failed_time > coalesce(r.last_archived_time, '-infinity'), false) AS archive_fails,
      CASE WHEN current_setting('archive_mode') <> 'off' AND r.last_archived_wal ~ '^[0-9A-F]{24}$' THEN
        greatest((pg_current_wal_lsn() - '0/0'::pg_lsn) / s.bytes - 1 - (('x' || substr(r.last_archived_wal, 9, 8))::bit(32)::int8
          * (4294967296 / s.bytes) + ('x' || substr(r.last_archived_wal, 17, 8))::bit(32)::int8), 0) ELSE 0 END::int8 AS archive_waits,
      ARRAY(SELECT c.oid::regclass::text FROM pg_catalog.pg_class AS c
        WHERE c.oid IN (SELECT relid FROM pg_partition_tree(to_regclass($1)) UNION SELECT to_regclass($1)::oid)
          AND c.relfrozenxid <> '0' AND age(c.relfrozenxid) > current_setting('autovacuum_freeze_max_age')::int4
          AND EXISTS (SELECT FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
            WHERE l.granted AND l.mode = 'ShareUpdateExclusiveLock' AND l.relation IN (c.oid, c.reltoastrelid)
              AND a.usesysid IS NULL)) AS wraparound,
      CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE') THEN current_setting('data_directory') END AS folder,
      standby.name, (standby.replay_lsn - '0/0'::pg_lsn)::int8 AS replayed, standby.hidden
    FROM pg_catalog.pg_stat_archiver AS r
      CROSS JOIN LATERAL (SELECT pg_size_bytes(current_setting('wal_segment_size')) AS bytes) AS s
      LEFT JOIN LATERAL (SELECT coalesce(application_name, '') AS name, replay_lsn, state IS NULL AS hidden
        FROM pg_catalog.pg_stat_replication WHERE state IS NULL OR state IN ('streaming', 'catchup')) AS standby ON true
    WHERE NOT pg_is_in_recovery()";

const NO_REPLICAS: &str = "how far the standbys are (GRANT pg_monitor allows it)";

#[async_trait]
impl Pacing for PostgresStore {
    async fn activity(&self, table: &Table) -> Result<Option<Activity>> {
        let mut tx = self.begin().await?;
        let rows = query(activity_and_waits_sql())
            .bind(prepare::regclass(table))
            .fetch_all(&mut *tx)
            .await?;
        let mut activity = Activity::default();
        for row in rows {
            activity.micros = row.try_get("micros")?;
            activity.other_sessions = unsigned(i64::from(row.try_get::<i32, _>("sessions")?));
            activity.transactions = row.try_get::<i64, _>("transactions")?.unsigned_abs();
            activity.wal_bytes = row.try_get::<i64, _>("wal")?.unsigned_abs();
            let Some(session) = waiting(&row)? else {
                continue;
            };
            if row.try_get("on_table")? && session.ours.is_none() {
                activity.waiters.push(session);
            } else if session.ours.is_some() {
                activity.blocked.push(session);
            }
        }
        tx.commit().await?;
        Ok(Some(activity))
    }

    async fn conditions(&self, table: &Table) -> Result<Option<Conditions>> {
        let mut tx = self.begin().await?;
        let rows = query(CONDITIONS)
            .bind(prepare::regclass(table))
            .fetch_all(&mut *tx)
            .await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let mut conditions = Conditions::default();
        let mut folder: Option<String> = None;
        for row in rows {
            conditions.wal_bytes = row.try_get::<i64, _>("wal")?.unsigned_abs();
            conditions.slots_short = row.try_get("slots")?;
            conditions.archive_fails = row.try_get("archive_fails")?;
            conditions.archive_waits = row.try_get::<i64, _>("archive_waits")?.unsigned_abs();
            conditions.wraparound = row.try_get("wraparound")?;
            folder = row.try_get("folder")?;
            match (row.try_get("name")?, row.try_get("hidden")?) {
                (Some(name), Some(false)) => conditions.replicas.push(Replica {
                    name,
                    replayed_bytes: (row.try_get::<Option<i64>, _>("replayed")?)
                        .map(i64::unsigned_abs),
                }),
                (Some(_), _) => conditions.not_readable = vec![NO_REPLICAS.to_owned()],
                (None, _) => {}
            }
        }
        tx.commit().await?;
        // A path of another host says nothing about this one.
        conditions.disk_free = folder
            .filter(|_| self.connector.transport().local)
            .and_then(|folder| rustix::fs::statvfs(folder.as_str()).ok())
            .map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        Ok(Some(conditions))
    }

    async fn probe(&self, writes: bool) -> Result<Option<Duration>> {
        let slot = std::process::id() % SLOTS;
        let table = self.own("pace_probe");
        let mut tx = self.begin().await?;
        let begun = Instant::now();
        let next = (slot + 1) % SLOTS;
        let read = format!("SELECT counter FROM {table} WHERE slot = {next}");
        let sql = match writes {
            true => format!(
                "UPDATE {table} SET counter = counter + 1 WHERE slot = {slot} RETURNING ({read})"
            ),
            false => read,
        };
        timed(raw(sql).execute(&mut *tx)).await?;
        tx.commit().await?;
        Ok(Some(begun.elapsed()))
    }

    async fn give_way(&self, ours: &[i32]) -> Result<()> {
        // Only the role that logged in can cancel its own sessions.
        let mut tx = self.begin_as_login().await?;
        scalar::<bool>(format!(
            "SELECT pg_catalog.pg_cancel_backend(b.pid) FROM pg_catalog.pg_stat_activity AS b \
             WHERE b.pid = ANY ($1) AND {BATCHES} AND b.usename = session_user"
        ))
        .bind(ours.to_vec())
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await
    }

    fn transactions_begun(&self) -> u64 {
        self.opening.begun()
    }
}

/// The rows of `pace_probe`.
const SLOTS: u32 = 64;

/// The session that waits, if the row has one.
fn waiting(row: &PgRow) -> Result<Option<WaitingSession>> {
    let Some(who) = row.try_get("who")? else {
        return Ok(None);
    };
    Ok(Some(WaitingSession {
        who,
        waited: Duration::from_secs_f64(row.try_get::<f64, _>("waited")?.max(0.0)),
        ours: row.try_get("ours")?,
    }))
}

fn unsigned(count: i64) -> u32 {
    u32::try_from(count).unwrap_or_default()
}
