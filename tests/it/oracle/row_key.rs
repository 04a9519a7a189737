//! Row keys: from the text of a key column, as the database gives it, to the bytes of the format.

use super::format::lp;

/// A type of key column, as the format groups them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    Int,
    Uuid,
    Text,
    Numeric,
    Date,
    Timestamp,
    Bytes,
    Bool,
}

/// The value of one key column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPart {
    Int(i64),
    Uuid([u8; 16]),
    Text(String),
    Numeric(String),
    Date(String),
    /// Microseconds since 1970-01-01 UTC.
    Timestamp(i64),
    Bytes(Vec<u8>),
    Bool(bool),
}

impl KeyType {
    /// From an SQL type name, the tag of the format, or the word the worked examples use.
    pub fn named(name: &str) -> Result<Self, String> {
        let bare = name.to_lowercase();
        let bare = bare.split('(').next().unwrap_or_default().trim();
        Ok(match bare {
            "i" | "int" | "smallint" | "integer" | "bigint" | "int2" | "int4" | "int8" => Self::Int,
            "u" | "uuid" => Self::Uuid,
            "t" | "text" | "character varying" | "varchar" | "citext" | "character" | "char"
            | "bpchar" => Self::Text,
            "n" | "numeric" | "decimal" => Self::Numeric,
            "d" | "date" => Self::Date,
            "z"
            | "timestamp"
            | "timestamptz"
            | "timestamp without time zone"
            | "timestamp with time zone" => Self::Timestamp,
            "b" | "bytea" | "bytes" | "blob" => Self::Bytes,
            "o" | "bool" | "boolean" => Self::Bool,
            _ => return Err(format!("{name} is no type of a key")),
        })
    }
}

impl KeyPart {
    /// From the text of `column::text` in a UTC session with ISO dates and hexadecimal bytea.
    pub fn from_sql(key_type: KeyType, text: &str) -> Result<Self, String> {
        let wrong = || format!("not a key of type {key_type:?}");
        Ok(match key_type {
            KeyType::Int => Self::Int(text.parse().map_err(|_| wrong())?),
            KeyType::Uuid => {
                let digits = hex::decode(text.replace('-', "")).map_err(|_| wrong())?;
                Self::Uuid(digits.try_into().map_err(|_| wrong())?)
            }
            KeyType::Text => Self::Text(text.to_owned()),
            KeyType::Numeric => Self::Numeric(trim_scale(text).ok_or_else(wrong)?),
            KeyType::Date => {
                civil(text).ok_or_else(wrong)?;
                Self::Date(text.to_owned())
            }
            KeyType::Timestamp => Self::Timestamp(micros(text).ok_or_else(wrong)?),
            KeyType::Bytes => {
                let digits = text.strip_prefix("\\x").unwrap_or(text);
                Self::Bytes(hex::decode(digits).map_err(|_| wrong())?)
            }
            KeyType::Bool => Self::Bool(text.parse().map_err(|_| wrong())?),
        })
    }

    fn encode(&self) -> Vec<u8> {
        let (tag, value) = match self {
            Self::Int(v) => (b'i', v.to_be_bytes().to_vec()),
            Self::Uuid(v) => (b'u', v.to_vec()),
            Self::Text(v) => (b't', v.as_bytes().to_vec()),
            Self::Numeric(v) => (b'n', v.as_bytes().to_vec()),
            Self::Date(v) => (b'd', v.as_bytes().to_vec()),
            Self::Timestamp(v) => (b'z', v.to_be_bytes().to_vec()),
            Self::Bytes(v) => (b'b', v.clone()),
            Self::Bool(v) => (b'o', vec![u8::from(*v)]),
        };
        lp(&[vec![tag], value].concat())
    }
}

/// The row key of all its parts, in their registered order.
pub fn row_key(parts: &[KeyPart]) -> Vec<u8> {
    parts.iter().flat_map(KeyPart::encode).collect()
}

fn trim_scale(text: &str) -> Option<String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return None; // NaN, Infinity
    }
    Some(match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    })
}

// Years 0001 to 9999: four digits, and no BC after them.
fn civil(text: &str) -> Option<(i64, i64, i64)> {
    let fields: Vec<&str> = text.split('-').collect();
    let [year, month, day] = fields[..] else {
        return None;
    };
    let number = |field: &str, width| {
        let plain = field.len() == width && field.chars().all(|c| c.is_ascii_digit());
        plain.then(|| field.parse().ok()).flatten()
    };
    Some((number(year, 4)?, number(month, 2)?, number(day, 2)?))
}

// `2024-02-29 13:01:02.345678`, with `+00` after it for timestamptz, ` BC` for years before 1.
fn micros(text: &str) -> Option<i64> {
    let (text, bc) = match text.strip_suffix(" BC") {
        Some(text) => (text, true),
        None => (text, false),
    };
    let (date, time) = text.split_once(' ')?;
    let time = time.strip_suffix("+00").unwrap_or(time);
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut date = date.split('-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let year = if bc { 1 - year } else { year };
    let mut seconds = days_since_1970(year, month, day) * 24;
    for (field, unit) in clock.split(':').zip([1, 60, 60]) {
        seconds = seconds * unit + field.parse::<i64>().ok()?;
    }
    let fraction: i64 = format!("{fraction:0<6}").parse().ok()?;
    seconds.checked_mul(1_000_000)?.checked_add(fraction)
}

// Counted from the length of years and months, to owe nothing to a library or a trick.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    const BEFORE_MONTH: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap = year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
    let leaps_before = |y: i64| {
        let last = y - 1;
        last.div_euclid(4) - last.div_euclid(100) + last.div_euclid(400)
    };
    let month = usize::try_from(month - 1).unwrap();
    let years = (year - 1970) * 365 + leaps_before(year) - leaps_before(1970);
    years + BEFORE_MONTH[month] + i64::from(leap && month > 1) + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_count_microseconds_from_1970_on_both_sides_of_it() {
        let cases = [
            ("1970-01-01 00:00:00", 0),
            ("1970-01-01 00:00:00.000001+00", 1),
            ("1969-12-31 23:59:59.999999", -1),
            ("2000-03-01 00:00:00+00", 951_868_800_000_000),
            ("2024-02-29 13:01:02.5", 1_709_211_662_500_000),
            ("0001-01-01 00:00:00", -62_135_596_800_000_000),
            ("0001-12-31 00:00:00 BC", -62_135_683_200_000_000),
        ];
        for (text, expected) in cases {
            assert_eq!(micros(text), Some(expected), "{text}");
        }
        assert_eq!(micros("infinity"), None);
    }

    #[test]
    fn keys_without_one_fixed_text_are_refused() {
        for (key_type, text) in [
            (KeyType::Numeric, "NaN"),
            (KeyType::Numeric, "Infinity"),
            (KeyType::Date, "infinity"),
            (KeyType::Date, "10000-01-01"),
            (KeyType::Date, "0044-03-15 BC"),
        ] {
            assert!(KeyPart::from_sql(key_type, text).is_err(), "{text}");
        }
        assert!(KeyType::named("double precision").is_err());
    }

    #[test]
    fn numeric_keys_lose_the_zeros_that_say_nothing() {
        for (text, trimmed) in [
            ("100", "100"),
            ("1.50", "1.5"),
            ("0.00", "0"),
            ("-2.0", "-2"),
        ] {
            assert_eq!(trim_scale(text).as_deref(), Some(trimmed));
        }
    }
}
