//! Every form in which a sealed value may stand in a column is found by the search.

use super::{destroy, rotated, still_used};
use crate::rotate::{number, postgres, sqlite};

#[tokio::test]
async fn every_type_of_a_column_is_looked_into_in_postgres() {
    let fixture = postgres("keys_forms", 30).await;
    fixture
        .exec(
            r#"CREATE EXTENSION citext; CREATE EXTENSION hstore;
            CREATE DOMAIN bytes AS bytea; CREATE DOMAIN word AS varchar(500); CREATE DOMAIN deeper AS word;
            CREATE TYPE pair AS (n int, v bytea); CREATE DOMAIN pairs AS pair;
            CREATE SCHEMA "Odd ""S";
            CREATE TABLE "Odd ""S"."T 1" AS SELECT
                s.ssn_sealed AS b, s.note AS t, s.note::varchar(500) AS vc, s.note::char(500) AS ch,
                s.note::citext AS ci, s.ssn_sealed::bytes AS dom, s.note::deeper AS dom_text,
                s.ssn_sealed::text AS hex, convert_to(s.note, 'UTF8') AS text_bytes,
                json_build_object('a', s.note) AS j, jsonb_build_object('a', s.ssn_sealed) AS jb,
                jsonb_build_object('a', encode(s.ssn_sealed, 'base64')) AS b64,
                ARRAY[NULL, s.note] AS ta, ARRAY[s.ssn_sealed] AS ba, ROW(1, s.ssn_sealed)::pair AS c,
                ROW(1, s.ssn_sealed)::pairs AS cd, ARRAY[ROW(1, s.ssn_sealed)::pair] AS ca,
                hstore('k', s.note) AS h, xmlelement(name v, s.note) AS x,
                ARRAY[[s.note]] AS r
              FROM (SELECT * FROM patients WHERE id = 1) AS s"#,
        )
        .await;
    fixture
        .exec(
            "CREATE MATERIALIZED VIEW seen AS SELECT id, dob_sealed FROM patients WHERE id < 4;
            CREATE UNLOGGED TABLE quick AS SELECT dob_sealed FROM patients WHERE id < 3;
            CREATE TABLE parent (v bytea); CREATE TABLE child () INHERITS (parent);
            INSERT INTO child SELECT dob_sealed FROM patients WHERE id = 1;
            CREATE TABLE parts (id int, v text) PARTITION BY RANGE (id);
            CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (9);
            INSERT INTO parts SELECT 1, note FROM patients WHERE id = 1;
            CREATE TABLE large (v bytea); ALTER TABLE large ALTER v SET STORAGE EXTERNAL;
            INSERT INTO large SELECT ssn_sealed || convert_to(repeat('x', 100000), 'UTF8') FROM patients WHERE id = 1",
        )
        .await;
    let old = rotated(&fixture).await;
    // What a text looks like is made by the types' own functions: a cast of somebody's is not run.
    fixture
        .exec(
            "CREATE FUNCTION evil(pair) RETURNS text LANGUAGE plpgsql AS
                $$ BEGIN RAISE EXCEPTION 'run'; END $$;
            CREATE CAST (pair AS text) WITH FUNCTION evil(pair) AS ASSIGNMENT",
        )
        .await;
    let odd = r#""Odd ""S"."T 1""#;
    let columns = [
        "b",
        "t",
        "vc",
        "ch",
        "ci",
        "dom",
        "dom_text",
        "hex",
        "text_bytes",
        "j",
        "jb",
        "b64",
        "ta",
        "ba",
        "c",
        "cd",
        "ca",
        "h",
        "x",
        "r",
    ];
    let mut places: Vec<String> = columns.iter().map(|c| format!("{odd}.{c} (1)")).collect();
    places.extend(
        [
            "public.seen.dob_sealed (3)",
            "public.quick.dob_sealed (2)",
            "public.child.v (1)",
            "public.parts_1.v (1)",
            "public.large.v (1)",
        ]
        .map(str::to_owned),
    );
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    still_used(&fixture, &old, &places).await;
    fixture
        .exec(
            r#"DROP SCHEMA "Odd ""S" CASCADE; DROP MATERIALIZED VIEW seen;
            DROP TABLE quick, child, parts, large"#,
        )
        .await;
    let done = destroy(&fixture, &old, &[], 0).await;
    assert!(
        done["searched"]["relations"].as_u64().unwrap() > 5,
        "{done}"
    );
}

#[tokio::test]
async fn what_cannot_be_read_refuses_unless_it_is_named() {
    let fixture = postgres("keys_closed", 10).await;
    fixture
        .exec(
            "CREATE FOREIGN DATA WRAPPER none; CREATE SERVER nowhere FOREIGN DATA WRAPPER none;
            CREATE FOREIGN TABLE far (v bytea) SERVER nowhere;
            CREATE MATERIALIZED VIEW later AS SELECT ssn_sealed FROM patients WITH NO DATA;
            SELECT lo_create(0)",
        )
        .await;
    let old = rotated(&fixture).await;
    let refused = destroy(&fixture, &old, &[], 7).await;
    assert_eq!(refused["error"]["code"], "E0444", "{refused}");
    let message = refused["error"]["message"].as_str().unwrap();
    for name in ["public.far", "public.later", "pg_catalog.pg_largeobject"] {
        assert!(message.contains(name), "{name}: {message}");
    }
    let some = ["--except", "public.far", "--except", "public.later"];
    let refused = destroy(&fixture, &old, &some, 7).await;
    assert_eq!(refused["error"]["code"], "E0444", "{refused}");
    let all = [&some[..], &["--except", "pg_catalog.pg_largeobject"]].concat();
    destroy(&fixture, &old, &all, 0).await;
    let said = "SELECT count(*) FROM phiseal.audit_log WHERE action = 'key.destroy'
        AND subject LIKE '%public.far%' AND subject LIKE '%pg_largeobject%'";
    assert_eq!(number(&fixture, said).await, 1);
}

#[tokio::test]
async fn every_class_of_a_value_is_looked_into_in_sqlite() {
    let fixture = sqlite(30).await;
    fixture
        .exec(
            "CREATE TABLE \"odd \"\" name\" (id TEXT PRIMARY KEY, v, n INTEGER, made AS (v || '')) WITHOUT ROWID;
            INSERT INTO \"odd \"\" name\" SELECT 'blob', ssn_sealed, NULL FROM patients WHERE id = 1;
            INSERT INTO \"odd \"\" name\" SELECT 'text', note, NULL FROM patients WHERE id = 1;
            INSERT INTO \"odd \"\" name\" SELECT 'json', json_object('a', note), NULL FROM patients WHERE id = 1;
            INSERT INTO \"odd \"\" name\" SELECT 'hex', 'x' || hex(ssn_sealed), NULL FROM patients WHERE id = 1;
            INSERT INTO \"odd \"\" name\" SELECT 'within', CAST('{\"a\":\"' || note || '\"}' AS BLOB), NULL
                FROM patients WHERE id = 1;
            INSERT INTO \"odd \"\" name\" SELECT 'number', 1, CAST(note AS BLOB) FROM patients WHERE id = 1",
        )
        .await;
    let old = rotated(&fixture).await;
    still_used(&fixture, &old, &["odd \" name.v (5)", "odd \" name.n (1)"]).await;
    fixture.exec("DROP TABLE \"odd \"\" name\"").await;
    destroy(&fixture, &old, &[], 0).await;
}
