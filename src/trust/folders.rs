//! Checks the folders on the way to a file, as the system resolves it: follows symbolic links, and
//! checks the folders that hold them as well as those they lead to.
//! Owns the walk. Ends at a link of /proc that leads to no path, such as /dev/stdin, since its
//! target is open already.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::weakness::Weakness;
use super::{WRITABLE, is_read_only, user, weaknesses};

/// The most links that Linux follows.
const LINKS_MAX: u32 = 40;

/// All weaknesses of the folders on the way to `path`, and of `path` itself if it is a folder.
///
/// # Errors
/// The system's error if a part of the way does not exist. If others could create that part, it is
/// a weakness and not an error.
pub(super) fn on_the_way_to(path: &Path) -> io::Result<Vec<Weakness>> {
    let mut walk = Walk::from_root()?;
    let mut ahead = parts(&std::path::absolute(path)?);
    let mut links = 0;
    while let Some(part) = ahead.pop_front() {
        if part == ".." {
            walk.up()?;
            continue;
        }
        let next = walk.at.join(&part);
        let Some(entry) = walk.look(&next)? else {
            return Ok(walk.found);
        };
        if entry.is_symlink() {
            links += 1;
            if links > LINKS_MAX {
                return Err(rustix::io::Errno::LOOP.into());
            }
            let target = std::fs::read_link(&next)?;
            if is_proc(&walk.at) && target.is_relative() {
                return Ok(walk.found);
            }
            if target.is_absolute() {
                walk.at = PathBuf::from("/");
                walk.enter(&std::fs::symlink_metadata("/")?);
            }
            for part in parts(&target).into_iter().rev() {
                ahead.push_front(part);
            }
        } else if entry.is_dir() {
            walk.at = next;
            walk.enter(&entry);
        } else {
            // The file itself is checked by the caller, which has it open; nothing can come after
            // it.
            return Ok(walk.found);
        }
    }
    Ok(walk.found)
}

struct Walk {
    /// The folder reached so far, without links.
    at: PathBuf,
    /// Whether others may create entries there.
    shared: bool,
    found: Vec<Weakness>,
}

impl Walk {
    fn from_root() -> io::Result<Self> {
        let mut walk = Self {
            at: PathBuf::from("/"),
            shared: false,
            found: Vec::new(),
        };
        walk.enter(&std::fs::symlink_metadata("/")?);
        Ok(walk)
    }

    /// Records the weaknesses of the folder that the walk has reached.
    fn enter(&mut self, folder: &Metadata) {
        let writable = folder.mode() & WRITABLE != 0;
        let sticky = folder.mode() & 0o1000 != 0;
        let read_only = writable && rustix::fs::statvfs(&self.at).is_ok_and(is_read_only);
        self.shared = writable && !read_only;
        for weakness in weaknesses(&self.at, folder, read_only) {
            let harmless = weakness.is_mode() && sticky;
            if !harmless && !self.found.contains(&weakness) {
                self.found.push(weakness);
            }
        }
    }

    /// Looks at the entry `next` without following a link. If it does not exist and others could
    /// create it, records that weakness and returns `None`.
    fn look(&mut self, next: &Path) -> io::Result<Option<Metadata>> {
        match std::fs::symlink_metadata(next) {
            Ok(entry) => {
                let owner = entry.uid();
                // In a folder where others may replace their own entries, the owner of a link
                // matters.
                let theirs = owner != 0 && owner != user();
                if self.shared && theirs && entry.is_symlink() {
                    self.found.push(Weakness::link(next, owner));
                }
                Ok(Some(entry))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.shared => {
                self.found.push(Weakness::absent(next));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn up(&mut self) -> io::Result<()> {
        self.at.pop();
        let folder = std::fs::symlink_metadata(&self.at)?;
        self.enter(&folder);
        Ok(())
    }
}

fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

/// Whether the folder is in the process file system.
#[cfg(target_os = "linux")]
fn is_proc(folder: &Path) -> bool {
    // PROC_SUPER_MAGIC of linux/magic.h. `/proc/self` is an ordinary link to a folder next to it.
    let magic = |folder: &Path| rustix::fs::statfs(folder).is_ok_and(|fs| fs.f_type == 0x9fa0);
    folder != Path::new("/proc") && magic(folder)
}

#[cfg(not(target_os = "linux"))]
fn is_proc(_: &Path) -> bool {
    false
}
