//! How a database URL begins.
//! Owns the words for a beginning that is none. Names a scheme only if it is in its lists: any other
//! word may be a part of something secret.

/// Schemes of other databases, and what they are called.
const OTHERS: [(&str, &str); 13] = [
    ("clickhouse", "ClickHouse"),
    ("db2", "Db2"),
    ("http", "a web server"),
    ("https", "a web server"),
    ("libsql", "libSQL"),
    ("mariadb", "MariaDB"),
    ("mongodb", "MongoDB"),
    ("mssql", "SQL Server"),
    ("mysql", "MySQL"),
    ("oracle", "Oracle"),
    ("redis", "Redis"),
    ("sqlserver", "SQL Server"),
    ("turso", "Turso"),
];

const OURS: [&str; 3] = ["postgres", "postgresql", "sqlite"];
/// As many letters may be wrong in one of ours.
const TYPOS_MAX: usize = 2;
const EXAMPLES: &str = "postgres://user@host:5432/name or sqlite:///path/to/file.db";

/// Checks that the URL is one of PostgreSQL; returns what follows `://`.
///
/// # Errors
/// What is wrong with its beginning.
pub(super) fn after_scheme(url: &str) -> Result<&str, String> {
    let rest = |prefix| url.strip_prefix(prefix);
    if let Some(rest) = rest("postgres://").or_else(|| rest("postgresql://")) {
        return Ok(rest);
    }
    if url.is_empty() {
        return Err("it is empty".to_owned());
    }
    let Some((scheme, rest)) = url.split_once(':') else {
        let file = ["db", "sqlite", "sqlite3"]
            .iter()
            .any(|end| url.ends_with(&format!(".{end}")));
        return Err(
            match (file, url.contains("host=") || url.contains("dbname=")) {
                (true, _) => {
                    "it looks like a path: put sqlite: before the path of an SQLite file".to_owned()
                }
                (_, true) => {
                    "it is a list of parameters: write it as postgres:///?host=...&dbname=..."
                        .to_owned()
                }
                _ => format!("it does not begin with postgres:// or sqlite: as {EXAMPLES} do"),
            },
        );
    };
    let scheme = scheme.to_ascii_lowercase();
    // `postgresql+psycopg2` is SQLAlchemy's, `jdbc:postgresql` Java's.
    if let Some((ours, _)) = scheme
        .split_once('+')
        .filter(|(ours, _)| OURS.contains(ours))
    {
        return Err(format!("leave out what is between {ours} and ://"));
    }
    if scheme == "jdbc" {
        return Err("leave out jdbc: at its beginning".to_owned());
    }
    if OURS.contains(&scheme.as_str()) {
        return Err(match rest.starts_with("//") {
            true => format!("{scheme} is to be written in small letters"),
            false => format!(
                "it needs two slashes behind {scheme}: as in {scheme}://user@host:5432/name"
            ),
        });
    }
    if let Some((_, name)) = OTHERS.iter().find(|(other, _)| *other == scheme) {
        return Err(format!(
            "it is that of {name}; phiseal works with PostgreSQL and SQLite"
        ));
    }
    let near = OURS
        .iter()
        .map(|ours| (strsim::osa_distance(&scheme, ours), *ours))
        .filter(|(distance, _)| *distance <= TYPOS_MAX)
        .min();
    Err(match near {
        Some((_, "sqlite")) => {
            "it does not begin with a known word: did you mean sqlite:?".to_owned()
        }
        Some((_, ours)) => format!("it does not begin with a known word: did you mean {ours}://?"),
        None => format!("it does not begin with postgres:// or sqlite: as {EXAMPLES} do"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_of_postgresql_are_accepted() {
        assert_eq!(after_scheme("postgres://h/d"), Ok("h/d"));
        assert_eq!(after_scheme("postgresql://u@h/d"), Ok("u@h/d"));
    }

    #[test]
    fn each_other_beginning_is_told_in_its_own_words() {
        for (url, part) in [
            ("", "it is empty"),
            ("mysql://u:secret@h/d", "that of MySQL"),
            ("mongodb://u:secret@h/d", "that of MongoDB"),
            ("postgres:/h/secret", "needs two slashes behind postgres"),
            ("postgresql:secret", "needs two slashes behind postgresql"),
            (
                "POSTGRES://h/secret",
                "postgres is to be written in small letters",
            ),
            ("postgre://u:secret@h/d", "did you mean postgres://?"),
            ("postgressql://u:secret@h/d", "did you mean postgresql://?"),
            ("sqllite:///secret.db", "did you mean sqlite:?"),
            (
                "SQLite:///secret.db",
                "sqlite is to be written in small letters",
            ),
            (
                "postgresql+psycopg2://u:secret@h/d",
                "between postgresql and ://",
            ),
            ("jdbc:postgresql://h/secret", "leave out jdbc:"),
            ("./secret.db", "put sqlite: before"),
            ("host=h dbname=secret", "list of parameters"),
            ("secret", "does not begin with postgres:// or sqlite:"),
            (
                "secret://u:secret@h/d",
                "does not begin with postgres:// or sqlite:",
            ),
        ] {
            let said = after_scheme(url).unwrap_err();
            assert!(
                said.contains(part) && !said.contains("secret"),
                "{url}: {said}"
            );
        }
    }
}
