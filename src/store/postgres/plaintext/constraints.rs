//! The constraints by which the database itself says that no plaintext is left unsealed.
//! Owns their conditions, and how they are made valid without a long lock: added NOT VALID on each
//! relation that holds rows, validated there, and then added to the table, which takes them over
//! without a look at the rows. A comment names the condition, so that a constraint that somebody
//! replaced is noticed.

use sqlx::Row;

use super::super::PostgresStore;
use super::super::ddl_lock::{begin_briefly, patiently};
use super::super::guard;
use super::super::prepare::{apply, regclass};
use super::super::sql::{query, run, tuple};
use super::{Held, TREE, held, set_field, texts_of};
use crate::ident::Ident;
use crate::quote;
use crate::store::change::label_digest;
use crate::store::postgres::transaction::Transaction;
use crate::store::{Result, StoreError, Table, TableField, constraint_name};

/// A constraint of phiseal.
struct Check {
    name: String,
    /// Its condition.
    condition: String,
}

impl Check {
    fn new(table: &Table, label: &str, what: &str, condition: String) -> Self {
        Self {
            name: constraint_name(&table.label, label, what),
            condition,
        }
    }

    fn drop(&self, relation: &str) -> String {
        format!(
            "ALTER TABLE {relation} DROP CONSTRAINT IF EXISTS {}",
            quote::identifier(&self.name)
        )
    }

    /// What its comment says.
    fn comment(&self) -> String {
        format!("phiseal {}", hex::encode(label_digest(&self.condition)))
    }

    fn add(&self, relation: &str, not_valid: bool) -> [String; 2] {
        let name = quote::identifier(&self.name);
        [
            format!(
                "ALTER TABLE {relation} ADD CONSTRAINT {name} CHECK ({}){}",
                self.condition,
                if not_valid { " NOT VALID" } else { "" }
            ),
            format!(
                "COMMENT ON CONSTRAINT {name} ON {relation} IS {}",
                quote::literal(&self.comment())
            ),
        ]
    }
}

/// The condition that a sealed value, if there is one, has the form of one: its least length, and its
/// first two bytes (docs/FORMAT.md, "Envelope").
fn form(sealed: &Ident, text: bool) -> String {
    let value = sealed.quoted();
    match text {
        true => format!("{value} IS NULL OR {}", guard::looks_sealed(&value)),
        false => format!(
            "{value} IS NULL OR pg_catalog.octet_length({value}) >= 34 AND pg_catalog.substr({value}, 1, 2) \
             IN (pg_catalog.decode('e701', 'hex'), pg_catalog.decode('e702', 'hex'))"
        ),
    }
}

/// The statements that give a sealed column which is just made its form check. No row has a value yet,
/// so it costs no look at the rows.
pub(crate) fn form_of_new(table: &Table, field: &TableField, sealed: &Ident) -> [String; 2] {
    let check = Check::new(table, &field.label, FORM, form(sealed, false));
    check.add(&table.name.quoted(), true)
}

const FORM: &str = "form";
const SEALED: &str = "sealed";
const BLANK: &str = "blank";
const FILLED: &str = "filled";

/// The constraints that a field should have. Once its plaintext is gone, only the form is left.
fn wanted(table: &Table, field: &Held, blank: bool) -> Vec<Check> {
    let mut checks = Vec::new();
    match (&field.sealed, &field.plain) {
        (Some((sealed, text)), plain) => {
            checks.push(Check::new(table, &field.label, FORM, form(sealed, *text)));
            if let Some(plain) = plain {
                let condition = format!(
                    "{} IS NULL OR {} IS NOT NULL",
                    plain.quoted(),
                    sealed.quoted()
                );
                checks.push(Check::new(table, &field.label, SEALED, condition));
                if blank {
                    let condition = format!("{} IS NULL", plain.quoted());
                    checks.push(Check::new(table, &field.label, BLANK, condition));
                }
            }
        }
        (None, Some(column)) => {
            checks.push(Check::new(table, &field.label, FORM, form(column, true)));
        }
        (None, None) => {}
    }
    checks
}

/// See [`crate::store::Plaintext::constrain`].
pub(super) async fn constrain(store: &PostgresStore, table: &Table, blank: bool) -> Result<()> {
    let mut tx = store.begin().await?;
    let fields = held(store, &mut tx, table).await?;
    let relations = tree(&mut tx, table).await?;
    tx.commit().await?;
    for field in &fields {
        for check in wanted(table, field, blank) {
            make_valid(store, table, &relations, &check).await?;
        }
        carry_not_null(store, table, field, &relations).await?;
    }
    Ok(())
}

/// The table's relations, each with whether it holds rows; leaves first, the table last.
async fn tree(tx: &mut Transaction, table: &Table) -> Result<Vec<(String, bool)>> {
    Ok(tuple(format!(
        "SELECT format('%I.%I', n.nspname, c.relname), tree.isleaf FROM {TREE} AS tree \
         JOIN pg_catalog.pg_class AS c ON c.oid = tree.relid \
         JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace ORDER BY tree.level DESC, c.oid"
    ))
    .bind(regclass(table))
    .fetch_all(&mut **tx)
    .await?)
}

/// What a relation has under the name of a constraint.
enum Present {
    Nothing,
    /// Another condition, or one whose comment somebody removed.
    Other,
    NotValid,
    Valid,
}

async fn present(store: &PostgresStore, relation: &str, check: &Check) -> Result<Present> {
    let mut tx = store.begin().await?;
    let row = query(
        "SELECT k.convalidated, coalesce(obj_description(k.oid, 'pg_constraint'), '') = $3 \
         FROM pg_catalog.pg_constraint AS k WHERE k.conrelid = to_regclass($1) AND k.conname = $2",
    )
    .bind(relation.to_owned())
    .bind(check.name.clone())
    .bind(check.comment())
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    let Some(row) = row else {
        return Ok(Present::Nothing);
    };
    Ok(match (row.try_get(1)?, row.try_get(0)?) {
        (false, _) => Present::Other,
        (true, false) => Present::NotValid,
        (true, true) => Present::Valid,
    })
}

/// Makes a constraint valid on every relation. If the table has it already, its relations inherit it,
/// and are only validated.
async fn make_valid(
    store: &PostgresStore,
    table: &Table,
    relations: &[(String, bool)],
    check: &Check,
) -> Result<()> {
    let Some((root, _)) = relations.last() else {
        return Ok(());
    };
    let inherited = match present(store, root, check).await? {
        Present::NotValid | Present::Valid => true,
        Present::Other => {
            apply(store, table, &[check.drop(root)]).await?;
            false
        }
        Present::Nothing => false,
    };
    for (relation, leaf) in relations {
        let is_root = relation == root;
        let present = present(store, relation, check).await?;
        let is_new = match present {
            Present::Valid => continue,
            Present::NotValid => false,
            Present::Other if inherited && !is_root => false,
            Present::Nothing | Present::Other => true,
        };
        if is_new {
            let mut statements = match present {
                Present::Other => vec![check.drop(relation)],
                _ => Vec::new(),
            };
            statements.extend(check.add(relation, *leaf));
            match apply(store, table, &statements).await {
                // Another process has just made it.
                Err(StoreError::Refused { sqlstate }) if sqlstate == "42710" => {}
                outcome => outcome?,
            }
        }
        // A relation without rows takes over what its partitions have proven.
        if *leaf || !is_new {
            patiently(store, &regclass(table), || {
                validate(store, table, relation, &check.name)
            })
            .await?;
        }
    }
    Ok(())
}

/// Validates a constraint, which reads every row, but lets others read and write.
async fn validate(store: &PostgresStore, table: &Table, relation: &str, name: &str) -> Result<()> {
    let mut tx = begin_briefly(store).await?;
    run(
        &mut tx,
        format!(
            "SET LOCAL statement_timeout = 0; ALTER TABLE {relation} VALIDATE CONSTRAINT {}",
            quote::identifier(name)
        ),
    )
    .await
    .map_err(|error| match error {
        StoreError::RowRefused { .. } => StoreError::NotSealed {
            table: table.label.clone(),
        },
        other => other,
    })?;
    tx.commit().await
}

/// Makes the sealed column NOT NULL if the plaintext was. A row that an application deleted the value
/// of prevents it, and then nothing is changed.
async fn carry_not_null(
    store: &PostgresStore,
    table: &Table,
    field: &Held,
    relations: &[(String, bool)],
) -> Result<()> {
    let Some((sealed, _)) = &field.sealed else {
        return Ok(());
    };
    let mut definition = field.definition()?;
    if !definition.not_null || definition.not_null_carried {
        return Ok(());
    }
    if is_not_null(store, table, sealed).await?
        || !set_not_null(store, table, &field.label, sealed, relations).await?
    {
        return Ok(());
    }
    definition.not_null_carried = true;
    let json = super::to_json(&definition)?;
    let set = format!("plaintext_definition = {}", quote::literal(&json));
    let label = quote::literal(&field.label);
    apply(store, table, &[set_field(store, table, &label, &set)]).await
}

async fn is_not_null(store: &PostgresStore, table: &Table, column: &Ident) -> Result<bool> {
    in_transaction!(store.begin(), |tx| {
        super::scalar(
            "SELECT coalesce((SELECT attnotnull FROM pg_catalog.pg_attribute WHERE attrelid = to_regclass($1) \
               AND attname = $2 AND NOT attisdropped), false)",
        )
        .bind(regclass(table))
        .bind(column.as_str().to_owned())
        .fetch_one(&mut **tx)
    })
}

/// Makes a column NOT NULL. A constraint that was validated before spares the server the look at the
/// rows under the strong lock. Returns `false`, having changed nothing, if a row has no value.
pub(super) async fn set_not_null(
    store: &PostgresStore,
    table: &Table,
    label: &str,
    column: &Ident,
    relations: &[(String, bool)],
) -> Result<bool> {
    let condition = format!("{} IS NOT NULL", column.quoted());
    let check = Check::new(table, label, FILLED, condition);
    // The table comes first: a relation keeps what it inherits.
    let drops: Vec<String> = (relations.iter().rev())
        .map(|(relation, _)| check.drop(relation))
        .collect();
    match make_valid(store, table, relations, &check).await {
        Ok(()) => {}
        Err(StoreError::NotSealed { .. }) => {
            apply(store, table, &drops).await?;
            return Ok(false);
        }
        Err(error) => return Err(error),
    }
    let set = format!(
        "ALTER TABLE {} ALTER COLUMN {} SET NOT NULL",
        table.name.quoted(),
        column.quoted()
    );
    let statements: Vec<String> = [set].into_iter().chain(drops).collect();
    apply(store, table, &statements).await?;
    Ok(true)
}

/// The table's relations outside of a transaction; see [`tree`].
pub(super) async fn relations_of(
    store: &PostgresStore,
    table: &Table,
) -> Result<Vec<(String, bool)>> {
    in_transaction!(store.begin(), |tx| tree(tx, table))
}

/// Identifies the constraints of the table's fields; empty if one of them is missing, replaced or not
/// validated.
pub(super) async fn state(tx: &mut Transaction, table: &Table) -> Result<String> {
    let names: Vec<String> = table
        .fields
        .iter()
        .flat_map(|field| {
            [FORM, SEALED, BLANK].map(|what| constraint_name(&table.label, &field.label, what))
        })
        .collect();
    let required: Vec<String> = table
        .fields
        .iter()
        .map(|field| constraint_name(&table.label, &field.label, FORM))
        .collect();
    let row = query(format!(
        "SELECT coalesce((SELECT md5(string_agg(k.conrelid || ':' || k.oid || ':' || k.conname, ',' \
             ORDER BY k.conrelid, k.conname)) \
           FROM pg_catalog.pg_constraint AS k WHERE k.conrelid IN (SELECT relid FROM {TREE} AS tree) \
             AND k.conname = ANY ($2) HAVING bool_and(k.convalidated) AND bool_and(k.conrelid <> to_regclass($1) \
               OR obj_description(k.oid, 'pg_constraint') IS NOT NULL)), ''), \
           EXISTS (SELECT FROM {TREE} AS tree, unnest($3::text[]) AS r(name) WHERE NOT EXISTS \
             (SELECT FROM pg_catalog.pg_constraint AS k WHERE k.conrelid = tree.relid AND k.conname = r.name))"
    ))
    .bind(regclass(table))
    .bind(names)
    .bind(required)
    .fetch_one(&mut **tx)
    .await?;
    let is_incomplete: bool = row.try_get(1)?;
    Ok(match is_incomplete {
        true => String::new(),
        false => row.try_get(0)?,
    })
}

/// The statements that drop the constraints which name a plaintext column.
pub(super) async fn drop_statements(
    tx: &mut Transaction,
    table: &Table,
    field: &Held,
) -> Result<Vec<String>> {
    let mut statements = Vec::new();
    // In place, a plaintext has not the form of a sealed value.
    let form = field.sealed.is_none().then_some(FORM);
    for what in [SEALED, BLANK, FILLED].into_iter().chain(form) {
        let name = constraint_name(&table.label, &field.label, what);
        // A leaf whose constraint the table did not take over yet keeps its own.
        let sql = format!(
            "SELECT format('ALTER TABLE %I.%I DROP CONSTRAINT IF EXISTS %I', n.nspname, c.relname, k.conname) \
             FROM pg_catalog.pg_constraint AS k JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid \
             JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
             JOIN {TREE} AS tree ON tree.relid = c.oid \
             WHERE k.conname = {} ORDER BY tree.level",
            quote::literal(&name)
        );
        statements.extend(texts_of(tx, table, sql).await?);
    }
    Ok(statements)
}
