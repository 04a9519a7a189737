//! How the connection to a server is protected on the network.
//! Owns the TLS modes with their order, and the messages about what a weaker mode does not protect.
//! Opens no connection.

use std::fmt;

use crate::words::word_enum;

word_enum! {
    /// How much TLS a session must have: libpq's `sslmode`, from weakest to strongest. `allow` is
    /// missing, since it encrypts only if the server insists.
    #[derive(PartialOrd, Ord)]
    SslMode else UnknownSslMode {
        /// No TLS.
        Disable = "disable",
        /// TLS if the server has it; anyone who answers in its place may say that it does not.
        Prefer = "prefer",
        /// TLS, with an unverified server.
        Require = "require",
        /// TLS, with a server whose certificate was signed by an authority in `sslrootcert`, for
        /// whatever name.
        VerifyCa = "verify-ca",
        /// TLS, with a server whose certificate also has the host's name.
        VerifyFull = "verify-full",
    }
}

/// A text that names no [`SslMode`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not one of disable, prefer, require, verify-ca, verify-full")]
pub struct UnknownSslMode;

impl SslMode {
    /// Whether the server must prove its identity.
    pub fn verifies(self) -> bool {
        self >= Self::VerifyCa
    }
}

/// The path to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transport {
    /// The host as the URL names it, or the folder of the Unix socket.
    pub host: String,
    /// Whether the connection stays on this machine: a Unix socket, `localhost` or a loopback
    /// address.
    pub local: bool,
    /// The mode in force; `None` for a Unix socket, which has no TLS.
    pub sslmode: Option<SslMode>,
    /// Whether the last connection was encrypted.
    pub encrypted: bool,
}

impl Transport {
    /// What the mode does not protect against on the way to another machine; `None` if it protects
    /// fully.
    pub fn weakness(&self) -> Option<&'static str> {
        if self.local {
            return None;
        }
        Some(match self.sslmode? {
            SslMode::Disable => "nothing is encrypted: whoever is on the way reads and changes it",
            SslMode::Prefer => "whoever is on the way may turn encryption off, or answer instead",
            SslMode::Require => "it is encrypted, but whoever is on the way may answer instead",
            SslMode::VerifyCa => "every server that the authority signed for may answer instead",
            SslMode::VerifyFull => return None,
        })
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(mode) = self.sslmode else {
            return write!(f, "Unix socket in {}", self.host);
        };
        let local = if self.local { " (this machine)" } else { "" };
        let tls = if self.encrypted { "TLS" } else { "no TLS" };
        write!(f, "{}{local}, {tls}, sslmode={}", self.host, mode.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transport(local: bool, sslmode: Option<SslMode>) -> Transport {
        Transport {
            host: "h".to_owned(),
            local,
            sslmode,
            encrypted: true,
        }
    }

    #[test]
    fn everything_below_verify_full_is_weak_to_another_machine_and_nothing_is_to_this_one() {
        for mode in SslMode::ALL {
            let weak = transport(false, Some(mode)).weakness().is_some();
            assert_eq!(weak, mode < SslMode::VerifyFull, "{mode:?}");
            assert_eq!(transport(true, Some(mode)).weakness(), None);
        }
        assert_eq!(transport(true, None).weakness(), None);
    }

    #[test]
    fn a_mode_is_read_as_it_is_written() {
        for mode in SslMode::ALL {
            assert_eq!(mode.as_str().parse(), Ok(mode));
        }
        assert!("allow".parse::<SslMode>().is_err());
    }
}
