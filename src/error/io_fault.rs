//! Why the operating system refused a file, a program or a connection, in words of our own.
//! Owns the words. Never shows the error's own text: it may hold what its maker put into it.

use std::io::{self, ErrorKind};

/// The cause as a clause: `it does not exist`.
pub fn words(error: &io::Error) -> String {
    let known = match error.kind() {
        ErrorKind::NotFound => "it does not exist",
        ErrorKind::PermissionDenied => "permission denied",
        ErrorKind::AlreadyExists => "it exists already",
        ErrorKind::IsADirectory => "it is a folder",
        ErrorKind::NotADirectory => "a part of its path is not a folder",
        ErrorKind::DirectoryNotEmpty => "it is a folder that is not empty",
        ErrorKind::InvalidFilename => "the system takes no file name like this",
        ErrorKind::StorageFull => "no space is left on the device",
        ErrorKind::QuotaExceeded => "the quota is used up",
        ErrorKind::FileTooLarge => "the file would be larger than a limit allows",
        ErrorKind::ReadOnlyFilesystem => "the file system is read only",
        ErrorKind::ExecutableFileBusy => "the program is being written",
        ErrorKind::InvalidData => "it is not text in UTF-8",
        ErrorKind::OutOfMemory => "the system has no memory left",
        ErrorKind::TimedOut => "it took too long",
        ErrorKind::ConnectionRefused => "the connection was refused",
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            "the other side closed the connection"
        }
        ErrorKind::UnexpectedEof => "it ended too early",
        ErrorKind::HostUnreachable => "the host cannot be reached",
        ErrorKind::NetworkUnreachable => "the network cannot be reached",
        ErrorKind::AddrNotAvailable => "this machine has no such address",
        _ => return by_number(error),
    };
    known.to_owned()
}

/// What has no kind of its own.
fn by_number(error: &io::Error) -> String {
    let Some(number) = error.raw_os_error() else {
        return "the operating system refused it".to_owned();
    };
    match rustix::io::Errno::from_raw_os_error(number) {
        rustix::io::Errno::MFILE => "this process has too many open files".to_owned(),
        rustix::io::Errno::NFILE => "this machine has too many open files".to_owned(),
        rustix::io::Errno::LOOP => "its symbolic links lead in a circle".to_owned(),
        rustix::io::Errno::IO => "the device failed".to_owned(),
        rustix::io::Errno::NOEXEC => "it is no program that this machine can run".to_owned(),
        rustix::io::Errno::NXIO | rustix::io::Errno::NODEV => "there is no such device".to_owned(),
        _ => format!("the operating system refused it with error number {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_number(number: i32) -> String {
        words(&io::Error::from_raw_os_error(number))
    }

    #[test]
    fn each_cause_has_words_that_are_not_those_of_the_library() {
        // errno(3) of Linux.
        for (number, said) in [
            (2, "it does not exist"),
            (13, "permission denied"),
            (17, "it exists already"),
            (20, "a part of its path is not a folder"),
            (21, "it is a folder"),
            (24, "this process has too many open files"),
            (28, "no space is left on the device"),
            (30, "the file system is read only"),
            (36, "the system takes no file name like this"),
            (40, "its symbolic links lead in a circle"),
            (111, "the connection was refused"),
        ] {
            assert_eq!(of_number(number), said, "{number}");
        }
        let other = "the operating system refused it with error number 95";
        assert_eq!(of_number(95), other);
    }

    #[test]
    fn the_text_of_an_error_is_never_shown() {
        let error = io::Error::other("123-45-6789");
        assert_eq!(words(&error), "the operating system refused it");
        let error = io::Error::new(ErrorKind::InvalidData, "123-45-6789");
        assert_eq!(words(&error), "it is not text in UTF-8");
    }
}
