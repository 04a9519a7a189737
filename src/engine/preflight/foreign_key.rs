//! E0231: foreign keys from or to the plaintext column.

use super::{Findings, Preflight};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    for (table, field) in p.fields() {
        for key in table
            .foreign_keys
            .iter()
            .filter(|key| field.is_in(&key.columns))
        {
            let what = if key.incoming {
                format!(
                    "table {} refers to it (foreign key {})",
                    key.other, key.name
                )
            } else {
                format!(
                    "it refers to table {} (foreign key {})",
                    key.other, key.name
                )
            };
            let remedy = "drop the foreign key, and refer to another column";
            p.in_the_way(out, "E0231", &field, what, remedy);
        }
    }
}
