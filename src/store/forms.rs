//! What the values of a column look like, as counts: the database matches a sample of them against forms and
//! answers with numbers only, so no value leaves it.
//! Owns the forms and their SQL; a store says how its database matches a picture, and takes the sample.
//! A form means the same in both databases: each is made of the tests of `Test`.

mod sql;

use crate::words::word_enum;
pub(crate) use sql::{FormDialect, columns};

/// The most rows of a table that are matched.
pub const SAMPLE_ROWS_MAX: u32 = 1_000;
/// The most characters of a value that are matched.
pub const SAMPLE_CHARACTERS_MAX: u32 = 200;

word_enum! {
    /// The form of a value's text.
    Form {
        /// A US social security number with its dashes.
        Ssn = "social security number",
        /// An e-mail address.
        Email = "e-mail address",
        /// A telephone number with a sign between or before its digits.
        Phone = "telephone number",
        /// An address of the internet protocol.
        Ip = "IP address",
        /// A postcode of the USA, the United Kingdom or Canada.
        Postcode = "postcode",
        /// A number, then words: a house and its street.
        Street = "street address",
        /// A day from 1900 until today.
        Day = "day",
        /// Such a day that is more than 18 years ago.
        LongAgo = "day more than 18 years ago",
        /// A diagnosis code of ICD-10 with its dot.
        Icd = "ICD-10 code",
        /// Digits, perhaps with some letters: the number of a record, policy or licence.
        Number = "record number",
        /// Five words or more.
        Prose = "sentence",
        /// A UUID.
        Uuid = "UUID",
        /// The digest of a password, or another one in hex digits.
        Digest = "digest",
    }
}

/// How many values of a sample have which form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FormCounts {
    /// Values that are neither NULL nor blank.
    pub values: u64,
    /// Different ones among them.
    pub distinct: u64,
    matching: [u64; Form::ALL.len()],
}

impl FormCounts {
    /// The counts of a sample, those of the forms in the order of [`Form::ALL`]; missing ones are 0.
    #[must_use]
    pub fn new(values: u64, distinct: u64, matching: &[u64]) -> Self {
        let mut counts = Self {
            values,
            distinct,
            ..Self::default()
        };
        for (count, given) in counts.matching.iter_mut().zip(matching) {
            *count = *given;
        }
        counts
    }

    /// How many values have this form.
    #[must_use]
    pub fn of(&self, form: Form) -> u64 {
        self.matching[form as usize]
    }

    /// The share of values that have this form, in percent, rounded down; 0 if there are no values.
    #[must_use]
    pub fn percent(&self, form: Form) -> u64 {
        (self.of(form) * 100).checked_div(self.values).unwrap_or(0)
    }
}

/// A test of a text that every database can make.
pub(crate) enum Test {
    /// It looks like this picture: `9` is a digit, `A` a letter of ASCII, `?` any character, `*` any number of
    /// them; every other character means itself.
    Like(&'static str),
    /// It has only characters of this set, as between the brackets of a regular expression.
    Only(&'static str),
    /// It has so many digits.
    Digits(u32, u32),
    /// It has so many characters that are no digits.
    Others(u32, u32),
    /// It has so many characters.
    Length(u32, u32),
    /// It has this character so many times.
    Has(char, u32, u32),
    /// It is a day, year first, from 1900 until so many years ago.
    DayBefore(u32),
    /// It fails the test.
    Not(&'static Test),
    /// It passes every test.
    All(&'static [Test]),
    /// It passes one of the tests.
    Any(&'static [Test]),
}

const MANY: u32 = 1_000_000;
const SSN: Test = Test::Like("999-99-9999");
const DATE: Test = Test::Any(&[
    Test::Like("9999-99-99*"),
    Test::Like("9999/99/99*"),
    Test::Like("99/99/9999*"),
    Test::Like("9/9*/9999*"),
    Test::Like("99.99.9999*"),
]);
const IP: Test = Test::Any(&[
    Test::All(&[
        Test::Only("0-9./"),
        Test::Has('.', 3, 3),
        Test::Digits(4, 14),
    ]),
    Test::All(&[
        Test::Only("0-9A-Fa-f:./"),
        Test::Has(':', 2, 7),
        // A time of the day, and the address of a network card.
        Test::Not(&Test::Like("9*:99:99*")),
        Test::Not(&Test::Like("??:??:??:??:??:??")),
    ]),
]);
const DECIMAL: Test = Test::All(&[Test::Only("0-9."), Test::Has('.', 1, 1)]);
const DIGEST: Test = Test::Any(&[
    Test::Like("$2?$*"),
    Test::Like("$argon2*"),
    Test::Like("pbkdf2*"),
    Test::All(&[Test::Only("0-9A-Fa-f"), Test::Length(32, 128)]),
]);

impl Form {
    /// What a text of this form passes.
    pub(crate) const fn test(self) -> &'static Test {
        match self {
            Self::Ssn => &SSN,
            Self::Email => &Test::All(&[
                Test::Like("*?@?*.??*"),
                Test::Has('@', 1, 1),
                Test::Has(' ', 0, 0),
            ]),
            Self::Phone => &Test::All(&[
                Test::Only("-0-9 ()+./x"),
                Test::Digits(7, 15),
                Test::Others(1, 12),
                Test::Not(&Test::Like("-*")),
                Test::Not(&SSN),
                Test::Not(&DATE),
                Test::Not(&IP),
                Test::Not(&DECIMAL),
            ]),
            Self::Ip => &IP,
            Self::Postcode => &Test::Any(&[
                Test::Like("99999"),
                Test::Like("99999-9999"),
                Test::Like("A9A 9A9"),
                Test::All(&[Test::Like("A*9* 9AA"), Test::Length(6, 8)]),
            ]),
            Self::Street => &Test::All(&[
                Test::Like("9* A*"),
                Test::Length(8, 100),
                Test::Digits(1, 12),
            ]),
            Self::Day => &Test::DayBefore(0),
            Self::LongAgo => &Test::DayBefore(18),
            Self::Icd => &Test::All(&[
                Test::Any(&[Test::Like("A99.?*"), Test::Like("A9A.?*")]),
                Test::Length(5, 8),
            ]),
            Self::Number => &Test::All(&[
                Test::Only("-0-9A-Za-z"),
                Test::Digits(5, 14),
                Test::Others(0, 5),
                Test::Not(&SSN),
                Test::Not(&DATE),
            ]),
            Self::Prose => &Test::Has(' ', 4, MANY),
            Self::Uuid => &Test::All(&[
                Test::Like("????????-????-????-????-????????????"),
                Test::Only("-0-9A-Fa-f"),
            ]),
            Self::Digest => &DIGEST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_of_the_values_and_nothing_is_no_share() {
        let mut matching = [0; Form::ALL.len()];
        matching[Form::Email as usize] = 2;
        let counts = FormCounts::new(3, 3, &matching);
        assert_eq!(
            (counts.of(Form::Email), counts.percent(Form::Email)),
            (2, 66)
        );
        assert_eq!(counts.percent(Form::Ssn), 0);
        assert_eq!(FormCounts::default().percent(Form::Ssn), 0);
    }
}
