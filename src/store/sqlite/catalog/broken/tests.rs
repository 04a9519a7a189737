//! Tests that exactly the objects are found which prevent SQLite from dropping a column.

use crate::store::Catalog;
use crate::store::sqlite::fixture::Fixture;

const SOUND: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); CREATE TABLE u (x); \
    CREATE VIEW good AS SELECT id, v FROM t; CREATE VIEW over_good AS SELECT id FROM good; \
    CREATE TRIGGER into_view INSTEAD OF INSERT ON good BEGIN INSERT INTO u VALUES (NEW.v); END; \
    CREATE TRIGGER logs AFTER DELETE ON t BEGIN INSERT INTO u VALUES (OLD.v); END; \
    CREATE VIRTUAL TABLE words USING fts5(body); CREATE VIEW found AS SELECT body FROM words WHERE words MATCH 'x'; \
    CREATE TABLE odd (\"a b\" TEXT, g AS (length(\"a b\")));";

async fn broken(schema: &str) -> (Vec<String>, bool) {
    let mut fixture = Fixture::new(&format!("{SOUND} {schema}")).await;
    let found = fixture.store.server().await.unwrap().broken_objects;
    let dropped = fixture
        .exec("CREATE TABLE probe (a, b); ALTER TABLE probe DROP COLUMN b")
        .await;
    (found, dropped.is_ok())
}

#[tokio::test]
async fn a_sound_schema_has_none() {
    assert_eq!(broken("").await, (Vec::new(), true));
}

#[tokio::test]
async fn each_view_and_trigger_that_names_what_is_not_there_is_named() {
    for (schema, names) in [
        ("CREATE VIEW v AS SELECT gone FROM t;", &["view v"][..]),
        ("CREATE VIEW v AS SELECT * FROM gone;", &["view v"]),
        (
            "CREATE VIEW \"it's a view\" AS SELECT * FROM gone;",
            &["view it's a view"],
        ),
        (
            "CREATE TRIGGER tr AFTER INSERT ON u BEGIN DELETE FROM gone; END;",
            &["trigger tr"],
        ),
        (
            "CREATE TRIGGER tr AFTER INSERT ON u BEGIN SELECT gone FROM t; END;",
            &["trigger tr"],
        ),
        (
            "CREATE TRIGGER tr AFTER UPDATE ON u WHEN NEW.gone BEGIN SELECT 1; END;",
            &["trigger tr"],
        ),
        (
            "CREATE VIEW v AS SELECT gone FROM t; CREATE VIEW v2 AS SELECT * FROM gone; \
             CREATE TRIGGER tr AFTER INSERT ON u BEGIN DELETE FROM gone; END;",
            &["trigger tr", "view v", "view v2"],
        ),
    ] {
        let (mut found, dropped) = broken(schema).await;
        found.sort();
        assert_eq!(found, names, "{schema}");
        assert!(!dropped, "{schema}");
    }
}

#[tokio::test]
async fn sound_triggers_of_ours_are_not_looked_through() {
    let schema = "CREATE TRIGGER \"~phiseal_u_u\" AFTER UPDATE ON u BEGIN \
            UPDATE \"u\" SET x = (SELECT a FROM gone); END; \
        CREATE TABLE phiseal_own (a); \
        CREATE TRIGGER own AFTER INSERT ON phiseal_own BEGIN DELETE FROM gone; END; \
        CREATE TRIGGER phiseal_like AFTER INSERT ON u BEGIN DELETE FROM gone; END;";
    assert_eq!(broken(schema).await.0, ["trigger phiseal_like"]);
    // The guard of a table that was renamed in the legacy way updates a table that is not there.
    let renamed =
        "CREATE TRIGGER \"~phiseal_u_old\" AFTER UPDATE ON u BEGIN UPDATE \"old\" SET x = 1; END;";
    assert_eq!(broken(renamed).await.0, ["trigger ~phiseal_u_old"]);
}
