//! E0246: in SQLite, a view or trigger, of any table, that names an object which does not exist. As
//! long as there is one, SQLite drops and renames no column of the file, so a rotation of blind
//! indexes would fail at its end.

use super::{Findings, Preflight};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    for object in &p.server.broken_objects {
        let hint = "drop it, or recreate what it refers to; `SELECT` from it, or a write to its table, names what is missing";
        if p.purpose.drops_columns() {
            let what = format!(
                "{object} refers to something that does not exist, so SQLite cannot drop any column of the file"
            );
            out.refuse("E0246", p.plan, None, what, hint);
        } else {
            let what = format!(
                "{object} refers to something that does not exist, so SQLite cannot drop columns: rotating a blind index and `restore --drop-sealed` will be refused"
            );
            out.warn("E0246", p.plan, None, what, hint);
        }
    }
}
