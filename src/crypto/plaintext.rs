//! The plaintext of a sealed value: the bytes that stand for a value of each SQL type (docs/FORMAT.md,
//! "The plaintext").
//! Owns the forms of the types whose text is short and fixed, and [`Date`]; values of other types are
//! taken as they are. Without a check, a value that an application sealed in another form would be found
//! only by a restore, or never.

use std::fmt;
use std::str::FromStr;

/// Checks that a value has the form in which PostgreSQL writes values of a type. `sql_type` is the type
/// as SQL writes it (`timestamp(3) with time zone`); types that are not listed in docs/FORMAT.md pass,
/// and so do those of SQLite, where a column of any type can hold text.
///
/// # Errors
/// What the value is not.
pub fn check(sql_type: &str, value: &[u8]) -> Result<(), WrongForm> {
    let form: (fn(&str) -> bool, &'static str) = match sql_type {
        "bytea" => return Ok(()),
        "date" => (is_date, "a date as the server writes it (YYYY-MM-DD)"),
        kind if kind.starts_with("timestamp") => (
            match kind.ends_with("with time zone") {
                true => is_zoned_timestamp,
                false => is_plain_timestamp,
            },
            "a timestamp as the server writes it (YYYY-MM-DD HH:MM:SS)",
        ),
        "boolean" => (is_boolean, "true or false"),
        "smallint" | "integer" | "bigint" => (is_integer, "a whole number as the server writes it"),
        "uuid" => (is_uuid, "a uuid as the server writes it"),
        _ => (|_| true, ""),
    };
    let text = std::str::from_utf8(value).map_err(|_| WrongForm("text"))?;
    match form.0(text) {
        true => Ok(()),
        false => Err(WrongForm(form.1)),
    }
}

/// What a value is not; it never shows the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value is not {0}")]
pub struct WrongForm(&'static str);

/// A day of the proleptic Gregorian calendar, years 1 to 9999, in the form `YYYY-MM-DD`.
///
/// ```
/// use phiseal::crypto::Date;
/// let born: Date = "1952-03-04".parse()?;
/// assert_eq!((born.year, born.month, born.day), (1952, 3, 4));
/// assert_eq!(born.to_string(), "1952-03-04");
/// assert!("1952-02-30".parse::<Date>().is_err());
/// # Ok::<(), phiseal::crypto::WrongForm>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// 1 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

impl FromStr for Date {
    type Err = WrongForm;

    fn from_str(text: &str) -> Result<Self, WrongForm> {
        date(text).ok_or(WrongForm("a day of the years 0001 to 9999, YYYY-MM-DD"))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// Whether the text is a [`Date`].
pub(super) fn is_iso_date(text: &str) -> bool {
    date(text).is_some()
}

fn date(text: &str) -> Option<Date> {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return None;
    };
    let number = |text: &str, len: usize| match text.len() == len && digits(text) {
        true => text.parse::<u16>().ok(),
        false => None,
    };
    let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    let there = year >= 1 && (1..=days).contains(&day);
    there.then_some(Date {
        year,
        month: u8::try_from(month).ok()?,
        day: u8::try_from(day).ok()?,
    })
}

fn is_date(text: &str) -> bool {
    is_infinite(text) || is_day(text.strip_suffix(" BC").unwrap_or(text))
}

fn is_infinite(text: &str) -> bool {
    matches!(text, "infinity" | "-infinity")
}

/// `YYYY-MM-DD`, or with more digits of the year.
fn is_day(text: &str) -> bool {
    let Some((year, rest)) = text.split_once('-') else {
        return false;
    };
    let Some((month, day)) = rest.split_once('-') else {
        return false;
    };
    let long_enough = year.len() == 4 || year.len() > 4 && !year.starts_with('0');
    let between = |text: &str, most: u32| {
        text.len() == 2 && digits(text) && text.parse().is_ok_and(|n: u32| (1..=most).contains(&n))
    };
    long_enough && digits(year) && between(month, 12) && between(day, 31)
}

fn is_plain_timestamp(text: &str) -> bool {
    is_timestamp(text, false)
}

fn is_zoned_timestamp(text: &str) -> bool {
    is_timestamp(text, true)
}

fn is_boolean(text: &str) -> bool {
    matches!(text, "true" | "false")
}

/// A day and a time. A zone must be UTC, the zone in which values are sealed.
fn is_timestamp(text: &str, with_zone: bool) -> bool {
    let plain = text.strip_suffix(" BC").unwrap_or(text);
    let plain = match (plain.strip_suffix("+00"), with_zone) {
        (Some(without), true) => without,
        (None, false) => plain,
        _ => return is_infinite(text),
    };
    let Some((day, time)) = plain.split_once(' ') else {
        return is_infinite(text);
    };
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let parts: Vec<&str> = clock.split(':').collect();
    is_day(day)
        && parts.len() == 3
        && parts.iter().all(|part| part.len() == 2 && digits(part))
        && digits(fraction)
        && fraction.len() <= 6
}

fn is_integer(text: &str) -> bool {
    text.parse::<i64>()
        .is_ok_and(|number| number.to_string() == text)
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(source_type: &str, value: &str) -> bool {
        check(source_type, value.as_bytes()).is_ok()
    }

    #[test]
    fn the_servers_own_text_passes_and_another_does_not() {
        for (kind, good, bad) in [
            (
                "date",
                &["2024-02-29", "0044-03-15 BC", "12024-01-01", "infinity"][..],
                &[
                    "02/29/2024",
                    "2024-2-9",
                    "2024-13-01",
                    "2024-01-32",
                    "",
                    "2024-02-29 00:00:00",
                    "24-01-01",
                ][..],
            ),
            (
                "timestamp without time zone",
                &[
                    "2024-02-29 12:00:00",
                    "2024-02-29 12:00:00.5",
                    "-infinity",
                    "0044-03-15 00:00:00 BC",
                ],
                &[
                    "2024-02-29T12:00:00",
                    "2024-02-29",
                    "2024-02-29 12:00:00+00",
                ],
            ),
            (
                "timestamp(3) with time zone",
                &["2024-02-29 12:00:00.123+00", "infinity"],
                &[
                    "2024-02-29 12:00:00",
                    "2024-02-29 12:00:00+02",
                    "2024-02-29 12:00:00Z",
                ],
            ),
            ("boolean", &["true", "false"], &["t", "TRUE", "1", ""]),
            (
                "bigint",
                &["-7", "0", "9007199254740993"],
                &["+7", "007", "1.0", " 1"],
            ),
            (
                "uuid",
                &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
                &[
                    "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
                    "a0eebc999c0b4ef8bb6d6bb9bd380a11",
                ],
            ),
            ("text", &["anything", ""], &[]),
            ("jsonb", &["{\"a\": 1}"], &[]),
        ] {
            for value in good {
                assert!(judged(kind, value), "{kind}: {value}");
            }
            for value in bad {
                assert!(!judged(kind, value), "{kind}: {value}");
            }
        }
    }

    #[test]
    fn bytes_are_taken_for_bytea_only_and_what_is_refused_is_not_repeated() {
        assert!(check("bytea", &[0xff]).is_ok());
        let refused = check("text", &[0xff]).unwrap_err();
        assert_eq!(refused.to_string(), "the value is not text");
        let refused = check("date", b"123-45-6789").unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains("123"));
    }

    #[test]
    fn a_date_reads_back_as_it_was_written() {
        for text in ["0001-01-01", "2024-02-29", "9999-12-31"] {
            assert_eq!(text.parse::<Date>().unwrap().to_string(), text);
        }
        for bad in [
            "",
            "0000-01-01",
            "2023-02-29",
            "2024-2-09",
            "+024-02-09",
            "12024-01-01",
            "infinity",
        ] {
            assert!(bad.parse::<Date>().is_err(), "{bad}");
        }
    }
}
