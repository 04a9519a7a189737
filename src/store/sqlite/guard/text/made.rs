//! What the guard's nested update writes into a row's sealed values and indexes.
//! Owns the assignments, and the second check of the row after other triggers have changed it.

use super::super::words::{changed, differ, trusted};
use super::{Beside, GuardText};

impl GuardText {
    /// The assignments for a field sealed beside.
    ///
    /// - From an untrusted writer, a change of plaintext, key or tenant blanks the sealed value. A
    ///   change of the sealed value alone is undone, unless it was refused.
    /// - From a sealer, a sealed value that was written is kept; if it was written without its
    ///   plaintext, the plaintext is cleared. A sealed value that was only removed leaves the
    ///   plaintext, which is then the only copy.
    /// - An index that was not written with its value is removed, since it belongs to another
    ///   value.
    pub(super) fn assignments(&self, field: &Beside) -> Vec<String> {
        let trusted = trusted();
        let written = changed(&field.sealed);
        let stale = format!("(({}) OR {})", self.moved(), field.plain_changed());
        let mut set: Vec<String> = field
            .sealed_columns()
            .map(|column| {
                let forgotten = match field.index.as_ref() == Some(column) {
                    true => format!(" WHEN {written} AND NOT {} THEN NULL", self.named(column)),
                    false => String::new(),
                };
                format!(
                    "{column} = CASE WHEN {stale} AND NOT ({trusted} AND {written}) THEN NULL \
                 WHEN NOT {trusted} THEN OLD.{column}{forgotten} ELSE {column} END"
                )
            })
            .collect();
        if let Some(next) = &field.next {
            set.push(forget(
                next,
                &format!("{stale} OR ({trusted} AND {written})"),
            ));
        }
        if let Some(plain) = &field.plain {
            // A sealer that deletes a value cannot name a hidden column.
            let sealed = match field.is_hidden() {
                true => String::new(),
                false => format!(" AND NEW.{} IS NOT NULL", field.sealed),
            };
            set.push(format!(
                "{plain} = CASE WHEN {trusted} AND {written}{sealed} AND NOT {} \
                 THEN NULL ELSE {plain} END",
                field.plain_changed(),
            ));
        }
        set
    }

    /// The assignment for the blind index of a value in place: a change of the value removes it,
    /// unless a sealer writes both.
    pub(super) fn index_in_place(&self, column: &str, index: &str) -> String {
        let trusted = trusted();
        format!(
            "{index} = CASE WHEN {written} AND NOT ({trusted} AND {named}) THEN NULL \
             WHEN NOT {trusted} THEN OLD.{index} ELSE {index} END",
            written = changed(column),
            named = self.named(index),
        )
    }

    /// Blanks the columns if the plaintext is no longer `NEW`'s: another trigger of the table may
    /// have changed it while this trigger ran, without firing this one again.
    pub(super) fn second_look<'a>(
        &self,
        plain: &str,
        made: &str,
        own: impl Iterator<Item = &'a String>,
    ) -> String {
        let stale = differ(plain, &format!("NEW.{plain}"));
        let condition = format!("{made} IS NOT NULL AND {plain} IS NOT NULL AND {stale}");
        self.blank(own, &condition)
    }
}

/// The assignment for a new blind index: removes it with its value, and undoes any other change.
pub(super) fn forget(next: &str, stale: &str) -> String {
    format!("{next} = CASE WHEN {stale} THEN NULL ELSE OLD.{next} END")
}
