//! The registry of fields: names are followed, and what was fixed is kept.

use super::{Own, is_missing};
use crate::ops::on_both;
use crate::support::{Base, Fixture};
use phiseal::store::{FieldRecord, FieldState, Found, StoreError, Whereabouts};

on_both!(
    a_field_is_read_back_as_it_was_registered,
    a_field_that_is_registered_again_takes_its_new_names_and_keeps_the_rest,
    a_field_that_is_registered_again_under_the_same_names_is_not_touched,
    a_state_is_set_for_registered_fields_only_and_for_all_or_none,
    a_field_moves_to_no_state_that_its_present_one_does_not_allow,
    fields_are_listed_by_table_in_the_order_of_their_registration,
);

const PEOPLE: &str = "CREATE TABLE people (id integer PRIMARY KEY, ssn text, dob text)";

/// A field beside its plaintext, with a blind index.
fn field(own: &Own, table: &str, column: &str) -> FieldRecord {
    let schema = match own.fixture.base {
        Base::Postgres(_) => "public",
        Base::Sqlite(_) => "",
    };
    FieldRecord {
        table_label: table.to_owned(),
        column_label: column.to_owned(),
        schema_name: schema.to_owned(),
        table_name: table.to_owned(),
        column_name: column.to_owned(),
        sealed_column: Some(format!("{column}_sealed")),
        blind_index_column: Some(format!("{column}_index")),
        blind_index_normaliser: Some("digits".to_owned()),
        blind_index_bits: Some(128),
        blind_index_next: None,
        blind_index_key_id: None,
        tenant_column: Some("clinic".to_owned()),
        key_columns: vec!["id".to_owned(), "a \"name\", or two".to_owned()],
        key_types: vec!["int8".to_owned(), "text".to_owned()],
        source_type: "text".to_owned(),
        in_place: false,
        pad_to: 32,
        state: FieldState::Prepared,
        frozen: false,
        plaintext_definition: "{}".to_owned(),
        values_sealed: 0,
        place: Whereabouts::default(),
    }
}

/// Where a field is whose table is gone.
fn gone() -> Whereabouts {
    Whereabouts {
        found: Found::Gone,
        ..Whereabouts::default()
    }
}

/// Sets the state of the field `people.ssn`.
async fn set_state(own: &Own, state: FieldState) {
    let columns = ["ssn".to_owned()];
    let set = own.store.set_field_state("people", &columns, state).await;
    set.unwrap();
}

/// Everything in these fields, to compare.
fn shown(fields: &[FieldRecord]) -> Vec<String> {
    fields.iter().map(|field| format!("{field:#?}")).collect()
}

async fn a_field_is_read_back_as_it_was_registered(fixture: Fixture) {
    let own = Own::new(fixture).await;
    own.fixture.exec(PEOPLE).await;
    own.key(5, "", false).await;
    let fields = [
        FieldRecord {
            blind_index_key_id: Some(5),
            place: gone(),
            ..field(&own, "nowhere", "ssn")
        },
        FieldRecord {
            sealed_column: None,
            blind_index_column: None,
            blind_index_normaliser: None,
            blind_index_bits: None,
            tenant_column: None,
            in_place: true,
            pad_to: 0,
            state: FieldState::Declared,
            ..field(&own, "people", "dob")
        },
    ];
    assert!(own.store.fields().await.unwrap().is_empty());
    own.store.register_fields(&fields).await.unwrap();
    let listed = own.store.fields().await.unwrap();
    assert_eq!(shown(&listed), shown(&fields));
}

async fn a_field_that_is_registered_again_takes_its_new_names_and_keeps_the_rest(fixture: Fixture) {
    let own = Own::new(fixture).await;
    own.fixture.exec(PEOPLE).await;
    own.key(5, "", false).await;
    let ssn = FieldRecord {
        blind_index_key_id: Some(5),
        ..field(&own, "people", "ssn")
    };
    let dob = field(&own, "people", "dob");
    let both = [ssn.clone(), dob.clone()];
    own.store.register_fields(&both).await.unwrap();
    set_state(&own, FieldState::Sealing).await;
    set_state(&own, FieldState::Verified).await;
    let fields = own.fixture.own("encrypted_field_metadata");
    own.fixture
        .exec(&format!(
            "UPDATE {fields} SET values_sealed = 7 WHERE column_label = 'ssn'; \
             ALTER TABLE people RENAME TO persons; ALTER TABLE persons RENAME COLUMN ssn TO social"
        ))
        .await;

    let renamed = FieldRecord {
        table_name: "persons".to_owned(),
        column_name: "social".to_owned(),
        sealed_column: Some("social_sealed".to_owned()),
        blind_index_column: Some("social_index".to_owned()),
        tenant_column: None,
        key_columns: vec!["no".to_owned()],
        ..ssn.clone()
    };
    let again = FieldRecord {
        blind_index_normaliser: Some("none".to_owned()),
        blind_index_bits: Some(64),
        blind_index_key_id: None,
        key_types: vec!["uuid".to_owned()],
        source_type: "varchar".to_owned(),
        pad_to: 0,
        state: FieldState::Declared,
        values_sealed: 99,
        ..renamed.clone()
    };
    own.store.register_fields(&[again]).await.unwrap();
    let kept = FieldRecord {
        state: FieldState::Verified,
        values_sealed: 7,
        ..renamed
    };
    // The other field is still recorded under the table's old name.
    let other = FieldRecord {
        place: gone(),
        ..dob
    };
    let listed = own.store.fields().await.unwrap();
    assert_eq!(shown(&listed), shown(&[kept, other]));
}

async fn a_field_that_is_registered_again_under_the_same_names_is_not_touched(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let ssn = [field(&own, "people", "ssn")];
    own.store.register_fields(&ssn).await.unwrap();
    let touched = || own.read("CAST(updated_at AS text)", "encrypted_field_metadata", "");
    let before = touched().await;
    assert!(before.is_some());
    super::pause().await;
    own.store.register_fields(&ssn).await.unwrap();
    // Neither is it by the state that it has.
    set_state(&own, FieldState::Prepared).await;
    assert_eq!(touched().await, before);
    set_state(&own, FieldState::Sealing).await;
    assert_ne!(touched().await, before);
}

async fn a_state_is_set_for_registered_fields_only_and_for_all_or_none(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let both = ["ssn", "dob"].map(|column| field(&own, "people", column));
    own.store.register_fields(&both).await.unwrap();
    let columns = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    };
    for (table, names) in [
        ("people", &["ssn", "nothing"][..]),
        ("people", &["nothing", "ssn"][..]),
        ("nowhere", &["ssn"][..]),
    ] {
        let names = columns(names);
        let set = own
            .store
            .set_field_state(table, &names, FieldState::Sealing);
        assert!(is_missing(set.await), "{table}.{names:?}");
        let listed = own.store.fields().await.unwrap();
        let states: Vec<_> = listed.iter().map(|field| field.state).collect();
        assert_eq!(states, [FieldState::Prepared; 2]);
    }
    let names = columns(&["dob", "ssn"]);
    for state in [FieldState::Sealing, FieldState::Forgotten] {
        let set = own.store.set_field_state("people", &names, state).await;
        set.unwrap();
        let listed = own.store.fields().await.unwrap();
        assert!(listed.iter().all(|field| field.state == state), "{state}");
    }
}

async fn a_field_moves_to_no_state_that_its_present_one_does_not_allow(fixture: Fixture) {
    let own = Own::new(fixture).await;
    own.fixture.exec(PEOPLE).await;
    let both = [field(&own, "people", "ssn"), field(&own, "people", "dob")];
    own.store.register_fields(&both).await.unwrap();
    let (one, two) = (["ssn".to_owned()], ["ssn".to_owned(), "dob".to_owned()]);
    let store = &own.store;
    store
        .set_field_state("people", &one, FieldState::Sealing)
        .await
        .unwrap();
    // One of the two fields is still prepared, which nobody verifies.
    let refused = store
        .set_field_state("people", &two, FieldState::Verified)
        .await;
    assert!(
        matches!(refused, Err(StoreError::FieldMoved { .. })),
        "{refused:?}"
    );
    let states: Vec<_> = store
        .fields()
        .await
        .unwrap()
        .iter()
        .map(|field| field.state)
        .collect();
    assert_eq!(states, [FieldState::Sealing, FieldState::Prepared]);
}

async fn fields_are_listed_by_table_in_the_order_of_their_registration(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let three = [("b", "y"), ("a", "z"), ("b", "x")];
    let fields = three.map(|(table, column)| field(&own, table, column));
    own.store.register_fields(&fields).await.unwrap();
    let listed = own.store.fields().await.unwrap();
    let labels: Vec<_> = listed
        .iter()
        .map(|field| (field.table_label.as_str(), field.column_label.as_str()))
        .collect();
    assert_eq!(labels, [("a", "z"), ("b", "y"), ("b", "x")]);
}
