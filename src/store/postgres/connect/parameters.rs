//! Parses a connection URL strictly, with a closed list of parameters.
//! Owns the list and the message for every fault. Reads no environment and opens no connection. A
//! message names a parameter, never its value, because the value may be a password or a part of one
//! that was not percent-encoded.

use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};

use super::login::Methods;
use super::of_libpq;
use super::scheme::after_scheme;
use crate::store::transport::{SslMode, UnknownSslMode};
use crate::store::url::unknown_parameter;

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

const UNENCODED: &str = "the password, the user or a parameter contains / ? # or @ unencoded, which ends that part of a URL";
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
        // A secret that was read from a file often ends with a line break.
        let rest = after_scheme(text.trim_end())?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        // Otherwise `postgres://user:1#secret@host/` would mean the host `user`, and the rest would
        // be ignored.
        if rest.contains('@') {
            return Err(format!("{UNENCODED}; {ENCODE}"));
        }
        if rest.contains('#') {
            return Err(format!(
                "it has a #, which a database URL has nowhere; {ENCODE}"
            ));
        }
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut read = UrlParameters::default();
        read.authority(authority);
        let name = path.trim_start_matches('/');
        if !name.is_empty() {
            read.set("dbname", name);
        }
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            read.parameter(pair);
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
    /// Reads `user:password@host:port`, of which each part may be missing.
    fn authority(&mut self, text: &str) {
        let (login, address) = text.rsplit_once('@').unwrap_or(("", text));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        // An IPv6 address has brackets here, and only here.
        let (host, port) = match address
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
        {
            Some((host, port)) => (host, port.strip_prefix(':').unwrap_or(port)),
            None => address.split_once(':').unwrap_or((address, "")),
        };
        for (name, value) in [("user", user), ("password", password), ("host", host)] {
            if !value.is_empty() {
                self.set(name, value);
            }
        }
        if !port.is_empty() {
            let before = self.faults.len();
            self.set("port", port);
            // `postgres://user:password/name`
            if self.faults.len() > before && login.is_empty() {
                self.faults
                    .push("a user and password need an @ and the host behind them".to_owned());
            }
        }
    }

    fn parameter(&mut self, pair: &str) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if PARAMETERS.contains(&name) {
            self.set(name, value);
            return;
        }
        let of_libpq = decode(value)
            .ok()
            .and_then(|value| of_libpq::judged(name, value.expose_secret()));
        let fault = match of_libpq {
            Some(judged) => judged.err(),
            None => Some(unknown_parameter(name, PARAMETERS)),
        };
        self.faults.extend(fault);
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
        assert!(faults("postgres://h/d?colour=x").contains("colour; it knows dbname, host"));
        assert!(!faults("postgres://h/d?channel_binding=xyzzy").contains("xyzzy"));
        assert!(Parameters::parse("postgres://h/d?connect_timeout=5").is_ok());
    }

    #[test]
    fn what_ends_the_password_too_early_is_told_as_that() {
        for url in [
            "postgres://u:pass/word@h/d",
            "postgres://u:pass?word@h/d",
            "postgres://u:pass#word@h/d",
            "postgres://u:5/word@h:5432/d?sslmode=prefer",
        ] {
            let said = faults(url);
            assert!(
                said.starts_with("the password, the user or a parameter contains / ? # or @"),
                "{said}"
            );
            assert!(said.contains("%2F %3F %23 %40 %25"), "{said}");
        }
        let said = faults("postgres://u:p%w@h/d");
        assert!(said.contains("password has a % without two"), "{said}");
        let said = faults("postgres://u:word/d");
        assert!(
            said.contains("need an @ and the host behind them"),
            "{said}"
        );
        assert!(faults("postgres://h/d#word").contains("it has a #"));
        // These have one meaning only.
        let read = |url| Parameters::parse(url).unwrap();
        for (url, password) in [
            ("postgres://u:a@b@h/d", "a@b"),
            ("postgres://u:a:b@h/d", "a:b"),
            ("postgres://u:a b@h/d\n", "a b"),
        ] {
            let read = read(url);
            assert_eq!(read.password.unwrap().expose_secret(), password);
            assert_eq!(
                (read.host.as_deref(), read.dbname.as_deref()),
                (Some("h"), Some("d"))
            );
        }
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
