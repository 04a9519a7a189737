//! Through a transaction-mode pooler, whose other clients leave temporary objects and settings in the
//! sessions that phiseal's transactions then run in.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use url::Url;

use crate::support::Ground;

const PLAN: &str = r#"
[[table]]
name = "public.patients"
[[table.column]]
name = "ssn"
seal_into = "ssn_sealed"
blind_index = { column = "ssn_bidx", normalise = "digits", bits = 256 }
"#;

const TABLE: &str = "CREATE TABLE patients (id int PRIMARY KEY, ssn text);
    INSERT INTO patients SELECT g, lpad(g::text, 9, '0') FROM generate_series(1, 500) g;
    CREATE TABLE canary (what text); GRANT INSERT ON canary TO PUBLIC;";

/// What another client leaves behind: catalogs and types of the same name, which the server would look
/// for in the temporary schema first, and settings that change what a statement means.
const LEFT_BEHIND: &str = r"
    CREATE TEMP TABLE pg_class (oid int, relname int);
    CREATE TEMP TABLE pg_namespace (oid int, nspname int);
    CREATE TEMP TABLE pg_attribute (attrelid int, attname int);
    CREATE TEMP TABLE pg_trigger (tgrelid int, tgname int);
    CREATE TEMP TABLE pg_proc (oid int, proname int);
    CREATE TEMP TABLE pg_roles (rolname int);
    CREATE TEMP TABLE patients (id int, ssn text);
    CREATE TEMP TABLE encryption_keys (key_id int);
    CREATE FUNCTION pg_temp.look(int) RETURNS boolean LANGUAGE plpgsql AS
        $$BEGIN INSERT INTO public.canary VALUES ('domain'); RETURN true; END$$;
    CREATE DOMAIN pg_temp.text AS pg_catalog.int4 CHECK (pg_temp.look(VALUE));
    CREATE DOMAIN pg_temp.bytea AS pg_catalog.int4 CHECK (pg_temp.look(VALUE));
    CREATE DOMAIN pg_temp.tid AS pg_catalog.int4 CHECK (pg_temp.look(VALUE));
    SET search_path = pg_temp, public, pg_catalog;
    SET standard_conforming_strings = off;
    SET DateStyle = 'SQL, DMY';
    SET bytea_output = 'escape';
    SET default_transaction_isolation = 'serializable';
    SET row_security = on;";

/// As many sessions as one run of phiseal has transactions open at once.
const SESSIONS: usize = 12;

#[tokio::test]
async fn what_other_clients_of_a_pooler_leave_behind_changes_nothing() {
    let ground = Ground::postgres("pooler", TABLE, PLAN).await;
    let eve = ground.db().role("eve", "").await;
    let temporary = format!(
        "GRANT TEMPORARY ON DATABASE {} TO {}",
        ground.db().name(),
        eve.name
    );
    ground.exec(&temporary).await;
    let direct = Url::parse(&ground.url()).unwrap();
    let server = format!(
        "{}:{}",
        direct.host_str().unwrap(),
        direct.port().unwrap_or(5432)
    );
    let pooler = Pooler::start(&server, direct.username(), ground.db().name(), &eve.name).await;
    let mut url = direct.clone();
    url.set_port(Some(pooler.port())).unwrap();
    let plan = std::fs::read_to_string(ground.project.plan_file()).unwrap();
    ground
        .project
        .plan_text(&plan.replace(direct.as_str(), url.as_str()));
    for command in [
        &["plan"][..],
        &["backfill"],
        &["verify"],
        &["rotate"],
        &["status"],
        &["keys", "list"],
        &["quarantine", "list"],
        &["audit", "verify"],
        &["restore", "--drop-sealed"],
    ] {
        ground.project.phiseal(command).run().await.expect_code(0);
        let ran = ground.db().rows("SELECT what FROM public.canary").await;
        assert!(ran.is_empty(), "{command:?}: {ran:?}");
    }
    let kept = "SELECT count(*) FROM patients WHERE ssn = lpad(id::text, 9, '0')";
    assert_eq!(ground.db().count(kept).await, 500);
    // Every session was used, and still has what was left in it.
    let used = pooler
        .used
        .lock()
        .await
        .iter()
        .filter(|used| **used)
        .count();
    assert!(used > 0, "no transaction went through the pooler");
}

/// Clients' transactions take turns in the same few sessions of the server.
struct Pooler {
    address: SocketAddr,
    used: Arc<Mutex<Vec<bool>>>,
}

impl Pooler {
    async fn start(server: &str, user: &str, database: &str, eve: &str) -> Self {
        let mut sessions = Vec::new();
        for _ in 0..SESSIONS {
            let mut session = login(server, user, database).await;
            // The other client's own transaction, with its own rights.
            let left = format!("SET ROLE {eve}; {LEFT_BEHIND} RESET ROLE;");
            ask(&mut session, &left).await;
            sessions.push(Arc::new(Mutex::new(session)));
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let used = Arc::new(Mutex::new(vec![false; SESSIONS]));
        let noted = Arc::clone(&used);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, sessions.clone(), Arc::clone(&noted)));
            }
        });
        Self { address, used }
    }

    fn port(&self) -> u16 {
        self.address.port()
    }
}

/// One client: says that it is logged in, then passes each of its transactions to a session that is free.
async fn serve(
    mut client: TcpStream,
    sessions: Vec<Arc<Mutex<TcpStream>>>,
    used: Arc<Mutex<Vec<bool>>>,
) -> Option<()> {
    loop {
        let length = client.read_u32().await.ok()?;
        let mut body = vec![0; usize::try_from(length).ok()?.checked_sub(4)?];
        client.read_exact(&mut body).await.ok()?;
        // SSLRequest (PostgreSQL documentation, "Message Formats").
        if body.starts_with(&80_877_103_u32.to_be_bytes()) {
            client.write_all(b"N").await.ok()?;
        } else {
            break;
        }
    }
    let mut hello = vec![b'R', 0, 0, 0, 8, 0, 0, 0, 0];
    for (name, value) in [("client_encoding", "UTF8"), ("server_version", "15.0")] {
        let text = format!("{name}\0{value}\0");
        hello.push(b'S');
        hello.extend(u32::try_from(text.len() + 4).ok()?.to_be_bytes());
        hello.extend(text.as_bytes());
    }
    hello.extend([
        b'K', 0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 1, b'Z', 0, 0, 0, 5, b'I',
    ]);
    client.write_all(&hello).await.ok()?;
    loop {
        let first = message(&mut client).await?;
        if first[0] == b'X' {
            return None;
        }
        let (at, mut server) = free(&sessions).await;
        used.lock().await[at] = true;
        server.write_all(&first).await.ok()?;
        pass(&mut client, &mut server).await?;
    }
}

/// A session that no transaction is in.
async fn free(
    sessions: &[Arc<Mutex<TcpStream>>],
) -> (usize, tokio::sync::OwnedMutexGuard<TcpStream>) {
    loop {
        for (at, session) in sessions.iter().enumerate() {
            if let Ok(free) = Arc::clone(session).try_lock_owned() {
                return (at, free);
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}

/// Passes messages both ways until the server says that no transaction is open.
async fn pass(client: &mut TcpStream, server: &mut TcpStream) -> Option<()> {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    loop {
        tokio::select! {
            ready = from_server.peek_kind() => {
                ready?;
                let answer = message(&mut from_server).await?;
                let idle = answer[0] == b'Z' && answer[5] == b'I';
                to_client.write_all(&answer).await.ok()?;
                if idle {
                    return Some(());
                }
            }
            ready = from_client.peek_kind() => {
                let asked = match ready {
                    Some(()) => message(&mut from_client).await,
                    None => None,
                };
                match asked {
                    Some(asked) if asked[0] != b'X' => to_server.write_all(&asked).await.ok()?,
                    // A client that goes within a transaction: the pooler ends it.
                    _ => {
                        ask_half(&mut from_server, &mut to_server, "ROLLBACK").await;
                        return None;
                    }
                }
            }
        }
    }
}

/// Waits for a message without taking any of it, so that waiting can be given up.
trait PeekKind {
    async fn peek_kind(&mut self) -> Option<()>;
}

impl PeekKind for tokio::net::tcp::ReadHalf<'_> {
    async fn peek_kind(&mut self) -> Option<()> {
        let read = self.peek(&mut [0]).await.ok()?;
        (read == 1).then_some(())
    }
}

/// One whole message: its kind, its length, its body.
async fn message(from: &mut (impl AsyncReadExt + Unpin)) -> Option<Vec<u8>> {
    let mut head = [0; 5];
    from.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes(head[1..].try_into().ok()?);
    let mut whole = head.to_vec();
    whole.resize(usize::try_from(length).ok()? + 1, 0);
    from.read_exact(&mut whole[5..]).await.ok()?;
    Some(whole)
}

/// A session of the server; the cluster of the tests trusts its administrator.
async fn login(server: &str, user: &str, database: &str) -> TcpStream {
    let mut session = TcpStream::connect(server).await.unwrap();
    let text = format!("user\0{user}\0database\0{database}\0client_encoding\0UTF8\0\0");
    let mut startup = u32::try_from(text.len() + 8)
        .unwrap()
        .to_be_bytes()
        .to_vec();
    startup.extend(196_608_u32.to_be_bytes());
    startup.extend(text.as_bytes());
    session.write_all(&startup).await.unwrap();
    while message(&mut session).await.unwrap()[0] != b'Z' {}
    session
}

/// Runs statements that must not fail.
async fn ask(session: &mut TcpStream, sql: &str) {
    let (mut from, mut to) = session.split();
    ask_half(&mut from, &mut to, sql).await;
}

async fn ask_half(
    from: &mut tokio::net::tcp::ReadHalf<'_>,
    to: &mut tokio::net::tcp::WriteHalf<'_>,
    sql: &str,
) {
    let mut query = vec![b'Q'];
    query.extend(u32::try_from(sql.len() + 5).unwrap().to_be_bytes());
    query.extend(sql.as_bytes());
    query.push(0);
    to.write_all(&query).await.unwrap();
    loop {
        let answer = message(from).await.unwrap();
        let text = String::from_utf8_lossy(&answer);
        assert_ne!(answer[0], b'E', "{text}");
        if answer[0] == b'Z' {
            return;
        }
    }
}
