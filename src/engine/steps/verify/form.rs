//! Checks that an opened value has the form in which the server writes values of its column's type.
//! Owns the forms of the types whose text is short and fixed; other types pass. Without this check,
//! a value that an application sealed in another form would be found only by a restore, or never.

use crate::store::SourceColumn;

/// Checks the form of a value that has no plaintext to compare with.
///
/// # Errors
/// A message that says what is wrong with the value.
pub(super) fn check(source: &SourceColumn, value: &[u8]) -> Result<(), &'static str> {
    if source.is_bytes {
        return Ok(());
    }
    let text = std::str::from_utf8(value).map_err(|_| "the value is not text")?;
    // A SQLite column of any type can hold text.
    if source.is_varlena_text {
        return Ok(());
    }
    let (fits, why) = match source.sql_type.as_str() {
        "date" => (
            is_date(text),
            "the value is not a date as the server writes it (YYYY-MM-DD)",
        ),
        kind if kind.starts_with("timestamp") => (
            is_timestamp(text, kind.ends_with("with time zone")),
            "the value is not a timestamp as the server writes it (YYYY-MM-DD HH:MM:SS)",
        ),
        "boolean" => (
            matches!(text, "true" | "false"),
            "the value is neither true nor false",
        ),
        "smallint" | "integer" | "bigint" => (
            is_integer(text),
            "the value is not a whole number as the server writes it",
        ),
        "uuid" => (
            is_uuid(text),
            "the value is not a uuid as the server writes it",
        ),
        _ => return Ok(()),
    };
    if fits { Ok(()) } else { Err(why) }
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
        let source = SourceColumn {
            name: "c".parse().unwrap(),
            sql_type: source_type.to_owned(),
            is_bytes: false,
            is_varlena_text: false,
            exists: true,
        };
        check(&source, value.as_bytes()).is_ok()
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
        ] {
            for value in good {
                assert!(judged(kind, value), "{kind}: {value}");
            }
            for value in bad {
                assert!(!judged(kind, value), "{kind}: {value}");
            }
        }
    }
}
