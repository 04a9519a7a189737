//! What the text of SQLite's schema mentions, for facts that no pragma tells.
//! Owns a rough reading of SQL by words. It may see a name in a comment or a string, and so report
//! that an object depends on a column which it does not use; it never misses one that does.

/// Whether a text mentions a name as a word, in any case, quoted or not.
pub(crate) fn mentions(sql: &str, name: &str) -> bool {
    let (sql, name) = (sql.to_lowercase(), name.to_lowercase());
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    sql.match_indices(&name).any(|(at, found)| {
        !sql[..at].ends_with(is_word) && !sql[at + found.len()..].starts_with(is_word)
    })
}

/// The conditions of the CHECK constraints in a CREATE TABLE.
pub(crate) fn checks(create_table: &str) -> Vec<&str> {
    let lower = create_table.to_ascii_lowercase();
    let mut found = Vec::new();
    for (at, word) in lower.match_indices("check") {
        let after = &create_table[at + word.len()..];
        let before_is_word = lower[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        if let Some(body) = after
            .trim_start()
            .strip_prefix('(')
            .filter(|_| !before_is_word)
        {
            found.push(balanced(body));
        }
    }
    found
}

/// The text up to the parenthesis that closes the one before `body`.
fn balanced(body: &str) -> &str {
    let mut depth = 1_usize;
    for (at, character) in body.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &body[..at];
        }
    }
    body
}

/// The event of a trigger, from the text before its body: whether it is BEFORE, on INSERT, on
/// UPDATE.
pub(crate) fn trigger_event(create_trigger: &str) -> (bool, bool, bool) {
    let lower = create_trigger.to_ascii_lowercase();
    let head = lower.split("begin").next().unwrap_or_default();
    let head = head.split(" when ").next().unwrap_or_default();
    let instead = mentions(head, "instead");
    let before = mentions(head, "before") || (!instead && !mentions(head, "after"));
    (before, mentions(head, "insert"), mentions(head, "update"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_as_a_word_only() {
        assert!(mentions("SELECT \"SSN\", x FROM t", "ssn"));
        assert!(mentions("ssn", "ssn"));
        assert!(!mentions("SELECT ssn_sealed, old_ssn FROM t", "ssn"));
    }

    #[test]
    fn each_check_is_read_to_its_closing_parenthesis() {
        let sql =
            "CREATE TABLE t (a CHECK (length(a) > (1)), recheck(x), CONSTRAINT c CHECK(b IN (1)))";
        assert_eq!(checks(sql), ["length(a) > (1)", "b IN (1)"]);
    }

    #[test]
    fn a_trigger_without_a_time_is_a_before_trigger() {
        assert_eq!(
            trigger_event("CREATE TRIGGER x UPDATE ON t BEGIN INSERT INTO u VALUES (1); END"),
            (true, false, true)
        );
        assert_eq!(
            trigger_event("CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END"),
            (false, true, false)
        );
    }
}
