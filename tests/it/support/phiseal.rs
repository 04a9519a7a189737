//! The real program, run as an operator would: arguments, environment, folder, exit code, output.
//! It inherits nothing of the tester's environment but PATH and the like, never outlives its test,
//! and a run that does not end in time fails the test.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::ffi::OsStr;
use std::io::{Seek, Write};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const INHERITED: [&str; 4] = ["PATH", "HOME", "TMPDIR", "LLVM_PROFILE_FILE"];

/// One call of the program, being prepared.
pub struct Phiseal {
    command: Command,
    timeout: Duration,
}

/// A finished run.
#[derive(Debug)]
pub struct Finished {
    /// How it ended, a signal included.
    pub status: ExitStatus,
    /// Everything on stdout.
    pub stdout: String,
    /// Everything on stderr.
    pub stderr: String,
}

/// A run under way; killed if the test ends first.
pub struct Running {
    child: Child,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<()>,
    said: watch::Receiver<String>,
    timeout: Duration,
}

impl Phiseal {
    /// The program with these arguments; it may take two minutes.
    pub fn new<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Self {
        Self::instead(env!("CARGO_BIN_EXE_phiseal"), args)
    }

    /// Another program in its place, to test the tests.
    pub fn instead<S: AsRef<OsStr>>(program: &str, args: impl IntoIterator<Item = S>) -> Self {
        let mut command = Command::new(program);
        command
            .args(args)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        for name in INHERITED {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        Self {
            command,
            timeout: Duration::from_secs(300),
        }
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it in this folder.
    pub fn cwd(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Runs it as nobody, who owns nothing; as the tester, where the tester may not.
    pub fn without_rights(mut self) -> Self {
        const NOBODY: u32 = 65534;
        if rustix::process::getuid().is_root() {
            self.command.uid(NOBODY).gid(NOBODY);
        }
        self
    }

    /// What it reads from stdin.
    pub fn reads(mut self, input: impl AsRef<[u8]>) -> Self {
        // A file: a pipe would have to be written while the program's output is read.
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(input.as_ref()).unwrap();
        file.rewind().unwrap();
        self.command.stdin(file);
        self
    }

    /// Gives it a pipe as stdin: [`Running::stdin`].
    pub fn piped(mut self) -> Self {
        self.command.stdin(Stdio::piped());
        self
    }

    /// How long it may take before the test fails.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Starts it and goes on.
    pub fn spawn(mut self) -> Running {
        let mut child = self.command.spawn().unwrap();
        let mut out = child.stdout.take().unwrap();
        let err = child.stderr.take().unwrap();
        let stdout = tokio::spawn(async move {
            let mut bytes = Vec::new();
            out.read_to_end(&mut bytes).await.unwrap();
            String::from_utf8(bytes).expect("stdout is not UTF-8")
        });
        let (say, said) = watch::channel(String::new());
        let stderr = tokio::spawn(async move {
            let mut lines = BufReader::new(err).split(b'\n');
            while let Some(line) = lines.next_segment().await.unwrap() {
                let line = String::from_utf8_lossy(&line).into_owned();
                say.send_modify(|all| {
                    all.push_str(&line);
                    all.push('\n');
                });
            }
        });
        Running {
            child,
            stdout,
            stderr,
            said,
            timeout: self.timeout,
        }
    }

    /// Runs it to its end.
    pub async fn run(self) -> Finished {
        self.spawn().wait().await
    }
}

impl Running {
    /// Its process id.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().expect("it has ended").cast_signed()).unwrap()
    }

    /// The pipe to its stdin, after [`Phiseal::piped`]; it is closed when it is dropped.
    pub fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// The most memory that it has had so far, in bytes.
    pub fn memory_peak(&self) -> u64 {
        let status = format!("/proc/{}/status", self.pid().as_raw_nonzero());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.unwrap().trim().trim_end_matches(" kB");
        kib.parse::<u64>().unwrap() * 1024
    }

    /// Sends it a signal; one that has ended already gets none.
    pub fn signal(&mut self, signal: Signal) {
        if self.child.try_wait().unwrap().is_none() {
            kill_process(self.pid(), signal).unwrap();
        }
    }

    /// Waits until a text stands on its stderr. False if it ended without saying so.
    pub async fn says(&mut self, text: &str) -> bool {
        let found = self.said.wait_for(|all| all.contains(text));
        let found = tokio::time::timeout(self.timeout, found).await;
        found.expect("it did not say so in time").is_ok()
    }

    /// Waits for its end.
    pub async fn wait(mut self) -> Finished {
        let Ok(status) = tokio::time::timeout(self.timeout, self.child.wait()).await else {
            let said = self.said.borrow().clone();
            panic!("phiseal ran for more than {:?}:\n{said}", self.timeout);
        };
        let stdout = self.stdout.await.unwrap();
        self.stderr.await.unwrap();
        let stderr = self.said.borrow().clone();
        Finished {
            status: status.unwrap(),
            stdout,
            stderr,
        }
    }
}

impl Finished {
    /// Its exit code; a signal has none.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Asserts the exit code, showing what it said otherwise.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(
            self.code(),
            Some(code),
            "{}\nstdout: {}\nstderr: {}",
            self.status,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Stdout as the one JSON value it must be.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("{e} in stdout: {}\nstderr: {}", self.stdout, self.stderr))
    }
}
