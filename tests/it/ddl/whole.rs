//! The whole database, read by itself: under which keys its sealed values are, and what stands beside them.
//! Opens every value of the registered tables with the oracle's own code; asks the program nothing.

use super::model::{Place, Relation};
use super::world::World;
use crate::oracle::{Cell, KeyPart, Keys, Sealed, blind_index, row_key};
use crate::support::Base;
use std::collections::{BTreeMap, BTreeSet};

/// Column and value, as text; bytes as `\x` and hexadecimal digits. NULL is not there.
type Row = BTreeMap<String, String>;

/// What is found in a database.
#[derive(Default)]
pub struct Found {
    /// Places with a sealed value whose key is missing or destroyed.
    pub dead: BTreeSet<String>,
    /// Registered tables with a sealed value that does not open, or not to the plaintext: table, what.
    pub stale: BTreeSet<(String, String)>,
    /// Tables with a plaintext that has no seal.
    pub unsealed: BTreeSet<(String, String)>,
    /// Tables with an index that is not that of the value.
    pub index: BTreeSet<(String, String)>,
    /// What an application wrote, and is nowhere.
    pub lost: BTreeSet<String>,
    /// Keys of sealed values in registered tables: table, key.
    pub under: BTreeSet<(String, u32)>,
}

impl World {
    /// Reads and judges everything.
    pub async fn look(&self) -> Found {
        let keys = self.keys().await;
        let rows = self.whole().await;
        let mut found = Found::default();
        for (relation, row) in &rows {
            for (column, value) in row {
                let Some(id) = key_id(value) else { continue };
                let alive = keys.keys.get(&id).is_some_and(|k| k.status != "destroyed");
                let closed = row.get("state").is_some_and(|state| state == "resolved");
                if !alive && !closed {
                    found
                        .dead
                        .insert(format!("{relation}.{column} under key {id}"));
                }
            }
        }
        for (name, row) in &rows {
            if let Some(relation) = self.relation(name).filter(|r| !r.labels.is_empty()) {
                for (base, beside) in relation.shape.bases() {
                    self.judge(&keys, relation, base, *beside, row, &mut found);
                }
            }
        }
        found
    }

    fn judge(
        &self,
        keys: &Keys,
        relation: &Relation,
        base: &'static str,
        beside: bool,
        row: &Row,
        found: &mut Found,
    ) {
        let name = relation.name.clone();
        let uid: i64 = row["uid"].parse().unwrap();
        let at = |what: &str| (name.clone(), format!("{base} of row {uid} {what}"));
        let stored = row.get(&relation.plain[base]);
        let sealed_in_place = stored.filter(|v| !beside && v.starts_with("ps1.5"));
        let plain = stored.filter(|_| sealed_in_place.is_none());
        let seals: Vec<&String> = match beside {
            // Renamed, and made again under its old name: whatever stands in either counts.
            true => seals_beside(row, base),
            false => sealed_in_place.into_iter().collect(),
        };
        let truth = self.truth.get(&(uid, base)).cloned().flatten();
        let normalised = truth.as_deref().map(digits);
        let right =
            |value: &str| Some(value) == truth.as_deref() || Some(value) == normalised.as_deref();
        if plain.is_some_and(|plain| !right(plain)) {
            found
                .lost
                .insert(format!("{name}: {base} of row {uid} is another plaintext"));
        }
        if seals.is_empty() && plain.is_some() {
            found.unsealed.insert(at("is not sealed"));
        } else if seals.is_empty() && truth.is_some() {
            found
                .lost
                .insert(format!("{name}: {base} of row {uid} is gone"));
        }
        for sealed in seals {
            if let Some(id) = key_id(sealed) {
                found.under.insert((name.clone(), id));
            }
            let opened = relation
                .labels
                .iter()
                .find_map(|label| open(keys, relation, label, base, row, sealed));
            let Some((value, cell_of)) = opened else {
                found.stale.insert(at("does not open"));
                continue;
            };
            let stands = match plain {
                Some(plain) => *plain == value,
                // A value that was set NULL while no guard stood looks like one that an application sealed:
                // no program can tell (docs/decisions/0016).
                None => right(&value) || truth.is_none(),
            };
            if !stands {
                found.stale.insert(at("opens to another value"));
            } else if base == "ssn" && !index_is_right(keys, &cell_of, &value, row) {
                found.index.insert(at("has another index"));
            }
        }
    }

    /// Every row of every table, ours included.
    async fn whole(&self) -> Vec<(String, Row)> {
        match &self.base {
            Base::Postgres(_) => self.whole_postgres().await,
            Base::Sqlite(_) => self.whole_sqlite().await,
        }
    }

    async fn whole_postgres(&self) -> Vec<(String, Row)> {
        let relations = "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^(pg_|information_schema)' ORDER BY 1";
        let relations = self.source().rows(relations).await;
        let parts: Vec<String> = relations
            .into_iter()
            .flatten()
            .flatten()
            .map(|name| format!("SELECT '{name}', to_jsonb(t)::text FROM ONLY {name} t"))
            .collect();
        let rows = self.source().rows(&parts.join(" UNION ALL ")).await;
        let mut whole = Vec::new();
        for row in rows {
            let [Some(name), Some(json)] = &row[..] else {
                continue;
            };
            let json: BTreeMap<String, serde_json::Value> = serde_json::from_str(json).unwrap();
            let text = |(column, value): (String, serde_json::Value)| match value {
                serde_json::Value::Null => None,
                serde_json::Value::String(text) => Some((column, text)),
                other => Some((column, other.to_string())),
            };
            whole.push((name.clone(), json.into_iter().filter_map(text).collect()));
        }
        whole
    }

    async fn whole_sqlite(&self) -> Vec<(String, Row)> {
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'";
        let mut whole = Vec::new();
        for table in self
            .source()
            .rows(tables)
            .await
            .into_iter()
            .flatten()
            .flatten()
        {
            let columns = format!("SELECT name FROM pragma_table_info('{table}')");
            let columns: Vec<String> = self
                .source()
                .rows(&columns)
                .await
                .into_iter()
                .flatten()
                .flatten()
                .collect();
            let text = |c: &String| {
                format!(
                    "CASE typeof(\"{c}\") WHEN 'blob' THEN '\\x' || lower(hex(\"{c}\")) ELSE CAST(\"{c}\" AS text) END"
                )
            };
            let values: Vec<String> = columns.iter().map(text).collect();
            let sql = format!("SELECT {} FROM \"{table}\"", values.join(", "));
            for row in self.source().rows(&sql).await {
                let pairs = columns.iter().cloned().zip(row);
                let row = pairs
                    .filter_map(|(column, value)| Some((column, value?)))
                    .collect();
                whole.push((table.clone(), row));
            }
        }
        whole
    }

    /// The tables of the plan, with the leaves that are attached to them.
    pub fn planned(&self) -> BTreeSet<String> {
        let named = self.plan.iter().flat_map(|entry| self.family(&entry.name));
        named.collect()
    }
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn seals_beside<'a>(row: &'a Row, base: &str) -> Vec<&'a String> {
    let sealed = format!("{base}_sealed");
    let columns = row.iter().filter(|(column, _)| column.starts_with(&sealed));
    columns.map(|(_, value)| value).collect()
}

fn sealed_of(value: &str) -> Option<Sealed> {
    if let Some(digits) = value.strip_prefix("\\xe7") {
        return Some(Sealed::Binary(hex::decode(format!("e7{digits}")).ok()?));
    }
    value
        .starts_with("ps1.5")
        .then(|| Sealed::Text(value.to_owned()))
}

fn key_id(value: &str) -> Option<u32> {
    Some(sealed_of(value)?.parse().ok()?.key_id)
}

/// Tenant, labels and row key: what a cell is made of.
struct CellOf(String, String, String, Vec<u8>);

impl CellOf {
    fn cell(&self) -> Cell<'_> {
        Cell {
            tenant: &self.0,
            table: &self.1,
            column: &self.2,
            row_key: &self.3,
        }
    }
}

fn open(
    keys: &Keys,
    relation: &Relation,
    label: &str,
    base: &str,
    row: &Row,
    sealed: &str,
) -> Option<(String, CellOf)> {
    let part = |column: &&str| KeyPart::Int(row[*column].parse().unwrap());
    let parts: Vec<KeyPart> = relation.shape.key().iter().map(part).collect();
    let columns = keys
        .fields
        .iter()
        .filter(|f| f.table_label == label && f.column_label.starts_with(base));
    for field in columns {
        let tenant = row.get("clinic").cloned().unwrap_or_default();
        let of = CellOf(
            tenant,
            label.to_owned(),
            field.column_label.clone(),
            row_key(&parts),
        );
        if let Ok(value) = keys.open_cell(&of.cell(), &sealed_of(sealed)?) {
            return Some((String::from_utf8(value).ok()?, of));
        }
    }
    None
}

// That of the active key, or of one before while its rotation is not finished.
fn index_is_right(keys: &Keys, of: &CellOf, value: &str, row: &Row) -> bool {
    let stored = row.get("ssn_bidx");
    keys.blind_index_keys(&of.0).iter().any(|key| {
        let index = blind_index(key, &of.cell(), "digits", 128, value);
        index
            .map(|index| format!("\\x{}", hex::encode(index)))
            .as_ref()
            == stored
    })
}

impl Found {
    /// The lines of a kind that are about these tables.
    pub fn in_tables(of: &BTreeSet<(String, String)>, tables: &BTreeSet<String>) -> Vec<String> {
        let lines = of.iter().filter(|(table, _)| tables.contains(table));
        lines
            .map(|(table, what)| format!("{table}: {what}"))
            .collect()
    }

    /// All lines of a kind.
    pub fn all(of: &BTreeSet<(String, String)>) -> Vec<String> {
        of.iter()
            .map(|(table, what)| format!("{table}: {what}"))
            .collect()
    }
}

impl World {
    /// After a backfill that ended well: the tables it sealed are known under their labels.
    pub async fn note_labels(&mut self) {
        let keys = self.keys().await;
        let planned = self.plan.clone();
        for entry in planned {
            let mut labels: BTreeSet<String> = keys
                .fields
                .iter()
                .filter(|f| f.table.replace('"', "") == entry.name)
                .map(|f| f.table_label.clone())
                .collect();
            labels.extend(entry.label.clone());
            for relation in &mut self.relations {
                let leaf = relation.place == Place::Leaf(entry.name.clone());
                if relation.name == entry.name || leaf {
                    relation.labels.extend(labels.clone());
                }
            }
        }
    }
}
