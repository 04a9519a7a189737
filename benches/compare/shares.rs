//! Where the time of a run on one lane goes, in hundredths of it: what the program spends on reading,
//! sealing and writing, by its own log; what the server spends on keeping the books, by
//! pg_stat_statements; and the guard, by an `UPDATE` with and without it.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::ground::{Database, Ground, beside};

/// The server's statements, by how they begin or what is in them.
const STATEMENTS: [(&str, &str); 3] = [
    ("writing rows", "query LIKE '%UPDATE ONLY%unnest%'"),
    ("reading rows", "query LIKE 'SELECT pg_catalog.tidsend%'"),
    (
        "fence, checkpoint, keys, schema check",
        "query LIKE 'DO %' OR query LIKE 'UPDATE %lanes%' OR query LIKE 'SET LOCAL%' OR query LIKE 'BEGIN%'",
    ),
];

/// Runs once, and looks.
pub async fn measure(ground: &Ground, rows: u64) -> BTreeMap<String, f64> {
    let mut database = ground.fresh("students", &beside("1", 1)).await;
    database
        .exec("ALTER DATABASE work_students SET pg_stat_statements.track = 'top'")
        .await;
    database.exec("SELECT pg_stat_statements_reset()").await;
    let ran = ground.phiseal_logging(&["backfill", "--json"]);
    let mut out = BTreeMap::new();
    let hundredths = |seconds: f64| seconds / ran.seconds * 100.0;
    for (name, field) in [
        ("reading", "reading_ms"),
        ("sealing", "sealing_ms"),
        ("writing", "writing_ms"),
    ] {
        let spent = logged(&ran.stderr, field) / 1000.0;
        out.insert(name.to_owned(), hundredths(spent));
    }
    for (name, which) in STATEMENTS {
        let spent = database
            .number(&format!(
                "SELECT coalesce(sum(total_exec_time + total_plan_time), 0) / 1000 FROM pg_stat_statements \
                 WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND ({which})"
            ))
            .await;
        out.insert(format!("server: {name}"), hundredths(spent));
    }
    let guard = guard_seconds_a_row(&mut database).await * rows as f64;
    out.insert("server: guard".to_owned(), hundredths(guard));
    let books = out["server: fence, checkpoint, keys, schema check"] + out["server: guard"];
    out.insert("bookkeeping".to_owned(), books);
    out
}

/// The sum of a number over all lines of the log.
fn logged(log: &str, field: &str) -> f64 {
    log.lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|line| line["fields"][field].as_f64().or(line[field].as_f64()))
        .sum()
}

/// What the guard adds to the `UPDATE` of a row by the engine: the shortest of several, with it and
/// without, all rolled back.
async fn guard_seconds_a_row(database: &mut Database<'_>) -> f64 {
    let pages = "ctid < '(1500,0)'";
    let rows = database
        .number(&format!("SELECT count(*) FROM students WHERE {pages}"))
        .await;
    let mut shortest = [f64::MAX; 2];
    for at in 0..10 {
        let guarded = at % 2;
        database.exec("BEGIN").await;
        database.exec("SET LOCAL phiseal.engine = 'on'").await;
        if guarded == 0 {
            database
                .exec("ALTER TABLE students DISABLE TRIGGER \"~phiseal_u\"")
                .await;
        }
        let begun = Instant::now();
        database
            .exec(&format!(
                "UPDATE students SET active = active WHERE {pages}"
            ))
            .await;
        shortest[guarded] = shortest[guarded].min(begun.elapsed().as_secs_f64());
        database.exec("ROLLBACK").await;
        database.exec("VACUUM students").await;
    }
    (shortest[1] - shortest[0]).max(0.0) / rows.max(1.0)
}
