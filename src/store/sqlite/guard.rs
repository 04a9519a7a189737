//! The guard: two triggers that no stale seal gets past.
//! Owns their text. SQLite has no BEFORE trigger that changes a row, so these come AFTER and write
//! again what must be otherwise; old and new are compared by class and bytes, exactly.
//! Holds under any `recursive_triggers`, and with other triggers on the table: a guard's own nested
//! update is marked, so that it is not undone, and looks at the row once more before it is done.

mod words;

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use self::words::{MARK, UNMARK, changed, differ, is_sealed_text, marked, refuse, text_forms};
use super::fault;
use super::shape::joined;
use super::statement::{Bind, bound};
use crate::ident::{Ident, TableName};
use crate::store::{FieldTarget, Result, Sealed, StoreError, Target};

/// How the names of the guard's triggers begin.
pub(super) const GUARD_PREFIX: &str = "~phiseal_";

/// One trigger of the guard.
pub(super) struct GuardTrigger {
    /// Its name: trigger names are unique in a whole SQLite database, so it holds the table's.
    pub(super) name: Ident,
    /// The statement that makes it.
    pub(super) create: String,
}

/// The guard of a table. The target must name every sealed field of it.
pub(super) fn triggers(target: &Target) -> Result<[GuardTrigger; 2]> {
    let guard = Guard::new(target);
    let insert = trigger_name(&target.table, "i")?;
    let update = trigger_name(&target.table, "u")?;
    Ok([
        GuardTrigger {
            create: guard.on_insert(&insert),
            name: insert,
        },
        GuardTrigger {
            create: guard.on_update(&update),
            name: update,
        },
    ])
}

fn trigger_name(table: &TableName, event: &str) -> Result<Ident> {
    Ident::new(format!("{GUARD_PREFIX}{event}_{}", table.name.as_str())).map_err(|_| {
        StoreError::Unexpected {
            what: "a table name too long to name its guard after",
        }
    })
}

/// The table that carries the guard of one that was called so: triggers stay with a renamed table.
pub(super) async fn guarded(conn: &mut SqliteConnection, table: &str) -> Result<Option<TableName>> {
    let unexpected = |_| StoreError::Unexpected {
        what: "the name of a table",
    };
    let name = TableName {
        schema: None,
        name: Ident::new(table).map_err(unexpected)?,
    };
    let row = bound(
        "SELECT tbl_name FROM sqlite_master WHERE type = 'trigger' AND name = ?",
        [Bind::Text(trigger_name(&name, "u")?.as_str().to_owned())],
    )
    .fetch_optional(conn)
    .await
    .map_err(fault::of)?;
    let Some(row) = row else { return Ok(None) };
    let now: String = row.try_get(0).map_err(fault::of)?;
    Ok(Some(TableName {
        schema: None,
        name: Ident::new(now).map_err(unexpected)?,
    }))
}

struct Guard {
    table: String,
    keys: Vec<String>,
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
    fn new(target: &Target) -> Self {
        let keys: Vec<String> = target.keys.iter().map(|key| key.name.quoted()).collect();
        let tenant = target.tenant.as_ref().map(Ident::quoted);
        let mut guard = Self {
            table: target.table.name.quoted(),
            bound_to: keys.iter().cloned().chain(tenant.clone()).collect(),
            keys,
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

    fn on_insert(&self, name: &Ident) -> String {
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
        let mut body = Vec::new();
        for field in &self.beside {
            body.push(refuse(
                &format!(
                    "NOT {} AND NEW.{} IS NOT NULL AND {}",
                    marked("sealer"),
                    field.sealed,
                    field.plain_is_null("NEW"),
                ),
                "a sealed value without its plaintext is taken from a trusted writer only",
            ));
            body.push(refuse(
                &format!(
                    "{} AND NEW.{sealed} IS NOT NULL AND NOT {}",
                    marked("sealer"),
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
                body.push(self.blank(sealed, &format!("NOT {}", marked("sealer"))));
            }
            let nexts: Vec<&String> = self.nexts().collect();
            if !nexts.is_empty() {
                let any = joined(&nexts, " OR ", |next| format!("{next} IS NOT NULL"));
                body.push(self.blank(nexts.into_iter(), &format!("({any})")));
            }
            body.push(UNMARK.to_owned());
        }
        format!(
            "CREATE TRIGGER {} AFTER INSERT ON {} FOR EACH ROW\nWHEN NOT {} AND ({})\nBEGIN\n    {}\nEND",
            name.quoted(),
            self.table,
            marked("engine"),
            carried.join(" OR "),
            body.join("\n    "),
        )
    }

    fn on_update(&self, name: &Ident) -> String {
        let mut body = Vec::new();
        for field in &self.beside {
            body.extend(self.beside_refusals(field));
        }
        for InPlace { column, .. } in &self.in_place {
            body.push(refuse(
                &format!(
                    "({}) AND {} AND NOT ({} AND {})",
                    self.moved(),
                    is_sealed_text("NEW", column),
                    marked("sealer"),
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
                self.this_row(),
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
            marked("engine"),
            self.concerned(),
            body.join("\n    "),
        )
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
                marked("guard"),
            ));
        }
        any.extend(self.in_place.iter().map(|field| changed(&field.column)));
        if !kept.is_empty() {
            // The guard's own nested update changes these columns alone.
            any.push(format!(
                "(NOT {} AND ({}))",
                marked("guard"),
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

    fn this_row(&self) -> String {
        joined(&self.keys, " AND ", |key| format!("{key} IS NEW.{key}"))
    }

    fn beside_refusals(&self, field: &Beside) -> [String; 2] {
        let trusted_seal = format!("({} AND {})", marked("sealer"), changed(&field.sealed));
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
        let trusted = marked("sealer");
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
            self.this_row(),
        )
    }

    /// In place nobody may write text sealed under a key that is known and not active, and a sealer
    /// none that is not sealed under an active one. Any other text may be plaintext.
    fn refuse_inactive(&self, column: &str, condition: &str) -> String {
        let known = self.keyed(&text_forms(column), "k.status <> 'active'");
        refuse(
            &format!(
                "{condition} AND ({known} OR ({} AND NOT {}))",
                marked("sealer"),
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

#[cfg(test)]
mod tests;
