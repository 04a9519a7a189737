//! E0246: in SQLite, a view or a trigger that names what is not there, of whatever table. Until it is gone no
//! column of the file can be dropped or renamed, which ends a rotation of blind indexes with all its work done.

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
