//! E0244: SQLite columns whose values are of several storage classes. Which class a value had is
//! not kept in its sealed form, so it could not be given back as it was.

use super::{Dialect, Findings, Preflight, Purpose, listed};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    if p.dialect == Dialect::Postgres || p.purpose != Purpose::Backfill {
        return;
    }
    for (_, field) in p.fields() {
        let Some(column) = field.column else { continue };
        let classes: Vec<&String> = (column.storage_classes.iter())
            .filter(|class| !class.eq_ignore_ascii_case("null"))
            .collect();
        // In place, sealed values are text beside what is not sealed yet.
        let text_added = field.in_place() && field.record.is_some();
        if classes.len() > 1 && !text_added {
            out.refuse(
                "E0244",
                p.plan,
                Some(field.name()),
                format!(
                    "its values are of several storage classes: {}",
                    listed(&classes)
                ),
                "bring them to one, as in UPDATE … SET x = CAST(x AS TEXT)",
            );
        }
    }
}
