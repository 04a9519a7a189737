//! Where a connection was to go, why it was not opened, and what to do about each cause.
//! Owns the causes with their messages and hints. Holds names and paths of the user's, never a
//! password, and nothing that the other side sent but a checked SQLSTATE.

use std::fmt;
use std::path::PathBuf;

use crate::error::sqlstate::shown;
use crate::foreign::Foreign;
use crate::quote;

/// Where a connection goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A database of a PostgreSQL server.
    Server {
        /// The host as the URL names it, or the folder of its Unix socket.
        host: String,
        /// The port, which is a part of a socket's name too.
        port: u16,
        /// The database.
        database: String,
        /// The user who logs in.
        user: String,
    },
    /// An SQLite file.
    File(PathBuf),
    /// The error was met where nobody knows.
    Unknown,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server {
                host,
                port,
                database,
                user,
            } => {
                let (database, user, host) = (Foreign(database), Foreign(user), Foreign(host));
                write!(f, "database {database} at ")?;
                match host.0 {
                    folder if folder.starts_with('/') => write!(f, "{host}/.s.PGSQL.{port}")?,
                    address if address.contains(':') => write!(f, "[{host}]:{port}")?,
                    _ => write!(f, "{host}:{port}")?,
                }
                write!(f, " as user {user}")
            }
            Self::File(path) => write!(f, "the SQLite file {}", Foreign(&path.to_string_lossy())),
            Self::Unknown => f.write_str("the database"),
        }
    }
}

/// Why no connection could be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectFault {
    /// The host's name has no address.
    UnknownHost,
    /// Nothing listens at this port.
    Refused,
    /// No network leads to the host.
    NoRoute,
    /// The server did not answer in time.
    NoAnswer {
        /// How long it was waited for.
        seconds: u64,
    },
    /// Nothing listens on a Unix socket of this name.
    NoSocket,
    /// Our user may not open the Unix socket.
    SocketDenied,
    /// The answer is not that of a PostgreSQL server.
    NotPostgres,
    /// The connection was closed before the login was done.
    Closed,
    /// The server has no database of this name.
    NoDatabase,
    /// The user lacks the right to connect to the database.
    MayNotConnect,
    /// The server, or a limit of role or database, has no connection left.
    Full,
    /// The server is starting, stopping or recovering.
    NotNow,
    /// The server refused the session for another reason.
    Answered {
        /// SQLSTATE.
        sqlstate: String,
    },
    /// All connections that we may open are in use.
    NoneFree,
    /// The operating system refused it for another reason.
    System {
        /// Its reason, in words of our own.
        reason: String,
    },
    /// There is no such file.
    NoFile,
    /// The folder of the file does not exist.
    NoFolder,
    /// A folder has this name.
    IsFolder,
    /// The file cannot be opened, for a reason that SQLite does not say.
    FileDenied,
    /// The file is there, and is no SQLite database.
    NotSqlite,
}

impl ConnectFault {
    /// What could not be done with the place.
    pub(crate) fn verb(place: &Place) -> &'static str {
        match place {
            Place::File(_) => "open",
            Place::Server { .. } | Place::Unknown => "connect to",
        }
    }

    /// Whether the next attempt may succeed soon, with nothing corrected.
    pub fn may_pass_soon(&self) -> bool {
        match self {
            Self::UnknownHost
            | Self::Refused
            | Self::NoRoute
            | Self::NoAnswer { .. }
            | Self::NoSocket
            | Self::Closed
            | Self::Full
            | Self::NotNow
            | Self::Answered { .. }
            | Self::NoneFree
            | Self::System { .. } => true,
            Self::SocketDenied
            | Self::NotPostgres
            | Self::NoDatabase
            | Self::MayNotConnect
            | Self::NoFile
            | Self::NoFolder
            | Self::IsFolder
            | Self::FileDenied
            | Self::NotSqlite => false,
        }
    }

    /// What to do about it, for a connection to this place.
    pub fn hint(&self, place: &Place) -> String {
        match (self, place) {
            (Self::UnknownHost, Place::Server { host, .. }) => format!(
                "correct the host in the URL; if it is right, this machine cannot look it up: \
                 `getent hosts {}` shows what it finds, and hostaddr= in the URL gives the address",
                Foreign(host)
            ),
            (Self::MayNotConnect, Place::Server { database, user, .. }) => format!(
                "the owner of the database or a superuser runs: GRANT CONNECT ON DATABASE {} TO {};",
                quote::identifier(database),
                quote::identifier(user)
            ),
            _ => self.advice().to_owned(),
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::UnknownHost => "correct the host in the URL",
            Self::Refused => {
                "start the server, or correct host and port in the URL; a server listens for other machines \
                 only if listen_addresses says so, and within a container localhost is the container"
            }
            Self::NoRoute => "correct the host in the URL, or see to the network or VPN to it",
            Self::NoAnswer { .. } => {
                "correct host and port in the URL; if they are right, a firewall may drop the connection, or \
                 the server hangs"
            }
            Self::NoSocket => {
                "start the server, or correct the folder and the port in the URL; the name of a host in the \
                 place of the folder connects over TCP"
            }
            Self::SocketDenied => {
                "see who may open the socket and its folder; the name of a host in the place of the folder \
                 connects over TCP"
            }
            Self::NotPostgres => {
                "correct host and port in the URL: another program listens there; PostgreSQL's usual port is \
                 5432"
            }
            Self::Closed => {
                "see the server's log; if it has nothing about this connection, something else listens there"
            }
            Self::NoDatabase => {
                "correct the name of the database in the URL; `psql --list` shows those of the server"
            }
            Self::MayNotConnect => "the owner of the database grants CONNECT on it",
            Self::Full => {
                "end sessions that nobody needs, or raise max_connections or the limit of the role or \
                 database; then run the command again: it resumes"
            }
            Self::NotNow => "wait until the server is up, then run the command again: it resumes",
            Self::Answered { .. } => "see the server's log, which says why",
            Self::NoneFree => "run the command again: it resumes",
            Self::System { .. } => {
                "see the limits of this process (`ulimit -a`), then run the command again: it resumes"
            }
            Self::NoFile => {
                "correct the path in the URL; with ?mode=rwc at its end, a file that is not there is made"
            }
            Self::NoFolder => "correct the path in the URL, or make the folder",
            Self::IsFolder => "add the name of the file in that folder to the URL",
            Self::FileDenied => {
                "see that the user who runs phiseal may read the file, and write to it and its folder"
            }
            Self::NotSqlite => {
                "name an SQLite database; what is encrypted as a whole (SQLCipher) cannot be opened"
            }
        }
    }
}

impl fmt::Display for ConnectFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownHost => f.write_str("the host's name has no address"),
            Self::Refused => f.write_str("nothing listens there, the connection was refused"),
            Self::NoRoute => f.write_str("no network leads to the host"),
            Self::NoAnswer { seconds } => write!(f, "no answer within {seconds} seconds"),
            Self::NoSocket => f.write_str("nothing listens on that socket"),
            Self::SocketDenied => f.write_str("this user may not open the socket"),
            Self::NotPostgres => f.write_str("what answers there is no PostgreSQL server"),
            Self::Closed => f.write_str("the connection was closed before the login was done"),
            Self::NoDatabase => {
                write!(
                    f,
                    "the server has no database of that name ({})",
                    shown("3D000")
                )
            }
            Self::MayNotConnect => write!(
                f,
                "the user lacks CONNECT on that database ({})",
                shown("42501")
            ),
            Self::Full => write!(f, "the server has no free connection ({})", shown("53300")),
            Self::NotNow => write!(
                f,
                "the server is starting, stopping or recovering ({})",
                shown("57P03")
            ),
            Self::Answered { sqlstate } => {
                write!(f, "the server refused the session ({})", shown(sqlstate))
            }
            Self::NoneFree => f.write_str("no connection was free in time"),
            Self::System { reason } => f.write_str(reason),
            Self::NoFile => f.write_str("it does not exist"),
            Self::NoFolder => f.write_str("its folder does not exist"),
            Self::IsFolder => f.write_str("it is a folder"),
            Self::FileDenied => f.write_str("SQLite cannot open it"),
            Self::NotSqlite => f.write_str("it is no SQLite database"),
        }
    }
}

/// Where the password of a login came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordSource {
    /// The URL.
    Url,
    /// The variable PGPASSWORD.
    Variable,
    /// The password file, or there was none.
    File,
}

/// Why the server refused a login, by its SQLSTATE.
pub(crate) fn login_refused(sqlstate: &str) -> &'static str {
    match sqlstate {
        "28P01" => "the password is wrong, or there is no such user",
        "28000" => "the server rejects this user or this connection",
        _ => "the server refused the login",
    }
}

/// What to do about a refused login.
pub(crate) fn login_hint(sqlstate: &str, password: PasswordSource) -> String {
    if sqlstate != "28P01" {
        return "the server's log says which it is: there is no such role, it has NOLOGIN, or pg_hba.conf has \
                no line for this user, database and address (with TLS, or without it)"
            .to_owned();
    }
    let came = match password {
        PasswordSource::Url => {
            "the URL has this password: correct it there, and write each of / ? # @ % : in it \
             percent-encoded, as %2F %3F %23 %40 %25 %3A"
        }
        PasswordSource::Variable => "the variable PGPASSWORD has this password: correct it there",
        PasswordSource::File => {
            "the URL has no password and PGPASSWORD is not set: add a line for this host, port, database \
             and user to ~/.pgpass, or set one of them"
        }
    };
    format!("{came}; a role that is to log in is made by CREATE ROLE ... LOGIN PASSWORD ...")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(host: &str) -> Place {
        Place::Server {
            host: host.to_owned(),
            port: 5433,
            database: "app".to_owned(),
            user: "o\"wner".to_owned(),
        }
    }

    #[test]
    fn a_place_names_host_port_database_and_user_or_the_file() {
        for (place, text) in [
            (
                server("db.example.com"),
                "database app at db.example.com:5433 as user o\"wner",
            ),
            (server("::1"), "database app at [::1]:5433 as user o\"wner"),
            (
                server("/run/pg"),
                "database app at /run/pg/.s.PGSQL.5433 as user o\"wner",
            ),
            (
                Place::File(PathBuf::from("/a\u{1b}b.db")),
                r"the SQLite file /a\u{1b}b.db",
            ),
        ] {
            assert_eq!(place.to_string(), text);
        }
    }

    #[test]
    fn hints_name_what_is_to_be_looked_up_or_granted() {
        let unknown = ConnectFault::UnknownHost.hint(&server("db.exmaple.com"));
        assert!(
            unknown.contains("`getent hosts db.exmaple.com`"),
            "{unknown}"
        );
        let denied = ConnectFault::MayNotConnect.hint(&server("h"));
        assert!(
            denied.ends_with(r#"GRANT CONNECT ON DATABASE "app" TO "o""wner";"#),
            "{denied}"
        );
    }

    #[test]
    fn a_wrong_password_is_told_with_where_it_came_from() {
        let hint = |password| login_hint("28P01", password);
        assert!(hint(PasswordSource::Url).contains("%40"));
        assert!(hint(PasswordSource::Variable).contains("PGPASSWORD has this password"));
        assert!(hint(PasswordSource::File).contains("the URL has no password"));
        assert!(login_hint("28000", PasswordSource::Url).contains("pg_hba.conf"));
    }

    #[test]
    fn what_must_be_corrected_is_not_tried_again() {
        assert!(ConnectFault::Refused.may_pass_soon());
        for fault in [
            ConnectFault::NoDatabase,
            ConnectFault::NotPostgres,
            ConnectFault::MayNotConnect,
        ] {
            assert!(!fault.may_pass_soon(), "{fault}");
        }
    }
}
