//! Reads indexes, foreign keys and CHECK constraints.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::schema_text::checks;
use super::{SchemaObject, all, mentioned, text};
use crate::ident::Ident;
use crate::store::catalog::{ConstraintFacts, ForeignKeyFacts, IndexFacts, KeyFacts};
use crate::store::{Result, TableFacts};

pub(super) async fn indexes(
    conn: &mut SqliteConnection,
    name: &Ident,
    schema: &[SchemaObject],
    facts: &mut TableFacts,
) -> Result<()> {
    const INDEXES: &str = "SELECT list.name, list.\"unique\", list.origin, list.partial, info.name AS column_name \
        FROM pragma_index_list(?) AS list, pragma_index_xinfo(list.name) AS info \
        WHERE info.key ORDER BY list.origin = 'pk' DESC, list.seq, info.seqno";
    for row in all(conn, INDEXES, name).await? {
        let index = text(&row, "name")?;
        // NULL for an expression.
        let column: Option<String> = row.try_get("column_name")?;
        let unique: bool = row.try_get("unique")?;
        let partial: bool = row.try_get("partial")?;
        if facts.indexes.last().is_none_or(|last| last.name != index) {
            facts.indexes.push(IndexFacts {
                name: index.clone(),
                method: "btree".to_owned(),
                unique,
                ..IndexFacts::default()
            });
            if unique {
                facts.keys.push(KeyFacts {
                    name: index.clone(),
                    primary: text(&row, "origin")? == "pk",
                    partial,
                    ..KeyFacts::default()
                });
            }
        }
        if let Some(last) = facts.indexes.last_mut() {
            last.columns.extend(column.clone());
        }
        if let Some(key) = facts.keys.last_mut().filter(|_| unique) {
            key.partial |= column.is_none();
            key.columns.extend(column);
        }
    }
    // Expressions and conditions of indexes mention columns that no pragma lists.
    for index in 0..facts.indexes.len() {
        let object = schema
            .iter()
            .find(|object| object.kind == "index" && object.name == facts.indexes[index].name);
        let body = object.and_then(|object| object.sql.split_once('('));
        for column in body
            .map(|(_, body)| mentioned(facts, body))
            .unwrap_or_default()
        {
            if !facts.indexes[index].columns.contains(&column) {
                facts.indexes[index].columns.push(column);
            }
        }
    }
    Ok(())
}

/// Foreign keys of the table, and of other tables that refer to it.
pub(super) async fn foreign_keys(
    conn: &mut SqliteConnection,
    name: &Ident,
    schema: &[SchemaObject],
    facts: &mut TableFacts,
) -> Result<()> {
    const KEYS: &str = "SELECT id, \"table\", \"from\", \"to\", on_update \
        FROM pragma_foreign_key_list(?) ORDER BY id, seq";
    for object in schema.iter().filter(|object| object.kind == "table") {
        let Ok(child) = Ident::new(object.name.clone()) else {
            continue;
        };
        let own = child == *name;
        let mut last = None;
        for row in all(conn, KEYS, &child).await? {
            let parent = text(&row, "table")?;
            let incoming = parent.eq_ignore_ascii_case(name.as_str());
            if !own && !incoming {
                continue;
            }
            let id: i64 = row.try_get("id")?;
            if last != Some(id) {
                facts.foreign_keys.push(ForeignKeyFacts {
                    name: format!("{} {id}", child.as_str()),
                    columns: Vec::new(),
                    other: if own {
                        parent
                    } else {
                        child.as_str().to_owned()
                    },
                    incoming: !own,
                    on_update_cascades: !matches!(
                        text(&row, "on_update")?.as_str(),
                        "NO ACTION" | "RESTRICT"
                    ),
                });
                last = Some(id);
            }
            // A foreign key without named columns refers to the parent's primary key.
            let column = text(&row, if own { "from" } else { "to" })?;
            let primary = facts
                .keys
                .iter()
                .find(|key| key.primary)
                .map(|key| key.columns.clone());
            if let Some(key) = facts.foreign_keys.last_mut() {
                match column.is_empty() {
                    true => key.columns = primary.unwrap_or_default(),
                    false => key.columns.push(column),
                }
            }
        }
    }
    Ok(())
}

/// Reads CHECK constraints from the text of the table.
pub(super) fn checks_of(create_table: &str, facts: &mut TableFacts) {
    for (at, check) in checks(create_table).into_iter().enumerate() {
        facts.checks.push(ConstraintFacts {
            name: format!("check {}", at + 1),
            columns: mentioned(facts, check),
        });
    }
}
