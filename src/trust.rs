//! Whether a file can be trusted: only the user (the effective one) and root can have written it or
//! put another in its place.
//! Owns the rule, which is that of sshd's StrictModes: the file, its folder and every folder above
//! it belong to the user or root, and neither group nor others may write to them. In a sticky
//! folder such as /tmp, others may write, but cannot replace what belongs to the user or root. On a
//! file system mounted read-only the mode bits do not matter: Kubernetes mounts a ConfigMap so,
//! with mode 0777. Looks at owners and mode bits; does not know ACLs, capabilities and mounts. Does
//! not look at what a file holds.

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
    /// It does not exist, or cannot be read or run.
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
/// way to it, including those of symbolic links. Nothing can be exchanged between the check and the
/// reading.
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

/// Checks the folders on the way to `path`, and `path` itself if it is a folder.
///
/// # Errors
/// As [`open`].
pub fn check_folders(path: &Path) -> Result<(), Refused> {
    Ok(Untrusted::refuse(folders::on_the_way_to(path)?)?)
}

/// Who may own a file, and which permission bits it must not have.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Whether root may own it too.
    pub root_owns: bool,
    /// Permission bits that must not be set.
    pub forbidden: u32,
}

/// What breaks a [`Rule`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The file belongs to this user id.
    Owner(u32),
    /// The file has these permission bits.
    Mode(u32),
}

impl Rule {
    /// For a file whose content the program obeys: others may not have written it.
    pub const OBEYED: Self = Self {
        root_owns: true,
        forbidden: WRITABLE,
    };
    /// For a file that holds a key: others may not have read it either.
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

/// The weaknesses of one file or folder. A mode that lets others write is no weakness on a
/// read-only file system.
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
