//! E0207 to E0210: the row key. It is fixed when the first field of a table is registered. Until
//! then it is the primary key or, if that is not usable, the usable unique key with the fewest
//! columns (the first by name if several have as few). Every row has exactly one key, which changes
//! only by a write to the row.

use super::{Dialect, Findings, Preflight, column_of, listed, registered};
use crate::ident::Ident;
use crate::plan::TablePlan;
use crate::store::catalog::{ColumnFacts, KeyFacts, RelationKind, TableFacts};
use crate::store::{FieldRecord, KeyColumn, KeyKind};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    let Some(table) = p.table.filter(|table| has_keys(table.kind)) else {
        return;
    };
    let records = registered::of_table(p.plan, table, p.registered);
    let names = match names(p.dialect, p.plan, table, &records) {
        Ok(names) => names,
        Err(refusal) => {
            out.refuse(refusal.code, p.plan, None, refusal.message, refusal.hint);
            return;
        }
    };
    if records.is_empty() {
        another_than_primary(p, table, &names, out);
    }
    for name in &names {
        if let Err(refusal) = column(p.dialect, p.plan, table, name) {
            out.refuse(
                refusal.code,
                p.plan,
                Some(name),
                refusal.message,
                refusal.hint,
            );
        }
    }
    cascades(p, table, &names, out);
}

/// Why there is no row key, or why a column cannot be part of it.
pub(super) struct KeyRefusal {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) hint: String,
}

fn refusal(code: &'static str, message: impl Into<String>, hint: &str) -> KeyRefusal {
    KeyRefusal {
        code,
        message: message.into(),
        hint: hint.to_owned(),
    }
}

/// The names of the key's columns, in order.
pub(super) fn names(
    dialect: Dialect,
    plan: &TablePlan,
    table: &TableFacts,
    records: &[&FieldRecord],
) -> Result<Vec<String>, KeyRefusal> {
    if let Some(record) = records.first() {
        return frozen(table, record);
    }
    let primary = table.keys.iter().find(|key| key.primary);
    let mut others: Vec<&KeyFacts> = table.keys.iter().filter(|key| !key.primary).collect();
    others.sort_by_key(|key| (key.columns.len(), key.name.as_str()));
    let mut all = primary.into_iter().chain(others.iter().copied());
    if let Some(key) = all.find(|key| {
        let fits = |name: &String| column(dialect, plan, table, name).is_ok();
        unusable(table, key).is_none() && key.columns.iter().all(fits)
    }) {
        return Ok(key.columns.clone());
    }
    // The refusal names each column that is a reason.
    if let Some(primary) = primary {
        return match unusable(table, primary) {
            None => Ok(primary.columns.clone()),
            Some(why) => Err(refusal(
                "E0207",
                format!("the primary key {} {why}", primary.name),
                "make it NOT NULL and NOT DEFERRABLE, or add a unique constraint over NOT NULL columns",
            )),
        };
    }
    if let Some(key) = others.iter().find(|key| unusable(table, key).is_none()) {
        return Ok(key.columns.clone());
    }
    let reasons: Vec<String> = others
        .iter()
        .filter_map(|key| Some(format!("{} {}", key.name, unusable(table, key)?)))
        .collect();
    let message = match (reasons.is_empty(), table.leaves.is_empty()) {
        (false, _) => format!("it has no primary key, and {}", listed(reasons)),
        (true, true) => "it has no primary key and no unique key".to_owned(),
        (true, false) => {
            "it has no primary key of its own; keys of its partitions are unique within each only"
                .to_owned()
        }
    };
    let hint = "add a primary key, or a unique constraint over NOT NULL columns";
    Err(refusal("E0207", message, hint))
}

/// Warns if a key other than the primary key is chosen: it remains the row key of the table's
/// sealed values.
fn another_than_primary(
    p: &Preflight<'_>,
    table: &TableFacts,
    names: &[String],
    out: &mut Findings,
) {
    let Some(primary) = table.keys.iter().find(|key| key.primary) else {
        return;
    };
    if primary.columns.as_slice() == names {
        return;
    }
    let why = primary
        .columns
        .iter()
        .find_map(|name| Some((name, column(p.dialect, p.plan, table, name).err()?)))
        .map(|(name, refusal)| format!("{name}: {}", refusal.message))
        .or_else(|| unusable(table, primary))
        .unwrap_or_default();
    out.warn(
        "E0208",
        p.plan,
        None,
        format!(
            "the primary key {} cannot identify sealed rows ({why}); the unique key ({}) is used instead",
            primary.name,
            listed(names)
        ),
        "keep it unique and NOT NULL as long as the table has sealed values: they are bound to it",
    );
}

/// One column of the row key as the stores need it.
pub(super) fn column(
    dialect: Dialect,
    plan: &TablePlan,
    table: &TableFacts,
    name: &str,
) -> Result<KeyColumn, KeyRefusal> {
    let gone = || {
        refusal(
            "E0209",
            "sealed values of this table are bound to this key column, which no longer exists",
            "rename the column back; no sealed value can be decrypted without its row key",
        )
    };
    let facts = column_of(table, name).ok_or_else(gone)?;
    let ident = Ident::new(name).map_err(|_| gone())?;
    if plan.columns.iter().any(|column| column.name == ident) {
        return Err(refusal(
            "E0208",
            "the column is part of the row key, so it cannot be sealed itself",
            "give the table a key that contains no PHI",
        ));
    }
    if facts.generated {
        return Err(refusal(
            "E0208",
            "the key column is generated, so the guard cannot see its new value",
            "use the columns from which it is generated as the key",
        ));
    }
    let kind = match dialect {
        Dialect::Postgres => kind_of(facts),
        Dialect::Sqlite => {
            let real = facts.storage_classes.iter().any(|class| class == "real");
            (!real).then_some(KeyKind::ByClass)
        }
    };
    let Some(kind) = kind else {
        return Err(refusal(
            "E0208",
            format!("values of type {} cannot be in a row key", facts.sql_type),
            "the text of such a value depends on settings: use an integer, uuid, text, numeric, \
             date, timestamp, bytea or boolean, or give the table another unique key over NOT NULL columns of such \
             types, NOT DEFERRABLE, which is then taken",
        ));
    };
    Ok(key_column(dialect, ident, kind, facts))
}

/// How values of a PostgreSQL column are encoded in a row key (docs/FORMAT.md, "Row key").
pub(super) fn kind_of(column: &ColumnFacts) -> Option<KeyKind> {
    if column.array {
        return None;
    }
    if column.base_schema != "pg_catalog" {
        return (column.base_type == "citext" && column.type_class == 'b').then_some(KeyKind::Text);
    }
    match column.base_type.as_str() {
        "int2" | "int4" | "int8" => Some(KeyKind::Int),
        "uuid" => Some(KeyKind::Uuid),
        "text" | "varchar" | "bpchar" => Some(KeyKind::Text),
        "numeric" => Some(KeyKind::Numeric),
        "date" => Some(KeyKind::Date),
        "timestamp" | "timestamptz" => Some(KeyKind::Timestamp),
        "bytea" => Some(KeyKind::Bytes),
        "bool" => Some(KeyKind::Bool),
        _ => None,
    }
}

fn key_column(dialect: Dialect, name: Ident, kind: KeyKind, facts: &ColumnFacts) -> KeyColumn {
    let own = dialect == Dialect::Postgres && facts.base_schema != "pg_catalog";
    let type_schema = if own {
        Ident::new(facts.base_schema.as_str()).ok()
    } else {
        None
    };
    let cast = match (dialect, &type_schema, Ident::new(facts.base_type.as_str())) {
        (Dialect::Postgres, Some(schema), Ok(base)) => {
            format!("{}.{}", schema.quoted(), base.quoted())
        }
        // The server's own type names need no quotes, and have none in the list above.
        (Dialect::Postgres, _, _) => facts.base_type.clone(),
        (Dialect::Sqlite, _, _) => String::new(),
    };
    KeyColumn {
        name,
        kind,
        cast,
        type_schema,
    }
}

fn has_keys(kind: RelationKind) -> bool {
    match kind {
        RelationKind::Table | RelationKind::Partitioned | RelationKind::Partition => true,
        RelationKind::View
        | RelationKind::MaterializedView
        | RelationKind::Foreign
        | RelationKind::Other => false,
    }
}

/// The registered key columns, if a usable unique key of the table still makes them unique.
fn frozen(table: &TableFacts, record: &FieldRecord) -> Result<Vec<String>, KeyRefusal> {
    let columns = &record.key_columns;
    let there = columns.iter().all(|name| column_of(table, name).is_some());
    let not_null = |name: &String| column_of(table, name).is_some_and(|column| column.not_null);
    let unique = table.keys.iter().any(|key| {
        unusable(table, key).is_none() && key.columns.iter().all(|name| columns.contains(name))
    });
    // The check of columns reports a column that is gone.
    if there && !(unique && columns.iter().all(not_null)) {
        return Err(refusal(
            "E0209",
            format!(
                "sealed values of this table are bound to the key ({}), which is no longer unique and NOT NULL",
                listed(columns)
            ),
            "add a unique constraint over these columns: the row key of sealed values never changes",
        ));
    }
    Ok(columns.clone())
}

fn unusable(table: &TableFacts, key: &KeyFacts) -> Option<String> {
    if key.deferrable {
        return Some("is deferrable, so two rows may have it for a while".to_owned());
    }
    if key.partial {
        return Some("is partial or over expressions".to_owned());
    }
    let nullable: Vec<&str> = (key.columns.iter())
        .filter(|name| !column_of(table, name).is_some_and(|column| column.not_null))
        .map(String::as_str)
        .collect();
    (!nullable.is_empty()).then(|| format!("may be NULL in {}", listed(nullable)))
}

/// Warns about a foreign key that cascades updates into the row key or tenant: such an update blanks
/// the sealed value, and the guard refuses it once the plaintext is gone.
fn cascades(p: &Preflight<'_>, table: &TableFacts, key: &[String], out: &mut Findings) {
    let tenant = p
        .plan
        .tenant_column
        .as_ref()
        .map(|tenant| tenant.as_str().to_owned());
    let cascading = (table.foreign_keys.iter())
        .filter(|foreign| foreign.on_update_cascades && !foreign.incoming);
    for foreign in cascading {
        for name in foreign
            .columns
            .iter()
            .filter(|name| key.contains(name) || tenant.as_ref() == Some(name))
        {
            out.warn(
                "E0210",
                p.plan,
                Some(name),
                format!(
                    "foreign key {} lets table {} change this column of the row key",
                    foreign.name, foreign.other
                ),
                "such a change sets the sealed value to NULL, and the next backfill seals it again; once the plaintext is gone, the change is refused",
            );
        }
    }
}
