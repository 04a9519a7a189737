//! A program, run to its end, with its time, its peak memory and its processor time.

use std::fs;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Linux counts processor time in hundredths of a second (`USER_HZ`).
const TICKS_A_SECOND: f64 = 100.0;

/// A finished program.
pub struct Ran {
    /// From its start to its end.
    pub seconds: f64,
    /// The most memory it held.
    pub peak_bytes: Option<u64>,
    /// Of all its threads.
    pub cpu_seconds: Option<f64>,
    /// What it printed.
    pub stdout: String,
    /// What it said.
    pub stderr: String,
}

/// Runs it; a failure ends the benchmark, with what it said.
pub fn run(command: &mut Command) -> Ran {
    let said = tempfile::NamedTempFile::new().unwrap();
    let begun = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(said.reopen().unwrap())
        .spawn()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let ended = AtomicBool::new(false);
    let (status, stdout, seconds, usage) = std::thread::scope(|scope| {
        let watch = scope.spawn(watcher(&child, &ended));
        let mut stdout = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut stdout)
            .unwrap();
        let status = child.wait().unwrap();
        let seconds = begun.elapsed().as_secs_f64();
        ended.store(true, Ordering::Relaxed);
        (status, stdout, seconds, watch.join().unwrap())
    });
    let stderr = fs::read_to_string(said.path()).unwrap_or_default();
    assert!(
        status.success(),
        "{command:?}: {status}\n{stdout}\n{stderr}"
    );
    Ran {
        seconds,
        peak_bytes: usage.0,
        cpu_seconds: usage.1,
        stdout,
        stderr,
    }
}

/// Looks at the process until it has ended: what the kernel keeps of it goes with it.
fn watcher<'a>(
    child: &Child,
    ended: &'a AtomicBool,
) -> impl FnOnce() -> (Option<u64>, Option<f64>) + Send + use<'a> {
    let status = format!("/proc/{}/status", child.id());
    let stat = format!("/proc/{}/stat", child.id());
    move || {
        let mut usage = (None, None);
        while !ended.load(Ordering::Relaxed) {
            usage.0 = peak(&status).or(usage.0);
            usage.1 = cpu(&stat).or(usage.1);
            std::thread::sleep(Duration::from_millis(10));
        }
        usage
    }
}

fn peak(path: &str) -> Option<u64> {
    let status = fs::read_to_string(path).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

fn cpu(path: &str) -> Option<f64> {
    ticks(path, 2).map(|ticks| ticks as f64 / TICKS_A_SECOND)
}

/// Processor time of a process, of the children that it has waited for, and of those that live.
pub fn family_cpu_seconds(pid: i32) -> f64 {
    let mut all = ticks(&format!("/proc/{pid}/stat"), 4).unwrap_or_default();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let stat = entry.path().join("stat").display().to_string();
        if parent(&stat) == Some(pid) {
            all += ticks(&stat, 2).unwrap_or_default();
        }
    }
    all as f64 / TICKS_A_SECOND
}

/// The sum of the first of utime, stime, cutime and cstime.
fn ticks(path: &str, count: usize) -> Option<u64> {
    let stat = fs::read_to_string(path).ok()?;
    // Behind the name, which may hold anything: state is the first, utime the 12th.
    let fields = stat.rsplit_once(')')?.1.split_whitespace();
    let numbers: Vec<u64> = fields
        .skip(11)
        .take(count)
        .filter_map(|field| field.parse().ok())
        .collect();
    (numbers.len() == count).then(|| numbers.iter().sum())
}

fn parent(path: &str) -> Option<i32> {
    let stat = fs::read_to_string(path).ok()?;
    stat.rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}
