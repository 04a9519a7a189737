//! The parameters of libpq that phiseal does not act on
//! (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS>).
//! Owns the list: which of them a URL may have all the same, because what they ask for is so anyway or
//! does not matter here, and why each other one is refused. None is passed over that would make a
//! session safer than it is.

/// What becomes of a parameter.
enum Fate {
    /// Accepted with any value, without effect.
    Any,
    /// Accepted with these values, which ask for what is so anyway; refused with others.
    Only(&'static [&'static str], &'static str),
    /// Refused: what to write instead.
    Refused(&'static str),
}

use Fate::{Any, Only, Refused};

const NO_KERBEROS: &str = "phiseal has no Kerberos: leave it out";
const NO_CRL: &str =
    "phiseal reads no lists of revoked certificates: leave it out if that is acceptable";
const NO_OAUTH: &str = "phiseal has no OAuth: log in with a password or a client certificate";

const PARAMETERS: &[(&str, Fate)] = &[
    // Sessions are always called phiseal, so that phiseal finds its own.
    ("application_name", Any),
    (
        "channel_binding",
        Only(
            &["disable", "prefer"],
            "phiseal has no channel binding; sslmode=verify-full has the server prove who it is",
        ),
    ),
    // Always UTF8.
    ("client_encoding", Any),
    // Always 15 seconds.
    ("connect_timeout", Any),
    ("fallback_application_name", Any),
    ("gssdelegation", Only(&["0"], NO_KERBEROS)),
    ("gssencmode", Only(&["disable", "prefer"], NO_KERBEROS)),
    ("gsslib", Any),
    // phiseal notices within a minute that a server has vanished.
    ("keepalives", Any),
    ("keepalives_count", Any),
    ("keepalives_idle", Any),
    ("keepalives_interval", Any),
    ("krbsrvname", Any),
    // There is one host.
    ("load_balance_hosts", Any),
    (
        "max_protocol_version",
        Only(
            &["3.0", "3.2", "latest"],
            "phiseal speaks 3.0: leave it out",
        ),
    ),
    (
        "min_protocol_version",
        Only(&["3.0"], "phiseal speaks 3.0: leave it out"),
    ),
    ("oauth_client_id", Refused(NO_OAUTH)),
    ("oauth_client_secret", Refused(NO_OAUTH)),
    ("oauth_issuer", Refused(NO_OAUTH)),
    ("oauth_scope", Refused(NO_OAUTH)),
    ("options", Refused("set the variable PGOPTIONS instead")),
    ("passfile", Refused("set the variable PGPASSFILE instead")),
    (
        "replication",
        Refused("phiseal needs ordinary sessions: leave it out"),
    ),
    (
        "requirepeer",
        Refused(
            "phiseal does not ask who owns a socket: name a folder that only the server's user can write",
        ),
    ),
    ("scram_client_key", Refused("give the password instead")),
    ("scram_server_key", Refused("give the password instead")),
    ("service", Refused("write host, port, dbname and user out")),
    (
        "servicefile",
        Refused("write host, port, dbname and user out"),
    ),
    // libpq takes `ssl=true` from URLs that were made for JDBC.
    (
        "ssl",
        Refused("write sslmode=verify-full, or one of the weaker modes"),
    ),
    (
        "ssl_max_protocol_version",
        Only(
            &["TLSv1.3"],
            "the newest version in common is used: leave it out",
        ),
    ),
    (
        "ssl_min_protocol_version",
        Only(
            &["TLSv1", "TLSv1.1", "TLSv1.2"],
            "TLS 1.2 is accepted: require more at the server (ssl_min_protocol_version)",
        ),
    ),
    (
        "sslcertmode",
        Only(
            &["allow"],
            "a client certificate is sent if sslcert and sslkey name one",
        ),
    ),
    // TLS from 1.2 on is never compressed here.
    ("sslcompression", Any),
    ("sslcrl", Refused(NO_CRL)),
    ("sslcrldir", Refused(NO_CRL)),
    (
        "sslkeylogfile",
        Refused("it would write down the keys of the session: leave it out"),
    ),
    (
        "sslnegotiation",
        Only(
            &["postgres"],
            "phiseal asks for TLS in the old way, which every server knows: leave it out",
        ),
    ),
    (
        "sslpassword",
        Refused("name a key file without a password as sslkey"),
    ),
    (
        "sslsni",
        Only(&["1"], "the name of the host is always sent: leave it out"),
    ),
    (
        "target_session_attrs",
        Only(
            &["any", "read-write", "primary"],
            "phiseal works on the primary server: leave it out",
        ),
    ),
    ("tcp_user_timeout", Any),
];

/// Whether libpq has such a parameter and a URL may give it this value; `None` if it has none.
pub(super) fn judged(name: &str, value: &str) -> Option<Result<(), String>> {
    let (_, fate) = PARAMETERS.iter().find(|(known, _)| *known == name)?;
    let instead = match fate {
        Any => return Some(Ok(())),
        Only(values, _) if values.contains(&value) => return Some(Ok(())),
        Only(values, why) => format!("{name} may only be {} here: {why}", values.join(" or ")),
        Refused(instead) => format!("phiseal does not use the parameter {name}: {instead}"),
    };
    Some(Err(instead))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_nothing_is_accepted_and_what_would_make_a_session_safer_is_refused() {
        for (name, value) in [
            ("connect_timeout", "10"),
            ("application_name", "x"),
            ("channel_binding", "prefer"),
            ("gssencmode", "disable"),
            ("target_session_attrs", "read-write"),
            ("ssl_min_protocol_version", "TLSv1.2"),
        ] {
            assert_eq!(judged(name, value), Some(Ok(())), "{name}");
        }
        for (name, value, part) in [
            (
                "channel_binding",
                "require",
                "may only be disable or prefer here: phiseal has no",
            ),
            ("gssencmode", "require", "no Kerberos"),
            ("ssl_min_protocol_version", "TLSv1.3", "TLS 1.2 is accepted"),
            ("sslcrl", "/crl.pem", "revoked certificates"),
            ("options", "-c x=y", "PGOPTIONS"),
            ("service", "xyzzy", "host, port"),
        ] {
            let said = judged(name, value).unwrap().unwrap_err();
            assert!(said.contains(part) && !said.contains(value), "{said}");
        }
        assert_eq!(judged("sslmod", "require"), None);
    }

    #[test]
    fn the_list_is_in_order_and_names_nothing_twice() {
        assert!(PARAMETERS.is_sorted_by(|a, b| a.0 < b.0));
    }
}
