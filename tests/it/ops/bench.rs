//! `phiseal bench`.

use serde_json::{Value, json};

use super::on_both;
use crate::support::{Base, Fixture};

on_both!(
    bench_needs_nothing_installed_and_changes_nothing,
    bench_in_the_tables_leaves_them_as_they_were,
    bench_seals_under_the_active_keys_and_for_tenants_without_any,
    bench_of_nothing_takes_no_time,
    bench_refuses_what_preflight_refuses,
    bench_of_two_tables_adds_them_up,
);

const ROWS: u64 = 5000;

/// Patients, every fifth of whom has no ssn, and as many tenants as asked for.
async fn application(fixture: &Fixture) {
    let (series, bytes) = match fixture.base {
        Base::Postgres(_) => (
            "SELECT n FROM generate_series(1, 5000) AS g(n)",
            "decode(md5(n::text), 'hex')",
        ),
        Base::Sqlite(_) => (
            "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 5000) SELECT n FROM g",
            "CAST(n AS BLOB)",
        ),
    };
    for sql in [
        "CREATE TABLE patients (id integer PRIMARY KEY, clinic varchar(9) NOT NULL,
             ssn varchar(11) COLLATE \"C\", note text, scan PHOTO, seen integer CHECK (seen > 0))",
        "CREATE INDEX patients_clinic ON patients (clinic, id)",
        "CREATE INDEX patients_seen ON patients (seen) WHERE seen > 10",
        "CREATE INDEX patients_lower ON patients (lower(clinic))",
    ] {
        let sql = match fixture.base {
            Base::Postgres(_) => sql.replace("PHOTO", "bytea"),
            Base::Sqlite(_) => sql.replace("PHOTO", "blob").replace("\"C\"", "NOCASE"),
        };
        fixture.exec(&sql).await;
    }
    let ssn = "CASE WHEN n % 5 > 0 THEN '123-' || (10000 + n) END";
    fixture
        .exec(&format!(
            "INSERT INTO patients (id, clinic, ssn, note, scan, seen)
                 SELECT n, 'c' || (n % 3), {ssn}, 'note ' || n, {bytes}, n FROM ({series}) AS s"
        ))
        .await;
    if let Base::Postgres(_) = fixture.base {
        fixture.exec("ANALYZE patients").await;
    }
}

fn plan(fixture: &Fixture, more: &str) {
    let tables = format!(
        "[[table]]\nname = \"{}\"\n{more}\n\
         [[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\n\
         blind_index = {{ column = \"ssn_bidx\", normalise = \"digits\", unique = true }}\n\
         [[table.column]]\nname = \"scan\"\nseal_into = \"scan_sealed\"",
        fixture.table("patients")
    );
    fixture.project.plan(&fixture.url(), &tables);
}

/// Everything there is: each row, and every object with its columns.
async fn state(fixture: &Fixture) -> Vec<Option<String>> {
    let queries: &[&str] = match fixture.base {
        Base::Postgres(_) => &[
            "SELECT md5(string_agg(p::text, '|' ORDER BY id)) FROM patients AS p",
            "SELECT string_agg(relname || ':' || relnatts, ',' ORDER BY oid) FROM pg_class
                 WHERE relnamespace <> 'pg_catalog'::regnamespace AND relname !~ '^pg_toast'",
            "SELECT count(*)::text FROM pg_trigger",
            "SELECT count(*)::text FROM pg_class WHERE relname LIKE '~phiseal%'",
        ],
        Base::Sqlite(_) => &[
            "SELECT group_concat(line, '|') FROM (SELECT id || quote(clinic) || quote(ssn) || quote(note)
                 || quote(scan) || quote(seen) AS line FROM patients ORDER BY id)",
            "SELECT group_concat(name || sql, ',') FROM sqlite_schema",
        ],
    };
    let mut state = Vec::new();
    for sql in queries {
        state.push(fixture.scalar(sql).await);
    }
    state
}

fn number(value: &Value, name: &str) -> f64 {
    value[name]
        .as_f64()
        .unwrap_or_else(|| panic!("{name} in {value}"))
}

/// Figures that belong together.
fn plausible(figures: &Value) {
    for lanes in ["one_lane", "all_lanes"] {
        let speed = &figures[lanes];
        let low = number(speed, "seconds_low");
        let likely = number(speed, "seconds_likely");
        let high = number(speed, "seconds_high");
        assert!(0.0 <= low && low <= likely && likely <= high, "{figures}");
        assert!(number(speed, "rows_per_second") > 0.0, "{figures}");
    }
    let bounds = ["read", "seal", "write", "network"];
    assert!(bounds.contains(&figures["bound_by"].as_str().unwrap()));
    for rate in ["seal_rows_per_second", "write_rows_per_second"] {
        assert!(number(figures, rate) > 0.0, "{figures}");
    }
    assert!(number(figures, "network_seconds") >= 0.0);
    for bytes in ["bytes", "growth_bytes_estimate", "wal_bytes_estimate"] {
        assert!(number(figures, bytes) > 0.0, "{bytes} in {figures}");
    }
}

async fn bench_needs_nothing_installed_and_changes_nothing(fixture: Fixture) {
    let fixture = fixture.planned();
    application(&fixture).await;
    plan(&fixture, "");
    std::fs::remove_file(fixture.project.key_file()).unwrap();
    let before = state(&fixture).await;
    let answer = fixture.ask(&["bench"], 0).await;
    assert_eq!(answer["keys"], "throw-away");
    assert_eq!(answer["write_sample"], false);
    let table = &answer["tables"][0];
    assert_eq!(table["name"], fixture.table("patients").as_str());
    assert_eq!(table["rows"], ROWS);
    assert_eq!(
        table["rows_exact"],
        matches!(fixture.base, Base::Sqlite(_)),
        "{table}"
    );
    // Every row has a scan, four of five an ssn.
    assert_eq!(table["rows_to_seal"], ROWS);
    let sample = &table["sample"];
    assert_eq!(sample["batches"], 2);
    assert_eq!(sample["batches_refused"], 0);
    let (rows, values) = (number(sample, "rows"), number(sample, "values"));
    assert!((values / rows - 1.8).abs() < 0.01, "{sample}");
    let all = number(table, "values");
    assert!((all / ROWS as f64 - 1.8).abs() < 0.01, "{table}");
    plausible(table);
    plausible(&answer["total"]);
    assert_eq!(table["left"], json!(null));
    assert_eq!(state(&fixture).await, before);

    let shown = fixture.run(&["bench"]).await.expect_code(0);
    for word in [
        "LIMITED BY",
        "throw-away",
        "Nothing was changed",
        "temporary table",
    ] {
        assert!(shown.stdout.contains(word), "{word} in {}", shown.stdout);
    }
    for value in ["123-1", "note 1"] {
        assert!(!shown.stdout.contains(value) && !shown.stderr.contains(value));
    }
    assert_eq!(state(&fixture).await, before);
}

async fn bench_in_the_tables_leaves_them_as_they_were(fixture: Fixture) {
    let fixture = fixture.keyed().await;
    application(&fixture).await;
    plan(&fixture, "");
    let code = fixture.refused(&["bench", "--write-sample"], 3).await;
    assert_eq!(code, "E0520");
    fixture.run(&["backfill"]).await.expect_code(0);
    let before = state(&fixture).await;
    let answer = fixture.ask(&["bench", "--write-sample"], 0).await;
    assert_eq!(answer["write_sample"], true);
    assert_eq!(answer["keys"], "active");
    let table = &answer["tables"][0];
    plausible(table);
    let dead = match fixture.base {
        Base::Postgres(_) => table["sample"]["rows"].clone(),
        Base::Sqlite(_) => json!(0),
    };
    assert_eq!(table["left"]["dead_rows"], dead);
    assert_eq!(answer["total"]["left"], table["left"]);
    assert_eq!(state(&fixture).await, before);
    fixture.run(&["verify"]).await.expect_code(0);

    let shown = fixture.run(&["bench", "--write-sample"]).await;
    let shown = shown.expect_code(0);
    assert!(shown.stderr.contains("rolls them back"), "{}", shown.stderr);
    assert!(shown.stdout.contains("rolled back"), "{}", shown.stdout);
    // The copy has the sealed columns of the table, and the unique index on one.
    plausible(&fixture.ask(&["bench"], 0).await["total"]);
    assert_eq!(state(&fixture).await, before);
}

async fn bench_seals_under_the_active_keys_and_for_tenants_without_any(fixture: Fixture) {
    let fixture = fixture.keyed().await;
    application(&fixture).await;
    plan(&fixture, "tenant_column = \"clinic\"");
    let keys = format!(
        "SELECT CAST(count(*) AS text) FROM {}",
        fixture.own("encryption_keys")
    );
    let before = (state(&fixture).await, fixture.scalar(&keys).await);
    let answer = fixture.ask(&["bench"], 0).await;
    assert_eq!(answer["keys"], "active and throw-away");
    plausible(&answer["total"]);
    assert_eq!((state(&fixture).await, fixture.scalar(&keys).await), before);

    // With keys there, a wrong wrapping key is found as anywhere else.
    std::fs::remove_file(fixture.project.key_file()).unwrap();
    fixture.run(&["bench"]).await.expect_code(7);
}

async fn bench_of_nothing_takes_no_time(fixture: Fixture) {
    let fixture = fixture.planned();
    application(&fixture).await;
    plan(&fixture, "");
    fixture.exec("DELETE FROM patients").await;
    if let Base::Postgres(db) = &fixture.base {
        db.exec("VACUUM ANALYZE patients").await;
    }
    let answer = fixture.ask(&["bench"], 0).await;
    let table = &answer["tables"][0];
    assert_eq!(table["rows_to_seal"], 0);
    assert_eq!(table["sample"]["batches"], 0);
    assert_eq!(table["bound_by"], json!(null));
    assert_eq!(table["all_lanes"]["seconds_high"], 0.0);
    assert_eq!(table["all_lanes"]["rows_per_second"], json!(null));
    let text = fixture.run(&["bench"]).await.expect_code(0).stdout;
    assert!(text.contains("nothing to seal in the sample"), "{text}");
}

async fn bench_refuses_what_preflight_refuses(fixture: Fixture) {
    let fixture = fixture.keyed().await;
    application(&fixture).await;
    fixture
        .exec(match fixture.base {
            Base::Postgres(_) => {
                "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
                 CREATE TRIGGER touch BEFORE UPDATE ON patients FOR EACH ROW EXECUTE FUNCTION touch()"
            }
            Base::Sqlite(_) => {
                "CREATE TRIGGER touch BEFORE UPDATE ON patients BEGIN SELECT 1; END"
            }
        })
        .await;
    plan(&fixture, "");
    let before = state(&fixture).await;
    let planned = fixture.ask(&["plan"], 3).await;
    let code = fixture.refused(&["bench"], 3).await;
    assert_eq!(planned["refusals"][0]["code"], code.as_str());
    assert_eq!(state(&fixture).await, before);
    assert_eq!(
        fixture.refused(&["bench", "--table", "visits"], 2).await,
        "E0105"
    );
}

async fn bench_of_two_tables_adds_them_up(fixture: Fixture) {
    let fixture = fixture.planned();
    application(&fixture).await;
    // A key of two columns, and a value sealed in its own column.
    fixture
        .exec(
            "CREATE TABLE visits (patient integer NOT NULL, day varchar(10) NOT NULL, note text,
                 PRIMARY KEY (patient, day))",
        )
        .await;
    fixture
        .exec("INSERT INTO visits SELECT id, 'd' || id, note FROM patients WHERE id <= 300")
        .await;
    if let Base::Postgres(db) = &fixture.base {
        db.exec("ANALYZE visits").await;
    }
    let (patients, visits) = (fixture.table("patients"), fixture.table("visits"));
    fixture.project.plan(
        &fixture.url(),
        &format!(
            "[[table]]\nname = \"{patients}\"\n\
             [[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\n\
             [[table]]\nname = \"{visits}\"\n\
             [[table.column]]\nname = \"note\"\nin_place = \"application-reads-both-forms\""
        ),
    );
    let before = state(&fixture).await;
    let answer = fixture.ask(&["bench"], 0).await;
    let tables = answer["tables"].as_array().unwrap();
    assert_eq!(tables.len(), 2);
    for table in tables {
        plausible(table);
    }
    assert_eq!(tables[1]["sample"]["values"], 300);
    let sum: f64 = tables.iter().map(|table| number(table, "rows")).sum();
    assert_eq!(number(&answer["total"], "rows"), sum);
    let one = fixture.ask(&["bench", "--table", "visits"], 0).await;
    assert_eq!(one["tables"].as_array().unwrap().len(), 1);
    assert_eq!(one["total"]["rows"], 300);
    // In place nothing has to be added first.
    let args = ["bench", "--write-sample", "--table", "visits"];
    plausible(&fixture.ask(&args, 0).await["total"]);
    assert_eq!(state(&fixture).await, before);
    let notes = "SELECT CAST(count(*) AS text) FROM visits WHERE note LIKE 'note %'";
    assert_eq!(fixture.scalar(notes).await.as_deref(), Some("300"));
}

#[tokio::test]
async fn bench_reads_and_copies_partitions() {
    let fixture = Fixture::empty_postgres("bench_partitions").await.planned();
    fixture
        .exec(
            "CREATE TABLE visits (id bigint, day date, ssn text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
             CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
             CREATE TABLE \"Visits 2\" PARTITION OF visits FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
             CREATE TABLE visits_empty PARTITION OF visits FOR VALUES FROM ('2022-01-01') TO ('2023-01-01');
             INSERT INTO visits SELECT n, date '2020-01-01' + n % 700, 'n' || n FROM generate_series(1, 1400) AS g(n);
             ANALYZE visits",
        )
        .await;
    fixture.project.plan(
        &fixture.url(),
        "[[table]]\nname = \"public.visits\"\n\
         [[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"",
    );
    let answer = fixture.ask(&["bench"], 0).await;
    plausible(&answer["total"]);
    assert_eq!(answer["tables"][0]["sample"]["batches"], 2);
    assert_eq!(answer["tables"][0]["sample"]["rows"], 1400);
}

#[tokio::test]
async fn bench_says_what_a_role_may_not_do() {
    let fixture = Fixture::empty_postgres("bench_role").await;
    application(&fixture).await;
    let Base::Postgres(db) = &fixture.base else {
        unreachable!()
    };
    let role = db.role("app", "").await;
    let name = db.name();
    db.exec(&format!(
        "ALTER TABLE patients OWNER TO {role}; GRANT ALL ON SCHEMA public TO {role};
         REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC",
        role = role.name,
    ))
    .await;
    plan(&fixture, "");
    let url = ["--database-url", &role.url];
    let code = fixture.refused(&[&["bench"], &url[..]].concat(), 3).await;
    assert_eq!(code, "E0521");
    db.exec(&format!("GRANT TEMPORARY ON DATABASE {name} TO PUBLIC"))
        .await;
    let answer = fixture.ask(&[&["bench"], &url[..]].concat(), 0).await;
    plausible(&answer["total"]);
}

#[tokio::test]
async fn bench_in_the_table_leaves_out_what_is_held_or_refused() {
    let fixture = Fixture::empty_postgres("bench_held")
        .await
        .one_refused()
        .await;
    let Base::Postgres(db) = &fixture.base else {
        unreachable!()
    };
    // All three rows are one batch, and one of them is refused.
    let code = fixture.refused(&["bench", "--write-sample"], 6).await;
    assert_eq!(code, "E0509");
    let mut writer = db.connection().await;
    for sql in ["BEGIN", "UPDATE patients SET ssn = '4' WHERE id = 42"] {
        sqlx::query(sql).execute(&mut writer).await.unwrap();
    }
    let answer = fixture.ask(&["bench", "--write-sample"], 0).await;
    assert_eq!(answer["total"]["left"]["dead_rows"], 2);
    plausible(&answer["total"]);
}
