//! E0240 and E0241: what registration of a field has fixed, and labels, which are never used twice.
//! Owns how fields of the registry are matched to the plan: by the present names of tables and
//! columns, which the stores find by identifiers that do not change.

use super::{Field, Findings, Preflight, column_of, key};
use crate::ident::{Ident, TableName};
use crate::plan::{ColumnPlan, SealTo, TablePlan};
use crate::store::catalog::TableFacts;
use crate::store::plaintext::HIDDEN;
use crate::store::{FieldRecord, Found};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    let Some(table) = p.table else { return };
    if !has_its_label(p, table, out) {
        return;
    }
    let records = of_table(p.plan, table, p.registered);
    renamed(p, &records, out);
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

/// The table's label: the plan's, else the registered one, else the name with its schema (for a
/// partition, that of its root).
pub fn label_of(plan: &TablePlan, table: &TableFacts, registered: &[FieldRecord]) -> String {
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
        (Some(root), _) => registered
            .iter()
            .find(|record| is_at(record, root))
            .map_or_else(|| root.label(), |record| record.table_label.clone()),
        (None, Some(name)) => name.label(),
        (None, None) => plan.name.label(),
    }
}

/// The table's name in the catalog.
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

/// The registration of one column of the plan: found by its name, or by its sealed column if the
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
        SealTo::Beside(sealed) => {
            (records.iter()).find(|record| record.sealed_column.as_deref() == Some(sealed.as_str()))
        }
        SealTo::InPlace => None,
    };
    by_name.or_else(by_sealed).copied()
}

fn is_same_table(record: &FieldRecord, table: &TableFacts) -> bool {
    record.place.found != Found::Gone
        && record.schema_name == table.schema
        && record.table_name == table.name
}

fn is_at(record: &FieldRecord, name: &TableName) -> bool {
    record.place.found != Found::Gone
        && record.schema_name == name.schema.as_ref().map_or("", Ident::as_str)
        && record.table_name == name.name.as_str()
}

/// Whether no other table has the table's label. If one has, the fields registered under it are not
/// this table's.
fn has_its_label(p: &Preflight<'_>, table: &TableFacts, out: &mut Findings) -> bool {
    let label = label_of(p.plan, table, p.registered);
    let other = p
        .registered
        .iter()
        .find(|record| is_same_table(record, table) && record.table_label != label);
    if let Some(record) = other {
        changed(p, None, "label", &record.table_label, &label, out);
    }
    let Some(record) = p
        .registered
        .iter()
        .find(|record| record.table_label == label)
    else {
        return true;
    };
    match &record.place.found {
        Found::Gone => out.refuse(
            "E0241",
            p.plan,
            None,
            format!("label {label} belongs to a table that no longer exists, and this is a different table"),
            "if this table replaces the other, run `phiseal fields rebind`, which compares every value first; if the other \
             is gone for good, run `phiseal fields forget`; otherwise give this table a label of its own in the plan",
        ),
        Found::Several(tables) => out.refuse(
            "E0241",
            p.plan,
            None,
            format!(
                "several tables carry the guard of label {label}: {}",
                super::listed(tables.iter().map(TableName::label))
            ),
            "one is a copy of the other: name the one that keeps the label with `phiseal fields rebind`, and give the other \
             a label of its own in the plan",
        ),
        Found::Known | Found::Guarded | Found::Named if is_same_table(record, table) => return true,
        Found::Known | Found::Guarded | Found::Named => out.refuse(
            "E0241",
            p.plan,
            None,
            format!("label {label} belongs to table {}", table_of(record)),
            "a label belongs to one table: give this table a label of its own in the plan; if it replaces the other, run \
             `phiseal fields rebind`",
        ),
    }
    false
}

/// The present name of a record's table.
fn table_of(record: &FieldRecord) -> String {
    match record.schema_name.as_str() {
        "" => record.table_name.clone(),
        schema => format!("{schema}.{}", record.table_name),
    }
}

/// Reports renamed columns. phiseal follows a rename; until then the guard still uses the old name.
fn renamed(p: &Preflight<'_>, records: &[&FieldRecord], out: &mut Findings) {
    let mut renames: Vec<&(String, String)> = records
        .iter()
        .flat_map(|record| &record.place.renames)
        .collect();
    renames.sort();
    renames.dedup();
    for (was, now) in renames {
        out.warn(
            "E0252",
            p.plan,
            None,
            format!("{was} has been renamed to {now}"),
            "nothing to do: the next backfill, or the statements of `phiseal plan --sql`, create the guard for the new name; the label stays",
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
            "a label belongs to one column: give the table another label, or the column another name",
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
    if is_another_column(table, record, field.name()) {
        let (registered, planned) = (&record.column_name, field.name());
        changed(p, at, "plaintext column", registered, planned, out);
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

/// Whether the plan names another plaintext column than the registered one. What was made again beside
/// a hidden column is refused by who finds it there.
fn is_another_column(table: &TableFacts, record: &FieldRecord, planned: &str) -> bool {
    let is_there = |name: &str| column_of(table, name).is_some();
    let registered = &record.column_name;
    registered != planned
        && !registered.starts_with(HIDDEN)
        && is_there(planned)
        && is_there(registered)
}

/// Whether the name is the same, or was renamed: the old column is gone and the new one exists.
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
        format!("its {what} was {registered} when its values were sealed, and the plan now says {planned}"),
        "sealed values depend on it: write the old value in the plan, or run `phiseal restore` first",
    );
}
