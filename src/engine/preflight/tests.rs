//! Tests every refusal and every warning with made-up facts. tests/it/preflight.rs tests facts of
//! real databases.

mod columns;
mod registry;
mod rights;
mod room;
mod tables;

use super::*;
use crate::crypto::Normaliser;
use crate::plan::{BlindIndexPlan, TriggerPolicy};
use crate::store::catalog::{KeyFacts, RelationKind};

/// Facts with which preflight finds nothing.
#[derive(Clone)]
struct World {
    server: ServerFacts,
    table: Option<TableFacts>,
    plan: TablePlan,
    registered: Vec<FieldRecord>,
    keys: KeysHave,
    purpose: RunPurpose,
    dialect: Dialect,
}

impl World {
    fn beside() -> Self {
        let columns = vec![
            ColumnFacts {
                not_null: true,
                ..column("id", "int8")
            },
            column("ssn", "text"),
            column("clinic_id", "int4"),
        ];
        Self {
            server: ServerFacts {
                version: "PostgreSQL 15.4".to_owned(),
                version_num: 150_004,
                encoding: "UTF8".to_owned(),
                role: "engine".to_owned(),
                installed: true,
                ..ServerFacts::default()
            },
            table: Some(TableFacts {
                schema: "public".to_owned(),
                name: "patients".to_owned(),
                rows: 1_000_000,
                owner: true,
                keys: vec![key("patients_pkey", &["id"], true)],
                columns,
                ..TableFacts::default()
            }),
            plan: TablePlan {
                name: "public.patients".parse().unwrap(),
                label: None,
                tenant_column: None,
                triggers: TriggerPolicy::Refuse,
                on_untrusted_seal: None,
                columns: vec![ColumnPlan {
                    name: "ssn".parse().unwrap(),
                    target: SealTo::Beside("ssn_sealed".parse().unwrap()),
                    blind_index: None,
                    pad_to: 0,
                }],
            },
            registered: Vec::new(),
            keys: KeysHave {
                cell: true,
                blind_index: true,
            },
            purpose: RunPurpose::Backfill,
            dialect: Dialect::Postgres,
        }
    }

    fn in_place() -> Self {
        let mut world = Self::beside();
        world.plan.columns[0].target = SealTo::InPlace;
        world
    }

    fn sqlite() -> Self {
        let mut world = Self::beside();
        world.dialect = Dialect::Sqlite;
        world.plan.name = "patients".parse().unwrap();
        world.table().schema.clear();
        for column in &mut world.table().columns {
            column.base_schema.clear();
        }
        world
    }

    fn indexed() -> Self {
        let mut world = Self::beside();
        world.plan.columns[0].blind_index = Some(BlindIndexPlan {
            column: "ssn_bidx".parse().unwrap(),
            normaliser: Normaliser::Digits,
            bits: 256,
            unique: false,
            force: false,
        });
        world
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn table(&mut self) -> &mut TableFacts {
        self.table.as_mut().unwrap()
    }

    fn ssn(&mut self) -> &mut ColumnFacts {
        &mut self.table().columns[1]
    }

    fn check(&self) -> Findings {
        check(&Preflight {
            server: &self.server,
            table: self.table.as_ref(),
            plan: &self.plan,
            registered: &self.registered,
            keys: self.keys,
            purpose: self.purpose,
            dialect: self.dialect,
        })
    }

    fn refusals(&self) -> Vec<&'static str> {
        self.check()
            .refusals()
            .map(|finding| finding.code)
            .collect()
    }

    fn warnings(&self) -> Vec<&'static str> {
        self.check()
            .warnings()
            .map(|finding| finding.code)
            .collect()
    }

    fn resolve(&self) -> Result<crate::store::Table, Finding> {
        let table = self.table.as_ref().unwrap();
        resolve(&self.plan, table, &self.registered, self.dialect)
    }
}

fn column(name: &str, base_type: &str) -> ColumnFacts {
    ColumnFacts {
        name: name.to_owned(),
        sql_type: base_type.to_owned(),
        base_type: base_type.to_owned(),
        base_schema: "pg_catalog".to_owned(),
        type_class: 'b',
        ..ColumnFacts::default()
    }
}

fn key(name: &str, columns: &[&str], primary: bool) -> KeyFacts {
    KeyFacts {
        name: name.to_owned(),
        columns: names(columns),
        primary,
        ..KeyFacts::default()
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn nothing_is_found_where_nothing_stands_in_the_way() {
    for world in [
        World::beside(),
        World::in_place(),
        World::indexed(),
        World::sqlite(),
    ] {
        assert_eq!(world.check(), Findings::default());
    }
}

#[test]
fn everything_is_listed_at_once() {
    let world = World::in_place().with(|w| {
        w.server.read_only = true;
        w.keys.cell = false;
        w.table().row_security_applies = true;
        w.table().keys.clear();
        w.ssn().char_limit = Some(11);
    });
    assert_eq!(
        world.refusals(),
        ["E0214", "E0216", "E0219", "E0207", "E0227"]
    );
}

#[test]
fn a_finding_names_its_table_and_column() {
    let world = World::beside().with(|w| w.ssn().name = "snn".to_owned());
    let findings = world.check();
    let finding = findings.refusals().next().unwrap();
    assert_eq!(
        finding.to_string(),
        "public.patients.ssn: there is no such column"
    );
    assert_eq!(finding.hint, "did you mean snn?");
}

/// A change to the facts, and the code that it must cause, in place and beside.
type Case = (&'static str, fn(&mut World), &'static str);

fn assert_refused(world: &World, cases: &[Case]) {
    for (what, change, code) in cases {
        let found = world.clone().with(change).refusals();
        assert_eq!(found, [*code], "{what}");
    }
}

fn assert_warned(world: &World, cases: &[Case]) {
    for (what, change, code) in cases {
        let changed = world.clone().with(change);
        assert_eq!(changed.refusals(), [""; 0], "{what}");
        assert_eq!(changed.warnings(), [*code], "{what}");
    }
}

#[test]
fn kinds_of_relation_that_hold_no_rows_are_refused_without_a_word_about_keys() {
    for kind in [
        RelationKind::View,
        RelationKind::MaterializedView,
        RelationKind::Foreign,
        RelationKind::Other,
    ] {
        let world = World::beside().with(|w| {
            w.table().kind = kind;
            w.table().keys.clear();
        });
        assert_eq!(world.refusals(), ["E0203"], "{kind:?}");
    }
}
