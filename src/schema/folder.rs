//! The files of a folder of migrations on disk.
//! Owns where is looked, and that root runs none that others could have written. What the files mean is in
//! `files.rs`.
//! Flyway looks into subfolders, whatever they are called, but for hidden ones; no other tool does. So a
//! folder is looked into as Flyway's where a file in it is named so, or, where it has no SQL of its own,
//! one in a folder just below it.

use std::collections::BTreeSet;
use std::fs::{DirEntry, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::error::MigrateError;
use super::files::SqlFile;
use super::names::{is_flyways, looks_like_a_migration};
use crate::error::io_fault;
use crate::trust::{self, Refused, Untrusted};

/// What was found in a folder.
#[derive(Default)]
pub(super) struct Found {
    /// Sorted by their paths within it.
    pub files: Vec<SqlFile>,
    /// What cannot be read, in words.
    pub faults: Vec<String>,
    untrusted: Vec<Untrusted>,
}

/// Reads every file of the folder at `path` that is to be understood. What is neither named like a
/// migration nor ends with `.sql` is none.
pub(super) fn read(path: &Path) -> Result<Found, MigrateError> {
    let walk = Walk::of(path).map_err(|error| MigrateError::Folder {
        faults: vec![format!("{}: {}", path.display(), io_fault::words(&error))],
    })?;
    let mut found = Found {
        faults: walk.faults,
        ..Found::default()
    };
    for folder in walk.searched.iter().filter(|_| as_root()) {
        let checked = trust::check_folders(folder);
        found.refused(&folder.display().to_string(), checked);
    }
    for (path, name) in walk.files {
        let text = text_of(&path);
        if let Some(text) = found.refused(&name, text) {
            let text = text.into();
            found.files.push(SqlFile { name, text });
        }
    }
    if let Some(found) = Untrusted::joined(std::mem::take(&mut found.untrusted)) {
        return Err(MigrateError::Untrusted { found });
    }
    found.files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// The names of the files in the folder at `path` that are named like migrations, without their folders.
pub(super) fn names(path: &Path) -> io::Result<Vec<String>> {
    let files = Walk::of(path)?.files.into_iter();
    let base = |(_, name): (PathBuf, String)| name.rsplit('/').next().map(str::to_owned);
    let names = files.filter_map(base);
    Ok(names.filter(|name| looks_like_a_migration(name)).collect())
}

impl Found {
    /// Notes down why something is not read.
    fn refused<T>(&mut self, name: &str, read: Result<T, Refused>) -> Option<T> {
        match read {
            Ok(read) => return Some(read),
            Err(Refused::Unreadable(error)) => {
                self.faults
                    .push(format!("{name}: {}", io_fault::words(&error)));
            }
            Err(Refused::Untrusted(found)) => self.untrusted.push(found),
        }
        None
    }
}

/// Where the files are, and what they are called.
#[derive(Default)]
struct Walk {
    /// Folders that were looked into.
    searched: Vec<PathBuf>,
    /// The same without links, which may lead in a circle.
    seen: BTreeSet<PathBuf>,
    /// Each file, and its path within the first folder.
    files: Vec<(PathBuf, String)>,
    faults: Vec<String>,
}

impl Walk {
    fn of(path: &Path) -> io::Result<Self> {
        let deep = is_flyways_folder(path)?;
        let mut walk = Self::default();
        walk.search(path, "", deep)?;
        Ok(walk)
    }

    /// Looks into one folder; `inside` is its path within the first one, with a slash at its end.
    fn search(&mut self, path: &Path, inside: &str, deep: bool) -> io::Result<()> {
        if !self.seen.insert(path.canonicalize()?) {
            return Ok(());
        }
        self.searched.push(path.to_owned());
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                let fault = format!("{inside}: a file's name is not UTF-8");
                self.faults.push(fault.trim_start_matches(": ").to_owned());
                continue;
            };
            let within = format!("{inside}{name}");
            let is_folder = entry.path().is_dir();
            if deep && is_folder {
                let below = format!("{within}/");
                if !name.starts_with('.')
                    && let Err(error) = self.search(&entry.path(), &below, deep)
                {
                    self.faults
                        .push(format!("{within}: {}", io_fault::words(&error)));
                }
            } else if is_of_migrations(&name) && is_folder {
                self.faults.push(format!(
                    "{within}: it is numbered like a migration, but is a folder"
                ));
            } else if is_of_migrations(&name) {
                self.files.push((entry.path(), within));
            }
        }
        Ok(())
    }
}

fn is_of_migrations(name: &str) -> bool {
    looks_like_a_migration(name) || name.ends_with(".sql")
}

fn is_flyways_folder(path: &Path) -> io::Result<bool> {
    let entries: Vec<DirEntry> = std::fs::read_dir(path)?.collect::<io::Result<_>>()?;
    let (folders, files): (Vec<_>, Vec<_>) = entries.iter().partition(|e| e.path().is_dir());
    let name = |entry: &DirEntry| entry.file_name().to_string_lossy().into_owned();
    let is_flyways = |entry: &DirEntry| is_flyways(&name(entry)) && !entry.path().is_dir();
    if files.iter().any(|file| is_of_migrations(&name(file))) {
        return Ok(files.into_iter().any(is_flyways));
    }
    let visible = folders
        .into_iter()
        .filter(|folder| !name(folder).starts_with('.'));
    let below = |folder: &DirEntry| std::fs::read_dir(folder.path()).into_iter().flatten();
    Ok(visible.flat_map(below).flatten().any(|e| is_flyways(&e)))
}

/// Root runs only what nobody else could have written: in the hands of a superuser of the database,
/// SQL is code.
fn text_of(path: &Path) -> Result<String, Refused> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[&str]) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "SELECT 1;").unwrap();
        }
        let _ = std::os::unix::fs::symlink("..", dir.path().join("a/circle"));
        let found = read(dir.path()).unwrap();
        let names = found.files.into_iter().map(|file| file.name);
        names.chain(found.faults).collect()
    }

    #[test]
    fn subfolders_of_flyways_folders_are_looked_into_and_of_others_they_are_not() {
        let of_flyway = found(&["V1__a.sql", "a/V2__b.sql", "a/b/R__c.sql", ".d/V3__d.sql"]);
        assert_eq!(of_flyway, ["V1__a.sql", "a/V2__b.sql", "a/b/R__c.sql"]);
        let only_below = found(&["1_a/V1__a.sql", "2_b/c/V2__b.sql", "README.md"]);
        assert_eq!(only_below, ["1_a/V1__a.sql", "2_b/c/V2__b.sql"]);
        assert_eq!(found(&["1_a.sql", "a/V2__b.sql"]), ["1_a.sql"]);
        assert_eq!(found(&["README.md", "a/b/V1__a.sql"]), [""; 0]);
        assert_eq!(
            found(&["1_a.sql", "2_b/x.sql"]),
            [
                "1_a.sql",
                "2_b: it is numbered like a migration, but is a folder"
            ]
        );
    }
}
