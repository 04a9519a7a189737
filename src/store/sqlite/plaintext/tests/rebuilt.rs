//! Tests of tables that SQLite changes only by making them again.

use super::{SEAL, columns, described, field, frozen, sealed};
use crate::store::sqlite::fixture::{Fixture, table, with};
use crate::store::{Catalog, Plaintext, Removal, Table};

const HARD: &str = "id INTEGER PRIMARY KEY AUTOINCREMENT, -- the key, first
    ssn TEXT NOT NULL UNIQUE DEFAULT 'it''s, (' COLLATE NOCASE CHECK (ssn <> ')'), -- ssn, ours
    [ot``her] TEXT DEFAULT (upper(',')), /* , ( */
    twice TEXT GENERATED ALWAYS AS (id || ',') STORED,
    CONSTRAINT one UNIQUE (\"SSN\", id) CHECK (id > 0), CHECK (length(ssn) < 20)";

/// What else is in the schema, and must stay.
const AROUND: &str = "CREATE INDEX by_other ON t (\"ot``her\"); \
    CREATE VIEW shown AS SELECT id, \"ot``her\" AS o FROM t; \
    CREATE TABLE child (t_id INTEGER REFERENCES t (id) ON DELETE CASCADE); \
    CREATE TABLE log (id); \
    CREATE TRIGGER logs AFTER UPDATE OF \"ot``her\" ON t BEGIN INSERT INTO log VALUES (NEW.id); END; \
    CREATE TRIGGER touches AFTER INSERT ON child BEGIN UPDATE t SET \"ot``her\" = 'c' WHERE id = NEW.t_id; END; \
    INSERT INTO child VALUES (7); DELETE FROM log";

const SCHEMA: &str = "SELECT sql FROM sqlite_schema WHERE name IN \
    ('by_other', 'shown', 'child', 'log', 'logs', 'touches') ORDER BY name";

#[tokio::test]
async fn a_hard_table_keeps_all_but_its_plaintext_and_gets_it_back() {
    let (mut fixture, table) = sealed(HARD).await;
    fixture.exec(AROUND).await.unwrap();
    fixture
        .unguarded(&format!(
            "INSERT INTO t (id, ssn, ssn_sealed) VALUES (90, 'x', {SEAL}); DELETE FROM t WHERE id = 90"
        ))
        .await;
    fixture
        .exec("DELETE FROM child; INSERT INTO child VALUES (7)")
        .await
        .unwrap();
    let schema = fixture.rows(SCHEMA).await;
    let text = fixture
        .rows("SELECT sql FROM sqlite_schema WHERE name = 't'")
        .await;
    let rows = "SELECT id || ' ' || \"ot``her\" || twice || hex(ssn_sealed) FROM t ORDER BY id";
    let before = fixture.rows(rows).await;
    let dependents = fixture.store.plaintext_dependents(&table).await.unwrap();
    let blocking: Vec<&str> = (dependents.iter())
        .filter(|one| one.blocks)
        .map(|one| one.name.as_str())
        .collect();
    assert_eq!(blocking, Vec::<&str>::new(), "{dependents:?}");

    let state = frozen(&fixture, &table).await;
    // An insert that does not name the column works now, and takes no default.
    fixture
        .exec("INSERT INTO t (\"ot``her\") VALUES ('n')")
        .await
        .unwrap();
    assert_eq!(
        fixture
            .rows("SELECT id || quote(ssn) FROM t WHERE \"ot``her\" = 'n'")
            .await,
        ["91NULL"]
    );
    fixture.exec("DELETE FROM t WHERE id = 91").await.unwrap();
    let hidden = fixture.store.hide(&table, &state).await.unwrap().unwrap();
    assert!(
        fixture
            .store
            .remove_plaintext(&table, Removal::Dropped, &hidden)
            .await
            .unwrap()
    );
    expect_only_the_plaintext_gone(&mut fixture, rows, &before, &schema).await;
    expect_given_back(&mut fixture, &table, &text[0]).await;
    assert_eq!(fixture.rows(SCHEMA).await, schema);
}

async fn expect_only_the_plaintext_gone(
    fixture: &mut Fixture,
    rows: &str,
    before: &[String],
    schema: &[String],
) {
    assert_eq!(
        fixture
            .rows("SELECT name FROM pragma_table_xinfo('t') ORDER BY cid")
            .await,
        ["id", "ot``her", "twice", "ssn_sealed", "ssn_bidx"]
    );
    assert_eq!(fixture.rows(rows).await, before);
    assert_eq!(fixture.rows(SCHEMA).await, schema);
    assert_eq!(
        fixture
            .rows("SELECT CAST(seq AS TEXT) FROM sqlite_sequence WHERE name = 't'")
            .await,
        ["91"]
    );
    assert_eq!(
        fixture.rows("SELECT CAST(t_id AS TEXT) FROM child").await,
        ["7"]
    );
    assert!(
        fixture
            .rows("SELECT \"table\" FROM pragma_foreign_key_check")
            .await
            .is_empty()
    );
    assert_eq!(
        fixture
            .rows("SELECT integrity_check FROM pragma_integrity_check")
            .await,
        ["ok"]
    );
}

async fn expect_given_back(fixture: &mut Fixture, table: &Table, text: &str) {
    fixture.store.make_plain_columns(table).await.unwrap();
    fixture.unguarded("UPDATE t SET ssn = 'v' || id").await;
    let left = fixture.store.finish_plain_columns(table).await.unwrap();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(
        left.iter()
            .any(|one| one.starts_with("CREATE UNIQUE INDEX \"t_SSN_id_key\" ON \"t\""))
    );
    assert!(
        left.iter()
            .any(|one| one.starts_with("-- table \"t\" had CHECK (length("))
    );
    let now = fixture
        .rows("SELECT sql FROM sqlite_schema WHERE name = 't'")
        .await;
    let declared = "TEXT NOT NULL UNIQUE DEFAULT 'it''s, (' COLLATE NOCASE CHECK (ssn <> ')')";
    assert!(
        text.contains(declared) && now[0].contains(declared),
        "{}",
        now[0]
    );
    assert_eq!(field(fixture).await, ["sealed 0 {}"]);
}

#[tokio::test]
async fn an_undone_freeze_gives_not_null_back_unless_a_row_contradicts_it() {
    for contradicts in [false, true] {
        let (mut fixture, table) = sealed(HARD).await;
        let text = fixture
            .rows("SELECT sql FROM sqlite_schema WHERE name = 't'")
            .await;
        frozen(&fixture, &table).await;
        if contradicts {
            fixture
                .exec("INSERT INTO t (id) VALUES (50)")
                .await
                .unwrap();
        }
        let left = fixture.store.unfreeze(&table).await.unwrap();
        let now = fixture
            .rows("SELECT sql FROM sqlite_schema WHERE name = 't'")
            .await;
        assert_eq!(left.len(), usize::from(contradicts));
        let same = |sql: &str| sql.split_once('(').map(|(_, body)| body.to_owned());
        assert_eq!(same(&now[0]) == same(&text[0]), !contradicts, "{}", now[0]);
        assert_eq!(field(&mut fixture).await, ["sealed 0 {}"]);
        assert!(
            left.iter()
                .all(|one| one.starts_with("-- ") && !one.contains('\n'))
        );
    }
}

#[tokio::test]
async fn rowids_and_a_table_without_them_are_kept() {
    for (columns_of, options) in [
        ("id TEXT PRIMARY KEY, ssn TEXT UNIQUE", ""),
        (
            "id TEXT, ssn TEXT NOT NULL, PRIMARY KEY (id), UNIQUE (ssn)",
            " WITHOUT ROWID",
        ),
        (
            "id TEXT PRIMARY KEY, ssn TEXT UNIQUE, rowid TEXT",
            " STRICT",
        ),
    ] {
        let mut fixture = Fixture::new(&format!("CREATE TABLE t ({columns_of}){options}")).await;
        fixture.key(1, "", true).await;
        let table = described();
        fixture.store.prepare(&table).await.unwrap();
        fixture.store.finish_indexes(&table).await.unwrap();
        fixture.register(&table).await;
        let names = if options.contains("WITHOUT") {
            ""
        } else {
            ", oid"
        };
        let places = if names.is_empty() {
            ["", ""]
        } else {
            [", 40", ", 30"]
        };
        fixture
            .unguarded(&format!(
                "INSERT INTO t (id, ssn, ssn_sealed{names}) VALUES ('a', 'x', {SEAL}{}), ('b', 'y', {SEAL}{})",
                places[0], places[1]
            ))
            .await;
        let state = frozen(&fixture, &table).await;
        assert!(
            fixture
                .store
                .remove_plaintext(&table, Removal::Dropped, &state)
                .await
                .unwrap()
        );
        assert!(!columns(&mut fixture).await.contains(&"ssn".to_owned()));
        if !names.is_empty() {
            let rowids = fixture
                .rows("SELECT CAST(oid AS TEXT) FROM t ORDER BY id")
                .await;
            assert_eq!(rowids, ["40", "30"]);
        }
        let sql = fixture
            .rows("SELECT sql FROM sqlite_schema WHERE name = 't'")
            .await;
        assert!(
            sql[0].trim_end().ends_with(&format!("){options}")),
            "{}",
            sql[0]
        );
        assert!(
            fixture
                .exec("UPDATE t SET id = 'c' WHERE id = 'a'")
                .await
                .is_err()
        );
    }
}

#[tokio::test]
async fn two_fields_of_a_table_go_one_after_the_other() {
    let mut fixture =
        Fixture::new("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, ssn TEXT, b TEXT)").await;
    fixture.key(1, "", true).await;
    let whole = with(
        with(table("t", &["id"]), "a", "TEXT", true),
        "ssn",
        "TEXT",
        true,
    );
    fixture.store.prepare(&whole).await.unwrap();
    fixture.register(&whole).await;
    fixture
        .unguarded(&format!(
            "INSERT INTO t (id, a, a_sealed, ssn, ssn_sealed) VALUES (1, 'x', {SEAL}, 'y', {SEAL})"
        ))
        .await;
    for (at, left) in [(0, vec!["id", "ssn", "b"]), (1, vec!["id", "b"])] {
        let mut one = whole.clone();
        one.fields = vec![whole.fields[at].clone()];
        one.fields[0].index = None;
        let state = frozen(&fixture, &one).await;
        let hidden = fixture.store.hide(&one, &state).await.unwrap().unwrap();
        // The other field takes plaintext as before.
        let other = ["UPDATE t SET ssn = ssn", "UPDATE t SET b = 'x'"][at];
        fixture.exec(other).await.unwrap();
        assert!(
            fixture
                .store
                .remove_plaintext(&one, Removal::Dropped, &hidden)
                .await
                .unwrap()
        );
        let now = columns(&mut fixture).await;
        assert_eq!(now[..now.len() - 2], left, "{at}");
    }
}
