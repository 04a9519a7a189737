//! How the cost of a run grows: with rows, with the size of values, with lanes, with columns.
//! Each point is a fresh table; beside phiseal stands the plain `UPDATE` of the same table where that
//! says something.

use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::common::{number, save, setting};
use crate::contestants::{CONSTANT_BYTES, floor_sql};
use crate::fixture::{Database, Fixture, beside, students};
use crate::{chosen, machine};

/// What was measured.
#[derive(Default, Serialize, Deserialize)]
pub struct Growth {
    /// The machine.
    pub machine: std::collections::BTreeMap<String, String>,
    /// Of the programs.
    pub versions: std::collections::BTreeMap<String, String>,
    /// Of the server.
    pub settings: std::collections::BTreeMap<String, String>,
    /// In the order in which they were measured.
    pub points: Vec<Point>,
}

/// One point of one line of one chart.
#[derive(Clone, Serialize, Deserialize)]
pub struct Point {
    /// `rows`, `values`, `lanes` or `columns`.
    pub chart: String,
    /// `phiseal` or `plain UPDATE`.
    pub line: String,
    /// What grows.
    pub x: u64,
    /// Rows of the table.
    pub rows: u64,
    /// Bytes of plaintext in it, in what is sealed.
    pub bytes: u64,
    /// How long it took.
    pub seconds: f64,
    /// Log that the server wrote.
    pub wal_bytes: u64,
    /// By how much the table and its indexes grew.
    pub grown_bytes: u64,
    /// The most memory phiseal held.
    pub peak_bytes: Option<u64>,
}

impl Growth {
    /// The median rate at a point, in rows a second.
    pub fn rate(&self, chart: &str, line: &str, x: u64) -> Option<f64> {
        let points = self.points.iter();
        let found = points.filter(|p| p.chart == chart && p.line == line && p.x == x);
        crate::record::median(found.map(|p| p.rows as f64 / p.seconds).collect())
    }

    /// What was measured last of phiseal at a point.
    pub fn point(&self, chart: &str, x: u64) -> Option<&Point> {
        let mut points = self.points.iter();
        points.rfind(|p| p.chart == chart && p.line == "phiseal" && p.x == x)
    }

    /// What a line was measured at.
    pub fn xs(&self, chart: &str, line: &str) -> Vec<u64> {
        let points = self.points.iter();
        let mut xs: Vec<u64> = points
            .filter(|p| p.chart == chart && p.line == line)
            .map(|p| p.x)
            .collect();
        xs.sort_unstable();
        xs.dedup();
        xs
    }
}

/// Bytes that a row of `students` takes on disk at the worst of a run: itself, its copy, its new
/// version, their indexes.
const DISK_BYTES_A_ROW: u64 = 1400;
/// The log is kept up to this.
const LOG_BYTES: u64 = 17 << 30;

/// Measures all of it.
pub async fn run(target: &Path) {
    let most = number("PHISEAL_BENCH_ROWS", 10_000_000);
    let rounds = number("PHISEAL_BENCH_ROUNDS", 1);
    let fixture = Fixture::start();
    let mut bench = Bench {
        file: target.join("growth.json"),
        growth: Growth {
            machine: machine::machine(),
            versions: machine::versions(&fixture).await,
            settings: fixture.settings().await.into_iter().collect(),
            points: Vec::new(),
        },
        fixture: &fixture,
    };
    for _ in 0..rounds {
        if chosen("lanes") {
            bench.lanes(most.min(1_000_000)).await;
        }
        if chosen("columns") {
            bench.columns(most.min(200_000)).await;
        }
        if chosen("values") {
            bench.values(most.min(200_000)).await;
        }
        if chosen("rows") {
            bench.rows(most).await;
        }
    }
    if setting("PHISEAL_BENCH_ONLY").is_none() && most >= 1_000_000 {
        crate::page::write_all(target);
    }
}

struct Bench<'a> {
    file: std::path::PathBuf,
    growth: Growth,
    fixture: &'a Fixture,
}

impl Bench<'_> {
    async fn rows(&mut self, most: u64) {
        for rows in [100_000, 300_000, 1_000_000, 3_000_000, 10_000_000] {
            if rows > most {
                break;
            }
            if let Some(free) = free_bytes(Path::new("/tmp"))
                && free < rows * DISK_BYTES_A_ROW + LOG_BYTES
            {
                println!(
                    "rows: {rows} would fill the disk, of which {free} bytes are free: left out"
                );
                break;
            }
            self.fixture.template("growth", &students(rows)).await;
            let mut point = Point {
                chart: "rows".to_owned(),
                line: "plain UPDATE".to_owned(),
                x: rows,
                rows,
                bytes: rows * 11,
                ..blank()
            };
            let mut database = self.fixture.fresh("growth", "").await;
            database
                .exec("ALTER TABLE students ADD COLUMN ssn_sealed bytea")
                .await;
            self.statement(&mut database, point.clone(), &floor_sql())
                .await;
            drop(database);
            point.line = "phiseal".to_owned();
            self.backfill("growth", &beside("\"auto\"", 1), point).await;
            self.clear().await;
        }
    }

    async fn lanes(&mut self, rows: u64) {
        self.fixture.template("growth", &students(rows)).await;
        for lanes in 1..=8 {
            let point = Point {
                chart: "lanes".to_owned(),
                x: lanes,
                rows,
                bytes: rows * 11,
                ..blank()
            };
            self.backfill("growth", &beside(&lanes.to_string(), 1), point)
                .await;
        }
        self.clear().await;
    }

    async fn columns(&mut self, rows: u64) {
        let columns: Vec<String> = (0..16)
            .map(|c| format!("lpad(((i * 7919 + {c}) % 1000000000)::text, 11, '0') AS c{c}"))
            .collect();
        let sql = format!(
            "CREATE TABLE students AS SELECT md5(i::text || 'id')::uuid AS id, {} FROM generate_series(1::int8, {rows}) AS i; \
             ALTER TABLE students ADD PRIMARY KEY (id); VACUUM (FREEZE, ANALYZE) students",
            columns.join(", ")
        );
        self.fixture.template("growth", &sql).await;
        for columns in [1, 2, 4, 8, 16] {
            let mut plan = "[[table]]\nname = \"public.students\"\n".to_owned();
            let mut sets = Vec::new();
            let mut adds = Vec::new();
            for c in 0..columns {
                plan.push_str(&format!(
                    "[[table.column]]\nname = \"c{c}\"\nseal_into = \"s{c}\"\n"
                ));
                sets.push(format!("s{c} = '\\x{}'", "e7".repeat(CONSTANT_BYTES)));
                adds.push(format!("ADD COLUMN s{c} bytea"));
            }
            let mut point = Point {
                chart: "columns".to_owned(),
                line: "plain UPDATE".to_owned(),
                x: columns,
                rows,
                bytes: rows * 11 * columns,
                ..blank()
            };
            let mut database = self.fixture.fresh("growth", "").await;
            database
                .exec(&format!("ALTER TABLE students {}", adds.join(", ")))
                .await;
            let sql = format!("UPDATE students SET {}", sets.join(", "));
            self.statement(&mut database, point.clone(), &sql).await;
            drop(database);
            point.line = "phiseal".to_owned();
            self.backfill("growth", &plan, point).await;
        }
        self.clear().await;
    }

    async fn values(&mut self, rows_most: u64) {
        for size in [10u64, 100, 1_000, 10_000, 100_000, 1_000_000] {
            // Not more than 200 MB, so that small values do not wait for large ones.
            let rows = rows_most.min(200_000_000 / size);
            // Text that does not compress: made of digests, each value of other ones.
            let sql = format!(
                "CREATE TABLE students AS SELECT md5(i::text || 'id')::uuid AS id, \
                   left((SELECT string_agg(md5(i::text || 'x' || n::text), '') FROM generate_series(0, {size} / 32) AS n), {size}) AS note \
                 FROM generate_series(1, {rows}) AS i; \
                 ALTER TABLE students ADD PRIMARY KEY (id); VACUUM (FREEZE, ANALYZE) students"
            );
            self.fixture.template("growth", &sql).await;
            let point = Point {
                chart: "values".to_owned(),
                x: size,
                rows,
                bytes: rows * size,
                ..blank()
            };
            let plan = "[[table]]\nname = \"public.students\"\n[[table.column]]\nname = \"note\"\n\
                        seal_into = \"note_sealed\"\n";
            self.backfill("growth", plan, point).await;
            self.clear().await;
        }
    }

    async fn statement(&mut self, database: &mut Database<'_>, point: Point, sql: &str) {
        let before = Before::of(database).await;
        let begun = Instant::now();
        database.exec(sql).await;
        let seconds = begun.elapsed().as_secs_f64();
        let point = before.after(database, Point { seconds, ..point }).await;
        self.keep(point);
    }

    async fn backfill(&mut self, template: &str, plan: &str, point: Point) {
        let mut database = self.fixture.fresh(template, plan).await;
        let before = Before::of(&mut database).await;
        let ran = self.fixture.phiseal(&["backfill", "--json"]);
        let done: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(done["rows_sealed"], point.rows, "{done}");
        let point = Point {
            seconds: ran.seconds,
            peak_bytes: ran.peak_bytes,
            ..point
        };
        let point = before.after(&mut database, point).await;
        self.keep(point);
    }

    async fn clear(&self) {
        self.fixture.drop("work_growth").await;
        self.fixture.drop("growth").await;
    }

    fn keep(&mut self, point: Point) {
        println!(
            "{:<8} {:<13} {:>9} {:>9.2} s {:>9.0} rows/s {:>7.1} MB/s {:>6.0} MB",
            point.chart,
            point.line,
            point.x,
            point.seconds,
            point.rows as f64 / point.seconds,
            point.bytes as f64 / 1e6 / point.seconds,
            point.peak_bytes.unwrap_or_default() as f64 / 1e6,
        );
        self.growth.points.push(point);
        save(&self.file, &self.growth);
    }
}

/// What a database held before.
struct Before {
    wal: f64,
    bytes: f64,
}

impl Before {
    async fn of(database: &mut Database<'_>) -> Self {
        Self {
            wal: database.wal().await,
            bytes: size(database).await,
        }
    }

    async fn after(&self, database: &mut Database<'_>, point: Point) -> Point {
        Point {
            wal_bytes: (database.wal().await - self.wal).max(0.0) as u64,
            grown_bytes: (size(database).await - self.bytes).max(0.0) as u64,
            ..point
        }
    }
}

async fn size(database: &mut Database<'_>) -> f64 {
    database
        .number("SELECT pg_total_relation_size('students')")
        .await
}

fn blank() -> Point {
    Point {
        chart: String::new(),
        line: "phiseal".to_owned(),
        x: 0,
        rows: 0,
        bytes: 0,
        seconds: 0.0,
        wal_bytes: 0,
        grown_bytes: 0,
        peak_bytes: None,
    }
}

fn free_bytes(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(stat.f_bavail * stat.f_frsize)
}
