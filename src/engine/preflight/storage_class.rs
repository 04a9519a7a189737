//! E0244: SQLite columns whose values are of several storage classes. The sealed form does not keep
//! the class of a value, so the value could not be restored unchanged.
//! E0258: files whose text is UTF-16. Values are sealed as the file stores them, and every reader
//! of an opened value expects UTF-8.

use super::{Dialect, Findings, Preflight, RunPurpose, listed};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    if p.dialect == Dialect::Postgres || p.purpose != RunPurpose::Backfill {
        return;
    }
    if p.table.is_some() && p.server.encoding.starts_with("UTF16") {
        out.refuse(
            "E0258",
            p.plan,
            None,
            "the file stores its text as UTF-16, and phiseal seals only UTF-8",
            "load it into a UTF-8 file, as in `sqlite3 old.db .dump | sqlite3 new.db`; run `phiseal restore` first if \
             values are sealed already",
        );
    }
    for (_, field) in p.fields() {
        let Some(column) = field.column else { continue };
        let classes: Vec<&String> = (column.storage_classes.iter())
            .filter(|class| !class.eq_ignore_ascii_case("null"))
            .collect();
        // In place, sealed values are text next to values that are not sealed yet.
        let text_added = field.in_place() && field.record.is_some();
        if classes.len() > 1 && !text_added {
            out.refuse(
                "E0244",
                p.plan,
                Some(field.name()),
                format!(
                    "its values have several storage classes: {}",
                    listed(&classes)
                ),
                "convert them to one class, as in UPDATE … SET x = CAST(x AS TEXT)",
            );
        }
    }
}
