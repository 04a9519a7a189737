//! Tests of what is found to depend on a plaintext column.

use super::sealed;
use crate::store::Plaintext;
use crate::store::sqlite::fixture::Fixture;

#[tokio::test]
async fn each_dependent_is_found_and_said_to_be_in_the_way_or_not() {
    let (mut fixture, table) = sealed(
        "id INTEGER PRIMARY KEY, ssn TEXT UNIQUE CHECK (ssn <> other) REFERENCES ref (v), other TEXT, \
         upper_ssn TEXT AS (upper(ssn)), CHECK (length(ssn) < 20), CHECK (ssn > id), UNIQUE (ssn, other)",
    )
    .await;
    fixture
        .exec(
            "CREATE TABLE ref (v TEXT PRIMARY KEY); CREATE TABLE down (s TEXT REFERENCES t (ssn)); \
             CREATE VIEW named AS SELECT ssn FROM t; CREATE VIEW every AS SELECT * FROM t; \
             CREATE VIEW counted AS SELECT count(*), 2 * id FROM t; CREATE VIEW foreign_view AS SELECT 1 AS ssn; \
             CREATE TRIGGER own AFTER UPDATE OF ssn ON t BEGIN SELECT 1; END; \
             CREATE TRIGGER far AFTER INSERT ON ref BEGIN SELECT ssn FROM t; END; \
             CREATE INDEX ssn_of_other ON t (other); CREATE INDEX expression ON t (lower(ssn)); \
             CREATE UNIQUE INDEX once ON t (ssn); CREATE UNIQUE INDEX partial_one ON t (other) WHERE ssn IS NULL",
        )
        .await
        .unwrap();
    let all = fixture.store.plaintext_dependents(&table).await.unwrap();
    let said = |blocks: bool| -> Vec<String> {
        let mut names: Vec<String> = (all.iter())
            .filter(|one| one.blocks == blocks)
            .map(|one| format!("{}: {}", one.kind, one.name))
            .collect();
        names.sort();
        names
    };
    assert_eq!(
        said(true),
        [
            "check constraint: CHECK (ssn > id)",
            "check constraint: CHECK of the column",
            "foreign key: down 0",
            "foreign key: t 0",
            "generated column: upper_ssn",
            "trigger: far",
            "trigger: own",
            "unique index: partial_one",
            "view: named",
        ]
    );
    assert_eq!(
        said(false),
        [
            "check constraint: CHECK (length(ssn) < 20)",
            "index: expression",
            "unique constraint: UNIQUE (ssn, other)",
            "unique constraint: UNIQUE of the column",
            "unique index: once",
            "view with SELECT *: every",
        ]
    );
    let named = all.iter().find(|one| one.name == "named").unwrap();
    assert_eq!(named.drop.as_deref(), Some("DROP VIEW \"named\";"));
    assert_eq!(
        named.create.as_deref(),
        Some("CREATE VIEW named AS SELECT ssn FROM t;")
    );
}

#[tokio::test]
async fn without_a_unique_blind_index_nothing_takes_the_place_of_a_uniqueness() {
    let (mut fixture, mut table) =
        sealed("id INTEGER PRIMARY KEY, ssn TEXT UNIQUE, other TEXT, UNIQUE (ssn, other)").await;
    fixture
        .exec(
            "CREATE UNIQUE INDEX once ON t (ssn); \
             CREATE UNIQUE INDEX partial_one ON t (other) WHERE ssn IS NULL",
        )
        .await
        .unwrap();
    table.fields[0].index = None;
    let all = fixture.store.plaintext_dependents(&table).await.unwrap();
    let blocking = all
        .iter()
        .filter(|one| one.blocks && one.kind.starts_with("unique"));
    assert_eq!(blocking.count(), 4);
    assert!(
        Fixture::new("")
            .await
            .store
            .plaintext_dependents(&table)
            .await
            .is_err()
    );
}
