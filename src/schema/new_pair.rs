//! `migrate new`: an empty pair of files, named as the folder's others are.
//! Owns the choice of name and number. Writes nothing over a file that is there.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::error::MigrateError;
use super::folder;
use super::names::{FileName, is_flyways};
use super::version;

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
    let io = |error: std::io::Error| fault(format!("{}: {}", dir.display(), error.kind()));
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.is_empty() || !name.chars().all(fits) {
        return Err(fault(format!(
            "{name:?}: a name has letters, digits, _ and -"
        )));
    }
    let files = folder::names(dir).map_err(io)?;
    let pair = names(&files, name, now_seconds());
    for file in &pair {
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(dir.join(file));
        made.map_err(|error| fault(format!("{file}: {}", error.kind())))?;
    }
    Ok(pair)
}

fn now_seconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}

/// The names of the pair, way up first.
fn names(files: &[String], name: &str, now: u64) -> Vec<String> {
    match convention(files, now) {
        Convention::Day => {
            let stem = format!("{}_{name}", day(now));
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

fn convention(files: &[String], now: u64) -> Convention {
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
            13 => i64::try_from(now).unwrap_or(0).saturating_mul(1000),
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
fn behind(newest: &str, now: u64) -> String {
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

/// `20251104_143000`, in UTC.
fn day(now: u64) -> String {
    let stamp = stamp(now);
    format!("{}_{}", &stamp[..8], &stamp[8..])
}

/// `20251104143000`, in UTC. The date from days since 1970 as in Howard Hinnant's `civil_from_days`.
fn stamp(now: u64) -> String {
    let days = i64::try_from(now / 86_400).unwrap_or(0) + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let seconds = now % 86_400;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2025-11-04 14:30:00 UTC.
    const NOW: u64 = 1_762_266_600;

    fn of(files: &[&str]) -> Vec<String> {
        let files: Vec<String> = files.iter().map(|f| (*f).to_owned()).collect();
        names(&files, "add_x", NOW)
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
