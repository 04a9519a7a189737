//! The library over an application's own connections, with the SQL that it gives: what it seals is judged by
//! the oracle, on both databases, and a key that was rotated away is told by the SQLSTATE that it names.

use crate::oracle::NonceLedger;
use crate::support::Fixture;
use phiseal::keys::{BoxError, KeyCache, KeyColumns, KeyRow, KeySource, Keyring, ProviderConfig};
use phiseal::{Date, Field, FieldColumns, Opener, Sealer, sql};
use sqlx::{PgPool, SqlitePool};
use std::sync::Arc;

const PLAN: &str = "[[table]]\nname = \"TABLE\"\n\
    [[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\npad_to = 16\n\
    blind_index = { column = \"ssn_bidx\", normalise = \"digits\", bits = 128 }\n\
    [[table.column]]\nname = \"born\"\nseal_into = \"born_sealed\"\n";

const ROWS: &str = "
    CREATE TABLE people (id int NOT NULL PRIMARY KEY, ssn text, born date);
    INSERT INTO people VALUES (1, '142-52-0042', '1952-03-04');
    CREATE TABLE saved AS SELECT * FROM people;
    INSERT INTO saved VALUES (7, '987-65-4320', '2024-02-29')";

struct Pool<P>(P);

impl KeySource for Pool<PgPool> {
    async fn key_rows(&self) -> Result<Vec<KeyRow>, BoxError> {
        let rows: Vec<KeyColumns> = sqlx::query_as(sql::KEYS).fetch_all(&self.0).await?;
        Ok(rows.into_iter().map(KeyRow::from).collect())
    }
}

impl KeySource for Pool<SqlitePool> {
    async fn key_rows(&self) -> Result<Vec<KeyRow>, BoxError> {
        let rows: Vec<KeyColumns> = sqlx::query_as(sql::KEYS_SQLITE).fetch_all(&self.0).await?;
        Ok(rows.into_iter().map(KeyRow::from).collect())
    }
}

async fn postgres_field(pool: &PgPool, column: &str) -> Field {
    let query = sqlx::query_as::<_, FieldColumns>(sql::FIELD)
        .bind("public.people")
        .bind(column);
    query.fetch_one(pool).await.unwrap().try_into().unwrap()
}

fn wrapping_key(fixture: &Fixture) -> phiseal::keys::LocalProvider {
    let config = ProviderConfig::File(fixture.project.key_file());
    config.open().unwrap()
}

#[tokio::test]
async fn an_application_seals_in_its_own_transaction_over_its_own_pool() {
    let plan = PLAN.replace("TABLE", "public.people");
    let fixture = Fixture::postgres("library_postgres", ROWS, &plan).await;
    fixture.backfill().await;
    let pool = fixture.db().pool().clone();
    let keys = KeyCache::open(Pool(pool.clone()), wrapping_key(&fixture))
        .await
        .unwrap();
    let (ssn, born) = (
        postgres_field(&pool, "ssn").await,
        postgres_field(&pool, "born").await,
    );
    let day: Date = "2024-02-29".parse().unwrap();

    let mut tx = pool.begin().await.unwrap();
    sqlx::query(sql::SEALER).execute(&mut *tx).await.unwrap();
    let sealer = keys.sealer(&ssn).await.unwrap();
    let (sealed, other): (Vec<u8>, Vec<u8>) = sqlx::query_as(
        "INSERT INTO people (id, ssn_sealed, ssn_bidx, born_sealed) VALUES (7, $1, $2, $3)
         RETURNING ssn_sealed, born_sealed",
    )
    .bind(sealer.seal("", 7, "987-65-4320").unwrap())
    .bind(sealer.blind_index("", "987-65-4320").unwrap())
    .bind(keys.sealer(&born).await.unwrap().seal("", 7, day).unwrap())
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    let opened = keys.open_value(&ssn, "", 7, &sealed).await.unwrap();
    assert_eq!(opened.text().unwrap(), "987-65-4320");
    assert_eq!(
        keys.open_value(&born, "", 7, &other)
            .await
            .unwrap()
            .date()
            .unwrap(),
        day
    );
    tx.commit().await.unwrap();
    // The type is known from the registry.
    let wrong = keys.sealer(&born).await.unwrap().seal("", 7, "29.2.2024");
    assert!(wrong.is_err());

    let found: Vec<i32> = sqlx::query_scalar("SELECT id FROM people WHERE ssn_bidx = ANY ($1)")
        .bind(sealer.lookups("", "987 65 4320").unwrap())
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(found, [7]);
    // Padding, blind index and all.
    assert_eq!(
        fixture
            .expect_sealed("public.people", &["ssn", "born"], "saved")
            .await,
        4
    );
}

#[tokio::test]
async fn a_key_that_was_rotated_away_is_told_by_its_sqlstate_and_loaded_again() {
    let plan = PLAN.replace("TABLE", "public.people");
    let fixture = Fixture::postgres("library_rotated", ROWS, &plan).await;
    fixture.backfill().await;
    let pool = fixture.db().pool().clone();
    let keys = KeyCache::open(Pool(pool.clone()), wrapping_key(&fixture))
        .await
        .unwrap();
    let ssn = postgres_field(&pool, "ssn").await;
    fixture.run(&["rotate"]).await.expect_code(0);
    let update = async || {
        let mut tx = pool.begin().await.unwrap();
        sqlx::query(sql::SEALER).execute(&mut *tx).await.unwrap();
        let sealer = keys.sealer(&ssn).await.unwrap();
        let sql = "UPDATE people SET ssn_sealed = $1, ssn_bidx = $2 WHERE id = 1";
        let updated = sqlx::query(sql)
            .bind(sealer.seal("", 1, "142-52-0042").unwrap())
            .bind(sealer.blind_index("", "142-52-0042").unwrap())
            .execute(&mut *tx)
            .await;
        match updated {
            Ok(_) => tx.commit().await.map(|()| String::new()).unwrap(),
            Err(error) => error
                .as_database_error()
                .unwrap()
                .code()
                .unwrap()
                .into_owned(),
        }
    };
    assert_eq!(update().await, sql::STALE_KEY);
    keys.reload().await.unwrap();
    assert_eq!(update().await, "");
    let ledger = &mut NonceLedger::default();
    let checked = fixture
        .check_against(("public.people", "ssn"), "saved", ledger)
        .await;
    assert_eq!((checked.equal, checked.faults.len()), (1, 0));
}

#[tokio::test]
async fn the_same_in_sqlite_without_waiting_for_keys() {
    let fixture = Fixture::sqlite(ROWS, &PLAN.replace("TABLE", "people")).await;
    fixture.backfill().await;
    let pool = fixture.file().pool();
    let rows = Pool(pool.clone()).key_rows().await.unwrap();
    let keyring = Arc::new(Keyring::from_rows(rows, &wrapping_key(&fixture)).unwrap());
    let query = sqlx::query_as::<_, FieldColumns>(sql::FIELD_SQLITE)
        .bind("people")
        .bind("ssn");
    let ssn: Field = query.fetch_one(pool).await.unwrap().try_into().unwrap();
    let sealer = Sealer::new(Arc::clone(&keyring), ssn.clone());

    let mut connection = pool.acquire().await.unwrap();
    let run = async |connection: &mut sqlx::SqliteConnection, sql: &'static str| {
        sqlx::query(sql).execute(connection).await.unwrap();
    };
    run(&mut connection, "PRAGMA foreign_keys = ON").await;
    run(&mut connection, "BEGIN IMMEDIATE").await;
    run(&mut connection, sql::SEALER_SQLITE).await;
    sqlx::query("INSERT INTO people (id, ssn_sealed, ssn_bidx) VALUES (7, ?, ?)")
        .bind(sealer.seal("", 7, "987-65-4320").unwrap())
        .bind(sealer.blind_index("", "987-65-4320").unwrap())
        .execute(&mut *connection)
        .await
        .unwrap();
    run(&mut connection, sql::SEALER_END_SQLITE).await;
    run(&mut connection, "COMMIT").await;
    drop(connection);

    let sealed: Vec<u8> = sqlx::query_scalar("SELECT ssn_sealed FROM people WHERE id = 7")
        .fetch_one(pool)
        .await
        .unwrap();
    let opened = Opener::new(keyring, ssn).open("", 7, &sealed).unwrap();
    assert_eq!(opened.text().unwrap(), "987-65-4320");
    assert_eq!(fixture.expect_sealed("people", &["ssn"], "saved").await, 2);
}
