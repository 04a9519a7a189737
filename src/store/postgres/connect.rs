//! Connections to PostgreSQL: the one way from a URL to a session.
//! Owns the check of the URL and the choice of the path: directly to a Unix socket, through the
//! relay to everything else. The driver never parses the operator's URL, because it ignores
//! parameters that it does not know and logs their values. The driver is built without TLS; the
//! relay has its own.

mod login;
mod of_libpq;
mod parameters;
mod relay;
mod scheme;
mod settings;
mod tls;

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions, PgConnection};
use url::Url;

use super::fault::{beginning, connecting};
use super::lent::POOL_MAX;
use crate::error::connect_fault::{ConnectFault, PasswordSource, Place};
use crate::error::io_fault;
use crate::store::transport::{SslMode, Transport};
use crate::store::{Result, StoreError};
use parameters::Parameters;
use relay::{NOT_NOW, REFUSED, Relay};
use settings::{ConnectionSettings, Endpoint};

/// How every name of a session of ours begins; see [`super::sql::OURS`].
const APPLICATION: &str = "phiseal";

/// How long opening a connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(15);

/// Opens connections to one database. Clones share a relay.
#[derive(Clone)]
pub(super) struct Connector {
    options: PgConnectOptions,
    settings: Arc<ConnectionSettings>,
    /// `None` if the driver connects directly to a Unix socket.
    relay: Option<Arc<Relay>>,
    /// The password of the URL.
    password: Option<Arc<SecretString>>,
    /// For messages.
    place: Arc<Place>,
}

impl Connector {
    /// Checks a URL. `database` replaces the database that the URL names. Must be called within a
    /// runtime.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`] with every fault of the URL and of libpq's environment variables;
    /// [`StoreError::Unreachable`] if no socket can be opened for the relay.
    pub(super) fn new(url: &str, database: Option<&str>) -> Result<Self> {
        let (parameters, settings) = read(url)?;
        let mut options = driver(&parameters, &settings)?;
        if let Some(database) = database {
            options = options.database(database);
        }
        let settings = Arc::new(settings);
        let place = Arc::new(place(&settings, &options));
        let mut relay = None;
        // A Unix socket needs no TLS, and the relay need not check the login unless the URL asks
        // for that.
        if matches!(settings.place, Endpoint::Tcp { .. }) || settings.methods.is_some() {
            let (settings, to) = (Arc::clone(&settings), Arc::clone(&place));
            let tls = client_config(&settings)?;
            let opened = Relay::open(settings, tls, to);
            let opened = opened.map_err(|error| {
                let reason = io_fault::words(&error);
                let reason = format!("phiseal cannot open a socket of its own: {reason}");
                StoreError::unreachable(ConnectFault::System { reason }).at(&place)
            })?;
            options = options.socket(opened.folder());
            relay = Some(Arc::new(opened));
        }
        Ok(Self {
            options,
            settings,
            relay,
            password: parameters.password.map(Arc::new),
            place,
        })
    }

    /// The server, the database and the user that a URL names, for messages. Opens nothing.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`].
    pub(super) fn place_of(url: &str) -> Result<Place> {
        let (parameters, settings) = read(url)?;
        Ok(place(&settings, &driver(&parameters, &settings)?))
    }

    /// The same connection as libpq's environment, for a program of PostgreSQL. It connects by
    /// itself, and so does not go through the relay.
    pub(super) fn environment(&self) -> Vec<(&'static str, OsString)> {
        let settings = &self.settings;
        let mut set: Vec<(&'static str, OsString)> = vec![
            ("PGHOST", settings.place.shown().into()),
            ("PGPORT", settings.port.to_string().into()),
            ("PGUSER", self.options.get_username().into()),
            ("PGAPPNAME", APPLICATION.into()),
        ];
        let database = self.options.get_database();
        set.extend(database.map(|name| ("PGDATABASE", name.into())));
        if let Endpoint::Tcp { address, .. } = &settings.place {
            set.push(("PGSSLMODE", settings.mode.to_string().into()));
            set.extend(address.map(|address| ("PGHOSTADDR", address.to_string().into())));
        }
        let roots = settings.sslrootcert.as_ref();
        set.extend(roots.map(|roots| ("PGSSLROOTCERT", roots.into())));
        if let Some((certificate, key)) = &settings.client {
            set.push(("PGSSLCERT", certificate.into()));
            set.push(("PGSSLKEY", key.into()));
        }
        let password = self.password.as_ref();
        set.extend(password.map(|password| ("PGPASSWORD", password.expose_secret().into())));
        set
    }

    /// Opens a session outside of the pool. The server shows it as `phiseal` and its purpose.
    ///
    /// # Errors
    /// Why the session could not be opened.
    pub(super) async fn connect(&self, purpose: &str) -> Result<PgConnection> {
        let name = format!("{APPLICATION} {purpose}");
        let options = self.options.clone().application_name(&name);
        match tokio::time::timeout(CONNECT_MAX, options.connect()).await {
            Ok(answer) => answer.map_err(|error| {
                self.refusal(&error)
                    .unwrap_or_else(|| connecting(error, self.password_source()))
                    .at(&self.place)
            }),
            Err(_) => Err(StoreError::unreachable(NO_ANSWER).at(&self.place)),
        }
    }

    /// A pool that opens its sessions on demand.
    pub(super) fn pool(&self) -> PgPool {
        PgPoolOptions::new()
            .max_connections(POOL_MAX)
            // If a session is gone, its first statement fails without having changed anything and
            // is sent again. A test before each use would cost a round trip.
            .test_before_acquire(false)
            .acquire_timeout(CONNECT_MAX)
            .connect_lazy_with(self.options.clone())
    }

    /// Why the pool gave no connection, or none in a transaction.
    pub(super) fn explain(&self, error: sqlx::Error) -> StoreError {
        self.refusal(&error)
            .unwrap_or_else(|| beginning(error, self.password_source()))
            .at(&self.place)
    }

    /// The relay's error, if the relay refused the connection and told the driver.
    fn refusal(&self, error: &sqlx::Error) -> Option<StoreError> {
        let told = error.as_database_error()?.code()?;
        let relay = self.relay.as_ref()?;
        (told == REFUSED || told == NOT_NOW)
            .then(|| relay.refusal())
            .flatten()
    }

    fn password_source(&self) -> PasswordSource {
        let variable = || std::env::var_os("PGPASSWORD").is_some();
        match &self.password {
            Some(_) => PasswordSource::Url,
            None if variable() => PasswordSource::Variable,
            None => PasswordSource::File,
        }
    }

    /// How the sessions are protected on the network. `encrypted` is that of the last session.
    pub(super) fn transport(&self) -> Transport {
        let tcp = matches!(self.settings.place, Endpoint::Tcp { .. });
        Transport {
            host: self.settings.place.shown(),
            local: self.settings.local(),
            sslmode: tcp.then_some(self.settings.mode),
            encrypted: self.relay.as_ref().is_some_and(|relay| relay.encrypted()),
        }
    }
}

/// How long opening a connection may take, as a cause.
const NO_ANSWER: ConnectFault = ConnectFault::NoAnswer {
    seconds: CONNECT_MAX.as_secs(),
};

fn read(url: &str) -> Result<(Parameters, ConnectionSettings)> {
    let parameters = Parameters::parse(url).map_err(bad_url)?;
    let environment = |name: &str| std::env::var(name).ok();
    let settings =
        ConnectionSettings::settle(&parameters, environment, usual_host).map_err(bad_url)?;
    Ok((parameters, settings))
}

fn place(settings: &ConnectionSettings, options: &PgConnectOptions) -> Place {
    let user = options.get_username().to_owned();
    let database = options.get_database();
    Place::Server {
        host: settings.place.shown(),
        port: settings.port,
        // As the server does it where none is named.
        database: database.map_or_else(|| user.clone(), str::to_owned),
        user,
    }
}

fn bad_url(reason: String) -> StoreError {
    StoreError::BadUrl { reason }
}

/// The host if none is named: the folder of an existing socket, or `localhost`.
fn usual_host() -> String {
    PgConnectOptions::new_without_pgpass().get_host().to_owned()
}

fn client_config(settings: &ConnectionSettings) -> Result<Option<Arc<rustls::ClientConfig>>> {
    if settings.mode == SslMode::Disable || matches!(settings.place, Endpoint::Socket(_)) {
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

/// The driver's options: the user and the server's own address. If the URL has no password, the
/// driver looks it up by that address, first in PGPASSWORD, then in the password file.
fn driver(parameters: &Parameters, settings: &ConnectionSettings) -> Result<PgConnectOptions> {
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
    // Poolers refuse start-up parameters other than the application name; the settings for text
    // forms are set in each transaction.
    Ok(options
        .ssl_mode(PgSslMode::Disable)
        .application_name(APPLICATION)
        .extra_float_digits(None)
        .statement_cache_capacity(0)
        .disable_statement_logging())
}
