//! E0240 and E0241: what was frozen when a field was registered, and labels, which are never used
//! twice. Owns how the registry is matched to the plan: by physical names, since labels do not
//! follow a rename; a table that was renamed is found by the label its plan gives.

use super::{Field, Findings, Preflight, column_of, key};
use crate::ident::{Ident, TableName};
use crate::plan::{ColumnPlan, TablePlan, Target as PlanTarget};
use crate::store::FieldRecord;
use crate::store::catalog::TableFacts;

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    let Some(table) = p.table else { return };
    table_label(p, table, out);
    let records = of_table(p.plan, table, p.registered);
    if let Some(record) = records.first() {
        key_types(p, table, record, out);
        tenant(p, table, record, out);
    }
    for (table, field) in p.fields() {
        match field.record {
            Some(record) => frozen(p, table, &field, record, out),
            None => column_label(p, &records, &field, out),
        }
    }
}

/// The table's label: the plan's, else the registered one, else its name with its schema; of a
/// partition, its root's.
pub(super) fn label_of(plan: &TablePlan, table: &TableFacts, registered: &[FieldRecord]) -> String {
    if let Some(label) = &plan.label {
        return label.clone();
    }
    if let Some(record) = registered
        .iter()
        .find(|record| is_same_table(record, table))
    {
        return record.table_label.clone();
    }
    match (&table.root, physical(table)) {
        (Some(root), _) => root.label(),
        (None, Some(name)) => name.label(),
        (None, None) => plan.name.label(),
    }
}

/// The name the catalog has for the table.
pub(super) fn physical(table: &TableFacts) -> Option<TableName> {
    let schema = match table.schema.as_str() {
        "" => None,
        schema => Some(Ident::new(schema).ok()?),
    };
    Some(TableName {
        schema,
        name: Ident::new(table.name.as_str()).ok()?,
    })
}

/// The registered fields of the table.
pub(super) fn of_table<'a>(
    plan: &TablePlan,
    table: &TableFacts,
    registered: &'a [FieldRecord],
) -> Vec<&'a FieldRecord> {
    let label = label_of(plan, table, registered);
    registered
        .iter()
        .filter(|record| record.table_label == label)
        .collect()
}

/// The registration of one column of the plan: by its name, or by its sealed column where the
/// plaintext column was renamed.
pub(super) fn record_of<'a>(
    plan: &TablePlan,
    table: &TableFacts,
    registered: &'a [FieldRecord],
    column: &ColumnPlan,
) -> Option<&'a FieldRecord> {
    let records = of_table(plan, table, registered);
    let by_name = records
        .iter()
        .find(|record| record.column_name == column.name.as_str());
    let by_sealed = || match &column.target {
        PlanTarget::Beside(sealed) => {
            (records.iter()).find(|record| record.sealed_column.as_deref() == Some(sealed.as_str()))
        }
        PlanTarget::InPlace => None,
    };
    by_name.or_else(by_sealed).copied()
}

fn is_same_table(record: &FieldRecord, table: &TableFacts) -> bool {
    record.schema_name == table.schema && record.table_name == table.name
}

fn table_label(p: &Preflight<'_>, table: &TableFacts, out: &mut Findings) {
    let label = label_of(p.plan, table, p.registered);
    let other = p
        .registered
        .iter()
        .find(|record| is_same_table(record, table) && record.table_label != label);
    if let Some(record) = other {
        changed(p, None, "label", &record.table_label, &label, out);
    }
    // A label that the plan spells out may belong to the same table under an older name.
    let taken = (p.registered.iter())
        .find(|record| record.table_label == label && !is_same_table(record, table));
    if let (Some(record), None) = (taken, &p.plan.label) {
        out.refuse(
            "E0241",
            p.plan,
            None,
            format!("label {label} belongs to table {}", record.table_name),
            "labels are never used twice: give this table a label of its own in the plan, or, if it is \
             the same table under a new name, write this label there",
        );
    }
}

fn column_label(
    p: &Preflight<'_>,
    records: &[&FieldRecord],
    field: &Field<'_>,
    out: &mut Findings,
) {
    if let Some(record) = records
        .iter()
        .find(|record| record.column_label == field.name())
    {
        out.refuse(
            "E0241",
            p.plan,
            Some(field.name()),
            format!(
                "the label of this column belongs to column {}",
                record.column_name
            ),
            "labels are never used twice: give the table another label, or the column another name",
        );
    }
}

fn key_types(p: &Preflight<'_>, table: &TableFacts, record: &FieldRecord, out: &mut Findings) {
    for (name, tag) in record.key_columns.iter().zip(&record.key_types) {
        if let Ok(column) = key::column(p.dialect, p.plan, table, name)
            && column.kind.tag() != tag
        {
            changed(p, Some(name), "row key tag", tag, column.kind.tag(), out);
        }
    }
}

fn tenant(p: &Preflight<'_>, table: &TableFacts, record: &FieldRecord, out: &mut Findings) {
    let planned = p.plan.tenant_column.as_ref().map(Ident::as_str);
    if !is_same_column(table, record.tenant_column.as_deref(), planned) {
        let registered = record.tenant_column.as_deref().unwrap_or("none");
        changed(
            p,
            None,
            "tenant column",
            registered,
            planned.unwrap_or("none"),
            out,
        );
    }
}

fn frozen(
    p: &Preflight<'_>,
    table: &TableFacts,
    field: &Field<'_>,
    record: &FieldRecord,
    out: &mut Findings,
) {
    let at = Some(field.name());
    let form = |in_place| if in_place { "in place" } else { "beside" };
    if record.in_place != field.in_place() {
        changed(
            p,
            at,
            "form",
            form(record.in_place),
            form(field.in_place()),
            out,
        );
        return;
    }
    let sealed = field.seal_into().map(Ident::as_str);
    if !is_same_column(table, record.sealed_column.as_deref(), sealed) {
        let registered = record.sealed_column.as_deref().unwrap_or("none");
        changed(
            p,
            at,
            "sealed column",
            registered,
            sealed.unwrap_or("none"),
            out,
        );
    }
    let index = field.plan.blind_index.as_ref();
    let planned = index.map(|index| index.column.as_str());
    if !is_same_column(table, record.blind_index_column.as_deref(), planned) {
        let registered = record.blind_index_column.as_deref().unwrap_or("none");
        changed(
            p,
            at,
            "blind index",
            registered,
            planned.unwrap_or("none"),
            out,
        );
        return;
    }
    let (Some(index), Some(bits)) = (index, record.blind_index_bits) else {
        return;
    };
    if bits != i32::from(index.bits) {
        changed(
            p,
            at,
            "blind index bits",
            &bits.to_string(),
            &index.bits.to_string(),
            out,
        );
    }
    let normaliser = record.blind_index_normaliser.as_deref().unwrap_or("none");
    if normaliser != index.normaliser.as_str() {
        changed(
            p,
            at,
            "normaliser",
            normaliser,
            index.normaliser.as_str(),
            out,
        );
    }
}

/// The same name, or a rename: the old column is gone and the new one is there.
fn is_same_column(table: &TableFacts, registered: Option<&str>, planned: Option<&str>) -> bool {
    match (registered, planned) {
        (None, None) => true,
        (Some(old), Some(new)) => {
            old == new || (column_of(table, old).is_none() && column_of(table, new).is_some())
        }
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn changed(
    p: &Preflight<'_>,
    column: Option<&str>,
    what: &str,
    registered: &str,
    planned: &str,
    out: &mut Findings,
) {
    out.refuse(
        "E0240",
        p.plan,
        column,
        format!("its {what} is registered as {registered}, and would now be {planned}"),
        "what values were sealed with is frozen: set it back in the plan, or restore first",
    );
}
