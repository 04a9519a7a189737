//! Looks at all rows of a table before a run: how much is left to do, which keys have no fixed
//! form, and which rows break a constraint that was added NOT VALID.
//! Owns how such constraints are found and evaluated: by a query, because an UPDATE that fails
//! would show the row in the server's log.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::read::READ_SETTINGS;
use super::sql::{TEXT_SETTINGS, query, run, scalar, tuple};
use super::table;
use super::wanted;
use super::{PostgresStore, timed};
use crate::store::survey::{Survey, Violator};
use crate::store::text::joined;
use crate::store::{Access, KeyColumn, KeyKind, KeyText, Result, Scope, Select, StoreError, Table};

/// About how many blocks of each relation the estimate of the remaining work reads.
const PAGES: i64 = 4_000;

/// Constraints that apply to writes but were not checked for existing rows, each with a condition
/// that is false for a row which breaks it. From version 18 on, NOT NULL is such a constraint too,
/// and a constraint may be not enforced.
const UNVALIDATED: &str = "
    SELECT k.conname::text AS name,
           CASE k.contype WHEN 'c' THEN pg_get_expr(k.conbin, k.conrelid)
                ELSE (SELECT format('%I IS NOT NULL', a.attname) FROM pg_attribute a
                       WHERE a.attrelid = k.conrelid AND a.attnum = k.conkey[1]) END AS condition
      FROM pg_constraint k
     WHERE k.conrelid = to_regclass($1) AND k.contype IN ('c', 'n') AND NOT k.convalidated
       AND k.conname !~ '^phiseal_[a-z]+_[0-9a-f]{16}$'
       AND coalesce((to_jsonb(k) ->> 'conenforced')::bool, true)
     ORDER BY k.conname";

struct Unvalidated {
    name: String,
    condition: String,
}

/// Surveys all relations of a table.
pub(super) async fn look(store: &PostgresStore, table: &Table) -> Result<Survey> {
    let mut survey = Survey {
        formless: formless_columns(table)
            .map(|(key, _)| (key.name.as_str().to_owned(), 0))
            .collect(),
        ..Survey::default()
    };
    let (mut left, mut rows) = (0.0, 0.0);
    for relation in table::relations(store, table, &Scope::Attached).await? {
        if let Some((needs, of, scale)) = left_in(store, table, &relation).await? {
            left += needs * scale;
            rows += of * scale;
        }
        formless(store, table, &relation, &mut survey).await?;
        for one in unvalidated(store, &relation).await? {
            let Ok(violating) = count_violating(store, table, &relation, &one).await else {
                continue;
            };
            match survey
                .violating
                .iter_mut()
                .find(|(name, _)| *name == one.name)
            {
                Some((_, count)) => *count += violating,
                None => survey.violating.push((one.name, violating)),
            }
        }
    }
    survey.formless.retain(|(_, rows)| *rows > 0);
    survey.violating.retain(|(_, rows)| *rows > 0);
    survey.left = (rows > 0.0).then(|| left / rows);
    Ok(survey)
}

/// The rows of a relation that break a constraint, at most `limit` for each. A constraint that
/// cannot be evaluated for every row is skipped: it fails in the UPDATE with its own error.
pub(super) async fn violators(
    store: &PostgresStore,
    table: &Table,
    relation: &str,
    limit: u32,
) -> Result<Vec<Violator>> {
    let mut all = Vec::new();
    for one in unvalidated(store, relation).await? {
        match violating(store, table, relation, &one, limit).await {
            Ok(found) => all.extend(found),
            Err(StoreError::RowRefused { .. } | StoreError::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

async fn unvalidated(store: &PostgresStore, relation: &str) -> Result<Vec<Unvalidated>> {
    let statement = tuple(UNVALIDATED).bind(relation.to_owned());
    let mut tx = store.begin().await?;
    let rows: Vec<(String, String)> = statement.fetch_all(&mut *tx).await?;
    tx.commit().await?;
    let constraint = |(name, condition)| Unvalidated { name, condition };
    Ok(rows.into_iter().map(constraint).collect())
}

/// The condition refers to columns without the table's name, and to whole rows by that name. So
/// FROM has only this table, without an alias.
async fn violating(
    store: &PostgresStore,
    table: &Table,
    relation: &str,
    constraint: &Unvalidated,
    limit: u32,
) -> Result<Vec<Violator>> {
    let keys = joined(&table.keys, ", ", |key| {
        format!("{}::text", key.name.quoted())
    });
    let sql = format!(
        "SELECT {keys} FROM ONLY {relation} WHERE ({}) IS FALSE LIMIT {limit}",
        constraint.condition
    );
    let rows = all(store, sql).await?;
    let violator = |row: &PgRow| {
        let key = (0..table.keys.len()).map(|at| row.try_get(at));
        Ok(Violator {
            key: KeyText(key.collect::<sqlx::Result<_>>()?),
            constraint: constraint.name.clone(),
        })
    };
    rows.iter().map(violator).collect()
}

async fn count_violating(
    store: &PostgresStore,
    table: &Table,
    relation: &str,
    constraint: &Unvalidated,
) -> Result<u64> {
    let values = joined(
        table.fields.iter().filter(|field| field.plain_exists),
        " OR ",
        |field| format!("{} IS NOT NULL", field.column.quoted()),
    );
    if values.is_empty() {
        return Ok(0);
    }
    let sql = format!(
        "SELECT count(*) FROM ONLY {relation} WHERE ({}) IS FALSE AND ({})",
        constraint.condition, values
    );
    counted(store, sql).await
}

/// Key columns whose type has values without a fixed form, each with the condition that finds those
/// values.
fn formless_columns(table: &Table) -> impl Iterator<Item = (&KeyColumn, String)> {
    table.keys.iter().filter_map(|key| {
        let column = format!("t.{}", key.name.quoted());
        let condition = match key.kind {
            KeyKind::Date => format!(
                "({column}::date < date '0001-01-01' OR {column}::date > date '9999-12-31')"
            ),
            KeyKind::Timestamp => format!("NOT isfinite({column}::{})", key.cast),
            KeyKind::Numeric => {
                format!("{column}::text IN ('NaN', 'Infinity', '-Infinity')")
            }
            KeyKind::Int
            | KeyKind::Uuid
            | KeyKind::Text
            | KeyKind::Bytes
            | KeyKind::Bool
            | KeyKind::ByClass => return None,
        };
        Some((key, condition))
    })
}

async fn formless(
    store: &PostgresStore,
    table: &Table,
    relation: &str,
    survey: &mut Survey,
) -> Result<()> {
    for (at, (_, condition)) in formless_columns(table).enumerate() {
        let sql = format!("SELECT count(*) FROM ONLY {relation} AS t WHERE {condition}");
        survey.formless[at].1 += counted(store, sql).await?;
    }
    Ok(())
}

/// The number of rows that need work, the number of rows looked at, and how many rows each of them
/// stands for. `None` if the sealed columns do not exist yet, or the relation is empty.
async fn left_in(
    store: &PostgresStore,
    table: &Table,
    relation: &str,
) -> Result<Option<(f64, f64, f64)>> {
    let mut tx = store.begin().await?;
    let there = sealed_columns_there(&mut tx, table, relation).await?;
    let pages: Option<i64> =
        scalar("SELECT pg_relation_size(to_regclass($1)) / current_setting('block_size')::int8")
            .bind(relation.to_owned())
            .fetch_one(&mut *tx)
            .await?;
    tx.commit().await?;
    let pages = pages.unwrap_or_default();
    if !there || pages == 0 {
        return Ok(None);
    }
    let (sample, scale) = match pages > PAGES {
        true => {
            let share = PAGES as f64 / pages as f64;
            (
                format!(" TABLESAMPLE SYSTEM ({:.6})", share * 100.0),
                1.0 / share,
            )
        }
        false => (String::new(), 1.0),
    };
    let sql = format!(
        "SELECT count(*) FILTER (WHERE {}), count(*) FROM ONLY {relation} AS t{sample}",
        wanted::need(&Access::of(table.clone()), &Select::UnsealedIndexed, 0)
    );
    let rows = all(store, sql).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let needs: i64 = row.try_get(0)?;
    let of: i64 = row.try_get(1)?;
    Ok((of > 0).then_some((needs as f64, of as f64, scale)))
}

async fn sealed_columns_there(
    conn: &mut PgConnection,
    table: &Table,
    relation: &str,
) -> Result<bool> {
    let names: Vec<String> = table
        .fields
        .iter()
        .filter_map(|field| {
            field
                .sealed
                .beside()
                .map(|column| column.as_str().to_owned())
        })
        .collect();
    let wanted = names.len();
    let there: i64 = scalar(
        "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname = ANY ($2) \
           AND attnum > 0 AND NOT attisdropped",
    )
    .bind(relation.to_owned())
    .bind(names)
    .fetch_one(conn)
    .await?;
    Ok(usize::try_from(there) == Ok(wanted))
}

async fn counted(store: &PostgresStore, sql: String) -> Result<u64> {
    let rows = all(store, sql).await?;
    let count: i64 = match rows.first() {
        Some(row) => row.try_get(0)?,
        None => 0,
    };
    Ok(count.unsigned_abs())
}

/// All rows of a statement that reads one of the application's tables.
async fn all(store: &PostgresStore, sql: String) -> Result<Vec<PgRow>> {
    let mut tx = store.begin().await?;
    run(&mut tx, format!("{TEXT_SETTINGS} {READ_SETTINGS}")).await?;
    let rows = timed(query(sql).fetch_all(&mut *tx)).await?;
    tx.rollback().await?;
    Ok(rows)
}
