//! A program that is about to be run: found as execvp would, and checked.
//! Owns the search of PATH. A folder of PATH that is searched before the program is found counts as
//! much as the one it is found in: who may write there can put a program of that name in it.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::weakness::{Untrusted, Weakness};
use super::{Refused, folders, is_read_only, weaknesses};

/// Where execvp looks without a PATH.
const PATH_DEFAULT: &str = "/bin:/usr/bin";

/// The path to run `name` by; a name without a slash is looked for in `path`, the value of PATH.
///
/// # Errors
/// [`Refused::Unreadable`] where there is no such program, [`Refused::Untrusted`] with every weakness
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
        // A folder that is not there, where nobody else can make it, holds no program.
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
