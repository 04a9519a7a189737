//! The fields of a table as they are now: under which names their columns are found.

use super::super::PostgresStore;
use super::super::prepare::column_types;
use super::super::relations;
use crate::ident::Ident;
use crate::store::postgres::transaction::Transaction;
use crate::store::{FieldRecord, PlainDefinition, Result, Sealed, StoreError, Table, hidden_name};

/// A field of the table, and where its columns are now.
pub(super) struct Held {
    pub(super) label: String,
    /// The name that its plaintext column should have.
    pub(super) name: Ident,
    /// The name that it has; `None` if it is not there.
    pub(super) plain: Option<Ident>,
    /// The sealed column, and whether it is a text column; `None` in place.
    pub(super) sealed: Option<(Ident, bool)>,
    pub(super) index: Option<Ident>,
    pub(super) record: FieldRecord,
}

impl Held {
    /// The plaintext column beside the sealed value.
    pub(super) fn beside(&self) -> Option<(&Ident, &Ident)> {
        match (&self.plain, &self.sealed) {
            (Some(plain), Some((sealed, _))) => Some((plain, sealed)),
            _ => None,
        }
    }

    pub(super) fn definition(&self) -> Result<PlainDefinition> {
        serde_json::from_str(&self.record.plaintext_definition)
            .map_err(|_| StoreError::unexpected("the definition of a plaintext column"))
    }

    pub(super) fn is_hidden(&self, table: &Table) -> bool {
        let hidden = hidden_name(&table.label, &self.label);
        self.plain
            .as_ref()
            .is_some_and(|name| name.as_str() == hidden)
    }
}

/// The fields of the table as they are now.
pub(super) async fn held(
    store: &PostgresStore,
    tx: &mut Transaction,
    table: &Table,
) -> Result<Vec<Held>> {
    let there = column_types(tx, table).await?;
    let is_there = |name: &Ident| there.iter().any(|(column, _)| column == name.as_str());
    let records = relations::present_fields(store, tx).await?;
    let mut out = Vec::new();
    for field in &table.fields {
        let record = records
            .iter()
            .find(|one| one.table_label == table.label && one.column_label == field.label)
            .ok_or_else(|| StoreError::missing("a registered field"))?;
        let hidden = name(hidden_name(&table.label, &field.label))?;
        let present = name(record.column_name.clone())?;
        if is_there(&hidden) && is_there(&field.column) && hidden != field.column {
            return Err(StoreError::InTheWay {
                what: format!(
                    "{}.{}, made again beside the hidden column,",
                    table.label,
                    field.column.as_str()
                ),
            });
        }
        let plain = [&hidden, &field.column, &present]
            .into_iter()
            .find(|name| is_there(name));
        out.push(Held {
            label: field.label.clone(),
            name: field.column.clone(),
            plain: plain.cloned(),
            sealed: match &field.sealed {
                Sealed::Beside { column, text } => Some((column.clone(), *text)),
                Sealed::InPlace => None,
            },
            index: field.index.clone(),
            record: record.clone(),
        });
    }
    Ok(out)
}

pub(super) fn name(text: String) -> Result<Ident> {
    Ident::new(text).map_err(|_| StoreError::unexpected("a column name in the registry"))
}
