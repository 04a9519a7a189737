//! What the guard refuses of a frozen field, whose plaintext is being removed: any new plaintext, and
//! whatever would make an old one the only copy again.

use super::super::super::words::{
    FROZEN, changed, differ, has_form, has_text_form, refuse, trusted,
};
use super::super::{Beside, GuardText, InPlace};

/// Names no value, and says what to do.
const REASON: &str = "the plaintext of this column is being removed: write the sealed value only";

impl GuardText {
    /// Refuses an INSERT that brings plaintext.
    pub(in super::super) fn refuse_inserted(&self) -> Vec<String> {
        let beside = self.beside.iter().filter_map(Beside::frozen_plain);
        let beside =
            beside.map(|plain| refuse(&format!("NEW.{plain} IS NOT NULL"), FROZEN, REASON));
        let in_place = self.in_place.iter().filter(|field| field.frozen);
        let in_place = in_place.map(|field| refuse(&no_sealed_text(&field.column), FROZEN, REASON));
        beside.chain(in_place).collect()
    }

    /// Refuses an UPDATE that changes a plaintext, unless a sealer removes it and writes the sealed value
    /// or deletes both, and one that removes a sealed value while its plaintext stays.
    pub(in super::super) fn refuse_updated(&self, field: &Beside) -> Vec<String> {
        let Some(plain) = field.frozen_plain() else {
            return Vec::new();
        };
        let sealed = &field.sealed;
        let resealed = format!("{} AND {}", trusted(), changed(sealed));
        let removed = match field.is_hidden() {
            true => String::new(),
            false => {
                format!(" OR ({resealed} AND NEW.{sealed} IS NULL AND NEW.{plain} IS NOT NULL)")
            }
        };
        let condition = format!(
            "(({} AND NOT ({} AND NEW.{plain} IS NULL AND ({} OR NEW.{sealed} IS NULL))){removed})",
            changed(plain),
            trusted(),
            changed(sealed),
        );
        vec![refuse(&condition, FROZEN, REASON)]
    }

    /// Refuses an UPDATE in place that writes anything but a sealed value.
    pub(in super::super) fn refuse_updated_in_place(field: &InPlace) -> Option<String> {
        let column = field.frozen.then_some(&field.column)?;
        let condition = format!("{} AND {}", changed(column), no_sealed_text(column));
        Some(refuse(&condition, FROZEN, REASON))
    }

    /// Refuses the statement if another trigger of the table wrote a plaintext while this one ran.
    pub(in super::super) fn refuse_rewritten(&self, plain: &str) -> String {
        let stale = differ(plain, &format!("NEW.{plain}"));
        let condition = format!(
            "EXISTS (SELECT 1 FROM {} WHERE {} AND {plain} IS NOT NULL AND {stale})",
            self.table, self.this_row,
        );
        refuse(&condition, FROZEN, REASON)
    }

    /// The condition that a sealer's value is one: sealed under an active key and, in a frozen field,
    /// in the form that outlives the plaintext.
    pub(in super::super) fn sealed_well(&self, field: &Beside) -> String {
        let active = self.active(&field.sealed, field.text);
        match field.frozen {
            true => {
                let form = has_form(&format!("NEW.{}", field.sealed), field.text);
                format!("({active} AND {form})")
            }
            false => active,
        }
    }
}

fn no_sealed_text(column: &str) -> String {
    let value = format!("NEW.{column}");
    format!("{value} IS NOT NULL AND NOT {}", has_text_form(&value))
}
