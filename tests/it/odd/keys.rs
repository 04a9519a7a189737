//! Keys: which of several is taken, and values that no row key can hold.

use super::{codes, json, number};
use crate::backfill::beside;
use crate::support::{Base, Fixture};

#[tokio::test]
async fn another_unique_key_stands_in_for_a_primary_key_of_a_type_that_cannot_be() {
    let ddl = "CREATE TYPE kind AS ENUM ('home', 'work', 'mobile');
        CREATE TABLE phone (patient bigint, kind kind, row_uuid uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
            number text, PRIMARY KEY (patient, kind));
        INSERT INTO phone (patient, kind, number) SELECT i, k, '+49 30 ' || i FROM generate_series(1, 50) i,
            unnest(enum_range(NULL::kind)) k;
        CREATE TABLE slot (at time, room text NOT NULL, mrn text NOT NULL, z int NOT NULL, a int NOT NULL, name text,
            half int, PRIMARY KEY (at, room), CONSTRAINT three UNIQUE (room, z, a), CONSTRAINT zed UNIQUE (z),
            CONSTRAINT aah UNIQUE (mrn), CONSTRAINT later UNIQUE (a) DEFERRABLE, UNIQUE (half));
        CREATE UNIQUE INDEX aaa ON slot (a) WHERE a > 0;
        CREATE UNIQUE INDEX aab ON slot ((a + 1));
        INSERT INTO slot SELECT time '08:00' + i * interval '1 minute', 'r' || i % 3, 'm' || i, i, i, 'name ' || i
            FROM generate_series(1, 30) i";
    let tables = beside("public.phone", &["number"]) + &beside("public.slot", &["name"]);
    let fixture = Fixture::postgres("odd_keys", ddl, &tables).await;
    let plan = json(&fixture, &["plan"], 0).await;
    assert!(
        codes(&plan, "warnings").contains(&"E0208".to_owned()),
        "{plan}"
    );
    let done = json(&fixture, &["backfill"], 0).await;
    assert_eq!(done["values_sealed"], 180, "{done}");
    let keys = "SELECT string_agg(table_name || ' ' || key_columns::text, ', ' ORDER BY table_name)
        FROM phiseal.encrypted_field_metadata";
    let taken = fixture.scalar(keys).await.unwrap();
    assert!(
        taken.contains("row_uuid") && taken.contains("mrn"),
        "{taken}"
    );
    // A better one comes later, and the one taken stays; its columns still have to be unique.
    fixture
        .exec(
            "ALTER TABLE slot DROP CONSTRAINT slot_pkey; ALTER TABLE slot ADD PRIMARY KEY (a);
             INSERT INTO slot VALUES ('09:00', 'r', 'm31', 31, 31, 'late')",
        )
        .await;
    assert_eq!(json(&fixture, &["backfill"], 0).await["values_sealed"], 1);
    assert_eq!(json(&fixture, &["verify"], 0).await["values_verified"], 181);
    assert_eq!(fixture.scalar(keys).await.unwrap(), taken);
    fixture.exec("ALTER TABLE slot DROP CONSTRAINT aah").await;
    let refused = json(&fixture, &["backfill"], 3).await;
    assert_eq!(refused["error"]["code"], "E0209", "{refused}");
}

#[tokio::test]
async fn a_key_that_is_to_be_sealed_itself_gives_way_to_another() {
    let ddl = "CREATE TABLE patient (mrn varchar(20) NOT NULL PRIMARY KEY, no integer NOT NULL, name varchar(20),
            UNIQUE (no));
        INSERT INTO patient VALUES ('M1', 1, 'Ada'), ('M2', 2, 'Grace')";
    for fixture in [
        Fixture::postgres(
            "odd_phi_key",
            ddl,
            &beside("public.patient", &["mrn", "name"]),
        )
        .await,
        Fixture::sqlite(ddl, &beside("patient", &["mrn", "name"])).await,
    ] {
        let done = json(&fixture, &["backfill"], 0).await;
        assert_eq!(done["values_sealed"], 4, "{done}");
        assert_eq!(json(&fixture, &["verify"], 0).await["values_verified"], 4);
    }
}

#[tokio::test]
async fn without_another_key_the_refusal_names_what_would_do() {
    let ddl = "CREATE TABLE t (at time PRIMARY KEY, n int UNIQUE, v text)";
    let fixture = Fixture::postgres("odd_no_key", ddl, &beside("public.t", &["v"])).await;
    let plan = json(&fixture, &["plan"], 3).await;
    assert_eq!(codes(&plan, "refusals"), ["E0208"]);
    let hint = plan["refusals"][0]["hint"].as_str().unwrap();
    assert!(hint.contains("another unique key"), "{hint}");
}

#[tokio::test]
async fn keys_without_a_fixed_form_are_counted_beforehand() {
    let ddl = "CREATE TABLE born (d date, at timestamp, v text, PRIMARY KEY (d, at));
        INSERT INTO born SELECT date '2000-01-01' + i, '2000-01-01', 'v' || i FROM generate_series(1, 20) i;
        INSERT INTO born VALUES ('0044-03-15 BC', '2000-01-01', 'v'), ('infinity', '2000-01-01', 'v'),
            ('10000-01-01', '2000-01-01', 'v'), ('9999-12-31', '2000-01-01', 'v'), ('0001-01-01', '2000-01-01', 'v'),
            ('2000-01-01', '-infinity', 'v'), ('2000-01-01', '0044-03-15 BC', 'v');
        CREATE TABLE amount (n numeric PRIMARY KEY, v text);
        INSERT INTO amount VALUES (1.50, 'v'), ('NaN', 'v')";
    let tables = beside("public.born", &["v"]) + &beside("public.amount", &["v"]);
    let fixture = Fixture::postgres("odd_formless", ddl, &tables).await;
    let plan = json(&fixture, &["plan"], 0).await;
    let counted: Vec<String> = plan["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["code"] == "E0265")
        .map(|finding| {
            let message = finding["message"].as_str().unwrap();
            let count = message.split(' ').next().unwrap();
            format!("{} {count}", finding["column"].as_str().unwrap())
        })
        .collect();
    assert_eq!(counted, ["d 3", "at 1", "n 1"], "{plan}");
    let done = json(&fixture, &["backfill"], 6).await;
    assert_eq!(
        (&done["quarantined"], &done["values_sealed"]),
        (&5.into(), &24.into()),
        "{done}"
    );
}

#[tokio::test]
async fn a_plan_tries_the_keys_and_estimates_what_is_left() {
    let ddl = "CREATE TABLE t (id integer PRIMARY KEY, v varchar(20));";
    let rows = |base: &Base| match base {
        Base::Postgres(_) => {
            "INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 2000) i; ANALYZE t"
        }
        Base::Sqlite(_) => {
            "WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < 2000)
             INSERT INTO t SELECT x, 'v' || x FROM i"
        }
    };
    for fixture in [
        Fixture::postgres("odd_left", ddl, &beside("public.t", &["v"])).await,
        Fixture::sqlite(ddl, &beside("t", &["v"])).await,
    ] {
        fixture.exec(rows(&fixture.base)).await;
        let before = json(&fixture, &["plan"], 0).await;
        assert_eq!(before["tables"][0]["rows_to_seal"], 2000, "{before}");
        assert!(before["tables"][0]["growth_bytes_estimate"].as_u64() > Some(0));
        fixture.backfill().await;
        fixture.exec("UPDATE t SET v = 'new' WHERE id <= 20").await;
        if let Base::Postgres(_) = fixture.base {
            fixture.exec("VACUUM ANALYZE t").await;
        }
        let after = json(&fixture, &["plan"], 0).await;
        assert_eq!(after["tables"][0]["rows"], 2000, "{after}");
        assert_eq!(after["tables"][0]["rows_to_seal"], 20, "{after}");
        fixture.backfill().await;
        let done = json(&fixture, &["plan"], 0).await;
        assert_eq!(done["tables"][0]["growth_bytes_estimate"], 0, "{done}");
        assert_eq!(done["tables"][0]["seconds_estimate"], 0, "{done}");
        // The wrapping key is another, or is not there.
        let (file, aside) = (
            fixture.project.key_file(),
            fixture.project.dir().join("aside"),
        );
        std::fs::rename(&file, &aside).unwrap();
        let lost = json(&fixture, &["plan"], 3).await;
        assert_eq!(codes(&lost, "refusals"), ["E0405"], "{lost}");
        assert_eq!(lost["refusals"][0]["table"], serde_json::Value::Null);
        crate::support::project::write_key_file(&file);
        let other = json(&fixture, &["plan"], 3).await;
        assert_eq!(codes(&other, "refusals"), ["E0421"], "{other}");
        // A DBA who prints the DDL need not have it.
        json(&fixture, &["plan", "--sql"], 0).await;
        std::fs::remove_file(&file).unwrap();
        std::fs::rename(&aside, &file).unwrap();
        assert_eq!(number(&fixture, "SELECT count(*) FROM t").await, 2000);
    }
}
