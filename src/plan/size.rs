//! Sizes written as text, such as `"4MiB"`.
//! Owns only their notation; callers check ranges.

/// Parses `4MiB`, `512 KiB`, `100B` into bytes; units are powers of 1024.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let unit: u64 = match unit.trim_start_matches(' ') {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    digits(number)?.checked_mul(unit)
}

/// A size in the largest unit that gives a whole number; [`bytes`] parses it.
pub(super) fn shown_bytes(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units
        .into_iter()
        .find(|(unit, _)| bytes.is_multiple_of(*unit))
    {
        Some((unit, name)) => format!("{}{name}", bytes / unit),
        None => format!("{bytes}B"),
    }
}

fn digits(text: &str) -> Option<u64> {
    // `parse` alone would also accept a sign.
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if all { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_units_of_1024() {
        for (text, size) in [
            ("0B", Some(0)),
            ("100B", Some(100)),
            ("4KiB", Some(4096)),
            ("4 MiB", Some(4 << 20)),
            ("1GiB", Some(1 << 30)),
            ("4MB", None),
            ("4", None),
            ("MiB", None),
            ("+4MiB", None),
            ("1.5MiB", None),
            ("99999999999999GiB", None),
            ("", None),
        ] {
            assert_eq!(bytes(text), size, "{text}");
        }
    }

    #[test]
    fn a_shown_size_reads_back() {
        for size in [1, 1000, 1 << 10, 512 << 20, 3 << 30] {
            assert_eq!(bytes(&shown_bytes(size)), Some(size));
        }
    }
}
