//! Keeps secrets out of core dumps and swap.
//! Owns the only unsafe code of the library, one call of `mlock`. Does not know what is secret.
//! If pages cannot be locked (a container may forbid it), the program goes on; if core dumps cannot
//! be turned off, it must not.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};

/// Turns core dumps off for this process and its children, and forbids other processes of the same
/// user to attach to it. Call it once, before any key is read.
///
/// # Errors
/// The error of the system call; the caller must then not read keys.
pub fn disable_core_dumps() -> io::Result<()> {
    // The hard limit too, so that no child process can raise it again.
    setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )?;
    // The kernel ignores the limit if core_pattern is a pipe, but not `dumpable`.
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Asks the system to keep the pages that hold `value` out of swap; `false` if it refuses
/// (`RLIMIT_MEMLOCK`). Covers the value itself, not what it points to.
///
/// The pages stay locked until the process ends: `mlock` does not count calls, so that to unlock
/// one key would unlock the other keys on its page.
pub fn keep_in_memory<T>(value: &T) -> bool {
    lock::pages_of(value)
}

mod lock {
    #![allow(
        unsafe_code,
        reason = "mlock takes a pointer; nothing is read or written through it"
    )]

    /// Locks the pages under `value`.
    pub(super) fn pages_of<T>(value: &T) -> bool {
        let address = std::ptr::from_ref(value).cast_mut().cast();
        // SAFETY: the range is a live value behind a shared reference. Pages are mapped whole, so
        // the range rounded out to page boundaries is mapped too. mlock changes only how the system
        // treats the pages, not their content, so no aliasing rule is touched.
        unsafe { rustix::mm::mlock(address, size_of::<T>()) }.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_call_neither_limit_nor_flag_allows_a_core_dump() {
        disable_core_dumps().unwrap();
        let limit = rustix::process::getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
        #[cfg(target_os = "linux")]
        assert_eq!(
            rustix::process::dumpable_behavior().unwrap(),
            rustix::process::DumpableBehavior::NotDumpable
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_locked_value_is_counted_by_the_kernel() {
        let value = Box::new([7_u8; 32]);
        if !keep_in_memory(&*value) {
            let allowed = rustix::process::getrlimit(Resource::Memlock).current;
            assert!(
                allowed.is_some_and(|bytes| bytes < 65_536),
                "refused for no reason"
            );
            return;
        }
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let locked = status
            .lines()
            .find(|line| line.starts_with("VmLck:"))
            .unwrap();
        assert!(!locked.contains(" 0 kB"), "{locked}");
        assert_eq!(*value, [7; 32]);
    }
}
