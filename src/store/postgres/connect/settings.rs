//! The settings of a connection: from the URL, then from libpq's environment, then the defaults.
//! Owns the defaults, and the rule that the environment may make a session safer than the defaults
//! but not less safe; that takes the URL. Opens no connection and reads no file.

use std::net::IpAddr;
use std::path::PathBuf;

use super::login::Methods;
use super::parameters::{Parameters, host};
use super::tls::SYSTEM;
use crate::store::transport::SslMode;

const PORT: u16 = 5432;

/// Where the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// A Unix socket in this folder.
    Socket(PathBuf),
    /// A host.
    Tcp {
        /// Its name, which its certificate must have.
        name: String,
        /// The address to use, if the name is not to be looked up.
        address: Option<IpAddr>,
    },
}

/// Everything about a connection except the user and the database.
#[derive(Debug)]
pub(super) struct ConnectionSettings {
    pub place: Endpoint,
    pub port: u16,
    pub mode: SslMode,
    /// The login methods that the URL allows. `None`: they depend on how the session is protected.
    pub methods: Option<Methods>,
    pub sslrootcert: Option<String>,
    /// The files of the client certificate and its key.
    pub client: Option<(String, String)>,
}

impl ConnectionSettings {
    /// Decides what the URL leaves open. `environment` reads a variable; `usual` returns the host
    /// if none is named.
    ///
    /// # Errors
    /// Every fault that was found, as one text. It names variables and parameters, but no values.
    pub(super) fn settle(
        written: &Parameters,
        environment: impl Fn(&str) -> Option<String>,
        usual: impl Fn() -> String,
    ) -> Result<Self, String> {
        let environment = |name: &str| environment(name).filter(|value| !value.is_empty());
        let mut faults = Vec::new();
        let mut keep = |settled: Result<(), String>| faults.extend(settled.err());
        let place = place(written, &environment, usual).unwrap_or_else(|fault| {
            keep(Err(fault));
            Endpoint::Socket(PathBuf::new())
        });
        let port = port(written, &environment).unwrap_or_else(|fault| {
            keep(Err(fault));
            PORT
        });
        let roots = written
            .sslrootcert
            .clone()
            .or_else(|| environment("PGSSLROOTCERT"));
        let mode = mode(written, &place, &environment, roots.is_some()).unwrap_or_else(|fault| {
            keep(Err(fault));
            SslMode::VerifyFull
        });
        keep(check_roots(written, mode, roots.as_deref()));
        let client = client(written, &environment).unwrap_or_else(|fault| {
            keep(Err(fault));
            None
        });
        if !faults.is_empty() {
            return Err(faults.join("; "));
        }
        Ok(Self {
            place,
            port,
            mode,
            methods: written.require_auth,
            sslrootcert: roots,
            client,
        })
    }

    /// Whether the connection stays on this machine.
    pub(super) fn local(&self) -> bool {
        self.place.local()
    }
}

impl Endpoint {
    /// Any name other than `localhost` counts as remote and is not looked up, since it may belong
    /// to another machine later.
    fn local(&self) -> bool {
        match self {
            Self::Socket(_) => true,
            Self::Tcp { name, address } => {
                address.is_none_or(|address| address.is_loopback())
                    && (is_localhost(name)
                        || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()))
            }
        }
    }

    /// The host as messages show it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Socket(folder) => folder.display().to_string(),
            Self::Tcp { name, .. } => name.clone(),
        }
    }
}

/// Whether this is the one name that always means this machine, whatever a resolver says.
pub(super) fn is_localhost(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost")
}

fn place(
    written: &Parameters,
    environment: &impl Fn(&str) -> Option<String>,
    usual: impl Fn() -> String,
) -> Result<Endpoint, String> {
    let mut name = written.host.clone();
    let mut address = written.hostaddr;
    if name.is_none() && address.is_none() {
        name = match environment("PGHOST") {
            Some(value) => Some(host(&value).map_err(|wrong| format!("PGHOST {wrong}"))?),
            None => None,
        };
        address = match environment("PGHOSTADDR") {
            Some(value) => Some(
                value
                    .parse()
                    .map_err(|_| "PGHOSTADDR is not an IP address")?,
            ),
            None => None,
        };
    }
    let name = name
        .or_else(|| address.map(|address| address.to_string()))
        .unwrap_or_else(usual);
    if name.starts_with('/') {
        return Ok(Endpoint::Socket(PathBuf::from(name)));
    }
    Ok(Endpoint::Tcp { name, address })
}

fn port(
    written: &Parameters,
    environment: &impl Fn(&str) -> Option<String>,
) -> Result<u16, String> {
    match (written.port, environment("PGPORT")) {
        (Some(port), _) => Ok(port),
        (None, None) => Ok(PORT),
        (None, Some(text)) => text
            .parse()
            .map_err(|_| "PGPORT is not a number from 1 to 65535".to_owned()),
    }
}

fn mode(
    written: &Parameters,
    place: &Endpoint,
    environment: &impl Fn(&str) -> Option<String>,
    roots: bool,
) -> Result<SslMode, String> {
    let mode = match written.sslmode {
        Some(mode) => mode,
        None => {
            let default = if place.local() && written.sslrootcert.is_none() {
                SslMode::Prefer
            } else {
                SslMode::VerifyFull
            };
            match environment("PGSSLMODE").as_deref() {
                // `allow` is weaker than every default.
                None | Some("allow") => default,
                Some(word) => {
                    let asked: SslMode =
                        word.parse().map_err(|wrong| format!("PGSSLMODE {wrong}"))?;
                    asked.max(default)
                }
            }
        }
    };
    // As in libpq: if `sslrootcert` is set, `require` verifies the certificate.
    Ok(if mode == SslMode::Require && roots {
        SslMode::VerifyCa
    } else {
        mode
    })
}

fn check_roots(written: &Parameters, mode: SslMode, roots: Option<&str>) -> Result<(), String> {
    match (mode, roots) {
        (SslMode::VerifyCa, None | Some(SYSTEM)) => Err(
            "sslmode=verify-ca needs the file of one authority as sslrootcert: those that systems trust sign for anybody".to_owned(),
        ),
        (SslMode::Disable | SslMode::Prefer, Some(_)) if written.sslrootcert.is_some() => {
            Err("sslrootcert is of no use with this sslmode: write sslmode=verify-full".to_owned())
        }
        _ => Ok(()),
    }
}

fn client(
    written: &Parameters,
    environment: &impl Fn(&str) -> Option<String>,
) -> Result<Option<(String, String)>, String> {
    let certificate = written.sslcert.clone().or_else(|| environment("PGSSLCERT"));
    let key = written.sslkey.clone().or_else(|| environment("PGSSLKEY"));
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
        (None, None) => Ok(None),
        _ => Err("sslcert and sslkey are given together or not at all".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settle(url: &str, variables: &[(&str, &str)]) -> Result<ConnectionSettings, String> {
        let look = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        ConnectionSettings::settle(&Parameters::parse(url).unwrap(), look, || {
            "/usual".to_owned()
        })
    }

    fn mode(url: &str, variables: &[(&str, &str)]) -> &'static str {
        settle(url, variables).unwrap().mode.as_str()
    }

    #[test]
    fn another_machine_is_verified_unless_the_url_says_less() {
        for host in [
            "db.example.com",
            "10.0.0.7",
            "[::ffff:127.0.0.1]",
            "localhost.example.com",
            "localhost.",
            "127.0.0.1.example.com",
            "127.1",
            "0.0.0.0",
        ] {
            assert_eq!(
                mode(&format!("postgres://{host}/d"), &[]),
                "verify-full",
                "{host}"
            );
        }
        assert_eq!(
            mode("postgres://db.example.com/d?sslmode=disable", &[]),
            "disable"
        );
        assert_eq!(
            mode("postgres://localhost/d?hostaddr=10.0.0.7", &[]),
            "verify-full"
        );
        assert_eq!(
            mode("postgres://db.example.com/d?hostaddr=127.0.0.1", &[]),
            "verify-full"
        );
    }

    #[test]
    fn this_machine_may_go_without() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "[::1]"] {
            assert_eq!(
                mode(&format!("postgres://{host}/d"), &[]),
                "prefer",
                "{host}"
            );
        }
        let ca = "postgres://localhost/d?sslrootcert=/ca.pem";
        assert_eq!(mode(ca, &[]), "verify-full");
        assert!(settle("postgres:///d", &[]).unwrap().local());
    }

    #[test]
    fn the_environment_makes_a_session_safer_and_never_less_safe() {
        for weak in ["disable", "allow", "prefer", "require", "verify-full"] {
            let variables = [("PGSSLMODE", weak)];
            assert_eq!(
                mode("postgres://db.example.com/d", &variables),
                "verify-full"
            );
        }
        assert_eq!(
            mode("postgres://localhost/d", &[("PGSSLMODE", "disable")]),
            "prefer"
        );
        assert_eq!(
            mode("postgres://localhost/d", &[("PGSSLMODE", "require")]),
            "require"
        );
        let host = [("PGHOST", "db.example.com"), ("PGPORT", "6432")];
        let settled = settle("postgres:///d", &host).unwrap();
        assert_eq!((settled.mode, settled.port), (SslMode::VerifyFull, 6432));
        assert!(
            settle("postgres://h/d", &[("PGSSLMODE", "secret")])
                .is_err_and(|fault| fault.starts_with("PGSSLMODE is not one of")
                    && !fault.contains("secret"))
        );
        assert!(settle("postgres:///d", &[("PGHOST", "a,b")]).is_err());
        assert!(settle("postgres:///d", &[("PGHOSTADDR", "a")]).is_err());
        assert!(settle("postgres:///d", &[("PGPORT", "x")]).is_err());
    }

    #[test]
    fn authorities_are_asked_where_they_are_named() {
        let with = |mode: &str, roots: &str| {
            settle(
                &format!("postgres://h/d?sslmode={mode}&sslrootcert={roots}"),
                &[],
            )
        };
        assert_eq!(with("require", "/ca").unwrap().mode, SslMode::VerifyCa);
        assert_eq!(
            with("verify-full", "system").unwrap().mode,
            SslMode::VerifyFull
        );
        for (mode, roots) in [
            ("verify-ca", "system"),
            ("require", "system"),
            ("prefer", "/ca"),
        ] {
            assert!(with(mode, roots).is_err(), "{mode} {roots}");
        }
        assert!(settle("postgres://h/d?sslmode=verify-ca", &[]).is_err());
        let of_the_environment = [("PGSSLROOTCERT", "/ca")];
        assert_eq!(
            mode("postgres://localhost/d", &of_the_environment),
            "prefer"
        );
    }

    #[test]
    fn a_client_certificate_comes_with_its_key() {
        let both = settle("postgres://h/d?sslcert=c&sslkey=k", &[]).unwrap();
        assert_eq!(both.client, Some(("c".to_owned(), "k".to_owned())));
        assert!(settle("postgres://h/d?sslcert=c", &[]).is_err());
    }
}
