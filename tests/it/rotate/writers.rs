//! Applications that go on working while keys are rotated: one that knows nothing of sealing, and
//! one, a process of its own, that seals with the library. No update is lost, and in the end
//! every value is under the new key.

use super::{active, json, number};
use crate::live::{Application, draw, everyday};
use crate::oracle::NonceLedger;
use crate::support::phiseal::Running;
use crate::support::{Fixture, Phiseal};
use phiseal::Field;
use phiseal::ident::Ident;
use phiseal::keys::{KeyCache, ProviderConfig};
use phiseal::store::postgres::PostgresStore;
use sqlx::Connection;
use std::time::{Duration, Instant};

const PLAN: &str = "[run]\nbatch_target_ms = 50\n[[table]]\nname = \"public.live\"\n\
    [[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\n\
    [[table.column]]\nname = \"note\"\nin_place = \"application-reads-both-forms\"\n";
const WRITER: &str = "rotate::writers::an_application_that_seals";

/// How long the applications work, in seconds: `make soak` gives them longer.
fn seconds() -> u64 {
    std::env::var("PHISEAL_SOAK_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(15)
}

#[tokio::test]
async fn no_update_is_lost_while_keys_are_rotated_under_a_sealing_application() {
    let rows = 30_000;
    let ddl = format!(
        "CREATE TABLE live (id bigint PRIMARY KEY, ssn text, note text, other int);
         INSERT INTO live SELECT i * 10, 'ssn ' || i, 'note ' || i, i FROM generate_series(1, {rows}) i;
         CREATE TABLE ledger (id bigint PRIMARY KEY, ssn text, note text);
         INSERT INTO ledger SELECT id, ssn, note FROM live"
    );
    let fixture = Fixture::postgres("rotate_writers", &ddl, PLAN).await;
    fixture.backfill().await;
    let mut unaware = Application::new();
    for task in 0..2 {
        unaware.does(
            fixture.db().pool(),
            Duration::from_millis(20),
            everyday(task, rows),
        );
    }
    let begun = Instant::now();
    let sealing = sealing_application(&fixture, seconds());
    let mut rotations = 0;
    while begun.elapsed() < Duration::from_secs(seconds()) {
        let done = fixture.project.phiseal(&["rotate", "--json"]);
        let done = done.run().await;
        done.expect_code(0);
        rotations += 1;
    }
    sealing.wait().await.expect_code(0);
    let transactions = unaware.stop().await;
    let sealed = number(&fixture, "SELECT count(*) FROM live WHERE id % 10 = 7").await;
    println!(
        "{rotations} rotations under {transactions} transactions, {sealed} rows sealed by the application"
    );
    assert!(
        transactions > 100 && sealed > 100,
        "the applications did little"
    );
    // What the unaware one wrote waits to be sealed; what was sealed meanwhile is re-sealed.
    fixture.backfill().await;
    json(&fixture, &["rotate"], 0).await;
    let key = active(&fixture, "cell").await;
    let ledger = &mut NonceLedger::default();
    for column in ["ssn", "note"] {
        let checked = fixture
            .check_against(("public.live", column), "ledger", ledger)
            .await;
        checked.expect_all_sealed();
        assert_eq!(
            checked.opened, checked.equal,
            "{column}: an update was lost"
        );
        let under: Vec<i64> = checked.keys.keys().map(|id| i64::from(*id)).collect();
        assert_eq!(under, [key], "{column}");
    }
    assert_eq!((ledger.cell_repeats, ledger.key_repeats), (0, 0));
}

/// Starts the test below as a process of its own. What it prints, its `test result:` line above all, is kept out
/// of the output of this run, and shown if it fails.
pub fn sealing_application(fixture: &Fixture, seconds: u64) -> Running {
    let itself = std::env::current_exe().unwrap();
    Phiseal::instead(
        itself.to_str().unwrap(),
        ["--ignored", "--exact", WRITER, "--nocapture"],
    )
    .env("PHISEAL_WRITER_URL", fixture.url())
    .env("PHISEAL_WRITER_KEY", fixture.project.key_file())
    .env("PHISEAL_WRITER_SECONDS", seconds.to_string())
    .timeout(Duration::from_secs(seconds + 300))
    .spawn()
}

/// The process that seals with the library: inserts and updates sealed values alone, rows of its
/// own, and notes in the ledger what they are.
#[tokio::test]
#[ignore = "a process of its own, started by the test above"]
async fn an_application_that_seals() {
    let url = std::env::var("PHISEAL_WRITER_URL").unwrap();
    let key_file = std::env::var("PHISEAL_WRITER_KEY").unwrap();
    let seconds: u64 = std::env::var("PHISEAL_WRITER_SECONDS")
        .unwrap()
        .parse()
        .unwrap();
    let store = PostgresStore::connect(&url, &Ident::new("phiseal").unwrap())
        .await
        .unwrap();
    let provider = ProviderConfig::File(key_file.into()).open().unwrap();
    let cache = KeyCache::open(store, provider).await.unwrap();
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    let begun = Instant::now();
    let mut n = 0u64;
    while begun.elapsed() < Duration::from_secs(seconds) {
        n += 1;
        let id = 10 * (1 + draw(n, 77) % 5_000) + 7;
        let text = format!("sealed by the application {n}");
        loop {
            let field = Field::new("public.live", "ssn");
            let sealer = cache.sealer(&field).await.unwrap();
            let sealed = sealer.seal("", id.cast_signed(), &text).unwrap();
            match write(&mut connection, id, &sealed, &text).await {
                Ok(()) => break,
                // Rotated away a moment ago: load the keys again, seal the value again.
                Err(state) if state == "PS002" => cache.reload().await.unwrap(),
                Err(state) if state == "40P01" || state == "55P03" => {}
                Err(state) => panic!("SQLSTATE {state}"),
            }
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    assert!(n > 100, "only {n} values were sealed");
}

async fn write(
    connection: &mut sqlx::PgConnection,
    id: u64,
    sealed: &[u8],
    text: &str,
) -> Result<(), String> {
    let mut tx = connection.begin().await.unwrap();
    let id = id.cast_signed();
    let state = |error: sqlx::Error| {
        let state = error
            .as_database_error()
            .and_then(|e| e.code().map(|c| c.into_owned()));
        state.unwrap_or_else(|| error.to_string())
    };
    sqlx::query("SET LOCAL phiseal.sealer = 'on'")
        .execute(&mut *tx)
        .await
        .map_err(state)?;
    sqlx::query(
        "INSERT INTO live (id, ssn_sealed) VALUES ($1, $2)
         ON CONFLICT (id) DO UPDATE SET ssn_sealed = excluded.ssn_sealed",
    )
    .bind(id)
    .bind(sealed)
    .execute(&mut *tx)
    .await
    .map_err(state)?;
    sqlx::query(
        "INSERT INTO ledger (id, ssn) VALUES ($1, $2)
         ON CONFLICT (id) DO UPDATE SET ssn = excluded.ssn",
    )
    .bind(id)
    .bind(text)
    .execute(&mut *tx)
    .await
    .map_err(state)?;
    tx.commit().await.map_err(state)
}
