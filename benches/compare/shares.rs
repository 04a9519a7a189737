//! Where the time of a run on one lane goes, in hundredths of it: what the program spends on reading,
//! sealing and writing, by its own log; what the server spends on keeping the books, by
//! pg_stat_statements; and the guard, by an `UPDATE` with and without it.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::fixture::{Database, Fixture, beside};

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
pub async fn measure(fixture: &Fixture, rows: u64) -> BTreeMap<String, f64> {
    let mut database = fixture.fresh("students", &beside("1", 1)).await;
    database
        .exec("ALTER DATABASE work_students SET pg_stat_statements.track = 'top'")
        .await;
    database.exec("SELECT pg_stat_statements_reset()").await;
    let ran = fixture.phiseal_logging(&["backfill", "--json"]);
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

/// What the guard adds to the `UPDATE` of a row by the engine: the median of several pairs, with it
/// and without, on a copy of some rows. The copy has no indexes, whose upkeep differs from one
/// `UPDATE` to the next by more than the guard takes.
async fn guard_seconds_a_row(database: &mut Database<'_>) -> f64 {
    const ROWS: u32 = 100_000;
    const PAIRS: usize = 9;
    database
        .exec(&format!(
            "CREATE TABLE probe AS TABLE students LIMIT {ROWS}"
        ))
        .await;
    let trigger = database
        .text(
            "SELECT pg_get_triggerdef(oid) FROM pg_trigger \
             WHERE tgrelid = 'students'::regclass AND tgname = '~phiseal_u'",
        )
        .await;
    // As the server prints it, rows are compared value by value; the guard compares them as records.
    let on_copy = trigger
        .replace(" ON public.students ", " ON public.probe ")
        .replace(") *<> ROW(", ")::record *<> ROW(");
    assert_ne!(on_copy, trigger);
    database.exec(&on_copy).await;
    let mut differences = Vec::new();
    for _ in 0..PAIRS {
        let mut took = [0.0; 2];
        for (guarded, took) in took.iter_mut().enumerate() {
            let state = ["DISABLE", "ENABLE"][guarded];
            database.exec("VACUUM (FULL, FREEZE) probe").await;
            database
                .exec(&format!("ALTER TABLE probe {state} TRIGGER ALL"))
                .await;
            database.exec("BEGIN").await;
            database.exec("SET LOCAL phiseal.engine = 'on'").await;
            let begun = Instant::now();
            database.exec("UPDATE probe SET active = active").await;
            *took = begun.elapsed().as_secs_f64();
            database.exec("ROLLBACK").await;
        }
        differences.push(took[1] - took[0]);
    }
    differences.sort_by(f64::total_cmp);
    differences[PAIRS / 2] / f64::from(ROWS)
}
