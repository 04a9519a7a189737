//! Why a TLS handshake failed, and what to do about each cause.
//! Owns the causes and their messages. Holds nothing that the other side sent.

use std::fmt;

/// The cause of a failed handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFault {
    /// No authority that we trust signed the certificate.
    UnknownAuthority,
    /// The certificate is an authority's own certificate, as `openssl req -x509` makes it.
    AuthorityAsServer,
    /// The certificate does not have the host's name.
    WrongName,
    /// The certificate has expired.
    Expired,
    /// The certificate is not yet valid.
    NotYetValid,
    /// The certificate is not acceptable for another reason.
    BadCertificate,
    /// The server ended the handshake.
    ServerRefused,
    /// The answer was not TLS.
    NotTls,
    /// No TLS version or cipher in common.
    Handshake,
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownAuthority => "no trusted authority signed its certificate",
            Self::AuthorityAsServer => "its certificate is that of an authority, not of a server",
            Self::WrongName => "its certificate bears another name",
            Self::Expired => "its certificate has expired",
            Self::NotYetValid => "its certificate is not valid yet",
            Self::BadCertificate => "its certificate cannot be accepted",
            Self::ServerRefused => "the server ended the handshake",
            Self::NotTls => "what answers there speaks no TLS, and may be no PostgreSQL server",
            Self::Handshake => "the handshake did not succeed",
        })
    }
}

impl TlsFault {
    /// What the operator should do next.
    pub fn hint(self) -> &'static str {
        match self {
            Self::UnknownAuthority => {
                "name the file of the authority that signed it, in the URL: sslrootcert=/path/to/ca.pem; if none of yours did, somebody else may be answering"
            }
            Self::AuthorityAsServer => {
                "have an authority sign a certificate for the server, and name that authority's file in the URL: sslrootcert=/path/to/ca.pem; if yours has one, somebody else may be answering"
            }
            Self::WrongName => {
                "write the host as the certificate does (with hostaddr= for the address, if the name does not resolve); if it should be right, somebody else may be answering"
            }
            Self::Expired => "renew the server's certificate; if it was renewed, check this clock",
            Self::NotYetValid => "check this machine's clock, then the server's certificate",
            Self::BadCertificate => {
                "see the certificate with `openssl s_client -starttls postgres -connect HOST:PORT`"
            }
            Self::ServerRefused => {
                "see the server's log; it may want a client certificate: sslcert= and sslkey= in the URL"
            }
            Self::NotTls => {
                "correct host and port in the URL, or see what listens there; PostgreSQL's usual port is 5432"
            }
            Self::Handshake => {
                "the server must speak TLS 1.2 or 1.3; see its log and ssl_min_protocol_version"
            }
        }
    }
}
