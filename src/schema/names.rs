//! What the name of a file says: version, name, direction, in the conventions of the platforms' own
//! tools.
//!
//! | name | version |
//! | --- | --- |
//! | `20251104_143000_description.sql` | 20251104143000, all 14 digits |
//! | `00020-description.sql`, `20251104143000-description.sql` | the digits |
//! | `1754250020000-description.sql` | the digits, milliseconds |
//! | `…_description.up.sql` and `….down.sql`, or `….sql` and `….down.sql` | as above |
//! | Flyway's `V1_2__what.sql`, `U1_2__what.sql`, `R__what.sql` | 1.2, 1.2 on the way back, none |

use super::set::Version;
use super::version;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileName {
    pub version: Version,
    pub name: String,
    pub way: NamedWay,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NamedWay {
    Up,
    Down,
}

/// Whether a file of this name is to be understood, or refused.
pub(super) fn looks_like_a_migration(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_digit()) || is_flyways(name)
}

/// Whether the name is one of Flyway's: a letter, a version, two underscores.
pub(super) fn is_flyways(name: &str) -> bool {
    let mut letters = name.chars();
    match letters.next() {
        Some('R') => name.starts_with("R__"),
        Some('V' | 'U' | 'B') => {
            letters.next().is_some_and(|c| c.is_ascii_digit()) && name.contains("__")
        }
        _ => false,
    }
}

impl FileName {
    pub fn parse(name: &str) -> Result<Self, &'static str> {
        let stem = name
            .strip_suffix(".sql")
            .ok_or("it is numbered like a migration, but is not SQL")?;
        if is_flyways(stem) {
            return Self::parse_flyways(stem);
        }
        let (stem, way) = match (stem.strip_suffix(".up"), stem.strip_suffix(".down")) {
            (Some(stem), _) => (stem, NamedWay::Up),
            (_, Some(stem)) => (stem, NamedWay::Down),
            (None, None) => (stem, NamedWay::Up),
        };
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let first = digits(stem);
        if first == 0 {
            return Err("its name does not begin with a number");
        }
        let (number, mut rest) = stem.split_at(first);
        let mut number = number.to_owned();
        // A date and a time of day: together, or two files of a day would have one version.
        if first == 8 && rest.starts_with('_') && digits(&rest[1..]) == 6 {
            number.push_str(&rest[1..7]);
            rest = &rest[7..];
        }
        let name = match rest.strip_prefix(['_', '-']) {
            Some(name) => name,
            None if rest.is_empty() => "",
            None => return Err("its number is not followed by '_' or '-'"),
        };
        let version: Version = number.parse().map_err(|_| "its number is too large")?;
        if version::is_dotted(version) {
            return Err("its number is too large");
        }
        if version == 0 {
            return Err("0 is the state before the first migration");
        }
        Ok(Self {
            version,
            name: name.to_owned(),
            way,
        })
    }

    fn parse_flyways(stem: &str) -> Result<Self, &'static str> {
        let (number, name) = stem[1..].split_once("__").unwrap_or_default();
        let way = match stem.as_bytes()[0] {
            b'R' => {
                return Ok(Self {
                    version: version::of_repeatable(name),
                    name: name.to_owned(),
                    way: NamedWay::Up,
                });
            }
            b'B' => {
                return Err(
                    "it is a baseline of Flyway, which stands for all versions up to its own: keep \
                     the versions and leave it out, or `adopt` a database that has it",
                );
            }
            b'U' => NamedWay::Down,
            _ => NamedWay::Up,
        };
        Ok(Self {
            version: version::parse_dotted(number)?,
            name: name.to_owned(),
            way,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(name: &str) -> (Version, String, NamedWay) {
        let file = FileName::parse(name).unwrap();
        (file.version, file.name, file.way)
    }

    #[test]
    fn the_names_of_every_convention_give_version_name_and_way() {
        let (up, down) = (NamedWay::Up, NamedWay::Down);
        for (name, version, stem, way) in [
            ("20251104_143000_add_x.sql", 20_251_104_143_000, "add_x", up),
            (
                "20251104_143001_add_x.down.sql",
                20_251_104_143_001,
                "add_x",
                down,
            ),
            ("00020-create.up.sql", 20, "create", up),
            ("20251104143000-x-y.sql", 20_251_104_143_000, "x-y", up),
            ("1754250020000-tenant.sql", 1_754_250_020_000, "tenant", up),
            ("0001_keys.down.sql", 1, "keys", down),
            ("20251104_add.sql", 20_251_104, "add", up),
            ("7.sql", 7, "", up),
        ] {
            assert_eq!(parsed(name), (version, stem.to_owned(), way), "{name}");
        }
    }

    #[test]
    fn flyways_names_give_versions_in_parts() {
        let version = |text| version::parse_dotted(text).unwrap();
        assert_eq!(
            parsed("V1_2__add_x.sql"),
            (version("1.2"), "add_x".to_owned(), NamedWay::Up)
        );
        assert_eq!(parsed("V1.2__add_x.sql").0, version("1.2"));
        assert_eq!(parsed("U1_2__add_x.sql").2, NamedWay::Down);
        assert!(version::is_repeatable(parsed("R__Views.sql").0));
        for name in [
            "B1__x.sql",
            "V1_x__y.sql",
            "V1__y.java",
            "V1_2_3_4_5_6_7__y.sql",
        ] {
            assert!(
                looks_like_a_migration(name) && FileName::parse(name).is_err(),
                "{name}"
            );
        }
        assert!(!looks_like_a_migration("Views.txt"));
    }
}
