//! Facts of other schema objects that concern a table.
//! Owns foreign keys, CHECK constraints, triggers and views. Reads the text of the schema if no
//! pragma tells.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::{SchemaObject, all, fault, mentioned, text};
use crate::ident::Ident;
use crate::store::catalog::{ConstraintFacts, DependentFacts, ForeignKeyFacts, TriggerFacts};
use crate::store::sqlite::guard;
use crate::store::sqlite::schema_text::{checks, mentions, trigger_event};
use crate::store::{Result, TableFacts};

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
            let id: i64 = row.try_get("id").map_err(fault::of)?;
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

/// Reads CHECK constraints, triggers and views from the text of the schema.
pub(super) fn read_schema(schema: &[SchemaObject], create_table: &str, facts: &mut TableFacts) {
    for (at, check) in checks(create_table).into_iter().enumerate() {
        facts.checks.push(ConstraintFacts {
            name: format!("check {}", at + 1),
            columns: mentioned(facts, check),
        });
    }
    let every: Vec<String> = facts
        .columns
        .iter()
        .filter(|column| !column.generated)
        .map(|column| column.name.clone())
        .collect();
    for dependent in &mut facts.dependents {
        // No pragma gives the expression of a generated column; it may use any column that the
        // definition mentions twice.
        dependent.columns = every
            .iter()
            .filter(|column| {
                create_table
                    .to_lowercase()
                    .matches(&column.to_lowercase())
                    .count()
                    > 1
            })
            .cloned()
            .collect();
    }
    for object in schema {
        match object.kind.as_str() {
            "trigger" if object.table.eq_ignore_ascii_case(&facts.name) => {
                let (before, insert, update) = trigger_event(&object.sql);
                let trigger = TriggerFacts {
                    name: object.name.clone(),
                    before,
                    row: true,
                    insert,
                    update,
                    enabled: 'A',
                };
                match guard::is_guard(&object.name) {
                    true => facts.guard.push(trigger),
                    false => facts.triggers.push(trigger),
                }
            }
            "view" if mentions(&object.sql, &facts.name) => {
                // SELECT * mentions no column and reads all.
                let columns = match object.sql.contains('*') {
                    true => facts
                        .columns
                        .iter()
                        .map(|column| column.name.clone())
                        .collect(),
                    false => mentioned(facts, &object.sql),
                };
                facts.dependents.push(DependentFacts {
                    kind: "view".to_owned(),
                    name: object.name.clone(),
                    columns,
                });
            }
            _ => {}
        }
    }
}
