//! E0229: a unique constraint or index on the plaintext column. Sealed values are all different.

use super::{Findings, Preflight};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    for (table, field) in p.fields() {
        let unique = (table.keys.iter())
            .filter(|key| !key.primary && field.is_in(&key.columns))
            .map(|key| key.name.as_str());
        for name in unique {
            let what = format!(
                "{name} makes the column unique, but sealed values are always different, so it would no longer find duplicates"
            );
            let remedy = "drop it, and use a blind index with unique = true instead";
            p.in_the_way(out, "E0229", &field, what, remedy);
        }
    }
}
