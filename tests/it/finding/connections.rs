//! Each cause of a failed connection has its own words and its own hint, and names host, port,
//! database and user, but never the password.

use super::{at, failed, text};
use crate::support::{Project, database};
use crate::tls::CANARY;
use crate::tls::server::server;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// What a command says that gets this URL.
async fn told(url: &str, code: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let status = at(folder.path(), &["status", "--database-url", url]);
    let (error, stderr) = failed(status, code).await;
    assert!(!error.to_string().contains(CANARY), "{error}");
    assert!(!stderr.contains(CANARY), "{stderr}");
    error
}

#[track_caller]
fn says(error: &Value, message: &str, hint: &str) {
    assert!(
        text(error, "message").contains(message),
        "{message} in {error}"
    );
    assert!(text(error, "hint").contains(hint), "{hint} in {error}");
}

/// A port on which something listens that is no PostgreSQL server, and how often it was called.
fn impostor(answer: &'static [u8]) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
            let mut stream = stream.unwrap();
            // Whatever the other side does, the next call is waited for.
            let _ = stream.write_all(answer);
            if !answer.is_empty() {
                let _ = stream.read(&mut [0; 512]);
            }
        }
    });
    (port, calls)
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_with_what_is_wrong_about_it() {
    let login = format!("me:{CANARY}");
    // Nothing listens on a port that was just given back.
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let refused = told(&format!("postgres://{login}@127.0.0.1:{port}/app"), "E0501").await;
    let place = format!("database app at 127.0.0.1:{port} as user me: nothing listens there");
    says(&refused, &place, "listen_addresses");
    let unknown = told(&format!("postgres://{login}@nowhere.invalid/app"), "E0501").await;
    let place = "database app at nowhere.invalid:5432 as user me: the host's name has no address";
    says(&unknown, place, "getent hosts nowhere.invalid");
    let socket = told(&format!("postgres://{login}@%2Fno%2Fsuch/app"), "E0501").await;
    let place = "database app at /no/such/.s.PGSQL.5432 as user me: nothing listens on that socket";
    says(&socket, place, "over TCP");
}

#[tokio::test]
async fn what_is_no_postgresql_server_is_told_at_once_and_called_once() {
    for (answer, message, hint) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            "no PostgreSQL server",
            "5432",
        ),
        (b"-ERR unknown command\r\n", "no PostgreSQL server", "5432"),
        (
            b"220 mail.example.com ESMTP\r\n",
            "no PostgreSQL server",
            "5432",
        ),
    ] {
        let (port, calls) = impostor(answer);
        let error = told(
            &format!("postgres://me:{CANARY}@127.0.0.1:{port}/app"),
            "E0501",
        )
        .await;
        says(&error, message, hint);
        says(&error, &format!("at 127.0.0.1:{port} as user me"), "");
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }
    // The first letter of an SSH server is that of a server which has TLS.
    let (port, _) = impostor(b"SSH-2.0-OpenSSH_9.2p1\r\n");
    let error = told(
        &format!("postgres://me:{CANARY}@127.0.0.1:{port}/app"),
        "E0531",
    )
    .await;
    says(
        &error,
        "speaks no TLS, and may be no PostgreSQL server",
        "5432",
    );
    let (port, calls) = impostor(b"");
    let error = told(
        &format!("postgres://me:{CANARY}@127.0.0.1:{port}/app"),
        "E0501",
    )
    .await;
    says(
        &error,
        "closed before the login was done",
        "something else listens",
    );
    assert!(calls.load(Ordering::SeqCst) > 1, "a pooler may be starting");
}

#[tokio::test]
async fn a_database_or_a_user_that_is_not_there_is_told_by_its_name() {
    let db = database("finding_wrong").await;
    let wrong = db.url().replace(db.name(), "no_such_database");
    let begun = Instant::now();
    let error = told(&wrong, "E0501").await;
    assert!(begun.elapsed().as_secs() < 5, "it was tried again");
    says(&error, "database no_such_database at ", "psql --list");
    says(&error, "SQLSTATE 3D000 invalid_catalog_name", "");
    let role = db.role("finder", "").await;
    let other = role.url.replace(&role.name, "no_such_user");
    let error = told(&other, "E0503").await;
    says(&error, "as user no_such_user: ", "pg_hba.conf");
    says(
        &error,
        "SQLSTATE 28000 invalid_authorization_specification",
        "",
    );
    // Who may not connect is told the statement that lets him.
    db.exec(&format!(
        "REVOKE CONNECT ON DATABASE {} FROM PUBLIC",
        db.name()
    ))
    .await;
    let error = told(&role.url, "E0501").await;
    let hint = text(&error, "hint");
    says(
        &error,
        "SQLSTATE 42501 insufficient_privilege",
        "GRANT CONNECT ON DATABASE",
    );
    let (_, statement) = hint.split_once("runs: ").unwrap();
    db.exec(statement).await;
    let folder = tempfile::tempdir().unwrap();
    let status = at(
        folder.path(),
        &["migrate", "status", "--database-url", &role.url],
    );
    status.run().await.expect_code(0);
}

#[tokio::test]
async fn a_wrong_password_is_told_with_where_it_came_from() {
    let server = server().await;
    let wrong = |password: &str| server.local(&format!("scram:{password}"), "");
    let error = told(&wrong(&format!("{CANARY}@wrong")), "E0503").await;
    says(
        &error,
        "database postgres at 127.0.0.1:",
        "the URL has this password",
    );
    says(&error, "as user scram: the password is wrong", "%40");
    says(&error, "SQLSTATE 28P01 invalid_password", "");
    let folder = tempfile::tempdir().unwrap();
    let url = server.local("scram", "");
    let status = || {
        at(
            folder.path(),
            &["migrate", "status", "--database-url", &url],
        )
    };
    // HOME has no .pgpass.
    let (error, _) = failed(status().env("HOME", folder.path()), "E0503").await;
    says(
        &error,
        "",
        "the URL has no password and PGPASSWORD is not set",
    );
    let (error, _) = failed(status().env("PGPASSWORD", "wrong"), "E0503").await;
    says(&error, "", "the variable PGPASSWORD has this password");
    status()
        .env("PGPASSWORD", CANARY)
        .run()
        .await
        .expect_code(0);
}

#[tokio::test]
async fn a_password_that_ends_the_url_too_early_is_recognised() {
    for password in ["pw/canary47", "pw?canary47", "pw#canary47", "5/canary47"] {
        let error = told(
            &format!("postgres://me:{password}@127.0.0.1:1/app"),
            "E0502",
        )
        .await;
        says(
            &error,
            "the password, the user or a parameter contains / ? # or @",
            "",
        );
        says(&error, "%2F %3F %23 %40 %25", "");
    }
    let error = told("postgres://me:canary47%zz@127.0.0.1:1/app", "E0502").await;
    says(
        &error,
        "password has a % without two hexadecimal digits",
        "",
    );
    let error = told("postgres://me:canary47/app", "E0502").await;
    says(
        &error,
        "a user and password need an @ and the host behind them",
        "",
    );
    // An @ or a colon in it has one meaning only, and is taken for what it is.
    for password in ["canary47@x", "canary47:x"] {
        let error = told(
            &format!("postgres://me:{password}@127.0.0.1:1/app"),
            "E0501",
        )
        .await;
        says(&error, "at 127.0.0.1:1 as user me", "");
    }
}

#[tokio::test]
async fn urls_of_other_databases_and_mistyped_ones_are_told_apart() {
    for (url, part) in [
        (
            "mysql://me:canary47@h/app",
            "that of MySQL; phiseal works with PostgreSQL and SQLite",
        ),
        (
            "postgres:/127.0.0.1/app",
            "needs two slashes behind postgres:",
        ),
        ("postgre://me:canary47@h/app", "did you mean postgres://?"),
        (
            "postgresql+psycopg2://me:canary47@h/app",
            "between postgresql and ://",
        ),
        ("jdbc:postgresql://h/app", "leave out jdbc:"),
        ("./canary47.db", "put sqlite: before the path"),
        ("host=h password=canary47", "list of parameters"),
    ] {
        says(&told(url, "E0502").await, part, "");
    }
    // What gave the URL is what is to be corrected.
    let project = Project::new();
    project.plan("env:APP_URL", "");
    let wrong = at(project.dir(), &["status"]).env("APP_URL", "mysql://h/d");
    let (error, _) = failed(wrong, "E0502").await;
    says(&error, "", "correct the variable APP_URL");
    project.plan("mysql://h/d", "");
    let (error, _) = failed(at(project.dir(), &["status"]), "E0502").await;
    says(&error, "", "correct url in phiseal.toml");
    let db = database("finding_schemes").await;
    let folder = tempfile::tempdir().unwrap();
    let long = db.url().replace("postgres://", "postgresql://");
    for more in [
        "",
        "?connect_timeout=5&application_name=x&target_session_attrs=read-write",
        "\n",
    ] {
        let url = format!("{long}{more}");
        let status = at(
            folder.path(),
            &["migrate", "status", "--database-url", &url],
        );
        status.run().await.expect_code(0);
    }
}

#[tokio::test]
async fn a_server_without_tls_and_a_certificate_that_is_not_trusted_name_the_place_too() {
    let db = database("finding_tls").await;
    // The shared server has no TLS.
    let url = format!("{}?sslmode=require", db.url());
    let error = told(&url, "E0530").await;
    says(&error, &format!("database {} at ", db.name()), "ssl = on");
    let server = server().await;
    let other = server.file("other.pem");
    let url = server.remote(
        &format!("only_tls:{CANARY}"),
        &format!("&sslrootcert={}", other.display()),
    );
    let error = told(&url, "E0531").await;
    says(
        &error,
        "as user only_tls: no TLS with the server: no trusted authority",
        "sslrootcert",
    );
}
