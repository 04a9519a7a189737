//! Who needs which right on a PostgreSQL database: the owner of the tables, the engine that seals, an
//! application that reads and writes the tables, an auditor that only reads.
//! Owns these lists, which are made from facts of the server and the tables, and what cannot be
//! granted at all. `right` owns the form of GRANT.

mod notes;

use std::collections::BTreeSet;

use crate::ident::{Ident, TableName};
use crate::store::own_tables::OWN_TABLES;
use crate::store::right::{Right, Securable, grant_membership};
use crate::store::{Sealed, ServerFacts, Table, TableFacts};
use crate::words::word_enum;

word_enum! {
    /// Who gets rights.
    GrantRole {
        /// Owns phiseal's tables and may change the application's: migrations, columns, guards,
        /// indexes, and the removal of plaintext.
        Owner = "owner",
        /// Seals, re-seals and verifies what the owner has prepared.
        Engine = "engine",
        /// Reads and writes the tables, and seals and opens values.
        Application = "application",
        /// Reads what is recorded, and verifies.
        Auditor = "auditor",
    }
}

/// The version from which on the right to set a parameter can be granted.
const GRANTED_PARAMETERS: i64 = 150_000;

/// The system columns by which pages of a table are read.
const PLACE_COLUMNS: [&str; 2] = ["ctid", "xmin"];

/// A table that the role works with.
pub struct GrantTable<'a> {
    /// The table.
    pub table: &'a Table,
    /// What the catalog says about it.
    pub facts: &'a TableFacts,
    /// Whether runs keep its triggers from firing.
    pub suppresses: bool,
}

/// For whom the rights are, and on what.
pub struct Granting<'a> {
    /// What the roles do.
    pub role: GrantRole,
    /// The roles of the database that get the rights.
    pub to: &'a [Ident],
    /// The schema of phiseal's own tables.
    pub schema: &'a Ident,
    /// The server.
    pub server: &'a ServerFacts,
    /// The tables.
    pub tables: &'a [GrantTable<'a>],
}

/// A statement for psql.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The statement, with its semicolon.
    pub statement: String,
    /// What it is needed for.
    pub why: &'static str,
}

/// All that a role needs.
#[derive(Debug, Default)]
pub struct Grants {
    /// The statements, in order.
    pub grants: Vec<Grant>,
    /// What else a person has to know or do: a sentence or two each, and below it statements
    /// to consider, one a line.
    pub notes: Vec<String>,
}

/// A right on one of phiseal's own tables; each name in [`OWN_TABLES`] is a valid identifier.
fn on_own(schema: &Ident, table: &str, privileges: &[&str]) -> Right {
    let name = TableName {
        schema: Some(schema.clone()),
        name: Ident::new(table).unwrap_or_else(|_| schema.clone()),
    };
    Right::new(privileges.iter().copied(), Securable::table(name))
}

/// The columns of a table that a verification reads, in the spelling of the catalog: place and
/// version of the row, its key and tenant, and what there is of each field.
pub fn verified_columns(table: &Table, facts: &TableFacts) -> Vec<String> {
    let place = PLACE_COLUMNS.into_iter().map(str::to_owned);
    place.chain(own_columns(table, facts)).collect()
}

/// Key, tenant, and the columns of each field that exist.
fn own_columns(table: &Table, facts: &TableFacts) -> Vec<String> {
    let keys = table.keys.iter().map(|key| &key.name);
    let fields = table.fields.iter().flat_map(|field| {
        let sealed = field.sealed.beside();
        [Some(&field.column), sealed, field.index.as_ref()]
    });
    existing(facts, keys.chain(&table.tenant).chain(fields.flatten()))
}

/// The columns that hold sealed values and blind indexes, as far as they exist.
fn sealed_columns(table: &Table, facts: &TableFacts) -> Vec<String> {
    let columns = table.fields.iter().flat_map(|field| {
        let holder = match &field.sealed {
            Sealed::Beside { column, .. } => column,
            Sealed::InPlace => &field.column,
        };
        let indexes = field.index.iter().chain(&field.index_next);
        std::iter::once(holder).chain(indexes)
    });
    existing(facts, columns)
}

/// The plaintext columns that have a sealed column beside them.
fn plain_columns(table: &Table, facts: &TableFacts) -> Vec<String> {
    let beside = (table.fields.iter()).filter(|field| field.sealed.beside().is_some());
    existing(facts, beside.map(|field| &field.column))
}

/// These columns as far as they exist, each once.
fn existing<'a>(facts: &TableFacts, columns: impl Iterator<Item = &'a Ident>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for column in columns.map(Ident::as_str) {
        let exists = facts.columns.iter().any(|one| one.name == column);
        if exists && !found.iter().any(|one| one == column) {
            found.push(column.to_owned());
        }
    }
    found
}

impl Granting<'_> {
    /// The statements and notes.
    pub fn grants(&self) -> Grants {
        let mut grants = Vec::new();
        for to in self.to {
            let rights = match self.role {
                GrantRole::Owner => {
                    grants.extend(self.memberships(to));
                    self.of_owner()
                }
                GrantRole::Engine => self.of_engine(),
                GrantRole::Application => self.of_application(),
                GrantRole::Auditor => self.of_auditor(),
            };
            grants.extend(rights.into_iter().map(|(right, why)| Grant {
                statement: right.grant_to(to.as_str()),
                why,
            }));
        }
        Grants {
            grants,
            notes: self.notes(),
        }
    }

    /// An owner acts for the roles that own the tables.
    fn memberships(&self, to: &Ident) -> Vec<Grant> {
        let relations = self.tables.iter().flat_map(|one| &one.facts.relations);
        let owners: BTreeSet<&str> = relations
            .filter(|relation| !relation.owner_is_superuser && relation.owner != to.as_str())
            .map(|relation| relation.owner.as_str())
            .collect();
        let member = |owner: &str| Grant {
            statement: grant_membership(owner, to.as_str()),
            why: "to change the tables: columns, triggers, constraints (only their owner may)",
        };
        owners.into_iter().map(member).collect()
    }

    fn of_owner(&self) -> Vec<(Right, &'static str)> {
        let mut rights = Vec::new();
        if self.server.own_owner.is_empty() {
            let database = Securable::Database(self.server.database.clone());
            rights.push((
                Right::new(["CREATE"], database),
                "to make the schema of phiseal's tables (`phiseal migrate up`)",
            ));
        }
        for schema in self.schemas() {
            rights.push((
                Right::new(["USAGE", "CREATE"], Securable::Schema(schema)),
                "to make indexes (PostgreSQL 15 and later: on schema public, too)",
            ));
        }
        rights.extend(self.parameters());
        rights
    }

    fn of_engine(&self) -> Vec<(Right, &'static str)> {
        const OWN: &str = "to work with phiseal's tables";
        let mut rights = vec![(self.own_usage(), OWN)];
        for (name, needs) in OWN_TABLES {
            let needs: Vec<&str> = needs.split(' ').collect();
            rights.push((on_own(self.schema, name, &needs), OWN));
        }
        rights.extend(self.usage("to find the tables and the types of their keys"));
        for relation in self.tables.iter().flat_map(|one| &one.facts.relations) {
            let table = Securable::table(relation.name.clone());
            rights.push((Right::new(["SELECT"], table), "to read rows"));
        }
        for one in self.tables {
            let sealed = sealed_columns(one.table, one.facts);
            for relation in (one.facts.relations.iter()).filter(|_| !sealed.is_empty()) {
                let columns = Securable::Columns(relation.name.clone(), sealed.clone());
                rights.push((
                    Right::new(["UPDATE"], columns),
                    "to write sealed values and blind indexes, and nothing else",
                ));
            }
        }
        rights.extend(self.parameters());
        rights
    }

    fn of_application(&self) -> Vec<(Right, &'static str)> {
        let mut rights = vec![
            (
                self.own_usage(),
                "the guard of a table reads the keys as whoever writes a row",
            ),
            (
                on_own(self.schema, "encryption_keys", &["SELECT"]),
                "the same; an application that seals or opens loads its keys from there",
            ),
            (
                on_own(self.schema, "encrypted_field_metadata", &["SELECT"]),
                "to learn labels, types and normalisers of fields",
            ),
        ];
        rights.extend(self.usage("to find the tables and the types of their keys"));
        for one in self.tables {
            const WHY: &str = "to read and write these columns; other columns as before";
            let name = &one.table.name;
            let columns = own_columns(one.table, one.facts);
            let read = Securable::Columns(name.clone(), columns);
            rights.push((Right::new(["SELECT", "INSERT"], read), WHY));
            let mut written = plain_columns(one.table, one.facts);
            written.extend(sealed_columns(one.table, one.facts));
            let written = Securable::Columns(name.clone(), written);
            rights.push((Right::new(["UPDATE"], written), WHY));
            for sequence in &one.facts.sequences {
                rights.push((
                    Right::new(["USAGE"], Securable::Sequence(sequence.clone())),
                    "to take the key of a new row, which a value is sealed for",
                ));
            }
        }
        rights
    }

    fn of_auditor(&self) -> Vec<(Right, &'static str)> {
        const OWN: &str = "to read what phiseal recorded: status, keys, fields, runs, audit log";
        let mut rights = vec![(self.own_usage(), OWN)];
        for (name, _) in OWN_TABLES {
            rights.push((on_own(self.schema, name, &["SELECT"]), OWN));
        }
        const WHY: &str = "for `phiseal verify` alone; plaintext that is still there is read, too";
        rights.extend(self.usage(WHY));
        for one in self.tables {
            let columns = verified_columns(one.table, one.facts);
            for relation in &one.facts.relations {
                let on = Securable::Columns(relation.name.clone(), columns.clone());
                rights.push((Right::new(["SELECT"], on), WHY));
            }
        }
        rights
    }

    fn own_usage(&self) -> Right {
        let schema = Securable::Schema(self.schema.as_str().to_owned());
        Right::new(["USAGE"], schema)
    }

    /// USAGE of the schemas of the tables and of their keys' types.
    fn usage(&self, why: &'static str) -> Vec<(Right, &'static str)> {
        let mut schemas = self.schemas();
        let keys = self.tables.iter().flat_map(|one| &one.table.keys);
        let of_types = keys.filter_map(|key| key.type_schema.as_ref());
        schemas.extend(of_types.map(|schema| schema.as_str().to_owned()));
        let usage = |schema| (Right::new(["USAGE"], Securable::Schema(schema)), why);
        schemas.into_iter().map(usage).collect()
    }

    /// The schemas of the tables and their partitions.
    fn schemas(&self) -> BTreeSet<String> {
        let relations = self.tables.iter().flat_map(|one| &one.facts.relations);
        let schemas = relations.filter_map(|relation| relation.name.schema.as_ref());
        schemas.map(|schema| schema.as_str().to_owned()).collect()
    }

    fn parameters(&self) -> Vec<(Right, &'static str)> {
        let suppresses = self.tables.iter().any(|one| one.suppresses);
        match suppresses && self.server.version_num >= GRANTED_PARAMETERS {
            true => vec![(
                Right::new(["SET"], Securable::Parameter("session_replication_role")),
                "to keep triggers from firing (`triggers = \"suppress\"` in the plan)",
            )],
            false => Vec::new(),
        }
    }
}
