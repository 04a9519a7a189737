//! The context of a column: tenant, table label and column label, bound into its key and its
//! values.
//! Owns the length-prefixed joining of fields. With it, no two different lists of fields have the
//! same encoding.

/// Where a value belongs: tenant, table label, column label. None of them is secret.
///
/// The labels were recorded at registration and do not follow a rename.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Context(Box<[u8]>);

impl Context {
    /// The context of a column, for one tenant; `tenant` is empty where the table has none.
    pub fn new(tenant: &str, table_label: &str, column_label: &str) -> Self {
        let fields = [tenant, table_label, column_label];
        let mut bytes =
            Vec::with_capacity(12 + fields.iter().map(|field| field.len()).sum::<usize>());
        for field in fields {
            push_length_prefixed(&mut bytes, field.as_bytes());
        }
        Self(bytes.into_boxed_slice())
    }

    /// `LP(tenant) ‖ LP(table label) ‖ LP(column label)`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Appends `LP(field)`: its length as four bytes, big-endian, and the field.
pub(super) fn push_length_prefixed(out: &mut Vec<u8>, field: &[u8]) {
    // No field reaches this limit: a PostgreSQL value is at most 1 GiB, an SQLite value at most 2
    // GiB.
    let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(field);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_told_apart_by_their_lengths() {
        assert_ne!(Context::new("a", "b", "c"), Context::new("ab", "", "c"));
        assert_ne!(Context::new("", "a", "b"), Context::new("a", "", "b"));
        assert_eq!(
            Context::new("t", "", "é").as_bytes(),
            b"\0\0\0\x01t\0\0\0\0\0\0\0\x02\xc3\xa9"
        );
    }
}
