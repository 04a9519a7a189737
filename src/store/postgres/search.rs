//! The search of a whole database for values under a key.
//! Owns the list of relations and columns, and the one statement that searches a relation. A value
//! becomes text only by the server's own functions or its type's output function; no user-defined
//! cast runs. The search takes no lock beyond ACCESS SHARE, and removes the time limits that a role
//! may have.

use std::collections::HashMap;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::PostgresStore;
use super::sql::{TEXT_SETTINGS, query, run, set_local};
use crate::crypto::KeyId;
use crate::ident::{Ident, TableName};
use crate::store::search::{hex_prefixes, needles};
use crate::store::{
    Result, SearchColumn, SearchForm, SearchHit, SearchList, SearchRelation, Select, StoreError,
    Unsearchable,
};

/// Locks are waited for up to 5 seconds, and then reported.
const LOCK_LIMIT: &str = set_local!("lock_timeout" = "5s");

/// Relations that store rows, without those of the server's own schemas.
const RELATIONS: &str = "
    SELECT c.oid::text AS id, n.nspname, c.relname, c.relkind::text AS kind, c.relispopulated AS populated,
           pg_is_other_temp_schema(n.oid) AS others_temp,
           has_schema_privilege(n.oid, 'USAGE') AS usable,
           row_security_active(c.oid) AS filtered,
           n.nspname = $1 AS ours
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'm', 'f')
       AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
     ORDER BY n.nspname, c.relname";

/// Columns that may hold a sealed value, by the base type of their domain. Types with a short fixed
/// form cannot hold one, and neither can their arrays and ranges.
const COLUMNS: &str = "
    WITH RECURSIVE base AS (
        SELECT t.oid AS typ, t.oid AS base FROM pg_type t WHERE t.typtype <> 'd'
        UNION ALL
        SELECT t.oid, b.base FROM pg_type t JOIN base b ON b.typ = t.typbasetype WHERE t.typtype = 'd'),
    short AS (
        SELECT t.oid FROM pg_type t
         WHERE t.typtype = 'e' OR t.typnamespace = 'pg_catalog'::regnamespace AND (
               t.typname IN ('bool', 'int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'money', 'oid', 'xid',
                   'xid8', 'cid', 'tid', 'date', 'time', 'timetz', 'timestamp', 'timestamptz', 'interval', 'uuid',
                   'inet', 'cidr', 'macaddr', 'macaddr8', 'bit', 'varbit', 'point', 'line', 'lseg', 'box', 'path',
                   'polygon', 'circle', 'char', 'pg_lsn', 'pg_snapshot', 'txid_snapshot', 'int2vector',
                   'oidvector', 'int4range', 'int8range', 'numrange', 'daterange', 'tsrange', 'tstzrange',
                   'int4multirange', 'int8multirange', 'nummultirange', 'datemultirange', 'tsmultirange',
                   'tstzmultirange') OR t.typname LIKE 'reg%')),
    deep AS (
        SELECT oid FROM short
        UNION SELECT t.oid FROM pg_type t JOIN base b ON b.typ = t.typelem JOIN short s ON s.oid = b.base
         WHERE t.typcategory = 'A')
    SELECT a.attrelid::text AS id, a.attname,
           has_column_privilege(a.attrelid, a.attnum, 'SELECT') AS readable,
           CASE WHEN b.base = 'bytea'::regtype THEN 'bytes'
                WHEN b.base IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'name'::regtype) THEN 'text'
                WHEN t.typname = 'citext' AND t.typtype = 'b' THEN 'output'
                ELSE 'within' END AS form
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
      JOIN base b ON b.typ = a.atttypid JOIN pg_type t ON t.oid = b.base
     WHERE c.relkind IN ('r', 'm') AND a.attnum > 0 AND NOT a.attisdropped
       AND c.relnamespace NOT IN (SELECT oid FROM pg_namespace
             WHERE nspname IN ('pg_catalog', 'information_schema', 'pg_toast'))
       AND NOT EXISTS (SELECT 1 FROM deep d WHERE d.oid = b.base)
     ORDER BY a.attrelid, a.attnum";

/// Our own tables that [`crate::store::Rows::destroy_keys`] counts, so the search leaves them out.
const COUNTED: [&str; 2] = ["quarantine", "lanes"];

/// The list of everything to search.
pub(super) async fn list(store: &PostgresStore) -> Result<SearchList> {
    let mut tx = store.begin().await?;
    let mut columns = columns(&mut tx).await?;
    let rows = query(RELATIONS)
        .bind(store.schema.as_str().to_owned())
        .fetch_all(&mut *tx)
        .await?;
    let objects = query("SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_largeobject_metadata)")
        .fetch_one(&mut *tx)
        .await?;
    tx.commit().await?;
    let mut list = SearchList::default();
    for row in &rows {
        let id: String = row.try_get("id")?;
        let of_it = columns.remove(&id).unwrap_or_default();
        add(&mut list, row, id, of_it)?;
    }
    if objects.try_get::<bool, _>(0)? {
        list.closed.push(Unsearchable {
            name: "pg_catalog.pg_largeobject".to_owned(),
            why: "large objects".to_owned(),
        });
    }
    Ok(list)
}

/// A column, and whether our role may read it.
type Column = (SearchColumn, bool);

async fn columns(conn: &mut PgConnection) -> Result<HashMap<String, Vec<Column>>> {
    let rows = query(COLUMNS).fetch_all(conn).await?;
    let mut columns: HashMap<String, Vec<Column>> = HashMap::new();
    for row in &rows {
        let id: String = row.try_get("id")?;
        let form: String = row.try_get("form")?;
        let column = SearchColumn {
            name: row.try_get("attname")?,
            form: match form.as_str() {
                "bytes" => SearchForm::Bytes,
                "text" => SearchForm::Text,
                "output" => SearchForm::TextOutput,
                _ => SearchForm::Within,
            },
        };
        let readable = row.try_get("readable")?;
        columns.entry(id).or_default().push((column, readable));
    }
    Ok(columns)
}

fn add(list: &mut SearchList, row: &PgRow, id: String, columns: Vec<Column>) -> Result<()> {
    let flag = |name: &str| row.try_get::<bool, _>(name);
    let (schema, table): (String, String) = (row.try_get("nspname")?, row.try_get("relname")?);
    if flag("ours")? && COUNTED.contains(&table.as_str()) {
        return Ok(());
    }
    let name = qualified(&schema, &table)?;
    if flag("others_temp")? {
        list.passed_over.push(name.label());
        return Ok(());
    }
    let kind: String = row.try_get("kind")?;
    let why = if kind == "f" {
        "a foreign table"
    } else if kind == "m" && !flag("populated")? {
        "a materialized view that is not populated"
    } else if columns.is_empty() {
        return Ok(());
    } else if !flag("usable")? || columns.iter().any(|(_, readable)| !readable) {
        "no right to read all of it"
    } else if flag("filtered")? {
        "row security hides rows of it"
    } else {
        list.places.push(SearchRelation {
            // The OID and the name; [`search`] checks that they still belong together.
            id: format!("{id} {}", name.quoted()),
            name: name.label(),
            columns: columns.into_iter().map(|(column, _)| column).collect(),
        });
        return Ok(());
    };
    list.closed.push(Unsearchable {
        name: name.label(),
        why: why.to_owned(),
    });
    Ok(())
}

fn qualified(schema: &str, table: &str) -> Result<TableName> {
    let ident =
        |name: &str| Ident::new(name).map_err(|_| StoreError::unexpected("the name of a relation"));
    Ok(TableName {
        schema: Some(ident(schema)?),
        name: ident(table)?,
    })
}

/// Searches one relation; returns nothing if it no longer exists.
pub(super) async fn search(
    store: &PostgresStore,
    place: &SearchRelation,
    keys: &[KeyId],
) -> Result<Vec<SearchHit>> {
    let Some((oid, table)) = place.id.split_once(' ') else {
        return Err(StoreError::unexpected("a place of another store"));
    };
    let mut sums = Vec::with_capacity(place.columns.len());
    for column in &place.columns {
        let name = Ident::new(column.name.as_str())
            .map_err(|_| StoreError::unexpected("the name of a column"))?;
        let found = holds(&format!("t.{}", name.quoted()), column.form);
        sums.push(format!("count(*) FILTER (WHERE {found})"));
    }
    let mut tx = store.begin().await?;
    run(&mut tx, format!("{TEXT_SETTINGS} {LOCK_LIMIT}")).await?;
    // Another relation may have this name now.
    let same = query("SELECT to_regclass($1)::oid::text = $2")
        .bind(table.to_owned())
        .bind(oid.to_owned())
        .fetch_one(&mut *tx)
        .await?;
    if same.try_get::<Option<bool>, _>(0)? != Some(true) {
        tx.rollback().await?;
        return Ok(Vec::new());
    }
    let first: Vec<Vec<u8>> = Select::prefixes(keys).map(|first| first.to_vec()).collect();
    let text: Vec<String> = Select::text_prefixes(keys).collect();
    let row = query(format!(
        "SELECT {}, $1::bytea[] IS NULL, $2::bytea[] IS NULL, $3::text[] IS NULL, $4::text[] IS NULL, \
           $5::text[] IS NULL FROM ONLY {table} AS t",
        sums.join(", ")
    ))
    .bind(first)
    .bind(
        text.iter()
            .map(|text| text.clone().into_bytes())
            .collect::<Vec<_>>(),
    )
    .bind(text)
    .bind(hex_prefixes(keys))
    .bind(needles(keys).iter().map(|needle| pattern(needle)).collect::<Vec<_>>())
    .fetch_one(&mut *tx)
    .await;
    let row = match row.map_err(StoreError::from) {
        Ok(row) => row,
        // The relation was dropped with its values; the next list will show that.
        Err(StoreError::Missing { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    tx.commit().await?;
    let mut hits = Vec::new();
    for (at, column) in place.columns.iter().enumerate() {
        let values: i64 = row.try_get(at)?;
        if values > 0 {
            hits.push(SearchHit {
                place: format!("{}.{}", place.name, column.name),
                values: values.unsigned_abs(),
            });
        }
    }
    Ok(hits)
}

/// The condition that a value is or contains a sealed value under the bound keys. It compares the
/// first bytes of the binary form and of the text form ($1, $2), the first characters of the text
/// form and of its hex digits ($3, $4), and searches for needles within the text ($5).
fn holds(value: &str, form: SearchForm) -> String {
    let begins = |text: &str| {
        format!(
            "left({text}, 12) COLLATE \"C\" = ANY ($3::text[]) OR left({text}, 14) COLLATE \"C\" = ANY ($4::text[])"
        )
    };
    match form {
        SearchForm::Bytes => format!(
            "substr({value}::pg_catalog.bytea, 1, 6) = ANY ($1::bytea[]) \
             OR substr({value}::pg_catalog.bytea, 1, 12) = ANY ($2::bytea[])"
        ),
        SearchForm::Text => begins(&format!("{value}::pg_catalog.text")),
        SearchForm::TextOutput => begins(&output(value)),
        SearchForm::Within | SearchForm::ByClass => format!(
            "{value} IS NOT NULL AND {} COLLATE \"C\" LIKE ANY ($5::text[])",
            output(value)
        ),
    }
}

/// The text that the type's output function makes of a value.
fn output(value: &str) -> String {
    format!("pg_catalog.format('%s', {value})")
}

/// A needle as a LIKE pattern.
fn pattern(needle: &str) -> String {
    format!("%{}%", needle.replace('_', "\\_"))
}
