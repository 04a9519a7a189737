//! The numbers of migrations, and how they are written.
//! Owns how a version of several parts, as Flyway has them (`1.2`, `2024.05.16.1`), becomes one number
//! that sorts as the parts do and never changes, whatever other files a folder has.
//! Numbers below [`DOTTED`] are those of the files themselves; a migration that is repeated has one
//! below 0, made of its name.

use sha2::{Digest, Sha256};

use super::set::Version;

/// Where the numbers of versions in parts begin.
const DOTTED: Version = 4_000_000_000_000_000_000;

/// How many numbers each class has.
const CLASS: Version = 1_000_000_000_000_000_000;

/// By the digits of the first part: as much room as is left for the others, as powers of ten.
const CLASSES: [(u32, &[u32]); 4] = [(4, &[5, 3, 3, 3]), (8, &[4, 3, 3]), (14, &[4]), (17, &[1])];

/// The version whose parts are written in `text`, between dots or underscores.
///
/// # Errors
/// In words: no number, or one for which there is no room.
pub(super) fn parse_dotted(text: &str) -> Result<Version, &'static str> {
    const TOO_LONG: &str = "its version has more or larger parts than can be kept: at most 17 digits, \
                            or parts such as 9999.99999.999.999.999, 20241231.9999.999.999 or \
                            20241231235959.9999";
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let mut parts: Vec<&str> = text.split(['.', '_']).collect();
    if !parts.iter().copied().all(digits) {
        return Err("its version is not made of numbers");
    }
    // 1.0 is 1.
    while parts.len() > 1 && parts.last().is_some_and(|p| p.bytes().all(|b| b == b'0')) {
        parts.pop();
    }
    let first = parts[0].trim_start_matches('0');
    let class = CLASSES
        .iter()
        .position(|(digits, _)| first.len() <= *digits as usize)
        .ok_or(TOO_LONG)?;
    let room = CLASSES[class].1;
    if parts.len() - 1 > room.len() {
        return Err(TOO_LONG);
    }
    let mut number: Version = first.parse().unwrap_or(0);
    for (at, width) in room.iter().enumerate() {
        let part = parts
            .get(at + 1)
            .map_or("0", |part| part.trim_start_matches('0'));
        if part.len() > *width as usize {
            return Err(TOO_LONG);
        }
        number = number * 10_i64.pow(*width) + part.parse().unwrap_or(0);
    }
    let base = DOTTED + CLASS * Version::try_from(class).unwrap_or(0);
    Ok(base + number)
}

/// The number of a migration that is repeated.
pub(super) fn of_repeatable(name: &str) -> Version {
    let digest = Sha256::digest(name.as_bytes());
    let mut first = [0_u8; 8];
    first.copy_from_slice(&digest[..8]);
    -1 - (Version::from_be_bytes(first) & 0x0fff_ffff_ffff_ffff)
}

pub(super) const fn is_repeatable(version: Version) -> bool {
    version < 0
}

/// Whether it is written in parts.
pub(super) const fn is_dotted(version: Version) -> bool {
    version >= DOTTED
}

/// A version as its file's name has it.
pub(super) fn shown(version: Version) -> String {
    if is_repeatable(version) {
        return "of a repeatable file".to_owned();
    }
    if !is_dotted(version) {
        return version.to_string();
    }
    let class = usize::try_from((version - DOTTED) / CLASS).unwrap_or(usize::MAX);
    let Some((_, room)) = CLASSES.get(class) else {
        return version.to_string();
    };
    let mut rest = (version - DOTTED) % CLASS;
    let mut parts = Vec::new();
    for width in room.iter().rev() {
        let size = 10_i64.pow(*width);
        parts.push(rest % size);
        rest /= size;
    }
    parts.push(rest);
    parts.reverse();
    while parts.len() > 1 && parts.last() == Some(&0) {
        parts.pop();
    }
    let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
    parts.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_in_parts_sort_as_their_parts_and_read_back() {
        let order = [
            "0.1",
            "1",
            "1.1",
            "1.2",
            "1.2.1",
            "1.10",
            "1.107.1",
            "2",
            "10.0.0.1",
            "2018.5.16.12.30",
            "20170113",
            "20170113.2",
            "20180101",
            "20170113113011",
            "20170113113011.1",
            "20170113113011337",
        ];
        let numbers: Vec<Version> = order.iter().map(|v| parse_dotted(v).unwrap()).collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
        for (text, number) in order.iter().zip(numbers) {
            assert_eq!(shown(number), *text);
        }
        assert_eq!(parse_dotted("1_2"), parse_dotted("1.2"));
        assert_eq!(parse_dotted("1.0"), parse_dotted("1"));
        assert_eq!(parse_dotted("001.02"), parse_dotted("1.2"));
    }

    #[test]
    fn a_version_without_room_is_refused() {
        for text in [
            "1.2.3.4.5.6",
            "1.100000",
            "123456789012345678",
            "1.x",
            "1..2",
            "",
        ] {
            assert!(parse_dotted(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_of_files_are_shown_as_they_are() {
        assert_eq!(shown(20), "20");
        assert_eq!(shown(20_251_104_143_000), "20251104143000");
        assert!(is_repeatable(of_repeatable("Views")));
    }
}
