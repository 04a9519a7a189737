//! Reads the key line from the output of a command.
//! Runs the program without a shell, and only if no other user could have changed it. Retries, and
//! reads a bounded amount. Never shows the output of the command, since both streams may hold the
//! key.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

use super::LINE_BYTES_MAX;
use crate::foreign::Foreign;
use crate::keys::error::KeyError;
use crate::trust::{self, Refused};

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
pub(super) async fn read_line(
    argv: &[String],
    limits: Limits,
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let mut pause = limits.pause;
    let mut attempts = 1;
    loop {
        let refused = match attempt(argv, limits.timeout, attempts).await {
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
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2);
        attempts += 1;
    }
}

async fn attempt(
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
    let child = Command::new(found)
        .arg0(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| not_run(program, Refused::Unreadable(source)))?;
    // A timeout drops the future and with it the child, which is then killed.
    match tokio::time::timeout(timeout, collect(child, program, attempts)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(KeyError::CommandTimeout {
            program: program.clone(),
            timeout_seconds: timeout.as_secs(),
            attempts,
        }),
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

async fn collect(
    mut child: Child,
    program: &str,
    attempts: u32,
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let failed = |status: String| KeyError::CommandFailed {
        program: program.to_owned(),
        status,
        attempts,
    };
    // Allocated in full: a vector that grows leaves copies of the key behind.
    let mut line = Zeroizing::new(vec![0; LINE_BYTES_MAX]);
    let mut filled = 0;
    if let Some(mut stdout) = child.stdout.take() {
        loop {
            let room = line.get_mut(filled..).unwrap_or_default();
            if room.is_empty() {
                return Err(KeyError::CommandTooMuch {
                    program: program.to_owned(),
                });
            }
            match stdout.read(room).await {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(_) => return Err(failed("its output could not be read".to_owned())),
            }
        }
    }
    line.truncate(filled);
    match child.wait().await {
        Ok(status) if status.success() => Ok(line),
        Ok(status) => Err(failed(status.to_string())),
        Err(_) => Err(failed("its exit status could not be read".to_owned())),
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

    #[tokio::test]
    async fn what_the_command_prints_is_the_line() {
        let line = read_line(&argv(&["printf", "%s\\n", "a line"]), QUICK)
            .await
            .unwrap();
        assert_eq!(&**line, b"a line\n");
    }

    #[tokio::test]
    async fn arguments_never_meet_a_shell() {
        let line = read_line(&argv(&["printf", "%s", "$HOME;`id`"]), QUICK)
            .await
            .unwrap();
        assert_eq!(&**line, b"$HOME;`id`");
    }

    #[tokio::test]
    async fn a_failing_command_is_tried_a_bounded_number_of_times_and_its_words_are_not_repeated() {
        let place = tempfile::tempdir().unwrap();
        let tries = place.path().join("tries");
        let script = "echo x >> \"$0\"; echo phiseal-wk-1.SECRET; echo SECRET >&2; exit 3";
        let tries_text = tries.to_str().unwrap();
        let refused = read_line(&argv(&["sh", "-c", script, tries_text]), QUICK)
            .await
            .unwrap_err();
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

    #[tokio::test]
    async fn a_command_that_recovers_is_believed() {
        let place = tempfile::tempdir().unwrap();
        let mark = place.path().join("mark");
        let script = "if [ -e \"$0\" ]; then echo ok; else : > \"$0\"; exit 1; fi";
        let mark_text = mark.to_str().unwrap();
        let line = read_line(&argv(&["sh", "-c", script, mark_text]), QUICK)
            .await
            .unwrap();
        assert_eq!(&**line, b"ok\n");
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_given_up() {
        let limits = Limits {
            timeout: Duration::from_millis(50),
            attempts_max: 2,
            ..QUICK
        };
        let refused = read_line(&argv(&["sleep", "600"]), limits)
            .await
            .unwrap_err();
        assert!(matches!(
            refused,
            KeyError::CommandTimeout { attempts: 2, .. }
        ));
    }

    #[tokio::test]
    async fn a_command_that_prints_without_end_is_cut_off() {
        let refused = read_line(&argv(&["yes"]), QUICK).await.unwrap_err();
        assert!(matches!(refused, KeyError::CommandTooMuch { .. }));
    }

    #[tokio::test]
    async fn a_program_that_does_not_exist_or_has_no_name_is_refused() {
        let refused = read_line(&argv(&["/nonexistent/phiseal"]), QUICK)
            .await
            .unwrap_err();
        assert!(matches!(refused, KeyError::CommandNotStarted { .. }));
        for empty in [argv(&[]), argv(&[""])] {
            assert!(matches!(
                read_line(&empty, QUICK).await,
                Err(KeyError::CommandEmpty)
            ));
        }
    }
}
