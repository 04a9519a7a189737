//! Flyway's placeholders, `${name}`: filled from what was given, or named with their lines.
//! Values go into the text as they are: they are the operator's, as the file is.

/// Fills the placeholders of `text`.
///
/// # Errors
/// One line of words for each placeholder that has no value; those in comments need none.
pub(super) fn fill(text: &str, vars: &[(String, String)]) -> Result<String, Vec<String>> {
    let mut filled = String::with_capacity(text.len());
    let mut faults = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find("${") {
        let (before, from) = rest.split_at(begin);
        filled.push_str(before);
        let Some(name) = from[2..].split('}').next().filter(is_name) else {
            filled.push_str("${");
            rest = &from[2..];
            continue;
        };
        let whole = &from[..name.len() + 3];
        match vars.iter().find(|(given, _)| given == name) {
            Some((_, value)) => filled.push_str(value),
            None => {
                let at = text.len() - from.len();
                if !in_comment(&text[..at]) {
                    let line = text[..at].matches('\n').count() + 1;
                    faults.push(format!(
                        "line {line} has the placeholder {whole}: give it with --var {name}=VALUE"
                    ));
                }
                filled.push_str(whole);
            }
        }
        rest = &from[whole.len()..];
    }
    filled.push_str(rest);
    if faults.is_empty() {
        Ok(filled)
    } else {
        Err(faults)
    }
}

fn is_name(name: &&str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | ':' | '-');
    !name.is_empty() && name.chars().all(fits)
}

fn in_comment(before: &str) -> bool {
    let line = before.rsplit('\n').next().unwrap_or_default();
    line.trim_start().starts_with("--")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_or_named_by_line() {
        let vars = [("owner".to_owned(), "app".to_owned())];
        let text = "-- ${who}\nGRANT SELECT ON a TO ${owner};\nSELECT '$${}', '${ no}';";
        assert_eq!(fill(text, &vars).unwrap(), text.replace("${owner}", "app"));
        let faults = fill(text, &[]).unwrap_err();
        assert_eq!(
            faults,
            ["line 2 has the placeholder ${owner}: give it with --var owner=VALUE"]
        );
    }
}
