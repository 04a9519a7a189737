//! What the test knows of the tables it made: their names now, their columns, and the plan.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// The three kinds of table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `ssn` beside with a blind index, `note` in place.
    People,
    /// Partitioned in PostgreSQL: `tag` beside, `note` in place; two key columns.
    Visits,
    /// With a tenant: `v` beside.
    Clinics,
}

/// Where a table stands among partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Alone,
    Root,
    /// An attached leaf of this root.
    Leaf(String),
    /// A leaf that was detached.
    Detached,
}

/// A table as it is now.
#[derive(Clone, Debug)]
pub struct Relation {
    /// With its schema in PostgreSQL; needs no quotes.
    pub name: String,
    pub shape: Shape,
    pub place: Place,
    /// The value of `part` that its rows have, of a leaf.
    pub part: i32,
    /// What the plaintext columns are called now.
    pub plain: BTreeMap<&'static str, String>,
    /// What the sealed columns are called now, whether they exist or not.
    pub sealed: BTreeMap<&'static str, String>,
    /// The labels under which a backfill sealed it.
    pub labels: BTreeSet<String>,
}

/// A table in the plan.
#[derive(Clone, Debug)]
pub struct Entry {
    pub name: String,
    pub label: Option<String>,
    pub shape: Shape,
    pub fire: bool,
    /// Base, plaintext column, sealed column.
    pub columns: Vec<(&'static str, String, String)>,
}

impl Shape {
    /// Its columns, and whether each is sealed beside.
    pub fn bases(self) -> &'static [(&'static str, bool)] {
        match self {
            Self::People => &[("ssn", true), ("note", false)],
            Self::Visits => &[("tag", true), ("note", false)],
            Self::Clinics => &[("v", true)],
        }
    }

    /// Key columns.
    pub fn key(self) -> &'static [&'static str] {
        match self {
            Self::Visits => &["id", "part"],
            _ => &["id"],
        }
    }

    pub fn ddl(self, name: &str) -> String {
        match self {
            Self::People => {
                format!(
                    "CREATE TABLE {name} (id integer PRIMARY KEY, uid bigint, ssn text, note text)"
                )
            }
            Self::Visits => format!(
                "CREATE TABLE {name} (id integer NOT NULL, part integer NOT NULL, uid bigint, tag text, note text, PRIMARY KEY (id, part))"
            ),
            Self::Clinics => format!(
                "CREATE TABLE {name} (id integer PRIMARY KEY, uid bigint, clinic text NOT NULL, v text)"
            ),
        }
    }
}

impl Relation {
    pub fn new(name: &str, shape: Shape, place: Place) -> Self {
        let named = |suffix: &str| {
            let bases = shape.bases().iter();
            bases
                .map(|(base, _)| (*base, format!("{base}{suffix}")))
                .collect()
        };
        Self {
            name: name.to_owned(),
            shape,
            place,
            part: 0,
            plain: named(""),
            sealed: named("_sealed"),
            labels: BTreeSet::new(),
        }
    }

    /// The name without its schema.
    pub fn bare(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }

    /// Whether rows may be written to it by its own name.
    pub fn holds_rows(&self) -> bool {
        self.place != Place::Root
    }
}

impl Entry {
    pub fn of(relation: &Relation) -> Self {
        let bases = relation.shape.bases().iter();
        let columns = bases
            .map(|(base, _)| {
                (
                    *base,
                    relation.plain[base].clone(),
                    relation.sealed[base].clone(),
                )
            })
            .collect();
        Self {
            name: relation.name.clone(),
            label: None,
            shape: relation.shape,
            fire: false,
            columns,
        }
    }

    pub fn toml(&self) -> String {
        let mut toml = format!("[[table]]\nname = {:?}\n", self.name);
        if let Some(label) = &self.label {
            writeln!(toml, "label = {label:?}").unwrap();
        }
        if self.shape == Shape::Clinics {
            toml.push_str("tenant_column = \"clinic\"\n");
        }
        if self.fire {
            toml.push_str("triggers = \"fire\"\n");
        }
        for (base, plain, sealed) in &self.columns {
            writeln!(toml, "[[table.column]]\nname = {plain:?}").unwrap();
            match *base {
                "note" => toml.push_str("in_place = \"application-reads-both-forms\"\n"),
                _ => writeln!(toml, "seal_into = {sealed:?}").unwrap(),
            }
            if *base == "ssn" {
                toml.push_str(
                    "blind_index = { column = \"ssn_bidx\", normalise = \"digits\", bits = 128, force = true }\n",
                );
            }
        }
        toml
    }
}
