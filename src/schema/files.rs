//! Migrations read from files, in the conventions of the platforms' own tools.
//! Owns how a file's name gives version, name and direction, and that every file of a folder was
//! understood: one that is passed over would be a migration that never ran.
//!
//! | name | version |
//! | --- | --- |
//! | `20251104_143000_description.sql` | 20251104143000, all 14 digits |
//! | `00020-description.sql`, `20251104143000-description.sql` | the digits |
//! | `1754250020000-description.sql` | the digits, milliseconds |
//! | `…_description.up.sql` and `….down.sql`, or `….sql` and `….down.sql` | as above |

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use include_dir::Dir;

use super::error::MigrateError;
use super::script::Script;
use super::set::{Migration, MigrationSet, SetKind, Version};
use crate::trust::{self, Refused, Untrusted};

/// Longest name of a set: with what stands before it, within the 63 bytes of an identifier.
const NAME_BYTES_MAX: usize = 40;

/// A file's name and text.
pub(super) struct SqlFile {
    pub name: String,
    pub text: Cow<'static, str>,
}

/// The set in the folder at `path`. What neither begins with a digit nor ends with `.sql` is no
/// migration.
pub(super) fn folder(path: &Path) -> Result<MigrationSet, MigrateError> {
    let unreadable = |error: std::io::Error| MigrateError::Folder {
        faults: vec![format!("{}: {}", path.display(), error.kind())],
    };
    let mut files = Vec::new();
    let mut faults = Vec::new();
    let mut untrusted: Vec<Untrusted> = Vec::new();
    if as_root() {
        match trust::check_folders(path) {
            Err(Refused::Unreadable(error)) => return Err(unreadable(error)),
            Err(Refused::Untrusted(found)) => untrusted.push(found),
            Ok(()) => {}
        }
    }
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let Ok(name) = entry.file_name().into_string() else {
            faults.push("a file's name is not UTF-8".to_owned());
            continue;
        };
        if !(looks_numbered(&name) || name.ends_with(".sql")) {
            continue;
        }
        if entry.path().is_dir() {
            faults.push(format!(
                "{name}: it is numbered like a migration, but is a folder"
            ));
            continue;
        }
        match read(&entry.path()) {
            Ok(text) => files.push(SqlFile {
                name,
                text: text.into(),
            }),
            Err(Refused::Unreadable(error)) => faults.push(format!("{name}: {}", error.kind())),
            Err(Refused::Untrusted(found)) => untrusted.push(found),
        }
    }
    if let Some(found) = Untrusted::joined(untrusted) {
        return Err(MigrateError::Untrusted { found });
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    set(name_of(path)?, files, faults)
}

/// Root runs only what nobody else could have written: in the hands of a superuser of the database,
/// SQL is code.
fn read(path: &Path) -> Result<String, Refused> {
    let mut file = if as_root() {
        trust::open(path)?
    } else {
        File::open(path)?
    };
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}

fn as_root() -> bool {
    trust::user() == 0
}

/// A set that this program carries.
pub(super) fn embedded(name: &str, files: &Dir<'static>) -> Result<MigrationSet, MigrateError> {
    let files = files
        .files()
        .filter_map(|file| {
            let name = file.path().file_name()?.to_str()?.to_owned();
            let text = file.contents_utf8()?.into();
            looks_numbered(&name).then_some(SqlFile { name, text })
        })
        .collect();
    set(name.to_owned(), files, Vec::new())
}

fn looks_numbered(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_digit())
}

/// The folder's name in the letters of an identifier. Two folders that are called alike share a
/// history, and the checksums in it tell them apart.
fn name_of(path: &Path) -> Result<String, MigrateError> {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name: String = whole
        .file_name()
        .map(|name| name.to_string_lossy().to_lowercase())
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let fault = |why: &str| MigrateError::Folder {
        faults: vec![format!("{}: {why}", path.display())],
    };
    match name.as_str() {
        "" => Err(fault("the folder has no name of its own")),
        "engine" => Err(fault("the name engine is that of phiseal's own tables")),
        _ if name.len() > NAME_BYTES_MAX => Err(fault("the folder's name is longer than 40 bytes")),
        _ => Ok(name),
    }
}

/// Pairs the files and reports every fault at once.
fn set(
    name: String,
    files: Vec<SqlFile>,
    mut faults: Vec<String>,
) -> Result<MigrationSet, MigrateError> {
    let mut found: BTreeMap<Version, Pair> = BTreeMap::new();
    for file in files {
        match FileName::parse(&file.name) {
            Err(why) => faults.push(format!("{}: {why}", file.name)),
            Ok(parsed) => {
                check_text(&file, &mut faults);
                let pair = found.entry(parsed.version).or_default();
                if let Err(other) = pair.take(parsed, file) {
                    faults.push(other);
                }
            }
        }
    }
    let mut migrations = Vec::with_capacity(found.len());
    for (version, pair) in found {
        match (pair.up, pair.down) {
            (Some((up_name, up)), down) => {
                if let Some((down_name, _)) = &down
                    && *down_name != up_name
                {
                    faults.push(format!(
                        "version {version} is {up_name} on the way up and {down_name} on the way down"
                    ));
                }
                migrations.push(Migration {
                    version,
                    name: up_name.into(),
                    up,
                    down: down.map(|(_, text)| text),
                });
            }
            (None, _) => faults.push(format!("version {version} has a way down, but none up")),
        }
    }
    if migrations.is_empty() && faults.is_empty() {
        faults
            .push("there is no migration: no file begins with a number and ends with .sql".into());
    }
    if !faults.is_empty() {
        return Err(MigrateError::Folder { faults });
    }
    Ok(MigrationSet {
        name,
        kind: SetKind::Platform,
        migrations,
        down_guards: &[],
    })
}

fn check_text(file: &SqlFile, faults: &mut Vec<String>) {
    // Other tools keep both ways in one file: run as it is, it would undo what it does.
    let marked = file.text.lines().position(|line| {
        let line = line.trim_start().to_ascii_lowercase();
        let Some(comment) = line.strip_prefix("--") else {
            return false;
        };
        let comment = comment.trim();
        comment.starts_with("migrate:down")
            || comment.starts_with("+goose down")
            || comment == "down migration"
            || comment == "+migrate down"
    });
    if let Some(at) = marked {
        faults.push(format!(
            "{}: line {} begins the way back in the same file; make a .down.sql of it",
            file.name,
            at + 1
        ));
    }
    if let Err(fault) = Script::parse(&file.text) {
        faults.push(format!("{}: {fault}", file.name));
    }
}

#[derive(Default)]
struct Pair {
    up: Option<(String, Cow<'static, str>)>,
    down: Option<(String, Cow<'static, str>)>,
}

impl Pair {
    fn take(&mut self, name: FileName, file: SqlFile) -> Result<(), String> {
        let place = match name.way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        };
        if place.is_some() {
            return Err(format!(
                "{}: another file has version {}",
                file.name, name.version
            ));
        }
        *place = Some((name.name, file.text));
        Ok(())
    }
}

#[derive(Debug, PartialEq, Eq)]
struct FileName {
    version: Version,
    name: String,
    way: Way,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

impl FileName {
    fn parse(name: &str) -> Result<Self, &'static str> {
        let stem = name
            .strip_suffix(".sql")
            .ok_or("it is numbered like a migration, but is not SQL")?;
        let (stem, way) = match (stem.strip_suffix(".up"), stem.strip_suffix(".down")) {
            (Some(stem), _) => (stem, Way::Up),
            (_, Some(stem)) => (stem, Way::Down),
            (None, None) => (stem, Way::Up),
        };
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let first = digits(stem);
        if first == 0 {
            return Err("its name does not begin with a number");
        }
        let (number, mut rest) = stem.split_at(first);
        let mut number = number.to_owned();
        // A date and a time of day: together, or two files of a day would have one version.
        if first == 8 && rest.starts_with('_') && digits(&rest[1..]) == 6 {
            number.push_str(&rest[1..7]);
            rest = &rest[7..];
        }
        let name = match rest.strip_prefix(['_', '-']) {
            Some(name) => name,
            None if rest.is_empty() => "",
            None => return Err("its number is not followed by '_' or '-'"),
        };
        let version: Version = number.parse().map_err(|_| "its number is too large")?;
        if version == 0 {
            return Err("0 is the state before the first migration");
        }
        Ok(Self {
            version,
            name: name.to_owned(),
            way,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(name: &str) -> (Version, String, Way) {
        let file = FileName::parse(name).unwrap();
        (file.version, file.name, file.way)
    }

    #[test]
    fn the_names_of_every_convention_give_version_name_and_way() {
        for (name, version, stem, way) in [
            (
                "20251104_143000_add_x.sql",
                20_251_104_143_000,
                "add_x",
                Way::Up,
            ),
            (
                "20251104_143001_add_x.down.sql",
                20_251_104_143_001,
                "add_x",
                Way::Down,
            ),
            ("00020-create.up.sql", 20, "create", Way::Up),
            ("20251104143000-x-y.sql", 20_251_104_143_000, "x-y", Way::Up),
            (
                "1754250020000-tenant.sql",
                1_754_250_020_000,
                "tenant",
                Way::Up,
            ),
            ("0001_keys.down.sql", 1, "keys", Way::Down),
            ("20251104_add.sql", 20_251_104, "add", Way::Up),
            ("7.sql", 7, "", Way::Up),
        ] {
            assert_eq!(parsed(name), (version, stem.to_owned(), way), "{name}");
        }
    }

    fn faults(files: &[(&str, &'static str)]) -> Vec<String> {
        let files = files
            .iter()
            .map(|(name, text)| SqlFile {
                name: (*name).to_owned(),
                text: (*text).into(),
            })
            .collect();
        match set("x".to_owned(), files, Vec::new()) {
            Err(MigrateError::Folder { faults }) => faults,
            Err(error) => vec![error.to_string()],
            Ok(_) => Vec::new(),
        }
    }

    #[test]
    fn two_files_of_one_day_are_two_versions_and_two_of_one_second_are_refused() {
        let day = [("20251104_143000_a.sql", ""), ("20251104_143001_b.sql", "")];
        assert!(faults(&day).is_empty());
        let second = [("20251104_143000_a.sql", ""), ("20251104143000-b.sql", "")];
        assert_eq!(
            faults(&second),
            ["20251104143000-b.sql: another file has version 20251104143000"]
        );
    }

    #[test]
    fn every_file_that_could_not_be_run_is_named_at_once() {
        let found = faults(&[
            ("1_a.js", ""),
            ("2a.sql", ""),
            ("0_a.sql", ""),
            ("99999999999999999999_a.sql", ""),
            ("3_a.down.sql", ""),
            ("4_a.sql", "SELECT 'x"),
            ("5_a.sql", "SELECT 1;\n-- migrate:down\nSELECT 2;"),
            ("6_a.up.sql", ""),
            ("6_b.down.sql", ""),
        ]);
        assert_eq!(found.len(), 8, "{found:#?}");
        assert!(
            found[5].contains("line 2 begins the way back"),
            "{found:#?}"
        );
    }

    #[test]
    fn a_folder_without_migrations_is_no_set() {
        assert_eq!(faults(&[]).len(), 1);
    }
}
