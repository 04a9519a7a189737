//! Who owns our schema and the objects in it.
//! Owns this rule: the owner of a table can add a trigger to it, and a trigger runs with the rights
//! of whoever writes to the table. Therefore one role must own our schema and our tables, functions
//! and triggers. It must be a role that could act as ours anyway, or one that the plan names. These
//! checks repair nothing.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::sql::{query, scalar};
use crate::ident::Ident;
use crate::quote;
use crate::store::{Result, StoreError};

/// A superuser counts as a member of every role, so it may own our schema.
const OWNER: &str = "
    SELECT pg_get_userbyid(n.nspowner)::text AS owner, current_user::text AS role,
           n.nspowner = r.oid AS ours, pg_has_role(n.nspowner, r.oid, 'MEMBER') AS acts_as_us
      FROM pg_namespace n, pg_roles r
     WHERE n.nspname = $1 AND r.rolname = current_user";

/// What another role owns or added. Leaves out the migrator's own tables: those of the platforms'
/// migrations may belong to another role, and the migrator checks those that it uses. A guard's
/// function may also belong to the owner of the guarded table, who could drop the guard anyway.
const FOREIGN: &str = r"
    WITH space AS (SELECT oid, nspname, nspowner, nspacl FROM pg_namespace WHERE nspname = $1),
    ours AS (
        SELECT c.oid, c.relname, c.relkind, c.relowner FROM pg_class c JOIN space s ON s.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relname !~ '^migration(s_|_lock)'
    ), guards AS (
        SELECT p.oid, p.proowner, count(t.oid) AS used,
               coalesce(bool_and(c.relowner = p.proowner), false) AS of_the_table
          FROM pg_proc p JOIN space s ON s.oid = p.pronamespace
          LEFT JOIN pg_trigger t ON t.tgfoid = p.oid LEFT JOIN pg_class c ON c.oid = t.tgrelid
         WHERE p.proname ~ '^guard_(insert|update)_[0-9a-f]{16}$'
         GROUP BY p.oid, p.proowner
    )
    SELECT 'relation ' || o.relname || ' belongs to ' || pg_get_userbyid(o.relowner) AS what
      FROM ours o, space s WHERE o.relowner <> s.nspowner
     UNION ALL
    SELECT 'function ' || p.proname || ' belongs to ' || pg_get_userbyid(p.proowner)
      FROM pg_proc p JOIN space s ON s.oid = p.pronamespace JOIN pg_roles r ON r.oid = p.proowner
      LEFT JOIN guards g ON g.oid = p.oid
     WHERE p.proowner <> s.nspowner
       AND NOT (g.oid IS NOT NULL AND (r.rolsuper OR g.of_the_table
                OR (g.used = 0 AND r.rolname = current_user)))
     UNION ALL
    SELECT 'trigger ' || t.tgname || ' on ' || o.relname || ' runs a function of ' || pg_get_userbyid(p.proowner)
      FROM pg_trigger t JOIN ours o ON o.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid, space s
     WHERE NOT t.tgisinternal AND NOT (p.pronamespace = s.oid AND p.proowner = s.nspowner)
     UNION ALL
    SELECT 'every role may create objects in it'
      FROM space s, aclexplode(s.nspacl) AS x WHERE x.grantee = 0 AND x.privilege_type = 'CREATE'
     ORDER BY 1";

/// The tables in which the migrator keeps its records.
const RECORDS: &str = "
    SELECT 'relation ' || c.relname || ' belongs to ' || pg_get_userbyid(c.relowner) AS what
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner
     WHERE n.nspname = $1 AND c.relname = ANY ($2)
       AND (c.relkind <> 'r' OR NOT (r.rolname = current_user OR r.rolsuper))
     ORDER BY 1";

/// Returns an error if our role cannot trust the schema. `owner` is the role that owns it according
/// to the plan. A schema that does not exist passes.
///
/// # Errors
/// [`StoreError::NotOurs`], and those of the round trips.
pub(crate) async fn check(
    conn: &mut PgConnection,
    schema: &Ident,
    owner: Option<&Ident>,
) -> Result<()> {
    let Some(found) = owner_of(conn, schema).await? else {
        return Ok(());
    };
    let named = owner.is_some_and(|owner| owner.as_str() == found.owner);
    if !(found.ours || found.acts_as_us || named) {
        return Err(StoreError::NotOurs {
            what: format!(
                "the schema {} belongs to the role {}, which could make our role {} run its code",
                schema.as_str(),
                found.owner,
                found.role
            ),
            hint: format!(
                "act as that role, with role = {0:?} under [database] in the plan; or, where it is to be \
                 trusted, say so there with owner = {0:?}",
                found.owner
            ),
        });
    }
    refuse(conn, FOREIGN, schema, &[], &found.owner).await
}

/// Returns an error if our role may not create or change our tables in the schema: it must own the
/// schema and what it contains. `records` are the tables in which the migrator keeps its records;
/// `own_tables` says that the migrations are those of our own tables.
///
/// # Errors
/// [`StoreError::NotOurs`], and those of the round trips.
pub(crate) async fn check_for_migration(
    conn: &mut PgConnection,
    schema: &Ident,
    records: &[&str],
    own_tables: bool,
) -> Result<()> {
    let Some(found) = owner_of(conn, schema).await? else {
        return Ok(());
    };
    if own_tables {
        if !found.ours {
            return Err(StoreError::NotOurs {
                what: format!(
                    "the schema {} belongs to the role {}, and not to our role {}",
                    schema.as_str(),
                    found.owner,
                    found.role
                ),
                hint: format!(
                    "run the migrations as that role, with role = {:?} under [database] in the plan; or, \
                     where nobody you know made the schema, drop it or choose another name with \
                     `schema` there",
                    found.owner
                ),
            });
        }
        refuse(conn, FOREIGN, schema, &[], &found.owner).await?;
    }
    refuse(conn, RECORDS, schema, records, &found.role).await
}

/// Objects that another role created in a schema of the search path under the name of one of the
/// server's own functions, operators or types. A migration that uses the name could get them.
const SHADOWS: &str = "
    WITH path AS (SELECT oid, nspname FROM pg_namespace WHERE nspname = ANY ($1) AND nspname !~ '^pg_'),
    made AS (
        SELECT 'pg_proc'::regclass AS classid, p.oid, 'function ' || p.proname AS what, path.nspname, p.proowner AS owner
          FROM pg_proc p JOIN path ON path.oid = p.pronamespace
         WHERE EXISTS (SELECT FROM pg_proc s WHERE s.proname = p.proname AND s.pronamespace = 'pg_catalog'::regnamespace)
         UNION ALL
        SELECT 'pg_operator'::regclass, o.oid, 'operator ' || o.oprname, path.nspname, o.oprowner
          FROM pg_operator o JOIN path ON path.oid = o.oprnamespace
         UNION ALL
        SELECT 'pg_type'::regclass, t.oid, 'type ' || t.typname, path.nspname, t.typowner
          FROM pg_type t JOIN path ON path.oid = t.typnamespace
         WHERE EXISTS (SELECT FROM pg_type s WHERE s.typname = t.typname AND s.typnamespace = 'pg_catalog'::regnamespace)
    )
    SELECT m.what || ' in schema ' || m.nspname || ' belongs to ' || r.rolname
      FROM made m JOIN pg_roles r ON r.oid = m.owner
     WHERE NOT r.rolsuper AND r.rolname <> current_user AND r.rolname <> session_user
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = m.classid AND d.objid = m.oid AND d.deptype = 'e')
     ORDER BY 1 LIMIT 1";

/// Returns an error if another role's objects could be taken for the server's own in a migration.
///
/// # Errors
/// [`StoreError::NotOurs`], and those of the round trips.
pub(crate) async fn check_path(conn: &mut PgConnection, path: &[String]) -> Result<()> {
    let shadows = scalar(SHADOWS).bind(path.to_vec());
    let found: Option<String> = shadows.fetch_optional(conn).await?;
    let Some(found) = found else { return Ok(()) };
    Err(StoreError::NotOurs {
        what: format!("a migration could run what another role made: {found}"),
        hint: "drop it, and REVOKE CREATE ON SCHEMA … FROM PUBLIC".to_owned(),
    })
}

/// A schema, and the relation of its owner to our role.
struct FoundSchema {
    owner: String,
    role: String,
    /// The owner is our role.
    ours: bool,
    /// The owner could act as our role anyway.
    acts_as_us: bool,
}

async fn owner_of(conn: &mut PgConnection, schema: &Ident) -> Result<Option<FoundSchema>> {
    let row = query(OWNER)
        .bind(schema.as_str().to_owned())
        .fetch_optional(conn)
        .await?;
    let found = |row: PgRow| -> sqlx::Result<FoundSchema> {
        Ok(FoundSchema {
            owner: row.try_get("owner")?,
            role: row.try_get("role")?,
            ours: row.try_get("ours")?,
            acts_as_us: row.try_get("acts_as_us")?,
        })
    };
    Ok(row.map(found).transpose()?)
}

/// Returns an error with the first row of the statement and the number of further ones, if there is
/// a row.
async fn refuse(
    conn: &mut PgConnection,
    statement: &str,
    schema: &Ident,
    names: &[&str],
    owner: &str,
) -> Result<()> {
    let mut statement = scalar(statement).bind(schema.as_str().to_owned());
    if !names.is_empty() {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        statement = statement.bind(names);
    }
    let rows: Vec<String> = statement.fetch_all(conn).await?;
    let Some(first) = rows.first() else {
        return Ok(());
    };
    let more = match rows.len() {
        1 => String::new(),
        n => format!(", and {} more", n - 1),
    };
    Err(StoreError::NotOurs {
        what: format!("in the schema {}, {first}{more}", schema.as_str()),
        hint: format!(
            "find out who made it and why; then drop it, or give it to the owner of the schema \
             (ALTER … OWNER TO {})",
            quote::identifier(owner)
        ),
    })
}
