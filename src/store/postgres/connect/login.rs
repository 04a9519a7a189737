//! The login: which methods a server may ask for.
//! Owns the check of every message that the server sends before the login is done. The driver would
//! answer a request for the password in clear text; a refused request never reaches it. The length
//! of a message is checked before the message is read.

use std::io;
use std::str::FromStr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

use crate::error::connect_fault::{ConnectFault, Place};
use crate::store::StoreError;

/// The longest message, in either direction, before the login is done. libpq accepts 2000 bytes for
/// a request and 30000 for an error (`fe-connect.c`); the server accepts 10000
/// (`MAX_STARTUP_PACKET_LENGTH`) and 65535 (`PG_MAX_AUTH_TOKEN_LENGTH`).
const MESSAGE_BYTES_MAX: usize = 65_536;
/// The greatest number of messages in a login. SCRAM takes four, and notices are few.
const MESSAGES_MAX: usize = 64;

/// A set of login methods, with libpq's names in `require_auth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Methods(u8);

const NONE: u8 = 1;
const PASSWORD: u8 = 2;
const MD5: u8 = 4;
const SCRAM: u8 = 8;
const NAMES: [(&str, u8); 4] = [
    ("none", NONE),
    ("password", PASSWORD),
    ("md5", MD5),
    ("scram-sha-256", SCRAM),
];

impl Methods {
    /// Every method: for a server that has proven its identity, or that can be reached only from
    /// this machine.
    pub(super) const ALL: Self = Self(NONE | PASSWORD | MD5 | SCRAM);
    /// The methods that reveal neither the password nor a hash that is as good for a login.
    pub(super) const SECRET_STAYS: Self = Self(NONE | SCRAM);

    fn allow(self, method: u8) -> bool {
        self.0 & method != 0
    }
}

impl FromStr for Methods {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut set = 0;
        for word in text.split(',') {
            let found = NAMES.iter().find(|(name, _)| *name == word);
            let (_, bit) = found.ok_or_else(|| {
                let names = NAMES.map(|(name, _)| name).join(", ");
                format!("is not a list, without blanks, of {names}")
            })?;
            set |= bit;
        }
        Ok(Self(set))
    }
}

/// How a login ended.
pub(super) enum Login {
    /// The server accepted the login; the session follows.
    Done,
    /// One side closed the connection, or the server refused the login and told the driver.
    Ended,
}

/// Passes the login's messages between driver and server.
///
/// # Errors
/// The server asks for a method that is not in `allowed`, or its answer is not that of a PostgreSQL
/// server. The driver does not see the refused message.
pub(super) async fn watch<C, S>(
    client: &mut C,
    server: &mut S,
    allowed: Methods,
    place: &Arc<Place>,
) -> Result<Login, StoreError>
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let carried = carry(client, server, allowed, place).await;
    match carried {
        Ok(login) => Ok(login),
        Err(Stopped::Refused(error)) => Err(error),
        Err(Stopped::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
            Err(StoreError::unreachable(ConnectFault::NotPostgres))
        }
        Err(Stopped::Io(_)) => Ok(Login::Ended),
    }
}

enum Stopped {
    Refused(StoreError),
    Io(io::Error),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

async fn carry<C, S>(
    client: &mut C,
    server: &mut S,
    allowed: Methods,
    place: &Arc<Place>,
) -> Result<Login, Stopped>
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    // Only the start-up message has no type byte.
    let start = message(client, 0).await?;
    send(server, &start).await?;
    let mut proven = false;
    for _ in 0..MESSAGES_MAX {
        let said = message(server, 1).await?;
        match said.first() {
            Some(b'R') => {
                let request = Request::read(&said, proven)?;
                if let Some(method) = request.refused(allowed) {
                    return Err(Stopped::Refused(StoreError::LoginMethod {
                        place: Arc::clone(place),
                        method,
                    }));
                }
                send(client, &said).await?;
                proven |= request.proves();
                if request.is_last() {
                    return Ok(Login::Done);
                }
                if request.wants_an_answer() {
                    let answer = message(client, 1).await?;
                    send(server, &answer).await?;
                }
            }
            Some(b'E') => {
                send(client, &said).await?;
                return Ok(Login::Ended);
            }
            // A notice, or the protocol version that the server prefers.
            Some(b'N' | b'v') => send(client, &said).await?,
            _ => return Err(invalid().into()),
        }
    }
    Err(invalid().into())
}

/// An authentication request, by its number in the protocol
/// (<https://www.postgresql.org/docs/current/protocol-message-formats.html>).
enum Request {
    /// Number 0, the end of the login, and whether the client had to prove its password before it.
    Ok {
        proven: bool,
    },
    Clear,
    Md5,
    /// Number 10, with SCRAM-SHA-256 among the mechanisms.
    Scram,
    ScramContinue,
    ScramFinal,
    /// Kerberos, SSPI and other methods that the driver does not support.
    Other,
}

impl Request {
    fn read(message: &[u8], proven: bool) -> io::Result<Self> {
        let (code, rest) = message
            .get(5..)
            .and_then(|body| body.split_first_chunk::<4>())
            .ok_or_else(invalid)?;
        Ok(match u32::from_be_bytes(*code) {
            0 => Self::Ok { proven },
            3 => Self::Clear,
            5 => Self::Md5,
            10 if rest.split(|b| *b == 0).any(|name| name == b"SCRAM-SHA-256") => Self::Scram,
            11 => Self::ScramContinue,
            12 => Self::ScramFinal,
            _ => Self::Other,
        })
    }

    /// The name of the method if it is not allowed.
    fn refused(&self, allowed: Methods) -> Option<&'static str> {
        let (method, words) = match self {
            Self::Ok { proven: true } => return None,
            Self::Ok { proven: false } => (NONE, "no password"),
            Self::Clear => (PASSWORD, "the password in clear"),
            Self::Md5 => (MD5, "the password as MD5"),
            Self::Scram | Self::ScramContinue | Self::ScramFinal => (SCRAM, "SCRAM-SHA-256"),
            Self::Other => return Some("a login method that phiseal does not have"),
        };
        (!allowed.allow(method)).then_some(words)
    }

    fn proves(&self) -> bool {
        // SCRAM's last message; the driver checks in it that the server also knows the password.
        matches!(self, Self::Clear | Self::Md5 | Self::ScramFinal)
    }

    fn is_last(&self) -> bool {
        matches!(self, Self::Ok { .. })
    }

    fn wants_an_answer(&self) -> bool {
        matches!(
            self,
            Self::Clear | Self::Md5 | Self::Scram | Self::ScramContinue
        )
    }
}

/// Reads one whole message; `head` is the number of bytes before its length.
async fn message(
    from: &mut (impl AsyncRead + Unpin),
    head: usize,
) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut whole = Zeroizing::new(vec![0; head + 4]);
    from.read_exact(&mut whole).await?;
    let (_, length) = whole.split_last_chunk::<4>().ok_or_else(invalid)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| invalid())?;
    if !(4..=MESSAGE_BYTES_MAX).contains(&length) {
        return Err(invalid());
    }
    // Allocated at its full size, since a vector that grows leaves a copy of its old bytes in
    // memory.
    let mut all = Zeroizing::new(vec![0; head + length]);
    all[..head + 4].copy_from_slice(&whole);
    from.read_exact(&mut all[head + 4..]).await?;
    Ok(all)
}

async fn send(to: &mut (impl AsyncWrite + Unpin), message: &[u8]) -> io::Result<()> {
    to.write_all(message).await?;
    to.flush().await
}

fn invalid() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidData)
}
