//! Whether a file can be trusted: nobody but the user (the effective one) and root can have written
//! it or put another in its place.
//! Owns the rule, as sshd's StrictModes has it: the file, its folder and every folder above it belong
//! to the user or root, and neither group nor others may write to them. In a folder where others may
//! write, but which is sticky as /tmp is, what belongs to the user or root cannot be replaced. Where
//! the file system is mounted read-only nobody writes, whatever the bits say: so Kubernetes mounts a
//! ConfigMap, with mode 0777.
//! Looks at owners and mode bits; ACLs, capabilities and mounts it does not know. Says nothing of
//! what a file holds.

mod folders;
mod program;
mod weakness;

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{StatVfs, StatVfsMountFlags};

pub use program::program;
pub use weakness::{Untrusted, Weakness};

/// Write permission for the group and for others.
const WRITABLE: u32 = 0o022;

/// Why a file is not read, or a program not run.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It is not there, or cannot be read or run.
    #[error("it cannot be read")]
    Unreadable(#[source] io::Error),
    /// Others could have written it.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

/// Opens a file to read, and checks what was opened: the descriptor itself, then the folders on the
/// way to it, those of symbolic links included. Nothing can be exchanged between check and reading.
///
/// # Errors
/// [`Refused::Untrusted`] with every weakness on the way, [`Refused::Unreadable`].
pub fn open(path: &Path) -> Result<File, Refused> {
    let file = File::open(path)?;
    let mut found = folders::on_the_way_to(path)?;
    let read_only = rustix::fs::fstatvfs(&file).is_ok_and(is_read_only);
    found.extend(weaknesses(path, &file.metadata()?, read_only));
    Untrusted::refuse(found)?;
    Ok(file)
}

/// Checks the folders on the way to `path`; if it is a folder, that one too.
///
/// # Errors
/// As [`open`].
pub fn check_folders(path: &Path) -> Result<(), Refused> {
    Ok(Untrusted::refuse(folders::on_the_way_to(path)?)?)
}

/// Who may own a file, and which permission bits it must not have.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Whether root may own it, too.
    pub root_owns: bool,
    /// Bits that must not be set.
    pub forbidden: u32,
}

/// What breaks a [`Rule`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// It belongs to this user id.
    Owner(u32),
    /// Its permission bits.
    Mode(u32),
}

impl Rule {
    /// What is read to be obeyed: nobody else has written it.
    pub const OBEYED: Self = Self {
        root_owns: true,
        forbidden: WRITABLE,
    };
    /// What holds a key: nobody else has read it, either.
    pub const SECRET: Self = Self {
        root_owns: false,
        forbidden: 0o7777 & !0o600,
    };

    /// What of a file breaks the rule, the owner first; `user` is the effective user id.
    pub fn broken(self, file: &Metadata, user: u32) -> impl Iterator<Item = Broken> {
        let owner = file.uid();
        let mode = file.mode() & 0o7777;
        let strange = owner != user && !(self.root_owns && owner == 0);
        let wide = mode & self.forbidden != 0;
        let owner = strange.then_some(Broken::Owner(owner));
        owner.into_iter().chain(wide.then_some(Broken::Mode(mode)))
    }
}

/// The effective user id.
pub fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// What is weak about one file or folder; a mode that lets others write is none where nobody can.
fn weaknesses(path: &Path, file: &Metadata, read_only: bool) -> impl Iterator<Item = Weakness> {
    Rule::OBEYED
        .broken(file, user())
        .filter(move |broken| !(read_only && matches!(broken, Broken::Mode(_))))
        .map(move |broken| Weakness::of(path, file.is_dir(), broken))
}

fn is_read_only(found: StatVfs) -> bool {
    found.f_flag.contains(StatVfsMountFlags::RDONLY)
}

#[cfg(test)]
mod tests;
