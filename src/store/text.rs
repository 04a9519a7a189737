//! The text of statements, as both stores make it.

/// Joins the texts that `one` makes of the items.
pub(super) fn joined<T>(
    items: impl IntoIterator<Item = T>,
    between: &str,
    one: impl FnMut(T) -> String,
) -> String {
    let texts: Vec<String> = items.into_iter().map(one).collect();
    texts.join(between)
}
