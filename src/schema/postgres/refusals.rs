//! What a migration is refused for before it is run: tables that are there, and rows that undoing it
//! would take away.

use sqlx::{AssertSqlSafe, PgConnection};

use super::losses;
use super::place::Schema;
use super::session::{failure, run};
use crate::schema::error::{Doing, Failure, MigrateError};
use crate::schema::history::{Applied, Step};
use crate::schema::script::Script;
use crate::schema::set::{MigrationSet, SetKind, Version};

/// What the pending migrations make by CREATE TABLE, up to where one may take a table away or
/// look elsewhere.
pub(super) fn tables_to_be_made(
    set: &MigrationSet,
    applied: &[Applied],
    to: Option<Version>,
) -> Result<Vec<String>, MigrateError> {
    let mut names = Vec::new();
    if set.kind == SetKind::Own {
        return Ok(names);
    }
    let pending = set
        .migrations
        .iter()
        .filter(|m| to.is_none_or(|to| m.version <= to))
        .filter(|m| !applied.iter().any(|row| row.version == m.version));
    for migration in pending {
        for statement in Script::of(&migration.up)?.statements() {
            if statement.may_free_table_names() {
                return Ok(names);
            }
            names.extend(statement.table_made());
        }
    }
    Ok(names)
}

pub(super) async fn refuse_guarded(
    tx: &mut PgConnection,
    schema: &Schema,
    set: &MigrationSet,
    version: Version,
) -> Result<(), Failure> {
    let failed = failure(Doing::Undoing(version));
    // The newest migration is the one undone, so what an older one made is there.
    for guard in set.down_guards.iter().filter(|g| g.since <= version) {
        let table = format!("{}.{}", schema.quoted, guard.table);
        // Keeps writers out until the commit: no field is sealed between the look and the drop.
        run(tx, format!("LOCK TABLE {table} IN SHARE MODE"))
            .await
            .map_err(failed)?;
        let holds: bool = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT EXISTS (SELECT FROM {table} WHERE {})",
            guard.holds
        )))
        .persistent(false)
        .fetch_one(&mut *tx)
        .await
        .map_err(failed)?;
        if holds {
            return Err(Failure::Stop(MigrateError::Refused {
                version,
                refusal: guard.refusal,
            }));
        }
    }
    Ok(())
}

/// Refuses to undo what would take rows with it, unless that was said.
pub(super) async fn refuse_losses(
    tx: &mut PgConnection,
    schema: &Schema,
    set: &MigrationSet,
    step: &Step<'_>,
) -> Result<(), Failure> {
    if set.kind == SetKind::Own || set.allowed.drop_data {
        return Ok(());
    }
    let version = step.migration.version;
    let Some(down) = step.migration.down.as_deref() else {
        return Ok(());
    };
    let script = Script::of(down)?;
    let losses = losses::of_undoing(tx, schema, &script, step.progress.units).await?;
    if losses.is_empty() {
        return Ok(());
    }
    Err(MigrateError::WouldDrop { version, losses }.into())
}
