//! Parses a connection URL strictly, with a closed list of parameters.
//! Owns the list and the message for every fault. Reads no environment and opens no connection. A
//! message names a parameter, never its value, because the value may be a password or a part of one
//! that was not percent-encoded.

use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::login::Methods;
use crate::store::transport::{SslMode, UnknownSslMode};

/// The known parameters, with libpq's names
/// (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS>).
const PARAMETERS: &[&str] = &[
    "dbname",
    "host",
    "hostaddr",
    "password",
    "port",
    "require_auth",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];

/// A longer name is not a parameter's and may be a part of a value.
const NAME_CHARS_MAX: usize = 40;

const ENCODE: &str = "write each of / ? # @ % in a user, password or parameter percent-encoded, as %2F %3F %23 %40 %25";

/// What the URL sets. The environment and the defaults decide the rest.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    pub host: Option<String>,
    pub hostaddr: Option<IpAddr>,
    pub port: Option<u16>,
    pub user: Option<String>,
    pub password: Option<SecretString>,
    pub dbname: Option<String>,
    pub sslmode: Option<SslMode>,
    pub sslrootcert: Option<String>,
    pub sslcert: Option<String>,
    pub sslkey: Option<String>,
    pub require_auth: Option<Methods>,
}

impl Parameters {
    /// Parses a URL.
    ///
    /// # Errors
    /// Every fault that was found, as one text.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if !(text.starts_with("postgres://") || text.starts_with("postgresql://")) {
            return Err("it does not begin with postgres:// or sqlite:".to_owned());
        }
        let url =
            Url::parse(text).map_err(|error| format!("it is not a URL ({error}); {ENCODE}"))?;
        // Otherwise `postgres://user:1#secret@host/` would mean the host `user`, and the rest would
        // be ignored.
        let (_, after) = text.split_once("://").unwrap_or_default();
        let rest = after.find(['/', '?', '#']).map_or("", |at| &after[at..]);
        if url.fragment().is_some() || rest.contains('@') {
            return Err(format!("it has a # or an @ where none belongs; {ENCODE}"));
        }
        let mut read = UrlParameters::default();
        read.authority(&url);
        for pair in url.query().unwrap_or_default().split('&') {
            if !pair.is_empty() {
                read.parameter(pair);
            }
        }
        if read.faults.is_empty() {
            Ok(read.found)
        } else {
            Err(read.faults.join("; "))
        }
    }
}

#[derive(Default)]
struct UrlParameters {
    found: Parameters,
    seen: Vec<String>,
    faults: Vec<String>,
}

impl UrlParameters {
    fn authority(&mut self, url: &Url) {
        if !url.username().is_empty() {
            self.set("user", url.username());
        }
        if let Some(password) = url.password() {
            self.set("password", password);
        }
        if let Some(host) = url.host_str().filter(|host| !host.is_empty()) {
            // An IPv6 address has brackets here, and only here.
            let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
            self.set("host", bare.unwrap_or(host));
        }
        if let Some(port) = url.port() {
            self.set("port", &port.to_string());
        }
        let path = url.path().trim_start_matches('/');
        if !path.is_empty() {
            self.set("dbname", path);
        }
    }

    fn parameter(&mut self, pair: &str) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if PARAMETERS.contains(&name) {
            self.set(name, value);
        } else {
            self.faults.push(unknown(name));
        }
    }

    fn set(&mut self, name: &str, encoded: &str) {
        if self.seen.iter().any(|seen| seen == name) {
            self.faults.push(format!("{name} is given twice"));
            return;
        }
        self.seen.push(name.to_owned());
        match decode(encoded) {
            Ok(value) if value.expose_secret().is_empty() => {}
            Ok(value) => {
                if let Err(wrong) = self.keep(name, value) {
                    self.faults.push(format!("{name} {wrong}"));
                }
            }
            Err(wrong) => self.faults.push(format!("{name} {wrong}")),
        }
    }

    fn keep(&mut self, name: &str, value: SecretString) -> Result<(), String> {
        let text = || value.expose_secret().to_owned();
        let found = &mut self.found;
        match name {
            "host" => found.host = Some(host(value.expose_secret())?),
            "hostaddr" => {
                let address = value.expose_secret().parse();
                found.hostaddr = Some(address.map_err(|_| "is not an IP address".to_owned())?);
            }
            "port" => {
                let port = value.expose_secret().parse().ok().filter(|port| *port > 0);
                found.port = Some(port.ok_or("is not a number from 1 to 65535")?);
            }
            "user" => found.user = Some(text()),
            "dbname" => found.dbname = Some(text()),
            "sslmode" => {
                let mode = value.expose_secret().parse();
                found.sslmode = Some(mode.map_err(|unknown: UnknownSslMode| unknown.to_string())?);
            }
            "sslrootcert" => found.sslrootcert = Some(text()),
            "sslcert" => found.sslcert = Some(text()),
            "sslkey" => found.sslkey = Some(text()),
            "require_auth" => found.require_auth = Some(value.expose_secret().parse()?),
            _ => found.password = Some(value),
        }
        Ok(())
    }
}

/// Checks that the text is a socket's folder, an IP address or a name.
pub(super) fn host(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if text.starts_with('/') || text.parse::<IpAddr>().is_ok() || text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Err("is not one name, IP address or socket folder".to_owned())
}

/// Percent-decodes strictly: `Url` would accept `%zz`. A `+` stays a plus.
fn decode(text: &str) -> Result<SecretString, String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err(
                "has a % without two hexadecimal digits behind it; write a % as %25".to_owned(),
            );
        };
        out.push(u8::try_from(16 * high + low).unwrap_or_default());
    }
    let decoded = String::from_utf8(out).map_err(|_| "is not UTF-8".to_owned())?;
    if decoded.contains('\0') {
        return Err("has a zero byte".to_owned());
    }
    Ok(SecretString::from(decoded))
}

fn unknown(name: &str) -> String {
    // A name that is not a plain word may be a part of a value, so the message does not repeat it.
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(bare) {
        return "it has a parameter that phiseal does not know".to_owned();
    }
    let near = PARAMETERS
        .iter()
        .map(|known| (strsim::osa_distance(&name.to_lowercase(), known), known))
        .filter(|(distance, known)| *distance <= (known.len() / 3).max(1))
        .min();
    match near {
        Some((_, known)) => {
            format!("phiseal does not know the parameter {name}: did you mean {known}?")
        }
        None => format!(
            "phiseal does not know the parameter {name}; it knows {}",
            PARAMETERS.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(url: &str) -> String {
        Parameters::parse(url).unwrap_err()
    }

    #[test]
    fn every_parameter_is_read_and_decoded() {
        let all = Parameters::parse(
            "postgresql://us%40er:p%23%2B+%E2%82%AC@db.example.com:6432/na%20me?hostaddr=10.0.0.7\
             &sslmode=verify-ca&sslrootcert=/etc/ca+1.pem&sslcert=c&sslkey=k\
             &require_auth=none,md5",
        )
        .unwrap();
        assert_eq!(all.user.as_deref(), Some("us@er"));
        assert_eq!(all.password.unwrap().expose_secret(), "p#++€");
        assert_eq!(all.host.as_deref(), Some("db.example.com"));
        assert_eq!(all.hostaddr, "10.0.0.7".parse().ok());
        assert_eq!(
            (all.port, all.dbname.as_deref()),
            (Some(6432), Some("na me"))
        );
        assert_eq!(all.sslmode, Some(SslMode::VerifyCa));
        assert_eq!(all.sslrootcert.as_deref(), Some("/etc/ca+1.pem"));
        assert_eq!(
            (all.sslcert.as_deref(), all.sslkey.as_deref()),
            (Some("c"), Some("k"))
        );
        assert!(all.require_auth.is_some());
    }

    #[test]
    fn sockets_and_addresses_are_hosts() {
        let host = |url| Parameters::parse(url).unwrap().host.unwrap();
        assert_eq!(host("postgres://me@%2Frun%2Fpg/db"), "/run/pg");
        assert_eq!(host("postgres:///db?host=/run/pg"), "/run/pg");
        assert_eq!(host("postgres://[::1]:5432/db"), "::1");
        assert_eq!(host("postgres:///db?host=::1"), "::1");
        assert!(faults("postgres:///db?host=a,b").contains("host is not one name"));
        assert!(Parameters::parse("postgres:///db").unwrap().host.is_none());
    }

    #[test]
    fn an_unknown_parameter_is_named_with_the_nearest_one() {
        assert!(faults("postgres://h/d?sslmod=disable").contains("did you mean sslmode?"));
        assert!(faults("postgres://h/d?ssl-mode=require").contains("did you mean sslmode?"));
        assert!(faults("postgres://h/d?SSLMODE=require").contains("did you mean sslmode?"));
        assert!(faults("postgres://h/d?channel_binding=x").contains("channel_binding; it knows"));
        assert!(!faults("postgres://h/d?channel_binding=xyzzy").contains("xyzzy"));
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let faults = faults("postgres://h:1/d?port=2&sslmode=allow&colour=1&password=%zz");
        for part in [
            "port is given twice",
            "sslmode",
            "colour",
            "password has a %",
        ] {
            assert!(faults.contains(part), "{part} in {faults}");
        }
    }

    #[test]
    fn a_password_that_is_not_encoded_is_never_repeated() {
        for url in [
            "postgres://u:5/secret@h/d",
            "postgres://u:5#secret@h/d",
            "postgres://u:5?secret=1@h/d",
            "postgres://u:/secret@h/d",
            "postgres://u:secret/x@h/d",
            "postgres://a@u:5?secret=q@h/d",
            "postgres://u:secret%zz@h/d",
            "postgres://u:%ffsecret@h/d",
            "postgres://u:x%00secret@h/d",
            "postgres://h/d?sslmode=secret",
            "postgres://h/d?hostaddr=secret",
            "postgres://h/d?port=secret",
            "postgres://h/d?require_auth=secret",
            "postgres://h/d?se%63ret%20secret=1",
        ] {
            let faults = faults(url);
            assert!(!faults.contains("secret"), "{url}: {faults}");
        }
    }
}
