//! Tests of the catalog facts.

use crate::ident::TableName;
use crate::store::Catalog;
use crate::store::TableFacts;
use crate::store::catalog::RelationKind;
use crate::store::sqlite::fixture::{Fixture, ident, table, with};

async fn facts(fixture: &Fixture, name: &str) -> Option<TableFacts> {
    let name = TableName {
        schema: None,
        name: ident(name),
    };
    fixture.store.table(&name).await.unwrap()
}

async fn clinic() -> TableFacts {
    let fixture = Fixture::new(
        "CREATE TABLE clinics (id INTEGER PRIMARY KEY); \
         CREATE TABLE patients (id INTEGER PRIMARY KEY, clinic INTEGER REFERENCES clinics ON UPDATE CASCADE, \
           ssn VARCHAR(11) NOT NULL UNIQUE CHECK (length(ssn) = 11), age, \
           short TEXT GENERATED ALWAYS AS (substr(ssn, 1, 3)) VIRTUAL, note TEXT DEFAULT ''); \
         CREATE TABLE visits (id INTEGER PRIMARY KEY, patient INTEGER REFERENCES patients ON UPDATE SET NULL); \
         CREATE INDEX by_age ON patients (age) WHERE note <> ''; \
         CREATE VIEW adults AS SELECT id, ssn FROM patients; \
         CREATE TRIGGER touched AFTER UPDATE ON patients BEGIN SELECT 1; END; \
         INSERT INTO patients (id, clinic, ssn, age) VALUES (1, 1, '123-45-6789', 4), (2, 1, '123-45-6780', 'x')",
    )
    .await;
    fixture
        .store
        .prepare(&with(table("patients", &["id"]), "note", "TEXT", true))
        .await
        .unwrap();
    facts(&fixture, "PATIENTS").await.unwrap()
}

#[tokio::test]
async fn columns_keys_and_indexes_of_a_table_are_listed() {
    let facts = clinic().await;
    assert_eq!(
        (facts.name.as_str(), facts.kind, facts.rows),
        ("patients", RelationKind::Table, 2)
    );
    assert!(facts.bytes > 0 && facts.owner);
    let column = |name: &str| {
        facts
            .columns
            .iter()
            .find(|column| column.name == name)
            .unwrap()
    };
    assert_eq!(column("ssn").base_type, "varchar(11)");
    assert!(column("ssn").not_null && column("id").not_null && column("note").has_default);
    assert_eq!(column("age").storage_classes, ["integer", "text"]);
    assert!(column("short").generated);
    assert_eq!(facts.keys[0].columns, ["id"]);
    assert!(
        facts.keys[0].primary
            && facts
                .keys
                .iter()
                .any(|key| !key.primary && key.columns == ["ssn"])
    );
    let by_age = facts
        .indexes
        .iter()
        .find(|index| index.name == "by_age")
        .unwrap();
    assert_eq!(by_age.columns, ["age", "note"]);
    assert_eq!(facts.checks[0].columns, ["ssn"]);
}

#[tokio::test]
async fn what_depends_on_a_table_is_listed() {
    let facts = clinic().await;
    let keys: Vec<_> = facts
        .foreign_keys
        .iter()
        .map(|key| {
            (
                key.other.as_str(),
                key.incoming,
                key.columns.join(","),
                key.on_update_cascades,
            )
        })
        .collect();
    assert_eq!(
        keys,
        [
            ("clinics", false, "clinic".to_owned(), true),
            ("visits", true, "id".to_owned(), true),
        ]
    );
    let triggers: Vec<_> = facts
        .triggers
        .iter()
        .map(|trigger| (trigger.name.as_str(), trigger.update))
        .collect();
    assert_eq!(triggers, [("touched", true)]);
    assert_eq!(facts.guard.len(), 2);
    assert!(
        facts
            .guard
            .iter()
            .all(|trigger| !trigger.before && trigger.row)
    );
    let dependents: Vec<_> = facts
        .dependents
        .iter()
        .map(|one| {
            (
                one.kind.as_str(),
                one.name.as_str(),
                one.columns.contains(&"ssn".to_owned()),
            )
        })
        .collect();
    assert_eq!(
        dependents,
        [
            ("generated column", "short", true),
            ("view", "adults", true)
        ]
    );
}

#[tokio::test]
async fn a_view_is_a_view_and_what_is_not_there_is_none() {
    let fixture = Fixture::new(
        "CREATE TABLE t (a TEXT, b INTEGER, PRIMARY KEY (b, a)) WITHOUT ROWID; CREATE VIEW v AS SELECT a FROM t",
    )
    .await;
    assert_eq!(facts(&fixture, "v").await.unwrap().kind, RelationKind::View);
    assert!(facts(&fixture, "w").await.is_none());
    let table = facts(&fixture, "t").await.unwrap();
    assert_eq!(table.keys.len(), 1);
    assert_eq!(table.keys[0].columns, ["b", "a"]);
    assert!(table.columns.iter().all(|column| column.not_null));
}

#[tokio::test]
async fn the_server_says_what_it_is_and_whether_our_tables_are_there() {
    let mut fixture = Fixture::new("").await;
    let server = fixture.store.server().await.unwrap();
    assert!(server.version.starts_with("SQLite 3.") && server.version_num > 3_040_000);
    assert_eq!(server.encoding, "UTF8");
    assert!(server.installed && !server.read_only);
    fixture.exec("DROP TABLE phiseal_mark").await.unwrap();
    assert!(!fixture.store.server().await.unwrap().installed);
}
