//! Opens the log file. It is made with mode 0600 or appended to, and only ever a regular file that the
//! path itself names: no link, no device, no pipe.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::error::{Exit, Fault};
use crate::foreign::Foreign;

/// Opens the file to append to it. One that exists keeps its mode.
///
/// # Errors
/// E0123 if it is no regular file, or cannot be opened.
pub fn open(path: &Path) -> Result<File, Fault> {
    // Not blocking: a pipe that nobody reads would keep the program waiting.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(|error| refused(path, why_not(&error)))?;
    match file.metadata() {
        Ok(found) if found.is_file() => Ok(file),
        Ok(_) => Err(refused(path, NO_FILE)),
        Err(error) => Err(refused(path, why_not(&error))),
    }
}

const NO_FILE: &str = "it is not a regular file";

fn why_not(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::LOOP) => "it is a symbolic link",
        Some(Errno::ISDIR) => "it is a directory",
        Some(Errno::NXIO) => NO_FILE,
        Some(Errno::NOENT | Errno::NOTDIR) => "its directory does not exist",
        Some(Errno::ACCESS | Errno::PERM) => "permission denied",
        Some(Errno::ROFS) => "its file system is read-only",
        Some(Errno::NOSPC | Errno::DQUOT) => "no space is left",
        _ => "it cannot be opened",
    }
}

fn refused(path: &Path, why: &str) -> Fault {
    let name = path.to_string_lossy();
    Fault {
        code: "E0123",
        message: format!("cannot write to the log file {}: {why}", Foreign(&name)),
        hint: "name a regular file that you may write to, or one that does not exist yet, in a \
               directory that exists"
            .to_owned(),
        exit: Exit::Usage,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_log_file_is_private_and_appended_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        open(&path).unwrap().write_all(b"one\n").unwrap();
        open(&path).unwrap().write_all(b"two\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo\n");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_is_no_regular_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        let link = dir.path().join("link");
        symlink(&target, &link).unwrap();
        let pipe = dir.path().join("pipe");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        for (path, why) in [
            (link.as_path(), "symbolic link"),
            (&pipe, "not a regular file"),
            (dir.path(), "is a directory"),
            (Path::new("/dev/null"), "not a regular file"),
            (&dir.path().join("no/file"), "directory does not exist"),
        ] {
            let fault = open(path).unwrap_err();
            assert_eq!(fault.code, "E0123");
            assert!(fault.message.contains(why), "{fault}");
        }
        assert!(!target.exists(), "the link was followed");
    }
}
