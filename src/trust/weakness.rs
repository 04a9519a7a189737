//! A weakness lets others change a file or put another in its place: where it is, whose, and the
//! command that removes it.
//! Owns the wording. Names paths, users and modes, never what a file holds.

use std::fmt;
use std::path::{Path, PathBuf};

use super::{Broken, user};
use crate::foreign::Foreign;

/// One way in which others can change what is read or run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weakness {
    path: PathBuf,
    kind: WeaknessKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WeaknessKind {
    /// A file or folder with a wrong owner or mode.
    Is { folder: bool, broken: Broken },
    /// A symbolic link of another user, who may redirect it.
    Link(u32),
    /// The entry does not exist, and others may create it.
    Absent,
    /// A folder of PATH that depends on where the program is started.
    Relative,
}

impl Weakness {
    pub(super) fn of(path: &Path, folder: bool, broken: Broken) -> Self {
        Self::at(path, WeaknessKind::Is { folder, broken })
    }

    pub(super) fn link(path: &Path, owner: u32) -> Self {
        Self::at(path, WeaknessKind::Link(owner))
    }

    pub(super) fn absent(path: &Path) -> Self {
        Self::at(path, WeaknessKind::Absent)
    }

    pub(super) fn relative(entry: &Path) -> Self {
        Self::at(entry, WeaknessKind::Relative)
    }

    fn at(path: &Path, kind: WeaknessKind) -> Self {
        let path = path.to_owned();
        Self { path, kind }
    }

    pub(super) fn is_mode(&self) -> bool {
        let WeaknessKind::Is { broken, .. } = self.kind else {
            return false;
        };
        matches!(broken, Broken::Mode(_))
    }

    /// The command that removes the weakness.
    fn mend(&self) -> Option<String> {
        let path = word(&self.path);
        let me = name_of(user()).unwrap_or_else(|| user().to_string());
        match self.kind {
            WeaknessKind::Is { broken, .. } => Some(match broken {
                Broken::Owner(_) => format!("chown {me} {path}"),
                Broken::Mode(mode) => format!("chmod {} {path}", without_write(mode)),
            }),
            WeaknessKind::Link(_) => Some(format!("chown -h {me} {path}")),
            WeaknessKind::Absent | WeaknessKind::Relative => None,
        }
    }
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.to_string_lossy();
        let path = Foreign(&path);
        match self.kind {
            WeaknessKind::Is { folder, broken } => {
                let what = if folder { "the folder " } else { "" };
                match broken {
                    Broken::Owner(owner) => write!(f, "{what}{path} belongs to {}", named(owner)),
                    Broken::Mode(mode) => {
                        write!(
                            f,
                            "{what}{path} has mode {mode:04o}: {} may write to it",
                            whom(mode)
                        )
                    }
                }
            }
            WeaknessKind::Link(owner) => {
                write!(f, "the symbolic link {path} belongs to {}", named(owner))
            }
            WeaknessKind::Absent => write!(f, "{path} does not exist, and others may make it"),
            WeaknessKind::Relative => {
                write!(f, "PATH names the folder '{path}', which is not absolute")
            }
        }
    }
}

/// How many weaknesses are named, and commands given. A folder may have hundreds.
const SHOWN: usize = 8;

/// Users other than this one and root could have changed a file, or put another in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untrusted {
    /// Never empty.
    found: Vec<Weakness>,
}

impl Untrusted {
    pub(super) fn refuse(found: Vec<Weakness>) -> Result<(), Self> {
        if found.is_empty() {
            return Ok(());
        }
        Err(Self { found })
    }

    /// Joins those of several files, each weakness once; `None` if there are none.
    pub fn joined(several: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut found: Vec<Weakness> = Vec::new();
        for weakness in several.into_iter().flat_map(|one| one.found) {
            if !found.contains(&weakness) {
                found.push(weakness);
            }
        }
        (!found.is_empty()).then_some(Self { found })
    }

    /// What to do about it: the commands, one after the other. Of many, the first, and that there are more.
    pub fn hint(&self) -> String {
        let mut commands: Vec<String> = self.found.iter().filter_map(Weakness::mend).collect();
        let more = commands.len() > SHOWN;
        commands.truncate(SHOWN);
        let relative = self
            .found
            .iter()
            .any(|weakness| weakness.kind == WeaknessKind::Relative);
        let place = if relative {
            "name the program by its absolute path"
        } else {
            "keep it in a folder to which only you and root can write"
        };
        if commands.is_empty() {
            return place.to_owned();
        }
        let others = if more {
            " and the like for the others"
        } else {
            ""
        };
        format!(
            "make sure that nobody changed it, then run `{}`{others}; or {place}",
            commands.join(" && ")
        )
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, weakness) in self.found.iter().take(SHOWN).enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{weakness}")?;
        }
        match self.found.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

impl std::error::Error for Untrusted {}

fn whom(mode: u32) -> &'static str {
    match mode & 0o022 {
        0o020 => "its group",
        0o002 => "everybody",
        _ => "its group and everybody",
    }
}

fn without_write(mode: u32) -> &'static str {
    match mode & 0o022 {
        0o020 => "g-w",
        0o002 => "o-w",
        _ => "go-w",
    }
}

/// The user for a message: `nobody (uid 65534)`, or `uid 4711` if the name is not known.
fn named(uid: u32) -> String {
    match name_of(uid) {
        Some(name) => format!("{} (uid {uid})", Foreign(&name)),
        None => format!("uid {uid}"),
    }
}

/// The user's name in /etc/passwd; other directories are not asked.
fn name_of(uid: u32) -> Option<String> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// The path as one word for a shell.
fn word(path: &Path) -> String {
    let path = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./+:@%,".contains(c);
    if path.chars().all(plain) {
        path.into_owned()
    } else {
        format!("'{}'", Foreign(&path.replace('\'', r"'\''")))
    }
}
