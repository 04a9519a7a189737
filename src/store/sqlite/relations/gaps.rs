//! Gaps: what has to be compared because no valid guard covered it, or because a mark let writers
//! past.

use sqlx::sqlite::SqliteConnection;

use super::super::connect::{commit, write_transaction};
use super::super::prepare;
use super::super::sql::{query, run, scalar};
use super::{after_change, before_change, is_installed, note_gap, seen};
use crate::store::{Gap, Result, Sealed, Table};

/// Whether the table is not recorded yet and has no sealed value beside a plaintext.
pub(crate) async fn is_fresh(conn: &mut SqliteConnection, table: &Table) -> Result<bool> {
    if !is_installed(conn).await? {
        return Ok(true);
    }
    if seen(conn).await?.iter().any(|one| one.label == table.label) {
        return Ok(false);
    }
    let there = prepare::columns(conn, table).await?;
    let sealed: Vec<String> = (table.fields.iter())
        .filter_map(|field| match &field.sealed {
            Sealed::Beside { column, .. } if prepare::has(&there, column) => {
                Some(format!("{} IS NOT NULL", column.quoted()))
            }
            _ => None,
        })
        .collect();
    if sealed.is_empty() {
        return Ok(true);
    }
    let sql = format!(
        "SELECT NOT EXISTS (SELECT 1 FROM {} WHERE {})",
        table.name.name.quoted(),
        sealed.join(" OR ")
    );
    Ok(scalar(sql, []).fetch_one(conn).await?)
}

/// See [`crate::store::SealedRelations::note_relations`].
pub(crate) async fn note(conn: &mut SqliteConnection, table: &Table) -> Result<()> {
    let mut transaction = write_transaction(conn).await?;
    let fresh = is_fresh(&mut transaction, table).await?;
    before_change(&mut transaction).await?;
    after_change(&mut transaction, Some(table), fresh).await?;
    note_marks(&mut transaction).await?;
    commit(transaction).await
}

/// Records a gap for every table, because a mark let writers past the guards.
pub(crate) async fn note_marks(conn: &mut SqliteConnection) -> Result<()> {
    run(
        conn,
        "UPDATE phiseal_sealed_relations SET gap = 'a mark let writers past its guard', \
           gap_since = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') \
         WHERE gap IS NULL AND left_at IS NULL AND EXISTS (SELECT 1 FROM phiseal_guard_gaps AS g \
           WHERE g.verified_at IS NULL AND g.found_at > coalesce(phiseal_sealed_relations.compared_at, ''))",
    )
    .await
}

/// See [`crate::store::SealedRelations::gaps`].
pub(crate) async fn gaps(conn: &mut SqliteConnection, table: &Table) -> Result<Vec<Gap>> {
    let all = seen(conn).await?;
    let ours = all.into_iter().filter(|one| one.label == table.label);
    Ok(ours
        .filter_map(|one| {
            Some(Gap {
                relation: super::super::relation_name(&table.name),
                guard: one.guard_now.unwrap_or_default(),
                reason: one.gap?,
                attached: true,
            })
        })
        .collect())
}

/// See [`crate::store::SealedRelations::open_gaps`].
pub(crate) async fn open_gaps(
    conn: &mut SqliteConnection,
    label: &str,
    reason: &str,
) -> Result<()> {
    let mut transaction = write_transaction(conn).await?;
    for one in seen(&mut transaction).await? {
        if one.label == label {
            note_gap(&mut transaction, one.id, reason).await?;
        }
    }
    commit(transaction).await
}

/// See [`crate::store::SealedRelations::close_gaps`]. When no table has a gap any more, the gaps by marks are
/// closed too.
pub(crate) async fn close_gaps(
    conn: &mut SqliteConnection,
    label: &str,
    compared: &[Gap],
) -> Result<Vec<String>> {
    let mut transaction = write_transaction(conn).await?;
    let mut left = Vec::new();
    for one in seen(&mut transaction).await? {
        let Some(gap) = compared.first().filter(|_| one.label == label) else {
            continue;
        };
        if one.guard_now.as_deref() != Some(gap.guard.as_str()) || one.guard != one.guard_now {
            left.push(gap.relation.clone());
            continue;
        }
        query(
            "UPDATE phiseal_sealed_relations SET gap = NULL, gap_since = NULL, \
             compared_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE relation_id = ?",
        )
        .bind(one.id)
        .execute(&mut *transaction)
        .await?;
    }
    run(
        &mut transaction,
        "UPDATE phiseal_guard_gaps SET verified_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE verified_at IS NULL \
         AND NOT EXISTS (SELECT 1 FROM phiseal_sealed_relations WHERE left_at IS NULL AND gap IS NOT NULL)",
    )
    .await?;
    commit(transaction).await?;
    Ok(left)
}
