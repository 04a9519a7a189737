//! The tables that hold sealed values, and which guard each has had since when.
//! Owns `phiseal_sealed_relations`. SQLite gives neither tables nor columns a number. So a table is
//! identified by its guard's trigger, which follows a rename, or by its root page; a column by its
//! position. A guard is identified by its triggers' names and its position in the schema, before
//! the view `phiseal_end_of_guards`. That view is made again after every guard of phiseal, so a
//! trigger made by somebody else comes after it. (A rename changes the text of triggers, but not
//! their order.) In the same way, a table made since the last change comes after the table
//! `phiseal_end_of_tables`; if it has the root page of a dropped table, it is not taken for that
//! table.

mod gaps;
mod leave;
mod locate;

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::guard;
use super::sql::{Bind, bound, query, run, scalar, tuple};
use crate::ident::{Ident, TableName};
use crate::store::plaintext::HIDDEN;
use crate::store::{FieldRecord, FieldState, RelationRecord, Result, StoreError, Table};
pub(super) use gaps::{close_gaps, gaps, is_fresh, note, note_marks, open_gaps};
pub(super) use leave::{forget, rebind};
pub(super) use locate::{follow, locate, present_fields};

/// The recorded guard is not the one that is valid now.
const REPLACED: &str = "its guard was gone or another one for a time";
/// It was not observed which guard was valid when the table's values were sealed.
const UNSEEN: &str = "nobody knows whether a guard stood when its values were sealed";

/// A row of `phiseal_sealed_relations` with the present state of its table.
struct RecordedRelation {
    id: i64,
    label: String,
    recorded: String,
    now: Option<String>,
    columns: BTreeMap<String, i64>,
    guard: Option<String>,
    guard_now: Option<String>,
    /// The table comes before `phiseal_end_of_tables`.
    in_order: bool,
    gap: Option<String>,
}

async fn seen(conn: &mut SqliteConnection) -> Result<Vec<RecordedRelation>> {
    const ROWS: &str = "SELECT relation_id, table_label, trigger_name, root_page, table_name, columns, guard, gap \
        FROM phiseal_sealed_relations WHERE left_at IS NULL ORDER BY table_label";
    let mut all = Vec::new();
    for row in bound(ROWS, []).fetch_all(&mut *conn).await? {
        let text = |column: &str| row.try_get::<String, _>(column);
        let maybe = |column: &str| row.try_get::<Option<String>, _>(column);
        let recorded = text("table_name")?;
        let columns: BTreeMap<String, i64> =
            serde_json::from_str(&text("columns")?).map_err(|_| UNEXPECTED)?;
        let root_page: i64 = row.try_get("root_page")?;
        let now = find(conn, &text("trigger_name")?, root_page, &recorded, &columns).await?;
        let guard_now = match &now {
            Some(table) => guard_now(conn, table).await?,
            None => None,
        };
        let in_order = match &now {
            Some(table) => in_order(conn, table).await?,
            None => true,
        };
        all.push(RecordedRelation {
            id: row.try_get("relation_id")?,
            label: text("table_label")?,
            recorded,
            now,
            columns,
            guard: maybe("guard")?,
            guard_now,
            in_order,
            gap: maybe("gap")?,
        });
    }
    Ok(all)
}

/// The present name of a recorded table. Without its trigger only the root page identifies it. A
/// later table with that page comes after `phiseal_end_of_tables`; an older one to which VACUUM
/// gave the page does not have the recorded columns.
async fn find(
    conn: &mut SqliteConnection,
    trigger: &str,
    root_page: i64,
    recorded: &str,
    columns: &BTreeMap<String, i64>,
) -> Result<Option<String>> {
    const BY_TRIGGER: &str =
        "SELECT tbl_name FROM sqlite_schema WHERE type = 'trigger' AND name = ?";
    const BY_PAGE: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage = ?";
    let by_trigger = scalar(BY_TRIGGER, [Bind::from(trigger)]);
    if let Some(name) = by_trigger.fetch_optional(&mut *conn).await? {
        return Ok(Some(name));
    }
    let by_page = scalar(BY_PAGE, [Bind::from(root_page)]);
    let name: Option<String> = by_page.fetch_optional(&mut *conn).await?;
    let Some(name) = name else { return Ok(None) };
    if !in_order(conn, &name).await? {
        return Ok(None);
    }
    let there = columns_now(conn, &name).await?;
    let fits = columns.keys().all(|column| there.contains_key(column));
    Ok((name == recorded || fits).then_some(name))
}

/// Whether the table existed when a guard last changed. SQLite numbers schema objects in ascending
/// order, and neither a rename nor VACUUM nor a dump changes the order of tables.
async fn in_order(conn: &mut SqliteConnection, table: &str) -> Result<bool> {
    const IN_ORDER: &str = "SELECT count(*) FROM sqlite_schema AS t JOIN sqlite_schema AS mark ON t.rowid < mark.rowid \
        WHERE t.type = 'table' AND t.name = ? COLLATE NOCASE \
        AND mark.type = 'table' AND mark.name = 'phiseal_end_of_tables'";
    let count: i64 = scalar(IN_ORDER, [Bind::from(table)])
        .fetch_one(conn)
        .await?;
    Ok(count > 0)
}

async fn columns_now(conn: &mut SqliteConnection, table: &str) -> Result<BTreeMap<String, i64>> {
    const COLUMNS: &str = "SELECT name, cid FROM pragma_table_xinfo(?)";
    let columns: Vec<(String, i64)> = tuple(COLUMNS, [Bind::from(table)]).fetch_all(conn).await?;
    Ok(columns.into_iter().collect())
}

/// The present guard of a table, as a digest of names and its position; `None` if there is none.
async fn guard_now(conn: &mut SqliteConnection, table: &str) -> Result<Option<String>> {
    use sha2::{Digest, Sha256};
    const GUARD: &str = "SELECT name, rowid < coalesce((SELECT rowid FROM sqlite_schema WHERE type = 'view' \
        AND name = 'phiseal_end_of_guards'), 0) FROM sqlite_schema WHERE type = 'trigger' \
        AND tbl_name = ? COLLATE NOCASE AND substr(name, 1, length(?)) = ? ORDER BY name";
    let prefix = || Bind::from(guard::GUARD_PREFIX);
    let rows = tuple(GUARD, [Bind::from(table), prefix(), prefix()]);
    let rows: Vec<(String, bool)> = rows.fetch_all(conn).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut digest = Sha256::new();
    let mut in_order = true;
    for (name, before) in rows {
        digest.update((name.len() as u64).to_be_bytes());
        digest.update(name);
        in_order &= before;
    }
    let order = if in_order { "before" } else { "behind" };
    Ok(Some(format!("{}:{order}", hex::encode(digest.finalize()))))
}

/// What identifies the guard of a table as it is now: the places of its triggers in the schema, which
/// no trigger that is made again has; `None` if it has no guard, or not the recorded one.
pub(super) async fn guard_identity(
    conn: &mut SqliteConnection,
    label: &str,
) -> Result<Option<String>> {
    const PLACES: &str = "SELECT group_concat(place) FROM (SELECT name || ':' || rowid AS place FROM sqlite_schema \
        WHERE tbl_name = ?1 COLLATE NOCASE AND (type = 'table' OR type = 'trigger' AND substr(name, 1, length(?2)) = ?2) \
        ORDER BY name)";
    let all = seen(conn).await?;
    let one = all.iter().find(|one| one.label == label);
    let Some(now) = one
        .filter(|one| is_settled(one))
        .and_then(|one| one.now.as_ref())
    else {
        return Ok(None);
    };
    let binds = [now.as_str(), guard::GUARD_PREFIX].map(Bind::from);
    Ok(scalar(PLACES, binds).fetch_one(conn).await?)
}

/// Call before any guard changes: records a gap for each table whose guard is not the recorded one.
/// A table that is gone loses its root page, so that no other table is taken for it.
pub(super) async fn before_change(conn: &mut SqliteConnection) -> Result<()> {
    const LOST: &str = "UPDATE phiseal_sealed_relations SET root_page = 0 WHERE relation_id = ?";
    for seen in seen(conn).await? {
        if seen.now.is_none() {
            let lost = query(LOST).bind(seen.id).execute(&mut *conn).await;
            lost?;
        }
        if seen.now.is_some() && seen.guard != seen.guard_now {
            note_gap(conn, seen.id, REPLACED).await?;
        }
    }
    Ok(())
}

async fn note_gap(conn: &mut SqliteConnection, id: i64, reason: &str) -> Result<()> {
    query(
        "UPDATE phiseal_sealed_relations SET gap = ?, gap_since = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') \
         WHERE relation_id = ? AND gap IS NULL",
    )
    .bind(reason.to_owned())
    .bind(id)
    .execute(conn)
    .await?;
    Ok(())
}

/// Call after guards have changed: records all present guards, and the table if it is not
/// recorded yet.
pub(super) async fn after_change(
    conn: &mut SqliteConnection,
    table: Option<&Table>,
    fresh: bool,
) -> Result<()> {
    // The table to record may come after `phiseal_end_of_tables`.
    let recorded = match table {
        Some(table) => record(conn, table, fresh).await?,
        None => false,
    };
    if !recorded && seen(conn).await?.iter().all(is_settled) {
        return Ok(());
    }
    run(conn, "DROP VIEW IF EXISTS phiseal_end_of_guards").await?;
    run(conn, "CREATE VIEW phiseal_end_of_guards AS SELECT 1 AS one").await?;
    run(conn, "DROP TABLE IF EXISTS phiseal_end_of_tables").await?;
    run(conn, "CREATE TABLE phiseal_end_of_tables (one INTEGER)").await?;
    for seen in seen(conn).await? {
        let Some(table_name) = &seen.now else {
            continue;
        };
        // Also records the positions of columns that phiseal has made.
        let mut columns = columns_now(conn, table_name).await?;
        columns.retain(|name, _| !name.starts_with(HIDDEN));
        columns.extend(seen.columns.clone());
        let columns = serde_json::to_string(&columns).map_err(|_| UNEXPECTED)?;
        query(
            "UPDATE phiseal_sealed_relations SET guard = ?, columns = ?4, \
             trigger_name = coalesce((SELECT name FROM sqlite_schema WHERE type = 'trigger' \
               AND tbl_name = ?2 COLLATE NOCASE AND substr(name, 1, 11) = '~phiseal_u_' ORDER BY name LIMIT 1), ''), \
             root_page = (SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = ?2) WHERE relation_id = ?3",
        )
        .bind(guard_now(conn, table_name).await?)
        .bind(table_name.clone())
        .bind(seen.id)
        .bind(columns)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Whether nothing has changed since the table was recorded.
fn is_settled(one: &RecordedRelation) -> bool {
    one.now.is_none()
        || (one.in_order
            && one.guard.is_some()
            && one.guard == one.guard_now
            && one
                .guard_now
                .as_deref()
                .is_some_and(|guard| guard.ends_with(":before")))
}

/// Records the table; `false` if it is recorded already.
async fn record(conn: &mut SqliteConnection, table: &Table, fresh: bool) -> Result<bool> {
    let table_name = table.name.name.as_str();
    let known = seen(conn).await?;
    if let Some(one) = known.iter().find(|one| one.label == table.label) {
        return match one.now.as_deref() {
            Some(now) if now.eq_ignore_ascii_case(table_name) => Ok(false),
            _ => Err(other_table(one)),
        };
    }
    if let Some(one) = known.iter().find(|one| {
        one.now
            .as_deref()
            .is_some_and(|now| now.eq_ignore_ascii_case(table_name))
    }) {
        return Err(other_table(one));
    }
    let columns =
        serde_json::to_string(&columns_now(conn, table_name).await?).map_err(|_| UNEXPECTED)?;
    query(
        "INSERT INTO phiseal_sealed_relations (table_label, trigger_name, root_page, table_name, columns, gap, gap_since) \
         SELECT ?, coalesce((SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = s.name COLLATE NOCASE \
             AND substr(name, 1, 11) = '~phiseal_u_' ORDER BY name LIMIT 1), ''), \
           s.rootpage, s.name, ?2, ?3, CASE WHEN ?3 IS NOT NULL THEN strftime('%Y-%m-%dT%H:%M:%fZ', 'now') END \
         FROM sqlite_schema AS s WHERE s.type = 'table' AND s.name = ?4 COLLATE NOCASE",
    )
    .bind(table.label.clone())
    .bind(columns)
    .bind((!fresh).then(|| UNSEEN.to_owned()))
    .bind(table_name.to_owned())
    .execute(conn)
    .await?;
    Ok(true)
}

fn other_table(one: &RecordedRelation) -> StoreError {
    StoreError::OtherTable {
        label: one.label.clone(),
        table: one.now.clone().unwrap_or_else(|| one.recorded.clone()),
    }
}

/// Whether `phiseal_sealed_relations` exists; before the first `migrate up` it does not.
pub(super) async fn is_installed(conn: &mut SqliteConnection) -> Result<bool> {
    const THERE: &str = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'phiseal_sealed_relations'";
    let count: i64 = scalar(THERE, []).fetch_one(conn).await?;
    Ok(count > 0)
}

/// See [`crate::store::SealedRelations::sealed_relations`].
pub(super) async fn list(conn: &mut SqliteConnection) -> Result<Vec<RelationRecord>> {
    let mut records = Vec::new();
    for one in seen(conn).await? {
        let name = |name: &String| {
            Ident::new(name.clone())
                .map(|name| TableName { schema: None, name })
                .map_err(|_| UNEXPECTED)
        };
        let mut faults = Vec::new();
        if one.now.is_none() {
            faults.push("the table is gone".to_owned());
        } else if one.guard_now.is_none() {
            faults.push("its guard is missing".to_owned());
        }
        let replaced = one.now.is_some() && one.guard != one.guard_now;
        records.push(RelationRecord {
            recorded: name(&one.recorded)?,
            now: one.now.as_ref().map(name).transpose()?,
            table_label: one.label,
            root: true,
            attached: true,
            gap: one.gap.or_else(|| replaced.then(|| REPLACED.to_owned())),
            faults,
        });
    }
    Ok(records)
}

/// Call after phiseal has dropped a column, since the columns after it have new positions. Names
/// that were not followed yet keep their recorded positions.
pub(super) async fn columns_moved(conn: &mut SqliteConnection, label: &str) -> Result<()> {
    let mut fields = present_fields(conn).await?;
    fields.retain(|field| field.table_label == label);
    // Phiseal itself drops the plaintext column of a finalized field.
    let is_removed =
        |field: &FieldRecord| matches!(field.state, FieldState::Finalized | FieldState::Scrubbed);
    let settled = fields.iter().all(|field| {
        field.place.renames.is_empty() && (!field.place.plain_dropped || is_removed(field))
    });
    match fields.first() {
        Some(field) if settled => follow(conn, label, &field.table_name).await,
        _ => Ok(()),
    }
}

const UNEXPECTED: StoreError = StoreError::unexpected("a row of sealed_relations");
