//! How a connection to the server is protected on its way.
//! Owns the modes of TLS with their order, and the words for what a weaker one leaves open. Makes no
//! connection.

use std::fmt;
use std::str::FromStr;

/// How much of TLS a session must have: libpq's `sslmode`, from weakest to strongest. `allow` is left
/// out: it encrypts only where a server insists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SslMode {
    /// No TLS.
    Disable,
    /// TLS where the server has it; whoever answers may say that it has not.
    Prefer,
    /// TLS with whoever answers.
    Require,
    /// TLS with a server whose certificate an authority of `sslrootcert` signed, whatever its name.
    VerifyCa,
    /// TLS with a server whose certificate bears the host's name.
    VerifyFull,
}

const MODES: [SslMode; 5] = [
    SslMode::Disable,
    SslMode::Prefer,
    SslMode::Require,
    SslMode::VerifyCa,
    SslMode::VerifyFull,
];

impl SslMode {
    /// As URLs write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }

    /// Whether the server proves who it is.
    pub fn verifies(self) -> bool {
        self >= Self::VerifyCa
    }
}

impl FromStr for SslMode {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = MODES.into_iter().find(|mode| mode.as_str() == word);
        found.ok_or_else(|| format!("is not one of {}", MODES.map(Self::as_str).join(", ")))
    }
}

/// The way to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transport {
    /// The host as the URL names it, or the folder of the Unix socket.
    pub host: String,
    /// Only this machine is in between: a Unix socket, `localhost` or a loopback address.
    pub local: bool,
    /// The mode in force; `None` over a Unix socket, where there is no TLS.
    pub sslmode: Option<SslMode>,
    /// Whether the last connection was encrypted.
    pub encrypted: bool,
}

impl Transport {
    /// What is left open on the way to another machine; `None` where nothing is.
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
        for mode in MODES {
            let weak = transport(false, Some(mode)).weakness().is_some();
            assert_eq!(weak, mode < SslMode::VerifyFull, "{mode:?}");
            assert_eq!(transport(true, Some(mode)).weakness(), None);
        }
        assert_eq!(transport(true, None).weakness(), None);
    }

    #[test]
    fn a_mode_is_read_as_it_is_written() {
        for mode in MODES {
            assert_eq!(mode.as_str().parse(), Ok(mode));
        }
        assert!("allow".parse::<SslMode>().is_err());
    }
}
