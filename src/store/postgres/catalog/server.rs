//! Reads the server, its settings, our role, and whether our own tables exist.
//! Owns the list of settings that may copy statements with their values into the server's log.

use sqlx::postgres::PgConnection;

use super::super::sql::{self, OURS};
use super::{get, query};
use crate::ident::{Ident, TableName};
use crate::quote;
use crate::store::catalog::BatchLog;
use crate::store::own_tables::OWN_TABLES;
use crate::store::{Right, Securable, ServerFacts, StoreError};

/// Binds the schema of our own tables.
fn server_sql() -> String {
    format!(
        "SELECT split_part(current_setting('server_version'), ' ', 1) AS version,
           current_setting('server_version_num')::int8 AS version_num,
           current_setting('server_encoding') AS encoding,
           pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool AS read_only,
           current_database()::text AS database,
           coalesce((SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = $1), '')::text AS own_owner,
           current_user::text AS role, session_user::text AS login,
           coalesce((SELECT rolsuper FROM pg_roles WHERE rolname = session_user), false) AS login_superuser,
           coalesce((SELECT rolsuper FROM pg_roles WHERE rolname = current_user), false) AS superuser,
           coalesce((SELECT NOT has_schema_privilege(oid, 'CREATE') FROM pg_namespace
                      WHERE nspname = $1), false) AS create_denied,
           current_database()::text AS database,
           NOT has_database_privilege(current_database(), 'CREATE')
             AND NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1) AS schema_denied,
           (SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database())
             AS prepared_transactions,
           (SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()
               AND backend_type = 'client backend'
               AND xact_start < clock_timestamp() - interval '1 minute'
               AND NOT {OURS}) AS long_transactions"
    )
}

/// Each setting with the value that keeps statements out of the log. A setting is NULL if its
/// module is not loaded or the server is too old for it.
const LOGGING: &str = "
    SELECT s.name || ' = ' || current_setting(s.name, true) AS setting
      FROM (VALUES ('log_statement', 'none'), ('log_min_duration_statement', '-1'),
                   ('log_transaction_sample_rate', '0'), ('log_min_duration_sample', '-1'),
                   ('log_parameter_max_length_on_error', '0'), ('debug_print_parse', 'off'),
                   ('debug_print_rewritten', 'off'), ('debug_print_plan', 'off'),
                   ('auto_explain.log_min_duration', '-1'), ('pgaudit.log', 'none'))
           AS s (name, quiet)
     WHERE current_setting(s.name, true) NOT IN (s.quiet, '')
     ORDER BY s.name";

/// The settings for which the server logs even short statements with their bound values. A shorter
/// batch than [`SHORTEST_BATCH_MS`] is not tried. `auto_explain` has bound values since PostgreSQL 16.
const LOGS_VALUES: &str = "
    SELECT s.name || ' = ' || current_setting(s.name) AS setting
      FROM pg_settings s
     WHERE CASE s.name
             WHEN 'log_statement' THEN s.setting = 'all'
             WHEN 'log_min_duration_statement' THEN s.setting::int8 BETWEEN 0 AND $2
             WHEN 'log_min_duration_sample' THEN s.setting::int8 BETWEEN 0 AND $2
               AND current_setting('log_statement_sample_rate') <> '0'
             WHEN 'log_transaction_sample_rate' THEN s.setting::float8 > 0
             WHEN 'auto_explain.log_min_duration' THEN s.setting::int8 BETWEEN 0 AND $2
               AND coalesce(current_setting('auto_explain.log_parameter_max_length', true), '0') <> '0'
             ELSE false END
       AND CASE s.name WHEN 'auto_explain.log_min_duration' THEN true
             ELSE NOT $1 AND current_setting('log_parameter_max_length', true) <> '0' END
     ORDER BY s.name";

const LOGGED_FROM: &str = "
    SELECT setting::int8 AS milliseconds FROM pg_settings
     WHERE name = 'log_min_duration_statement' AND setting::int8 >= 0";

/// What our role may set beyond what every role may.
const MAY_SET: &str =
    "SELECT has_parameter_privilege('session_replication_role', 'SET') AS suppress,
            has_parameter_privilege('log_parameter_max_length', 'SET') AS quiet";

/// Whether the functions of our own tables run with the rights of their caller, as the newest
/// migration defines them.
const NEWEST: &str = "
    SELECT count(*) > 0 AND bool_and(NOT p.prosecdef) AS newest
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE n.nspname = $1 AND p.proname = 'encryption_keys_moved'";

/// Our tables: whether each is there, which rights our role lacks of those that a run needs, and
/// whether it may write there at all.
fn own_tables_sql() -> String {
    let tables = OWN_TABLES
        .map(|(name, needs)| format!("({}, {})", quote::literal(name), quote::literal(needs)));
    format!(
        "SELECT t.name, c.oid IS NOT NULL AS present,
           CASE WHEN NOT has_schema_privilege(n.oid, 'USAGE') THEN ARRAY['USAGE']
                ELSE ARRAY(SELECT p FROM unnest(string_to_array(t.needs, ' ')) AS p
                            WHERE NOT has_table_privilege(c.oid, p))
           END AS missing,
           coalesce(has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE'), false) AS writable
          FROM (VALUES {}) AS t (name, needs)
          LEFT JOIN pg_namespace n ON n.nspname = $1
          LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.name AND c.relkind IN ('r', 'p')
         ORDER BY t.name",
        tables.join(", ")
    )
}

/// Statements that are logged from fewer milliseconds on are all logged.
const SHORTEST_BATCH_MS: i64 = 19;

/// The version from which on the right to set a parameter can be granted.
const GRANTED_PARAMETERS: i64 = 150_000;

pub(super) async fn read(conn: &mut PgConnection, schema: &str) -> Result<ServerFacts, StoreError> {
    let row = sql::query(server_sql())
        .bind(schema)
        .fetch_one(&mut *conn)
        .await?;
    let database: String = get(&row, "database")?;
    let mut facts = ServerFacts {
        version: format!("PostgreSQL {}", get::<&str>(&row, "version")?),
        version_num: get(&row, "version_num")?,
        encoding: get(&row, "encoding")?,
        read_only: get(&row, "read_only")?,
        database: get(&row, "database")?,
        own_owner: get(&row, "own_owner")?,
        role: get(&row, "role")?,
        login: get(&row, "login")?,
        login_superuser: get(&row, "login_superuser")?,
        superuser: get(&row, "superuser")?,
        create_denied: get::<bool>(&row, "create_denied")?
            .then(|| Right::new(["CREATE"], Securable::Schema(schema.to_owned()))),
        schema_denied: get::<bool>(&row, "schema_denied")?
            .then(|| Right::new(["CREATE"], Securable::Database(database))),
        prepared_transactions: get(&row, "prepared_transactions")?,
        long_transactions: get(&row, "long_transactions")?,
        ..ServerFacts::default()
    };
    for row in query(LOGGING).fetch_all(&mut *conn).await? {
        facts.statement_logging.push(get(&row, "setting")?);
    }
    facts.may_suppress_triggers = facts.superuser;
    let mut may_quiet = facts.superuser;
    if !facts.superuser && facts.version_num >= GRANTED_PARAMETERS {
        let row = query(MAY_SET).fetch_one(&mut *conn).await?;
        facts.may_suppress_triggers = get(&row, "suppress")?;
        may_quiet = get(&row, "quiet")?;
    }
    facts.batch_log = batch_log(conn, may_quiet).await?;
    own_tables(conn, schema, &mut facts).await?;
    Ok(facts)
}

async fn batch_log(conn: &mut PgConnection, may_quiet: bool) -> Result<BatchLog, StoreError> {
    let mut log = BatchLog::default();
    if let Some(row) = query(LOGGED_FROM).fetch_optional(&mut *conn).await? {
        log.from_ms = u64::try_from(get::<i64>(&row, "milliseconds")?).ok();
    }
    let settings = query(LOGS_VALUES).bind(may_quiet).bind(SHORTEST_BATCH_MS);
    for row in settings.fetch_all(conn).await? {
        log.with_values.push(get(&row, "setting")?);
    }
    Ok(log)
}

async fn own_tables(
    conn: &mut PgConnection,
    schema: &str,
    facts: &mut ServerFacts,
) -> Result<(), StoreError> {
    let ident =
        |name: &str| Ident::new(name).map_err(|_| StoreError::unexpected("the name of a schema"));
    let newest = query(NEWEST).bind(schema).fetch_one(&mut *conn).await;
    facts.installed = get(&newest?, "newest")?;
    let rows = sql::query(own_tables_sql())
        .bind(schema)
        .fetch_all(conn)
        .await?;
    let mut writable = false;
    for row in &rows {
        writable |= get::<bool>(row, "writable")?;
    }
    facts.reads_only = !writable;
    for row in &rows {
        if !get::<bool>(row, "present")? {
            facts.installed = false;
            continue;
        }
        let name: &str = get(row, "name")?;
        let missing: Vec<String> = get(row, "missing")?;
        if missing == ["USAGE"] {
            let own = Securable::Schema(schema.to_owned());
            facts.missing_rights = vec![Right::new(missing, own)];
            break;
        }
        if !missing.is_empty() {
            let table = TableName {
                schema: Some(ident(schema)?),
                name: ident(name)?,
            };
            let right = Right::new(missing, Securable::table(table));
            facts.missing_rights.push(right);
        }
    }
    facts.missing_rights = Right::together(std::mem::take(&mut facts.missing_rights));
    Ok(())
}
