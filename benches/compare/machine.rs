//! On what it was measured: the machine and the versions, in a few words each.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::fixture::Fixture;

/// Processor, memory, kernel, disk.
pub fn machine() -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut note = |name: &str, value: Option<String>| {
        out.extend(value.map(|value| (name.to_owned(), value)));
    };
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    note("processor", after(&cpus, "model name"));
    let cores = std::thread::available_parallelism().ok();
    note("cores", cores.map(|n| n.to_string()));
    let memory = after(
        &fs::read_to_string("/proc/meminfo").unwrap_or_default(),
        "MemTotal",
    );
    let kib = memory.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    note(
        "memory",
        kib.map(|kib| format!("{:.0} GiB", kib / 1024.0 / 1024.0)),
    );
    note("kernel", said("uname", &["-sr"]));
    note(
        "file system",
        said("findmnt", &["-no", "FSTYPE", "-T", "/tmp"]),
    );
    out
}

/// Of phiseal, the server, SQLite and Node.
pub async fn versions(fixture: &Fixture) -> BTreeMap<String, String> {
    let mut out = BTreeMap::from([
        ("phiseal".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("PostgreSQL".to_owned(), fixture.server_version().await),
    ]);
    out.extend(said("node", &["--version"]).map(|version| ("Node".to_owned(), version)));
    out.extend(said("rustc", &["--version"]).map(|version| ("Rust".to_owned(), version)));
    out
}

/// What stands behind `name :` in a text of the kernel.
fn after(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// What a program prints.
fn said(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
