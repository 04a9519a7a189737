//! One PostgreSQL server with TLS, and a role for each way to log in.

use super::authority::Authority;
use super::{CANARY, NAME};
use crate::support::cluster::Cluster;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// Passwords: one needs all the percent-encoding there is.
pub const HARD_PASSWORD: &str = "canary47/?#@:%&=+ ;€\\'";

const HBA: &str = "local all all trust
hostssl all only_tls all scram-sha-256
hostssl all by_certificate all cert
host all scram,hard all scram-sha-256
host all md5 all md5
host all clear all password
host all postgres all trust
";

/// The server, and the files of its authority and of another one.
pub struct Server {
    cluster: Cluster,
    pub authority: Authority,
}

/// The one server of these tests.
pub async fn server() -> &'static Server {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    SERVER.get_or_init(Server::start).await
}

impl Server {
    async fn start() -> Self {
        let cluster = Cluster::start();
        let authority = Authority::new("phiseal test authority");
        let data = cluster.dir().join("data");
        let signed = authority.server();
        for (name, text) in [
            ("pg_hba.conf", HBA),
            ("server.crt", &signed.certificate),
            ("server.key", &signed.key),
            ("root.crt", &authority.pem),
        ] {
            let (path, owner) = (data.join(name), fs::metadata(&data).unwrap());
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
        }
        let server = Self { cluster, authority };
        server.write("ca.pem", &server.authority.pem);
        server.write("other.pem", &Authority::new("another authority").pem);
        server.set_up().await;
        server
    }

    async fn set_up(&self) {
        let url = self.cluster.socket_url("postgres");
        let mut admin = PgConnection::connect(&url).await.unwrap();
        let hard = HARD_PASSWORD.replace('\'', "''");
        let mut statements = vec![
            "ALTER SYSTEM SET ssl_ca_file = 'root.crt'".to_owned(),
            "ALTER SYSTEM SET ssl = on".to_owned(),
            format!("CREATE ROLE hard LOGIN PASSWORD '{hard}'"),
            "CREATE ROLE by_certificate LOGIN".to_owned(),
            "CREATE DATABASE planned".to_owned(),
        ];
        for role in ["scram", "only_tls", "clear"] {
            statements.push(format!("CREATE ROLE {role} LOGIN PASSWORD '{CANARY}'"));
        }
        statements.push("SET password_encryption = 'md5'".to_owned());
        statements.push(format!("CREATE ROLE md5 LOGIN PASSWORD '{CANARY}'"));
        statements.push("SELECT pg_reload_conf()".to_owned());
        for sql in statements {
            let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await;
            done.unwrap();
        }
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let mut fresh = PgConnection::connect(&url).await.unwrap();
            let on: String = sqlx::query_scalar("SHOW ssl")
                .fetch_one(&mut fresh)
                .await
                .unwrap();
            if on == "on" {
                return;
            }
            assert!(Instant::now() < deadline, "TLS was not turned on");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn port(&self) -> u16 {
        self.cluster.port()
    }

    /// A file of certificates, `ca.pem` or `other.pem`; it goes with the server.
    pub fn file(&self, name: &str) -> PathBuf {
        self.cluster.dir().join(name)
    }

    /// Writes a file beside them.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.file(name), text).unwrap();
        self.file(name)
    }

    /// Parameters that verify it.
    pub fn verified(&self) -> String {
        format!("&sslrootcert={}", self.file("ca.pem").display())
    }

    pub fn socket_url(&self, login: &str) -> String {
        self.cluster
            .socket_url("postgres")
            .replace("postgres@", &format!("{login}@"))
    }

    pub fn remote(&self, login: &str, more: &str) -> String {
        super::remote(login, self.port(), more)
    }

    pub fn local(&self, login: &str, more: &str) -> String {
        super::local(login, self.port(), more)
    }

    /// Under another name than its certificate's.
    pub fn misnamed(&self, login: &str, more: &str) -> String {
        self.remote(login, more).replace(NAME, "other.phiseal.test")
    }
}
