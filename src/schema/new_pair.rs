//! `migrate new`: an empty pair of files, named as the folder's others are.
//! Owns the choice of name and number. Writes nothing over a file that is there.

use std::fs::OpenOptions;
use std::path::Path;

use jiff::Timestamp;

use super::error::MigrateError;
use super::folder;
use super::names::{FileName, is_flyways};
use super::version;
use crate::error::io_fault;

/// How the newest file of a folder is named.
enum Convention {
    /// `20251104_143000_what`
    Day,
    /// A number of so many digits, what follows it, and how the way up ends.
    Number {
        number: i64,
        width: usize,
        separator: char,
        up: &'static str,
    },
    /// `V1_3__what`, `U1_3__what`
    Flyway { next: String },
}

/// Writes the pair into the folder `dir` and returns the files' names.
///
/// # Errors
/// [`MigrateError::Folder`]: the folder cannot be read or written, or the name is no name.
pub fn new_files(dir: &Path, name: &str) -> Result<Vec<String>, MigrateError> {
    let fault = |why: String| MigrateError::Folder { faults: vec![why] };
    let io =
        |error: std::io::Error| fault(format!("{}: {}", dir.display(), io_fault::words(&error)));
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.is_empty() || !name.chars().all(fits) {
        return Err(fault(format!(
            "'{name}': a name has letters, digits, _ and -"
        )));
    }
    let files = folder::names(dir).map_err(io)?;
    let pair = names(&files, name, Timestamp::now());
    for file in &pair {
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(dir.join(file));
        made.map_err(|error| fault(format!("{file}: {}", io_fault::words(&error))))?;
    }
    Ok(pair)
}

/// The names of the pair, way up first.
fn names(files: &[String], name: &str, now: Timestamp) -> Vec<String> {
    match convention(files, now) {
        Convention::Day => {
            let stem = format!("{}_{name}", now.strftime("%Y%m%d_%H%M%S"));
            vec![format!("{stem}.sql"), format!("{stem}.down.sql")]
        }
        Convention::Number {
            number,
            width,
            separator,
            up,
        } => {
            let stem = format!("{number:0width$}{separator}{name}");
            vec![format!("{stem}{up}"), format!("{stem}.down.sql")]
        }
        Convention::Flyway { next } => {
            vec![
                format!("V{next}__{name}.sql"),
                format!("U{next}__{name}.sql"),
            ]
        }
    }
}

fn convention(files: &[String], now: Timestamp) -> Convention {
    let parsed = files.iter().filter_map(|file| {
        let parsed = FileName::parse(file).ok()?;
        (!version::is_repeatable(parsed.version)).then_some((parsed.version, file))
    });
    let Some((newest, file)) = parsed.max() else {
        return Convention::Day;
    };
    if is_flyways(file) {
        return Convention::Flyway {
            next: behind(&version::shown(newest), now),
        };
    }
    let digits = file.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 8 && version_digits(newest) == 14 {
        return Convention::Day;
    }
    let ups = files.iter().any(|file| file.ends_with(".up.sql"));
    let separator = file[digits..].chars().next().unwrap_or('_');
    Convention::Number {
        number: match digits {
            14 => stamp(now).parse().unwrap_or(newest + 1),
            13 => now.as_second() * 1000,
            _ => newest + 1,
        }
        .max(newest + 1),
        width: digits,
        separator: if separator == '-' { '-' } else { '_' },
        up: if ups { ".up.sql" } else { ".sql" },
    }
}

fn version_digits(version: i64) -> usize {
    version.to_string().len()
}

/// The last part one higher; a time is followed by the time of now.
fn behind(newest: &str, now: Timestamp) -> String {
    let mut parts: Vec<i64> = newest.split('.').filter_map(|p| p.parse().ok()).collect();
    if let [one] = parts[..]
        && version_digits(one) == 14
    {
        return stamp(now).parse().unwrap_or(one).max(one + 1).to_string();
    }
    if let Some(last) = parts.last_mut() {
        *last += 1;
    }
    let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
    parts.join("_")
}

/// `20251104143000`, in UTC.
fn stamp(now: Timestamp) -> String {
    now.strftime("%Y%m%d%H%M%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2025-11-04T14:30:00Z";

    fn of(files: &[&str]) -> Vec<String> {
        let files: Vec<String> = files.iter().map(|f| (*f).to_owned()).collect();
        names(&files, "add_x", NOW.parse().unwrap())
    }

    #[test]
    fn a_pair_is_named_as_the_others_of_its_folder() {
        for (files, up, down) in [
            (
                &[][..],
                "20251104_143000_add_x.sql",
                "20251104_143000_add_x.down.sql",
            ),
            (
                &["20240101_000000_a.sql"],
                "20251104_143000_add_x.sql",
                "20251104_143000_add_x.down.sql",
            ),
            (
                &["00020-a.up.sql", "00020-a.down.sql"],
                "00021-add_x.up.sql",
                "00021-add_x.down.sql",
            ),
            (&["0007_a.sql"], "0008_add_x.sql", "0008_add_x.down.sql"),
            (
                &["20240101000000-a.sql"],
                "20251104143000-add_x.sql",
                "20251104143000-add_x.down.sql",
            ),
            (
                &["1704067200000_a.sql"],
                "1762266600000_add_x.sql",
                "1762266600000_add_x.down.sql",
            ),
            (
                &["V1_9__a.sql", "R__v.sql"],
                "V1_10__add_x.sql",
                "U1_10__add_x.sql",
            ),
            (
                &["V20240101000000__a.sql"],
                "V20251104143000__add_x.sql",
                "U20251104143000__add_x.sql",
            ),
        ] {
            assert_eq!(of(files), [up, down]);
        }
    }
}
