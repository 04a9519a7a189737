//! Made-up rows in PostgreSQL: the catalog of a migration set, and the rows put into its tables.
//! Owns the statements. Values go as text, and the server reads them as the columns' types; rows
//! are only ever inserted, so that append-only tables take them, too.

use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};

use super::{Column, ForeignKey, Kind, Table};
use crate::ident::{Ident, TableName};
use crate::quote;
use crate::store::postgres::sql::{TEXT_SETTINGS, query, raw};
use crate::store::{Result, StoreError};

/// Tables of the migrator's own, if they lie in the same schema.
const NOT_OURS: &str = "c.relname NOT LIKE '%migration%' AND c.relname NOT LIKE 'phiseal%'";

/// A database that nobody else may connect to: before version 15 every role may make objects in `public`.
pub(super) async fn create_database(conn: &mut PgConnection, name: &Ident) -> Result<()> {
    let name = name.quoted();
    run(
        &mut *conn,
        format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"),
    )
    .await?;
    run(conn, format!("REVOKE ALL ON DATABASE {name} FROM PUBLIC")).await
}

/// Ends the sessions of a killed process, too.
pub(super) async fn drop_database(conn: &mut PgConnection, name: &Ident) -> Result<()> {
    run(
        conn,
        format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", name.quoted()),
    )
    .await
}

/// The tables of the current schema, by name.
pub(super) async fn tables(conn: &mut PgConnection) -> Result<Vec<Table>> {
    let mut tables = columns(conn).await?;
    foreign_keys(conn, &mut tables).await?;
    for row in all(conn, UNIQUES).await? {
        let (at, whole, parts): (String, bool, Vec<String>) = three(&row)?;
        if let Some(table) = tables.iter_mut().find(|table| table.name == at) {
            let of = |part: &String| columns_in(&table.columns, part, whole);
            table.uniques.push(parts.iter().flat_map(of).collect());
        }
    }
    for row in all(conn, CHECKS).await? {
        let at: String = row.try_get(0)?;
        if let Some(table) = tables.iter_mut().find(|table| table.name == at) {
            table.checks.push(row.try_get(1)?);
        }
    }
    for table in &mut tables {
        for column in table.columns.iter().filter(|column| column.serial) {
            let last = query(format!(
                "SELECT coalesce(max({}), 0)::int8 FROM {}",
                quote::identifier(&column.name),
                quote::identifier(&table.name)
            ))
            .fetch_one(&mut *conn)
            .await?;
            table.serials.push(last.try_get(0)?);
        }
    }
    Ok(tables)
}

/// Inserts rows, each with a value for each of these columns. Returns how many found a place.
pub(super) async fn insert(
    conn: &mut PgConnection,
    table: &Table,
    columns: &[usize],
    rows: Vec<Vec<Option<String>>>,
) -> Result<u64> {
    let columns: Vec<&Column> = columns
        .iter()
        .filter_map(|at| table.columns.get(*at))
        .collect();
    let names: Vec<String> = columns
        .iter()
        .map(|column| quote::identifier(&column.name))
        .collect();
    let list = |of: &dyn Fn(usize, &Column) -> String| {
        let each: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(at, column)| of(at, column))
            .collect();
        each.join(", ")
    };
    let sql = format!(
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM unnest({}) AS made ({}) \
         ON CONFLICT DO NOTHING",
        quote::identifier(&table.name),
        names.join(", "),
        list(&|at, column| format!("made.c{at}::{}", column.sql_type)),
        list(&|at, _| format!("${}::text[]", at + 1)),
        list(&|at, _| format!("c{at}")),
    );
    let mut arrays: Vec<Vec<Option<String>>> = vec![Vec::with_capacity(rows.len()); columns.len()];
    for row in rows {
        for (array, value) in arrays.iter_mut().zip(row) {
            array.push(value);
        }
    }
    let mut tx = conn.begin().await?;
    raw(format!(
        "{TEXT_SETTINGS} SET LOCAL synchronous_commit = off"
    ))
    .execute(&mut *tx)
    .await?;
    let mut statement = query(sql);
    for array in arrays {
        statement = statement.bind(array);
    }
    let done = statement.execute(&mut *tx).await.map_err(|error| {
        // Says which table; the rows are made up, but the message stays where values never leave.
        tracing::warn!(table = table.name, "rows were refused");
        StoreError::from(error)
    })?;
    tx.commit().await?;
    Ok(done.rows_affected())
}

/// Of these primary keys, the numbers of those that are there.
pub(super) async fn found(
    conn: &mut PgConnection,
    table: &Table,
    keys: Vec<Option<String>>,
) -> Result<Vec<u32>> {
    let Some(column) = table.primary().and_then(|at| table.columns.get(at)) else {
        return Ok(Vec::new());
    };
    let rows = query(format!(
        "SELECT (made.place - 1)::int8 FROM unnest($1::text[]) WITH ORDINALITY AS made (key, place) \
         JOIN {} AS t ON t.{} = made.key::{} ORDER BY 1",
        quote::identifier(&table.name),
        quote::identifier(&column.name),
        column.sql_type
    ))
    .bind(keys)
    .fetch_all(conn)
    .await?;
    let place = |row: &PgRow| row.try_get::<i64, _>(0);
    rows.iter()
        .map(|row| Ok(u32::try_from(place(row)?).unwrap_or(u32::MAX)))
        .collect()
}

/// Moves the sequences past what was put in, and brings the statistics up to date.
pub(super) async fn settle(conn: &mut PgConnection, tables: &[Table]) -> Result<()> {
    for table in tables {
        for column in table.columns.iter().filter(|column| column.serial) {
            let sql = format!(
                "SELECT setval(pg_get_serial_sequence($1, $2), max({}), true) FROM {}",
                quote::identifier(&column.name),
                quote::identifier(&table.name)
            );
            let moved = query(sql)
                .bind(quote::identifier(&table.name))
                .bind(&column.name);
            moved.execute(&mut *conn).await?;
        }
    }
    run(conn, "ANALYZE".to_owned()).await
}

pub(super) async fn count(
    conn: &mut PgConnection,
    table: &TableName,
    columns: &[Ident],
) -> Result<(u64, Vec<u64>)> {
    let names: Vec<String> = columns.iter().map(Ident::quoted).collect();
    let counts: Vec<String> = names.iter().map(|name| format!("count({name})")).collect();
    let row = query(format!(
        "SELECT count(*) FILTER (WHERE num_nonnulls({}) > 0), {} FROM {}",
        names.join(", "),
        counts.join(", "),
        table.quoted()
    ))
    .fetch_one(conn)
    .await?;
    let number = |at: usize| Ok(row.try_get::<i64, _>(at)?.unsigned_abs());
    let values: Result<Vec<u64>> = (1..=columns.len()).map(number).collect();
    Ok((number(0)?, values?))
}

pub(super) async fn look(
    conn: &mut PgConnection,
    table: &TableName,
    columns: &[Ident],
    characters: i32,
) -> Result<Option<Vec<String>>> {
    let texts: Vec<String> = columns
        .iter()
        .map(|column| format!("left({}::text, $1)", column.quoted()))
        .collect();
    let there: Vec<String> = columns
        .iter()
        .map(|column| format!("{} IS NOT NULL", column.quoted()))
        .collect();
    let row = query(format!(
        "SELECT {} FROM {} WHERE {} LIMIT 1",
        texts.join(", "),
        table.quoted(),
        there.join(" AND ")
    ))
    .bind(characters)
    .fetch_optional(conn)
    .await?;
    let texts = |row: PgRow| (0..columns.len()).map(|at| row.try_get(at)).collect();
    Ok(row.map(texts).transpose()?)
}

const TABLES: &str = "FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
     AND n.nspname = current_schema()";

const COLUMNS: &str = "SELECT c.relname::text, a.attname::text, \
     format_type(a.atttypid, a.atttypmod), a.attnotnull, \
     coalesce(a.attidentity IN ('a', 'd') OR pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%', false), \
     a.attgenerated <> '', \
     coalesce(col_description(c.oid, a.attnum) LIKE 'PHI:%', false), \
     ARRAY(SELECT e.enumlabel::text FROM pg_enum AS e WHERE e.enumtypid = coalesce(nullif(t.typelem, 0), t.oid) \
         ORDER BY e.enumsortorder) {tables} \
     JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
     JOIN pg_type AS t ON t.oid = a.atttypid \
     LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum \
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND {not_ours} \
     ORDER BY c.relname, a.attnum";

const FOREIGN_KEYS: &str = "SELECT c.relname::text, f.relname::text, \
     ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u (num, place) \
         JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.num ORDER BY u.place), \
     ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u (num, place) \
         JOIN pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = u.num ORDER BY u.place) \
     {tables} JOIN pg_constraint AS k ON k.conrelid = c.oid AND k.contype = 'f' AND k.conparentid = 0 \
     JOIN pg_class AS f ON f.oid = k.confrelid ORDER BY c.relname, k.conname";

const UNIQUES: &str = "SELECT c.relname::text, NOT 0 = ANY (i.indkey::int2[]), \
     ARRAY(SELECT pg_get_indexdef(i.indexrelid, place, true) \
         FROM generate_series(1, i.indnkeyatts) AS place ORDER BY place) {tables} \
     JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisunique \
     JOIN pg_class AS x ON x.oid = i.indexrelid \
     ORDER BY c.relname, i.indisprimary DESC, x.relname";

const CHECKS: &str = "SELECT c.relname::text, pg_get_constraintdef(k.oid) {tables} \
     JOIN pg_constraint AS k ON k.conrelid = c.oid AND k.contype = 'c' ORDER BY c.relname, k.conname";

async fn all(conn: &mut PgConnection, sql: &str) -> Result<Vec<PgRow>> {
    let sql = sql
        .replace("{tables}", TABLES)
        .replace("{not_ours}", NOT_OURS);
    Ok(query(sql).fetch_all(conn).await?)
}

async fn columns(conn: &mut PgConnection) -> Result<Vec<Table>> {
    let mut tables: Vec<Table> = Vec::new();
    for row in all(conn, COLUMNS).await? {
        let name: String = row.try_get(0)?;
        if tables.last().is_none_or(|table| table.name != name) {
            tables.push(Table {
                name,
                ..Table::default()
            });
        }
        let sql_type: String = row.try_get(2)?;
        let labels: Vec<String> = row.try_get(7)?;
        let generated: bool = row.try_get(5)?;
        let column = Column {
            name: row.try_get(1)?,
            kind: if generated {
                Kind::Other
            } else {
                kind(&sql_type, labels)
            },
            sql_type,
            not_null: row.try_get(3)?,
            serial: row.try_get(4)?,
            phi: row.try_get(6)?,
        };
        if let Some(table) = tables.last_mut() {
            table.columns.push(column);
        }
    }
    Ok(tables)
}

async fn foreign_keys(conn: &mut PgConnection, tables: &mut [Table]) -> Result<()> {
    let lost = || StoreError::Unexpected {
        what: "a foreign key whose table is not in the schema",
    };
    for row in all(conn, FOREIGN_KEYS).await? {
        let (from, to): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let names: [Vec<String>; 2] = [row.try_get(2)?, row.try_get(3)?];
        let place = |name: &str| {
            tables
                .iter()
                .position(|table| table.name == name)
                .ok_or_else(lost)
        };
        let (from, target) = (place(&from)?, place(&to)?);
        let [columns, refs] = [(from, &names[0]), (target, &names[1])].map(|(table, names)| {
            let columns = tables
                .get(table)
                .map(|table| table.columns.as_slice())
                .unwrap_or_default();
            let number = |name: &String| columns.iter().position(|column| column.name == *name);
            names.iter().filter_map(number).collect::<Vec<usize>>()
        });
        if let Some(table) = tables.get_mut(from) {
            table.foreign_keys.push(ForeignKey {
                columns,
                target,
                refs,
            });
        }
    }
    Ok(())
}

/// What sort of value a type takes, by the name the server gives it.
fn kind(sql_type: &str, labels: Vec<String>) -> Kind {
    if let Some(of) = sql_type.strip_suffix("[]") {
        return match kind(of, labels) {
            Kind::Other => Kind::Other,
            of => Kind::Array(Box::new(of)),
        };
    }
    if !labels.is_empty() {
        return Kind::Enum(labels);
    }
    let (name, size) = sql_type.split_once('(').unwrap_or((sql_type, ""));
    let numbers: Vec<u32> = size
        .split([',', ')'])
        .filter_map(|number| number.trim().parse().ok())
        .collect();
    match name {
        "text" | "citext" | "character varying" | "character" => Kind::Text {
            max: numbers.first().map(|max| *max as usize),
        },
        "smallint" => Kind::Integer {
            max: i16::MAX.into(),
        },
        "integer" => Kind::Integer {
            max: i32::MAX.into(),
        },
        "bigint" => Kind::Integer { max: i64::MAX },
        "numeric" | "double precision" | "real" => Kind::Decimal {
            digits: match numbers.as_slice() {
                [all, after] => Some((*all, *after)),
                [all] => Some((*all, 0)),
                _ => None,
            },
        },
        "boolean" => Kind::Boolean,
        "date" => Kind::Date,
        "interval" => Kind::Interval,
        "uuid" => Kind::Uuid,
        "json" | "jsonb" => Kind::Json,
        "bytea" => Kind::Bytes,
        "inet" | "cidr" => Kind::Inet,
        name if name.starts_with("timestamp") => Kind::Timestamp,
        name if name.starts_with("time") => Kind::Time,
        _ => Kind::Other,
    }
}

/// The columns that a part of an index is made of: one, or those of an expression.
fn columns_in(columns: &[Column], part: &str, whole: bool) -> Vec<usize> {
    let is = |column: &Column, word: &str| column.name == word.trim_matches('"');
    if whole {
        return columns
            .iter()
            .position(|column| is(column, part))
            .into_iter()
            .collect();
    }
    let words: Vec<&str> = part
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .collect();
    let met = |(_, column): &(usize, &Column)| words.iter().any(|word| is(column, word));
    columns
        .iter()
        .enumerate()
        .filter(met)
        .map(|(at, _)| at)
        .collect()
}

fn three(row: &PgRow) -> Result<(String, bool, Vec<String>)> {
    Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
}

async fn run(conn: &mut PgConnection, sql: String) -> Result<()> {
    Ok(raw(sql).execute(conn).await.map(drop)?)
}
