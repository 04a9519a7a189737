//! The host that the program runs on: what it must have, and who uses it.

use super::environment;
use crate::error::{Exit, Fault};
use crate::run::holder::processes_are_told;

/// Refuses a system that does not say which processes live. Called before any database is opened.
pub fn require_proc() -> Result<(), Fault> {
    if processes_are_told() {
        return Ok(());
    }
    Err(Fault {
        code: "E0908",
        message:
            "there is no /proc here, so phiseal cannot tell whether another phiseal is at work"
                .to_owned(),
        hint: "run it on Linux, with /proc mounted".to_owned(),
        exit: Exit::Bug,
    })
}

/// The user and the host that run the program, for records.
pub fn actor() -> String {
    let user = ["USER", "LOGNAME"]
        .iter()
        .find_map(|name| environment(name))
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .unwrap_or_default();
    format!("{user}@{host}")
}
