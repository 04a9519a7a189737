//! Where the demo plays: a temporary folder, and a SQLite file in it, two schemas of PostgreSQL, or
//! a database of PostgreSQL.
//! Owns all that the demo makes, and its removal, whichever way the demo ends.
//! Never writes a database URL that it was given anywhere: the plan file names a variable.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;
use tokio::process::Child;
use tokio::sync::Mutex;

use super::rows::SampleSet;
use super::school::School;
use super::url::with_database;
use crate::cli::args::Global;
use crate::cli::new_file;
use crate::error::{Exit, Fault, io_fault};
use crate::foreign::Foreign;
use crate::ident::{Ident, IdentError};
use crate::store::StoreError;

/// The variable by which the plan file names the database, where it is not a file of the demo's.
pub const URL_VARIABLE: &str = "PHISEAL_DEMO_DATABASE_URL";

/// The variables that the plan file of a migration set names.
pub const SET_URL_VARIABLE: &str = "DATABASE_URL";
pub const KEY_VARIABLE: &str = "PHISEAL_KEY_FILE";

/// The removal of schemas is tried so often: a killed process may still hold them.
const REMOVALS_MAX: u32 = 3;

/// Fewer rows than this are sealed in small batches, so that there is a middle to be killed in.
const FEW_ROWS: u32 = 20_000;

/// The folder and the database.
pub struct Stage {
    folder: TempDir,
    place: Place,
    /// The options about output on stderr, for the commands of the demo.
    pub passed_on: Vec<OsString>,
    /// The program that is running, to be killed if the demo ends first.
    pub child: Mutex<Option<Child>>,
}

enum Place {
    Sqlite,
    Postgres {
        url: SecretString,
        schema: Ident,
        own: Ident,
    },
    /// A database of its own on the server of `server`.
    Database {
        server: SecretString,
        url: SecretString,
        name: Ident,
    },
}

impl Stage {
    /// Makes the folder and writes the plan file.
    pub fn set(global: &Global, rows: u32) -> Result<Self, Fault> {
        let place = match &global.database_url {
            None => Place::Sqlite,
            Some(url) if url.starts_with("sqlite:") => return Err(own_file()),
            Some(url) => postgres(url).map_err(|_| bad_name())?,
        };
        let stage = Self::at(place, global)?;
        new_file::write(&stage.plan_path(), 0o600, stage.plan(rows).as_bytes())?;
        Ok(stage)
    }

    /// Makes the folder for a migration set; the plan file is the set's own.
    pub fn for_set(global: &Global, set: &str) -> Result<Self, Fault> {
        let server = match &global.database_url {
            Some(url) if !url.starts_with("sqlite:") => url,
            _ => return Err(no_server(set)),
        };
        let name = random_name().map_err(|_| bad_name())?;
        let place = Place::Database {
            server: SecretString::from(server.clone()),
            url: SecretString::from(with_database(server, name.as_str())),
            name,
        };
        Self::at(place, global)
    }

    fn at(place: Place, global: &Global) -> Result<Self, Fault> {
        let folder = tempfile::Builder::new()
            .prefix("phiseal-demo-")
            .permissions(std::fs::Permissions::from_mode(0o700))
            .tempdir()
            .map_err(|error| no_folder(&error))?;
        Ok(Self {
            folder,
            place,
            passed_on: global.passed_on(),
            child: Mutex::new(None),
        })
    }

    /// Makes the database of a set.
    pub async fn make_database(&self) -> Result<(), Fault> {
        let Place::Database { server, name, .. } = &self.place else {
            return Ok(());
        };
        let made = SampleSet::create_database(server.expose_secret(), name).await;
        made.map_err(|error| {
            let mut fault = Fault::from(error);
            if fault.exit == Exit::Refused {
                fault.hint = "give a role that may create databases (CREATEDB)".to_owned();
            }
            fault
        })
    }

    /// The temporary folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn plan_path(&self) -> PathBuf {
        self.folder().join("phiseal.toml")
    }

    pub fn key_path(&self) -> PathBuf {
        self.folder().join("wrapping.key")
    }

    /// Whether the database is a file of the demo's own.
    pub fn is_file(&self) -> bool {
        matches!(self.place, Place::Sqlite)
    }

    /// The database's URL. Holds a password, perhaps.
    pub fn url(&self) -> SecretString {
        match &self.place {
            Place::Postgres { url, .. } | Place::Database { url, .. } => url.clone(),
            Place::Sqlite => SecretString::from(format!("sqlite://{}", self.file().display())),
        }
    }

    /// Where the students are, for people.
    pub fn named(&self) -> String {
        match &self.place {
            Place::Postgres { schema, .. } => format!("PostgreSQL, schema {}", schema.label()),
            Place::Database { name, .. } => format!("PostgreSQL, database {}", name.label()),
            Place::Sqlite => format!("SQLite, {}", self.file().display()),
        }
    }

    /// What a command started here would be given.
    pub fn global(&self, global: &Global) -> Global {
        Global {
            pace: None,
            plan: Some(self.plan_path()),
            database_url: Some(self.url().expose_secret().to_owned()),
            json: true,
            table: Vec::new(),
            ..global.clone()
        }
    }

    /// A connection to the school.
    pub async fn school(&self) -> Result<School, StoreError> {
        match &self.place {
            Place::Postgres { url, schema, .. } => {
                School::in_postgres(url.expose_secret(), schema.clone()).await
            }
            Place::Database { .. } => Err(StoreError::Unexpected {
                what: "a school in the database of a set",
            }),
            Place::Sqlite => {
                let url = format!("{}?mode=rwc", self.url().expose_secret());
                School::in_sqlite(&url).await
            }
        }
    }

    /// Ends what still runs and removes everything, or with `keep` leaves it. Says where it is.
    pub async fn clear(self, keep: bool) -> Result<String, Fault> {
        if let Some(mut child) = self.child.lock().await.take() {
            // It may have ended by itself; what counts is that it has.
            let _ = child.kill().await;
        }
        if keep {
            let schemas = match &self.place {
                Place::Postgres { schema, own, .. } => format!(
                    "schemas {} and {} (set {URL_VARIABLE} to use the plan file); ",
                    schema.label(),
                    own.label()
                ),
                Place::Database { name, .. } => format!(
                    "database {} (set {SET_URL_VARIABLE} and {KEY_VARIABLE} to use the plan file); ",
                    name.label()
                ),
                Place::Sqlite => String::new(),
            };
            return Ok(format!("{schemas}{}", self.folder.keep().display()));
        }
        match &self.place {
            Place::Postgres { schema, own, .. } => self.drop_schemas(schema, own).await?,
            Place::Database { server, name, .. } => drop_database(server, name).await?,
            Place::Sqlite => {}
        }
        let path = self.folder().to_owned();
        self.folder.close().map_err(|error| Fault {
            code: "E0905",
            message: format!(
                "cannot remove {}: {}",
                path.display(),
                io_fault::words(&error)
            ),
            hint: "remove the folder by hand; it holds nothing but made-up data".to_owned(),
            exit: Exit::Bug,
        })?;
        Ok("removed (--keep keeps them)".to_owned())
    }

    async fn drop_schemas(&self, schema: &Ident, own: &Ident) -> Result<(), Fault> {
        for attempt in 1.. {
            let removed = self.demolish(own).await;
            match removed {
                Err(StoreError::Locked | StoreError::Busy { .. }) if attempt < REMOVALS_MAX => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Ok(()) => break,
                Err(error) => {
                    let mut fault = Fault::from(error);
                    fault.hint = format!(
                        "remove what is left by hand: DROP SCHEMA IF EXISTS {}, {} CASCADE",
                        schema.label(),
                        own.label()
                    );
                    return Err(fault);
                }
            }
        }
        Ok(())
    }

    async fn demolish(&self, own: &Ident) -> Result<(), StoreError> {
        let mut school = self.school().await?;
        let removed = school.demolish(own).await;
        school.close().await;
        removed
    }

    fn file(&self) -> PathBuf {
        self.folder().join("school.db")
    }

    fn plan(&self, rows: u32) -> String {
        let (url, schema, table) = match &self.place {
            Place::Sqlite => {
                let url = self.url().expose_secret().to_owned();
                (url, String::new(), "students".to_owned())
            }
            Place::Postgres { schema, own, .. } => (
                format!("env:{URL_VARIABLE}"),
                format!("schema = {}\n", quoted(own.as_str())),
                format!("{}.students", schema.label()),
            ),
            // Its plan file is written by `phiseal init --set`.
            Place::Database { .. } => return String::new(),
        };
        let run = if rows < FEW_ROWS {
            "lanes = 1\nbatch_target_ms = 10\nbatch_bytes_max = \"64KiB\"\n"
        } else {
            "batch_target_ms = 100\n"
        };
        format!(
            "# Written by `phiseal demo`: all students in it are made up.\n\
             [database]\nurl = {}\n{schema}\n\
             [keys]\nprovider = \"file\"\npath = {}\n\n\
             [run]\n{run}\n\
             [[table]]\nname = {}\n{COLUMNS}",
            quoted(&url),
            quoted(&self.key_path().to_string_lossy()),
            quoted(&table),
        )
    }
}

const COLUMNS: &str = r#"
[[table.column]]
name = "date_of_birth"
seal_into = "date_of_birth_sealed"

[[table.column]]
name = "ssn"
seal_into = "ssn_sealed"
blind_index = { column = "ssn_bidx", normalise = "digits" }

[[table.column]]
name = "guardian_phone"
in_place = "application-reads-both-forms"

[[table.column]]
name = "medical_notes"
seal_into = "medical_notes_sealed"
pad_to = 64
"#;

fn postgres(url: &str) -> Result<Place, IdentError> {
    let schema = random_name()?;
    Ok(Place::Postgres {
        url: SecretString::from(url.to_owned()),
        own: schema.with_suffix("_keys")?,
        schema,
    })
}

fn random_name() -> Result<Ident, IdentError> {
    let random = uuid::Uuid::new_v4().simple().to_string();
    Ident::new(format!(
        "phiseal_demo_{}",
        random.get(..8).unwrap_or_default()
    ))
}

/// Whoever is still connected is sent away: a killed process may be.
async fn drop_database(server: &SecretString, name: &Ident) -> Result<(), Fault> {
    let gone = SampleSet::drop_database(server.expose_secret(), name).await;
    gone.map_err(|error| {
        let mut fault = Fault::from(error);
        fault.hint = format!(
            "remove what is left by hand: DROP DATABASE IF EXISTS {}",
            name.label()
        );
        fault
    })
}

/// A text as the plan file takes it.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn no_server(set: &str) -> Fault {
    Fault {
        code: "E0117",
        message: format!("the set {} needs PostgreSQL", Foreign(set)),
        hint: "give --database-url postgres://... of a role that may create databases; the demo \
               makes one of its own and drops it"
            .to_owned(),
        exit: Exit::Usage,
    }
}

fn bad_name() -> Fault {
    Fault::from(StoreError::Unexpected {
        what: "a name of the demo's",
    })
}

fn own_file() -> Fault {
    Fault {
        code: "E0110",
        message: "the demo makes a SQLite file of its own".to_owned(),
        hint: "leave --database-url out, or give a postgres:// URL".to_owned(),
        exit: Exit::Usage,
    }
}

fn no_folder(error: &std::io::Error) -> Fault {
    Fault {
        code: "E0905",
        message: format!(
            "cannot make the demo's temporary folder: {}",
            io_fault::words(error)
        ),
        hint: "set TMPDIR to a folder that can be written to".to_owned(),
        exit: Exit::Bug,
    }
}
