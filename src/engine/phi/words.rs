//! Splits the names of tables and columns into words, whatever the spelling.

/// Splits `homePhone_number` into `home`, `phone`, `number`, and `HTTPHost` into `http`, `host`.
#[must_use]
pub fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| letters[before]);
        let after_small = before.is_some_and(|c| c.is_lowercase() || c.is_numeric());
        let after_capital = before.is_some_and(char::is_uppercase);
        let ends_capitals = after_capital && letters.get(at + 1).is_some_and(|c| c.is_lowercase());
        let parts =
            !letter.is_alphanumeric() || (letter.is_uppercase() && (after_small || ends_capitals));
        if parts {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut()
            && letter.is_alphanumeric()
        {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The words of a name without numbers, in the singular: `Phone_Numbers2` gives `phone`, `number`.
#[must_use]
pub fn stems(name: &str) -> Vec<String> {
    let mut stems: Vec<String> = words(name).iter().map(|word| singular(word)).collect();
    stems.retain(|word| !word.is_empty());
    stems
}

/// Whether a list of words with blanks between them has this one.
pub(super) fn is_in(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|one| one == word)
}

fn singular(word: &str) -> String {
    let word = word.trim_end_matches(|c: char| c.is_numeric());
    let keeps = ["ss", "us", "is", "os"]
        .iter()
        .any(|end| word.ends_with(end));
    match word {
        _ if keeps || word.len() < 4 => word.to_owned(),
        _ if word.ends_with("sses") => word[..word.len() - 2].to_owned(),
        _ => match word.strip_suffix("ies") {
            Some(front) => format!("{front}y"),
            None => word.strip_suffix('s').unwrap_or(word).to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_every_common_spelling() {
        for (name, expected) in [
            ("homePhone_number", &["home", "phone", "number"][..]),
            ("SSN", &["ssn"]),
            ("\"Last Name\"", &["last", "name"]),
            ("DOBText", &["dob", "text"]),
            ("patientSSN", &["patient", "ssn"]),
            ("address-line 2", &["address", "line", "2"]),
            ("__", &[]),
        ] {
            assert_eq!(words(name), expected, "{name}");
        }
    }

    #[test]
    fn stems_are_words_in_the_singular_without_numbers() {
        for (name, expected) in [
            ("Phone_Numbers2", &["phone", "number"][..]),
            ("addresses", &["address"]),
            ("allergies", &["allergy"]),
            ("icd10Codes", &["icd", "code"]),
            ("diagnosis_status", &["diagnosis", "status"]),
            ("2", &[]),
        ] {
            assert_eq!(stems(name), expected, "{name}");
        }
    }
}
