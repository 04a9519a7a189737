//! Holders of lanes: a worker of a process on a host, distinct from all earlier ones.
//! Owns the text form and the test whether the process is still alive. A host is identified by its
//! boot id too, so that a process number reused after a restart is not taken for the old process.

use std::fs;

use crate::store::Holder;

/// A process of this program, as lanes name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    host: String,
    boot: String,
    pid: u32,
    started: String,
}

impl Process {
    /// The process that calls this.
    pub fn this() -> Self {
        let pid = std::process::id();
        Self {
            host: host(),
            boot: boot_id(),
            pid,
            started: start_time(pid).unwrap_or_default(),
        }
    }

    /// One of its workers, as the holder of a lane.
    pub fn worker(&self, number: u32) -> Holder {
        Holder(format!(
            "{}/{}/{}/{}/{number}",
            self.host, self.boot, self.pid, self.started
        ))
    }

    /// Whether `holder` is a worker of this process.
    pub fn is_ours(&self, holder: &str) -> bool {
        parse(holder).is_some_and(|other| other == *self)
    }

    /// Whether `holder` is certainly dead: it was on this host, and its process is gone, or another
    /// process has its number, or the host was restarted since.
    pub fn is_dead(&self, holder: &str) -> bool {
        let Some(other) = parse(holder) else {
            return false;
        };
        if other.host != self.host || self.boot.is_empty() {
            return false;
        }
        if other.boot != self.boot {
            return true;
        }
        start_time(other.pid).is_none_or(|started| started != other.started)
    }
}

/// Whether the system says which processes live, in /proc. Without it, holders are not distinct, and a process
/// that died cannot be told from one at work.
pub fn processes_are_told() -> bool {
    start_time(std::process::id()).is_some()
}

/// The holder for a message: `process 4711 on host`.
pub fn describe(holder: &str) -> String {
    parse(holder).map_or_else(
        || "an unknown process".to_owned(),
        |process| format!("process {} on {}", process.pid, process.host),
    )
}

/// Whether two holders are workers of one process.
pub fn is_same_process(one: &str, other: &str) -> bool {
    parse(one).is_some_and(|process| parse(other) == Some(process))
}

fn parse(holder: &str) -> Option<Process> {
    let mut parts = holder.split('/');
    let process = Process {
        host: parts.next()?.to_owned(),
        boot: parts.next()?.to_owned(),
        pid: parts.next()?.parse().ok()?,
        started: parts.next()?.to_owned(),
    };
    parts.next()?;
    parts.next().is_none().then_some(process)
}

fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().replace('/', "_"))
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

/// Field 22 of /proc/PID/stat, in clock ticks since boot (proc(5)). The name in field 2 may hold
/// blanks and brackets, so counting begins after the last bracket. A zombie counts as dead.
fn start_time(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_ours() {
        let this = Process::this();
        let holder = this.worker(3).0;
        assert!(this.is_ours(&holder));
        assert!(!this.is_dead(&holder));
    }

    #[test]
    fn a_child_that_was_waited_for_is_dead_and_a_stranger_on_another_host_is_not() {
        let this = Process::this();
        let mut child = std::process::Command::new("sleep")
            .arg("30")
            .spawn()
            .unwrap();
        let started = start_time(child.id()).unwrap();
        let holder = format!("{}/{}/{}/{started}/0", this.host, this.boot, child.id());
        assert!(!this.is_dead(&holder));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(this.is_dead(&holder));
        let elsewhere = format!("other-host/{}/{}/{started}/0", this.boot, child.id());
        assert!(!this.is_dead(&elsewhere));
    }

    #[test]
    fn a_reused_process_number_and_an_earlier_boot_are_dead() {
        let this = Process::this();
        let reused = format!("{}/{}/{}/1/0", this.host, this.boot, this.pid);
        assert!(this.is_dead(&reused));
        let earlier = format!("{}/other-boot/{}/{}/0", this.host, this.pid, this.started);
        assert!(this.is_dead(&earlier));
    }

    #[test]
    fn what_cannot_be_read_is_not_declared_dead() {
        assert!(!Process::this().is_dead("nonsense"));
        assert!(!is_same_process("nonsense", "nonsense"));
        assert!(is_same_process("h/b/12/99/0", "h/b/12/99/3"));
        assert!(!is_same_process("h/b/12/99/0", "h/b/12/98/0"));
        assert_eq!(describe("nonsense"), "an unknown process");
        assert_eq!(describe("h/b/12/99/0"), "process 12 on h");
    }
}
