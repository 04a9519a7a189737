//! Writes plaintext back.
//! Owns the temporary table, the COPY and the statement for it. The values travel by COPY into a
//! temporary table, because the server may log the bound values of a statement, but never the data
//! of a COPY. An existing plaintext is never overwritten.

use sqlx::{PgConnection, Row};
use zeroize::Zeroizing;

use super::fault::of_rows;
use super::seal::{SAME_VERSION, find_skipped, skip_clause};
use super::sql::query;
use super::timed;
use crate::store::page::WriteCell;
use crate::store::text::joined;
use crate::store::{Access, Result, StoreError, Triggers, WriteBatch, Written};

/// The number of messages of [`put`]: the COPY and its data, the statement and its values.
pub(super) const TRIPS: u32 = 4;

/// The statement that creates the temporary table; COMMIT drops it.
pub(super) fn make_sql(access: &Access) -> String {
    let columns = joined(access.cells.iter().enumerate(), ", ", |(i, field)| {
        let kind = if field.source.is_bytes {
            "pg_catalog.bytea"
        } else {
            "pg_catalog.text"
        };
        format!("c{i} {kind}")
    });
    format!(
        "CREATE TEMPORARY TABLE phiseal_opened (n pg_catalog.int8, place pg_catalog.tid, version pg_catalog.xid, {}) \
         ON COMMIT DROP;",
        columns
    )
}

/// Writes the opened values of a batch through the table that [`make_sql`] created in this
/// transaction.
pub(super) async fn put(
    conn: &mut PgConnection,
    access: &Access,
    batch: &WriteBatch<'_>,
    skip_locked: bool,
) -> Result<Written> {
    let data = lines(access, batch);
    copy_in(conn, &data).await?;
    let sql = update_sql(access, batch.relation, skip_locked);
    let mut statement = query(sql);
    if skip_locked {
        let places: Vec<String> = batch
            .rows
            .iter()
            .map(|row| row.locator.place.clone())
            .collect();
        statement = statement.bind(places);
    }
    let row = timed(statement.fetch_one(&mut *conn))
        .await
        .map_err(of_rows)?;
    let hits: Vec<i64> = row.try_get(0)?;
    let others: Vec<i64> = row.try_get(1)?;
    let mut missing: Vec<bool> = vec![true; batch.rows.len()];
    for hit in &hits {
        if let Some(flag) = usize::try_from(*hit)
            .ok()
            .and_then(|at| missing.get_mut(at))
        {
            *flag = false;
        }
    }
    let rewritten = others.iter().filter_map(|n| usize::try_from(*n).ok());
    let mut written = Written {
        rows: hits.len() as u64,
        missed: (0..missing.len()).filter(|at| missing[*at]).collect(),
        rewritten: rewritten.collect(),
        ..Written::default()
    };
    if !skip_locked {
        find_skipped(conn, batch, &mut written).await?;
    }
    Ok(written)
}

fn update_sql(access: &Access, relation: &str, skip_locked: bool) -> String {
    let sets = joined(access.cells.iter().enumerate(), ", ", |(i, field)| {
        let name = field.source.name.quoted();
        match field.in_place() {
            true => format!("{name} = coalesce(u.c{i}, t.{name})"),
            false => format!(
                "{name} = CASE WHEN t.{name} IS NULL THEN u.c{i}::{} ELSE t.{name} END",
                with_schema(&field.source.sql_type)
            ),
        }
    });
    // If a trigger of the table changed a value during the write, it is no longer the value that
    // was sealed.
    let kept: Vec<String> = access
        .cells
        .iter()
        .enumerate()
        .filter(|_| access.triggers == Triggers::Fire)
        .map(|(i, field)| {
            let (name, kind) = (
                field.source.name.quoted(),
                with_schema(&field.source.sql_type),
            );
            let sent = match field.in_place() || field.source.is_bytes {
                true => format!("u.c{i}"),
                false => format!("u.c{i}::{kind}"),
            };
            let held = match field.in_place() {
                true => format!("t.{name}::pg_catalog.text"),
                false => format!("t.{name}"),
            };
            format!("(u.c{i} IS NULL OR NOT pg_catalog.record_image_ne(ROW({held}), ROW({sent})))")
        })
        .chain(["true".to_owned()])
        .collect();
    let (with, join) = skip_clause(relation, skip_locked);
    let with = if with.is_empty() {
        "WITH".to_owned()
    } else {
        format!("{with},")
    };
    format!(
        "{with} done (n, kept) AS (UPDATE ONLY {relation} AS t SET {} FROM pg_temp.phiseal_opened AS u{join} \
         WHERE {SAME_VERSION} RETURNING u.n, {}) \
         SELECT coalesce(pg_catalog.array_agg(done.n) FILTER (WHERE done.kept), '{{}}'), \
           coalesce(pg_catalog.array_agg(done.n) FILTER (WHERE NOT done.kept), '{{}}') FROM done",
        sets,
        kept.join(" AND ")
    )
}

/// A type name with its schema. The server qualifies the names of types outside `pg_catalog`. Of
/// its own types, those that the SQL grammar knows mean the same under every search path, and
/// cannot be qualified.
fn with_schema(sql_type: &str) -> String {
    const OF_THE_GRAMMAR: [&str; 9] = [
        "bigint",
        "bit",
        "boolean",
        "character",
        "integer",
        "interval",
        "numeric",
        "real",
        "smallint",
    ];
    let name = sql_type.trim_end_matches("[]");
    let plain = name
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain && !OF_THE_GRAMMAR.contains(&name) {
        format!("pg_catalog.{sql_type}")
    } else {
        sql_type.to_owned()
    }
}

/// The rows in COPY's text format (PostgreSQL documentation, "COPY", "Text Format").
fn lines(access: &Access, batch: &WriteBatch<'_>) -> Zeroizing<Vec<u8>> {
    let bytes: usize = batch.rows.iter().map(|row| row_bytes(&row.cells)).sum();
    // Enough room even if every byte is escaped, since a reallocation would leave a copy of
    // plaintext in memory.
    let mut out = Zeroizing::new(Vec::with_capacity(bytes * 2 + batch.rows.len() * 96));
    for (n, row) in batch.rows.iter().enumerate() {
        out.extend_from_slice(n.to_string().as_bytes());
        out.push(b'\t');
        out.extend_from_slice(row.locator.place.as_bytes());
        out.push(b'\t');
        out.extend_from_slice(&row.locator.version);
        for (i, field) in access.cells.iter().enumerate() {
            out.push(b'\t');
            match row.cells.get(i) {
                Some(WriteCell::Open(value)) if field.source.is_bytes => {
                    out.extend_from_slice(b"\\\\x");
                    for byte in value.iter() {
                        out.extend_from_slice(&hex_pair(*byte));
                    }
                }
                Some(WriteCell::Open(value)) => escape(value, &mut out),
                _ => out.extend_from_slice(b"\\N"),
            }
        }
        out.push(b'\n');
    }
    out
}

fn row_bytes(cells: &[WriteCell]) -> usize {
    cells
        .iter()
        .map(|cell| match cell {
            WriteCell::Open(value) => value.len() + 8,
            WriteCell::Keep | WriteCell::Seal { .. } | WriteCell::Clear => 4,
        })
        .sum()
}

fn hex_pair(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [
        DIGITS[usize::from(byte >> 4)],
        DIGITS[usize::from(byte & 15)],
    ]
}

fn escape(value: &[u8], out: &mut Vec<u8>) {
    for byte in value {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => out.push(*byte),
        }
    }
}

async fn copy_in(conn: &mut PgConnection, data: &[u8]) -> Result<()> {
    timed(async {
        let mut copy = conn
            .copy_in_raw("COPY pg_temp.phiseal_opened FROM STDIN (FORMAT text, ENCODING 'UTF8')")
            .await?;
        for chunk in data.chunks(1 << 20) {
            copy.send(chunk).await?;
        }
        copy.finish().await
    })
    .await
    .map(|_| ())
    .map_err(|error| match error {
        // After a COPY that failed half way, the connection can only roll back.
        StoreError::Unexpected { .. } => StoreError::ConnectionLost,
        other => other,
    })
}
