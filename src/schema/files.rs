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
mod tests {
    use super::*;

    fn faults(files: &[(&str, &'static str)]) -> Vec<String> {
        let files = files
            .iter()
            .map(|(name, text)| SqlFile {
                name: (*name).to_owned(),
                text: (*text).into(),
            })
            .collect();
        match set("x".to_owned(), files, Vec::new(), &[]) {
            Err(MigrateError::Folder { faults }) => faults,
            Err(error) => vec![error.to_string()],
            Ok(set) => set.migrations.into_iter().flat_map(|m| m.faults).collect(),
        }
    }

    #[test]
    fn two_files_of_one_day_are_two_versions_and_two_of_one_second_are_refused() {
        let day = [("20251104_143000_a.sql", ""), ("20251104_143001_b.sql", "")];
        assert!(faults(&day).is_empty());
        let second = [("20251104_143000_a.sql", ""), ("20251104143000-b.sql", "")];
        assert_eq!(
            faults(&second),
            ["20251104143000-b.sql: another file has its version: 20251104_143000_a.sql"]
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
            ("5_a.sql", "SELECT 1;\n-- Down\nSELECT 2;"),
            ("6_a.up.sql", ""),
            ("6_b.down.sql", ""),
        ]);
        assert_eq!(found.len(), 8, "{found:#?}");
        let doubtful = |fault: &&String| fault.starts_with("5_a.sql: line 2 looks as if");
        assert_eq!(found.iter().filter(doubtful).count(), 1, "{found:#?}");
    }

    #[test]
    fn a_folder_without_migrations_is_no_set() {
        assert_eq!(faults(&[]).len(), 1);
    }

    fn one(files: &[(&str, &'static str)], vars: &[(String, String)]) -> Migration {
        let files = files.iter().map(|(name, text)| SqlFile {
            name: (*name).to_owned(),
            text: (*text).into(),
        });
        let set = set("x".to_owned(), files.collect(), Vec::new(), vars);
        set.unwrap().migrations.remove(0)
    }

    #[test]
    fn a_file_with_both_ways_is_known_by_its_way_up_and_by_the_whole() {
        let whole = "CREATE TABLE a ();\n-- migrate:down\nDROP TABLE a;\n";
        let both = one(&[("1_a.sql", whole)], &[]);
        assert_eq!(
            both.down.as_deref().map(str::trim_start),
            Some("-- migrate:down\nDROP TABLE a;\n")
        );
        let mended = "CREATE TABLE a ();\n-- migrate:down\nDROP TABLE IF EXISTS a;\n";
        let mended = one(&[("1_a.sql", mended)], &[]);
        assert!(mended.is_of(&both.checksum()));
        assert!(both.is_of(&checksums(whole)[0]));
        let twice = one(
            &[("1_a.sql", whole), ("1_a.down.sql", "DROP TABLE a;")],
            &[],
        );
        assert_eq!(twice.faults, ["1_a.down.sql: 1_a.sql has a way back too"]);
    }

    #[test]
    fn ends_of_lines_and_a_byte_order_mark_make_no_other_file() {
        let plain = one(&[("1_a.sql", "SELECT 1;\nSELECT 2;\n")], &[]);
        for other in [
            "SELECT 1;\r\nSELECT 2;\r\n",
            "\u{feff}SELECT 1;\nSELECT 2;\n",
            "\u{feff}SELECT 1;\r\nSELECT 2;\r\n",
        ] {
            let other = one(&[("1_a.sql", other)], &[]);
            assert!(other.is_of(&plain.checksum()) && plain.is_of(&other.checksum()));
        }
        let changed = one(&[("1_a.sql", "SELECT 1;\nSELECT 3;\n")], &[]);
        assert!(!changed.is_of(&plain.checksum()));
    }

    #[test]
    fn flyways_files_are_a_set_of_their_own_with_placeholders_and_undo_files() {
        let files = [
            ("V1_1__a.sql", "CREATE TABLE a (b text DEFAULT '${b}');"),
            ("U1_1__a.sql", "DROP TABLE a;"),
        ];
        let vars = [("b".to_owned(), "c".to_owned())];
        let filled = one(&files, &vars);
        assert!(filled.up.contains("DEFAULT 'c'") && filled.down.is_some());
        assert_eq!(filled.checksum(), one(&files, &[]).checksum());
        assert_eq!(one(&files, &[]).faults.len(), 1);
        assert_eq!(faults(&[("V1__a.sql", ""), ("2_b.sql", "")]).len(), 1);
        assert!(faults(&[("B1__a.sql", "")])[0].contains("baseline"));
        assert_eq!(faults(&[("1_a.sql", "SELECT '${b}'")]).len(), 0);
        let below = [("a/V1__a.sql", ""), ("b/V1_0__b.sql", "")];
        assert_eq!(
            faults(&below),
            ["b/V1_0__b.sql: another file has its version: a/V1__a.sql"]
        );
    }

    #[test]
    fn what_can_only_be_a_placeholder_is_refused_without_a_value_for_it() {
        let text = "CREATE TABLE a (b text DEFAULT '${b}');\n-- ${c}\nCREATE TABLE\n  ${s}.d ();";
        assert_eq!(
            faults(&[("1_a.sql", text), ("1_a.down.sql", "DROP TABLE ${s}.d;")]),
            [
                "1_a.sql: line 4 has the placeholder ${s}: give it with --var s=VALUE",
                "1_a.down.sql: line 1 has the placeholder ${s}: give it with --var s=VALUE"
            ]
        );
    }
}
