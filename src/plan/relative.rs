//! Relative paths of a plan file: they are relative to the folder of the file, wherever a command is
//! run.
//! Owns which settings hold a path. A path that comes from an environment variable or the command
//! line is relative to the working directory, as everywhere. Reads no file.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::{Plan, ProviderSettings, Setting};

/// The parameters of a PostgreSQL URL that hold the path of a file.
const FILES: [&str; 3] = ["sslrootcert", "sslcert", "sslkey"];

impl Plan {
    /// Makes relative paths relative to `folder`, the folder of the plan file. An empty one changes
    /// nothing: the plan file is in the working directory.
    pub fn resolve_paths_from(&mut self, folder: &Path) {
        if folder.as_os_str().is_empty() {
            return;
        }
        let keys = &mut self.keys;
        for provider in std::iter::once(&mut keys.provider).chain(&mut keys.previous) {
            match provider {
                ProviderSettings::File(Setting::Literal(path)) => {
                    *path = SecretString::from(joined(folder, path.expose_secret()));
                }
                // A program without a slash is searched in PATH.
                ProviderSettings::Command(words) => {
                    if let Some(program) = words.first_mut().filter(|word| word.contains('/')) {
                        *program = joined(folder, program);
                    }
                }
                ProviderSettings::File(Setting::Env(_))
                | ProviderSettings::Env(_)
                | ProviderSettings::Unplanned => {}
            }
        }
        if let Setting::Literal(url) = &mut self.database.url {
            *url = SecretString::from(url_from(folder, url.expose_secret()));
        }
    }
}

fn joined(folder: &Path, path: &str) -> String {
    folder.join(path).to_string_lossy().into_owned()
}

/// The URL with the paths in it. They are percent-encoded there, as the folder is.
fn url_from(folder: &Path, url: &str) -> String {
    let folder = encoded(folder);
    if let Some(file) = url.strip_prefix("sqlite:") {
        let file = file.strip_prefix("//").unwrap_or(file);
        return match file.is_empty() || file.starts_with(['/', '?', ':']) {
            true => url.to_owned(),
            false => format!("sqlite://{folder}/{file}"),
        };
    }
    let Some((before, query)) = url.split_once('?') else {
        return url.to_owned();
    };
    let parameters = query.split('&').map(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        // `system` means the authorities of the system.
        let is_path = FILES.contains(&name) && !value.is_empty() && value != "system";
        let is_absolute = value.starts_with('/') || value.to_lowercase().starts_with("%2f");
        match is_path && !is_absolute {
            true => format!("{name}={folder}/{value}"),
            false => parameter.to_owned(),
        }
    });
    format!("{before}?{}", parameters.collect::<Vec<_>>().join("&"))
}

/// A path as it stands in a URL.
fn encoded(path: &Path) -> String {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_' | b'~');
    let mut out = String::new();
    for byte in path.to_string_lossy().bytes() {
        match plain(byte) {
            true => out.push(char::from(byte)),
            false => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(url: &str, keys: &str) -> Plan {
        let text = format!("[database]\nurl = {url:?}\n[keys]\n{keys}\n");
        Plan::parse_settings("phiseal.toml", &text).unwrap()
    }

    fn url(written: &str) -> String {
        let mut plan = plan(written, "provider = \"env\"\nvariable = \"K\"");
        plan.resolve_paths_from(Path::new("/srv/a b"));
        let resolved = plan
            .database
            .url
            .resolve(&|_| Some("sqlite:of-env".to_owned()));
        resolved.unwrap().expose_secret().to_owned()
    }

    #[test]
    fn a_path_in_a_url_is_relative_to_the_folder_of_the_plan() {
        for (written, meant) in [
            ("sqlite:app.db", "sqlite:///srv/a%20b/app.db"),
            (
                "sqlite://d/app.db?mode=rwc",
                "sqlite:///srv/a%20b/d/app.db?mode=rwc",
            ),
            ("sqlite:///app.db", "sqlite:///app.db"),
            ("sqlite::memory:", "sqlite::memory:"),
            ("sqlite://", "sqlite://"),
            ("env:DATABASE_URL", "sqlite:of-env"),
            ("postgres://u:p?x@h/d", "postgres://u:p?x@h/d"),
            (
                "postgres://h/d?sslrootcert=ca.pem&sslmode=verify-ca&sslcert=%2Fc&sslkey=k/e+y",
                "postgres://h/d?sslrootcert=/srv/a%20b/ca.pem&sslmode=verify-ca&sslcert=%2Fc\
                 &sslkey=/srv/a%20b/k/e+y",
            ),
            (
                "postgres://h/d?sslrootcert=system",
                "postgres://h/d?sslrootcert=system",
            ),
        ] {
            assert_eq!(url(written), meant, "{written}");
        }
    }

    #[test]
    fn so_are_the_key_file_and_a_key_command_that_is_named_by_a_path() {
        for (keys, meant) in [
            ("provider = \"file\"\npath = \"k\"", "File(\"/srv/k\")"),
            (
                "provider = \"file\"\npath = \"../k\"",
                "File(\"/srv/../k\")",
            ),
            ("provider = \"file\"\npath = \"/k\"", "File(\"/k\")"),
            ("provider = \"file\"\npath = \"env:K\"", "File(\"of-env\")"),
            (
                "provider = \"command\"\ncommand = [\"./key\", \"x/y\"]",
                "Command([\"/srv/./key\", \"x/y\"])",
            ),
            (
                "provider = \"command\"\ncommand = [\"pass\", \"x/y\"]",
                "Command([\"pass\", \"x/y\"])",
            ),
        ] {
            let more = "[[keys.previous]]\nprovider = \"file\"\npath = \"old\"";
            let mut plan = plan("sqlite:///d", &format!("{keys}\n{more}"));
            plan.resolve_paths_from(Path::new("/srv"));
            let config = plan.keys.provider.resolve(&|_| Some("of-env".to_owned()));
            assert_eq!(format!("{:?}", config.unwrap()), meant, "{keys}");
            let old = plan.keys.previous[0].resolve(&|_| None).unwrap();
            assert_eq!(format!("{old:?}"), "File(\"/srv/old\")");
        }
    }

    #[test]
    fn a_plan_in_the_working_directory_stays_as_it_is_written() {
        let mut plan = plan("sqlite:app.db", "provider = \"file\"\npath = \"k\"");
        plan.resolve_paths_from(Path::new(""));
        let url = plan.database.url.resolve(&|_| None).unwrap();
        assert_eq!(url.expose_secret(), "sqlite:app.db");
        let key = plan.keys.provider.resolve(&|_| None).unwrap();
        assert_eq!(format!("{key:?}"), "File(\"k\")");
    }
}
