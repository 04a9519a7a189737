//! Writes new files for a person. The file must not exist; it is written whole or not at all.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::error::{Exit, Fault, io_fault};
use crate::foreign::Foreign;

/// Writes a new file with this mode (less the umask); it is durable when the function returns.
///
/// # Errors
/// E0106 if something of that name exists; E0108 if it cannot be written, and then it is removed.
pub fn write(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), Fault> {
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path);
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(exists(path)),
        Err(error) => return Err(not_written(path, &error)),
    };
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(|error| {
        // Half a file would block the next attempt.
        let _ = std::fs::remove_file(path);
        not_written(path, &error)
    })
}

/// The fault E0106: something of that name exists.
pub fn exists(path: &Path) -> Fault {
    Fault {
        code: "E0106",
        message: format!(
            "{} exists, and is not written over",
            Foreign(&path.to_string_lossy())
        ),
        hint: "name another file, or move this one away".to_owned(),
        exit: Exit::Usage,
    }
}

fn not_written(path: &Path, error: &io::Error) -> Fault {
    Fault {
        code: "E0108",
        message: format!(
            "{} cannot be written: {}",
            Foreign(&path.to_string_lossy()),
            io_fault::words(error)
        ),
        hint: "check that its directory exists, can be written and has space".to_owned(),
        exit: Exit::Usage,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_new_file_has_its_mode_and_is_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("row.json");
        write(&path, 0o600, b"one").unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(write(&path, 0o600, b"two").unwrap_err().code, "E0106");
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
    }

    #[test]
    fn a_link_that_leads_nowhere_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), &path).unwrap();
        assert_eq!(write(&path, 0o600, b"one").unwrap_err().code, "E0106");
        assert!(!dir.path().join("elsewhere").exists());
    }

    #[test]
    fn a_directory_that_is_not_there_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("missing").join("file");
        assert_eq!(write(&path, 0o600, b"one").unwrap_err().code, "E0108");
    }
}
