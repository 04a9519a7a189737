//! What the role may not do, and what only an owner can make.

use super::tables::trigger;
use super::*;
use crate::store::catalog::LeafFacts;
use crate::store::{Right, Securable};

pub(super) fn rights(privilege: &str, table: &str) -> Vec<Right> {
    vec![Right::new(
        [privilege],
        Securable::table(table.parse().unwrap()),
    )]
}

pub(super) fn create() -> Option<Right> {
    let schema = Securable::Schema("phiseal".to_owned());
    Some(Right::new(["CREATE"], schema))
}

#[test]
fn a_table_prepared_by_its_owner_needs_no_ownership() {
    let prepared = |w: &mut World| {
        w.server.create_denied = create();
        w.table().owner = false;
        w.table().columns.push(column("ssn_sealed", "bytea"));
        w.table().guard = vec![trigger("~phiseal_i", 'A'), trigger("~phiseal_u", 'A')];
    };
    assert_eq!(World::beside().with(prepared).check(), Findings::default());
    let disabled = World::beside()
        .with(prepared)
        .with(|w| w.table().guard[1].enabled = 'D');
    assert_eq!(disabled.refusals(), ["E0218", "E0218"]);
    let unguarded_leaf = World::beside().with(prepared).with(|w| {
        w.server.create_denied = None;
        w.table().leaves = vec![LeafFacts::default()];
    });
    assert_eq!(unguarded_leaf.refusals(), ["E0218"]);
}

#[test]
fn columns_that_our_role_may_not_write_are_refused_and_those_it_only_reads_are_not() {
    let mut world = World::beside();
    world.ssn().update_denied = true;
    world.table().columns.push(column("ssn_sealed", "bytea"));
    assert_eq!(world.refusals(), [""; 0]);
    world.purpose = RunPurpose::Restore { drop_sealed: false };
    assert_eq!(world.refusals(), ["E0217"]);
    world.purpose = RunPurpose::Verify;
    world.table().missing_rights = rights("UPDATE", "public.patients");
    assert_eq!(world.refusals(), [""; 0]);
}

#[test]
fn the_hint_of_a_missing_right_is_the_whole_statement_that_gives_it() {
    let mut world = World::beside().with(|w| {
        w.server.role = "Phi \"engine".to_owned();
        w.server.login = "deploy".to_owned();
        w.server.missing_rights = vec![Right::new(
            ["INSERT", "UPDATE"],
            Securable::table("phiseal.runs".parse().unwrap()),
        )];
        w.table().schema = "public".to_owned();
        w.table().owned_by = "clinic".to_owned();
        w.ssn().update_denied = true;
    });
    world.purpose = RunPurpose::Restore { drop_sealed: false };
    let found = world.check();
    let hints = of_code(&found, "E0217");
    assert_eq!(
        hints,
        [
            r#"GRANT INSERT, UPDATE ON TABLE "phiseal"."runs" TO "Phi ""engine";"#,
            r#"GRANT UPDATE ("ssn") ON TABLE "public"."patients" TO "Phi ""engine";"#,
        ]
    );
    world.purpose = RunPurpose::Backfill;
    world.server.missing_rights.clear();
    world.server.create_denied = create();
    world.table().owner = false;
    let found = world.check();
    let hints = of_code(&found, "E0218");
    assert!(
        hints[0].contains(r#"GRANT "clinic" TO "deploy"; and `role = "clinic"`"#),
        "{hints:?}"
    );
    assert!(
        hints[1].starts_with(r#"GRANT CREATE ON SCHEMA "phiseal" TO "Phi ""engine";"#),
        "{hints:?}"
    );
}

/// The hints of the refusals with this code.
fn of_code<'a>(found: &'a Findings, code: &str) -> Vec<&'a str> {
    let found = found.refusals().filter(|found| found.code == code);
    found.map(|found| found.hint.as_str()).collect()
}
