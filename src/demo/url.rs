//! The URL of a database beside another one, on the same server.

/// The same server, user and options, and another database.
pub fn with_database(url: &str, name: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
    let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
    let server = place.split_once('/').map_or(place, |(server, _)| server);
    let options: Vec<&str> = options
        .split('&')
        .filter(|option| !option.is_empty() && !option.starts_with("dbname="))
        .collect();
    let sign = if options.is_empty() { "" } else { "?" };
    format!("{scheme}://{server}/{name}{sign}{}", options.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_database_of_a_url_is_another() {
        let url = |url| with_database(url, "d");
        assert_eq!(url("postgres://u:p@h:5433/app"), "postgres://u:p@h:5433/d");
        assert_eq!(url("postgres://h"), "postgres://h/d");
        assert_eq!(
            url("postgresql://h/app?sslmode=require&dbname=x"),
            "postgresql://h/d?sslmode=require"
        );
        assert_eq!(
            url("postgres:///app?host=/run/pg"),
            "postgres:///d?host=/run/pg"
        );
    }
}
