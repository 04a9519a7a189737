//! Reads the triggers, including our guard, and the leaves with the state of their guard.
//! Owns what makes a trigger the server's own.

use sqlx::postgres::PgConnection;

use super::{Tree, get, letter, query, rows_of_tree};
use crate::store::StoreError;
use crate::store::catalog::{LeafFacts, TriggerFacts};

/// Bits of `pg_trigger.tgtype` (pg_trigger.h): row 1, before 2, insert 4, update 16, instead 64.
/// Before version 15, the copies of a trigger on partitions are marked internal too. The server's
/// own triggers are those of a constraint that is not a constraint trigger.
const TRIGGERS: &str = "
    SELECT DISTINCT t.tgname::text AS name, (t.tgtype & 2) <> 0 AS before,
           (t.tgtype & 1) <> 0 AS for_row, (t.tgtype & 4) <> 0 AS on_insert,
           (t.tgtype & 16) <> 0 AS on_update, t.tgenabled::text AS enabled,
           {t is of the guard} AS guard
      FROM pg_trigger t
     WHERE t.tgrelid = ANY ($2) AND $1::oid IS NOT NULL
       AND (NOT t.tgisinternal OR t.tgparentid <> 0)
       AND NOT EXISTS (SELECT FROM pg_constraint k
                        WHERE k.oid = t.tgconstraint AND k.contype <> 't')
     ORDER BY 1, 6";

const LEAVES: &str = "
    SELECT format('%I.%I', n.nspname, c.relname) AS relation, c.relkind = 'f' AS is_foreign,
           (SELECT count(*) = 2 FROM pg_trigger t
             WHERE t.tgrelid = c.oid AND t.tgenabled = 'A'
               AND t.tgname IN ('~phiseal_i', '~phiseal_u')) AS guarded
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = ANY ($1)
     ORDER BY n.nspname, c.relname";

/// The guard's triggers, and all others.
pub(super) async fn triggers(
    conn: &mut PgConnection,
    tree: &Tree,
) -> Result<(Vec<TriggerFacts>, Vec<TriggerFacts>), StoreError> {
    let (mut guard, mut others) = (Vec::new(), Vec::new());
    for row in &rows_of_tree(conn, tree, TRIGGERS).await? {
        let trigger = TriggerFacts {
            name: get(row, "name")?,
            before: get(row, "before")?,
            row: get(row, "for_row")?,
            insert: get(row, "on_insert")?,
            update: get(row, "on_update")?,
            enabled: letter(row, "enabled")?,
        };
        if get(row, "guard")? {
            guard.push(trigger);
        } else {
            others.push(trigger);
        }
    }
    Ok((guard, others))
}

pub(super) async fn leaves(
    conn: &mut PgConnection,
    tree: &Tree,
) -> Result<Vec<LeafFacts>, StoreError> {
    let rows = query(LEAVES).bind(&tree.leaves).fetch_all(conn).await?;
    let leaf = |row| {
        Ok(LeafFacts {
            relation: get(row, "relation")?,
            foreign: get(row, "is_foreign")?,
            guarded: get(row, "guarded")?,
        })
    };
    rows.iter().map(leaf).collect()
}
