//! Finds the code of other roles that our write would run, and which of it could switch from the
//! plan's role back to the rights of the login.
//! Owns this search. It rather names too much: a function counts as able to switch if it mentions a
//! role, makes SQL at run time, or cannot be read. A SECURITY DEFINER function cannot, since the
//! server refuses SET ROLE in one (PostgreSQL documentation, "SET ROLE"). The search finds
//! carelessness, not everything that is hidden on purpose: it does not follow code in views, and in
//! triggers of tables that this code writes to.

use sqlx::postgres::PgConnection;

use super::{Tree, get, rows_of_tree};
use crate::store::StoreError;

/// The code that a write runs: triggers, CHECK constraints of the table and of domains, expressions
/// of indexes and generated columns, and casts of column types; then every function whose name
/// occurs in the text of one of these, and user-defined operators and casts, since no text names
/// them. Functions of superusers, of the login itself and of extensions are trusted.
const CODE: &str = r"
    WITH RECURSIVE types AS (
        SELECT a.atttypid AS oid FROM pg_attribute a
         WHERE a.attrelid = ANY ($2) AND a.attnum > 0 AND NOT a.attisdropped
         UNION
        SELECT t.typbasetype FROM types JOIN pg_type t ON t.oid = types.oid WHERE t.typbasetype <> 0
    ), own AS (
        SELECT p.oid, p.proname, p.prosrc, p.prosecdef, p.proconfig, p.proowner, p.pronamespace, l.lanname
          FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
          JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND l.lanname NOT IN ('internal', 'c')
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass
                              AND d.objid = p.oid AND d.deptype = 'e')
    ), parts AS (
        SELECT 'pg_constraint'::regclass::oid AS classid, k.oid AS objid FROM pg_constraint k
         WHERE k.conrelid = ANY ($2) OR k.contypid IN (SELECT oid FROM types)
         UNION ALL
        SELECT 'pg_class'::regclass, i.indexrelid FROM pg_index i WHERE i.indrelid = ANY ($2)
         UNION ALL
        SELECT 'pg_attrdef'::regclass, f.oid FROM pg_attrdef f WHERE f.adrelid = ANY ($2)
    ), begun AS (
        SELECT t.tgfoid AS oid FROM pg_trigger t
         WHERE t.tgrelid = ANY ($2) AND $1::oid IS NOT NULL AND NOT t.tgisinternal AND t.tgenabled <> 'D'
           AND (t.tgtype & 16) <> 0 AND NOT ({t is of the guard}
                    AND (SELECT proname FROM pg_proc WHERE oid = t.tgfoid) ~ '^guard_(insert|update|named)_[0-9a-f]{16}$')
         UNION
        SELECT d.refobjid FROM parts JOIN pg_depend d USING (classid, objid)
         WHERE d.refclassid = 'pg_proc'::regclass
         UNION
        SELECT o.oprcode FROM parts JOIN pg_depend d USING (classid, objid)
          JOIN pg_operator o ON o.oid = d.refobjid WHERE d.refclassid = 'pg_operator'::regclass
         UNION
        SELECT c.castfunc FROM pg_cast c WHERE c.castsource IN (SELECT oid FROM types)
    ), run AS (
        SELECT own.* FROM own JOIN begun USING (oid)
         UNION
        SELECT own.* FROM run JOIN own
            ON position(lower(own.proname) IN lower(run.prosrc)) > 0
            OR own.oid IN (SELECT oprcode FROM pg_operator) OR own.oid IN (SELECT castfunc FROM pg_cast)
         WHERE NOT run.prosecdef
    )
    SELECT DISTINCT 'function ' || format('%I.%I', n.nspname, run.proname) AS name,
           run.prosrc = '' OR run.lanname NOT IN ('sql', 'plpgsql')
             OR coalesce(array_to_string(run.proconfig, ' '), '') ~* 'role'
             OR run.prosrc ~* 'set_config|execute|authorization|role|U&|\\' AS switches
      FROM run JOIN pg_namespace n ON n.oid = run.pronamespace JOIN pg_roles r ON r.oid = run.proowner
     WHERE NOT run.prosecdef AND NOT r.rolsuper AND r.rolname <> session_user
     UNION ALL
    SELECT 'constraint ' || k.conname, true FROM pg_constraint k
     WHERE (k.conrelid = ANY ($2) OR k.contypid IN (SELECT oid FROM types))
       AND pg_get_constraintdef(k.oid) ~* 'set_config'
     UNION ALL
    SELECT 'trigger ' || t.tgname, true FROM pg_trigger t
     WHERE t.tgrelid = ANY ($2) AND NOT t.tgisinternal AND pg_get_triggerdef(t.oid) ~* 'set_config'
     ORDER BY 1";

/// The code that belongs to neither a superuser nor the login; each with whether it could switch
/// back to the rights of the login.
pub(super) async fn of_others(
    conn: &mut PgConnection,
    tree: &Tree,
) -> Result<Vec<(String, bool)>, StoreError> {
    let rows = rows_of_tree(conn, tree, CODE).await?;
    rows.iter()
        .map(|row| Ok((get(row, "name")?, get(row, "switches")?)))
        .collect()
}
