//! The platforms' schemas that this program carries, each with its plan file.
//! Owns the list. docs/schemas.md says what is in them.

use include_dir::{Dir, include_dir};

use super::error::MigrateError;
use super::files;
use super::set::MigrationSet;

static WHITE_CROSS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/migrations/white_cross");
static FACILITY: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/migrations/facility");
static WEBQX: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/migrations/webqx");

/// The plan file in the folder of a set.
const PLAN: &str = "phiseal.toml";

/// The names that `--set` takes.
pub const PLATFORM_SETS: [&str; 3] = ["white_cross", "facility", "webqx"];

pub(super) fn find(name: &str) -> Result<MigrationSet, MigrateError> {
    files::embedded(name, folder(name)?)
}

/// The plan file that seals every PHI column of the set `name`.
///
/// # Errors
/// [`MigrateError::UnknownSet`].
pub fn platform_plan(name: &str) -> Result<&'static str, MigrateError> {
    folder(name)?
        .get_file(PLAN)
        .and_then(include_dir::File::contents_utf8)
        .ok_or_else(|| unknown(name))
}

fn folder(name: &str) -> Result<&'static Dir<'static>, MigrateError> {
    match name {
        "white_cross" => Ok(&WHITE_CROSS),
        "facility" => Ok(&FACILITY),
        "webqx" => Ok(&WEBQX),
        _ => Err(unknown(name)),
    }
}

fn unknown(name: &str) -> MigrateError {
    MigrateError::UnknownSet {
        name: name.to_owned(),
    }
}
