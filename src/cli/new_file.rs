//! Writes new files for a person. The file must not exist; it is written whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::error::{Exit, Fault, io_fault};
use crate::foreign::Foreign;

/// Writes a new file with this mode (less the umask); it is durable when the function returns.
///
/// # Errors
/// E0106 if something of that name exists; E0108 if it cannot be written, and then it is removed.
pub fn write(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), Fault> {
    let mut file = NewFile::create(path, mode)?;
    file.write(bytes)?;
    file.finish()
}

/// A new file that is written piece by piece. Dropped without [`NewFile::finish`], it is removed:
/// half a file would block the next attempt.
pub struct NewFile {
    path: PathBuf,
    file: BufWriter<File>,
    is_whole: bool,
}

impl NewFile {
    /// Creates the file with this mode (less the umask).
    ///
    /// # Errors
    /// E0106 if something of that name exists; E0108 if it cannot be created.
    pub fn create(path: &Path, mode: u32) -> Result<Self, Fault> {
        let opened = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path);
        match opened {
            Ok(file) => Ok(Self {
                path: path.to_owned(),
                file: BufWriter::new(file),
                is_whole: false,
            }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(exists(path)),
            Err(error) => Err(not_written(path, &error)),
        }
    }

    /// Appends these bytes.
    ///
    /// # Errors
    /// E0108.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let written = self.file.write_all(bytes);
        written.map_err(|error| not_written(&self.path, &error))
    }

    /// Keeps the file; it is durable when the function returns.
    ///
    /// # Errors
    /// E0108.
    pub fn finish(mut self) -> Result<(), Fault> {
        let flushed = self.file.flush();
        let durable = flushed.and_then(|()| self.file.get_ref().sync_all());
        durable.map_err(|error| not_written(&self.path, &error))?;
        self.is_whole = true;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_whole {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Makes a directory, with those above it, if it does not exist.
///
/// # Errors
/// E0108 if it cannot be made.
pub fn make_dir(path: &Path) -> Result<(), Fault> {
    std::fs::create_dir_all(path).map_err(|error| not_written(path, &error))
}

/// The fault E0106: something of that name exists.
pub fn exists(path: &Path) -> Fault {
    Fault {
        code: "E0106",
        message: format!(
            "{} already exists, and phiseal does not overwrite it",
            Foreign(&path.to_string_lossy())
        ),
        hint: "name another file, or move this one away first".to_owned(),
        exit: Exit::Usage,
    }
}

/// The fault E0108: the file cannot be written.
pub fn not_written(path: &Path, error: &io::Error) -> Fault {
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
    fn a_file_that_is_not_finished_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.jsonl");
        let mut file = NewFile::create(&path, 0o600).unwrap();
        file.write(b"half").unwrap();
        drop(file);
        assert!(!path.exists());
        let mut file = NewFile::create(&path, 0o600).unwrap();
        file.write(b"one\n").unwrap();
        file.write(b"two\n").unwrap();
        file.finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo\n");
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
