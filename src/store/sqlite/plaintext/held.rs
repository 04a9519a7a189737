//! The fields of a table as they are now: under which names their columns are found.

use sqlx::sqlite::SqliteConnection;

use super::super::dialect::SqliteSession;
use super::super::guard::words::{has_form, has_text_form};
use super::super::prepare::{columns, has};
use super::super::relations;
use crate::ident::Ident;
use crate::store::ledger::fields;
use crate::store::{
    FieldRecord, FieldState, PlainDefinition, Result, Sealed, StoreError, Table, hidden_name,
};

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
    /// Whether `name` is the registered column, and not another one to restore into.
    pub(super) is_own: bool,
    pub(super) record: Option<FieldRecord>,
}

impl Held {
    /// The plaintext column beside a sealed value.
    pub(super) fn beside(&self) -> Option<&Ident> {
        self.plain.as_ref().filter(|_| self.sealed.is_some())
    }

    pub(super) fn definition(&self) -> Result<PlainDefinition> {
        let Some(record) = &self.record else {
            return Ok(PlainDefinition::default());
        };
        serde_json::from_str(&record.plaintext_definition)
            .map_err(|_| StoreError::unexpected("the definition of a plaintext column"))
    }

    pub(super) fn is_frozen(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.frozen)
    }

    pub(super) fn is_removed(&self) -> bool {
        self.record.as_ref().is_some_and(|record| {
            matches!(record.state, FieldState::Finalized | FieldState::Scrubbed)
        })
    }

    pub(super) fn hidden(&self, table: &Table) -> Result<Ident> {
        name(hidden_name(&table.label, &self.label))
    }

    pub(super) fn is_hidden(&self, table: &Table) -> Result<bool> {
        Ok(self.plain.as_ref() == Some(&self.hidden(table)?))
    }

    /// The condition that a row has a plaintext of this field that is not sealed.
    pub(super) fn is_unsealed(&self) -> Option<String> {
        let plain = self.plain.as_ref()?.quoted();
        let is_sealed = match &self.sealed {
            Some((sealed, _)) => format!("{} IS NOT NULL", sealed.quoted()),
            None => has_text_form(&plain),
        };
        Some(format!("({plain} IS NOT NULL AND NOT {is_sealed})"))
    }

    /// The condition that what is in the place of a sealed value is none.
    pub(super) fn is_malformed(&self) -> Option<String> {
        let (sealed, text) = self.sealed.as_ref()?;
        let sealed = sealed.quoted();
        let form = has_form(&sealed, *text);
        Some(format!("({sealed} IS NOT NULL AND NOT {form})"))
    }
}

pub(super) fn name(text: String) -> Result<Ident> {
    Ident::new(text).map_err(|_| StoreError::unexpected("a column name in the registry"))
}

/// The fields of the table as they are now.
pub(super) async fn held(conn: &mut SqliteConnection, table: &Table) -> Result<Vec<Held>> {
    let there = columns(conn, table).await?;
    let recorded = fields::recorded(&mut SqliteSession(&mut *conn)).await?;
    let records = relations::present_fields(conn).await?;
    let mut held = Vec::with_capacity(table.fields.len());
    for field in &table.fields {
        let is_field =
            |one: &&FieldRecord| one.table_label == table.label && one.column_label == field.label;
        let record = records.iter().find(is_field);
        let mut names = recorded.iter().find(is_field).into_iter().chain(record);
        let is_own = names.any(|one| field.column.as_str().eq_ignore_ascii_case(&one.column_name));
        let hidden = name(hidden_name(&table.label, &field.label))?;
        let present = record.map(|record| name(record.column_name.clone()));
        if has(&there, &hidden) && has(&there, &field.column) && hidden != field.column {
            return Err(StoreError::InTheWay {
                what: format!(
                    "{}.{}, made again beside the hidden column,",
                    table.label,
                    field.column.as_str()
                ),
            });
        }
        let mut names = [
            Some(hidden),
            Some(field.column.clone()),
            present.transpose()?,
        ]
        .into_iter()
        .flatten();
        held.push(Held {
            label: field.label.clone(),
            name: field.column.clone(),
            plain: names.find(|name| has(&there, name)),
            sealed: match &field.sealed {
                Sealed::Beside { column, text } => Some((column.clone(), *text)),
                Sealed::InPlace => None,
            },
            index: field.index.clone(),
            is_own,
            record: record.cloned(),
        });
    }
    Ok(held)
}
