//! Keys of every listed type: every row exactly once, its key in the bytes of the format.

use super::beside;
use crate::support::{Base, Fixture, skipped};

async fn keyed_by(key_type: &str, keys: &[&str]) {
    let mut sql = format!("CREATE TABLE t (k {key_type} PRIMARY KEY, v text);");
    for (n, key) in keys.iter().enumerate() {
        sql.push_str(&format!("INSERT INTO t VALUES ({key}, 'value {n}');"));
    }
    sql.push_str("CREATE TABLE saved AS TABLE t;");
    let fixture = Fixture::postgres("keys", &sql, &beside("public.t", &["v"])).await;
    let done = fixture.json(&["backfill"]).await;
    assert_eq!(done["rows_sealed"], keys.len(), "{key_type}: {done}");
    let opened = fixture.expect_sealed("public.t", &["v"], "saved").await;
    assert_eq!(opened, keys.len(), "{key_type}");
    let verified = fixture.json(&["verify"]).await;
    assert_eq!(
        verified["rows_verified"],
        keys.len(),
        "{key_type}: {verified}"
    );
}

#[tokio::test]
async fn integers_of_every_width_from_the_smallest_on() {
    keyed_by("smallint", &["-32768", "-1", "0", "32767"]).await;
    keyed_by("int", &["-2147483648", "0", "2147483647"]).await;
    keyed_by(
        "bigint",
        &[
            "(-9223372036854775808)",
            "-1",
            "0",
            "1",
            "9223372036854775807",
        ],
    )
    .await;
}

#[tokio::test]
async fn uuids_bytes_and_booleans() {
    keyed_by(
        "uuid",
        &[
            "'00000000-0000-0000-0000-000000000000'",
            "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
            "'b95d97d6-51c0-f4d0-1555-1376058c771f'",
        ],
    )
    .await;
    keyed_by("bytea", &["'\\x'", "'\\x00'", "'\\xff00'", "'abc'"]).await;
    keyed_by("boolean", &["true", "false"]).await;
}

#[tokio::test]
async fn numbers_and_times_in_their_one_form() {
    keyed_by(
        "numeric",
        &["1.50", "100", "0.00", "-2.5", "12345678901234567890"],
    )
    .await;
    keyed_by("numeric(10,2)", &["1.5", "100", "0"]).await;
    keyed_by("date", &["'0001-01-01'", "'1969-12-31'", "'9999-12-31'"]).await;
    keyed_by(
        "timestamp",
        &[
            "'1969-12-31 23:59:59.999999'",
            "'1970-01-01'",
            "'2024-06-01 12:00'",
        ],
    )
    .await;
    keyed_by(
        "timestamptz",
        &[
            "'1969-12-31 23:59:59.999999+00'",
            "'2024-06-01 12:00+05:30'",
        ],
    )
    .await;
}

#[tokio::test]
async fn text_under_the_c_collation_and_under_one_that_ignores_case() {
    keyed_by(
        "text COLLATE \"C\"",
        &["''", "'a'", "'B'", "'é'", "'🩺'", "E'tab\\t'"],
    )
    .await;
    keyed_by("varchar(20)", &["'x '", "'x'", "'O''Brien'"]).await;
    keyed_by("char(5)", &["'ab'", "''", "'abcde'"]).await;
}

#[tokio::test]
async fn text_under_a_nondeterministic_collation() {
    let db = crate::support::database("nocase").await;
    let collation = "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)";
    if db.try_exec(collation).await.is_err() {
        return skipped("this server has no ICU");
    }
    let sql = "CREATE TABLE t (k text COLLATE nocase PRIMARY KEY, v text);
        INSERT INTO t SELECT chr(65 + i % 26 + 32 * (i % 2)) || i, 'v' || i
            FROM generate_series(1, 3000) i;
        CREATE TABLE saved AS SELECT k COLLATE \"C\" AS k, v FROM t;";
    let fixture = Fixture::new(Base::Postgres(db), sql, &beside("public.t", &["v"])).await;
    assert_eq!(fixture.json(&["backfill"]).await["rows_sealed"], 3000);
    assert_eq!(
        fixture.expect_sealed("public.t", &["v"], "saved").await,
        3000
    );
}

#[tokio::test]
async fn composite_keys_with_gaps_over_many_batches() {
    let sql = "CREATE TABLE t (a bigint, b text, c date, v text, PRIMARY KEY (b, a, c));
        INSERT INTO t SELECT (i * 7919 - 20000000)::bigint % 977, 'k' || i % 13, date '2000-01-01' + i, 'v' || i
            FROM generate_series(1, 5000) i;
        CREATE TABLE saved AS TABLE t;";
    let fixture = Fixture::postgres("composite", sql, &beside("public.t", &["v"])).await;
    assert_eq!(fixture.json(&["backfill"]).await["rows_sealed"], 5000);
    assert_eq!(
        fixture.expect_sealed("public.t", &["v"], "saved").await,
        5000
    );
}

#[tokio::test]
async fn a_key_value_without_a_fixed_form_goes_to_quarantine_and_stops_nothing() {
    let sql = "CREATE TABLE t (k numeric PRIMARY KEY, v text);
        INSERT INTO t VALUES (1, 'one'), ('NaN', 'nan'), (2, 'two');";
    let fixture = Fixture::postgres("nan", sql, &beside("public.t", &["v"])).await;
    let done = fixture.json_code(&["backfill"], 6).await;
    assert_eq!(
        (&done["rows_sealed"], &done["quarantined"]),
        (&2.into(), &1.into())
    );
    let sealed = "SELECT v_sealed IS NULL FROM t WHERE k = 'NaN'";
    assert_eq!(fixture.db().scalar(sealed).await.as_deref(), Some("t"));
}

#[tokio::test]
async fn keys_without_a_fixed_text_are_refused_before_anything_is_changed() {
    for key_type in [
        "double precision",
        "mood",
        "time",
        "interval",
        "inet",
        "jsonb",
        "int[]",
    ] {
        let sql = format!(
            "CREATE TYPE mood AS ENUM ('ok'); CREATE TABLE t (k {key_type} PRIMARY KEY, v text);"
        );
        let fixture = Fixture::postgres("refused", &sql, &beside("public.t", &["v"])).await;
        let refused = fixture.json_code(&["backfill"], 3).await;
        assert_eq!(refused["exit_code"], 3, "{key_type}");
        let columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 't'";
        assert_eq!(fixture.db().count(columns).await, 2, "{key_type}");
    }
}
