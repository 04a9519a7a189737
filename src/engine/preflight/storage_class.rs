//! E0244: SQLite columns whose values are of several storage classes. Which class a value had is
//! not kept in its sealed form, so it could not be given back as it was.
//! E0258: files whose text is UTF-16. Values are sealed as the file stores them, and everybody who opens one takes
//! it for UTF-8.

use super::{Dialect, Findings, Preflight, Purpose, listed};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    if p.dialect == Dialect::Postgres || p.purpose != Purpose::Backfill {
        return;
    }
    if p.table.is_some() && p.server.encoding.starts_with("UTF16") {
        out.refuse(
            "E0258",
            p.plan,
            None,
            "the file stores its text as UTF-16, and only values of UTF-8 are sealed",
            "load it into a file of UTF-8, as in `sqlite3 old.db .dump | sqlite3 new.db`; values sealed already are given \
             back by `phiseal restore`",
        );
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
