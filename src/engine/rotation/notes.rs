//! The audit entries about rotations: one for each, or one for all if there are many.

use serde_json::{Value, json};

use super::super::Engine;
use crate::keys::RotationRecord;
use crate::keys::rotation::REMAINDER;
use crate::run::audit::Note;

/// Up to so many rotations get an entry each.
const EACH_MAX: usize = 20;

impl Engine {
    /// The audit entries about the rotations that one transaction writes.
    pub(in crate::engine) fn rotation_note(&self, action: &'static str) -> Note<'static> {
        let (keyring, actor) = (&self.tenants.keyring, &self.tenants.actor);
        Note::of_records(keyring, actor, move |records| {
            let of = |subject| (action.to_owned(), subject);
            match records.len() {
                ..=EACH_MAX => records.iter().map(each).map(of).collect(),
                _ => vec![of(together(records))],
            }
        })
    }
}

fn together(records: &[RotationRecord]) -> Value {
    let ids = || records.iter().map(|record| record.history_id);
    let sum = |of: fn(&RotationRecord) -> i64| records.iter().map(of).sum::<i64>();
    json!({
        "rotations": records.len(),
        "history_ids": [ids().min(), ids().max()],
        "kind": records.first().map(|record| record.kind.as_str()),
        "reason": records.first().map(|record| record.reason.as_str()),
        "rows_found": sum(|one| one.counts.rows_found),
        "rows_resealed": sum(|one| one.counts.rows_resealed),
        "conflicts": sum(|one| one.counts.conflicts),
        "quarantined": sum(|one| one.counts.quarantined),
        "remainders": records
            .iter()
            .filter(|one| one.outcome.as_deref() == Some(REMAINDER))
            .count(),
    })
}

fn each(record: &RotationRecord) -> Value {
    json!({
        "history_id": record.history_id,
        "kind": record.kind.as_str(),
        "from_key_id": record.from_key_id.map(|id| id.get()),
        "to_key_id": record.to_key_id.map(|id| id.get()),
        "reason": record.reason,
        "rows_found": record.counts.rows_found,
        "rows_resealed": record.counts.rows_resealed,
        "conflicts": record.counts.conflicts,
        "quarantined": record.counts.quarantined,
        "outcome": record.outcome,
    })
}
