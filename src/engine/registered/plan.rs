//! The plan by which a registered table was sealed, made again from the registry.
//! Owns what the registry decides, and the two settings that it does not hold, which the plan file
//! gives.

use std::collections::BTreeMap;

use super::JobsError;
use crate::crypto::Normaliser;
use crate::ident::{Ident, TableName};
use crate::plan::{BlindIndexPlan, ColumnPlan, SealTo, TablePlan, TriggerPolicy};
use crate::store::{FieldRecord, Found, StoreError};

/// The plan by which each table was sealed, with the present names of the table and its columns.
/// The trigger policy comes from `planned`, the tables of the plan file.
pub(super) fn of_tables(
    planned: &[TablePlan],
    registered: &[FieldRecord],
) -> Result<Vec<TablePlan>, JobsError> {
    let mut tables: BTreeMap<&str, Vec<&FieldRecord>> = BTreeMap::new();
    let sealed = registered
        .iter()
        .filter(|field| field.state.may_hold_seals());
    for field in sealed {
        tables.entry(&field.table_label).or_default().push(field);
    }
    let mut plans = Vec::new();
    for (label, fields) in tables {
        if let Found::Several(several) = &fields[0].place.found {
            return Err(JobsError::Ambiguous {
                label: label.to_owned(),
                tables: several.clone(),
            });
        }
        let named = |plan: &&TablePlan| {
            let schema = plan.name.schema.as_ref().map(Ident::as_str);
            plan.name.name.as_str() == fields[0].table_name
                && schema.is_none_or(|schema| schema == fields[0].schema_name)
        };
        plans.push(of_table(label, &fields, planned.iter().find(named))?);
    }
    Ok(plans)
}

/// The plan of one table. `fields` are its fields, at least one; `plan` is the table in the plan
/// file.
pub(super) fn of_table(
    label: &str,
    fields: &[&FieldRecord],
    plan: Option<&TablePlan>,
) -> Result<TablePlan, StoreError> {
    let first = fields[0];
    let columns = fields
        .iter()
        .map(|field| column(field, plan))
        .collect::<Result<_, _>>()?;
    Ok(TablePlan {
        name: table_of(first)?,
        label: Some(label.to_owned()),
        tenant_column: first.tenant_column.as_deref().map(ident).transpose()?,
        triggers: plan.map_or(TriggerPolicy::Refuse, |plan| plan.triggers),
        on_untrusted_seal: plan.and_then(|plan| plan.on_untrusted_seal),
        columns,
    })
}

/// The table of a field, under its present name.
pub(super) fn table_of(field: &FieldRecord) -> Result<TableName, StoreError> {
    Ok(TableName {
        schema: match field.schema_name.as_str() {
            "" => None,
            schema => Some(ident(schema)?),
        },
        name: ident(&field.table_name)?,
    })
}

fn column(field: &FieldRecord, plan: Option<&TablePlan>) -> Result<ColumnPlan, StoreError> {
    let name = ident(&field.column_name)?;
    let planned = plan.and_then(|plan| plan.columns.iter().find(|column| column.name == name));
    let blind_index = match (&field.blind_index_column, &field.blind_index_normaliser) {
        (Some(column), Some(normaliser)) => Some(BlindIndexPlan {
            column: ident(column)?,
            normaliser: normaliser
                .parse::<Normaliser>()
                .map_err(|_| unexpected("a normaliser this version does not know"))?,
            bits: field
                .blind_index_bits
                .and_then(|bits| u16::try_from(bits).ok())
                .ok_or_else(|| unexpected("a blind index without its bits"))?,
            force: true,
            unique: planned
                .and_then(|column| column.blind_index.as_ref())
                .is_some_and(|index| index.unique),
        }),
        _ => None,
    };
    Ok(ColumnPlan {
        name,
        target: match &field.sealed_column {
            Some(column) => SealTo::Beside(ident(column)?),
            None => SealTo::InPlace,
        },
        blind_index,
        pad_to: field.pad_to,
    })
}

fn ident(name: &str) -> Result<Ident, StoreError> {
    Ident::new(name).map_err(|_| unexpected("a name in the registry"))
}

fn unexpected(what: &'static str) -> StoreError {
    StoreError::Unexpected { what }
}

/// Removes the columns whose sealed values were dropped from a plan, and returns them. Keeps a
/// column that is only missing under its name.
pub(super) fn without_dropped(plan: &mut TablePlan, registered: &[FieldRecord]) -> Vec<Ident> {
    let label = plan.label.clone();
    let is_dropped = |name: &Ident| {
        registered.iter().any(|field| {
            Some(&field.table_label) == label.as_ref()
                && field.column_name == name.as_str()
                && field.place.holder_dropped
        })
    };
    let (dropped, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut plan.columns)
        .into_iter()
        .partition(|column| is_dropped(&column.name));
    plan.columns = kept;
    dropped.into_iter().map(|column| column.name).collect()
}

/// Whether the table of a plan is gone.
pub(super) fn is_gone(registered: &[FieldRecord], plan: &TablePlan) -> bool {
    let mut ours = registered
        .iter()
        .filter(|field| plan.label.as_deref() == Some(&field.table_label));
    ours.any(|field| field.place.found == Found::Gone)
}

/// The present name of a field's table.
pub fn name_of(field: &FieldRecord) -> String {
    let name =
        |text: &String| Ident::new(text.clone()).map_or_else(|_| text.clone(), |name| name.label());
    match field.schema_name.as_str() {
        "" => name(&field.table_name),
        _ => format!("{}.{}", name(&field.schema_name), name(&field.table_name)),
    }
}
