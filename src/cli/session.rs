//! Makes what the commands work with from the arguments: the plan, the store, the keys.

mod explained;
mod host;
mod plan_file;
mod plan_place;
mod target;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::args::Global;
use crate::engine::look::Database;
use crate::engine::patient::PatientStore;
use crate::engine::preflight::Dialect;
use crate::engine::retry::Patience;
use crate::engine::{EventSink, RunSettings, Stop, Tenants};
use crate::error::connect_fault::Place;
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::ident::Ident;
use crate::keys::{KeyProvider, Keyring, ProviderSet};
use crate::plan::{Lanes, Plan};
use crate::store::postgres::PostgresStore;
use crate::store::sqlite::{Access, SqliteStore};
use crate::store::{ServerFacts, Store, StoreError};
pub use explained::explained;
pub use host::actor;
use plan_file::read_plan;
pub use plan_place::plan_of_variable;
use plan_place::{no_plan, plan_place};
pub use target::migration_target;
use target::{database_url, in_mode, place_of, unplanned};

/// How long a run waits for a failing database before it gives up.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the first connection is retried: enough for a pooler that restarts, and not too long
/// for a user who mistyped a port.
const FIRST_CONNECTION: Duration = Duration::from_secs(5);
/// The shortest target of a batch.
const SHORTEST_BATCH: Duration = Duration::from_millis(10);
/// How many connections a run uses besides one for each lane.
const CONNECTIONS_BESIDE: u32 = 3;
/// How long a sweep retries rows that others hold locked before the run gives up.
const CONVERGE_WITHIN: Duration = Duration::from_secs(300);

/// What most commands begin with.
pub struct Session {
    pub plan: Plan,
    pub store: Arc<dyn Store>,
    pub sqlite: bool,
    /// The database, for messages.
    place: Place,
    /// The server logs statements that take so long.
    logged_from: Option<Duration>,
    /// The same store as `store`, to observe while it waits for the database.
    patient: Arc<PatientStore>,
}

pub fn is_sqlite(url: &SecretString) -> bool {
    url.expose_secret().starts_with("sqlite:")
}

/// Connects to a store. `schema` holds phiseal's own tables in PostgreSQL, `role` is the role that
/// transactions run as, and `access` is how an SQLite file is opened.
pub async fn connect(
    url: &SecretString,
    schema: &Ident,
    role: Option<&Ident>,
    access: Access,
) -> Result<Arc<dyn Store>, Fault> {
    host::require_proc()?;
    let mut patience = Patience::new(FIRST_CONNECTION);
    // A server that is full answers, so the URL is right.
    let mut patience_if_full = Patience::new(PATIENCE);
    let mut said = false;
    loop {
        let opened: Result<Arc<dyn Store>, StoreError> = if is_sqlite(url) {
            SqliteStore::open(url.expose_secret(), access)
                .await
                .map(|store| Arc::new(store) as Arc<dyn Store>)
        } else {
            PostgresStore::connect_as(url.expose_secret(), schema, role)
                .await
                .map(|store| Arc::new(store) as Arc<dyn Store>)
        };
        let error = match opened {
            Ok(store) => return Ok(store),
            Err(error) => error,
        };
        let may_pass = error.may_pass_soon() && !is_sqlite(url);
        let pause = match error.is_full() {
            true => {
                if !std::mem::replace(&mut said, true) {
                    tracing::warn!("waiting: {error}");
                }
                patience_if_full.after(&error)
            }
            false => patience.after(&error),
        };
        match pause.filter(|_| may_pass) {
            Some(pause) => tokio::time::sleep(pause).await,
            None => return Err(error.into()),
        }
    }
}

/// Whether a plan file is named or found.
pub fn has_plan(global: &Global) -> bool {
    plan_place(global).is_some()
}

pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Session {
    /// Opens plan and database. phiseal's own tables may be missing. A command that does not work on
    /// tables needs no plan file if `--database-url` names the database.
    pub async fn open(global: &Global, tables: bool) -> Result<Self, Fault> {
        let plan = match (plan_place(global), &global.database_url) {
            (Some(place), _) => read_plan(global, &place, tables)?,
            (None, Some(url)) if !tables => unplanned(url.clone())?,
            (None, _) => return Err(no_plan(tables)),
        };
        let url = database_url(global, &plan)?;
        let sqlite = is_sqlite(&url);
        let database = &plan.database;
        let store = connect(
            &url,
            &database.schema,
            database.role.as_ref(),
            in_mode(global, &plan),
        )
        .await?;
        let patient = Arc::new(PatientStore::new(store, PATIENCE));
        let store: Arc<dyn Store> = patient.clone();
        // Before any of our tables is read: a view in place of a table would also run code.
        store.check_ownership(database.owner.as_ref()).await?;
        Ok(Self {
            plan,
            store,
            sqlite,
            place: place_of(&url)?,
            logged_from: None,
            patient,
        })
    }

    /// The database and the plan for it.
    pub fn database<'a>(&'a self, server: &'a ServerFacts) -> Database<'a> {
        Database {
            store: self.store.as_ref(),
            planned: &self.plan.tables,
            server,
            dialect: match self.sqlite {
                true => Dialect::Sqlite,
                false => Dialect::Postgres,
            },
        }
    }

    /// As [`Session::open`], but fails if phiseal's own tables are missing.
    pub async fn installed(global: &Global, tables: bool) -> Result<(Self, ServerFacts), Fault> {
        let mut session = Self::open(global, tables).await?;
        let server = session.server().await?;
        session.logged_from = server.batch_log.from_ms.map(Duration::from_millis);
        if !server.installed {
            return Err(session.not_installed());
        }
        if global.access == Access::Look {
            return Ok((session, server));
        }
        session.store.start_writing().await?;
        let server = session.server().await?;
        Ok((session, server))
    }

    /// As [`Session::installed`], for a verification: where the role or the database takes no writes,
    /// it is opened for reading only.
    pub async fn verifying(global: &Global) -> Result<(Self, ServerFacts), Fault> {
        let looked = Self::installed(&global.looking(), true).await?;
        if looked.1.unrecorded().is_some() {
            return Ok(looked);
        }
        drop(looked);
        Self::installed(global, true).await
    }

    /// phiseal's own tables are missing.
    pub fn not_installed(&self) -> Fault {
        let schema = match self.sqlite {
            true => String::new(),
            false => {
                let schema = self.plan.database.schema.label();
                format!("in schema {} of ", Foreign(&schema))
            }
        };
        Fault {
            code: "E0515",
            message: format!(
                "phiseal's own tables are not {schema}{}, or are older than this program",
                self.place
            ),
            hint: "run `phiseal migrate up`; if it was run, correct the database in the URL, or \
                   `schema` under [database] in the plan"
                .to_owned(),
            exit: Exit::Refused,
        }
    }

    /// Facts of the server, for a command that works on tables.
    pub async fn server(&self) -> Result<ServerFacts, Fault> {
        let mut server = self.store.server().await?;
        server.connections_needed = self.settings().workers + CONNECTIONS_BESIDE;
        Ok(server)
    }

    /// The labels of the tables that `--table` names; `None`, for all tables, if it names none. The
    /// session must have been opened with the tables of the plan.
    pub async fn labels(&self, global: &Global) -> Result<Option<HashSet<String>>, Fault> {
        if global.table.is_empty() {
            return Ok(None);
        }
        let fields = self.store.fields().await?;
        let mut labels = HashSet::new();
        for table in &self.plan.tables {
            labels.insert(table.label.clone().unwrap_or_else(|| table.name.label()));
            // The label differs from the name if the plan gives no schema, and after a rename.
            let registered = fields.iter().filter(|field| {
                let schema = table.name.schema.as_ref();
                field.table_name == table.name.name.as_str()
                    && schema.is_none_or(|schema| field.schema_name == schema.as_str())
            });
            labels.extend(registered.map(|field| field.table_label.clone()));
        }
        Ok(Some(labels))
    }

    /// The provider of the wrapping key.
    pub async fn provider(&self) -> Result<Arc<dyn KeyProvider>, Fault> {
        Ok(Arc::new(self.providers(None).await?))
    }

    /// The wrapping key in use, with those that only unwrap: the previous ones of the plan, and
    /// `also`. Leaves out a previous one that cannot be loaded; the keys wrapped under it then
    /// report that.
    pub async fn providers(
        &self,
        also: Option<Box<dyn KeyProvider>>,
    ) -> Result<ProviderSet, Fault> {
        let keys = &self.plan.keys;
        let current = keys.provider.resolve(&environment)?.open()?;
        let mut others: Vec<Box<dyn KeyProvider>> = also.into_iter().collect();
        for previous in &keys.previous {
            match previous.resolve(&environment)?.open() {
                Ok(provider) => others.push(Box::new(provider)),
                Err(error) => tracing::warn!("a previous wrapping key is not there: {error}"),
            }
        }
        Ok(ProviderSet::new(Box::new(current), others))
    }

    /// Unwraps and compares every key, so that a key error is found before any row is read.
    pub async fn tenants(&self) -> Result<Arc<Tenants>, Fault> {
        let provider = self.provider().await?;
        let records = self.store.key_records().await?;
        let keyring = Keyring::load(&records, provider.as_ref()).await?;
        Ok(Arc::new(Tenants {
            keyring: Arc::new(keyring),
            provider,
            store: Arc::clone(&self.store),
            actor: actor(),
            due: self.plan.keys.rotate_every,
        }))
    }

    /// As `tenants`, but loads no wrapping key if there are no data keys yet.
    pub async fn keyring_if_any(&self, server: &ServerFacts) -> Result<Keyring, Fault> {
        let records = if server.installed {
            self.store.key_records().await?
        } else {
            Vec::new()
        };
        if records.is_empty() {
            return Ok(Keyring::default());
        }
        Ok(Keyring::load(&records, self.provider().await?.as_ref()).await?)
    }

    /// The limits of a run.
    pub fn settings(&self) -> RunSettings {
        let run = &self.plan.run;
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
        let workers = match run.lanes {
            _ if self.sqlite => 1,
            // One worker more than there are cores keeps the server busy while another seals.
            Lanes::Auto => u32::try_from(cores + 1).unwrap_or(4).clamp(2, 4),
            Lanes::Count(count) => u32::from(count),
        };
        RunSettings {
            workers,
            batch_target: below(self.logged_from, run.batch_target),
            pace: run.pace.clone(),
            batch_bytes_max: run.batch_bytes_max,
            value_bytes_max: run.value_bytes_max,
            lease_seconds: u32::try_from(run.lease.as_secs()).unwrap_or(15),
            patience: PATIENCE,
            converge_within: CONVERGE_WITHIN,
        }
    }

    /// Says where it is reported that the database is waited for, and whose request to stop ends that.
    pub fn watch(&self, stop: &Stop, events: &Arc<dyn EventSink>) {
        self.patient.watch(stop, events);
    }

    /// An engine on this database.
    pub async fn engine(
        &self,
        events: Arc<dyn EventSink>,
        stop: Stop,
    ) -> Result<crate::engine::Engine, Fault> {
        self.watch(&stop, &events);
        Ok(crate::engine::Engine {
            store: Arc::clone(&self.store),
            tenants: self.tenants().await?,
            settings: self.settings(),
            events,
            stop,
        })
    }
}

/// The target of a batch that stays out of the server's log: half of the time from which statements
/// are logged. A target below [`SHORTEST_BATCH`] is not worth what it costs.
fn below(logged_from: Option<Duration>, target: Duration) -> Duration {
    match logged_from.map(|from| from / 2) {
        Some(half) if half >= SHORTEST_BATCH => target.min(half),
        _ => target,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_stay_below_what_the_server_logs() {
        let ms = Duration::from_millis;
        for (logged_from, target) in [
            (None, 250),
            (Some(200), 100),
            (Some(1000), 250),
            (Some(20), 10),
            (Some(19), 250),
            (Some(0), 250),
        ] {
            assert_eq!(below(logged_from.map(ms), ms(250)), ms(target));
        }
    }
}
