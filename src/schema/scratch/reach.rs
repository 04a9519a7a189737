//! How far a login reaches beyond a database in which all is rolled back.
//! Owns what makes one unfit to build with: whatever commands the host or the whole server, or hands itself
//! the right to. What a rollback undoes, and what a login does to its own database, is none of it.

use sqlx::PgConnection;

/// Extensions whose functions open connections or sessions of their own, which no rollback undoes.
pub(super) const OUTWARD: [&str; 6] = [
    "dblink",
    "http",
    "pg_background",
    "pg_cron",
    "pg_net",
    "plproxy",
];

/// Why the login of `conn` is not to run what a migration says, in words that go on from "the login";
/// `None` where it may. Every role that it can become counts.
///
/// Harmless are roles that read, and those that write within a database only. Before version 16, who
/// may make roles may join any of them but a superuser's; so that right counts like all of them.
///
/// `outward`: extensions that the database must not have.
pub(super) async fn beyond(
    conn: &mut PgConnection,
    outward: &[&str],
) -> Result<Option<String>, sqlx::Error> {
    let found = sqlx::query_scalar(
        "WITH mine AS (
             SELECT * FROM pg_roles AS r WHERE pg_has_role(session_user, r.oid, 'member')
         ), reserved AS (
             SELECT p.oid, a.grantee
             FROM pg_init_privs AS i
             JOIN pg_proc AS p ON p.oid = i.objoid
             JOIN pg_namespace AS n ON n.oid = p.pronamespace AND n.nspname = 'pg_catalog'
             CROSS JOIN LATERAL aclexplode(i.initprivs) AS a
             WHERE i.classoid = 'pg_proc'::regclass
         )
         SELECT why FROM (
             SELECT 1, 'is a superuser, or can become one' FROM mine WHERE rolsuper
             UNION ALL SELECT 2, 'may make roles (CREATEROLE)' FROM mine WHERE rolcreaterole
             UNION ALL SELECT 3, 'may replicate (REPLICATION)' FROM mine WHERE rolreplication
             UNION ALL SELECT 4, 'is a member of ' || rolname FROM mine
             WHERE rolname ~ '^pg_' AND rolname <> ALL (ARRAY[
                 'pg_database_owner', 'pg_maintain', 'pg_monitor', 'pg_read_all_data',
                 'pg_read_all_settings', 'pg_read_all_stats', 'pg_stat_scan_tables',
                 'pg_use_reserved_connections', 'pg_write_all_data'])
             UNION ALL SELECT 5, 'may call ' || f.oid::regprocedure
             FROM (SELECT oid, array_agg(grantee) AS grantees FROM reserved GROUP BY oid) AS f
             WHERE 0 <> ALL (f.grantees)
               AND NOT EXISTS (SELECT FROM mine WHERE oid = ANY (f.grantees))
               AND EXISTS (SELECT FROM mine WHERE has_function_privilege(mine.oid, f.oid, 'EXECUTE'))
             UNION ALL SELECT 6, 'can connect elsewhere: the database has the extension ' || extname
             FROM pg_extension WHERE extname = ANY ($1)
         ) AS found (place, why)
         ORDER BY place, why LIMIT 1",
    )
    .bind(outward)
    .persistent(false);
    found.fetch_optional(conn).await
}
