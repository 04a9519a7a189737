//! The condition under which the guard's trigger on UPDATE fires. Under the engine's mark, this
//! condition alone decides what the engine may write.

use super::super::mark::bits;
use super::super::words::{changed, is_sealed_text};
use super::{GuardText, InPlace};
use crate::store::change::Change;
use crate::store::text::joined;

impl GuardText {
    /// Under the engine's mark: a change that the mark does not cover. Otherwise: any change that
    /// concerns sealed values.
    pub(super) fn on_update_when(&self) -> String {
        let arms = [
            (Change::Seal, self.besides_seals()),
            (Change::InPlace, self.besides_seals_in_place()),
            (Change::Restore, self.besides_restored()),
            (Change::Clear, self.besides_cleared()),
        ];
        let arms = joined(&arms, " ", |(change, when)| {
            format!("WHEN {} THEN {when}", bits(*change))
        });
        format!(
            "CASE {} {arms} ELSE {} END",
            self.marks.change(),
            self.concerned()
        )
    }

    fn plain_changed(&self) -> Vec<String> {
        let plain = self.beside.iter().filter_map(|field| field.plain.as_ref());
        plain.map(|plain| changed(plain)).collect()
    }

    fn besides_seals(&self) -> String {
        let mut any = self.plain_changed();
        any.extend(self.in_place.iter().map(|field| changed(&field.column)));
        any.push(self.moved());
        any.join(" OR ")
    }

    fn besides_seals_in_place(&self) -> String {
        let mut any = self.plain_changed();
        any.extend(self.in_place.iter().map(|InPlace { column, .. }| {
            format!(
                "({} AND NOT {})",
                changed(column),
                is_sealed_text("NEW", column)
            )
        }));
        any.push(self.moved());
        any.join(" OR ")
    }

    fn besides_restored(&self) -> String {
        let mut any = vec![self.moved()];
        any.extend(self.kept().into_iter().map(|column| changed(column)));
        let plain = self.beside.iter().filter_map(|field| field.plain.as_ref());
        any.extend(plain.map(|plain| format!("(OLD.{plain} IS NOT NULL AND {})", changed(plain))));
        any.extend(self.in_place.iter().map(|InPlace { column, .. }| {
            format!(
                "({} AND NOT {})",
                changed(column),
                is_sealed_text("OLD", column)
            )
        }));
        any.join(" OR ")
    }

    fn besides_cleared(&self) -> String {
        let mut any = vec![self.moved()];
        any.extend(self.kept().into_iter().map(|column| changed(column)));
        any.extend(self.in_place.iter().map(|field| changed(&field.column)));
        any.extend(self.beside.iter().filter_map(|field| {
            let plain = field.plain.as_ref()?;
            Some(format!(
                "({} AND (NEW.{plain} IS NOT NULL OR NEW.{} IS NULL))",
                changed(plain),
                field.sealed
            ))
        }));
        any.join(" OR ")
    }

    /// The condition that the update concerns sealed values.
    fn concerned(&self) -> String {
        let kept = self.kept();
        let mut any = vec![self.moved()];
        for plain in self.beside.iter().filter_map(|field| field.plain.as_ref()) {
            // The guard's own nested update may clear a plaintext.
            any.push(format!(
                "({} AND (NEW.{plain} IS NOT NULL OR NOT {}))",
                changed(plain),
                self.marks.is_nested(),
            ));
        }
        any.extend(self.in_place.iter().map(|field| changed(&field.column)));
        if !kept.is_empty() {
            // Only the guard's own nested update may change these columns without firing.
            let mut own: Vec<String> = kept.iter().map(|column| changed(column)).collect();
            own.extend(self.indexes().map(|index| self.named(index)));
            any.push(format!(
                "(NOT {} AND ({}))",
                self.marks.is_nested(),
                own.join(" OR "),
            ));
        }
        any.join(" OR ")
    }
}
