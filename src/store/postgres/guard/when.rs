//! When the guard's triggers fire.
//! Owns their conditions. For a write of the engine, the condition alone decides: the function is
//! called only if something that the mark does not allow was changed on the way. The conditions
//! outlive the transaction that creates them and may be run by a DBA elsewhere, so every name has
//! its schema. They use no operator whose cast would be missing from a dump.

use super::{Guard, GuardField, mark};
use crate::ident::Ident;
use crate::quote;
use crate::store::change::Change;
use crate::store::text::joined;

impl Guard {
    /// The engine inserts no rows, so the condition makes no exception for it.
    pub(super) fn insert_when(&self) -> String {
        let mut written: Vec<String> = Vec::new();
        for field in &self.fields {
            let frozen = field.beside().filter(|_| field.frozen);
            let columns = [&field.holder]
                .into_iter()
                .chain(&field.index)
                .chain(&field.next)
                .chain(frozen);
            written.extend(columns.map(|column| format!("NEW.{} IS NOT NULL", column.quoted())));
        }
        written.join(" OR ")
    }

    /// Under a mark of the engine: any change that this mark does not allow. Otherwise any change
    /// of a watched column.
    pub(super) fn update_when(&self) -> String {
        let mut arms = vec![(Change::Seal, self.besides_seals())];
        if self.fields.iter().any(GuardField::in_place) {
            arms.push((Change::InPlace, self.besides_seals_in_place()));
        }
        arms.push((Change::Restore, self.besides_restored()));
        arms.push((Change::Clear, self.besides_cleared()));
        let arms = joined(arms, " ", |(change, when)| {
            let mark = quote::literal(&mark(change, &self.label));
            format!("WHEN {mark} THEN {when}")
        });
        // CASE evaluates the setting once. For an application's write no arm matches, and ELSE
        // decides.
        format!(
            "CASE pg_catalog.current_setting('phiseal.change', true) {} ELSE {} END",
            arms,
            differs(self.place().chain(self.fields.iter().flat_map(watched)))
        )
    }

    /// A writer that seals values itself names a blind index.
    pub(super) fn named_when(&self) -> String {
        format!(
            "pg_catalog.texteq(pg_catalog.current_setting('phiseal.sealer', true), 'on') \
             AND NOT coalesce(pg_catalog.texteq(pg_catalog.right(pg_catalog.current_setting('phiseal.change', true), 16), {}), false)",
            quote::literal(&hex::encode(crate::store::change::label_digest(
                &self.label
            )))
        )
    }

    /// The columns of the key and the tenant, which a sealed value is bound to.
    fn place(&self) -> impl Iterator<Item = &Ident> {
        self.keys.iter().chain(&self.tenant)
    }

    fn besides_seals(&self) -> String {
        differs(
            self.fields
                .iter()
                .filter_map(GuardField::source)
                .chain(self.place()),
        )
    }

    fn besides_seals_in_place(&self) -> String {
        let beside = self.fields.iter().filter_map(GuardField::beside);
        let mut any = vec![differs(beside.chain(self.place()))];
        any.extend(self.in_place().map(|column| {
            format!(
                "NOT {} AND {}",
                begins_sealed("NEW", column),
                differs([column])
            )
        }));
        any.join(" OR ")
    }

    fn besides_restored(&self) -> String {
        let seals = self.fields.iter().flat_map(GuardField::seals);
        let mut any = vec![differs(self.place().chain(seals))];
        any.extend(self.fields.iter().filter_map(|field| {
            let source = field.source()?;
            let was_there = match field.in_place() {
                false => format!("OLD.{} IS NOT NULL", source.quoted()),
                true => format!("NOT {}", begins_sealed("OLD", source)),
            };
            Some(format!("{was_there} AND {}", differs([source])))
        }));
        any.join(" OR ")
    }

    fn besides_cleared(&self) -> String {
        let seals = self.fields.iter().flat_map(GuardField::seals);
        let all = self.place().chain(seals).chain(self.in_place());
        let mut any = vec![differs(all)];
        any.extend(self.fields.iter().filter_map(|field| {
            let plain = field.beside()?;
            Some(format!(
                "(NEW.{} IS NOT NULL OR NEW.{} IS NULL) AND {}",
                plain.quoted(),
                field.holder.quoted(),
                differs([plain])
            ))
        }));
        any.join(" OR ")
    }

    fn in_place(&self) -> impl Iterator<Item = &Ident> {
        let fields = self.fields.iter().filter(|field| field.in_place());
        fields.map(|field| &field.holder)
    }
}

/// The columns of a field, the plaintext first.
fn watched(field: &GuardField) -> impl Iterator<Item = &Ident> {
    field.source().into_iter().chain(field.seals())
}

/// The condition that an update changes the binary image of one of these columns. It is a function
/// call, because the operator would need a cast that the server does not write into a dump, so that
/// restoring the trigger would fail.
pub(super) fn differs<'a>(columns: impl IntoIterator<Item = &'a Ident>) -> String {
    let columns: Vec<String> = columns.into_iter().map(Ident::quoted).collect();
    let row = |version: &str| {
        let all = joined(&columns, ", ", |c| format!("{version}.{c}"));
        format!("ROW({})", all)
    };
    format!("pg_catalog.record_image_ne({}, {})", row("OLD"), row("NEW"))
}

/// The condition that an in-place value begins like a sealed one, under any collation.
fn begins_sealed(version: &str, column: &Ident) -> String {
    format!(
        "coalesce(pg_catalog.starts_with({version}.{}::pg_catalog.text COLLATE pg_catalog.\"C\", 'ps1.'), false)",
        column.quoted()
    )
}
