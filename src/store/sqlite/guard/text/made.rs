//! What the guard's nested update makes of a row's sealed values and indexes.
//! Owns the assignments, and the second look at the row once other triggers have been at it.

use super::super::words::{changed, differ, trusted};
use super::{Beside, Guard};

impl Guard {
    /// Untrusted: a change of plaintext, key or tenant blanks the seal, and a change of the seal alone
    /// is undone, where it is not refused. Trusted: a seal that was written is kept, and without its plaintext clears it; one
    /// that is only taken away leaves the plaintext, which is then the only copy. An index that was not written
    /// with its value goes: it would be that of another.
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
            set.push(format!(
                "{plain} = CASE WHEN {trusted} AND {written} AND NEW.{} IS NOT NULL AND NOT {} \
                 THEN NULL ELSE {plain} END",
                field.sealed,
                field.plain_changed(),
            ));
        }
        set
    }

    /// The blind index of a value in place: it goes with the value, unless a sealer writes both.
    pub(super) fn index_in_place(&self, column: &str, index: &str) -> String {
        let trusted = trusted();
        format!(
            "{index} = CASE WHEN {written} AND NOT ({trusted} AND {named}) THEN NULL \
             WHEN NOT {trusted} THEN OLD.{index} ELSE {index} END",
            written = changed(column),
            named = self.named(index),
        )
    }

    /// Another trigger of the table may have changed the plaintext once more, and be unseen since this
    /// trigger was under way: what was made of it is then of an older plaintext.
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

/// A new blind index of a value that is no more; nobody else's change of it stands.
pub(super) fn forget(next: &str, stale: &str) -> String {
    format!("{next} = CASE WHEN {stale} THEN NULL ELSE OLD.{next} END")
}
