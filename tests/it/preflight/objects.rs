//! Objects of a real catalog, one by one, as `Store::table` gives them.

use phiseal::store::catalog::{DependentFacts, RelationKind, TableFacts};

use super::{facts, names};
use crate::support::database;

#[tokio::test]
async fn types_are_known_through_domains_and_arrays() {
    let db = database("preflight_types").await;
    db.exec(
        "CREATE EXTENSION citext;
         CREATE DOMAIN short AS varchar(11); CREATE DOMAIN shorter AS short CHECK (VALUE <> '');
         CREATE DOMAIN price AS money; CREATE TYPE mood AS ENUM ('well');
         CREATE TYPE pair AS (a int, b text);
         CREATE TABLE t (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), d shorter, m price[],
             e mood, c pair, ci citext NOT NULL, n char(3), r int4range, b bytea,
             up text GENERATED ALWAYS AS (upper(n::text)) STORED)",
    )
    .await;
    let facts = facts(&db, "public.t").await;
    let seen: Vec<String> = (facts.columns.iter())
        .map(|c| {
            let limit = c.char_limit.map(|n| n.to_string()).unwrap_or_default();
            let array = if c.array { "[]" } else { "" };
            format!(
                "{} {}.{}{array} {limit} {}",
                c.name, c.base_schema, c.base_type, c.type_class
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            "id pg_catalog.uuid  b",
            "d pg_catalog.varchar 11 b",
            "m pg_catalog.money[]  b",
            "e public.mood  e",
            "c public.pair  c",
            "ci public.citext  b",
            "n pg_catalog.bpchar 3 b",
            "r pg_catalog.int4range  r",
            "b pg_catalog.bytea  b",
            "up pg_catalog.text  b",
        ]
    );
    let by_name = |name: &str| facts.columns.iter().find(|c| c.name == name).unwrap();
    assert_eq!(by_name("d").domain.as_deref(), Some("public.shorter"));
    assert_eq!(by_name("n").sql_type, "character(3)");
    assert!(by_name("id").has_default && by_name("id").not_null && by_name("ci").not_null);
    assert!(by_name("up").generated && !by_name("up").has_default);
    assert_eq!(
        readers(&facts, "n"),
        [("generated column".to_owned(), "up".to_owned())]
    );
}

/// A table with something of every kind on its column `ssn`.
const BURDENED: &str = "CREATE TABLE schools (code text PRIMARY KEY);
         CREATE TABLE t (id int PRIMARY KEY, ssn text UNIQUE CHECK (ssn <> ''), other text,
             school text REFERENCES schools ON UPDATE CASCADE);
         CREATE TABLE visits (id int PRIMARY KEY, ssn text REFERENCES t (ssn));
         CREATE INDEX by_expression ON t (lower(ssn)); CREATE INDEX by_predicate ON t (id) WHERE ssn > 'a';
         CREATE INDEX elsewhere ON t USING hash (other);
         CREATE VIEW shown AS SELECT ssn FROM t; CREATE MATERIALIZED VIEW \"Kept\" AS SELECT ssn FROM t;
         CREATE VIEW blind AS SELECT id FROM t;
         CREATE RULE tell AS ON DELETE TO t DO ALSO DELETE FROM visits WHERE ssn = old.ssn;
         CREATE POLICY own ON t USING (ssn = current_user);
         CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TRIGGER audit AFTER UPDATE OF ssn ON t FOR EACH ROW EXECUTE FUNCTION touch();
         CREATE TRIGGER born BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION touch();
         CREATE TRIGGER \"~phiseal_u\" BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch();
         ALTER TABLE t ENABLE ALWAYS TRIGGER \"~phiseal_u\"; ALTER TABLE t DISABLE TRIGGER born;
         CREATE STATISTICS kept (mcv) ON ssn, other FROM t;";

#[tokio::test]
async fn keys_indexes_and_constraints_on_a_column_are_found() {
    let db = database("preflight_constraints").await;
    db.exec(BURDENED).await;
    let facts = facts(&db, "public.t").await;
    let on_ssn = |columns: &[String]| columns.iter().any(|name| name == "ssn");
    let indexes = facts
        .indexes
        .iter()
        .filter(|i| on_ssn(&i.columns))
        .map(|i| &i.name);
    assert_eq!(
        names(indexes),
        ["by_expression", "by_predicate", "t_ssn_key"]
    );
    assert_eq!(
        facts
            .indexes
            .iter()
            .find(|i| i.name == "elsewhere")
            .unwrap()
            .method,
        "hash"
    );
    assert_eq!(
        names(facts.keys.iter().map(|k| &k.name)),
        ["t_pkey", "t_ssn_key"]
    );
    assert_eq!(
        names(
            facts
                .checks
                .iter()
                .filter(|c| on_ssn(&c.columns))
                .map(|c| &c.name)
        ),
        ["t_ssn_check"]
    );
    let keys: Vec<_> = (facts.foreign_keys.iter())
        .map(|k| {
            (
                k.columns[0].as_str(),
                k.other.as_str(),
                k.incoming,
                k.on_update_cascades,
            )
        })
        .collect();
    assert_eq!(
        keys,
        [
            ("school", "public.schools", false, true),
            ("ssn", "public.visits", true, false)
        ]
    );
}

#[tokio::test]
async fn whatever_reads_a_column_is_found() {
    let db = database("preflight_readers").await;
    db.exec(BURDENED).await;
    let facts = facts(&db, "public.t").await;
    let owned = |kind: &str, name: &str| (kind.to_owned(), name.to_owned());
    assert_eq!(
        readers(&facts, "ssn"),
        [
            owned("materialized view", "public.\"Kept\""),
            owned("policy", "own"),
            owned("rule", "tell"),
            owned("trigger", "audit"),
            owned("view", "public.shown"),
        ]
    );
    assert_eq!(names(&facts.rules), ["tell"]);
    let triggers: Vec<_> = facts
        .triggers
        .iter()
        .map(|t| (t.name.as_str(), t.before, t.update, t.enabled))
        .collect();
    assert_eq!(
        triggers,
        [("audit", false, true, 'O'), ("born", true, false, 'D')]
    );
    assert_eq!((facts.guard.len(), facts.guard[0].enabled), (1, 'A'));
    assert_eq!(names(&facts.extended_statistics), ["other", "ssn"]);
}

#[tokio::test]
async fn kinds_and_storage_of_relations_are_told_apart() {
    let db = database("preflight_kinds").await;
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY); CREATE VIEW v AS TABLE t;
         CREATE MATERIALIZED VIEW m AS TABLE t; CREATE SEQUENCE s; CREATE UNLOGGED TABLE u (id int);
         CREATE EXTENSION postgres_fdw; CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw;
         CREATE FOREIGN TABLE f (id int) SERVER away;
         CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child () INHERITS (parent);
         CREATE TABLE loose (id int NOT NULL UNIQUE DEFERRABLE, n int UNIQUE);
         CREATE UNIQUE INDEX partly ON loose (id) WHERE id > 0;
         ALTER TABLE t REPLICA IDENTITY FULL;
         CREATE PUBLICATION everything FOR ALL TABLES; CREATE PUBLICATION only_t FOR TABLE t;",
    )
    .await;
    for (name, kind) in [
        ("t", RelationKind::Table),
        ("v", RelationKind::View),
        ("m", RelationKind::MaterializedView),
        ("f", RelationKind::Foreign),
        ("s", RelationKind::Other),
    ] {
        assert_eq!(facts(&db, name).await.kind, kind, "{name}");
    }
    let t = facts(&db, "t").await;
    assert!(t.replica_identity_full && !t.inheritance && !t.unlogged && !t.temporary);
    assert_eq!(names(&t.publications), ["everything", "only_t"]);
    let unlogged = facts(&db, "u").await;
    assert!(unlogged.unlogged && unlogged.publications.is_empty());
    assert!(facts(&db, "parent").await.inheritance && facts(&db, "child").await.inheritance);
    let keys: Vec<_> = (facts(&db, "loose").await.keys.iter())
        .map(|key| (key.name.clone(), key.deferrable, key.partial))
        .collect();
    let key = |name: &str, deferrable, partial| (name.to_owned(), deferrable, partial);
    assert_eq!(
        keys,
        [
            key("loose_id_key", true, false),
            key("loose_n_key", false, false),
            key("partly", false, true)
        ]
    );
}

#[tokio::test]
async fn statistics_are_estimates_before_analyze_and_known_after() {
    let db = database("preflight_statistics").await;
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, ssn text) WITH (autovacuum_enabled = off);
         INSERT INTO t SELECT n, 'value ' || n % 7 FROM generate_series(1, 5000) AS n;",
    )
    .await;
    let before = facts(&db, "t").await;
    // Without statistics the width of a row is a guess.
    assert!((1_000..20_000).contains(&before.rows), "{}", before.rows);
    assert_eq!(
        (before.columns[1].distinct, before.columns[1].width),
        (0.0, 0)
    );
    db.exec("ANALYZE t").await;
    let after = facts(&db, "t").await;
    assert_eq!((after.rows, after.columns[1].distinct), (5_000, 7.0));
    assert_eq!(after.columns[1].width, 8);
    assert!(after.bytes > before.row_bytes);
}

fn readers(facts: &TableFacts, column: &str) -> Vec<(String, String)> {
    let reads = |d: &&DependentFacts| d.columns.iter().any(|name| name == column);
    let pair = |d: &DependentFacts| (d.kind.clone(), d.name.clone());
    facts.dependents.iter().filter(reads).map(pair).collect()
}
