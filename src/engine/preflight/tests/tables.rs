//! Tests of the checks of server, table, key and triggers.

use super::rights::{create, rights};
use super::*;
use crate::store::catalog::{ForeignKeyFacts, LeafFacts, Standbys, TriggerFacts};

pub(super) fn trigger(name: &str, enabled: char) -> TriggerFacts {
    TriggerFacts {
        name: name.to_owned(),
        row: true,
        update: true,
        enabled,
        ..TriggerFacts::default()
    }
}

#[test]
fn what_a_server_or_table_lacks_is_refused() {
    assert_refused(
        &World::beside(),
        &[
            (
                "SQL_ASCII",
                |w| w.server.encoding = "SQL_ASCII".to_owned(),
                "E0213",
            ),
            ("standby", |w| w.server.read_only = true, "E0214"),
            ("not installed", |w| w.server.installed = false, "E0215"),
            ("no cell key", |w| w.keys.cell = false, "E0216"),
            ("no table", |w| w.table = None, "E0201"),
            ("temporary", |w| w.table().temporary = true, "E0203"),
            (
                "columnar",
                |w| w.table().foreign_access_method = Some("columnar".to_owned()),
                "E0204",
            ),
            ("inheritance", |w| w.table().inheritance = true, "E0205"),
            (
                "row security",
                |w| w.table().row_security_applies = true,
                "E0219",
            ),
            (
                "no SELECT",
                |w| w.table().missing_rights = rights("SELECT", "public.patients"),
                "E0217",
            ),
            (
                "own tables",
                |w| w.server.missing_rights = rights("INSERT", "phiseal.runs"),
                "E0217",
            ),
            ("no owner", |w| w.table().owner = false, "E0218"),
            ("no CREATE", |w| w.server.create_denied = create(), "E0218"),
            (
                "published",
                |w| w.table().publications = names(&["p"]),
                "E0222",
            ),
            (
                "foreign leaf",
                |w| {
                    w.table().kind = RelationKind::Partitioned;
                    w.table().leaves = vec![LeafFacts {
                        foreign: true,
                        ..LeafFacts::default()
                    }];
                },
                "E0203",
            ),
        ],
    );
}

#[test]
fn a_blind_index_needs_its_own_key() {
    let world = World::indexed().with(|w| w.keys.blind_index = false);
    assert_eq!(world.refusals(), ["E0216"]);
    let verify = world.with(|w| {
        w.purpose = RunPurpose::Verify;
        w.table().columns.push(column("ssn_sealed", "bytea"));
    });
    assert_eq!(verify.refusals(), [""; 0]);
}

#[test]
fn what_a_person_should_know_is_a_warning() {
    assert_warned(
        &World::beside(),
        &[
            ("unlogged", |w| w.table().unlogged = true, "E0206"),
            (
                "full replica identity",
                |w| w.table().replica_identity_full = true,
                "E0223",
            ),
            (
                "statement log",
                |w| w.server.statement_logging = names(&["log_statement = all"]),
                "E0242",
            ),
            (
                "values in the log",
                |w| w.server.batch_log.with_values = names(&["log_statement = all"]),
                "E0285",
            ),
            (
                "statistics",
                |w| w.table().extended_statistics = names(&["ssn"]),
                "E0242",
            ),
            ("prepared", |w| w.server.prepared_transactions = 1, "E0243"),
            ("long", |w| w.server.long_transactions = 2, "E0243"),
            (
                "standbys that cannot be seen",
                |w| w.server.standbys = Some(standbys(1, None)),
                "E0272",
            ),
            (
                "one partition",
                |w| {
                    w.table().kind = RelationKind::Partition;
                    w.table().root = Some("public.all_patients".parse().unwrap());
                },
                "E0203",
            ),
            (
                "published, columns there",
                |w| {
                    w.table().publications = names(&["p"]);
                    w.table().columns.push(column("ssn_sealed", "bytea"));
                },
                "E0222",
            ),
            (
                "cascading key",
                |w| {
                    w.table().foreign_keys.push(ForeignKeyFacts {
                        name: "fk".to_owned(),
                        columns: names(&["id"]),
                        other: "people".to_owned(),
                        incoming: false,
                        on_update_cascades: true,
                    })
                },
                "E0210",
            ),
        ],
    );
}

#[test]
fn a_table_without_a_usable_key_is_refused_with_its_reason() {
    assert_refused(
        &World::beside(),
        &[
            ("no key", |w| w.table().keys.clear(), "E0207"),
            (
                "deferrable",
                |w| w.table().keys[0].deferrable = true,
                "E0207",
            ),
            (
                "nullable",
                |w| {
                    w.table().keys[0].primary = false;
                    w.table().columns[0].not_null = false;
                },
                "E0207",
            ),
            (
                "partial",
                |w| {
                    w.table().keys[0].primary = false;
                    w.table().keys[0].partial = true;
                },
                "E0207",
            ),
            (
                "per partition",
                |w| {
                    w.table().keys.clear();
                    w.table().leaves = vec![LeafFacts::default()];
                },
                "E0207",
            ),
            (
                "generated",
                |w| w.table().columns[0].generated = true,
                "E0208",
            ),
        ],
    );
    let sealed_key = World::beside().with(|w| w.table().keys[0].columns = names(&["ssn"]));
    assert_eq!(
        sealed_key.with(|w| w.ssn().not_null = true).refusals(),
        ["E0208"]
    );
}

#[test]
fn key_types_without_fixed_text_are_refused_and_all_others_resolve_to_their_tag() {
    for base in [
        "float4", "float8", "time", "interval", "inet", "bit", "jsonb", "money", "name", "oid",
    ] {
        let world = World::beside().with(|w| w.table().columns[0].base_type = base.to_owned());
        assert_eq!(world.refusals(), ["E0208"], "{base}");
    }
    for (base, tag) in [
        ("int2", "i"),
        ("int4", "i"),
        ("int8", "i"),
        ("uuid", "u"),
        ("text", "t"),
        ("varchar", "t"),
        ("bpchar", "t"),
        ("numeric", "n"),
        ("date", "d"),
        ("timestamp", "z"),
        ("timestamptz", "z"),
        ("bytea", "b"),
        ("bool", "o"),
    ] {
        let world = World::beside().with(|w| w.table().columns[0].base_type = base.to_owned());
        let table = world.resolve().unwrap();
        assert_eq!(table.keys[0].kind.tag(), tag, "{base}");
        assert_eq!(table.keys[0].cast, base);
    }
    let array = World::beside().with(|w| w.table().columns[0].array = true);
    assert_eq!(array.refusals(), ["E0208"]);
    let enumerated = World::beside().with(|w| {
        w.table().columns[0].base_schema = "public".to_owned();
        w.table().columns[0].type_class = 'e';
    });
    assert_eq!(enumerated.refusals(), ["E0208"]);
}

#[test]
fn citext_keys_are_cast_with_their_schema() {
    let world = World::beside().with(|w| {
        w.table().columns[0].base_type = "citext".to_owned();
        w.table().columns[0].base_schema = "Ext".to_owned();
    });
    let key = &world.resolve().unwrap().keys[0];
    assert_eq!(key.cast, "\"Ext\".\"citext\"");
    assert_eq!(key.type_schema.as_ref().unwrap().as_str(), "Ext");
}

#[test]
fn real_keys_in_sqlite_are_refused() {
    let world = World::sqlite().with(|w| w.table().columns[0].storage_classes = names(&["real"]));
    assert_eq!(world.refusals(), ["E0208"]);
}

#[test]
fn update_triggers_are_refused_until_the_plan_says_what_to_do() {
    let world = World::beside().with(|w| w.table().triggers = vec![trigger("touch", 'O')]);
    assert_eq!(world.refusals(), ["E0224"]);
    let fire = world
        .clone()
        .with(|w| w.plan.triggers = TriggerPolicy::Fire);
    assert_eq!((fire.refusals(), fire.warnings()), (vec![], vec!["E0224"]));
    let suppress = world
        .clone()
        .with(|w| w.plan.triggers = TriggerPolicy::Suppress);
    assert_eq!(suppress.refusals(), ["E0226"]);
    let superuser = suppress
        .clone()
        .with(|w| w.server.may_suppress_triggers = true);
    assert_eq!(
        (superuser.refusals(), superuser.warnings()),
        (vec![], vec!["E0224"])
    );
    let always = superuser.with(|w| w.table().triggers[0].enabled = 'A');
    assert_eq!(always.refusals(), ["E0224"]);
    assert_eq!(
        world
            .with(|w| w.table().triggers[0].enabled = 'D')
            .refusals(),
        [""; 0]
    );
}

/// The server sorts triggers by bytes: `~q` and `é` come after the guard, `~a` and `|` before.
#[test]
fn a_before_trigger_that_fires_after_the_guard_is_refused() {
    for (name, late) in [
        ("|", false),
        ("~", false),
        ("~a", false),
        ("z", false),
        ("~q", true),
        ("~é", true),
        ("é", true),
    ] {
        for (row, before, enabled) in [
            (true, true, 'O'),
            (true, true, 'R'),
            (false, true, 'O'),
            (true, false, 'O'),
            (true, true, 'D'),
        ] {
            let world = World::beside().with(|w| {
                w.plan.triggers = TriggerPolicy::Fire;
                w.table().triggers = vec![TriggerFacts {
                    row,
                    before,
                    ..trigger(name, enabled)
                }];
            });
            let refused = late && row && before && enabled != 'D';
            let expected: &[&str] = if refused { &["E0260"] } else { &[] };
            assert_eq!(
                world.refusals(),
                expected,
                "{name} {row} {before} {enabled}"
            );
        }
    }
    let insert = World::beside().with(|w| {
        w.table().triggers = vec![TriggerFacts {
            before: true,
            insert: true,
            update: false,
            ..trigger("~q", 'O')
        }];
    });
    assert_eq!(insert.refusals(), ["E0260"]);
}

#[test]
fn sqlite_cannot_suppress_triggers() {
    let world = World::sqlite().with(|w| {
        w.table().triggers = vec![trigger("touch", 'A')];
        w.plan.triggers = TriggerPolicy::Suppress;
        w.server.may_suppress_triggers = true;
    });
    assert_eq!(world.refusals(), ["E0226"]);
}

#[test]
fn before_update_triggers_are_refused_in_place_whatever_the_plan_says() {
    for policy in [TriggerPolicy::Fire, TriggerPolicy::Suppress] {
        let before = TriggerFacts {
            before: true,
            ..trigger("touch", 'O')
        };
        let world = World::in_place().with(|w| {
            w.plan.triggers = policy;
            w.server.may_suppress_triggers = true;
            w.table().triggers = vec![before.clone()];
        });
        assert_eq!(world.refusals(), ["E0225"], "{policy:?}");
        let beside = World::beside().with(|w| {
            w.plan.triggers = TriggerPolicy::Fire;
            w.table().triggers = vec![before];
        });
        assert_eq!(beside.refusals(), [""; 0]);
    }
}

fn standbys(asked: u32, there: Option<i64>) -> Standbys {
    Standbys { asked, there }
}

#[test]
fn what_the_server_does_not_have_for_a_run_refuses_it() {
    let with = |change: fn(&mut ServerFacts)| World::beside().with(|w| change(&mut w.server));
    let connections = |needed, free| {
        World::beside().with(|w| {
            w.server.connections_needed = needed;
            w.server.connections_free = free;
        })
    };
    assert_eq!(connections(7, Some(6)).refusals(), ["E0270"]);
    assert_eq!(connections(7, Some(7)).refusals(), [""; 0]);
    assert_eq!(connections(7, None).refusals(), [""; 0]);
    let missing = with(|server| server.standbys = Some(standbys(2, Some(1))));
    assert_eq!(missing.refusals(), ["E0271"]);
    let there = with(|server| server.standbys = Some(standbys(2, Some(2))));
    assert_eq!(there.refusals(), [""; 0]);
    let unseen = with(|server| server.standbys = Some(standbys(1, None)));
    assert_eq!(unseen.refusals(), [""; 0]);
}
