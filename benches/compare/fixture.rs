//! The server that everything is measured on, its tables, and fresh copies of them.
//! Owns the workload: `students`, a uuid key, eleven columns, about 250 bytes a row, three more
//! indexes. A copy is a database made from a template, file by file, so that it is the same each
//! time; then a checkpoint, so that each contestant pays for the full pages it logs.

use std::path::PathBuf;
use std::process::Command;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use crate::cluster::Cluster;
use crate::program::{Ran, family_cpu_seconds, run};

/// What the server is started with, beside the defaults. fsync stays on. The log is large enough
/// that no checkpoint falls into one contestant's time and not into another's.
const SETTINGS: &[&str] = &[
    "shared_buffers=1GB",
    "max_wal_size=16GB",
    "checkpoint_timeout=1h",
    "shared_preload_libraries=pg_stat_statements",
    "pg_stat_statements.track=none",
];

/// Settings that a reader of the figures wants to know.
const REPORTED: [&str; 10] = [
    "autovacuum",
    "checkpoint_timeout",
    "fsync",
    "full_page_writes",
    "jit",
    "max_wal_size",
    "shared_buffers",
    "synchronous_commit",
    "wal_buffers",
    "wal_level",
];

/// The plaintext columns of `students`, in the order in which more of them are sealed.
const COLUMNS: [&str; 4] = ["ssn", "phone", "address", "dob"];

/// The server, the operator's folder and the program.
pub struct Fixture {
    cluster: Cluster,
    dir: tempfile::TempDir,
    /// The program that is measured; that of this build, unless somebody sets another.
    pub program: PathBuf,
}

/// A fresh database.
pub struct Database<'a> {
    fixture: &'a Fixture,
    name: String,
    conn: PgConnection,
}

impl Fixture {
    /// Starts the server.
    pub fn start() -> Self {
        Self::start_with(SETTINGS)
    }

    /// The same with these settings, which must load pg_stat_statements.
    pub fn start_with(settings: &[&str]) -> Self {
        let fixture = Self {
            cluster: Cluster::start_with(settings),
            dir: tempfile::tempdir().unwrap(),
            program: env!("CARGO_BIN_EXE_phiseal").into(),
        };
        fixture.phiseal(&["keys", "new-wrapping-key", "wrapping.key"]);
        fixture
    }

    /// The operator's folder.
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// The URL of a database.
    pub fn url(&self, name: &str) -> String {
        self.cluster.url(name)
    }

    /// A connection to a database.
    pub async fn connect(&self, name: &str) -> PgConnection {
        let options: PgConnectOptions = self.url(name).parse().unwrap();
        PgConnection::connect_with(&options).await.unwrap()
    }

    /// Makes a template by these statements, and writes it out.
    pub async fn template(&self, name: &str, sql: &str) {
        let mut admin = self.connect("postgres").await;
        exec(&mut admin, &format!("CREATE DATABASE {name}")).await;
        let mut conn = self.connect(name).await;
        exec(&mut conn, "CREATE EXTENSION pg_stat_statements").await;
        for statement in sql.split(';').filter(|s| !s.trim().is_empty()) {
            exec(&mut conn, statement).await;
        }
        conn.close().await.unwrap();
        admin.close().await.unwrap();
    }

    /// Makes a database from a template, with phiseal's tables and keys in it, all written out.
    pub async fn fresh(&self, template: &str, tables: &str) -> Database<'_> {
        let name = format!("work_{template}");
        let mut admin = self.connect("postgres").await;
        exec(
            &mut admin,
            &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
        )
        .await;
        let version: i32 = sqlx::query("SELECT current_setting('server_version_num')::int4")
            .fetch_one(&mut admin)
            .await
            .unwrap()
            .get(0);
        // Before 15 there was only this way of copying, and no word for it.
        let strategy = if version >= 150_000 {
            " STRATEGY file_copy"
        } else {
            ""
        };
        exec(
            &mut admin,
            &format!("CREATE DATABASE {name} TEMPLATE {template}{strategy}"),
        )
        .await;
        admin.close().await.unwrap();
        let mut database = Database {
            fixture: self,
            conn: self.connect(&name).await,
            name,
        };
        if !tables.is_empty() {
            self.plan(&self.url(&database.name), tables);
            self.phiseal(&["migrate", "up"]);
            self.phiseal(&["keys", "create"]);
        }
        database.exec("CHECKPOINT").await;
        database
    }

    /// Drops a database.
    pub async fn drop(&self, name: &str) {
        let mut admin = self.connect("postgres").await;
        let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        exec(&mut admin, &sql).await;
        admin.close().await.unwrap();
    }

    /// Writes the plan: this database, and what follows `[keys]`.
    pub fn plan(&self, url: &str, tables: &str) {
        let plan = format!(
            "[database]\nurl = {url:?}\n[keys]\nprovider = \"file\"\npath = \"wrapping.key\"\n{tables}"
        );
        std::fs::write(self.dir().join("phiseal.toml"), plan).unwrap();
    }

    /// The real program, in the operator's folder.
    pub fn phiseal(&self, args: &[&str]) -> Ran {
        run(&mut self.command(args))
    }

    /// The same with its log, a JSON object a line.
    pub fn phiseal_logging(&self, args: &[&str]) -> Ran {
        run(self
            .command(args)
            .args(["--log-format", "json"])
            .env("PHISEAL_LOG", "phiseal=debug"))
    }

    /// The same, not started yet.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).current_dir(self.dir());
        command
    }

    /// What the server says about itself.
    pub async fn settings(&self) -> Vec<(String, String)> {
        let mut conn = self.connect("postgres").await;
        let mut settings = Vec::new();
        for name in REPORTED {
            let value = text(&mut conn, &format!("SELECT current_setting('{name}')")).await;
            settings.push((name.to_owned(), value));
        }
        conn.close().await.unwrap();
        settings
    }

    /// The version of the server.
    pub async fn server_version(&self) -> String {
        let mut conn = self.connect("postgres").await;
        let version = text(&mut conn, "SELECT current_setting('server_version')").await;
        conn.close().await.unwrap();
        version
    }

    /// Processor time of the server, all its processes together.
    pub fn server_cpu_seconds(&self) -> f64 {
        family_cpu_seconds(self.cluster.postmaster_pid())
    }
}

impl Database<'_> {
    /// Runs a statement.
    pub async fn exec(&mut self, sql: &str) {
        exec(&mut self.conn, sql).await;
    }

    /// A text, or what becomes one.
    pub async fn text(&mut self, sql: &str) -> String {
        text(&mut self.conn, sql).await
    }

    /// A number.
    pub async fn number(&mut self, sql: &str) -> f64 {
        let sql = format!("SELECT ({sql})::float8");
        let row = sqlx::query(AssertSqlSafe(sql))
            .fetch_one(&mut self.conn)
            .await
            .unwrap();
        row.get(0)
    }

    /// Leaves it, so that nobody but the program has a session there.
    pub async fn close(self) {
        self.conn.close().await.unwrap();
    }

    /// Its URL.
    pub fn url(&self) -> String {
        self.fixture.url(&self.name)
    }

    /// Bytes of log written so far.
    pub async fn wal(&mut self) -> f64 {
        self.number("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
            .await
    }
}

/// Runs a statement.
pub async fn exec(conn: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(conn)
        .await
        .unwrap_or_else(|e| panic!("{e}\nin {sql}"));
}

async fn text(conn: &mut PgConnection, sql: &str) -> String {
    let sql = format!("SELECT ({sql})::text");
    let row = sqlx::query(AssertSqlSafe(sql))
        .fetch_one(conn)
        .await
        .unwrap();
    row.get(0)
}

/// Eleven columns of made-up students.
const FIELDS: &str = "md5(i::text || 'id')::uuid AS id, i % 50 AS school_id, 'First' || i AS first, \
     'Last' || md5(i::text) AS last, \
     to_char(i::int8 * 7919 % 1000000000, 'FM000\"-\"00\"-\"0000') AS ssn, \
     date '2005-01-01' + i % 4000 AS dob, repeat('n', 80) AS notes, '+1 555 ' || i AS phone, \
     i || ' Main Street' AS address, true AS active, \
     timestamptz '2019-09-01 08:00+00' + i * interval '47 seconds' AS created_at";

const INDEXES: &str = "ALTER TABLE students ADD PRIMARY KEY (id); \
     CREATE INDEX ON students (school_id); CREATE INDEX ON students (last); \
     CREATE INDEX ON students (created_at); VACUUM (FREEZE, ANALYZE) students";

/// The statements that make so many students.
pub fn students(rows: u64) -> String {
    format!(
        "CREATE TABLE students AS SELECT {FIELDS} FROM generate_series(1, {rows}) AS i; {INDEXES}"
    )
}

/// The same in four partitions.
pub fn students_in_parts(rows: u64) -> String {
    let parts: Vec<String> = (0..4)
        .map(|part| {
            format!(
                "CREATE TABLE students_{part} PARTITION OF students \
                 FOR VALUES WITH (MODULUS 4, REMAINDER {part})"
            )
        })
        .collect();
    format!(
        "CREATE TABLE shape AS SELECT {FIELDS} FROM generate_series(1, 1) AS i; \
         CREATE TABLE students (LIKE shape) PARTITION BY HASH (id); DROP TABLE shape; {}; \
         INSERT INTO students SELECT {FIELDS} FROM generate_series(1, {rows}) AS i; {INDEXES}",
        parts.join("; ")
    )
}

/// The `[run]` and `[[table]]` sections for so many columns sealed beside the plaintext. The open
/// connection of the benchmark is no reason to go slowly.
pub fn beside(lanes: &str, columns: usize) -> String {
    let mut plan =
        format!("[run]\nlanes = {lanes}\npace = \"fast\"\n[[table]]\nname = \"public.students\"\n");
    for column in &COLUMNS[..columns] {
        plan.push_str(&format!(
            "[[table.column]]\nname = \"{column}\"\nseal_into = \"{column}_sealed\"\n"
        ));
    }
    plan
}
