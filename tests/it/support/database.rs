//! A fresh PostgreSQL database for one test, and the few questions tests ask of it.
//! Dropped at the end of the test with everything that would stand in the way of that: open
//! connections, prepared transactions, replication slots, and the roles the test made.

use super::{Rows, cluster};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool, Row, ValueRef};
use std::future::Future;
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use url::Url;

/// One database of one test.
pub struct Database {
    name: String,
    url: Url,
    admin: Url,
    pool: PgPool,
    roles: Mutex<Vec<String>>,
}

/// A role with LOGIN; dropped with the database it was made for.
pub struct Role {
    /// Its name, unique in the cluster; needs no quotes.
    pub name: String,
    /// The URL with which it connects to the test's database.
    pub url: String,
}

/// A fresh UTF8 database on the shared server.
pub async fn database(name: &str) -> Database {
    database_with(name, "ENCODING 'UTF8'").await
}

/// A fresh database with the given options of CREATE DATABASE, as `ENCODING 'SQL_ASCII'`.
pub async fn database_with(name: &str, options: &str) -> Database {
    Database::create(cluster::shared_url(), name, options).await
}

impl Database {
    /// A fresh database on the server of the administrator's URL.
    pub async fn create(admin: &str, name: &str, options: &str) -> Self {
        let admin = Url::parse(admin).unwrap();
        let name = unique(name);
        execute(
            &admin,
            &format!("CREATE DATABASE {name} TEMPLATE template0 {options}"),
        )
        .await;
        let mut url = admin.clone();
        url.set_path(&name);
        let pool = PgPoolOptions::new()
            .max_connections(10)
            .connect_lazy_with(options_of(&url));
        Self {
            name,
            url,
            admin,
            pool,
            roles: Mutex::default(),
        }
    }

    /// The same database once its server was stopped and started: with connections that work.
    pub fn again(mut self) -> Self {
        self.pool = PgPoolOptions::new()
            .max_connections(10)
            .connect_lazy_with(options_of(&self.url));
        self
    }

    /// The administrator's URL of this database.
    pub fn url(&self) -> String {
        self.url.to_string()
    }

    /// The name of the database; needs no quotes.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A pool of at most ten connections of the administrator.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// A connection of its own, for a session that holds locks or settings.
    pub async fn connection(&self) -> PgConnection {
        options_of(&self.url).connect().await.unwrap()
    }

    /// Runs statements, separated by semicolons.
    pub async fn exec(&self, sql: &str) {
        self.try_exec(sql)
            .await
            .unwrap_or_else(|e| panic!("{e}\nin {sql}"));
    }

    /// Runs statements that may be refused.
    pub async fn try_exec(&self, sql: &str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// All rows, every value in the server's own text.
    pub async fn rows(&self, sql: &str) -> Rows {
        let mut connection = self.pool.acquire().await.unwrap();
        rows_of(&mut connection, sql).await
    }

    /// The first value of the first row.
    pub async fn scalar(&self, sql: &str) -> Option<String> {
        let rows = self.rows(sql).await;
        rows.into_iter().next()?.into_iter().next()?
    }

    /// Waits until the sessions of a killed process are gone: what they had asked for before it died,
    /// the server may still do.
    pub async fn settled(&self) {
        let left = "SELECT count(*) FROM pg_stat_activity
            WHERE application_name ~ '^phiseal( |$)' AND datname = current_database()";
        let deadline = Instant::now() + Duration::from_secs(120);
        while self.count(left).await > 0 {
            assert!(Instant::now() < deadline, "sessions of a killed process");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The first value of the first row, as a number.
    pub async fn count(&self, sql: &str) -> i64 {
        let value = self.scalar(sql).await;
        value.and_then(|v| v.parse().ok()).expect(sql)
    }

    /// A new role with LOGIN and the given attributes (`""`, `"BYPASSRLS"`), no rights on anything.
    pub async fn role(&self, name: &str, attributes: &str) -> Role {
        let name = unique(name);
        let create = format!("CREATE ROLE {name} LOGIN PASSWORD '{name}' {attributes}");
        self.exec(&create).await;
        self.roles.lock().unwrap().push(name.clone());
        let mut url = self.url.clone();
        url.set_username(&name).unwrap();
        url.set_password(Some(&name)).unwrap();
        Role {
            url: url.to_string(),
            name,
        }
    }
}

/// All rows through a connection of the test's own, every value in the server's own text.
pub async fn rows_of(connection: &mut PgConnection, sql: &str) -> Rows {
    let rows = try_rows_of(connection, sql).await;
    rows.unwrap_or_else(|e| panic!("{e}\nin {sql}"))
}

/// The same of statements that may be refused.
pub async fn try_rows_of(connection: &mut PgConnection, sql: &str) -> Result<Rows, sqlx::Error> {
    // The simple protocol answers in text, so that no type needs a decoder.
    let rows = sqlx::raw_sql(AssertSqlSafe(sql))
        .fetch_all(connection)
        .await?;
    let text = |row: &PgRow, i| {
        let value = row.try_get_raw(i).unwrap();
        (!value.is_null()).then(|| value.as_str().unwrap().to_owned())
    };
    let texts = |row: &PgRow| (0..row.len()).map(|i| text(row, i)).collect();
    Ok(rows.iter().map(texts).collect())
}

impl Drop for Database {
    fn drop(&mut self) {
        let (admin, url, name) = (self.admin.clone(), self.url.clone(), self.name.clone());
        let roles = std::mem::take(&mut *self.roles.lock().unwrap());
        let cleared = on_a_thread(async move {
            let tidy = remove(&admin, &url, &name, &roles);
            tokio::time::timeout(Duration::from_secs(30), tidy).await
        });
        // A test that stops its own server leaves nothing to drop; one that already fails says so.
        if let Ok(Err(error)) = cleared
            && !matches!(error, sqlx::Error::Io(_))
            && !std::thread::panicking()
        {
            panic!("could not drop the test's database: {error}");
        }
    }
}

async fn remove(admin: &Url, url: &Url, name: &str, roles: &[String]) -> Result<(), sqlx::Error> {
    let mut own = options_of(url).connect().await?;
    let prepared = format!("SELECT gid FROM pg_prepared_xacts WHERE database = '{name}'");
    for gid in rows_of(&mut own, &prepared).await.into_iter().flatten() {
        let gid = gid.unwrap_or_default().replace('\'', "''");
        run(&mut own, &format!("ROLLBACK PREPARED '{gid}'")).await?;
    }
    own.close().await?;
    let mut admin = options_of(admin).connect().await?;
    let slots = format!("FROM pg_replication_slots WHERE database = '{name}'");
    run(
        &mut admin,
        &format!("SELECT pg_terminate_backend(active_pid) {slots} AND active"),
    )
    .await?;
    run(
        &mut admin,
        &format!("SELECT pg_drop_replication_slot(slot_name) {slots} AND NOT active"),
    )
    .await?;
    run(&mut admin, &format!("DROP DATABASE {name} WITH (FORCE)")).await?;
    for role in roles {
        run(&mut admin, &format!("DROP ROLE IF EXISTS {role}")).await?;
    }
    admin.close().await
}

async fn execute(url: &Url, sql: &str) {
    let mut connection = options_of(url).connect().await.unwrap();
    let done = run(&mut connection, sql).await;
    done.unwrap_or_else(|e| panic!("{e}\nin {sql}"));
    connection.close().await.unwrap();
}

async fn run(connection: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .map(drop)
}

fn options_of(url: &Url) -> PgConnectOptions {
    PgConnectOptions::from_str(url.as_str())
        .unwrap()
        .application_name("phiseal-test")
}

// Drop may run inside a runtime, where nothing may block on another.
fn on_a_thread<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let thread = std::thread::spawn(|| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(work)
    });
    thread.join().unwrap()
}

// Unique on a server that several test processes share, and within the 63 bytes of a name.
fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let short: String = name.chars().take(30).collect();
    format!("it_{}_{n}_{}", std::process::id(), short.to_lowercase())
}
