//! Values of every type, beside, and the values that programs get wrong.

use super::beside;
use crate::support::{Base, Fixture, skipped};

/// A column of each type that can be sealed: its name, its type, and values in SQL.
pub const TYPES: [(&str, &str, &[&str]); 27] = [
    (
        "t",
        "text",
        &[
            "''",
            "'  '",
            "'O''Brien'",
            "E'two\\nlines\\t\\r\\\\'",
            "'🩺 é ß'",
        ],
    ),
    ("v", "varchar(40)", &["'x'", "''", "'trailing  '"]),
    ("c", "char(8)", &["'ab'", "''", "'12345678'"]),
    (
        "d",
        "date",
        &["'2024-02-29'", "'0044-03-15 BC'", "'infinity'"],
    ),
    ("ti", "time", &["'23:59:59.999999'", "'00:00'", "'24:00'"]),
    (
        "ts",
        "timestamp",
        &[
            "'1969-12-31 23:59:59.5'",
            "'-infinity'",
            "'2024-06-01 12:00'",
        ],
    ),
    (
        "tz",
        "timestamptz",
        &[
            "'2024-06-01 12:00+05:30'",
            "'1900-01-01 00:00+00'",
            "'infinity'",
        ],
    ),
    (
        "iv",
        "interval",
        &["'1 year 2 mons 3 days 04:05:06.7'", "'-1 day'", "'0'"],
    ),
    (
        "n",
        "numeric",
        &[
            "1.0",
            "1.00",
            "'NaN'",
            "-12345678901234567890.123456789",
            "0",
        ],
    ),
    ("si", "smallint", &["-32768", "0", "32767"]),
    ("i", "int", &["-2147483648", "0", "7"]),
    (
        "bi",
        "bigint",
        &["-9223372036854775808", "0", "9223372036854775807"],
    ),
    (
        "r",
        "real",
        &["0.1", "'-Infinity'", "1e-40", "3.4028235e38"],
    ),
    (
        "f",
        "double precision",
        &["0.1", "'NaN'", "1e300", "-0.0", "38.08209927528241"],
    ),
    ("b", "boolean", &["true", "false"]),
    ("u", "uuid", &["'b95d97d6-51c0-f4d0-1555-1376058c771f'"]),
    ("ip", "inet", &["'10.1.2.3/8'", "'::1'"]),
    (
        "j",
        "json",
        &[r#"'{"b": 1,  "a":[1,2]}'"#, "'null'", r#"'"x"'"#],
    ),
    ("jb", "jsonb", &[r#"'{"b": 1,  "a":[1,2]}'"#, "'null'"]),
    ("by", "bytea", &["'\\x'", "'\\x00ff'", "'\\xe701'", "'abc'"]),
    (
        "ta",
        "text[]",
        &[
            "'{}'",
            "array['a,b', NULL, '\"q\"', '']",
            "array[['x'],['y']]",
        ],
    ),
    ("ia", "int[]", &["'{1,-2,NULL}'", "'[0:1]={5,6}'"]),
    ("mo", "mood", &["'ok'", "'not ok'"]),
    ("z", "zip", &["'00501'", "'90210'"]),
    ("cb", "bit(5)", &["'10101'"]),
    ("rg", "int4range", &["'[1,5)'", "'empty'"]),
    ("st", "\"Odd \"\"type\"", &["'a'"]),
];

/// What the types need.
pub const TYPES_SQL: &str = r#"
    CREATE TYPE mood AS ENUM ('ok', 'not ok');
    CREATE TYPE "Odd ""type" AS ENUM ('a', 'b');
    CREATE DOMAIN zip AS varchar(5) CHECK (VALUE ~ '^\d{5}$');
"#;

/// A table `every` with a column of each type, rows of all values and rows of NULLs, and `saved`.
pub fn every_type() -> String {
    let columns: Vec<String> = TYPES.iter().map(|(c, t, _)| format!("{c} {t}")).collect();
    let rows = TYPES.iter().map(|(_, _, v)| v.len()).max().unwrap();
    let mut sql = format!(
        "{TYPES_SQL} CREATE TABLE every (id int PRIMARY KEY, other text DEFAULT 'kept', {});",
        columns.join(", ")
    );
    for row in 0..rows * 2 {
        let values: Vec<&str> = TYPES
            .iter()
            .map(|(_, _, values)| values.get(row).copied().unwrap_or("NULL"))
            .collect();
        sql.push_str(&format!(
            "INSERT INTO every VALUES ({row}, DEFAULT, {});",
            values.join(", ")
        ));
    }
    sql + "CREATE TABLE saved AS TABLE every;"
}

/// The columns of [`every_type`].
pub fn columns() -> Vec<&'static str> {
    TYPES.iter().map(|(c, ..)| *c).collect()
}

#[tokio::test]
async fn values_of_every_type_open_to_the_text_the_server_makes_of_them() {
    let plan = beside("public.every", &columns());
    let fixture = Fixture::postgres("types", &every_type(), &plan).await;
    // Settings of the database that change how values look must change nothing.
    let name = fixture.db().name();
    for setting in [
        "DateStyle = 'SQL, DMY'",
        "IntervalStyle = 'iso_8601'",
        "TimeZone = 'Asia/Kolkata'",
        "extra_float_digits = 0",
        "bytea_output = 'escape'",
    ] {
        fixture
            .db()
            .exec(&format!("ALTER DATABASE {name} SET {setting}"))
            .await;
    }
    let done = fixture.json(&["backfill"]).await;
    let values: usize = TYPES.iter().map(|(_, _, v)| v.len()).sum();
    assert_eq!(done["values_sealed"], values);
    assert_eq!(done["quarantined"], 0);
    let opened = fixture
        .expect_sealed("public.every", &columns(), "saved")
        .await;
    assert_eq!(opened, values);
    // Nothing else changed: other columns, plaintext, NULLs, the number of rows.
    let all = columns().join(", ");
    let image = |table: &str| {
        format!(
            "SELECT array_agg(r ORDER BY r) FROM (SELECT row(id, other, {all})::text r FROM {table}) q"
        )
    };
    // In one statement: connections of the pool from before the settings are told otherwise.
    let same = format!(
        "SELECT (({}) IS NOT DISTINCT FROM ({}))::int",
        image("every"),
        image("saved")
    );
    assert_eq!(fixture.db().count(&same).await, 1);
    let verified = fixture.json(&["verify"]).await;
    assert_eq!(verified["values_verified"], values);
    assert_eq!(
        (&verified["failed"], &verified["unsealed"]),
        (&0.into(), &0.into())
    );
}

#[tokio::test]
async fn citext_is_sealed_as_it_is_written() {
    let db = crate::support::database("citext").await;
    if db.try_exec("CREATE EXTENSION citext").await.is_err() {
        return skipped("this server has no extension citext");
    }
    let sql = "CREATE TABLE people (id citext PRIMARY KEY, name citext);
        INSERT INTO people VALUES ('Ab', 'MiXed'), ('cd', ''), ('EF', NULL);
        CREATE TABLE saved AS TABLE people;";
    let fixture = Fixture::new(Base::Postgres(db), sql, &beside("public.people", &["name"])).await;
    fixture.json(&["backfill"]).await;
    assert_eq!(
        fixture
            .expect_sealed("public.people", &["name"], "saved")
            .await,
        2
    );
    // A change of case alone is a change: the seal goes, and the next run seals the new value.
    let update = "UPDATE people SET name = 'MIXED' WHERE id = 'Ab'";
    fixture.db().exec(update).await;
    let blank = "SELECT count(*) FROM people WHERE name_sealed IS NULL AND name IS NOT NULL";
    assert_eq!(fixture.db().count(blank).await, 1);
    fixture.db().exec(&update.replace("people", "saved")).await;
    fixture.json(&["backfill"]).await;
    assert_eq!(
        fixture
            .expect_sealed("public.people", &["name"], "saved")
            .await,
        2
    );
}

#[tokio::test]
async fn a_value_above_the_limit_of_a_batch_is_sealed_once_and_whole() {
    let sql = "CREATE TABLE scans (id int PRIMARY KEY, page text, raw bytea);
        INSERT INTO scans SELECT i, 'page ' || i, '\\x00' FROM generate_series(1, 40) i;
        INSERT INTO scans VALUES (100, repeat('0123456789abcdé', 1400000), NULL);
        CREATE TABLE saved AS TABLE scans;";
    let fixture = Fixture::postgres("large", sql, &beside("public.scans", &["page", "raw"])).await;
    let done = fixture.json(&["backfill"]).await;
    assert_eq!(done["rows_sealed"], 41);
    let opened = fixture
        .expect_sealed("public.scans", &["page", "raw"], "saved")
        .await;
    assert_eq!(opened, 81);
}

#[tokio::test]
async fn every_leaf_of_a_partitioned_table_is_sealed_under_the_label_of_its_root() {
    let sql = "CREATE TABLE visits (id int, seen date, note text, PRIMARY KEY (id, seen))
            PARTITION BY RANGE (seen);
        CREATE TABLE v2023 PARTITION OF visits FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
        CREATE TABLE v2024 PARTITION OF visits FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')
            PARTITION BY LIST (id);
        CREATE TABLE v2024_odd PARTITION OF v2024 FOR VALUES IN (1, 3, 5);
        CREATE TABLE v2024_rest PARTITION OF v2024 DEFAULT;
        CREATE TABLE v_rest PARTITION OF visits DEFAULT;
        INSERT INTO visits SELECT i, d, 'note ' || i || d FROM generate_series(1, 6) i,
            unnest(array['2023-05-01', '2024-05-01', '1999-01-01']::date[]) d;
        CREATE TABLE saved AS TABLE visits;";
    let fixture = Fixture::postgres("leaves", sql, &beside("public.visits", &["note"])).await;
    let done = fixture.json(&["backfill"]).await;
    assert_eq!(done["rows_sealed"], 18);
    assert_eq!(
        fixture
            .expect_sealed("public.visits", &["note"], "saved")
            .await,
        18
    );
    // A leaf attached later is noticed by the next run.
    let later = "INSERT INTO visits VALUES (9, '2031-01-01', 'later')";
    fixture
        .db()
        .exec(&format!(
            "CREATE TABLE v2031 PARTITION OF visits FOR VALUES FROM ('2031-01-01') TO ('2032-01-01'); {later}; {}",
            later.replace("visits", "saved")
        ))
        .await;
    assert_eq!(fixture.json(&["backfill"]).await["rows_sealed"], 1);
    assert_eq!(
        fixture
            .expect_sealed("public.visits", &["note"], "saved")
            .await,
        19
    );
}
