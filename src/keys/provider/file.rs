//! Reads the key line from a file, and makes such a file.
//! Refuses every file that another user could have read, written or exchanged.
//! The file's checks use the open descriptor, so that the file cannot be exchanged after them;
//! `trust` checks its folders.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::LINE_BYTES_MAX;
use crate::crypto::WrappingKey;
use crate::foreign::Foreign;
use crate::keys::error::KeyError;
use crate::trust::{self, Broken, Refused, Rule};

/// Reads at most [`LINE_BYTES_MAX`] bytes from a key file.
pub(super) fn read_line(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let file = open(path)?;
    check(&file, path, trust::user())?;
    check_folders(path)?;
    let mut line = Zeroizing::new(Vec::with_capacity(LINE_BYTES_MAX));
    // Stays within the capacity: a vector that grows leaves copies of the key behind.
    file.take(LINE_BYTES_MAX as u64 - 1)
        .read_to_end(&mut line)
        .map_err(|source| unreadable(path, source))?;
    Ok(line)
}

/// Makes a new wrapping key and writes its key line to a new file with mode 0600. Returns the key's
/// reference once file and directory are durable.
///
/// # Errors
/// [`KeyError::FileExists`], [`KeyError::FileNotWritten`] (the incomplete file is removed),
/// [`KeyError::NoRandomness`].
pub fn write_new_wrapping_key(path: &Path) -> Result<String, KeyError> {
    let key = WrappingKey::generate().map_err(|_| KeyError::NoRandomness)?;
    let line = key.to_line();
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => KeyError::FileExists { path: path.into() },
            _ => not_written(path, source),
        })?;
    if let Err(source) = fill(file, path, line.as_bytes()) {
        // Half a key line is useless, and would block the next attempt.
        let _ = std::fs::remove_file(path);
        return Err(not_written(path, source));
    }
    Ok(key.reference())
}

fn open(path: &Path) -> Result<File, KeyError> {
    // NONBLOCK: to open a pipe without a writer would hang before it can be refused.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(|source| {
            if source.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
                KeyError::FileIsLink { path: path.into() }
            } else {
                unreadable(path, source)
            }
        })
}

fn check(file: &File, path: &Path, user: u32) -> Result<(), KeyError> {
    let found = file.metadata().map_err(|source| unreadable(path, source))?;
    if !found.file_type().is_file() {
        return Err(KeyError::FileNotRegular { path: path.into() });
    }
    let path = path.into();
    match Rule::SECRET.broken(&found, user).next() {
        Some(Broken::Owner(owner)) => Err(KeyError::FileOwner { path, owner, user }),
        Some(Broken::Mode(mode)) => Err(KeyError::FileMode { path, mode }),
        None => Ok(()),
    }
}

fn check_folders(path: &Path) -> Result<(), KeyError> {
    trust::check_folders(path).map_err(|refused| match refused {
        Refused::Unreadable(source) => unreadable(path, source),
        Refused::Untrusted(found) => KeyError::Untrusted {
            what: format!("key file {}", Foreign(&path.to_string_lossy())),
            found,
        },
    })
}

fn fill(mut file: File, path: &Path, line: &[u8]) -> io::Result<()> {
    // The mode is set again on the descriptor: the umask may have removed bits of the owner.
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    file.write_all(line)?;
    file.sync_all()?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)?.sync_all()
}

fn unreadable(path: &Path, source: io::Error) -> KeyError {
    KeyError::FileUnreadable {
        path: path.into(),
        source,
    }
}

fn not_written(path: &Path, source: io::Error) -> KeyError {
    KeyError::FileNotWritten {
        path: path.into(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::path::PathBuf;

    use super::*;

    struct TestFolder(tempfile::TempDir);

    impl TestFolder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn file(&self, mode: u32) -> PathBuf {
            let path = self.path("key");
            write_new_wrapping_key(&path).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            path
        }
    }

    #[test]
    fn a_file_of_mode_0600_or_stricter_is_read() {
        for mode in [0o600, 0o400] {
            let place = TestFolder::new();
            assert_eq!(read_line(&place.file(mode)).unwrap().len(), 57);
        }
    }

    #[test]
    fn a_file_that_others_may_read_or_write_is_refused_with_its_mode() {
        for wide in [0o640, 0o604, 0o620, 0o602, 0o700, 0o644, 0o4600] {
            let place = TestFolder::new();
            let refused = read_line(&place.file(wide)).unwrap_err();
            assert!(
                matches!(&refused, KeyError::FileMode { mode, .. } if *mode == wide),
                "{refused}"
            );
        }
    }

    #[test]
    fn a_symbolic_link_is_refused_even_to_a_good_file() {
        let place = TestFolder::new();
        let link = place.path("link");
        std::os::unix::fs::symlink(place.file(0o600), &link).unwrap();
        assert!(matches!(read_line(&link), Err(KeyError::FileIsLink { .. })));
    }

    #[test]
    fn a_file_of_another_owner_is_refused() {
        let place = TestFolder::new();
        let path = place.file(0o600);
        let user = rustix::process::geteuid().as_raw();
        let refused = check(&open(&path).unwrap(), &path, user + 1).unwrap_err();
        assert!(matches!(refused, KeyError::FileOwner { owner, .. } if owner == user));
        // Only root can change the owner, so only root tests a file of another user.
        if user == 0 {
            std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
            let refused = read_line(&path).unwrap_err();
            assert!(matches!(
                refused,
                KeyError::FileOwner {
                    owner: 65_534,
                    user: 0,
                    ..
                }
            ));
        }
    }

    #[test]
    fn a_directory_and_a_pipe_are_refused_without_hanging() {
        let place = TestFolder::new();
        let directory = place.path("directory");
        std::fs::create_dir(&directory).unwrap();
        assert!(matches!(
            read_line(&directory),
            Err(KeyError::FileNotRegular { .. })
        ));
        let pipe = place.path("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        assert!(matches!(
            read_line(&pipe),
            Err(KeyError::FileNotRegular { .. })
        ));
    }

    #[test]
    fn a_missing_file_is_unreadable_and_named() {
        let refused = read_line(&TestFolder::new().path("none")).unwrap_err();
        assert!(matches!(&refused, KeyError::FileUnreadable { .. }));
        assert!(refused.to_string().contains("/none"));
    }

    #[test]
    fn a_huge_file_is_read_only_as_far_as_a_key_line_may_reach() {
        let place = TestFolder::new();
        let path = place.file(0o600);
        std::fs::write(&path, vec![b'A'; 1 << 20]).unwrap();
        assert!(read_line(&path).unwrap().len() < LINE_BYTES_MAX);
    }

    #[test]
    fn a_new_wrapping_key_gets_mode_0600_and_reads_back_as_the_same_key() {
        let place = TestFolder::new();
        let path = place.path("key");
        let reference = write_new_wrapping_key(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        let line = read_line(&path).unwrap();
        let read = super::super::LocalProvider::from_line(&line, "test").unwrap();
        assert_eq!(super::super::KeyProvider::reference(&read), reference);
    }

    #[test]
    fn a_new_wrapping_key_never_overwrites_a_file_or_follows_a_link() {
        let place = TestFolder::new();
        let path = place.file(0o600);
        let before = std::fs::read(&path).unwrap();
        assert!(matches!(
            write_new_wrapping_key(&path),
            Err(KeyError::FileExists { .. })
        ));
        assert_eq!(std::fs::read(&path).unwrap(), before);
        let dangling = place.path("dangling");
        std::os::unix::fs::symlink(place.path("target"), &dangling).unwrap();
        assert!(matches!(
            write_new_wrapping_key(&dangling),
            Err(KeyError::FileExists { .. })
        ));
        assert!(!place.path("target").exists());
    }

    #[test]
    fn a_new_wrapping_key_in_a_missing_directory_is_refused() {
        let path = TestFolder::new().path("none/key");
        assert!(matches!(
            write_new_wrapping_key(&path),
            Err(KeyError::FileNotWritten { .. })
        ));
    }
}
