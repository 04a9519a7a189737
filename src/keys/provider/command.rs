//! Reads the key line from the output of a command.
//! Runs the program without a shell, and only if no other user could have changed it. Retries, and
//! reads a bounded amount. Never shows the output of the command, since both streams may hold the
//! key.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use zeroize::Zeroizing;

use super::LINE_BYTES_MAX;
use crate::foreign::Foreign;
use crate::keys::error::KeyError;
use crate::trust::{self, Refused};

/// How long to wait before looking again whether a command that closed its output has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// How long and how often a command is tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The time for one attempt.
    pub(super) timeout: Duration,
    /// The number of attempts in all.
    pub(super) attempts_max: u32,
    /// The wait before the second attempt, doubled before each further one.
    pub(super) pause: Duration,
}

impl Limits {
    pub(super) const DEFAULT: Self = Self {
        timeout: Duration::from_secs(30),
        attempts_max: 3,
        pause: Duration::from_secs(1),
    };
}

/// Runs the command until it prints a line and exits with success, within the limits.
pub(super) fn read_line(argv: &[String], limits: Limits) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let mut pause = limits.pause;
    let mut attempts = 1;
    loop {
        let refused = match attempt(argv, limits.timeout, attempts) {
            Ok(line) => return Ok(line),
            Err(refused) => refused,
        };
        // Only failures that may be temporary are worth another attempt.
        let passing = matches!(
            refused,
            KeyError::CommandFailed { .. } | KeyError::CommandTimeout { .. }
        );
        if !passing || attempts >= limits.attempts_max {
            return Err(refused);
        }
        thread::sleep(pause);
        pause = pause.saturating_mul(2);
        attempts += 1;
    }
}

fn attempt(
    argv: &[String],
    timeout: Duration,
    attempts: u32,
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let [program, arguments @ ..] = argv else {
        return Err(KeyError::CommandEmpty);
    };
    if program.is_empty() {
        return Err(KeyError::CommandEmpty);
    }
    let found = trust::program(program, std::env::var_os("PATH").as_deref())
        .map_err(|refused| not_run(program, refused))?;
    let mut child = Command::new(found)
        .arg0(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|source| not_run(program, Refused::Unreadable(source)))?;
    let ended = collect(&mut child, Instant::now() + timeout);
    if ended.is_err() {
        // It may still run. Where it has ended, neither call does anything.
        let _ = child.kill();
        let _ = child.wait();
    }
    let program = program.clone();
    ended.map_err(|unended| match unended {
        Unended::Failed(status) => KeyError::CommandFailed {
            program,
            status,
            attempts,
        },
        Unended::TooMuch => KeyError::CommandTooMuch { program },
        Unended::Timeout => KeyError::CommandTimeout {
            program,
            timeout_seconds: timeout.as_secs(),
            attempts,
        },
    })
}

/// Why a command gave no line.
enum Unended {
    Failed(String),
    TooMuch,
    Timeout,
}

impl Unended {
    fn unread() -> Self {
        Self::Failed("its output could not be read".to_owned())
    }
}

fn not_run(program: &str, refused: Refused) -> KeyError {
    match refused {
        Refused::Unreadable(source) => KeyError::CommandNotStarted {
            program: program.to_owned(),
            source,
        },
        Refused::Untrusted(found) => KeyError::Untrusted {
            what: format!("key command {}", Foreign(program)),
            found,
        },
    }
}

/// What the command prints until it ends with success.
fn collect(child: &mut Child, deadline: Instant) -> Result<Zeroizing<Vec<u8>>, Unended> {
    // Allocated in full: a vector that grows leaves copies of the key behind.
    let mut line = Zeroizing::new(vec![0; LINE_BYTES_MAX]);
    let mut filled = 0;
    if let Some(mut stdout) = child.stdout.take() {
        loop {
            wait_for(&stdout, deadline)?;
            let room = line.get_mut(filled..).unwrap_or_default();
            if room.is_empty() {
                return Err(Unended::TooMuch);
            }
            match stdout.read(room) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Unended::unread()),
            }
        }
    }
    line.truncate(filled);
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(line),
            Ok(Some(status)) => return Err(Unended::Failed(status.to_string())),
            Ok(None) if Instant::now() >= deadline => return Err(Unended::Timeout),
            Ok(None) => thread::sleep(LOOK_AGAIN),
            Err(_) => {
                let unread = "its exit status could not be read";
                return Err(Unended::Failed(unread.to_owned()));
            }
        }
    }
}

/// Waits until the command has written something or closed its output.
fn wait_for(stdout: &ChildStdout, deadline: Instant) -> Result<(), Unended> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Unended::Timeout);
        }
        let left = Timespec::try_from(left).map_err(|_| Unended::Timeout)?;
        match poll(&mut [PollFd::new(stdout, PollFlags::IN)], Some(&left)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(_) => return Err(Unended::unread()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Limits = Limits {
        timeout: Duration::from_secs(10),
        attempts_max: 3,
        pause: Duration::from_millis(1),
    };

    fn argv(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn what_the_command_prints_is_the_line() {
        let line = read_line(&argv(&["printf", "%s\\n", "a line"]), QUICK).unwrap();
        assert_eq!(&**line, b"a line\n");
    }

    #[test]
    fn arguments_never_meet_a_shell() {
        let line = read_line(&argv(&["printf", "%s", "$HOME;`id`"]), QUICK).unwrap();
        assert_eq!(&**line, b"$HOME;`id`");
    }

    #[test]
    fn a_failing_command_is_tried_a_bounded_number_of_times_and_its_words_are_not_repeated() {
        let place = tempfile::tempdir().unwrap();
        let tries = place.path().join("tries");
        let script = "echo x >> \"$0\"; echo phiseal-wk-1.SECRET; echo SECRET >&2; exit 3";
        let tries_text = tries.to_str().unwrap();
        let refused = read_line(&argv(&["sh", "-c", script, tries_text]), QUICK).unwrap_err();
        assert!(matches!(
            refused,
            KeyError::CommandFailed { attempts: 3, .. }
        ));
        assert_eq!(
            refused.to_string(),
            "key command sh failed (exit status: 3), 3 attempts"
        );
        assert!(!format!("{refused:?}").contains("SECRET"));
        assert_eq!(std::fs::read_to_string(tries).unwrap().lines().count(), 3);
    }

    #[test]
    fn a_command_that_recovers_is_believed() {
        let place = tempfile::tempdir().unwrap();
        let mark = place.path().join("mark");
        let script = "if [ -e \"$0\" ]; then echo ok; else : > \"$0\"; exit 1; fi";
        let mark_text = mark.to_str().unwrap();
        let line = read_line(&argv(&["sh", "-c", script, mark_text]), QUICK).unwrap();
        assert_eq!(&**line, b"ok\n");
    }

    #[test]
    fn a_command_that_hangs_is_given_up() {
        let limits = Limits {
            timeout: Duration::from_millis(50),
            attempts_max: 2,
            ..QUICK
        };
        let refused = read_line(&argv(&["sleep", "600"]), limits).unwrap_err();
        assert!(matches!(
            refused,
            KeyError::CommandTimeout { attempts: 2, .. }
        ));
    }

    #[test]
    fn a_command_that_prints_without_end_is_cut_off() {
        let refused = read_line(&argv(&["yes"]), QUICK).unwrap_err();
        assert!(matches!(refused, KeyError::CommandTooMuch { .. }));
    }

    #[test]
    fn a_program_that_does_not_exist_or_has_no_name_is_refused() {
        let refused = read_line(&argv(&["/nonexistent/phiseal"]), QUICK).unwrap_err();
        assert!(matches!(refused, KeyError::CommandNotStarted { .. }));
        for empty in [argv(&[]), argv(&[""])] {
            assert!(matches!(
                read_line(&empty, QUICK),
                Err(KeyError::CommandEmpty)
            ));
        }
    }
}
