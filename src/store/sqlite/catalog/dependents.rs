//! Facts of other schema objects that concern a table.
//! Owns triggers, views and generated columns. Reads the text of the schema, since no pragma tells.

use super::{SchemaObject, mentioned};
use crate::store::TableFacts;
use crate::store::catalog::{DependentFacts, TriggerFacts};
use crate::store::sqlite::catalog::schema_text::{mentions, trigger_event};
use crate::store::sqlite::guard;

/// Reads triggers and views from the text of the schema.
pub(super) fn read_schema(schema: &[SchemaObject], create_table: &str, facts: &mut TableFacts) {
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
