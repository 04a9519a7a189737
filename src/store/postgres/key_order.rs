//! Comparisons of row keys with cursors, in the order that the server sorts keys.
//! Owns which operator compares a key column. `ORDER BY` takes it from the type, a comparison by its
//! name from the search path; the name of an extension's operator therefore has its schema here, so
//! that `citext > citext` never becomes `text > text` and no row is skipped.

use crate::store::KeyColumn;

/// On which side of a cursor a row lies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Behind it.
    After,
    /// Before it, or at it.
    UpTo,
}

/// The condition that the key `left`, one expression a column, lies on this side of `right`.
pub(super) fn condition(
    keys: &[KeyColumn],
    left: &[String],
    side: Side,
    right: &[String],
) -> String {
    let own_type = |key: &KeyColumn| key.type_schema.is_none();
    if keys.iter().all(own_type) {
        let sign = match side {
            Side::After => ">",
            Side::UpTo => "<=",
        };
        return format!("({}) {sign} ({})", left.join(", "), right.join(", "));
    }
    // A row comparison has one operator name for all columns, so it is written out. The first
    // column's own bound comes first, since an index can use it.
    let mut columns: Vec<(&KeyColumn, &String, &String)> = keys
        .iter()
        .zip(left)
        .zip(right)
        .map(|((key, left), right)| (key, left, right))
        .collect();
    let Some((key, left, right)) = columns.pop() else {
        return "true".to_owned();
    };
    let (strict, loose) = match side {
        Side::After => (">", ">="),
        Side::UpTo => ("<", "<="),
    };
    let last = match side {
        Side::After => strict,
        Side::UpTo => loose,
    };
    let mut out = format!("{left} {} {right}", operator(key, last));
    for (key, left, right) in columns.into_iter().rev() {
        out = format!(
            "({left} {} {right} AND ({left} {} {right} OR ({left} {} {right} AND {out})))",
            operator(key, loose),
            operator(key, strict),
            operator(key, "="),
        );
    }
    out
}

/// A key column of `alias` as it is compared: of its base type where that is an extension's, since a
/// domain over it could have operators of somebody else's.
pub(super) fn column(key: &KeyColumn, alias: &str) -> String {
    let name = format!("{alias}.{}", key.name.quoted());
    match &key.type_schema {
        Some(_) => format!("({name}::{})", key.cast),
        None => name,
    }
}

/// The comparison operator of this name for a key column.
pub(super) fn operator(key: &KeyColumn, name: &str) -> String {
    match &key.type_schema {
        Some(schema) => format!("OPERATOR({}.{name})", schema.quoted()),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ident::Ident;
    use crate::store::KeyKind;

    fn key(schema: Option<&str>) -> KeyColumn {
        KeyColumn {
            name: Ident::new("k").unwrap(),
            kind: KeyKind::Text,
            cast: "text".to_owned(),
            type_schema: schema.map(|name| Ident::new(name).unwrap()),
        }
    }

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn keys_of_the_servers_own_types_are_compared_as_rows() {
        let keys = [key(None), key(None)];
        let of = |side| condition(&keys, &texts(&["a", "b"]), side, &texts(&["$1", "$2"]));
        assert_eq!(of(Side::After), "(a, b) > ($1, $2)");
        assert_eq!(of(Side::UpTo), "(a, b) <= ($1, $2)");
    }

    #[test]
    fn an_extensions_operator_is_named_with_its_schema() {
        let one = [key(Some("Ext"))];
        let after = condition(&one, &texts(&["a"]), Side::After, &texts(&["$1"]));
        assert_eq!(after, "a OPERATOR(\"Ext\".>) $1");
        let two = [key(None), key(Some("ext"))];
        let upto = condition(&two, &texts(&["a", "b"]), Side::UpTo, &texts(&["$1", "$2"]));
        assert_eq!(
            upto,
            "(a <= $1 AND (a < $1 OR (a = $1 AND b OPERATOR(\"ext\".<=) $2)))"
        );
    }
}
