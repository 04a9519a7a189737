//! Who is measured, and how each is run once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use crate::fixture::{Database, Fixture, beside};
use crate::program::{Ran, run};
use crate::record::Sample;

/// As long as an envelope of eleven bytes.
pub const CONSTANT_BYTES: usize = 45;

/// One that is run.
pub struct Contestant {
    /// Its name in the record.
    pub name: &'static str,
    /// What stands beside its bar; empty where it has none.
    pub short: &'static str,
    /// What it is, for people.
    pub title: &'static str,
    /// How it is run.
    pub kind: Kind,
}

/// How a contestant is run.
#[derive(Clone, Copy)]
pub enum Kind {
    /// A statement, after a column was added.
    Statement(fn() -> String),
    /// The same on a tenth of the rows.
    StatementOnTenth(fn() -> String),
    /// A script of Node on a tenth of the rows.
    Script(&'static str),
    /// A backfill by this plan, of this template.
    Backfill(fn() -> String, &'static str),
    /// Another command on what `auto` left, vacuumed.
    After(&'static [&'static str]),
    /// One `UPDATE` in one transaction, in a SQLite file.
    SqliteStatement,
    /// A backfill of a SQLite file.
    SqliteBackfill,
}

const SSN: fn() -> String = || "ALTER TABLE students ADD COLUMN ssn_sealed bytea".to_owned();

/// All of them, in the order of the table. What comes after `auto` works on what it left.
pub const CONTESTANTS: [Contestant; 19] = [
    Contestant {
        name: "floor",
        short: "one plain UPDATE (the floor)",
        title: "the floor: one plain `UPDATE` that writes a constant of the same size",
        kind: Kind::Statement(floor_sql),
    },
    Contestant {
        name: "lanes_1",
        short: "phiseal backfill, 1 lane",
        title: "phiseal backfill, 1 lane",
        kind: Kind::Backfill(|| beside("1", 1), "students"),
    },
    Contestant {
        name: "lanes_2",
        short: "2 lanes",
        title: "phiseal backfill, 2 lanes",
        kind: Kind::Backfill(|| beside("2", 1), "students"),
    },
    Contestant {
        name: "lanes_4",
        short: "4 lanes",
        title: "phiseal backfill, 4 lanes",
        kind: Kind::Backfill(|| beside("4", 1), "students"),
    },
    Contestant {
        name: "auto",
        short: "auto lanes",
        title: "phiseal backfill, `auto` lanes",
        kind: Kind::Backfill(|| beside("\"auto\"", 1), "students"),
    },
    Contestant {
        name: "verify",
        short: "phiseal verify",
        title: "phiseal verify of what that sealed",
        kind: Kind::After(&["verify", "--json"]),
    },
    Contestant {
        name: "empty",
        short: "",
        title: "phiseal backfill with nothing left to seal",
        kind: Kind::After(&["backfill", "--json"]),
    },
    Contestant {
        name: "rotate",
        short: "phiseal rotate",
        title: "phiseal rotate of it: every value under a new key",
        kind: Kind::After(&["rotate", "--json"]),
    },
    Contestant {
        name: "restore",
        short: "phiseal restore",
        title: "phiseal restore of it into a new column",
        kind: Kind::After(&["restore", "--into", "ssn_restored", "--json"]),
    },
    Contestant {
        name: "columns_4",
        short: "phiseal backfill, four columns",
        title: "phiseal backfill, four columns at once",
        kind: Kind::Backfill(|| beside("\"auto\"", 4), "students"),
    },
    Contestant {
        name: "in_place",
        short: "in place",
        title: "phiseal backfill in place, as text",
        kind: Kind::Backfill(in_place, "students"),
    },
    Contestant {
        name: "blind_index",
        short: "with a blind index",
        title: "phiseal backfill with a blind index, and its index made",
        kind: Kind::Backfill(blind_index, "students"),
    },
    Contestant {
        name: "partitioned",
        short: "a partitioned table",
        title: "phiseal backfill of a table in four partitions",
        kind: Kind::Backfill(|| beside("\"auto\"", 1), "students_in_parts"),
    },
    Contestant {
        name: "pgcrypto_encrypt",
        short: "pgcrypto encrypt()",
        title: "pgcrypto `encrypt()` in one `UPDATE`: AES-CBC, no authentication, key in the statement",
        kind: Kind::StatementOnTenth(|| {
            "UPDATE students SET ssn_sealed = encrypt(ssn::bytea, '\\x000102030405060708090a0b0c0d0e0f', 'aes')"
                .to_owned()
        }),
    },
    Contestant {
        name: "pgp_sym_encrypt",
        short: "pgcrypto pgp_sym_encrypt()",
        title: "pgcrypto `pgp_sym_encrypt()` in one `UPDATE`",
        kind: Kind::StatementOnTenth(|| {
            "UPDATE students SET ssn_sealed = pgp_sym_encrypt(ssn, 'a passphrase')".to_owned()
        }),
    },
    Contestant {
        name: "row_script",
        short: "a script, a row at a time",
        title: "a script, a row at a time",
        kind: Kind::Script("row.cjs"),
    },
    Contestant {
        name: "batch_script",
        short: "a script, 1,000 rows at a time",
        title: "a script, 1,000 rows at a time and a pause of 100 ms",
        kind: Kind::Script("batch.cjs"),
    },
    Contestant {
        name: "sqlite_floor",
        short: "",
        title: "SQLite: one plain `UPDATE` in one transaction",
        kind: Kind::SqliteStatement,
    },
    Contestant {
        name: "sqlite",
        short: "",
        title: "SQLite: phiseal backfill",
        kind: Kind::SqliteBackfill,
    },
];

/// The statement of the floor.
pub fn floor_sql() -> String {
    format!(
        "UPDATE students SET ssn_sealed = '\\x{}'",
        "e7".repeat(CONSTANT_BYTES)
    )
}

fn in_place() -> String {
    "[run]\nlanes = \"auto\"\npace = \"fast\"\n[[table]]\nname = \"public.students\"\n[[table.column]]\nname = \"ssn\"\n\
     in_place = \"application-reads-both-forms\"\n"
        .to_owned()
}

fn blind_index() -> String {
    beside("\"auto\"", 1)
        + "blind_index = { column = \"ssn_bidx\", normalise = \"digits\", bits = 256 }\n"
}

/// What a round has at hand.
pub struct Stage<'a> {
    /// The server.
    pub fixture: &'a Fixture,
    /// Rows of the whole table.
    pub rows: u64,
    /// The SQLite file that is copied.
    pub sqlite: &'a Path,
    /// Where the scripts can be run, or why not.
    pub scripts: Result<PathBuf, String>,
    /// What `auto` left.
    pub left: Option<Database<'a>>,
}

impl<'a> Stage<'a> {
    /// Runs one contestant; `Err` says why it is skipped.
    pub async fn measure(&mut self, one: &Contestant, round: u32) -> Result<Sample, String> {
        let sample = match one.kind {
            Kind::Statement(sql) => self.statement("students", self.rows, &sql()).await,
            Kind::StatementOnTenth(sql) => self.statement("tenth", self.rows / 10, &sql()).await,
            Kind::Script(script) => self.script(script).await?,
            Kind::Backfill(plan, template) => {
                let mut database = self.fixture.fresh(template, &plan()).await;
                let sample = self.program(&mut database, &["backfill", "--json"]).await;
                if one.name == "auto" {
                    database.exec("VACUUM ANALYZE students").await;
                    self.left = Some(database);
                }
                sample
            }
            Kind::After(args) => {
                let Some(mut database) = self.left.take() else {
                    return Err("`auto` did not run before".to_owned());
                };
                self.fixture.plan(&database.url(), &beside("\"auto\"", 1));
                database.exec("CHECKPOINT").await;
                let sample = self.program(&mut database, args).await;
                database.exec("VACUUM ANALYZE students").await;
                self.left = Some(database);
                sample
            }
            Kind::SqliteStatement => self.sqlite_statement().await,
            Kind::SqliteBackfill => self.sqlite_backfill(),
        };
        Ok(Sample {
            contestant: one.name.to_owned(),
            round,
            ..sample
        })
    }

    async fn statement(&self, template: &str, rows: u64, sql: &str) -> Sample {
        let mut database = self.fixture.fresh(template, "").await;
        database.exec("CREATE EXTENSION pgcrypto").await;
        database.exec(&SSN()).await;
        let meter = Meter::start(self.fixture, &mut database).await;
        let begun = Instant::now();
        database.exec(sql).await;
        let seconds = begun.elapsed().as_secs_f64();
        meter
            .read(self.fixture, &mut database, sample(rows, seconds))
            .await
    }

    async fn script(&self, script: &str) -> Result<Sample, String> {
        let dir = self.scripts.clone()?;
        let rows = self.rows / 10;
        let mut database = self.fixture.fresh("tenth", "").await;
        database.exec(&SSN()).await;
        let meter = Meter::start(self.fixture, &mut database).await;
        let ran = run(Command::new("node")
            .arg(script)
            .current_dir(dir)
            .env("DATABASE_URL", database.url()));
        let sample = meter
            .read(self.fixture, &mut database, of(&ran, rows))
            .await;
        let left = database
            .number("SELECT count(*) FROM students WHERE ssn_sealed IS NULL")
            .await;
        assert!(left == 0.0, "{script} left {left} rows");
        Ok(sample)
    }

    async fn program(&self, database: &mut Database<'_>, args: &[&str]) -> Sample {
        let meter = Meter::start(self.fixture, database).await;
        let ran = self.fixture.phiseal(args);
        let sample = meter
            .read(self.fixture, database, of(&ran, self.rows))
            .await;
        check(&ran, args, self.rows);
        sample
    }

    fn sqlite_copy(&self) -> PathBuf {
        let path = self.fixture.dir().join("students.db");
        for end in ["", "-wal", "-shm", "-journal"] {
            let _ = fs::remove_file(format!("{}{end}", path.display()));
        }
        fs::copy(self.sqlite, &path).unwrap();
        let _ = fs::File::open(&path).and_then(|file| file.sync_all());
        path
    }

    async fn sqlite_statement(&self) -> Sample {
        let path = self.sqlite_copy();
        // As phiseal opens it.
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
            .synchronous(sqlx::sqlite::SqliteSynchronous::Full);
        let mut conn = SqliteConnection::connect_with(&options).await.unwrap();
        let run = async |conn: &mut SqliteConnection, sql: String| {
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
                .execute(conn)
                .await
                .unwrap();
        };
        run(
            &mut conn,
            "ALTER TABLE students ADD COLUMN ssn_sealed blob".to_owned(),
        )
        .await;
        let begun = Instant::now();
        run(
            &mut conn,
            format!(
                "UPDATE students SET ssn_sealed = x'{}'",
                "e7".repeat(CONSTANT_BYTES)
            ),
        )
        .await;
        let seconds = begun.elapsed().as_secs_f64();
        conn.close().await.unwrap();
        sample(self.rows, seconds)
    }

    fn sqlite_backfill(&self) -> Sample {
        let path = self.sqlite_copy();
        let url = format!("sqlite://{}", path.display());
        self.fixture.plan(
            &url,
            "[[table]]\nname = \"students\"\n[[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\n",
        );
        self.fixture.phiseal(&["migrate", "up"]);
        self.fixture.phiseal(&["keys", "create"]);
        let args = ["backfill", "--json"];
        let ran = self.fixture.phiseal(&args);
        check(&ran, &args, self.rows);
        of(&ran, self.rows)
    }
}

/// What the server did meanwhile.
struct Meter {
    wal: f64,
    cpu_seconds: f64,
}

impl Meter {
    async fn start(fixture: &Fixture, database: &mut Database<'_>) -> Self {
        Self {
            wal: database.wal().await,
            cpu_seconds: fixture.server_cpu_seconds(),
        }
    }

    async fn read(self, fixture: &Fixture, database: &mut Database<'_>, sample: Sample) -> Sample {
        Sample {
            server_cpu_seconds: Some(fixture.server_cpu_seconds() - self.cpu_seconds),
            wal_bytes: Some((database.wal().await - self.wal) as u64),
            ..sample
        }
    }
}

/// Every row was worked on, or the figure is not worth anything.
fn check(ran: &Ran, args: &[&str], rows: u64) {
    let done: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let (key, wanted) = match args[0] {
        "verify" => ("rows_verified", rows),
        "rotate" => ("rows_resealed", rows),
        "restore" => ("rows_restored", rows),
        _ if done["rows_found"] == 0 => ("rows_sealed", 0),
        _ => ("rows_sealed", rows),
    };
    assert_eq!(done[key], wanted, "{args:?}: {done}");
}

fn sample(rows: u64, seconds: f64) -> Sample {
    Sample {
        contestant: String::new(),
        round: 0,
        rows,
        seconds,
        wal_bytes: None,
        peak_bytes: None,
        cpu_seconds: None,
        server_cpu_seconds: None,
    }
}

fn of(ran: &Ran, rows: u64) -> Sample {
    Sample {
        peak_bytes: ran.peak_bytes,
        cpu_seconds: ran.cpu_seconds,
        ..sample(rows, ran.seconds)
    }
}

/// A file of so many students, with the same columns and indexes.
pub async fn sqlite_template(path: &Path, rows: u64) {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    let mut conn = SqliteConnection::connect_with(&options).await.unwrap();
    let sql = format!(
        "CREATE TABLE students (id TEXT PRIMARY KEY NOT NULL, school_id INTEGER, first TEXT, last TEXT, ssn TEXT, \
           dob TEXT, notes TEXT, phone TEXT, address TEXT, active INTEGER, created_at INTEGER); \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) \
         INSERT INTO students SELECT lower(hex(randomblob(16))), i % 50, 'First' || i, 'Last' || hex(randomblob(16)), \
           printf('%03d-%02d-%04d', i * 7919 / 1000000 % 1000, i * 7919 / 10000 % 100, i * 7919 % 10000), \
           date('2005-01-01', (i % 4000) || ' days'), '{notes}', '+1 555 ' || i, i || ' Main Street', 1, \
           1567324800 + i * 47 FROM n; \
         CREATE INDEX by_school ON students (school_id); CREATE INDEX by_last ON students (last); \
         CREATE INDEX by_created ON students (created_at); ANALYZE;",
        notes = "n".repeat(80)
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
}

/// The folder where the scripts can be run: a copy, with the driver beside it.
pub fn scripts(target: &Path) -> Result<PathBuf, String> {
    let dir = target.join("peers");
    fs::create_dir_all(&dir).map_err(|e| e.to_string())?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers");
    for entry in fs::read_dir(source).map_err(|e| e.to_string())?.flatten() {
        if entry.path().is_file() {
            fs::copy(entry.path(), dir.join(entry.file_name())).map_err(|e| e.to_string())?;
        }
    }
    let works = |program: &str, args: &[&str]| {
        Command::new(program)
            .args(args)
            .current_dir(&dir)
            .output()
            .is_ok_and(|output| output.status.success())
    };
    if !works("node", &["--version"]) {
        return Err("Node is not installed".to_owned());
    }
    let driver = ["-e", "require('pg')"];
    if works("node", &driver)
        || works("npm", &["ci", "--no-audit", "--no-fund"]) && works("node", &driver)
    {
        return Ok(dir);
    }
    Err("the driver `pg` is not there, and npm cannot fetch it".to_owned())
}
