//! The relay between the driver and the server. Every connection over TCP goes through it.
//! Owns the TCP connection, the request for TLS and the session's bytes, which it passes on unread
//! once the login is done. The driver connects to a Unix socket of this same process, without TLS.
//! If the relay refuses a server, it keeps the error and sends the driver a code. A session ends
//! when either side ends it. The reasons for this design: docs/decisions/0014.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::super::ROUND_TRIP_MAX;
use super::super::fault::{of_network, of_socket};
use super::CONNECT_MAX;
use super::NO_ANSWER;
use super::login::{self, Login, Methods};
use super::settings::{ConnectionSettings, Endpoint, is_localhost};
use super::tls::{self, Answer};
use crate::error::connect_fault::{ConnectFault, Place};
use crate::store::transport::SslMode;
use crate::store::{Next, StoreError};

/// The SQLSTATE that tells the driver of a refusal which would be the same at a second attempt.
pub(super) const REFUSED: &str = "PH001";
/// `cannot_connect_now`: the driver's pool tries again.
pub(super) const NOT_NOW: &str = "57P03";
/// The number of bytes read from one side before they are written to the other.
const BUFFER_BYTES: usize = 65_536;
/// Keepalive probes (tcp(7): TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT): how long a peer may be
/// silent before the first, the time between them, and their number.
const PEER_IDLE: Duration = Duration::from_secs(20);
const PEER_ASKED_EVERY: Duration = Duration::from_secs(10);
const PEER_ASKED: u32 = 3;
/// For how many milliseconds sent data may be unacknowledged before the session ends
/// (TCP_USER_TIMEOUT).
const SENT_UNANSWERED_MS: u32 = 30_000;
/// How long a refused driver may take to read the answer, and a server to close.
const FAREWELL_MAX: Duration = Duration::from_secs(2);

/// A listening socket for the driver. It is closed when dropped, but sessions that came through it
/// continue.
pub(super) struct Relay {
    folder: PathBuf,
    state: Arc<RelayState>,
    accepting: JoinHandle<()>,
    _removed_when_dropped: Option<tempfile::TempDir>,
}

/// Where sessions go, and how the last one ended.
struct RelayState {
    settings: Arc<ConnectionSettings>,
    /// For messages.
    place: Arc<Place>,
    tls: Option<Arc<ClientConfig>>,
    refusal: Mutex<Option<StoreError>>,
    encrypted: AtomicBool,
}

/// A connection to a server, of any kind.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Relay {
    /// Begins to listen. `tls` is `None` if the settings ask for no TLS; `place` is for messages.
    ///
    /// # Errors
    /// The system's error if it provides no socket.
    pub(super) fn open(
        settings: Arc<ConnectionSettings>,
        tls: Option<Arc<ClientConfig>>,
        place: Arc<Place>,
    ) -> io::Result<Self> {
        let (folder, kept) = folder()?;
        // The driver derives the socket's name in this way, as libpq does.
        let mut socket = folder.clone().into_os_string();
        socket.push(format!("/.s.PGSQL.{}", settings.port));
        let listener = UnixListener::bind(PathBuf::from(socket))?;
        let state = Arc::new(RelayState {
            settings,
            place,
            tls,
            refusal: Mutex::new(None),
            encrypted: AtomicBool::new(false),
        });
        Ok(Self {
            folder,
            accepting: tokio::spawn(accept(listener, Arc::clone(&state))),
            state,
            _removed_when_dropped: kept,
        })
    }

    /// The folder that the driver takes for that of the server's socket.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Why the last connection was refused; `None` if the server was reached.
    pub(super) fn refusal(&self) -> Option<StoreError> {
        self.state
            .refusal
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether the last connection was encrypted.
    pub(super) fn encrypted(&self) -> bool {
        self.state.encrypted.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// On Linux an abstract name: it needs no writable folder, and a killed process leaves nothing
/// behind. [`ours`] rejects every other process.
#[cfg(target_os = "linux")]
fn folder() -> io::Result<(PathBuf, Option<tempfile::TempDir>)> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|_| io::Error::from(io::ErrorKind::Other))?;
    let name = format!("\0phiseal-{}", hex::encode(random));
    Ok((PathBuf::from(name), None))
}

/// On other systems a folder with mode 0700.
#[cfg(not(target_os = "linux"))]
fn folder() -> io::Result<(PathBuf, Option<tempfile::TempDir>)> {
    let made = tempfile::Builder::new().prefix("phiseal-").tempdir()?;
    Ok((made.path().to_owned(), Some(made)))
}

/// Whether the other end is this same process, according to the kernel.
fn ours(client: &UnixStream) -> bool {
    let Ok(peer) = client.peer_cred() else {
        return false;
    };
    match peer.pid() {
        Some(pid) => u32::try_from(pid) == Ok(std::process::id()),
        None => peer.uid() == rustix::process::geteuid().as_raw(),
    }
}

async fn accept(listener: UnixListener, state: Arc<RelayState>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) if ours(&client) => {
                tokio::spawn(serve(client, Arc::clone(&state)));
            }
            Ok(_) => {}
            // Probably no descriptors are left; wait until one is free.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn serve(mut client: UnixStream, state: Arc<RelayState>) {
    let opened = timeout(CONNECT_MAX, state.open(&mut client)).await;
    let refusal = match opened {
        Ok(Ok(Some(server))) => return pass_on(client, server).await,
        Ok(Ok(None)) => return,
        Ok(Err(refusal)) => refusal,
        Err(_) => StoreError::unreachable(NO_ANSWER),
    }
    .at(&state.place);
    let code = match refusal.next() {
        Next::Reconnect => NOT_NOW,
        _ => REFUSED,
    };
    state.remember(Some(refusal));
    let told = async {
        client.write_all(&error_response(code)).await?;
        // Wait until the driver has read the answer: a socket that is closed with unread bytes may
        // discard it.
        tokio::io::copy(&mut client, &mut tokio::io::sink()).await
    };
    let _ = timeout(FAREWELL_MAX, told).await;
}

impl RelayState {
    fn remember(&self, refusal: Option<StoreError>) {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = refusal;
    }

    /// Returns a server to which the driver is logged in. `None` if one of the two closed the
    /// connection, or the server refused the login and told the driver.
    async fn open(&self, client: &mut UnixStream) -> Result<Option<Box<dyn Stream>>, StoreError> {
        let (mut server, safe) = self.dial().await?;
        self.remember(None);
        let allowed = match self.settings.methods {
            Some(methods) => methods,
            None if safe => Methods::ALL,
            None => Methods::SECRET_STAYS,
        };
        match login::watch(client, &mut server, allowed, &self.place).await? {
            Login::Done => Ok(Some(server)),
            Login::Ended => Ok(None),
        }
    }

    /// Connects to the server. Also returns whether it may ask for any login method, because it has
    /// proven its identity or is behind a Unix socket.
    async fn dial(&self) -> Result<(Box<dyn Stream>, bool), StoreError> {
        let settings = &self.settings;
        let (name, address) = match &settings.place {
            Endpoint::Socket(folder) => {
                let path = folder.join(format!(".s.PGSQL.{}", settings.port));
                let server = UnixStream::connect(path).await;
                let server = server.map_err(|e| StoreError::unreachable(of_socket(&e)))?;
                return Ok((Box::new(server), true));
            }
            Endpoint::Tcp { name, address } => (name, address),
        };
        let addresses = match address {
            Some(address) => vec![SocketAddr::new(*address, settings.port)],
            None => look_up(name, settings.port).await?,
        };
        let mut server = connect(&addresses).await?;
        let Some(config) = &self.tls else {
            self.encrypted.store(false, Ordering::Relaxed);
            return Ok((Box::new(server), false));
        };
        let answer = tls::request(&mut server).await.map_err(|e| failed(&e))?;
        match answer {
            Answer::Yes => {
                let server = tls::handshake(server, config, name).await;
                let server = server.map_err(|fault| match fault {
                    Some(fault) => StoreError::Tls {
                        place: Arc::clone(&self.place),
                        fault,
                    },
                    None => StoreError::unreachable(ConnectFault::Closed),
                })?;
                self.encrypted.store(true, Ordering::Relaxed);
                Ok((Box::new(server), settings.mode.verifies()))
            }
            Answer::No if settings.mode == SslMode::Prefer => {
                self.encrypted.store(false, Ordering::Relaxed);
                Ok((Box::new(server), false))
            }
            Answer::No => Err(StoreError::NoTls {
                place: Arc::clone(&self.place),
                mode: settings.mode.as_str(),
            }),
        }
    }
}

async fn look_up(name: &str, port: u16) -> Result<Vec<SocketAddr>, StoreError> {
    let found = tokio::net::lookup_host((name, port)).await;
    let unknown = || StoreError::unreachable(ConnectFault::UnknownHost);
    let found = found.map_err(|_| unknown())?;
    // `localhost` gets the weaker defaults of a local connection, so it must be this machine.
    let usable = |address: &SocketAddr| !is_localhost(name) || address.ip().is_loopback();
    let found: Vec<_> = found.filter(usable).collect();
    if found.is_empty() {
        return Err(unknown());
    }
    Ok(found)
}

async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, StoreError> {
    let server = TcpStream::connect(addresses)
        .await
        .map_err(|e| failed(&e))?;
    server.set_nodelay(true).map_err(|e| failed(&e))?;
    watch(&server).map_err(|e| failed(&io::Error::from(e)))?;
    Ok(server)
}

/// A statement may take any time, but a peer that vanished must be noticed within a minute.
fn watch(server: &TcpStream) -> rustix::io::Result<()> {
    use rustix::net::sockopt;
    sockopt::set_socket_keepalive(server, true)?;
    sockopt::set_tcp_keepidle(server, PEER_IDLE)?;
    sockopt::set_tcp_keepintvl(server, PEER_ASKED_EVERY)?;
    sockopt::set_tcp_keepcnt(server, PEER_ASKED)?;
    sockopt::set_tcp_user_timeout(server, SENT_UNANSWERED_MS)
}

fn failed(error: &io::Error) -> StoreError {
    StoreError::unreachable(of_network(error))
}

/// An ErrorResponse message with this code and no text.
fn error_response(code: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0VFATAL\0C{code}\0M\0\0");
    let length = u32::try_from(fields.len() + 4).unwrap_or_default();
    let mut message = vec![b'E'];
    message.extend(length.to_be_bytes());
    message.extend(fields.as_bytes());
    message
}

/// Passes bytes on until either side ends the session. If the driver gives up, the server's session
/// ends too, and its locks with it.
async fn pass_on(client: UnixStream, server: Box<dyn Stream>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = tokio::io::split(server);
    tokio::select! {
        _ = copy(&mut from_client, &mut to_server, ROUND_TRIP_MAX) => {
            let _ = timeout(FAREWELL_MAX, to_server.shutdown()).await;
        }
        // No time limit here: the driver may leave a page unread while it works on earlier ones.
        _ = copy(&mut from_server, &mut to_client, Duration::MAX) => {}
    }
}

async fn copy<R, W>(from: &mut R, to: &mut W, write_max: Duration) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut buffer = Zeroizing::new(vec![0; BUFFER_BYTES]);
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        let written = async {
            to.write_all(&buffer[..count]).await?;
            to.flush().await
        };
        timeout(write_max, written).await??;
    }
}
