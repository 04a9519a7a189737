//! What both stores say of a URL.
//! Owns the message for a parameter that phiseal does not know. It names the parameter, never a value.

/// A longer name is not a parameter's and may be a part of a value.
const NAME_CHARS_MAX: usize = 40;

/// The fault of a parameter that is not one of `known`: with the nearest one, or with all.
pub(super) fn unknown_parameter(name: &str, known: &[&str]) -> String {
    // A name that is not a plain word may be a part of a value, so the message does not repeat it.
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(plain) {
        return "it has a parameter that phiseal does not know".to_owned();
    }
    let near = known
        .iter()
        .map(|known| (strsim::osa_distance(&name.to_lowercase(), known), known))
        .filter(|(distance, known)| *distance <= (known.len() / 3).max(1))
        .min();
    match near {
        Some((_, known)) => {
            format!("phiseal does not know the parameter {name}: did you mean {known}?")
        }
        None => format!(
            "phiseal does not know the parameter {name}; it knows {}",
            known.join(", ")
        ),
    }
}
