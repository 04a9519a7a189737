//! Sets of migrations read from files.
//! Owns that every file of a folder was understood (one that is passed over would be a migration that
//! never ran), which files belong together, and what of each is which way. What their names mean is in
//! `names.rs`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use include_dir::Dir;

use super::error::MigrateError;
use super::folder;
use super::markers;
use super::names::{FileName, NamedWay, is_flyways, looks_like_a_migration};
use super::placeholders;
use super::script::Script;
use super::set::{Allowed, Files, Migration, MigrationSet, SetKind, Version, checksums};

/// Longest name of a set: with what stands before it, within the 63 bytes of an identifier.
const NAME_BYTES_MAX: usize = 40;

/// A file and its text.
pub(super) struct SqlFile {
    /// Its path within the folder of the set.
    pub name: String,
    pub text: Cow<'static, str>,
}

impl SqlFile {
    /// Its name without the folders of its path.
    fn base(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }
}

/// The set in the folder at `path`. `vars` are for placeholders.
pub(super) fn folder(path: &Path, vars: &[(String, String)]) -> Result<MigrationSet, MigrateError> {
    let found = folder::read(path)?;
    set(name_of(path)?, found.files, found.faults, vars)
}

/// A set that this program carries.
pub(super) fn embedded(name: &str, files: &Dir<'static>) -> Result<MigrationSet, MigrateError> {
    let files = files
        .files()
        .filter_map(|file| {
            let name = file.path().file_name()?.to_str()?.to_owned();
            let text = file.contents_utf8()?.into();
            looks_like_a_migration(&name).then_some(SqlFile { name, text })
        })
        .collect();
    set(name.to_owned(), files, Vec::new(), &[])
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
    vars: &[(String, String)],
) -> Result<MigrationSet, MigrateError> {
    let flyway = files.iter().any(|file| is_flyways(file.base()));
    let fills = flyway || !vars.is_empty();
    let mixed = flyway && files.iter().any(|file| !is_flyways(file.base()));
    let mut found: BTreeMap<Version, Pair> = BTreeMap::new();
    for file in files {
        match FileName::parse(file.base()) {
            Err(why) => faults.push(format!("{}: {why}", file.name)),
            Ok(_) if mixed && is_flyways(file.base()) => faults.push(format!(
                "{}: it is named as Flyway's files are, and others of the folder are not",
                file.name
            )),
            Ok(parsed) => {
                let pair = found.entry(parsed.version).or_default();
                if let Err(other) = pair.take(parsed, file) {
                    faults.push(other);
                }
            }
        }
    }
    let vars = fills.then_some(vars);
    let mut migrations = Vec::with_capacity(found.len());
    for (version, pair) in found {
        match pair.migration(version, vars) {
            Ok(migration) => migrations.push(migration),
            Err(fault) => faults.push(fault),
        }
    }
    if migrations.is_empty() && faults.is_empty() {
        faults
            .push("there is no migration: no file begins with a number and ends with .sql".into());
    }
    if !faults.is_empty() {
        faults.extend(migrations.into_iter().flat_map(|m| m.faults));
        return Err(MigrateError::Folder { faults });
    }
    // Those that are repeated come behind all others, by name.
    migrations.sort_by(|a, b| {
        let key = |m: &Migration| (m.is_repeatable(), m.version.max(0));
        key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
    });
    Ok(MigrationSet {
        name,
        kind: SetKind::Platform,
        migrations,
        down_guards: &[],
        allowed: Allowed::default(),
    })
}

#[derive(Default)]
struct Pair {
    up: Option<(FileName, SqlFile)>,
    down: Option<(FileName, SqlFile)>,
}

impl Pair {
    fn take(&mut self, name: FileName, file: SqlFile) -> Result<(), String> {
        let place = match name.way {
            NamedWay::Up => &mut self.up,
            NamedWay::Down => &mut self.down,
        };
        if let Some((_, other)) = place {
            return Err(format!(
                "{}: another file has its version: {}",
                file.name, other.name
            ));
        }
        *place = Some((name, file));
        Ok(())
    }

    /// What the files make together. `Err` where they do not fit; what is in them is told by the
    /// migration's own faults, since one that is applied already is not run again.
    fn migration(
        self,
        version: Version,
        vars: Option<&[(String, String)]>,
    ) -> Result<Migration, String> {
        let Some((name, up)) = self.up else {
            let file = self.down.map(|(_, file)| file.name).unwrap_or_default();
            return Err(format!(
                "{file}: it is a way down, and no file has the way up"
            ));
        };
        let mut migration = Migration {
            version,
            checksums: checksums(&up.text),
            name: name.name.into(),
            up: up.text,
            down: None,
            files: Files {
                up: up.name.clone(),
                down: up.name,
            },
            faults: Vec::new(),
        };
        migration.take_apart();
        if let Some((name, down)) = self.down {
            // Flyway pairs them by the version alone.
            if *name.name != *migration.name && !is_flyways(down.base()) {
                return Err(format!(
                    "{}: on the way up its version is called {}",
                    down.name, migration.name
                ));
            }
            migration.take_down(down);
        }
        if let Some(vars) = vars {
            migration.fill(vars);
        }
        migration.check_texts(vars.is_some());
        Ok(migration)
    }
}

impl Migration {
    fn fault(&mut self, file: &str, why: &dyn std::fmt::Display) {
        let fault = format!("{file}: {why}");
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// Other tools keep both ways in one file.
    fn take_apart(&mut self) {
        match markers::split(&self.up) {
            Ok(None) => {}
            Ok(Some(ways)) => {
                // The way back may be mended; a database where all of it was run as the way up is
                // known by the checksum of the whole.
                let whole = std::mem::replace(&mut self.checksums, checksums(&ways.up));
                self.checksums.extend(whole);
                self.up = ways.up.into();
                self.down = ways.down.map(Cow::Owned);
            }
            Err(why) => self.fault(&self.files.up.clone(), &why),
        }
    }

    fn take_down(&mut self, down: SqlFile) {
        if self.down.is_some() {
            let why = format!("{} has a way back too", self.files.up);
            self.fault(&down.name, &why);
        }
        if let Err(why) = markers::check_down(&down.text) {
            self.fault(&down.name, &why);
        }
        self.down = Some(down.text);
        self.files.down = down.name;
    }

    fn fill(&mut self, vars: &[(String, String)]) {
        match placeholders::fill(&self.up, vars) {
            Ok(filled) => self.up = filled.into(),
            Err(faults) => {
                let file = self.files.up.clone();
                faults.iter().for_each(|why| self.fault(&file, why));
            }
        }
        match self
            .down
            .as_deref()
            .map(|down| placeholders::fill(down, vars))
        {
            None => {}
            Some(Ok(filled)) => self.down = Some(filled.into()),
            Some(Err(faults)) => {
                let file = self.files.down.clone();
                faults.iter().for_each(|why| self.fault(&file, why));
            }
        }
    }

    /// Where placeholders are not `filled`, what could be nothing else is refused.
    fn check_texts(&mut self, filled: bool) {
        let up = (self.files.up.clone(), Some(Script::parse(&self.up)));
        let down = (
            self.files.down.clone(),
            self.down.as_deref().map(Script::parse),
        );
        for (file, parsed) in [up, down] {
            match parsed {
                None => {}
                Some(Err(why)) => self.fault(&file, &why),
                Some(Ok(_)) if filled => {}
                Some(Ok(script)) => {
                    let left = placeholders::in_plain_sql(&script);
                    left.iter().for_each(|why| self.fault(&file, why));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
