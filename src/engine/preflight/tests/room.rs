//! Tests of rules, typed tables, full columns and pages, large objects, UTF-16 files, and the
//! choice between several keys.

use super::*;

#[test]
fn rules_are_refused_and_only_those_of_updates_keep_what_is_sealed_from_being_reached() {
    let rule = |updates: bool| {
        World::beside().with(|w| {
            w.table().rules = names(&["r"]);
            if updates {
                w.table().update_rules = names(&["r"]);
            }
            w.table().columns.push(column("ssn_sealed", "bytea"));
        })
    };
    let purposes = [
        (RunPurpose::Backfill, [1, 1]),
        (RunPurpose::Rotate { indexes: false }, [0, 1]),
        (RunPurpose::Restore { drop_sealed: true }, [0, 1]),
        (RunPurpose::Verify, [0, 0]),
    ];
    for (purpose, refused) in purposes {
        for (updates, refused) in [false, true].into_iter().zip(refused) {
            let world = rule(updates).with(|w| w.purpose = purpose);
            assert_eq!(
                world.refusals(),
                vec!["E0259"; refused],
                "{purpose:?} {updates}"
            );
        }
    }
}

#[test]
fn a_typed_table_and_one_without_a_free_number_take_no_new_column() {
    assert_refused(
        &World::beside(),
        &[
            ("typed", |w| w.table().typed = true, "E0261"),
            (
                "full",
                |w| {
                    w.table().columns_ever = 1600;
                    w.table().columns_max = 1600;
                },
                "E0262",
            ),
        ],
    );
    let ready = |w: &mut World| {
        w.table().typed = true;
        w.table().columns_ever = 1600;
        w.table().columns_max = 1600;
        w.table().columns.push(column("ssn_sealed", "bytea"));
    };
    assert_eq!(World::beside().with(ready).refusals(), [""; 0]);
    let last = World::beside().with(|w| {
        w.table().columns_ever = 1599;
        w.table().columns_max = 1600;
    });
    assert_eq!(last.refusals(), [""; 0]);
    // A rotated blind index needs one more column.
    let rotated = World::indexed().with(|w| {
        ready(w);
        w.table().typed = false;
        w.table().columns.push(column("ssn_bidx", "bytea"));
        w.purpose = RunPurpose::Rotate { indexes: true };
    });
    assert_eq!(rotated.refusals(), ["E0262"]);
}

#[test]
fn a_page_has_room_for_so_many_values() {
    let wide = |values: usize| {
        World::beside().with(|w| {
            w.table().row_bytes_max = 8160;
            w.table()
                .columns
                .extend((0..values).map(|at| column(&format!("c{at}"), "text")));
        })
    };
    assert_eq!(wide(400).warnings(), [""; 0]);
    assert_eq!(wide(460).warnings(), ["E0263"]);
    let short = wide(460).with(|w| {
        for column in &mut w.table().columns {
            column.fixed_bytes = 4;
        }
    });
    assert_eq!(short.warnings(), [""; 0]);
}

#[test]
fn numbers_of_large_objects_are_refused_whatever_they_are_wrapped_in() {
    for change in [
        |w: &mut World| w.ssn().base_type = "oid".to_owned(),
        |w: &mut World| {
            w.ssn().base_type = "oid".to_owned();
            w.ssn().array = true;
        },
        |w: &mut World| {
            w.ssn().base_type = "lo".to_owned();
            w.ssn().base_schema = "public".to_owned();
        },
    ] {
        assert_eq!(World::beside().with(change).refusals(), ["E0257"]);
        let restored = World::beside().with(change).with(|w| {
            w.table().columns.push(column("ssn_sealed", "bytea"));
            w.purpose = RunPurpose::Restore { drop_sealed: false };
        });
        assert_eq!(restored.refusals(), [""; 0]);
    }
}

#[test]
fn of_several_keys_the_narrowest_that_fits_is_taken_by_its_name() {
    let world = World::beside().with(|w| {
        let mut more = ["a", "b", "c", "d"].map(|name| ColumnFacts {
            not_null: true,
            ..column(name, "int4")
        });
        more[0].type_class = 'e';
        more[0].base_schema = "public".to_owned();
        w.table().columns.extend(more);
        w.table().keys = vec![
            key("pk", &["a", "b"], true),
            key("z", &["b"], false),
            key("two", &["c", "b"], false),
            key("y", &["c"], false),
            key("late", &["d"], false),
            key("enum", &["a"], false),
        ];
        w.table().keys[4].deferrable = true;
    });
    let taken = world.resolve().unwrap();
    assert_eq!(taken.keys.len(), 1);
    assert_eq!(taken.keys[0].name.as_str(), "c");
    assert_eq!(
        (world.refusals(), world.warnings()),
        (vec![], vec!["E0208"])
    );
    let none = world.with(|w| w.table().keys.truncate(1));
    assert_eq!(none.refusals(), ["E0208"]);
}

#[test]
fn what_a_look_at_the_rows_found_is_told_with_its_number() {
    let world = World::beside();
    let survey = crate::store::Survey {
        left: None,
        formless: vec![("id".to_owned(), 17_212)],
        violating: vec![("age_ok".to_owned(), 1)],
    };
    let mut findings = Findings::default();
    surveyed(&world.plan, &survey, &mut findings);
    let said: Vec<String> = findings.warnings().map(ToString::to_string).collect();
    assert!(
        said[0].contains("1 row breaks the constraint age_ok"),
        "{said:?}"
    );
    assert!(
        said[1].starts_with("public.patients.id: 17212 rows have a key"),
        "{said:?}"
    );
}
