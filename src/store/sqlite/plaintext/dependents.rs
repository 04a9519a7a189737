//! What depends on a plaintext column, and what the column is by itself.
//! Owns the decision which of it goes with the column, and which must go before it. Reads the text of
//! the schema by words, so it may see a name in a comment; it misses none.

use sqlx::sqlite::SqliteConnection;

use super::super::catalog::schema_text::mentions;
use super::super::guard;
use super::super::sql::{Bind, scalar, tuple};
use super::super::table_text::column::parts;
use super::super::table_text::{Kind, TableText, tokens};
use super::{Held, text_of};
use crate::ident::Ident;
use crate::store::text::joined;
use crate::store::{Dependent, PlainDefinition, Result, StoreError, Table};

/// A table with what is read of it once.
struct Reading<'a> {
    table: &'a Table,
    text: TableText,
    unique: Vec<Vec<String>>,
}

/// The dependents of one column.
struct Found<'a> {
    field: &'a Held,
    column: &'a Ident,
    all: Vec<Dependent>,
}

impl Found<'_> {
    fn add(&mut self, kind: &str, name: &str, blocks: bool) {
        self.add_made(kind, name, blocks, None, None);
    }

    fn add_made(
        &mut self,
        kind: &str,
        name: &str,
        blocks: bool,
        drop: Option<String>,
        create: Option<String>,
    ) {
        self.all.push(Dependent {
            kind: kind.to_owned(),
            name: name.to_owned(),
            column: self.field.label.clone(),
            blocks,
            drop,
            create,
        });
    }

    fn is_named(&self, name: &str) -> bool {
        name.eq_ignore_ascii_case(self.column.as_str())
    }
}

/// See [`crate::store::Plaintext::plaintext_dependents`].
pub(super) async fn of(
    conn: &mut SqliteConnection,
    table: &Table,
    held: &[Held],
) -> Result<Vec<Dependent>> {
    let reading = Reading {
        table,
        text: text_of(conn, table).await?,
        unique: unique_indexes(conn, table).await?,
    };
    let mut all = Vec::new();
    for field in held {
        let Some(column) = field.beside() else {
            continue;
        };
        let mut found = Found {
            field,
            column,
            all: Vec::new(),
        };
        schema(conn, &reading, &mut found).await?;
        keys(conn, &reading, &mut found).await?;
        columns(&reading, &mut found);
        constraints(&reading, &mut found)?;
        all.append(&mut found.all);
    }
    Ok(all)
}

/// Indexes that CREATE INDEX made, triggers and views.
async fn schema(
    conn: &mut SqliteConnection,
    reading: &Reading<'_>,
    found: &mut Found<'_>,
) -> Result<()> {
    const SCHEMA: &str = "SELECT type, name, sql, tbl_name = ?1 COLLATE NOCASE FROM sqlite_schema \
        WHERE sql IS NOT NULL AND (tbl_name = ?1 COLLATE NOCASE AND type = 'index' OR type IN ('view', 'trigger')) \
        AND name NOT GLOB 'phiseal_*' ORDER BY type, name";
    let table = reading.table.name.name.as_str();
    let rows: Vec<(String, String, String, bool)> = tuple(SCHEMA, [Bind::from(table)])
        .fetch_all(&mut *conn)
        .await?;
    let column = found.column.as_str();
    for (kind, name, sql, of_table) in rows {
        let concerns = of_table || mentions(&sql, table);
        if guard::is_guard(&name) || !concerns {
            continue;
        }
        let quoted = crate::quote::identifier(&name);
        let drop = Some(format!("DROP {} {quoted};", kind.to_uppercase()));
        let create = Some(format!("{sql};"));
        match kind.as_str() {
            "index" => {
                // Its name may contain the column's.
                let body = sql.split_once('(').map_or("", |(_, body)| body);
                if mentions(body, column) {
                    let index = reading.index(conn, &name, found).await?;
                    found.add_made(index.kind, &name, index.blocks, drop, create);
                }
            }
            _ if mentions(&sql, column) => found.add_made(&kind, &name, true, drop, create),
            "view" if selects_all(&sql) => found.add("view with SELECT *", &name, false),
            _ => {}
        }
    }
    Ok(())
}

struct IndexFound {
    kind: &'static str,
    blocks: bool,
}

impl Reading<'_> {
    async fn index(
        &self,
        conn: &mut SqliteConnection,
        name: &str,
        found: &Found<'_>,
    ) -> Result<IndexFound> {
        const UNIQUE: &str =
            "SELECT count(*) FROM pragma_index_list(?) WHERE name = ? AND \"unique\"";
        let binds = [self.table.name.name.as_str(), name].map(Bind::from);
        let unique: i64 = scalar(UNIQUE, binds).fetch_one(&mut *conn).await?;
        if unique == 0 {
            return Ok(IndexFound {
                kind: "index",
                blocks: false,
            });
        }
        const COLUMNS: &str = "SELECT coalesce(name, '') FROM pragma_index_info(?) ORDER BY seqno";
        let columns: Vec<String> = scalar(COLUMNS, [Bind::from(name)]).fetch_all(conn).await?;
        Ok(IndexFound {
            kind: "unique index",
            blocks: !self.has_successor(found, &columns),
        })
    }

    /// Whether a unique index over the blind index takes the place of a uniqueness over `columns`, one
    /// of which is the plaintext. A blind index is made per tenant, so the tenant may be left out.
    fn has_successor(&self, found: &Found<'_>, columns: &[String]) -> bool {
        let Some(index) = &found.field.index else {
            return false;
        };
        let is_index = |name: &String| name.eq_ignore_ascii_case(index.as_str());
        let tenant = self.table.tenant.as_ref();
        let allowed = |name: &String| {
            let is_tenant = tenant.is_some_and(|tenant| name.eq_ignore_ascii_case(tenant.as_str()));
            let is_other = columns.iter().any(|one| one.eq_ignore_ascii_case(name));
            is_index(name) || is_tenant || (is_other && !found.is_named(name))
        };
        let is_over = columns.iter().any(|name| found.is_named(name));
        let successor = |one: &Vec<String>| one.iter().any(is_index) && one.iter().all(allowed);
        is_over && self.unique.iter().any(successor)
    }
}

/// The columns of each unique index of the table that covers all rows.
async fn unique_indexes(conn: &mut SqliteConnection, table: &Table) -> Result<Vec<Vec<String>>> {
    const INDEXES: &str = "SELECT list.name, coalesce(info.name, '') \
        FROM pragma_index_list(?) AS list, pragma_index_info(list.name) AS info \
        WHERE list.\"unique\" AND NOT list.partial ORDER BY list.seq, info.seqno";
    let rows: Vec<(String, String)> = tuple(INDEXES, [Bind::from(table.name.name.as_str())])
        .fetch_all(conn)
        .await?;
    let mut indexes: Vec<(String, Vec<String>)> = Vec::new();
    for (index, column) in rows {
        match indexes.last_mut().filter(|(last, _)| *last == index) {
            Some((_, columns)) => columns.push(column),
            None => indexes.push((index, vec![column])),
        }
    }
    Ok(indexes.into_iter().map(|(_, columns)| columns).collect())
}

/// Foreign keys of the column, and to it.
async fn keys(
    conn: &mut SqliteConnection,
    reading: &Reading<'_>,
    found: &mut Found<'_>,
) -> Result<()> {
    const KEYS: &str = "SELECT DISTINCT child.name || ' ' || key.id \
        FROM sqlite_schema AS child, pragma_foreign_key_list(child.name) AS key WHERE child.type = 'table' \
        AND (child.name = ?1 COLLATE NOCASE AND key.\"from\" = ?2 COLLATE NOCASE \
          OR key.\"table\" = ?1 COLLATE NOCASE AND key.\"to\" = ?2 COLLATE NOCASE) ORDER BY 1";
    const PRIMARY: &str =
        "SELECT count(*) FROM pragma_table_xinfo(?) WHERE pk > 0 AND name = ? COLLATE NOCASE";
    let binds = || [reading.table.name.name.as_str(), found.column.as_str()].map(Bind::from);
    let keys: Vec<String> = scalar(KEYS, binds()).fetch_all(&mut *conn).await?;
    let primary: i64 = scalar(PRIMARY, binds()).fetch_one(conn).await?;
    for key in keys {
        found.add("foreign key", &key, true);
    }
    if primary > 0 {
        found.add("primary key", "primary key", true);
    }
    Ok(())
}

/// What the declarations of columns say of this one: generated columns, checks, its own UNIQUE.
fn columns(reading: &Reading<'_>, found: &mut Found<'_>) {
    let column = found.column.as_str().to_owned();
    for (name, declaration) in reading.text.columns() {
        let own = found.is_named(name);
        for part in parts(declaration).unwrap_or_default() {
            match part.kind.as_str() {
                "UNIQUE" if own => {
                    let blocks = !reading.has_successor(found, std::slice::from_ref(&column));
                    found.add("unique constraint", "UNIQUE of the column", blocks);
                }
                "CHECK" if own => {
                    let others = reading.text.columns().filter(|(other, _)| *other != name);
                    let blocks = others
                        .into_iter()
                        .any(|(other, _)| mentions(part.text, other));
                    found.add("check constraint", "CHECK of the column", blocks);
                }
                "CHECK" if mentions(part.text, &column) => {
                    found.add("check constraint", &format!("CHECK of {name}"), true);
                }
                "GENERATED" | "AS" if mentions(part.text, &column) => {
                    found.add("generated column", name, true);
                }
                _ => {}
            }
        }
    }
}

/// The constraints of the table that name the column.
fn constraints(reading: &Reading<'_>, found: &mut Found<'_>) -> Result<()> {
    for (one, text) in reading.text.constraints() {
        if !one.names.iter().any(|name| found.is_named(name)) {
            continue;
        }
        match one.kind.as_str() {
            "UNIQUE" => {
                let create = unique_index(reading.table, &one.names)?;
                let blocks = !reading.has_successor(found, &one.names);
                found.add_made("unique constraint", text, blocks, None, Some(create));
            }
            "CHECK" => {
                let blocks = !reading.text.is_about_only(one, found.column.as_str());
                found.add("check constraint", text, blocks);
            }
            _ => {}
        }
    }
    Ok(())
}

/// The index that does what a UNIQUE of the table did.
fn unique_index(table: &Table, names: &[String]) -> Result<String> {
    let quoted: Vec<String> = names
        .iter()
        .map(|name| crate::quote::identifier(name))
        .collect();
    let name = format!("{}_{}_key", table.name.name.as_str(), names.join("_"));
    let name = Ident::new(name.clone())
        .or_else(|_| table.name.name.with_suffix("_key"))
        .map_err(|_| StoreError::unexpected("the name of an index"))?;
    Ok(format!(
        "CREATE UNIQUE INDEX {} ON {} ({});",
        name.quoted(),
        table.name.name.quoted(),
        joined(quoted, ", ", |name| name)
    ))
}

/// Whether a view selects `*`, and so shows the column without naming it.
fn selects_all(sql: &str) -> bool {
    let tokens = tokens(sql).unwrap_or_default();
    let begins = |word: &str| ["SELECT", "ALL", "DISTINCT", ",", "."].contains(&word);
    tokens.windows(2).any(|pair| {
        let before = pair[0].text(sql).to_ascii_uppercase();
        pair[1].is("*") && pair[0].kind != Kind::Quoted && begins(&before)
    })
}

/// What the plaintext column of a field is by itself, as JSON; nothing in place.
pub(super) async fn definition(
    conn: &mut SqliteConnection,
    table: &Table,
    field: &Held,
) -> Result<String> {
    const FACTS: &str = "SELECT \"notnull\", dflt_value FROM pragma_table_xinfo(?) \
        WHERE name = ? COLLATE NOCASE";
    let Some(column) = field.beside() else {
        return Ok("{}".to_owned());
    };
    let binds = [table.name.name.as_str(), column.as_str()].map(Bind::from);
    let (not_null, default): (bool, Option<String>) =
        tuple(FACTS, binds).fetch_one(&mut *conn).await?;
    let text = text_of(conn, table).await?;
    let mut dependents = Vec::new();
    for one in of(conn, table, std::slice::from_ref(field)).await? {
        match (one.create, one.kind.as_str()) {
            (Some(create), _) if !one.blocks => dependents.push(create),
            (None, "check constraint") if !one.name.starts_with("CHECK of ") => {
                dependents.push(format!(
                    "-- table {} had {}",
                    table.name.name.quoted(),
                    one.name.replace(['\n', '\r'], " ")
                ));
            }
            _ => {}
        }
    }
    let definition = PlainDefinition {
        default,
        not_null,
        declaration: text.declaration(column.as_str()).map(str::to_owned),
        dependents,
        ..PlainDefinition::default()
    };
    serde_json::to_string(&definition)
        .map_err(|_| StoreError::unexpected("a definition that is no JSON"))
}
