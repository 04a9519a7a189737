//! From what a column takes to the text of a value, as the server reads it.
//! Owns widths, ranges and what makes one row's value differ from every other's.

use rand::{Rng, RngExt};

use super::clock;
use super::{At, Words};

/// How a column's values are made.
#[derive(Debug, Clone)]
pub enum Make {
    Text {
        words: Words,
        /// Characters.
        max: Option<usize>,
        /// The words hold the row's number already.
        numbered: bool,
        /// No two rows may be alike.
        apart: bool,
    },
    OneOf(Vec<String>),
    Integer {
        least: i64,
        most: i64,
        apart: bool,
    },
    Decimal {
        least: f64,
        most: f64,
        scale: u32,
        apart: bool,
    },
    /// So many of a hundred are true.
    Boolean(u8),
    /// Minutes after the moment of the row.
    Date {
        minutes: i64,
        apart: bool,
    },
    Moment {
        minutes: i64,
        apart: bool,
    },
    BirthDate,
    TimeOfDay,
    Uuid,
    Bytes(usize),
    Array(Box<Make>),
}

impl Make {
    /// How many values there are to choose from, where that is few.
    pub fn few(&self) -> Option<usize> {
        match self {
            Self::OneOf(list) => Some(list.len()),
            Self::Boolean(_) => Some(2),
            Self::TimeOfDay => Some(64),
            Self::Integer {
                least,
                most,
                apart: false,
            } => usize::try_from(most - least + 1)
                .ok()
                .filter(|few| *few <= 1_000),
            _ => None,
        }
    }

    /// Whether no two rows are alike as it is.
    pub fn differs(&self) -> bool {
        match self {
            Self::Text {
                numbered, apart, ..
            } => *numbered || *apart,
            Self::Integer { apart, .. }
            | Self::Decimal { apart, .. }
            | Self::Date { apart, .. }
            | Self::Moment { apart, .. } => *apart,
            Self::Uuid | Self::Bytes(16..) => true,
            _ => false,
        }
    }

    /// Makes all rows differ; has no effect on what has few values.
    pub fn set_apart(&mut self) {
        match self {
            Self::Text { apart, .. }
            | Self::Integer { apart, .. }
            | Self::Decimal { apart, .. }
            | Self::Date { apart, .. }
            | Self::Moment { apart, .. } => *apart = true,
            _ => {}
        }
    }

    /// The value of a row.
    pub fn value(&self, at: &At) -> String {
        match self {
            Self::Text {
                words,
                max,
                numbered,
                apart,
            } => fitted(
                words(at),
                *max,
                (*apart && !numbered).then_some(at.number()),
            ),
            Self::OneOf(list) if list.is_empty() => String::new(),
            Self::OneOf(list) => at.one(list).clone(),
            Self::Integer {
                least, apart: true, ..
            } => least.saturating_add(at.row.cast_signed()).to_string(),
            Self::Integer { least, most, .. } => {
                at.own().random_range(*least..=*most.max(least)).to_string()
            }
            Self::Decimal {
                least,
                scale,
                apart: true,
                ..
            } => format!("{:.*}", *scale as usize, least + at.row as f64),
            Self::Decimal {
                least, most, scale, ..
            } => {
                let part: f64 = at.own().random();
                format!("{:.*}", *scale as usize, least + (most - least) * part)
            }
            Self::Boolean(percent) => (at.own().random_range(0..100) < *percent).to_string(),
            Self::Date { minutes, apart } => clock::date_text(at, *minutes, *apart),
            Self::Moment { minutes, apart } => clock::moment_text(at, *minutes, *apart),
            Self::BirthDate => clock::birth_date(at),
            Self::TimeOfDay => {
                let quarter = at.own().random_range(0..32);
                format!("{:02}:{:02}:00", 7 + quarter / 4, quarter % 4 * 15)
            }
            Self::Uuid => uuid(at),
            Self::Bytes(size) => format!("\\x{}", hex::encode(bytes(at, *size))),
            Self::Array(of) => array(of, at),
        }
    }

    /// The value of this number among the few.
    pub fn nth(&self, number: usize) -> String {
        match self {
            Self::OneOf(list) => list.get(number).cloned().unwrap_or_default(),
            Self::Boolean(_) => (number == 1).to_string(),
            Self::Integer { least, .. } => (least + number as i64).to_string(),
            _ => format!("{:02}:{:02}:00", 7 + number / 4, number % 4 * 15),
        }
    }
}

/// Within the width, with the row's number at the end where rows must differ.
fn fitted(text: String, max: Option<usize>, number: Option<u64>) -> String {
    let end = number
        .map(|number| format!(" {number}"))
        .unwrap_or_default();
    let Some(max) = max else {
        return text + &end;
    };
    if text.chars().count() + end.len() <= max {
        return text + &end;
    }
    let room = max.saturating_sub(end.len());
    let front: String = text.chars().take(room).collect();
    let whole = format!("{}{end}", front.trim_end());
    let over = whole.chars().count().saturating_sub(max);
    whole.chars().skip(over).collect()
}

/// A version 4 UUID.
fn uuid(at: &At) -> String {
    let mut random = [0; 16];
    at.own().fill_bytes(&mut random);
    uuid::Builder::from_random_bytes(random)
        .into_uuid()
        .to_string()
}

fn bytes(at: &At, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    at.own().fill_bytes(&mut bytes);
    bytes
}

/// One or two elements.
fn array(of: &Make, at: &At) -> String {
    let quoted = |text: String| {
        let inner = text.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{inner}\"")
    };
    let first = of.value(at);
    let other = match of {
        Make::OneOf(list) => list
            .iter()
            .find(|word| **word != first)
            .filter(|_| at.row.is_multiple_of(2))
            .cloned(),
        _ => None,
    };
    let all: Vec<String> = std::iter::once(first).chain(other).map(quoted).collect();
    format!("{{{}}}", all.join(","))
}

#[cfg(test)]
mod tests {
    use super::super::{Draw, fingerprint};
    use super::*;

    #[test]
    fn a_value_fits_its_width_and_keeps_its_number() {
        assert_eq!(
            fitted("Nurse's office".to_owned(), Some(10), Some(417)),
            "Nurse' 417"
        );
        assert_eq!(fitted("Zoë".to_owned(), Some(3), None), "Zoë");
        assert_eq!(fitted("ab".to_owned(), Some(2), Some(417)), "17");
        assert_eq!(fitted("ab".to_owned(), None, Some(1)), "ab 1");
    }

    #[test]
    fn what_is_set_apart_differs_in_every_row() {
        let draw = Draw::new(1, "t");
        for mut make in [
            Make::Integer {
                least: 1,
                most: 9,
                apart: false,
            },
            Make::Moment {
                minutes: 0,
                apart: false,
            },
            Make::Date {
                minutes: 0,
                apart: false,
            },
        ] {
            make.set_apart();
            assert!(make.differs());
            let mut seen = std::collections::HashSet::new();
            for row in 0..2_000 {
                let at = At::new(&draw, row, fingerprint("c"));
                assert!(seen.insert(make.value(&at)), "{make:?}");
            }
        }
    }
}
