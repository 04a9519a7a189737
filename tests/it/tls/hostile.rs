//! Servers that lie, and what they get to see: the program must end with an error of its own, and
//! send them no password in any form.

use super::authority::{Authority, Signed, self_signed};
use super::server::server;
use super::{CANARY, accepted, connects, local, refusal, refused, remote};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const CLEAR: &[u8] = &[b'R', 0, 0, 0, 8, 0, 0, 0, 3];
const MD5: &[u8] = &[b'R', 0, 0, 0, 12, 0, 0, 0, 5, 1, 2, 3, 4];

/// What one connection meets.
#[derive(Clone)]
enum Manner {
    /// Has no TLS, and asks for this.
    Asks(&'static [u8]),
    /// Has TLS with this certificate, and asks for this within.
    AsksWithin(Arc<ServerConfig>, &'static [u8]),
    /// Says that it has no TLS, and passes on to the server at this port.
    Downgrades(u16),
    /// Never answers.
    Silent,
}

/// A server on a port of this machine; it remembers all that comes after the start-up message.
struct Fake {
    port: u16,
    seen: Arc<Mutex<Vec<u8>>>,
    /// Connections that it has not seen the end of.
    open: Arc<AtomicUsize>,
}

impl Fake {
    fn new(manner: Manner) -> Self {
        Self::first_then(manner.clone(), manner)
    }

    /// The first connection meets one manner, each later one the other.
    fn first_then(first: Manner, later: Manner) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let open = Arc::new(AtomicUsize::new(0));
        let (remembers, counts) = (Arc::clone(&seen), Arc::clone(&open));
        std::thread::spawn(move || {
            for (n, stream) in listener.incoming().enumerate() {
                let manner = if n == 0 { first.clone() } else { later.clone() };
                let (seen, open) = (Arc::clone(&remembers), Arc::clone(&counts));
                open.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    meet(stream.unwrap(), &manner, &seen);
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { port, seen, open }
    }

    /// What came, once every connection is over.
    #[track_caller]
    fn all_seen(&self) -> Vec<u8> {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.open.load(Ordering::SeqCst) > 0 {
            assert!(Instant::now() < deadline, "a connection is still open");
            std::thread::sleep(Duration::from_millis(5));
        }
        self.seen.lock().unwrap().clone()
    }

    /// Nothing may have come: not the password, and nothing made from it.
    #[track_caller]
    fn saw_nothing(&self) {
        let seen = self.all_seen();
        assert!(seen.is_empty(), "{:?}", String::from_utf8_lossy(&seen));
    }
}

fn meet(mut stream: TcpStream, manner: &Manner, seen: &Mutex<Vec<u8>>) {
    match manner {
        Manner::Asks(request) => {
            answer_tls(&mut stream, b'N');
            ask(&mut stream, request, seen);
        }
        Manner::AsksWithin(config, request) => {
            answer_tls(&mut stream, b'S');
            let tls = ServerConnection::new(Arc::clone(config)).unwrap();
            ask(&mut StreamOwned::new(tls, stream), request, seen);
        }
        Manner::Downgrades(port) => {
            answer_tls(&mut stream, b'N');
            pass_on(
                stream,
                TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).unwrap(),
            );
        }
        Manner::Silent => {
            let _ = stream.read_to_end(&mut Vec::new());
        }
    }
}

fn answer_tls(stream: &mut TcpStream, answer: u8) {
    let mut request = [0; 8];
    stream.read_exact(&mut request).unwrap();
    assert_eq!(request[4..], [4, 210, 22, 47], "it does not ask for TLS");
    stream.write_all(&[answer]).unwrap();
}

// Errors are the program's going away, which is what it should do.
fn ask(stream: &mut (impl Read + Write), request: &[u8], seen: &Mutex<Vec<u8>>) {
    let mut length = [0; 4];
    if stream.read_exact(&mut length).is_err() {
        return;
    }
    let mut rest = vec![0; u32::from_be_bytes(length) as usize - 4];
    stream.read_exact(&mut rest).unwrap();
    let _ = stream.write_all(request);
    let _ = stream.flush();
    let mut answer = [0; 512];
    if let Ok(count) = stream.read(&mut answer) {
        seen.lock().unwrap().extend(&answer[..count]);
    }
}

fn pass_on(client: TcpStream, server: TcpStream) {
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
    let (mut from, mut to) = (server, client);
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Both);
}

fn config(signed: &Signed) -> Arc<ServerConfig> {
    let chain = vec![CertificateDer::from_pem_slice(signed.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(signed.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    Arc::new(config)
}

fn login() -> String {
    format!("me:{CANARY}")
}

#[tokio::test]
async fn whoever_answers_without_tls_gets_no_password_in_clear_nor_as_md5() {
    for (request, method) in [(CLEAR, "in clear"), (MD5, "MD5")] {
        let fake = Fake::new(Manner::Asks(request));
        for url in [
            local(&login(), fake.port, ""),
            local(&login(), fake.port, "require_auth=none,scram-sha-256"),
            remote(&login(), fake.port, "&sslmode=prefer"),
        ] {
            let error = refused(&url, "E0532").await;
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(method), "{message}");
            assert!(
                error["hint"].as_str().unwrap().contains("require_auth="),
                "{error}"
            );
        }
        fake.saw_nothing();
        // A default is no matter of the environment.
        let url = local(&login(), fake.port, "");
        let weak = connects(&url)
            .env("PGREQUIREAUTH", "password,md5")
            .run()
            .await;
        refusal(&weak, "E0532");
        fake.saw_nothing();
        // Whoever knows the risk may write it down; the server then sees the password.
        let allowed = local(&login(), fake.port, "require_auth=password,md5");
        let done = connects(&allowed).run().await;
        assert_eq!(done.code(), Some(4), "{done:?}");
        assert!(!fake.all_seen().is_empty());
    }
}

#[tokio::test]
async fn the_password_of_the_environment_and_of_the_password_file_is_kept_too() {
    let fake = Fake::new(Manner::Asks(CLEAR));
    let url = local("me", fake.port, "");
    let done = connects(&url).env("PGPASSWORD", CANARY).run().await;
    refusal(&done, "E0532");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pgpass");
    std::fs::write(&file, format!("127.0.0.1:{}:*:me:{CANARY}\n", fake.port)).unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&file, private).unwrap();
    refusal(
        &connects(&url).env("PGPASSFILE", &file).run().await,
        "E0532",
    );
    fake.saw_nothing();
    // It is read: else the refusals above would prove nothing.
    let allowed = format!("{url}require_auth=password");
    connects(&allowed)
        .env("PGPASSFILE", &file)
        .run()
        .await
        .expect_code(4);
    assert!(
        fake.all_seen()
            .windows(CANARY.len())
            .any(|w| w == CANARY.as_bytes())
    );
}

#[tokio::test]
async fn a_server_that_is_honest_once_and_hostile_later_gets_nothing() {
    let honest = Manner::Downgrades(server().await.port());
    let fake = Fake::first_then(honest, Manner::Asks(CLEAR));
    let url = local(&format!("scram:{CANARY}"), fake.port, "");
    let project = crate::support::Project::new();
    project.plan(&url, &crate::backfill::beside("public.t", &["ssn"]));
    // It connects once to see whether it can, then for each thing it asks.
    refusal(&project.phiseal(&["plan", "--json"]).run().await, "E0532");
    fake.saw_nothing();
}

#[tokio::test]
async fn a_downgrade_is_refused_where_tls_is_a_must_and_yields_no_password_where_it_is_not() {
    let port = server().await.port();
    let fake = Fake::new(Manner::Downgrades(port));
    let scram = format!("scram:{CANARY}");
    for more in ["", "&sslmode=verify-full", "&sslmode=require"] {
        let error = refused(&remote(&scram, fake.port, more), "E0530").await;
        assert!(
            error["hint"].as_str().unwrap().contains("sslmode="),
            "{error}"
        );
    }
    // The environment cannot take TLS away from another machine.
    for weak in ["disable", "allow", "prefer"] {
        let url = remote(&scram, fake.port, "");
        refusal(&connects(&url).env("PGSSLMODE", weak).run().await, "E0530");
    }
    // SCRAM shows no password; the others do.
    accepted(&remote(&scram, fake.port, "&sslmode=prefer")).await;
    for role in ["clear", "md5"] {
        let login = format!("{role}:{CANARY}");
        refused(&remote(&login, fake.port, "&sslmode=prefer"), "E0532").await;
    }
}

#[tokio::test]
async fn encryption_with_whoever_answers_is_no_reason_to_hand_over_the_password() {
    for request in [CLEAR, MD5] {
        let fake = Fake::new(Manner::AsksWithin(config(&self_signed()), request));
        for mode in ["prefer", "require"] {
            let url = remote(&login(), fake.port, &format!("&sslmode={mode}"));
            refused(&url, "E0532").await;
        }
        refused(&local(&login(), fake.port, ""), "E0532").await;
        fake.saw_nothing();
    }
}

#[tokio::test]
async fn each_fault_of_a_certificate_is_told_with_its_own_hint() {
    let authority = Authority::new("of these certificates");
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, pem: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, pem).unwrap();
        format!("&sslrootcert={}", path.display())
    };
    let trusted = write("ca.pem", &authority.pem);
    let own = self_signed();
    let itself = write("self.pem", &own.certificate);
    for (signed, roots, message, hint) in [
        (authority.expired(), &trusted, "has expired", "renew"),
        (
            authority.not_yet_valid(),
            &trusted,
            "not valid yet",
            "clock",
        ),
        (own, &itself, "of an authority", "sign a certificate"),
        (self_signed(), &trusted, "of an authority", "somebody else"),
        (
            authority.server(),
            &String::new(),
            "no trusted authority",
            "sslrootcert=",
        ),
    ] {
        let fake = Fake::new(Manner::AsksWithin(config(&signed), CLEAR));
        let error = refused(&remote(&login(), fake.port, roots), "E0531").await;
        assert!(
            error["message"].as_str().unwrap().contains(message),
            "{error}"
        );
        assert!(error["hint"].as_str().unwrap().contains(hint), "{error}");
        fake.saw_nothing();
    }
}

#[tokio::test]
async fn what_is_no_postgresql_server_is_named_so() {
    for garbage in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"R\xff\xff\xff\xff\0\0\0\0",
        b"R\0\0\0\x04",
        b"Z\0\0\0\x05I",
    ] {
        let fake = Fake::new(Manner::Asks(garbage));
        let error = refused(&local(&login(), fake.port, ""), "E0501").await;
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("no PostgreSQL server"), "{message}");
        fake.saw_nothing();
    }
    // An error whose code is none, made for the operator's terminal.
    let error = b"E\0\0\0\x17SFATAL\0C\x1b[31m\0Mno\0\0";
    let fake = Fake::new(Manner::Asks(error));
    let done = connects(&local(&login(), fake.port, "")).run().await;
    let error = refusal(&done, "E0501");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("SQLSTATE unknown"),
        "{error}"
    );
    // Kerberos, which the program does not have.
    let fake = Fake::new(Manner::Asks(&[b'R', 0, 0, 0, 8, 0, 0, 0, 7]));
    refused(&local(&login(), fake.port, ""), "E0532").await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn another_process_is_turned_away_from_the_way_to_the_server() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixStream};
    let fake = Fake::new(Manner::Silent);
    let running = connects(&local(&login(), fake.port, "")).spawn();
    let deadline = Instant::now() + Duration::from_secs(10);
    let doors = loop {
        let open = std::fs::read_to_string("/proc/net/unix").unwrap();
        let names = open.lines().filter_map(|line| line.split_once("@phiseal-"));
        let doors: Vec<_> = names.map(|(_, name)| format!("phiseal-{name}")).collect();
        if doors
            .iter()
            .any(|name| name.ends_with(&format!(".{}", fake.port)))
        {
            break doors;
        }
        assert!(Instant::now() < deadline, "no way was opened");
        std::thread::sleep(Duration::from_millis(10));
    };
    for name in doors
        .iter()
        .filter(|name| name.ends_with(&format!(".{}", fake.port)))
    {
        let address = SocketAddr::from_abstract_name(name).unwrap();
        let Ok(mut stream) = UnixStream::connect_addr(&address) else {
            continue; // The program's own session, which is not listening.
        };
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let _ = stream.write_all(b"\0\0\0\x08\0\x03\0\0");
        let mut answer = [0; 64];
        match stream.read(&mut answer) {
            Ok(count) => assert_eq!(count, 0, "it was let in"),
            Err(error) => assert!(
                !matches!(error.kind(), std::io::ErrorKind::WouldBlock),
                "it was let in"
            ),
        }
    }
    drop(running);
}
