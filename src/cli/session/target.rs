//! The database that a command works on.
//! Owns the order in which its URL is taken: from `--database-url`, from the plan file, and for some
//! migrations from DATABASE_URL. Opens no connection.

use secrecy::{ExposeSecret, SecretString};

use super::plan_file::read_plan;
use super::plan_place::plan_place;
use super::{environment, is_sqlite};
use crate::cli::args::Global;
use crate::error::connect_fault::Place;
use crate::error::{Exit, Fault};
use crate::ident::Ident;
use crate::plan::{Plan, Setting};
use crate::schema::MigrateError;
use crate::store::StoreError;
use crate::store::postgres::PostgresStore;
use crate::store::sqlite::{Access, SqliteStore};

/// Where migrations run: the database, and the schema of phiseal's own tables. Without a plan file,
/// the URL comes from `--database-url` or, for `platforms`, from DATABASE_URL: the platforms' tables
/// are made before any plan. For these, DATABASE_URL also comes before a plan file that was found
/// elsewhere than in the working directory.
pub fn migration_target(
    global: &Global,
    platforms: bool,
) -> Result<(SecretString, DatabaseRoles, Access), Fault> {
    let from_environment =
        || environment("DATABASE_URL").filter(|url| !url.is_empty() && platforms);
    let place = plan_place(global);
    let given = match &place {
        None => global.database_url.clone().or_else(from_environment),
        Some(place) if place.how.is_elsewhere() && global.database_url.is_none() => {
            from_environment()
        }
        Some(_) => None,
    };
    let plan = match (given, place) {
        (Some(url), _) => unplanned(url)?,
        (None, Some(place)) => read_plan(global, &place, false)?,
        (None, None) => return Err(no_database(platforms)),
    };
    let url = database_url(global, &plan)?;
    let access = in_mode(global, &plan);
    let database = plan.database;
    let roles = DatabaseRoles {
        schema: database.schema,
        role: database.role,
        owner: database.owner,
    };
    Ok((url, roles, access))
}

/// The database of a URL, for messages.
pub fn place_of(url: &SecretString) -> Result<Place, StoreError> {
    match is_sqlite(url) {
        true => SqliteStore::place_of(url.expose_secret()),
        false => PostgresStore::place_of(url.expose_secret()),
    }
}

/// The plan of a command that has a database and no plan file.
pub fn unplanned(url: String) -> Result<Plan, Fault> {
    let plan = Plan::of_database(SecretString::from(url));
    Ok(plan.map_err(|_| MigrateError::SchemaName)?)
}

fn no_database(platforms: bool) -> Fault {
    let hint = match platforms {
        true => "name it with --database-url or DATABASE_URL, or write a plan file that does",
        false => "name it with --database-url, or write a plan file that does",
    };
    Fault {
        code: "E0754",
        message: "no database is named".to_owned(),
        hint: hint.to_owned(),
        exit: Exit::Usage,
    }
}

/// The schema of phiseal's own tables, and the roles that the plan names.
pub struct DatabaseRoles {
    pub schema: Ident,
    pub role: Option<Ident>,
    pub owner: Option<Ident>,
}

/// The URL from the command line, or else the plan's.
pub fn database_url(global: &Global, plan: &Plan) -> Result<SecretString, Fault> {
    match &global.database_url {
        Some(url) => Ok(SecretString::from(url.clone())),
        None => Ok(plan.database.url.resolve(&environment)?),
    }
}

/// What gives the URL of the database, if that is `--database-url` or the plan file.
pub fn url_origin(global: &Global) -> Option<String> {
    if global.database_url.is_some() {
        return Some("--database-url".to_owned());
    }
    let place = plan_place(global)?;
    match read_plan(global, &place, false).ok()?.database.url {
        Setting::Env(name) => Some(format!("the variable {name}")),
        Setting::Literal(_) => Some(format!("url in {}", place.path.display())),
    }
}

/// How the command opens an SQLite file, in the journal mode that the plan asks for.
pub fn in_mode(global: &Global, plan: &Plan) -> Access {
    match global.access {
        Access::Write if plan.database.wal => Access::WriteInWal,
        access => access,
    }
}
