//! Makes the [`Table`] that the stores work on, and the records that register it, from plan,
//! catalog and registry.
//! Owns which of them takes precedence: the registry over the plan and the catalog.

use super::finding::finding;
use super::{Dialect, Finding, Level, column_of, key, registered};
use crate::plan::{ColumnPlan, OnUntrustedSeal, SealTo, TablePlan};
use crate::store::catalog::{ColumnFacts, TableFacts};
use crate::store::{FieldRecord, FieldState, Sealed, Table, TableField, UntrustedSeal};

/// Describes the table of a run. It should have passed preflight.
///
/// # Errors
/// The refusal, if the table has no row key.
pub fn resolve(
    plan: &TablePlan,
    table: &TableFacts,
    registered: &[FieldRecord],
    dialect: Dialect,
) -> Result<Table, Finding> {
    let refused = |column: Option<&str>, refusal: key::KeyRefusal| {
        let key::KeyRefusal {
            code,
            message,
            hint,
        } = refusal;
        finding(code, Level::Refusal, plan, column, message, hint)
    };
    let records = registered::of_table(plan, table, registered);
    let names =
        key::names(dialect, plan, table, &records).map_err(|refusal| refused(None, refusal))?;
    let keys = names
        .iter()
        .map(|name| {
            key::column(dialect, plan, table, name).map_err(|refusal| refused(Some(name), refusal))
        })
        .collect::<Result<_, _>>()?;
    let fields = (plan.columns.iter())
        .map(|column| field(plan, table, registered, dialect, column))
        .collect();
    Ok(Table {
        name: registered::physical(table).unwrap_or_else(|| plan.name.clone()),
        label: registered::label_of(plan, table, registered),
        keys,
        tenant: plan.tenant_column.clone(),
        fields,
        on_untrusted_seal: plan.on_untrusted_seal.map(|planned| match planned {
            OnUntrustedSeal::Refuse => UntrustedSeal::Refuse,
            OnUntrustedSeal::Undo => UntrustedSeal::Undo,
        }),
    })
}

/// The records that register the fields of `table`, which came from `plan`.
pub fn records(table: &Table, plan: &TablePlan) -> Vec<FieldRecord> {
    (table.fields.iter())
        .filter_map(|field| {
            let column = plan
                .columns
                .iter()
                .find(|column| column.name == field.column)?;
            Some(record(table, field, column))
        })
        .collect()
}

fn field(
    plan: &TablePlan,
    table: &TableFacts,
    registered: &[FieldRecord],
    dialect: Dialect,
    column: &ColumnPlan,
) -> TableField {
    let record = registered::record_of(plan, table, registered, column);
    let facts = column_of(table, column.name.as_str());
    let source_type = facts
        .map(|facts| facts.sql_type.clone())
        .or_else(|| record.map(|record| record.source_type.clone()))
        .unwrap_or_default();
    let (bytes, sized) = match (facts, dialect) {
        (Some(facts), Dialect::Postgres) => (is_bytea(facts), has_octet_length(facts)),
        (None, Dialect::Postgres) => (source_type == "bytea", false),
        (_, Dialect::Sqlite) => (is_blob(facts, &source_type), true),
    };
    TableField {
        column: column.name.clone(),
        label: record.map_or_else(
            || column.name.as_str().to_owned(),
            |record| record.column_label.clone(),
        ),
        source_type,
        plain_is_bytes: bytes,
        plain_is_varlena_text: sized,
        sealed: match &column.target {
            SealTo::InPlace => Sealed::InPlace,
            SealTo::Beside(sealed) => Sealed::Beside {
                column: sealed.clone(),
                // A sealed column that does not exist yet is created for bytes.
                text: column_of(table, sealed.as_str())
                    .is_some_and(|facts| matches!(facts.base_type.as_str(), "text" | "varchar")),
            },
        },
        index: column
            .blind_index
            .as_ref()
            .map(|index| index.column.clone()),
        index_next: record
            .and_then(|record| record.blind_index_next.as_deref())
            .and_then(|next| crate::ident::Ident::new(next).ok()),
        index_unique: column
            .blind_index
            .as_ref()
            .is_some_and(|index| index.unique),
        plain_exists: facts.is_some(),
    }
}

fn is_bytea(facts: &ColumnFacts) -> bool {
    facts.base_type == "bytea" && facts.base_schema == "pg_catalog" && !facts.array
}

/// Whether the type is of variable length and `octet_length` measures it without building its text.
fn has_octet_length(facts: &ColumnFacts) -> bool {
    !facts.array
        && match facts.base_schema.as_str() {
            "pg_catalog" => {
                matches!(
                    facts.base_type.as_str(),
                    "text" | "varchar" | "bpchar" | "bytea"
                )
            }
            _ => facts.base_type == "citext",
        }
}

/// Decides by the storage class of the values if there are any, else by the declared type.
fn is_blob(facts: Option<&ColumnFacts>, declared: &str) -> bool {
    match facts.map(|facts| facts.storage_classes.as_slice()) {
        Some([class]) => class == "blob",
        _ => declared.to_lowercase().contains("blob"),
    }
}

fn record(table: &Table, field: &TableField, column: &ColumnPlan) -> FieldRecord {
    let index = column.blind_index.as_ref();
    let name = |ident: &crate::ident::Ident| ident.as_str().to_owned();
    FieldRecord {
        table_label: table.label.clone(),
        column_label: field.label.clone(),
        schema_name: table.name.schema.as_ref().map(name).unwrap_or_default(),
        table_name: name(&table.name.name),
        column_name: name(&field.column),
        sealed_column: match &field.sealed {
            Sealed::Beside { column, .. } => Some(name(column)),
            Sealed::InPlace => None,
        },
        blind_index_column: index.map(|index| name(&index.column)),
        blind_index_normaliser: index.map(|index| index.normaliser.as_str().to_owned()),
        blind_index_bits: index.map(|index| i32::from(index.bits)),
        blind_index_next: None,
        blind_index_key_id: None,
        tenant_column: table.tenant.as_ref().map(name),
        key_columns: table.keys.iter().map(|key| name(&key.name)).collect(),
        key_types: table
            .keys
            .iter()
            .map(|key| key.kind.tag().to_owned())
            .collect(),
        source_type: field.source_type.clone(),
        in_place: field.sealed == Sealed::InPlace,
        pad_to: column.pad_to,
        state: FieldState::Declared,
        frozen: false,
        plaintext_definition: "{}".to_owned(),
        values_sealed: 0,
        place: crate::store::Whereabouts::default(),
    }
}
