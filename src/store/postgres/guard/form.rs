//! The form of a sealed value, as SQL that looks at it.

/// Bytes 2 to 5 of the envelope (docs/FORMAT.md), from either form. -1 if the value is too short.
pub(super) fn key_id_of(value: &str, text: bool) -> String {
    let bytes = if text {
        format!(
            "decode(translate(substr({value}::text COLLATE \"C\", 5, 8), '-_', '+/'), 'base64')"
        )
    } else {
        value.to_owned()
    };
    format!(
        "coalesce(nullif('x' || encode(substr({bytes}, 3, 4), 'hex'), 'x')::bit(32)::bigint, -1)"
    )
}

/// The condition that a value has the text form: `ps1.`, then base64 whose first bytes are 0xE7,
/// suite 1 or 2, and a key id below 2^31; at least 34 bytes in all. Collation "C", because the
/// server does not match patterns under a nondeterministic one.
pub(crate) fn looks_sealed(value: &str) -> String {
    format!(
        "coalesce({value}::pg_catalog.text COLLATE pg_catalog.\"C\" ~ '^ps1[.]5w[EFIJ][A-Za-z0-9_-]{{43,}}$', false)"
    )
}
