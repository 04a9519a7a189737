//! Connections to PostgreSQL: from a URL to a session, in one way for everything that connects.
//! Owns the check of the URL and the way the driver takes: straight to a Unix socket, and through the
//! relay to everything else. The driver's own reading of URLs is never reached with what an operator
//! wrote: it passes over parameters it does not know, and logs their values. Nor is its TLS: it is
//! built without.

mod login;
mod parameters;
mod relay;
mod settings;
mod tls;

use std::sync::Arc;

use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions, PgConnection};
use url::Url;

use super::CONNECT_MAX;
use super::fault::connecting;
use crate::store::transport::{SslMode, Transport};
use crate::store::{Result, StoreError};
use parameters::Parameters;
use relay::{NOT_NOW, REFUSED, Relay};
use settings::{Place, Settings};

/// How many connections of the pool may be open at once.
const POOL_MAX: u32 = 8;

/// Makes connections to one database. Clones share a relay.
#[derive(Clone)]
pub(super) struct Connector {
    options: PgConnectOptions,
    settings: Arc<Settings>,
    /// `None` where the driver goes straight to a Unix socket.
    relay: Option<Arc<Relay>>,
}

impl Connector {
    /// Checks a URL. `database` goes before the one it names. Must be called within a runtime.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`] with every fault of the URL, and of libpq's variables in the
    /// environment; no socket for the relay.
    pub(super) fn new(url: &str, database: Option<&str>) -> Result<Self> {
        let parameters = Parameters::parse(url).map_err(bad_url)?;
        let environment = |name: &str| std::env::var(name).ok();
        let settings = Settings::settle(&parameters, environment, usual_host).map_err(bad_url)?;
        let mut options = driver(&parameters, &settings)?;
        if let Some(database) = database {
            options = options.database(database);
        }
        let settings = Arc::new(settings);
        let mut relay = None;
        // A socket needs neither TLS nor a watch, unless the URL asks for one.
        if matches!(settings.place, Place::Tcp { .. }) || settings.methods.is_some() {
            let opened = Relay::open(Arc::clone(&settings), client_config(&settings)?);
            let opened = opened.map_err(|error| StoreError::Unreachable {
                reason: format!("no socket for the driver: {}", error.kind()),
            })?;
            options = options.socket(opened.folder());
            relay = Some(Arc::new(opened));
        }
        Ok(Self {
            options,
            settings,
            relay,
        })
    }

    /// A session of its own.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn connect(&self) -> Result<PgConnection> {
        match tokio::time::timeout(CONNECT_MAX, self.options.connect()).await {
            Ok(answer) => answer.map_err(|error| self.explain(error, connecting)),
            Err(_) => Err(StoreError::Unreachable {
                reason: "no answer in time".to_owned(),
            }),
        }
    }

    /// A pool that makes its sessions when they are asked for.
    pub(super) fn pool(&self) -> PgPool {
        PgPoolOptions::new()
            .max_connections(POOL_MAX)
            // A session that is gone is noticed by its first statement, which has changed nothing and is sent
            // again; asking each time would be a round trip more.
            .test_before_acquire(false)
            .acquire_timeout(CONNECT_MAX)
            .connect_lazy_with(self.options.clone())
    }

    /// The error behind one of the driver's: the relay's, where it refused; else what `otherwise`
    /// makes of it.
    pub(super) fn explain(
        &self,
        error: sqlx::Error,
        otherwise: fn(sqlx::Error) -> StoreError,
    ) -> StoreError {
        let told = error.as_database_error().and_then(|error| error.code());
        let refused = told.is_some_and(|code| code == REFUSED || code == NOT_NOW);
        let refusal = self
            .relay
            .as_ref()
            .filter(|_| refused)
            .and_then(|relay| relay.refusal());
        refusal.unwrap_or_else(|| otherwise(error))
    }

    /// How sessions are protected on their way; what it says of encryption is the last one's.
    pub(super) fn transport(&self) -> Transport {
        let tcp = matches!(self.settings.place, Place::Tcp { .. });
        Transport {
            host: self.settings.place.shown(),
            local: self.settings.local(),
            sslmode: tcp.then_some(self.settings.mode),
            encrypted: self.relay.as_ref().is_some_and(|relay| relay.encrypted()),
        }
    }
}

fn bad_url(reason: String) -> StoreError {
    StoreError::BadUrl { reason }
}

/// The host where nothing names one: the folder of a socket that is there, or `localhost`.
fn usual_host() -> String {
    PgConnectOptions::new_without_pgpass().get_host().to_owned()
}

fn client_config(settings: &Settings) -> Result<Option<Arc<rustls::ClientConfig>>> {
    if settings.mode == SslMode::Disable || matches!(settings.place, Place::Socket(_)) {
        return Ok(None);
    }
    let files = tls::Files {
        roots: settings.sslrootcert.as_deref(),
        client: settings
            .client
            .as_ref()
            .map(|(cert, key)| (&**cert, &**key)),
    };
    tls::client_config(settings.mode, &files)
        .map(Some)
        .map_err(bad_url)
}

/// What the driver is given: who we are, and where we would go. It looks the password up, where the
/// URL has none: PGPASSWORD, then the password file, by the server's own host and port.
fn driver(parameters: &Parameters, settings: &Settings) -> Result<PgConnectOptions> {
    let broken = |_| bad_url("it is not a PostgreSQL connection URL".to_owned());
    let mut url = Url::parse("postgres:///").map_err(|_| broken(()))?;
    url.query_pairs_mut()
        .append_pair("host", &settings.place.shown())
        .append_pair("port", &settings.port.to_string());
    for (name, value) in [("user", &parameters.user), ("dbname", &parameters.dbname)] {
        if let Some(value) = value {
            url.query_pairs_mut().append_pair(name, value);
        }
    }
    let mut options = PgConnectOptions::from_url(&url).map_err(|_| broken(()))?;
    if let Some(password) = &parameters.password {
        options = options.password(password.expose_secret());
    }
    // Start-up parameters beyond the name are refused by poolers; text forms are set per transaction.
    Ok(options
        .ssl_mode(PgSslMode::Disable)
        .application_name("phiseal")
        .extra_float_digits(None)
        .statement_cache_capacity(0)
        .disable_statement_logging())
}
