//! An operator's folder: a plan file and a wrapping key file, gone when the test ends.

use super::Phiseal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use std::fs;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder with `wrapping.key` and, once written, `phiseal.toml`.
pub struct Project {
    dir: TempDir,
    key_line: String,
}

impl Project {
    /// A fresh folder with a fresh wrapping key, mode 0600.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key_line = write_key_file(&dir.path().join("wrapping.key"));
        Self { dir, key_line }
    }

    /// A fresh folder with this wrapping key.
    pub fn with_key(line: &str) -> Self {
        let mut project = Self::new();
        line.clone_into(&mut project.key_line);
        fs::write(project.key_file(), format!("{line}\n")).unwrap();
        project
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The wrapping key file.
    pub fn key_file(&self) -> PathBuf {
        self.dir.path().join("wrapping.key")
    }

    /// The line in the wrapping key file, without its newline.
    pub fn key_line(&self) -> &str {
        &self.key_line
    }

    /// The plan file.
    pub fn plan_file(&self) -> PathBuf {
        self.dir.path().join("phiseal.toml")
    }

    /// Writes the plan: this database, the wrapping key file, and the given tables
    /// (TOML, beginning with `[run]` or `[[table]]`). Runs do not rest, unless the tables name a pace or
    /// the variable [`PACE_VARIABLE`] does.
    pub fn plan(&self, url: &str, tables: &str) -> &Self {
        let pace = std::env::var(PACE_VARIABLE).unwrap_or_else(|_| "fast".to_owned());
        let paced = format!("[run]\npace = {pace:?}\n");
        let tables = match (tables.contains("\npace = "), tables.contains("[run]\n")) {
            (true, _) => tables.to_owned(),
            (false, true) => tables.replacen("[run]\n", &paced, 1),
            (false, false) => format!("{tables}\n{paced}"),
        };
        let plan = format!(
            "[database]\nurl = {url:?}\n\n[keys]\nprovider = \"file\"\npath = {:?}\n\n{tables}\n",
            self.key_file(),
        );
        self.plan_text(&plan)
    }

    /// Writes the plan as it stands.
    pub fn plan_text(&self, plan: &str) -> &Self {
        fs::write(self.plan_file(), plan).unwrap();
        // Whatever the tester's umask is: a plan that a group may write is refused.
        fs::set_permissions(self.plan_file(), fs::Permissions::from_mode(0o644)).unwrap();
        self
    }

    /// The program, in this folder.
    pub fn phiseal(&self, args: &[&str]) -> Phiseal {
        Phiseal::new(args).cwd(self.dir())
    }
}

/// The pace of runs in tests that name none: whoever runs the tests with `polite` tests every kill and
/// fault beside a throttle.
const PACE_VARIABLE: &str = "PHISEAL_TEST_PACE";

/// Writes a fresh wrapping key, mode 0600, and returns its line.
pub fn write_key_file(path: &Path) -> String {
    let mut key = [0; 32];
    SystemRandom::new().fill(&mut key).unwrap();
    let line = format!("phiseal-wk-1.{}", URL_SAFE_NO_PAD.encode(key));
    let file = fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .unwrap();
    // Whatever the tester's umask is.
    file.set_permissions(fs::Permissions::from_mode(0o600))
        .unwrap();
    fs::write(path, format!("{line}\n")).unwrap();
    line
}
