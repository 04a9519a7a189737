//! E0246: in SQLite, a view or trigger, of any table, that names an object which does not exist. As
//! long as there is one, SQLite drops and renames no column of the file, so a rotation of blind
//! indexes would fail at its end.

use super::{Findings, Preflight};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    for object in &p.server.broken_objects {
        let hint = "drop it, or make again what it names: `SELECT` from it, or a write to its table, says what is missing";
        if p.purpose.drops_columns() {
            let what = format!(
                "{object} names what is not there, so that no column of the file can be dropped"
            );
            out.refuse("E0246", p.plan, None, what, hint);
        } else {
            let what = format!(
                "{object} names what is not there: a rotation of blind indexes and `restore --drop-sealed` are refused"
            );
            out.warn("E0246", p.plan, None, what, hint);
        }
    }
}
