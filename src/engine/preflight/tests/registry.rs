//! Tests that registered facts are fixed, that labels are never used twice, and that tables follow
//! the registry.

use super::*;
use crate::store::Sealed;

/// Facts after the plan was registered and the columns were made.
fn registered(world: World) -> World {
    world.with(|w| {
        w.registered = records(&w.resolve().unwrap(), &w.plan);
        for field in &mut w.registered {
            field.state = FieldState::Sealed;
        }
        if let Some(sealed) = w.registered[0].sealed_column.clone() {
            w.table().columns.push(column(&sealed, "bytea"));
        }
        if let Some(index) = w.registered[0].blind_index_column.clone() {
            w.table().columns.push(column(&index, "bytea"));
        }
    })
}

#[test]
fn a_plan_as_registered_is_no_finding_and_padding_may_change() {
    for world in [World::beside(), World::in_place(), World::indexed()] {
        let world = registered(world).with(|w| w.plan.columns[0].pad_to = 64);
        assert_eq!(world.check(), Findings::default());
    }
}

#[test]
fn what_values_were_sealed_with_cannot_be_changed_in_the_plan() {
    assert_refused(
        &registered(World::indexed()),
        &[
            (
                "label",
                |w| w.plan.label = Some("other".to_owned()),
                "E0240",
            ),
            (
                "form",
                |w| w.plan.columns[0].target = SealTo::InPlace,
                "E0240",
            ),
            (
                "column",
                |w| {
                    w.table().columns.push(column("other", "bytea"));
                    w.plan.columns[0].target = SealTo::Beside("other".parse().unwrap());
                },
                "E0240",
            ),
            ("index", |w| w.plan.columns[0].blind_index = None, "E0240"),
            (
                "bits",
                |w| w.plan.columns[0].blind_index.as_mut().unwrap().bits = 128,
                "E0240",
            ),
            (
                "normaliser",
                |w| {
                    w.plan.columns[0].blind_index.as_mut().unwrap().normaliser = Normaliser::Exact;
                },
                "E0240",
            ),
            (
                "tenant",
                |w| {
                    w.table().columns[2].not_null = true;
                    w.plan.tenant_column = Some("clinic_id".parse().unwrap());
                },
                "E0240",
            ),
            (
                "key type",
                |w| w.table().columns[0].base_type = "text".to_owned(),
                "E0240",
            ),
        ],
    );
}

#[test]
fn a_registered_key_column_must_stay_and_stay_unique() {
    assert_refused(
        &registered(World::beside()),
        &[
            ("dropped", |w| drop(w.table().columns.remove(0)), "E0209"),
            ("no longer unique", |w| w.table().keys.clear(), "E0209"),
            (
                "one of its columns may be NULL, though the others are unique",
                |w| {
                    w.table().columns.push(column("part", "integer"));
                    for field in &mut w.registered {
                        field.key_columns.push("part".to_owned());
                        field.key_types.push("integer".to_owned());
                    }
                },
                "E0209",
            ),
        ],
    );
}

#[test]
fn a_new_primary_key_leaves_the_registered_row_key_as_it_is() {
    let world = registered(World::beside()).with(|w| {
        w.table().columns.push(ColumnFacts {
            not_null: true,
            ..column("uid", "uuid")
        });
        w.table().keys[0].primary = false;
        w.table().keys.insert(0, key("new_pkey", &["uid"], true));
    });
    assert_eq!(world.check(), Findings::default());
    assert_eq!(world.resolve().unwrap().keys[0].name.as_str(), "id");
}

#[test]
fn widening_an_integer_key_changes_nothing() {
    let world = registered(World::beside());
    let narrow = world.with(|w| w.table().columns[0].base_type = "int4".to_owned());
    assert_eq!(narrow.check(), Findings::default());
}

#[test]
fn a_label_of_another_table_or_column_is_refused() {
    let world = registered(World::beside());
    let other_table = world.clone().with(|w| {
        w.registered[0].table_name = "patients_old".to_owned();
    });
    assert_eq!(other_table.refusals(), ["E0241"]);
    let renamed = other_table.with(|w| w.plan.label = Some("public.patients".to_owned()));
    assert_eq!(renamed.refusals(), ["E0241"]);
    let other_column = world.with(|w| {
        w.registered[0].column_name = "ssn_old".to_owned();
        w.plan.columns[0].target = SealTo::Beside("new_sealed".parse().unwrap());
    });
    assert_eq!(other_column.refusals(), ["E0241"]);
}

#[test]
fn renamed_columns_and_tables_keep_their_labels() {
    let world = registered(World::beside()).with(|w| {
        w.ssn().name = "social_security_number".to_owned();
        w.plan.columns[0].name = "social_security_number".parse().unwrap();
        w.table().name = "people".to_owned();
        w.plan.name = "public.people".parse().unwrap();
        // The store gives the registered fields their present names.
        w.registered[0].table_name = "people".to_owned();
        w.registered[0].column_name = "social_security_number".to_owned();
    });
    assert_eq!(world.refusals(), [""; 0]);
    let table = world.resolve().unwrap();
    assert_eq!(
        (table.label.as_str(), table.fields[0].label.as_str()),
        ("public.patients", "ssn")
    );
    assert_eq!(table.name.label(), "public.people");
}

#[test]
fn labels_default_to_the_qualified_name_and_a_partition_has_its_roots() {
    let bare = World::beside().with(|w| w.plan.name = "patients".parse().unwrap());
    assert_eq!(bare.resolve().unwrap().label, "public.patients");
    assert_eq!(World::sqlite().resolve().unwrap().label, "patients");
    let partition = World::beside().with(|w| {
        w.table().kind = RelationKind::Partition;
        w.table().root = Some("public.\"All\"".parse().unwrap());
    });
    assert_eq!(partition.resolve().unwrap().label, "public.\"All\"");
}

#[test]
fn a_table_without_a_key_does_not_resolve() {
    let world = World::beside().with(|w| w.table().keys.clear());
    assert_eq!(world.resolve().unwrap_err().code, "E0207");
}

#[test]
fn a_unique_key_stands_in_for_a_missing_primary_key() {
    let world = World::beside().with(|w| {
        let mut partial = key("a", &["clinic_id"], false);
        partial.partial = true;
        w.table().keys = vec![partial, key("b", &["id"], false)];
    });
    assert_eq!(world.resolve().unwrap().keys[0].name.as_str(), "id");
}

#[test]
fn after_finalize_the_plaintext_column_may_be_gone() {
    let world = registered(World::beside()).with(|w| {
        w.registered[0].state = FieldState::Finalized;
        w.registered[0].source_type = "bytea".to_owned();
        w.table().columns.remove(1);
        w.table().columns[2].not_null = true;
    });
    assert_eq!(world.check(), Findings::default());
    let field = &world.resolve().unwrap().fields[0];
    assert!(!field.plain_exists && field.plain_is_bytes);
    assert_eq!(field.source_type, "bytea");
}

#[test]
fn a_target_takes_its_forms_from_the_columns() {
    let world = World::indexed().with(|w| {
        w.table().columns.push(column("ssn_sealed", "text"));
        w.ssn().base_type = "date".to_owned();
    });
    let table = world.resolve().unwrap();
    let field = &table.fields[0];
    let sealed = Sealed::Beside {
        column: "ssn_sealed".parse().unwrap(),
        text: true,
    };
    assert_eq!(field.sealed, sealed);
    assert!(field.plain_exists && !field.plain_is_bytes && !field.plain_is_varlena_text);
    let record = &records(&table, &world.plan)[0];
    assert_eq!(record.key_types, ["i"]);
    assert_eq!(record.blind_index_normaliser.as_deref(), Some("digits"));
    assert_eq!(
        (record.blind_index_bits, record.state),
        (Some(256), FieldState::Declared)
    );
}
