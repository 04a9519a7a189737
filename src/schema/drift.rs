//! How a database differs from what its migrations make.
//! Owns what counts: what phiseal itself adds to a table (sealed columns, blind indexes, guards)
//! does not, nor that a column whose plaintext was dropped is gone.

mod tools;

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use super::catalog::{Catalog, Object, ObjectName};
use super::error::{Doing, Failure};
use super::postgres::{Schema, failure};
use super::set::Version;

/// An object that is not what, or where, the migrations have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `table`, `column`, `index`, `constraint`, `enum`, `policy`, `trigger`, `function`, …
    pub kind: String,
    /// Its qualified name.
    pub name: String,
    /// As the migrations make it; `None` where they make none.
    pub expected: Option<String>,
    /// As it is; `None` where there is none.
    pub found: Option<String>,
}

/// How a database differs from what its migrations make; each in order of kind and name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drift {
    /// The newest migration that was compared; `None` where none is applied.
    pub version: Option<Version>,
    /// What the migrations make and the database has not. Of a missing table, the table alone.
    pub missing: Vec<Difference>,
    /// What stands in a schema of theirs, and no migration makes.
    pub extra: Vec<Difference>,
    /// What both have, in another form.
    pub different: Vec<Difference>,
    /// Where the migrations were built to compare with; empty where nothing was.
    pub place: &'static str,
    /// What of them was not built as it is written.
    pub left_out: Vec<String>,
}

impl Drift {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.missing.is_empty() && self.extra.is_empty() && self.different.is_empty()
    }
}

/// What phiseal made of the application's tables, by qualified table.
#[derive(Default)]
pub(super) struct Additions {
    /// Columns that it added.
    added: BTreeMap<String, BTreeSet<String>>,
    /// Columns whose plaintext was dropped.
    dropped: BTreeMap<String, BTreeSet<String>>,
}

impl Additions {
    /// Reads the registered fields, if there is a registry.
    pub async fn read(conn: &mut PgConnection, own: &Schema) -> Result<Self, Failure> {
        let failed = failure(Doing::Comparing);
        let registry = format!("{}.encrypted_field_metadata", own.quoted);
        let mut tx = conn.begin_with(own.begin()).await.map_err(failed)?;
        let there: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
            .bind(&registry)
            .persistent(false)
            .fetch_one(&mut *tx)
            .await
            .map_err(failed)?;
        let mut additions = Self::default();
        if !there {
            return Ok(additions);
        }
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT format('%I.%I', schema_name, table_name), column_name,
                    array_remove(ARRAY[sealed_column, blind_index_column, blind_index_next], NULL),
                    state IN ('finalized', 'scrubbed')
             FROM {registry}"
        )))
        .persistent(false)
        .fetch_all(&mut *tx)
        .await
        .map_err(failed)?;
        tx.rollback().await.map_err(failed)?;
        for row in rows {
            let table: String = row.try_get(0).map_err(failed)?;
            let added: Vec<String> = row.try_get(2).map_err(failed)?;
            additions
                .added
                .entry(table.clone())
                .or_default()
                .extend(added);
            if row.try_get(3).map_err(failed)? {
                let plain = row.try_get(1).map_err(failed)?;
                additions.dropped.entry(table).or_default().insert(plain);
            }
        }
        Ok(additions)
    }

    fn made(&self, name: &ObjectName, object: &Object) -> bool {
        let Some(table) = &object.table else {
            return false;
        };
        let own_name = || {
            let rest = name.name.strip_prefix(table.as_str());
            rest.is_some_and(|rest| rest.starts_with(".\"~phiseal"))
        };
        touches(&self.added, table, object) || name.kind == "trigger" && own_name()
    }

    fn took(&self, object: &Object) -> bool {
        let table = object.table.as_ref();
        table.is_some_and(|table| touches(&self.dropped, table, object))
    }
}

/// A function of a guard, in our own schema. It outlives its table's guard: who dropped the columns could
/// still have statements under way that call it.
fn is_of_a_guard(name: &ObjectName) -> bool {
    let function = || {
        name.name
            .split_once('.')
            .and_then(|(_, rest)| rest.strip_suffix("()"))
    };
    let of_guard = |function: &str| {
        let rest = ["guard_insert_", "guard_update_", "guard_named_"]
            .iter()
            .find_map(|kind| function.strip_prefix(kind));
        rest.is_some_and(|hex| hex.len() == 16 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    name.kind == "function" && function().is_some_and(of_guard)
}

fn touches(of: &BTreeMap<String, BTreeSet<String>>, table: &str, object: &Object) -> bool {
    of.get(table)
        .is_some_and(|columns| !columns.is_disjoint(&object.columns))
}

/// Compares what the migrations make with what is there.
pub(super) fn compare(expected: &Catalog, found: &Catalog, additions: &Additions) -> Drift {
    let mut drift = Drift::default();
    for (name, object) in expected {
        match found.get(name) {
            Some(other) if other.definition == object.definition => {}
            Some(other) => drift
                .different
                .push(difference(name, Some(object), Some(other))),
            None if without_its_table(found, object) || additions.took(object) => {}
            None => drift.missing.push(difference(name, Some(object), None)),
        }
    }
    let schemas: BTreeSet<&str> = expected.keys().filter_map(schema_of).collect();
    for (name, object) in found {
        let elsewhere = schema_of(name).is_none_or(|schema| !schemas.contains(schema));
        if !(expected.contains_key(name)
            || elsewhere
            || without_its_table(expected, object)
            || additions.made(name, object)
            || is_of_a_guard(name)
            || tools::is_history(found, name, object))
        {
            drift.extra.push(difference(name, None, Some(object)));
        }
    }
    drift
}

/// Whether the table it belongs to is not there either, which says it all.
fn without_its_table(there: &Catalog, object: &Object) -> bool {
    object.table.as_ref().is_some_and(|table| {
        !["table", "view", "materialized view", "foreign table"]
            .iter()
            .any(|kind| {
                there.contains_key(&ObjectName {
                    kind: (*kind).to_owned(),
                    name: table.clone(),
                })
            })
    })
}

/// The part of a qualified name before the first dot outside quotes; extensions have none.
fn schema_of(name: &ObjectName) -> Option<&str> {
    let mut quoted = false;
    let dot = name.name.find(|c: char| {
        quoted ^= c == '"';
        c == '.' && !quoted
    })?;
    (name.kind != "extension").then(|| &name.name[..dot])
}

fn difference(name: &ObjectName, expected: Option<&Object>, found: Option<&Object>) -> Difference {
    Difference {
        kind: name.kind.clone(),
        name: name.name.clone(),
        expected: expected.map(|object| object.definition.clone()),
        found: found.map(|object| object.definition.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kind, name, definition, table, columns.
    type Row<'a> = (&'a str, &'a str, &'a str, Option<&'a str>, &'a [&'a str]);

    fn catalog(of: &[Row<'_>]) -> Catalog {
        of.iter()
            .map(|(kind, name, definition, table, columns)| {
                (
                    ObjectName {
                        kind: (*kind).to_owned(),
                        name: (*name).to_owned(),
                    },
                    Object {
                        definition: (*definition).to_owned(),
                        table: table.map(str::to_owned),
                        columns: columns.iter().map(|c| (*c).to_owned()).collect(),
                    },
                )
            })
            .collect()
    }

    fn names(differences: &[Difference]) -> Vec<&str> {
        differences.iter().map(|d| d.name.as_str()).collect()
    }

    const T: Option<&str> = Some("public.t");

    #[test]
    fn missing_extra_and_different_are_told_apart_and_a_missing_table_is_told_once() {
        let expected = catalog(&[
            ("table", "public.t", "", None, &[]),
            ("column", "public.t.a", "text", T, &["a"]),
            ("table", "public.u", "", None, &[]),
            ("column", "public.u.a", "text", Some("public.u"), &["a"]),
        ]);
        let found = catalog(&[
            ("table", "public.t", "", None, &[]),
            ("column", "public.t.a", "integer", T, &["a"]),
            ("column", "public.t.b", "text", T, &["b"]),
            ("table", "public.v", "", None, &[]),
            ("table", "\"a.b\".w", "", None, &[]),
        ]);
        let drift = compare(&expected, &found, &Additions::default());
        assert_eq!(names(&drift.missing), ["public.u"]);
        assert_eq!(names(&drift.extra), ["public.t.b", "public.v"]);
        assert_eq!(names(&drift.different), ["public.t.a"]);
        assert_eq!(drift.different[0].expected.as_deref(), Some("text"));
        assert_eq!(drift.different[0].found.as_deref(), Some("integer"));
    }

    #[test]
    fn what_phiseal_adds_and_drops_is_no_drift_but_the_same_by_others_is() {
        let expected = catalog(&[
            ("table", "public.t", "", None, &[]),
            ("column", "public.t.ssn", "text", T, &["ssn"]),
            ("index", "public.t_ssn_idx", "", T, &["ssn"]),
        ]);
        let found = catalog(&[
            ("table", "public.t", "", None, &[]),
            ("column", "public.t.ssn_sealed", "bytea", T, &["ssn_sealed"]),
            ("index", "public.x", "", T, &["id", "ssn_sealed"]),
            ("trigger", "public.t.\"~phiseal_u\"", "", T, &[]),
        ]);
        let of = |columns: &[&str]| {
            BTreeMap::from([(
                "public.t".to_owned(),
                columns.iter().map(|c| (*c).to_owned()).collect(),
            )])
        };
        let additions = Additions {
            added: of(&["ssn_sealed"]),
            dropped: of(&["ssn"]),
        };
        assert!(compare(&expected, &found, &additions).is_none());
        let drift = compare(&expected, &found, &Additions::default());
        assert_eq!(names(&drift.missing), ["public.t.ssn", "public.t_ssn_idx"]);
        assert_eq!(drift.extra.len(), 3 - 1, "its trigger is known by its name");
    }
}
