//! The `phiseal` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
    static_glibc::use_its_own_name_services();
    phiseal::cli::main()
}

/// glibc, linked statically (`make dist`).
#[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
mod static_glibc {
    #![allow(unsafe_code, reason = "a function of glibc that no crate offers")]

    use std::ffi::{CStr, c_char, c_int};

    unsafe extern "C" {
        /// Says where a kind of name is looked up, in place of /etc/nsswitch.conf.
        fn __nss_configure_lookup(database: *const c_char, services: *const c_char) -> c_int;
    }

    /// Looks hosts up in /etc/hosts and by DNS, and users in /etc/passwd: glibc has these built in. The services that
    /// /etc/nsswitch.conf names are libraries of this system, which are made for its own version of glibc.
    pub fn use_its_own_name_services() {
        const OURS: [(&CStr, &CStr); 2] = [(c"hosts", c"files dns"), (c"passwd", c"files")];
        for (database, services) in OURS {
            // SAFETY: both are texts that end with a zero and live as long as the program. No other thread runs yet.
            // It fails only for a database that does not exist or for want of memory; then the defaults stay.
            unsafe { __nss_configure_lookup(database.as_ptr(), services.as_ptr()) };
        }
    }
}
