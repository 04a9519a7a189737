//! What the server is configured to copy elsewhere, and what keeps old log.
//! Owns the SQL for that. Reads settings and counts; never the text of a command, which may hold a
//! password.

use sqlx::PgConnection;

use super::super::sql::{scalar, tuple};
use crate::store::{EstateFact, Result};

const FOUND: &str = "
    SELECT 'archive', 'archive_mode = ' || current_setting('archive_mode')
           || CASE WHEN coalesce(nullif(current_setting('archive_command', true), '(disabled)'), '') <> ''
                THEN ', archive_command is set' ELSE '' END
           || CASE WHEN coalesce(current_setting('archive_library', true), '') <> ''
                THEN ', archive_library is set' ELSE '' END
    UNION ALL
    SELECT 'replicas', count(*) || ' connected now' FROM pg_catalog.pg_stat_replication
    UNION ALL
    SELECT 'replication slots', coalesce(string_agg(slot_name || ' (' || slot_type || ')', ', ' ORDER BY slot_name), 'none')
      FROM pg_catalog.pg_replication_slots
    UNION ALL
    SELECT 'server log', string_agg(name || ' = ' || current_setting(name), ', ' ORDER BY place)
      FROM unnest(ARRAY['log_statement', 'log_min_duration_statement', 'log_min_error_statement',
             'log_parameter_max_length', 'log_parameter_max_length_on_error']) WITH ORDINALITY AS s (name, place)
     WHERE current_setting(name, true) IS NOT NULL
    UNION ALL
    SELECT 'auto_explain', CASE WHEN current_setting('auto_explain.log_min_duration', true) IS NULL
           THEN 'not loaded in our session' ELSE 'loaded, log_min_duration = '
             || current_setting('auto_explain.log_min_duration', true) END";

const LOG_KEEPERS: &str = "
    SELECT 'replication slot ' || slot_name FROM pg_catalog.pg_replication_slots WHERE restart_lsn IS NOT NULL
    UNION ALL
    SELECT 'wal_keep_size = ' || current_setting('wal_keep_size')
     WHERE pg_size_bytes(current_setting('wal_keep_size')) > 0
    UNION ALL
    SELECT 'the archiver, which failed last' FROM pg_catalog.pg_stat_archiver
     WHERE current_setting('archive_mode') <> 'off'
       AND last_failed_time > coalesce(last_archived_time, '-infinity')";

/// What is configured.
pub(super) async fn found(conn: &mut PgConnection) -> Result<Vec<EstateFact>> {
    let rows: Vec<(String, String)> = tuple(FOUND).fetch_all(conn).await?;
    let fact = |(what, found)| EstateFact { what, found };
    Ok(rows.into_iter().map(fact).collect())
}

/// What keeps old log from being overwritten or removed.
pub(super) async fn log_keepers(conn: &mut PgConnection) -> Result<Vec<String>> {
    Ok(scalar(LOG_KEEPERS).fetch_all(conn).await?)
}
