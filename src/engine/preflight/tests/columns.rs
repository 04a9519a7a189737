//! Tests of the checks of columns that are sealed, and of columns that take sealed values.

use super::*;
use crate::store::catalog::{ConstraintFacts, DependentFacts, ForeignKeyFacts, IndexFacts};

fn reader(w: &mut World, kind: &str, name: &str) {
    w.table().dependents.push(DependentFacts {
        kind: kind.to_owned(),
        name: name.to_owned(),
        columns: names(&["ssn"]),
    });
}

fn foreign_key(w: &mut World, incoming: bool) {
    w.table().foreign_keys.push(ForeignKeyFacts {
        name: "fk".to_owned(),
        columns: names(&["ssn"]),
        other: "visits".to_owned(),
        incoming,
        on_update_cascades: false,
    });
}

/// What restricts or reads the plaintext: refused in place, a warning beside.
const ON_PLAINTEXT: &[Case] = &[
    (
        "unique",
        |w| w.table().keys.push(key("u", &["ssn"], false)),
        "E0229",
    ),
    (
        "check",
        |w| {
            w.table().checks.push(ConstraintFacts {
                name: "c".to_owned(),
                columns: names(&["ssn", "id"]),
            })
        },
        "E0230",
    ),
    ("foreign key", |w| foreign_key(w, false), "E0231"),
    ("referred to", |w| foreign_key(w, true), "E0231"),
    (
        "index",
        |w| {
            w.table().indexes.push(IndexFacts {
                name: "i".to_owned(),
                method: "gin".to_owned(),
                unique: false,
                columns: names(&["ssn"]),
                ..IndexFacts::default()
            })
        },
        "E0232",
    ),
    (
        "generated",
        |w| reader(w, "generated column", "ssn_last4"),
        "E0233",
    ),
    ("view", |w| reader(w, "view", "v"), "E0234"),
    (
        "materialized view",
        |w| reader(w, "materialized view", "v"),
        "E0234",
    ),
    ("rule elsewhere", |w| reader(w, "rule", "r"), "E0235"),
    ("policy", |w| reader(w, "policy", "p"), "E0236"),
    ("trigger", |w| reader(w, "trigger", "t"), "E0236"),
    ("function", |w| reader(w, "function", "f()"), "E0236"),
];

#[test]
fn what_is_on_the_plaintext_is_refused_in_place() {
    assert_refused(&World::in_place(), ON_PLAINTEXT);
}

#[test]
fn what_is_on_the_plaintext_is_only_a_warning_beside() {
    assert_warned(&World::beside(), ON_PLAINTEXT);
    assert_warned(
        &World::beside(),
        &[
            ("not null", |w| w.ssn().not_null = true, "E0245"),
            ("default", |w| w.ssn().has_default = true, "E0269"),
        ],
    );
}

#[test]
fn what_is_on_the_plaintext_does_not_hinder_restore_or_verify() {
    for purpose in [
        RunPurpose::Restore { drop_sealed: false },
        RunPurpose::Verify,
    ] {
        for (what, change, _) in ON_PLAINTEXT {
            let world = World::in_place().with(change).with(|w| w.purpose = purpose);
            assert_eq!(world.check(), Findings::default(), "{what} {purpose:?}");
        }
    }
}

#[test]
fn indexes_and_constraints_of_our_own_are_passed_over() {
    let world = World::in_place().with(|w| {
        let index = |name: &str| IndexFacts {
            name: name.to_owned(),
            method: "btree".to_owned(),
            unique: false,
            columns: names(&["id", "ssn"]),
            ..IndexFacts::default()
        };
        w.table().indexes = vec![index("patients_phiseal_sweep")];
        w.table().checks.push(ConstraintFacts {
            name: "patients_ssn_phiseal".to_owned(),
            columns: names(&["ssn"]),
        });
    });
    assert_eq!(world.check(), Findings::default());
}

#[test]
fn types_whose_text_is_not_fixed_are_refused_in_either_form() {
    for base in ["money", "xml", "regclass", "regproc", "aclitem"] {
        let world = World::beside().with(|w| w.ssn().base_type = base.to_owned());
        assert_eq!(world.refusals(), ["E0211"], "{base}");
        let array = world.with(|w| w.ssn().array = true);
        assert_eq!(array.refusals(), ["E0211"], "{base}[]");
    }
    let composite = World::beside().with(|w| {
        w.ssn().base_schema = "public".to_owned();
        w.ssn().type_class = 'c';
    });
    assert_eq!(composite.refusals(), ["E0211"]);
    let extension = World::beside().with(|w| w.ssn().base_schema = "public".to_owned());
    assert_eq!(
        (extension.refusals(), extension.warnings()),
        (vec![], vec!["E0211"])
    );
}

#[test]
fn in_place_only_text_of_any_length_will_do() {
    assert_refused(
        &World::in_place(),
        &[
            ("date", |w| w.ssn().base_type = "date".to_owned(), "E0228"),
            ("text[]", |w| w.ssn().array = true, "E0228"),
            (
                "domain",
                |w| w.ssn().domain = Some("ssn_text".to_owned()),
                "E0228",
            ),
            (
                "enum",
                |w| {
                    w.ssn().base_schema = "public".to_owned();
                    w.ssn().type_class = 'e';
                },
                "E0228",
            ),
            (
                "varchar(11)",
                |w| {
                    w.ssn().base_type = "varchar".to_owned();
                    w.ssn().char_limit = Some(11);
                },
                "E0227",
            ),
            (
                "char(11)",
                |w| {
                    w.ssn().base_type = "bpchar".to_owned();
                    w.ssn().char_limit = Some(11);
                },
                "E0227",
            ),
            (
                "bpchar",
                |w| w.ssn().base_type = "bpchar".to_owned(),
                "E0227",
            ),
        ],
    );
    for base in ["varchar", "text"] {
        let world = World::in_place().with(|w| w.ssn().base_type = base.to_owned());
        assert_eq!(world.check(), Findings::default(), "{base}");
    }
}

#[test]
fn a_narrow_column_says_how_long_its_values_can_get() {
    // docs/FORMAT.md: 4 + ceil(4 (n + 34) / 3), with four bytes a character.
    assert_eq!(width::sealed_chars_max(11, 0), 4 + 104);
    assert_eq!(width::sealed_chars_max(11, 64), 4 + 131);
    // 44 bytes and the end mark do not fit into a bucket of 44.
    assert_eq!(width::sealed_chars_max(11, 44), 4 + 163);
}

#[test]
fn a_column_that_is_not_there_is_refused_with_a_suggestion() {
    let world = World::beside().with(|w| w.plan.columns[0].name = "insurer".parse().unwrap());
    assert_eq!(world.refusals(), ["E0202"]);
    let world = World::beside().with(|w| w.plan.columns[0].name = "clinic_di".parse().unwrap());
    let findings = world.check();
    assert_eq!(
        findings.refusals().next().unwrap().hint,
        "did you mean clinic_id?"
    );
    let unsealed = World::beside().with(|w| w.purpose = RunPurpose::Verify);
    assert_eq!(unsealed.refusals(), ["E0202"]);
}

#[test]
fn a_generated_column_is_refused_in_either_form() {
    for world in [World::beside(), World::in_place()] {
        assert_refused(
            &world,
            &[("generated", |w| w.ssn().generated = true, "E0233")],
        );
    }
}

#[test]
fn mixed_storage_classes_are_refused_in_sqlite() {
    let mixed = |w: &mut World| w.ssn().storage_classes = names(&["integer", "text"]);
    assert_eq!(World::sqlite().with(mixed).refusals(), ["E0244"]);
    let one = World::sqlite().with(|w| w.ssn().storage_classes = names(&["text"]));
    assert_eq!(one.refusals(), [""; 0]);
}

#[test]
fn a_tenant_column_must_be_there_and_of_fixed_text() {
    let tenanted = World::beside().with(|w| {
        w.plan.tenant_column = Some("clinic_id".parse().unwrap());
        w.table().columns[2].not_null = true;
    });
    assert_eq!(tenanted.check(), Findings::default());
    assert_refused(
        &tenanted,
        &[
            (
                "missing",
                |w| w.plan.tenant_column = Some("clinic".parse().unwrap()),
                "E0212",
            ),
            (
                "float",
                |w| w.table().columns[2].base_type = "float8".to_owned(),
                "E0212",
            ),
            (
                "generated",
                |w| w.table().columns[2].generated = true,
                "E0212",
            ),
        ],
    );
    assert_warned(
        &tenanted,
        &[(
            "nullable",
            |w| w.table().columns[2].not_null = false,
            "E0212",
        )],
    );
}

#[test]
fn a_sealed_column_that_exists_must_take_any_sealed_value() {
    let exists = World::beside().with(|w| w.table().columns.push(column("ssn_sealed", "bytea")));
    assert_eq!(exists.check(), Findings::default());
    for base in ["text", "varchar"] {
        let text = exists
            .clone()
            .with(|w| w.table().columns[3].base_type = base.to_owned());
        assert_eq!(text.check(), Findings::default(), "{base}");
    }
    assert_refused(
        &exists,
        &[
            (
                "int4",
                |w| w.table().columns[3].base_type = "int4".to_owned(),
                "E0238",
            ),
            ("bytea[]", |w| w.table().columns[3].array = true, "E0238"),
            (
                "domain",
                |w| w.table().columns[3].domain = Some("d".to_owned()),
                "E0238",
            ),
            (
                "varchar(9)",
                |w| {
                    w.table().columns[3].base_type = "varchar".to_owned();
                    w.table().columns[3].char_limit = Some(9);
                },
                "E0238",
            ),
            (
                "not null",
                |w| w.table().columns[3].not_null = true,
                "E0238",
            ),
            (
                "default",
                |w| w.table().columns[3].has_default = true,
                "E0238",
            ),
            (
                "generated",
                |w| w.table().columns[3].generated = true,
                "E0238",
            ),
            (
                "check",
                |w| {
                    w.table().checks.push(ConstraintFacts {
                        name: "c".to_owned(),
                        columns: names(&["ssn_sealed"]),
                    })
                },
                "E0238",
            ),
        ],
    );
}

#[test]
fn a_blind_index_column_that_exists_must_be_a_plain_bytea() {
    let exists = World::indexed().with(|w| w.table().columns.push(column("ssn_bidx", "bytea")));
    assert_eq!(exists.check(), Findings::default());
    assert_refused(
        &exists,
        &[
            (
                "text",
                |w| w.table().columns[3].base_type = "text".to_owned(),
                "E0239",
            ),
            (
                "not null",
                |w| w.table().columns[3].not_null = true,
                "E0239",
            ),
            (
                "unique",
                |w| w.table().keys.push(key("u", &["ssn_bidx"], false)),
                "E0239",
            ),
        ],
    );
}

#[test]
fn a_blind_index_over_few_distinct_values_is_refused_unless_forced() {
    assert_refused(
        &World::indexed(),
        &[
            ("99 values", |w| w.ssn().distinct = 99.0, "E0237"),
            ("a fraction", |w| w.ssn().distinct = -0.000_01, "E0237"),
            (
                "boolean",
                |w| w.ssn().base_type = "bool".to_owned(),
                "E0237",
            ),
        ],
    );
    let harmless: [Case; 4] = [
        ("unknown", |w| w.ssn().distinct = 0.0, ""),
        ("100 values", |w| w.ssn().distinct = 100.0, ""),
        (
            "small and all different",
            |w| {
                w.ssn().distinct = -1.0;
                w.table().rows = 20;
            },
            "",
        ),
        (
            "forced",
            |w| {
                w.ssn().distinct = 3.0;
                w.plan.columns[0].blind_index.as_mut().unwrap().force = true;
            },
            "",
        ),
    ];
    for (what, change, _) in harmless {
        assert_eq!(
            World::indexed().with(change).check(),
            Findings::default(),
            "{what}"
        );
    }
}
