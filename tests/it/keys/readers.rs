//! Applications that read and look up while keys are rotated.

use crate::rotate::{active, json, number, postgres};
use phiseal::crypto::{IndexSpec, Normaliser};
use phiseal::error::Coded;
use phiseal::keys::{BoxError, KeyCache, KeyColumns, KeyRow, KeySource, ProviderConfig};
use phiseal::{Field, Opener, Sealer, sql};
use sqlx::{Connection, Row};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

async fn cache(fixture: &crate::support::Fixture) -> KeyCache {
    let provider = ProviderConfig::File(fixture.project.key_file());
    let pool = OwnPool(fixture.db().pool().clone());
    KeyCache::open(pool, provider.open().unwrap())
        .await
        .unwrap()
}

/// The application's own pool.
struct OwnPool(sqlx::PgPool);

impl KeySource for OwnPool {
    async fn key_rows(&self) -> Result<Vec<KeyRow>, BoxError> {
        let rows: Vec<KeyColumns> = sqlx::query_as(sql::KEYS).fetch_all(&self.0).await?;
        Ok(rows.into_iter().map(KeyRow::from).collect())
    }
}

#[tokio::test]
async fn a_reader_opens_what_was_sealed_under_a_key_made_a_moment_ago() {
    let fixture = postgres("keys_reader", 10).await;
    let cache = cache(&fixture).await;
    let field = Field::new("public.patients", "ssn");
    let before = cache.keyring().await.unwrap().snapshot();
    json(&fixture, &["rotate"], 0).await;
    let mut connection = sqlx::PgConnection::connect(&fixture.url()).await.unwrap();
    let row = sqlx::query("SELECT ssn_sealed FROM patients WHERE id = 1");
    let sealed: Vec<u8> = row.fetch_one(&mut connection).await.unwrap().get(0);
    // A keyring that nobody loads again does not know the key, and its hint says what to do.
    let opener = Opener::new(cache.keyring().await.unwrap(), field.clone());
    let unknown = opener.open("", 1, &sealed).unwrap_err();
    assert_eq!(unknown.code(), "E0427");
    assert!(
        unknown.hint().contains("load the keys again"),
        "{}",
        unknown.hint()
    );
    let opened = cache.open_value(&field, "", 1, &sealed).await.unwrap();
    assert_eq!(opened.text().unwrap(), "ssn 1");
    assert!(cache.keyring().await.unwrap().ids().len() > before.ids().len());
    // A key that is nowhere stays unknown.
    let mut other = sealed.clone();
    other[2..6].copy_from_slice(&[0, 0, 0, 9]);
    let unknown = cache.open_value(&field, "", 1, &other).await.unwrap_err();
    assert_eq!(unknown.code(), "E0427");
}

/// Rows are sealed and indexed all the while: the switch fills the last ones under its lock, and no
/// lookup fails.
#[tokio::test]
async fn a_blind_index_is_rotated_beside_an_application_that_seals() {
    let fixture = postgres("keys_switch", 300).await;
    let before = active(&fixture, "blind_index").await;
    let cache = Arc::new(cache(&fixture).await.age_max(Duration::from_millis(200)));
    let stop = Arc::new(AtomicBool::new(false));
    let spec = IndexSpec::new(Normaliser::Digits, 128).unwrap();
    let field = Field::new("public.patients", "ssn").blind_index(spec);
    let mut tasks = Vec::new();
    for task in 0..3i64 {
        let (cache, stop, field, url) = (
            Arc::clone(&cache),
            Arc::clone(&stop),
            field.clone(),
            fixture.url(),
        );
        tasks.push(tokio::spawn(async move {
            let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
            let mut written = 0i64;
            while !stop.load(Ordering::SeqCst) {
                let id = 10_000 + task * 100_000 + written;
                seal(&mut connection, &cache, &field, id).await;
                let text = format!("ssn {id}");
                let sealer = cache.sealer(&field).await.unwrap();
                let found = sqlx::query(
                    "SELECT count(*) FROM patients WHERE ssn_bidx = ANY ($1) AND id = $2",
                )
                .bind(sealer.lookups("", &text).unwrap())
                .bind(i32::try_from(id).unwrap())
                .fetch_one(&mut connection)
                .await
                .unwrap();
                assert_eq!(found.get::<i64, _>(0), 1, "{text} is not found");
                written += 1;
                tokio::time::sleep(Duration::from_millis(15)).await;
            }
            written
        }));
    }
    let args = ["rotate", "--purpose", "blind_index", "--grace", "2"];
    let done = json(&fixture, &args, 0).await;
    assert_eq!(done["outcome"], "complete", "{done}");
    stop.store(true, Ordering::SeqCst);
    let mut written = 0;
    for task in tasks {
        written += task.await.unwrap();
    }
    assert!(written > 100, "{written}");
    assert_ne!(active(&fixture, "blind_index").await, before);
    // Every index is that of the new key.
    let keyring = cache.keyring().await.unwrap();
    cache.reload().await.unwrap();
    let sealer = Sealer::new(keyring, field);
    for id in [1, 7, 10_000, 110_000] {
        let index = sealer
            .blind_index("", &format!("ssn {id}"))
            .unwrap()
            .unwrap();
        let sql = format!(
            "SELECT count(*) FROM patients WHERE id = {id} AND ssn_bidx = '\\x{}'",
            hex::encode(index)
        );
        assert_eq!(number(&fixture, &sql).await, 1, "{id}");
    }
}

async fn seal(connection: &mut sqlx::PgConnection, cache: &KeyCache, field: &Field, id: i64) {
    let text = format!("ssn {id}");
    for _ in 0..50 {
        let sealer = cache.sealer(field).await.unwrap();
        let sealed = sealer.seal("", id, &text).unwrap();
        let index = sealer.blind_index("", &text).unwrap();
        let mut tx = connection.begin().await.unwrap();
        sqlx::query("SET LOCAL phiseal.sealer = 'on'")
            .execute(&mut *tx)
            .await
            .unwrap();
        let done =
            sqlx::query("INSERT INTO patients (id, ssn_sealed, ssn_bidx) VALUES ($1, $2, $3)")
                .bind(i32::try_from(id).unwrap())
                .bind(sealed)
                .bind(index)
                .execute(&mut *tx)
                .await;
        match done {
            Ok(_) => return tx.commit().await.unwrap(),
            Err(error) => {
                let state = error
                    .as_database_error()
                    .and_then(|e| e.code().map(|c| c.into_owned()));
                tx.rollback().await.unwrap();
                assert!(
                    state.is_some_and(|state| state.starts_with("PS")),
                    "{error}"
                );
                cache.reload().await.unwrap();
            }
        }
    }
    panic!("row {id} was refused again and again");
}
