//! The program on a server at a round trip of 0 and of 40 ms: rows a second of each command, what the far one loses,
//! and what `bench` foretold of it. A restore of twelve typed columns, which no network slows, stands beside.
//! With `--test` a small table, once.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    dead_code,
    reason = "a benchmark that cannot be set up has nothing to report; cluster and proxy have more than is used here"
)]

#[path = "../tests/it/support/cluster.rs"]
mod cluster;
#[path = "../tests/it/support/proxy.rs"]
mod proxy;

use std::process::Command;
use std::time::Duration;

use proxy::Proxy;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

const FAR: Duration = Duration::from_millis(40);
/// The far server is to be at least this quick, beside the near one.
const MARK: f64 = 1.0 / 3.0;
/// Rows of the measured tables; a few with `--test`.
const ROWS: u32 = 300_000;
const ROWS_OF_A_TEST: u32 = 3_000;

/// One text column, sealed beside, in a table of eleven columns and three more indexes.
const STUDENTS: &str = "CREATE TABLE students AS SELECT gen_random_uuid() AS id, i % 50 AS school_id, 'First' || i AS first, \
    'Last' || i AS last, lpad((i % 1000)::text, 3, '0') || '-12-' || lpad((i % 10000)::text, 4, '0') AS ssn, \
    date '2005-01-01' + i % 4000 AS dob, repeat('n', 100) AS notes, '+1 555 ' || i AS phone, \
    i || ' Main Street' AS address, true AS active, now() AS created_at FROM generate_series(1, {rows}) AS i; \
    ALTER TABLE students ADD PRIMARY KEY (id); CREATE INDEX ON students (school_id); CREATE INDEX ON students (last); \
    CREATE INDEX ON students (created_at); VACUUM ANALYZE students";
const STUDENTS_PLAN: &str = "[[table]]\nname = \"public.students\"\n[[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\n";

/// Twelve columns of as many types.
const TYPED: [(&str, &str); 12] = [
    ("c_date", "date '1950-01-01' + i % 20000"),
    ("c_time", "time '08:00' + (i % 600) * interval '1 min'"),
    (
        "c_stamp",
        "timestamp '2020-01-01' + (i % 9999) * interval '1 h'",
    ),
    (
        "c_zone",
        "timestamptz '2020-01-01 00:00+00' + (i % 9999) * interval '1 h'",
    ),
    ("c_int", "i"),
    ("c_big", "i::bigint * 1000003"),
    ("c_numeric", "(i % 10000) / 7.0"),
    ("c_double", "i / 3.0::float8"),
    ("c_bool", "i % 2 = 0"),
    ("c_uuid", "gen_random_uuid()"),
    ("c_json", "jsonb_build_object('n', i)"),
    ("c_varchar", "('value ' || i)::varchar(40)"),
];

fn main() {
    let rows = match std::env::args().any(|arg| arg == "--test") {
        true => ROWS_OF_A_TEST,
        false => ROWS,
    };
    let cluster = cluster::Cluster::start();
    let near = Fixture::new(&cluster, "near", Duration::ZERO, rows);
    let far = Fixture::new(&cluster, "far", FAR, rows);
    println!(
        "{rows} rows; rows/s at a round trip of 0 and of {} ms",
        FAR.as_millis()
    );
    println!("command     near     far  far/near");
    let mut missed = Vec::new();
    for command in ["backfill", "verify", "rotate", "restore"] {
        let [near, far] = [&near, &far].map(|fixture| fixture.rate(command));
        let share = far / near;
        println!("{command:10}{near:7.0} {far:7.0}    {share:6.2}");
        if share < MARK && ["backfill", "rotate"].contains(&command) {
            missed.push(command);
        }
    }
    println!(
        "`bench` foretold {:.1} s for the far backfill, which took {:.1} s",
        far.foretold,
        far.took.get()
    );
    let typed = Fixture::typed(&cluster, rows / 3);
    let [backfill, restore] = ["backfill", "restore"].map(|command| typed.rate(command));
    println!(
        "twelve typed columns, near: backfill {backfill:.0} rows/s, restore {restore:.0} rows/s"
    );
    match missed.is_empty() {
        true => println!("the mark, a third of the near rate, is met"),
        false => println!(
            "the mark, a third of the near rate, is missed by: {}",
            missed.join(", ")
        ),
    }
}

/// A database of its own, the folder of an operator, and the network between.
struct Fixture {
    folder: tempfile::TempDir,
    url: String,
    rows: u32,
    foretold: f64,
    took: std::cell::Cell<f64>,
    columns: String,
    proxy: Option<Proxy>,
}

impl Fixture {
    fn new(cluster: &cluster::Cluster, name: &str, round_trip: Duration, rows: u32) -> Self {
        let ddl = STUDENTS.replace("{rows}", &rows.to_string());
        Self::of(cluster, name, round_trip, rows, &ddl, STUDENTS_PLAN, "ssn")
    }

    fn typed(cluster: &cluster::Cluster, rows: u32) -> Self {
        let values: Vec<String> = TYPED
            .iter()
            .map(|(name, value)| format!("{value} AS {name}"))
            .collect();
        let ddl = format!(
            "CREATE TABLE visits AS SELECT i AS id, {} FROM generate_series(1, {rows}) AS i; \
             ALTER TABLE visits ADD PRIMARY KEY (id); VACUUM ANALYZE visits",
            values.join(", ")
        );
        let column = |(name, _): &(&str, &str)| {
            format!("[[table.column]]\nname = \"{name}\"\nseal_into = \"{name}_sealed\"\n")
        };
        let plan = format!(
            "[[table]]\nname = \"public.visits\"\n{}",
            TYPED.iter().map(column).collect::<String>()
        );
        let names: Vec<&str> = TYPED.iter().map(|(name, _)| *name).collect();
        Self::of(
            cluster,
            "typed",
            Duration::ZERO,
            rows,
            &ddl,
            &plan,
            &names.join(","),
        )
    }

    fn of(
        cluster: &cluster::Cluster,
        name: &str,
        round_trip: Duration,
        rows: u32,
        ddl: &str,
        plan: &str,
        columns: &str,
    ) -> Self {
        exec(
            &cluster.url("postgres"),
            &format!("CREATE DATABASE bench_{name}"),
        );
        let url = cluster.url(&format!("bench_{name}"));
        exec(&url, ddl);
        let proxy = (!round_trip.is_zero()).then(|| Proxy::to(&url, round_trip));
        let by_way = proxy
            .as_ref()
            .map_or_else(|| url.clone(), |proxy| proxy.by_way(&url));
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "[database]\nurl = \"{by_way}\"\n[keys]\nprovider = \"file\"\npath = \"wrapping.key\"\n{plan}"
        );
        std::fs::write(folder.path().join("phiseal.toml"), text).unwrap();
        let mut fixture = Self {
            folder,
            url,
            rows,
            foretold: 0.0,
            took: std::cell::Cell::new(0.0),
            columns: columns.to_owned(),
            proxy,
        };
        for args in [
            &["keys", "new-wrapping-key", "wrapping.key"][..],
            &["migrate", "up"],
            &["keys", "create"],
        ] {
            fixture.phiseal(args);
        }
        if fixture.proxy.is_some() {
            let told = fixture.phiseal(&["bench", "--json"]);
            fixture.foretold = told["tables"][0]["all_lanes"]["seconds_likely"]
                .as_f64()
                .unwrap_or_default();
            assert!(fixture.foretold > 0.0, "{told}");
        }
        fixture
    }

    /// Rows a second of the whole command; a restore finds its plaintext gone.
    fn rate(&self, command: &str) -> f64 {
        if command == "restore" {
            let sets: Vec<String> = self
                .columns
                .split(',')
                .map(|column| format!("{column} = NULL"))
                .collect();
            let table = if self.columns == "ssn" {
                "students"
            } else {
                "visits"
            };
            let sql = format!(
                "ALTER TABLE {table} DISABLE TRIGGER USER; UPDATE {table} SET {}; ALTER TABLE {table} ENABLE TRIGGER USER; \
                 ALTER TABLE {table} ENABLE ALWAYS TRIGGER \"~phiseal_i\"; ALTER TABLE {table} ENABLE ALWAYS TRIGGER \"~phiseal_u\"; \
                 VACUUM ANALYZE {table}",
                sets.join(", ")
            );
            exec(&self.url, &sql);
        }
        exec(&self.url, "CHECKPOINT");
        let begun = std::time::Instant::now();
        self.phiseal(&[command, "--json"]);
        let took = begun.elapsed().as_secs_f64();
        if command == "backfill" {
            self.took.set(took);
        }
        f64::from(self.rows) / took
    }

    fn phiseal(&self, args: &[&str]) -> Value {
        let ended = Command::new(env!("CARGO_BIN_EXE_phiseal"))
            .args(args)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        assert!(
            ended.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&ended.stderr)
        );
        serde_json::from_slice(&ended.stdout).unwrap_or_default()
    }
}

fn exec(url: &str, sql: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut conn = PgConnection::connect(url).await.unwrap();
        for statement in sql.split("; ") {
            sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
                .execute(&mut conn)
                .await
                .unwrap();
        }
        conn.close().await.unwrap();
    });
}
