//! Comparisons of row keys in the order in which the server sorts them.
//! Owns the choice of the operator for a key column. `ORDER BY` takes the operator from the type,
//! but a comparison looks its name up in the search path. The operators of an extension's type
//! therefore have their schema here. Otherwise `citext > citext` could become `text > text`, and
//! rows would be skipped.

use crate::store::KeyColumn;

/// The side of a bound that a row lies on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// After the bound.
    After,
    /// Before the bound or at it.
    UpTo,
}

/// The condition that the key `left`, one expression for each column, lies on this side of `right`.
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
    // A row comparison allows one operator name for all columns, so it is written out column by
    // column. The condition on the first column alone comes first, because an index can use it.
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

/// A key column of `alias` as it is compared. A column of an extension's type is cast to its base
/// type, since a domain over it could have operators from elsewhere.
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
