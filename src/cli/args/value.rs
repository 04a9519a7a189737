//! How values of options are parsed. Owns the words for a value that is out of range.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

/// A whole number in this range. The range is told in words, and not as Rust writes one.
pub(super) fn whole_number<T>(
    min: T,
    max: T,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync
where
    T: FromStr + PartialOrd + Display + Copy + Send + Sync + 'static,
{
    move |text| {
        let number: Option<T> = text.parse().ok();
        let within = number.filter(|number| (min..=max).contains(number));
        within.ok_or_else(|| format!("write a whole number from {min} to {max}"))
    }
}

/// A time such as `90s`, `10m` or `0s`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    crate::plan::duration(text).ok_or_else(|| "a time is written as 90s, 10m or 1h30m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_out_of_range_is_refused_with_the_range_in_words() {
        let rows = whole_number(2_u32, 10);
        assert_eq!((rows("2"), rows("10")), (Ok(2), Ok(10)));
        for wrong in ["1", "11", "-3", "x", "", "2.5"] {
            let said = rows(wrong).unwrap_err();
            assert_eq!(said, "write a whole number from 2 to 10", "{wrong}");
        }
    }
}
