//! Databases copied the way operators copy them: by the server's own programs, and SQLite's by its text.

use super::cluster::bin_dir;
use super::database::{Database, database};
use super::sqlite::{Sqlite, sqlite};
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Stdio;
use tokio::process::Command;

/// How a PostgreSQL database goes into another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `pg_dump | psql`, which goes on after an error.
    Plain,
    /// `pg_dump -Fc`, `pg_restore`.
    Custom,
    /// The same as one transaction.
    Single,
    /// Definitions first, then rows without their triggers (which leaves no trigger ALWAYS).
    InTwo,
}

/// A copy in a database of its own, and what the programs complained of.
pub async fn restored(db: &Database, name: &str, way: Way) -> (Database, String) {
    let copy = database(name).await;
    let said = restore_into(db, &copy, way).await;
    (copy, said)
}

async fn restore_into(db: &Database, copy: &Database, way: Way) -> String {
    let (from, into) = (db.url(), copy.url());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("dump").display().to_string();
    let psql = ["-X", "-q", "-o", "/dev/null", "-f", &file, &into];
    match way {
        Way::Plain => {
            let dumped = ran("pg_dump", &["-f", &file, &from]).await;
            dumped + &ran("psql", &psql).await
        }
        Way::InTwo => {
            let mut said = String::new();
            let rows = ["--data-only", "--disable-triggers"];
            for part in [&["--schema-only"][..], &rows] {
                // It warns of foreign keys that point to their own table; psql says what really fails.
                ran("pg_dump", &[part, &["-f", &file, &from]].concat()).await;
                said += &ran("psql", &psql).await;
            }
            said
        }
        Way::Custom | Way::Single => {
            let mut said = ran("pg_dump", &["-Fc", "-f", &file, &from]).await;
            let mut args = vec!["-d", &into];
            if way == Way::Single {
                args.push("--single-transaction");
            }
            args.push(&file);
            said += &ran("pg_restore", &args).await;
            said
        }
    }
}

/// Runs one of the server's programs; what it wrote to stderr, and that it failed if it did.
pub async fn ran(program: &str, args: &[&str]) -> String {
    let path = bin_dir().map_or_else(|| PathBuf::from(program), |dir| dir.join(program));
    let done = Command::new(path)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap_or_else(|e| panic!("{program}: {e}"));
    let mut said = String::from_utf8_lossy(&done.stderr).into_owned();
    if !done.status.success() {
        write!(said, "{program}: {}", done.status).unwrap();
    }
    said
}

/// A copy of a file, made from its text.
pub async fn loaded(text: &str) -> Sqlite {
    let copy = sqlite().await;
    copy.exec(text).await;
    copy
}

/// Everything in a file as statements, the way the `sqlite3` program writes `.dump`: tables with their
/// rows, then indexes, triggers and views.
pub async fn text_of(file: &Sqlite) -> String {
    let mut text = "PRAGMA foreign_keys = OFF;\nBEGIN;\n".to_owned();
    let sequences = "DELETE FROM sqlite_sequence;\n";
    let tables = "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'
        ORDER BY rowid";
    for row in file.rows(tables).await {
        let [Some(name), Some(sql)] = &row[..] else {
            continue;
        };
        writeln!(text, "{sql};").unwrap();
        rows_as_text(file, name, &mut text).await;
    }
    if file
        .scalar("SELECT count(*) FROM sqlite_schema WHERE name = 'sqlite_sequence'")
        .await
        .as_deref()
        == Some("1")
    {
        text.push_str(sequences);
        rows_as_text(file, "sqlite_sequence", &mut text).await;
    }
    let others = "SELECT sql FROM sqlite_schema WHERE type <> 'table' AND sql IS NOT NULL
        ORDER BY type = 'trigger', rowid";
    for row in file.rows(others).await {
        writeln!(text, "{};", row[0].as_deref().unwrap_or_default()).unwrap();
    }
    text.push_str("COMMIT;\n");
    text
}

async fn rows_as_text(file: &Sqlite, table: &str, text: &mut String) {
    let quoted = format!("\"{}\"", table.replace('"', "\"\""));
    let columns = format!(
        "SELECT name FROM pragma_table_info('{}')",
        table.replace('\'', "''")
    );
    let columns: Vec<String> = file
        .rows(&columns)
        .await
        .into_iter()
        .flatten()
        .flatten()
        .collect();
    let values: Vec<String> = columns
        .iter()
        .map(|c| format!("quote(\"{}\")", c.replace('"', "\"\"")))
        .collect();
    let sql = format!("SELECT {} FROM {quoted}", values.join(" || ',' || "));
    for row in file.rows(&sql).await {
        let values = row[0].as_deref().unwrap_or_default();
        writeln!(text, "INSERT INTO {quoted} VALUES ({values});").unwrap();
    }
}
