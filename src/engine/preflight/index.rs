//! E0232: indexes on the plaintext, in their columns, expressions or predicates. The checks of
//! constraints report the indexes of constraints.

use super::{Findings, Preflight, is_ours};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    for (table, field) in p.fields() {
        let named_elsewhere = |name: &str| {
            table
                .keys
                .iter()
                .any(|key| key.name == name && !key.partial)
                || table.checks.iter().any(|check| check.name == name)
        };
        let indexes = (table.indexes.iter())
            .filter(|index| field.is_in(&index.columns))
            .filter(|index| !is_ours(&index.name) && !named_elsewhere(&index.name));
        for index in indexes {
            let what = format!(
                "index {} ({}) contains the plaintext",
                index.name, index.method
            );
            let remedy = "drop the index; a blind index can replace it for equality searches only";
            p.in_the_way(out, "E0232", &field, what, remedy);
        }
    }
}
