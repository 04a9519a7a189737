//! The statement that writes sealed values, or clears plaintext: one `UPDATE` for all rows of a batch.
//! Owns its text and its arrays, and reads from its result what happened to each row.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use zeroize::Zeroizing;

use super::fault::of_rows;
use super::read::split;
use super::sql::query;
use super::timed;
use crate::store::page::WriteCell;
use crate::store::text::joined;
use crate::store::{Access, Result, StoreError, Triggers, WriteBatch, Written};

/// The bound places and versions of a batch's rows.
const PLACES: &str = "$1::pg_catalog.text[]::pg_catalog.tid[]";
const VERSIONS: &str = "$2::pg_catalog.text[]::pg_catalog.xid[]";
/// The condition that row `t` is still the version which the batch's row `u` was made from. Every
/// name has its schema, since the statement may run under the application's search path.
pub(super) const SAME_VERSION: &str =
    "t.ctid OPERATOR(pg_catalog.=) u.place AND t.xmin OPERATOR(pg_catalog.=) u.version";

/// Writes sealed values and clears plaintext with one `UPDATE … FROM unnest(…)`.
pub(super) async fn seal_rows(
    conn: &mut PgConnection,
    access: &Access,
    batch: &WriteBatch<'_>,
    skip_locked: bool,
) -> Result<Written> {
    let columns = used_columns(access, batch);
    let (places, versions) = split(batch.rows.iter().map(|row| &row.locator))?;
    let mut statement = query(update_sql(access, batch.relation, &columns, skip_locked))
        .bind(places)
        .bind(versions);
    for column in &columns {
        statement = match column.kind {
            CellKind::Bytes => statement.bind(sealed_bytes(batch, column.field)),
            CellKind::Text => statement.bind(sealed_texts(batch, column.field)?),
            CellKind::Index => statement.bind(indexes(batch, column.field)),
            CellKind::Cleared => statement.bind(cleared(batch, column.field)),
        };
    }
    let rows = timed(statement.fetch_all(&mut *conn))
        .await
        .map_err(of_rows)?;
    let mut written = written(access, batch, &rows)?;
    if let (false, [row]) = (access.in_place(), rows.as_slice()) {
        rewritten(&mut written, row.try_get(1)?);
    }
    if !skip_locked {
        find_skipped(conn, batch, &mut written).await?;
    }
    Ok(written)
}

/// Finds the missed rows that still are the version to be written. The write waited for locks, so
/// nobody held them: a trigger of the table suppressed the write.
pub(super) async fn find_skipped(
    conn: &mut PgConnection,
    batch: &WriteBatch<'_>,
    written: &mut Written,
) -> Result<()> {
    let missed: Vec<usize> = (written.missed.iter().copied())
        .filter(|at| !written.rewritten.contains(at))
        .collect();
    if missed.is_empty() {
        return Ok(());
    }
    let (places, versions) = split(missed.iter().map(|at| &batch.rows[*at].locator))?;
    let sql = format!(
        "SELECT u.n FROM ONLY {} AS t JOIN ROWS FROM (pg_catalog.unnest({PLACES}), pg_catalog.unnest({VERSIONS})) \
         WITH ORDINALITY AS u(place, version, n) ON {SAME_VERSION}",
        batch.relation
    );
    let statement = query(sql).bind(places).bind(versions);
    for row in timed(statement.fetch_all(conn)).await? {
        let n: i64 = row.try_get(0)?;
        let at = usize::try_from(n - 1).ok().and_then(|at| missed.get(at));
        written.skipped.extend(at);
    }
    Ok(())
}

/// Notes the rows that were written but do not hold what was sent, because a trigger of the table
/// changed the value.
pub(super) fn rewritten(written: &mut Written, numbers: Vec<i64>) {
    let rows = numbers.iter().filter_map(|n| usize::try_from(n - 1).ok());
    written.rewritten = rows.filter(|at| written.missed.contains(at)).collect();
}

/// One column of the UPDATE.
struct UpdateColumn {
    field: usize,
    kind: CellKind,
    /// The column's name in the table, quoted.
    name: String,
    /// Whether at least one row of the batch leaves the column unchanged.
    partial: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum CellKind {
    Bytes,
    Text,
    Index,
    /// The plaintext column, with a flag for each row in place of a value.
    Cleared,
}

impl CellKind {
    /// The type of the bound array's elements.
    fn sql_type(self) -> &'static str {
        match self {
            Self::Bytes | Self::Index => "pg_catalog.bytea",
            Self::Text => "pg_catalog.text",
            Self::Cleared => "pg_catalog.bool",
        }
    }
}

fn used_columns(access: &Access, batch: &WriteBatch<'_>) -> Vec<UpdateColumn> {
    let mut columns = Vec::new();
    for (at, field) in access.cells.iter().enumerate() {
        let count = |is: fn(&WriteCell) -> bool| {
            let cells = batch.rows.iter().filter_map(|row| row.cells.get(at));
            cells.filter(|cell| is(cell)).count()
        };
        let cleared = count(|cell| matches!(cell, WriteCell::Clear));
        if cleared > 0 {
            columns.push(UpdateColumn {
                field: at,
                kind: CellKind::Cleared,
                name: field.source.name.quoted(),
                partial: cleared < batch.rows.len(),
            });
        }
        let sealed = count(|cell| matches!(cell, WriteCell::Seal { .. }));
        if sealed == 0 {
            continue;
        }
        let partial = sealed < batch.rows.len();
        let kind = match field.is_text() {
            true => CellKind::Text,
            false => CellKind::Bytes,
        };
        let name = field.beside().unwrap_or(&field.source.name).quoted();
        columns.push(UpdateColumn {
            field: at,
            kind,
            name,
            partial,
        });
        if let Some(index) = &field.index {
            columns.push(UpdateColumn {
                field: at,
                kind: CellKind::Index,
                name: index.quoted(),
                partial,
            });
        }
    }
    columns
}

fn update_sql(
    access: &Access,
    relation: &str,
    columns: &[UpdateColumn],
    skip_locked: bool,
) -> String {
    let mut sets = Vec::new();
    let mut arrays = Vec::new();
    let mut names = Vec::new();
    let mut kept = Vec::new();
    let mut sealed_name = String::new();
    for (i, column) in columns.iter().enumerate() {
        let own = format!("u.c{i}");
        let name = &column.name;
        match column.kind {
            CellKind::Index => {}
            CellKind::Bytes | CellKind::Text => {
                sealed_name.clone_from(&own);
                // The guard sets a sealed value to NULL if a trigger changed the plaintext during
                // the write.
                kept.push(format!("({own} IS NULL OR t.{name} IS NOT NULL)"));
            }
            CellKind::Cleared => kept.push(format!("(NOT {own} OR t.{name} IS NULL)")),
        }
        sets.push(match (column.kind, column.partial) {
            (CellKind::Cleared, true) => {
                format!("{name} = CASE WHEN {own} THEN NULL ELSE t.{name} END")
            }
            (CellKind::Cleared, false) => format!("{name} = NULL"),
            (_, true) => {
                format!("{name} = CASE WHEN {sealed_name} IS NULL THEN t.{name} ELSE {own} END")
            }
            (_, false) => format!("{name} = {own}"),
        });
        arrays.push(format!(
            "pg_catalog.unnest(${}::{}[])",
            i + 3,
            column.kind.sql_type()
        ));
        names.push(format!("c{i}"));
    }
    let (with, join) = skip_clause(relation, skip_locked);
    let stored = joined(
        access.cells.iter().filter(|field| field.in_place()),
        "",
        |field| format!(", t.{}::pg_catalog.text", field.source.name.quoted()),
    );
    let kept = match access.triggers == Triggers::Fire && stored.is_empty() {
        true => kept.join(" AND "),
        false => "true".to_owned(),
    };
    let also = match stored.is_empty() {
        true => format!(", {kept}"),
        false => stored.clone(),
    };
    let update = format!(
        "UPDATE ONLY {relation} AS t SET {} \
         FROM ROWS FROM (pg_catalog.unnest({PLACES}), pg_catalog.unnest({VERSIONS}), {}) WITH ORDINALITY AS u(place, version, {}, n){join} \
         WHERE {SAME_VERSION} RETURNING u.n{}",
        sets.join(", "),
        arrays.join(", "),
        names.join(", "),
        also
    );
    if stored.is_empty() {
        let with = if with.is_empty() {
            "WITH".to_owned()
        } else {
            format!("{with},")
        };
        format!(
            "{with} done (n, kept) AS ({update}) SELECT \
             coalesce(pg_catalog.array_agg(done.n) FILTER (WHERE done.kept), '{{}}'), \
             coalesce(pg_catalog.array_agg(done.n) FILTER (WHERE NOT done.kept), '{{}}') FROM done"
        )
    } else {
        format!("{with} {update}")
    }
}

/// With `skip_locked`: a subselect, run before the write, that locks the rows which nobody else has
/// locked.
pub(super) fn skip_clause(relation: &str, skip_locked: bool) -> (String, &'static str) {
    if skip_locked {
        (
            format!(
                "WITH free AS MATERIALIZED (SELECT t.ctid AS place FROM ONLY {relation} AS t \
                 WHERE t.ctid OPERATOR(pg_catalog.=) ANY ({PLACES}) FOR NO KEY UPDATE SKIP LOCKED)"
            ),
            " JOIN free ON free.place OPERATOR(pg_catalog.=) u.place",
        )
    } else {
        (String::new(), "")
    }
}

fn sealed_bytes<'a>(batch: &'a WriteBatch<'_>, field: usize) -> Vec<Option<&'a [u8]>> {
    cells(batch, field, |sealed, _| Some(sealed))
}

fn sealed_texts<'a>(batch: &'a WriteBatch<'_>, field: usize) -> Result<Vec<Option<&'a str>>> {
    sealed_bytes(batch, field)
        .into_iter()
        .map(|sealed| {
            let text = sealed.map(std::str::from_utf8).transpose();
            text.map_err(|_| StoreError::unexpected("a text form that is not text"))
        })
        .collect()
}

fn indexes<'a>(batch: &'a WriteBatch<'_>, field: usize) -> Vec<Option<&'a [u8]>> {
    cells(batch, field, |_, index| index)
}

/// For each row, whether its plaintext is cleared.
fn cleared(batch: &WriteBatch<'_>, field: usize) -> Vec<bool> {
    let cells = batch.rows.iter().map(|row| row.cells.get(field));
    cells
        .map(|cell| matches!(cell, Some(WriteCell::Clear)))
        .collect()
}

/// One column of the batch's values. They are borrowed, since the driver copies them into its
/// message anyway and a second copy would keep the server waiting.
fn cells<'a>(
    batch: &'a WriteBatch<'_>,
    field: usize,
    take: impl Fn(&'a [u8], Option<&'a [u8]>) -> Option<&'a [u8]>,
) -> Vec<Option<&'a [u8]>> {
    batch
        .rows
        .iter()
        .map(|row| match row.cells.get(field) {
            Some(WriteCell::Seal { sealed, index }) => take(sealed, index.as_deref()),
            _ => None,
        })
        .collect()
}

/// Which rows were written, which were missed, and what the in-place columns hold now.
fn written(access: &Access, batch: &WriteBatch<'_>, rows: &[PgRow]) -> Result<Written> {
    let in_place: Vec<usize> = access
        .cells
        .iter()
        .enumerate()
        .filter(|(_, field)| field.in_place())
        .map(|(at, _)| at)
        .collect();
    let mut out = Written::default();
    let mut hit = vec![false; batch.rows.len()];
    let mut mark = |n: i64| -> Result<usize> {
        let at = usize::try_from(n - 1).ok().filter(|at| *at < hit.len());
        let at = at.ok_or(StoreError::unexpected("a row that was not in the batch"))?;
        if std::mem::replace(&mut hit[at], true) {
            return Err(StoreError::unexpected("a row written twice"));
        }
        Ok(at)
    };
    for row in rows {
        if in_place.is_empty() {
            for n in row.try_get::<Vec<i64>, _>(0)? {
                mark(n)?;
                out.rows += 1;
            }
            continue;
        }
        let at = mark(row.try_get(0)?)?;
        out.rows += 1;
        let mut stored: Vec<Option<Zeroizing<Vec<u8>>>> =
            access.cells.iter().map(|_| None).collect();
        for (position, field) in in_place.iter().enumerate() {
            let text: Option<String> = row.try_get(position + 1)?;
            stored[*field] = text.map(|t| Zeroizing::new(t.into_bytes()));
        }
        out.stored.push((at, stored));
    }
    out.missed = (0..hit.len()).filter(|at| !hit[*at]).collect();
    Ok(out)
}
