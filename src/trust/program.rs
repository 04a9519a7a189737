//! Finds a program that is about to be run, as execvp would, and checks it.
//! Owns the search of PATH. The folders of PATH that are searched before the program is found are
//! checked like the one that holds it: a user who may write there can put a program of that name in
//! it.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::weakness::{Untrusted, Weakness};
use super::{Refused, folders, is_read_only, weaknesses};

/// The folders that execvp searches if there is no PATH.
const PATH_DEFAULT: &str = "/bin:/usr/bin";

/// The path to run `name` by; a name without a slash is searched in `path`, the value of PATH.
///
/// # Errors
/// [`Refused::Unreadable`] if there is no such program, [`Refused::Untrusted`] with every weakness
/// on the way to it.
pub fn program(name: &str, path: Option<&OsStr>) -> Result<PathBuf, Refused> {
    if name.contains('/') {
        let whole = std::path::absolute(name)?;
        let found = checked(&whole)?;
        Untrusted::refuse(found)?;
        return Ok(whole);
    }
    let path = path.unwrap_or(OsStr::new(PATH_DEFAULT));
    let mut found = Vec::new();
    for entry in std::env::split_paths(path) {
        if !entry.is_absolute() {
            found.push(Weakness::relative(&entry));
            continue;
        }
        let candidate = entry.join(OsStr::from_bytes(name.as_bytes()));
        if runs(&candidate) {
            found.extend(checked(&candidate)?);
            Untrusted::refuse(found)?;
            return Ok(candidate);
        }
        // A folder that does not exist, and that others cannot create, holds no program.
        found.extend(folders::on_the_way_to(&entry).unwrap_or_default());
    }
    Err(Refused::Unreadable(io::ErrorKind::NotFound.into()))
}

fn checked(program: &Path) -> Result<Vec<Weakness>, Refused> {
    let file = std::fs::metadata(program)?;
    let mut found = folders::on_the_way_to(program)?;
    let read_only = rustix::fs::statvfs(program).is_ok_and(is_read_only);
    found.extend(weaknesses(program, &file, read_only));
    Ok(found)
}

fn runs(candidate: &Path) -> bool {
    let is_file = std::fs::metadata(candidate).is_ok_and(|found| found.is_file());
    is_file && accessat(CWD, candidate, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}
