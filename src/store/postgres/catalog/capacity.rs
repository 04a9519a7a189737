//! Reads what else the server must have for a run: free connections, and the standbys that a COMMIT
//! waits for.
//! Owns how the limits are counted. An ordinary role does not see what other roles' sessions do.

use sqlx::postgres::PgConnection;

use super::{get, query};
use crate::store::Result;
use crate::store::catalog::{ServerFacts, Standbys};

/// The limit that leaves the fewest connections, and how many it leaves to our login. Idle sessions
/// of our login count as free: they are our own, or a pooler keeps them for us. Superusers may use
/// the reserved connections, and have no limit of a role or database.
const CONNECTIONS: &str = "
    WITH me AS (SELECT r.rolsuper, r.rolconnlimit, d.datconnlimit
                  FROM pg_roles r, pg_database d
                 WHERE r.rolname = session_user AND d.datname = current_database()),
         others AS (SELECT usename = session_user AS of_role, datname = current_database() AS of_database
                      FROM pg_stat_activity
                     WHERE datid IS NOT NULL AND usesysid IS NOT NULL AND pid <> pg_backend_pid()
                       AND coalesce(backend_type, 'client backend') = 'client backend'
                       AND NOT (usename = session_user AND datname = current_database()
                                AND state IS NOT DISTINCT FROM 'idle')),
         limits AS (SELECT 'max_connections' AS name,
                           current_setting('max_connections')::int8 - CASE WHEN rolsuper THEN 0
                             ELSE current_setting('superuser_reserved_connections')::int8
                                  + coalesce(current_setting('reserved_connections', true), '0')::int8 END
                           - (SELECT count(*) FROM others) AS free FROM me
                    UNION ALL
                    SELECT 'the connection limit of role ' || session_user,
                           rolconnlimit - (SELECT count(*) FROM others WHERE of_role) FROM me
                     WHERE rolconnlimit >= 0 AND NOT rolsuper
                    UNION ALL
                    SELECT 'the connection limit of database ' || current_database(),
                           datconnlimit - (SELECT count(*) FROM others WHERE of_database) FROM me
                     WHERE datconnlimit >= 0 AND NOT rolsuper)
    SELECT name, free FROM limits ORDER BY free LIMIT 1";

/// Whose confirmation a COMMIT of ours waits for, and the standbys that are there.
const STANDBYS: &str = "
    SELECT CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN ''
                ELSE current_setting('synchronous_standby_names') END AS names,
           count(r.pid) AS connected,
           count(r.pid) FILTER (WHERE r.sync_state IN ('sync', 'quorum')) AS synchronous,
           count(r.pid) FILTER (WHERE r.sync_state IS NULL) AS masked
      FROM pg_stat_replication AS r";

/// Adds to the facts, in a transaction with the rights of the login.
pub(super) async fn read(conn: &mut PgConnection, facts: &mut ServerFacts) -> Result<()> {
    let row = query(CONNECTIONS).fetch_optional(&mut *conn).await?;
    if let Some(row) = row {
        facts.connections_limit = get(&row, "name")?;
        facts.connections_free = Some(get(&row, "free")?);
    }
    let row = query(STANDBYS).fetch_one(&mut *conn).await?;
    let asked = asked(get(&row, "names")?);
    let number = |name| -> Result<i64> { get(&row, name) };
    let (connected, synchronous) = (number("connected")?, number("synchronous")?);
    let masked = number("masked")? > 0;
    facts.standbys = (asked > 0).then_some(Standbys {
        asked,
        // Even an ordinary role sees how many there are.
        there: match masked && connected >= i64::from(asked) {
            true => None,
            false => Some(synchronous.max(if masked { connected } else { 0 })),
        },
    });
    Ok(())
}

/// How many standbys `synchronous_standby_names` asks for: `FIRST n (…)`, `ANY n (…)`, `n (…)`, or a
/// list, of which one must confirm.
fn asked(names: &str) -> u32 {
    let names = names.trim();
    let upper = names.to_ascii_uppercase();
    let rest = ["FIRST", "ANY"]
        .iter()
        .find_map(|word| upper.strip_prefix(word))
        .filter(|rest| rest.starts_with(char::is_whitespace))
        .map(str::trim_start)
        .filter(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
        .unwrap_or(&upper);
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    match rest.get(..digits).map(str::parse) {
        Some(Ok(number)) => number,
        _ => u32::from(!names.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_the_setting_says_how_many_standbys_must_confirm() {
        for (names, number) in [
            ("", 0),
            ("  ", 0),
            ("*", 1),
            ("standby", 1),
            ("first, any", 1),
            ("any2, b", 1),
            ("\"2 b\", c", 1),
            ("2 (a, b, c)", 2),
            ("FIRST 3 (a, b, c)", 3),
            ("any 2(a, b, c)", 2),
        ] {
            assert_eq!(asked(names), number, "{names}");
        }
    }
}
