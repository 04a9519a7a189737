//! The text of the guard's triggers.
//! Owns what they blank; `text/refused.rs` says what they refuse, `text/when.rs` when they fire, `text/made.rs` what they
//! write.
//! Knows nothing of which triggers a table has.

mod made;
mod refused;
mod when;

use self::made::forget;
use super::words::{
    KEY_NOT_ACTIVE, Marks, NOT_TRUSTED, UNMARK, changed, is_sealed_text, prove, refuse, trusted,
};
use crate::ident::Ident;
use crate::store::plaintext::HIDDEN;
use crate::store::text::joined;
use crate::store::{Sealed, Table, TableField};

/// A comment in the text of a guard that undoes untrusted changes.
pub(super) const UNDONE: &str = "/* on_untrusted_seal = undo */";

pub(super) struct GuardText {
    table: String,
    /// The condition for the row that the trigger was fired for.
    this_row: String,
    /// Key and tenant columns, to which a sealed value is bound.
    bound_to: Vec<String>,
    /// The tenant as the key table spells it.
    tenant: String,
    /// The name of the rowid.
    rowid: Option<&'static str>,
    marks: Marks,
    /// The guard undoes an untrusted change of a sealed value instead of refusing it.
    undoes: bool,
    beside: Vec<Beside>,
    in_place: Vec<InPlace>,
}

struct Beside {
    plain: Option<String>,
    sealed: String,
    text: bool,
    index: Option<String>,
    next: Option<String>,
    /// No plaintext is taken any more.
    frozen: bool,
}

struct InPlace {
    column: String,
    index: Option<String>,
    /// See [`GuardText::nexts`].
    next: Option<String>,
    frozen: bool,
}

impl Beside {
    /// The sealed column and its index.
    fn sealed_columns(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.sealed).chain(&self.index)
    }

    fn plain_changed(&self) -> String {
        self.plain
            .as_deref()
            .map_or_else(|| "0".to_owned(), changed)
    }

    fn plain_is_null(&self, side: &str) -> String {
        match &self.plain {
            Some(plain) => format!("{side}.{plain} IS NULL"),
            None => "1".to_owned(),
        }
    }

    /// The plaintext column, if it is there and takes nothing any more.
    /// Whether the plaintext column has a name that no application knows.
    fn is_hidden(&self) -> bool {
        let plain = self.plain.as_deref().unwrap_or_default();
        plain.trim_start_matches('"').starts_with(HIDDEN)
    }

    fn frozen_plain(&self) -> Option<&String> {
        self.plain.as_ref().filter(|_| self.frozen)
    }
}

impl GuardText {
    /// The guard of a table; `this_row` is the condition for the row of a trigger, `frozen` the labels
    /// of the fields that take no plaintext.
    pub(super) fn new(
        table: &Table,
        this_row: String,
        rowid: Option<&'static str>,
        undoes: bool,
        frozen: &[String],
    ) -> Self {
        let keys = table.keys.iter().map(|key| key.name.quoted());
        let tenant = table.tenant.as_ref().map(Ident::quoted);
        let mut guard = Self {
            table: table.name.name.quoted(),
            bound_to: keys.chain(tenant.clone()).collect(),
            this_row,
            tenant: tenant.map_or_else(
                || "''".to_owned(),
                |tenant| format!("CAST(NEW.{tenant} AS TEXT)"),
            ),
            rowid,
            marks: Marks::of(&table.label),
            undoes,
            beside: Vec::new(),
            in_place: Vec::new(),
        };
        for field in &table.fields {
            guard.add(field, frozen.contains(&field.label));
        }
        guard
    }

    fn add(&mut self, field: &TableField, frozen: bool) {
        match &field.sealed {
            Sealed::InPlace => self.in_place.push(InPlace {
                column: field.column.quoted(),
                index: field.index.as_ref().map(Ident::quoted),
                next: field.index_next.as_ref().map(Ident::quoted),
                frozen,
            }),
            Sealed::Beside { column, text } => self.beside.push(Beside {
                plain: field.plain_exists.then(|| field.column.quoted()),
                sealed: column.quoted(),
                text: *text,
                index: field.index.as_ref().map(Ident::quoted),
                next: field.index_next.as_ref().map(Ident::quoted),
                frozen,
            }),
        }
    }

    /// The columns that take a new blind index while its key is rotated. No application writes
    /// them: the guard blanks them when the sealed value changes, and the engine fills them again.
    fn nexts(&self) -> impl Iterator<Item = &String> {
        let beside = self.beside.iter().filter_map(|field| field.next.as_ref());
        beside.chain(self.in_place.iter().filter_map(|field| field.next.as_ref()))
    }

    /// The columns beside a value that only a sealer or the engine writes.
    fn kept(&self) -> Vec<&String> {
        let beside = self.beside.iter().flat_map(Beside::sealed_columns);
        let in_place = self
            .in_place
            .iter()
            .filter_map(|field| field.index.as_ref());
        beside.chain(in_place).chain(self.nexts()).collect()
    }

    /// The blind index columns, quoted.
    pub(super) fn indexes(&self) -> impl Iterator<Item = &String> {
        let beside = self.beside.iter().filter_map(|field| field.index.as_ref());
        beside.chain(
            self.in_place
                .iter()
                .filter_map(|field| field.index.as_ref()),
        )
    }

    /// The trigger that records that a sealer's statement names a blind index. It is a BEFORE
    /// trigger, since AFTER triggers fire in no guaranteed order.
    pub(super) fn on_named(&self, name: &Ident, index: &str) -> String {
        format!(
            "CREATE TRIGGER {} BEFORE UPDATE OF {index} ON {} FOR EACH ROW\nWHEN {}\nBEGIN\n    \
             INSERT OR REPLACE INTO phiseal_guard_mark (id, mark) VALUES ({}, 'guard');\nEND",
            name.quoted(),
            self.table,
            format_args!("{} AND NOT {}", trusted(), self.marks.is_nested()),
            self.marks.note(index, self.rowid),
        )
    }

    /// The condition that the statement names a blind index.
    fn named(&self, index: &str) -> String {
        format!(
            "EXISTS (SELECT 1 FROM phiseal_guard_mark WHERE id = {})",
            self.marks.note(index, self.rowid)
        )
    }

    /// The trigger on INSERT. It makes no exception for the engine, which inserts no rows.
    pub(super) fn on_insert(&self, name: &Ident) -> String {
        let kept = self.kept();
        let frozen = self.beside.iter().filter_map(Beside::frozen_plain);
        let mut carried: Vec<String> = (kept.iter().copied().chain(frozen))
            .map(|column| format!("NEW.{column} IS NOT NULL"))
            .collect();
        carried.extend(self.in_place.iter().map(|field| match field.frozen {
            true => format!("NEW.{} IS NOT NULL", field.column),
            false => is_sealed_text("NEW", &field.column),
        }));
        let mut body = self.own_table_only(name);
        if !kept.is_empty() {
            body.push(prove("1"));
        }
        body.extend(self.refuse_inserted());
        for field in &self.beside {
            body.push(refuse(
                &format!(
                    "NOT {} AND NEW.{} IS NOT NULL AND {}",
                    trusted(),
                    field.sealed,
                    field.plain_is_null("NEW"),
                ),
                NOT_TRUSTED,
                "a sealed value without its plaintext is taken from a trusted writer only",
            ));
            body.push(refuse(
                &format!(
                    "{} AND NEW.{sealed} IS NOT NULL AND NOT {}",
                    trusted(),
                    self.sealed_well(field),
                    sealed = field.sealed,
                ),
                KEY_NOT_ACTIVE,
                "the value is not sealed under an active key",
            ));
        }
        for InPlace { column, .. } in &self.in_place {
            body.push(self.refuse_inactive(column, &is_sealed_text("NEW", column)));
        }
        if !kept.is_empty() {
            body.push(self.marks.mark());
            let sealed = self.beside.iter().map(|field| &field.sealed);
            let own: Vec<&String> = sealed.chain(self.indexes()).collect();
            if !own.is_empty() {
                body.push(self.blank(own.into_iter(), &format!("NOT {}", trusted())));
            }
            let nexts: Vec<&String> = self.nexts().collect();
            if !nexts.is_empty() {
                let any = joined(&nexts, " OR ", |next| format!("{next} IS NOT NULL"));
                body.push(self.blank(nexts.into_iter(), &format!("({any})")));
            }
            body.push(UNMARK.to_owned());
        }
        format!(
            "CREATE TRIGGER {} AFTER INSERT ON {} FOR EACH ROW\nWHEN {}\nBEGIN\n    {}\nEND",
            name.quoted(),
            self.table,
            carried.join(" OR "),
            body.join("\n    "),
        )
    }

    /// The trigger on UPDATE.
    pub(super) fn on_update(&self, name: &Ident) -> String {
        let mut body = self.own_table_only(name);
        body.push(prove(&self.trusting()));
        if self.undoes {
            body.push(UNDONE.to_owned());
        }
        for field in &self.beside {
            body.extend(self.beside_refusals(field));
        }
        body.extend(
            self.in_place
                .iter()
                .flat_map(|field| self.in_place_refusals(field)),
        );
        if !self.kept().is_empty() {
            let beside = self.beside.iter().flat_map(|field| self.assignments(field));
            let in_place = self.in_place.iter().flat_map(|field| {
                let stale = format!("(({}) OR {})", self.moved(), changed(&field.column));
                let index = field.index.as_ref();
                let index = index.map(|index| self.index_in_place(&field.column, index));
                index
                    .into_iter()
                    .chain(field.next.as_ref().map(|next| forget(next, &stale)))
            });
            let set: Vec<String> = beside.chain(in_place).collect();
            body.push(self.marks.mark());
            body.push(format!(
                "UPDATE {} SET {} WHERE {} AND {};",
                self.table,
                set.join(", "),
                self.this_row,
                self.carried(),
            ));
            body.extend(self.beside.iter().filter_map(|field| {
                let plain = field.plain.as_ref()?;
                let own = field.sealed_columns().chain(&field.next);
                Some(match field.frozen {
                    true => self.refuse_rewritten(plain),
                    false => self.second_look(plain, &field.sealed, own),
                })
            }));
            for field in &self.in_place {
                let made = field.index.iter().chain(&field.next);
                body.extend(
                    made.map(|made| self.second_look(&field.column, made, std::iter::once(made))),
                );
            }
            body.push(UNMARK.to_owned());
        }
        body.extend(self.indexes().map(|index| {
            format!(
                "DELETE FROM phiseal_guard_mark WHERE id = {};",
                self.marks.note(index, self.rowid)
            )
        }));
        format!(
            "CREATE TRIGGER {} AFTER UPDATE ON {} FOR EACH ROW\nWHEN {}\nBEGIN\n    {}\nEND",
            name.quoted(),
            self.table,
            self.on_update_when(),
            body.join("\n    "),
        )
    }

    /// The condition that the row has a sealed value, old or new. Other rows are not written again,
    /// so that the application's triggers do not fire for nothing.
    fn carried(&self) -> String {
        let any = joined(&self.kept(), " OR ", |column| {
            format!("{column} IS NOT NULL OR OLD.{column} IS NOT NULL")
        });
        format!("({any})")
    }

    /// The condition that the key or the tenant changed.
    fn moved(&self) -> String {
        joined(&self.bound_to, " OR ", |column| changed(column))
    }

    fn blank<'a>(&self, columns: impl Iterator<Item = &'a String>, condition: &str) -> String {
        let blank = joined(columns, ", ", |column| format!("{column} = NULL"));
        format!(
            "UPDATE {} SET {} WHERE {} AND {condition};",
            self.table, blank, self.this_row,
        )
    }
}
