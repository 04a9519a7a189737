//! Names and Social Security numbers of nobody, for the students and for the rows of the sets.
//! Always holds: no number was ever a real one. Social Security numbers do not begin with 9, and the
//! numbers of the tax office that do begin with 9 have 50 or more in the middle.

/// First names, many of them not plain ASCII.
pub const FIRST: [&str; 40] = [
    "Zoë",
    "Seán",
    "José",
    "Chloë",
    "Björn",
    "Nuño",
    "D'Angelo",
    "Søren",
    "Łukasz",
    "Aïcha",
    "Xóchitl",
    "Mary Ann",
    "Anne-Marie",
    "Noé",
    "Siân",
    "Růžena",
    "Maria",
    "James",
    "Aaliyah",
    "Mateo",
    "Priya",
    "Wei",
    "Fatima",
    "Liam",
    "Olivia",
    "Kwame",
    "Ingrid",
    "Tomás",
    "Yuki",
    "Ana",
    "Li",
    "Bo",
    "Noah",
    "Emma",
    "Amara",
    "Elijah",
    "Sofia",
    "Mohammed",
    "Hannah",
    "Diego",
];
/// Last names, with the marks that are hard to quote.
pub const LAST: [&str; 40] = [
    "O'Brien",
    "Ñandú",
    "D'Souza",
    "Müller",
    "García",
    "Nguyễn",
    "Østergård",
    "Lefèvre",
    "St. John",
    "de la Cruz",
    "van der Berg",
    "Smith-Jones",
    "Łuczak",
    "O'Connor",
    "Çelik",
    "Håkansson",
    "Ibáñez",
    "Peña",
    "Smith",
    "Johnson",
    "Williams",
    "Brown",
    "Chen",
    "Patel",
    "Kim",
    "Okafor",
    "Haddad",
    "Ivanova",
    "Silva",
    "Yamamoto",
    "Begum",
    "Ng",
    "Rivera",
    "Cohen",
    "Tran",
    "Kaya",
    "Novák",
    "Rossi",
    "Andersson",
    "Ali",
];

/// How many Social Security numbers there are: 900 to 999, 00 to 49, 0000 to 9999.
const NUMBERS: u64 = 100 * 50 * 10_000;
/// Odd and no multiple of 5, so that its multiples meet every number once before they repeat.
const STRIDE: u64 = 29_999_999;

/// The `n`th number, unique up to [`NUMBERS`], with `between` between its three parts.
pub fn ssn(n: u64, between: &str) -> String {
    let n = n.wrapping_mul(STRIDE) % NUMBERS;
    let (area, group, serial) = (900 + n / 500_000, n / 10_000 % 50, n % 10_000);
    format!("{area}{between}{group:02}{between}{serial:04}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_number_is_unique_and_in_the_range_nobody_is_given() {
        let mut seen = HashSet::new();
        for n in 0..20_000 {
            let ssn = ssn(n, "");
            assert_eq!((ssn.len(), &ssn[..1]), (9, "9"));
            assert!(ssn[3..5].parse::<u8>().unwrap() < 50);
            assert!(seen.insert(ssn));
        }
    }
}
