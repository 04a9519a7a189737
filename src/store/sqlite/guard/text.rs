//! The text of the guard's two triggers.
//! Owns what they refuse, undo and blank. Knows nothing of which triggers a table has by now.

use super::super::shape::joined;
use super::words::{
    MARK, UNMARK, changed, differ, is_ours, is_sealed_text, names_another_table, prove, refuse,
    text_forms, trusted,
};
use crate::ident::Ident;
use crate::store::{FieldTarget, Sealed, Target};

pub(super) struct Guard {
    table: String,
    /// Finds the row that the trigger was fired for.
    this_row: String,
    /// Key and tenant: what a sealed value is bound to.
    bound_to: Vec<String>,
    /// The tenant as the key table spells it.
    tenant: String,
    beside: Vec<Beside>,
    in_place: Vec<InPlace>,
}

struct Beside {
    plain: Option<String>,
    sealed: String,
    text: bool,
    index: Option<String>,
    next: Option<String>,
}

struct InPlace {
    column: String,
    /// See [`Guard::nexts`].
    next: Option<String>,
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
}

impl Guard {
    /// The guard of a table; `this_row` is the condition that finds the row of a trigger.
    pub(super) fn new(target: &Target, this_row: String) -> Self {
        let keys = target.keys.iter().map(|key| key.name.quoted());
        let tenant = target.tenant.as_ref().map(Ident::quoted);
        let mut guard = Self {
            table: target.table.name.quoted(),
            bound_to: keys.chain(tenant.clone()).collect(),
            this_row,
            tenant: tenant.map_or_else(
                || "''".to_owned(),
                |tenant| format!("CAST(NEW.{tenant} AS TEXT)"),
            ),
            beside: Vec::new(),
            in_place: Vec::new(),
        };
        for field in &target.fields {
            guard.add(field);
        }
        guard
    }

    fn add(&mut self, field: &FieldTarget) {
        match &field.sealed {
            Sealed::InPlace => self.in_place.push(InPlace {
                column: field.column.quoted(),
                next: field.index_next.as_ref().map(Ident::quoted),
            }),
            Sealed::Beside { column, text } => self.beside.push(Beside {
                plain: field.plain_exists.then(|| field.column.quoted()),
                sealed: column.quoted(),
                text: *text,
                index: field.index.as_ref().map(Ident::quoted),
                next: field.index_next.as_ref().map(Ident::quoted),
            }),
        }
    }

    /// The columns that take a new blind index while its key is rotated. No application writes them:
    /// whatever changes the sealed value blanks them, and the engine fills them again.
    fn nexts(&self) -> impl Iterator<Item = &String> {
        let beside = self.beside.iter().filter_map(|field| field.next.as_ref());
        beside.chain(self.in_place.iter().filter_map(|field| field.next.as_ref()))
    }

    /// The columns beside a value that only a sealer or the engine writes.
    fn kept(&self) -> Vec<&String> {
        let beside = self.beside.iter().flat_map(Beside::sealed_columns);
        beside.chain(self.nexts()).collect()
    }

    /// The trigger on INSERT. The engine inserts no rows, so nobody is let past.
    pub(super) fn on_insert(&self, name: &Ident) -> String {
        let kept = self.kept();
        let mut carried: Vec<String> = kept
            .iter()
            .map(|column| format!("NEW.{column} IS NOT NULL"))
            .collect();
        carried.extend(
            self.in_place
                .iter()
                .map(|field| is_sealed_text("NEW", &field.column)),
        );
        let mut body = self.own_table_only(name);
        if !self.beside.is_empty() {
            body.push(prove("1"));
        }
        for field in &self.beside {
            body.push(refuse(
                &format!(
                    "NOT {} AND NEW.{} IS NOT NULL AND {}",
                    trusted(),
                    field.sealed,
                    field.plain_is_null("NEW"),
                ),
                "a sealed value without its plaintext is taken from a trusted writer only",
            ));
            body.push(refuse(
                &format!(
                    "{} AND NEW.{sealed} IS NOT NULL AND NOT {}",
                    trusted(),
                    self.active(&field.sealed, field.text),
                    sealed = field.sealed,
                ),
                "the value is not sealed under an active key",
            ));
        }
        for InPlace { column, .. } in &self.in_place {
            body.push(self.refuse_inactive(column, &is_sealed_text("NEW", column)));
        }
        if !kept.is_empty() {
            body.push(MARK.to_owned());
            if !self.beside.is_empty() {
                let sealed = self.beside.iter().flat_map(Beside::sealed_columns);
                body.push(self.blank(sealed, &format!("NOT {}", trusted())));
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
        for field in &self.beside {
            body.extend(self.beside_refusals(field));
        }
        for InPlace { column, .. } in &self.in_place {
            body.push(refuse(
                &format!(
                    "({}) AND {} AND NOT ({} AND {})",
                    self.moved(),
                    is_sealed_text("NEW", column),
                    trusted(),
                    changed(column),
                ),
                "the key or tenant of a sealed value cannot change",
            ));
            let condition = format!("{} AND {}", changed(column), is_sealed_text("NEW", column));
            body.push(self.refuse_inactive(column, &condition));
        }
        if !self.kept().is_empty() {
            let beside = self.beside.iter().flat_map(|field| self.assignments(field));
            let in_place = self.in_place.iter().filter_map(|field| {
                let stale = format!("(({}) OR {})", self.moved(), changed(&field.column));
                Some(forget(field.next.as_ref()?, &stale))
            });
            let set: Vec<String> = beside.chain(in_place).collect();
            body.push(MARK.to_owned());
            body.push(format!(
                "UPDATE {} SET {} WHERE {} AND {};",
                self.table,
                set.join(", "),
                self.this_row,
                self.carried(),
            ));
            body.extend(self.beside.iter().filter_map(|field| {
                let own = field.sealed_columns().chain(&field.next);
                Some(self.second_look(field.plain.as_ref()?, &field.sealed, own))
            }));
            body.extend(self.in_place.iter().filter_map(|field| {
                let next = field.next.as_ref()?;
                Some(self.second_look(&field.column, next, std::iter::once(next)))
            }));
            body.push(UNMARK.to_owned());
        }
        format!(
            "CREATE TRIGGER {} AFTER UPDATE ON {} FOR EACH ROW\nWHEN NOT {} AND ({})\nBEGIN\n    {}\nEND",
            name.quoted(),
            self.table,
            is_ours("engine"),
            self.concerned(),
            body.join("\n    "),
        )
    }

    /// Under `legacy_alter_table` a renamed table takes its guard along, and what the guard updates keeps
    /// the old name: by then perhaps another table's. Such a guard refuses, and changes nothing.
    fn own_table_only(&self, name: &Ident) -> Vec<String> {
        match self.kept().is_empty() {
            true => Vec::new(),
            false => vec![refuse(
                &names_another_table(name),
                "the guard of this table names another: run phiseal backfill",
            )],
        }
    }

    /// Whether it makes a difference that the writer seals values itself.
    fn trusting(&self) -> String {
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

    /// Whether the update has anything to do with sealed values.
    fn concerned(&self) -> String {
        let kept = self.kept();
        let mut any = vec![self.moved()];
        for plain in self.beside.iter().filter_map(|field| field.plain.as_ref()) {
            // The guard's own nested update may clear a plaintext.
            any.push(format!(
                "({} AND (NEW.{plain} IS NOT NULL OR NOT {}))",
                changed(plain),
                is_ours("guard"),
            ));
        }
        any.extend(self.in_place.iter().map(|field| changed(&field.column)));
        if !kept.is_empty() {
            // The guard's own nested update changes these columns alone.
            any.push(format!(
                "(NOT {} AND ({}))",
                is_ours("guard"),
                joined(&kept, " OR ", |column| changed(column)),
            ));
        }
        any.join(" OR ")
    }

    /// A row with nothing sealed is not written again: its owner's triggers would fire for nothing.
    fn carried(&self) -> String {
        let any = joined(&self.kept(), " OR ", |column| {
            format!("{column} IS NOT NULL OR OLD.{column} IS NOT NULL")
        });
        format!("({any})")
    }

    /// The key or the tenant changed.
    fn moved(&self) -> String {
        joined(&self.bound_to, " OR ", |column| changed(column))
    }

    fn beside_refusals(&self, field: &Beside) -> [String; 2] {
        let trusted_seal = format!("({} AND {})", trusted(), changed(&field.sealed));
        [
            refuse(
                &format!(
                    "({}) AND OLD.{} IS NOT NULL AND {} AND {} AND NOT {trusted_seal}",
                    self.moved(),
                    field.sealed,
                    field.plain_is_null("OLD"),
                    field.plain_is_null("NEW"),
                ),
                "the key or tenant of a sealed value cannot change",
            ),
            refuse(
                &format!(
                    "{trusted_seal} AND NEW.{} IS NOT NULL AND NOT {}",
                    field.sealed,
                    self.active(&field.sealed, field.text),
                ),
                "the value is not sealed under an active key",
            ),
        ]
    }

    /// Untrusted: a change of plaintext, key or tenant blanks the seal, and a change of the seal alone
    /// is undone. Trusted: a seal that was written is kept, and without its plaintext clears it; one
    /// that is only taken away leaves the plaintext, which is then the only copy.
    fn assignments(&self, field: &Beside) -> Vec<String> {
        let trusted = trusted();
        let written = changed(&field.sealed);
        let stale = format!("(({}) OR {})", self.moved(), field.plain_changed());
        let mut set: Vec<String> = field
            .sealed_columns()
            .map(|column| {
                format!(
                    "{column} = CASE WHEN {stale} AND NOT ({trusted} AND {written}) THEN NULL \
                 WHEN NOT {trusted} THEN OLD.{column} ELSE {column} END"
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

    /// Another trigger of the table may have changed the plaintext once more, and be unseen since this
    /// trigger was under way: what was made of it is then of an older plaintext.
    fn second_look<'a>(
        &self,
        plain: &str,
        made: &str,
        own: impl Iterator<Item = &'a String>,
    ) -> String {
        let stale = differ(plain, &format!("NEW.{plain}"));
        let condition = format!("{made} IS NOT NULL AND {plain} IS NOT NULL AND {stale}");
        self.blank(own, &condition)
    }

    fn blank<'a>(&self, columns: impl Iterator<Item = &'a String>, condition: &str) -> String {
        let blank: Vec<String> = columns.map(|column| format!("{column} = NULL")).collect();
        format!(
            "UPDATE {} SET {} WHERE {} AND {condition};",
            self.table,
            blank.join(", "),
            self.this_row,
        )
    }

    /// In place nobody may write text sealed under a key that is known and not active, and a sealer
    /// none that is not sealed under an active one. Any other text may be plaintext.
    fn refuse_inactive(&self, column: &str, condition: &str) -> String {
        let known = self.keyed(&text_forms(column), "k.status <> 'active'");
        refuse(
            &format!(
                "{condition} AND ({known} OR ({} AND NOT {}))",
                trusted(),
                self.active(column, true),
            ),
            "the value is not sealed under an active key",
        )
    }

    /// The new value of a column carries the id of a key that is active for its tenant.
    fn active(&self, column: &str, text: bool) -> String {
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

    fn keyed(&self, forms: &str, state: &str) -> String {
        format!(
            "EXISTS (SELECT 1 FROM phiseal_encryption_keys AS k \
             WHERE k.purpose = 'cell' AND {state} AND {forms})"
        )
    }
}

/// A new blind index of a value that is no more; nobody else's change of it stands.
fn forget(next: &str, stale: &str) -> String {
    format!("{next} = CASE WHEN {stale} THEN NULL ELSE OLD.{next} END")
}
