//! Counts with their noun, for messages. Owns the plural, and nothing else of a sentence.

/// `1 row`, `2 rows`.
pub fn counted(count: impl TryInto<u64>, one: &str) -> String {
    let count = count.try_into().unwrap_or_default();
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {one}{plural}")
}
