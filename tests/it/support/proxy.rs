//! A network between the program and a server: it delays what passes, and breaks.
//! Owns sockets and nothing of what passes through them. Bytes are delayed, never held back: what is sent within
//! one delay arrives within one delay.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// A port of this machine that leads to a server.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    runtime: Option<tokio::runtime::Runtime>,
}

struct Shared {
    server: SocketAddr,
    one_way: Duration,
    down: AtomicBool,
    /// Counts cuts: a connection ends when this changes.
    cuts: watch::Sender<u64>,
    cutter: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

impl Proxy {
    /// A way to `server` whose round trip takes this much longer.
    pub fn new(server: SocketAddr, round_trip: Duration) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let shared = Arc::new(Shared {
            server,
            one_way: round_trip / 2,
            down: AtomicBool::new(false),
            cuts: watch::Sender::new(0),
            cutter: Mutex::new(None),
        });
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let accepting = Arc::clone(&shared);
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, Arc::clone(&accepting)));
            }
        });
        Self {
            port,
            shared,
            runtime: Some(runtime),
        }
    }

    /// The way to the server of a URL.
    pub fn to(url: &str, round_trip: Duration) -> Self {
        let url = url::Url::parse(url).unwrap();
        let port = url.port().unwrap();
        Self::new((Ipv4Addr::LOCALHOST, port).into(), round_trip)
    }

    /// The same URL by way of this.
    pub fn by_way(&self, url: &str) -> String {
        let mut url = url::Url::parse(url).unwrap();
        url.set_port(Some(self.port)).unwrap();
        url.to_string()
    }

    /// Does so again and again: up for so long, then down.
    pub fn keep_cutting(&self, up: Duration, down: Duration) {
        let shared = Arc::clone(&self.shared);
        let cutter = self.runtime().spawn(async move {
            loop {
                tokio::time::sleep(up).await;
                shared.cut(down).await;
            }
        });
        *self.shared.cutter.lock().unwrap() = Some(cutter);
    }

    /// Ends [`Proxy::keep_cutting`]; how often it cut.
    pub fn rest(&self) -> u64 {
        if let Some(cutter) = self.shared.cutter.lock().unwrap().take() {
            cutter.abort();
        }
        self.shared.down.store(false, Ordering::SeqCst);
        *self.shared.cuts.borrow()
    }

    fn runtime(&self) -> &tokio::runtime::Runtime {
        self.runtime.as_ref().unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Within a runtime, dropping another one would wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Shared {
    async fn cut(&self, down: Duration) {
        self.down.store(true, Ordering::SeqCst);
        self.cuts.send_modify(|cuts| *cuts += 1);
        tokio::time::sleep(down).await;
        self.down.store(false, Ordering::SeqCst);
    }
}

/// One connection, until either side ends or a cut comes.
async fn pass(client: TcpStream, shared: Arc<Shared>) {
    if shared.down.load(Ordering::SeqCst) {
        return;
    }
    let mut cuts = shared.cuts.subscribe();
    cuts.mark_unchanged();
    let Ok(server) = TcpStream::connect(shared.server).await else {
        return;
    };
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = one_way(from_client, to_server, shared.one_way) => {}
        () = one_way(from_server, to_client, shared.one_way) => {}
        _ = cuts.changed() => {}
    }
}

async fn one_way(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration) {
    let (queue, mut arriving) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let reading = async move {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let _ = queue.send((Instant::now() + delay, buffer[..length].to_vec()));
        }
    };
    let writing = async move {
        while let Some((at, bytes)) = arriving.recv().await {
            tokio::time::sleep_until(at).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(reading, writing);
}
