//! What the guard's triggers refuse: changes of sealed values that no sealer declared, and values
//! under keys that are not active. `refused/frozen.rs` has what a frozen field refuses.

mod frozen;

use super::super::words::{
    KEY_NOT_ACTIVE, MOVED, NOT_ITS_TABLE, SEAL_CHANGED, changed, is_sealed_text,
    names_another_table, refuse, text_forms, trusted,
};
use super::{Beside, GuardText, InPlace};
use crate::ident::Ident;
use crate::store::text::joined;

impl GuardText {
    /// Refuses if the guard updates another table than its own. Under `legacy_alter_table` a
    /// renamed table takes its guard along, but the guard's statements keep the old name, which may
    /// be another table's by now.
    pub(super) fn own_table_only(&self, name: &Ident) -> Vec<String> {
        match self.kept().is_empty() {
            true => Vec::new(),
            false => vec![refuse(
                &names_another_table(name),
                NOT_ITS_TABLE,
                "the guard of this table names another: run phiseal backfill",
            )],
        }
    }

    /// The condition that it matters whether the writer is a sealer.
    pub(super) fn trusting(&self) -> String {
        let kept = self.kept().into_iter().map(|column| changed(column));
        let in_place = self.in_place.iter().map(|InPlace { column, .. }| {
            format!(
                "({} AND ({}) AND {})",
                changed(column),
                self.moved(),
                is_sealed_text("NEW", column)
            )
        });
        kept.chain(in_place).collect::<Vec<_>>().join(" OR ")
    }

    /// Refuses an untrusted change of the sealed value or index while the value itself stays.
    pub(super) fn refuse_untrusted(&self, value_changed: &str, own: &[&String]) -> String {
        refuse(
            &format!(
                "NOT {} AND ({}) AND NOT (({}) OR {value_changed})",
                trusted(),
                joined(own, " OR ", |column| changed(column)),
                self.moved(),
            ),
            SEAL_CHANGED,
            "a sealed value is changed by a trusted writer only",
        )
    }

    pub(super) fn beside_refusals(&self, field: &Beside) -> Vec<String> {
        let trusted_seal = format!("({} AND {})", trusted(), changed(&field.sealed));
        // While the plaintext is there, a moved row is sealed again. While it is frozen, it cannot be.
        let unsealable = match field.frozen {
            true => "1".to_owned(),
            false => format!(
                "{} AND {}",
                field.plain_is_null("OLD"),
                field.plain_is_null("NEW")
            ),
        };
        let mut refusals = self.refuse_updated(field);
        if !self.undoes {
            let own: Vec<&String> = field.sealed_columns().collect();
            refusals.push(self.refuse_untrusted(&field.plain_changed(), &own));
        }
        refusals.extend([
            refuse(
                &format!(
                    "({}) AND OLD.{} IS NOT NULL AND {unsealable} AND NOT {trusted_seal}",
                    self.moved(),
                    field.sealed,
                ),
                MOVED,
                "the key or tenant of a sealed value cannot change",
            ),
            refuse(
                &format!(
                    "{trusted_seal} AND NEW.{} IS NOT NULL AND NOT {}",
                    field.sealed,
                    self.sealed_well(field),
                ),
                KEY_NOT_ACTIVE,
                "the value is not sealed under an active key",
            ),
        ]);
        refusals
    }

    pub(super) fn in_place_refusals(&self, field: &InPlace) -> Vec<String> {
        let column = &field.column;
        let mut refusals = Vec::from_iter(Self::refuse_updated_in_place(field));
        if let (Some(index), false) = (&field.index, self.undoes) {
            refusals.push(self.refuse_untrusted(&changed(column), &[index]));
        }
        refusals.push(refuse(
            &format!(
                "({}) AND {} AND NOT ({} AND {})",
                self.moved(),
                is_sealed_text("NEW", column),
                trusted(),
                changed(column),
            ),
            MOVED,
            "the key or tenant of a sealed value cannot change",
        ));
        let condition = format!("{} AND {}", changed(column), is_sealed_text("NEW", column));
        refusals.push(self.refuse_inactive(column, &condition));
        refusals
    }

    /// In place, no writer may write text sealed under a known key that is not active, and a sealer
    /// must write text sealed under an active key. Other text may be plaintext.
    pub(super) fn refuse_inactive(&self, column: &str, condition: &str) -> String {
        let known = self.keyed(&text_forms(column), "k.status <> 'active'");
        refuse(
            &format!(
                "{condition} AND ({known} OR ({} AND NOT {}))",
                trusted(),
                self.active(column, true),
            ),
            KEY_NOT_ACTIVE,
            "the value is not sealed under an active key",
        )
    }

    /// The condition that the new value of a column has the id of a key that is active for its
    /// tenant.
    pub(super) fn active(&self, column: &str, text: bool) -> String {
        let forms = match text {
            true => text_forms(column),
            false => format!(
                "hex(substr(NEW.{column}, 1, 6)) IN \
                 (printf('E701%08X', k.key_id), printf('E702%08X', k.key_id))"
            ),
        };
        self.keyed(
            &forms,
            &format!("k.status = 'active' AND k.tenant = {}", self.tenant),
        )
    }

    pub(super) fn keyed(&self, forms: &str, state: &str) -> String {
        format!(
            "EXISTS (SELECT 1 FROM phiseal_encryption_keys AS k \
             WHERE k.purpose = 'cell' AND {state} AND {forms})"
        )
    }
}
