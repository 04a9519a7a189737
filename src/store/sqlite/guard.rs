//! The guard: two triggers that no stale seal gets past.
//! Owns their text. SQLite has no BEFORE trigger that changes a row, so these come AFTER and write
//! again what must be otherwise; old and new are compared by class and bytes, exactly.
//! Holds under any `recursive_triggers`, and with other triggers on the table: a guard's own nested
//! update is marked, so that it is not undone, and looks at the row once more before it is done.

use super::shape::joined;
use super::value::SEALED_TEXT;
use crate::ident::{Ident, TableName};
use crate::store::{FieldTarget, Result, Sealed, StoreError, Target};

/// How the names of the guard's triggers begin.
pub(super) const GUARD_PREFIX: &str = "~phiseal_";

const URL_SAFE: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

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

struct Guard {
    table: String,
    keys: Vec<String>,
    /// Key and tenant: what a sealed value is bound to.
    bound_to: Vec<String>,
    /// The tenant as the key table spells it.
    tenant: String,
    beside: Vec<Beside>,
    in_place: Vec<String>,
}

struct Beside {
    plain: Option<String>,
    sealed: String,
    text: bool,
    index: Option<String>,
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
            Sealed::InPlace => self.in_place.push(field.column.quoted()),
            Sealed::Beside { column, text } => self.beside.push(Beside {
                plain: field.plain_exists.then(|| field.column.quoted()),
                sealed: column.quoted(),
                text: *text,
                index: field.index.as_ref().map(Ident::quoted),
            }),
        }
    }

    fn on_insert(&self, name: &Ident) -> String {
        let mut carried: Vec<String> = self
            .beside
            .iter()
            .flat_map(Beside::sealed_columns)
            .map(|column| format!("NEW.{column} IS NOT NULL"))
            .collect();
        carried.extend(
            self.in_place
                .iter()
                .map(|column| is_sealed_text("NEW", column)),
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
        for column in &self.in_place {
            body.push(self.refuse_inactive(column, &is_sealed_text("NEW", column)));
        }
        if !self.beside.is_empty() {
            let blank: Vec<String> = self
                .beside
                .iter()
                .flat_map(Beside::sealed_columns)
                .map(|column| format!("{column} = NULL"))
                .collect();
            body.push(MARK.to_owned());
            body.push(format!(
                "UPDATE {} SET {} WHERE {} AND NOT {};",
                self.table,
                blank.join(", "),
                self.this_row(),
                marked("sealer"),
            ));
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
        for column in &self.in_place {
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
        if !self.beside.is_empty() {
            let set: Vec<String> = self
                .beside
                .iter()
                .flat_map(|field| self.assignments(field))
                .collect();
            body.push(MARK.to_owned());
            body.push(format!(
                "UPDATE {} SET {} WHERE {} AND {};",
                self.table,
                set.join(", "),
                self.this_row(),
                self.carried(),
            ));
            body.extend(
                self.beside
                    .iter()
                    .filter_map(|field| self.second_look(field)),
            );
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
        let sealed: Vec<&String> = self
            .beside
            .iter()
            .flat_map(Beside::sealed_columns)
            .collect();
        let mut any = vec![self.moved()];
        for plain in self.beside.iter().filter_map(|field| field.plain.as_ref()) {
            // The guard's own nested update may clear a plaintext.
            any.push(format!(
                "({} AND (NEW.{plain} IS NOT NULL OR NOT {}))",
                changed(plain),
                marked("guard"),
            ));
        }
        any.extend(self.in_place.iter().map(|column| changed(column)));
        if !sealed.is_empty() {
            // The guard's own nested update changes sealed columns alone.
            any.push(format!(
                "(NOT {} AND ({}))",
                marked("guard"),
                joined(&sealed, " OR ", |column| changed(column)),
            ));
        }
        any.join(" OR ")
    }

    /// A row with nothing sealed is not written again: its owner's triggers would fire for nothing.
    fn carried(&self) -> String {
        let sealed: Vec<&String> = self
            .beside
            .iter()
            .flat_map(Beside::sealed_columns)
            .collect();
        let any = joined(&sealed, " OR ", |column| {
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
    /// trigger was under way: the seal is then of an older plaintext.
    fn second_look(&self, field: &Beside) -> Option<String> {
        let plain = field.plain.as_ref()?;
        let blank: Vec<String> = field
            .sealed_columns()
            .map(|column| format!("{column} = NULL"))
            .collect();
        Some(format!(
            "UPDATE {} SET {} WHERE {} AND {} IS NOT NULL AND {plain} IS NOT NULL AND {};",
            self.table,
            blank.join(", "),
            self.this_row(),
            field.sealed,
            differ(plain, &format!("NEW.{plain}")),
        ))
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

const MARK: &str = "INSERT INTO phiseal_mark (mark) VALUES ('guard');";

/// One of them only: guards nest.
const UNMARK: &str = "DELETE FROM phiseal_mark \
    WHERE rowid = (SELECT max(rowid) FROM phiseal_mark WHERE mark = 'guard');";

fn marked(mark: &str) -> String {
    format!("EXISTS (SELECT 1 FROM phiseal_mark WHERE mark = '{mark}')")
}

fn refuse(condition: &str, reason: &str) -> String {
    format!("SELECT RAISE(ABORT, 'phiseal: {reason}') WHERE {condition};")
}

fn changed(column: &str) -> String {
    differ(&format!("OLD.{column}"), &format!("NEW.{column}"))
}

/// By class and bytes, so that no collation and no affinity hides a change. A cast of REAL keeps 15
/// digits only, so those are compared as numbers.
fn differ(one: &str, other: &str) -> String {
    format!(
        "(typeof({one}) <> typeof({other}) OR CASE typeof({one}) WHEN 'real' THEN {one} <> {other} \
         ELSE CAST({one} AS BLOB) IS NOT CAST({other} AS BLOB) END)"
    )
}

fn is_sealed_text(side: &str, column: &str) -> String {
    let prefix = String::from_utf8_lossy(SEALED_TEXT);
    format!("(typeof({side}.{column}) = 'text' AND substr({side}.{column}, 1, 4) = '{prefix}')")
}

/// The first twelve characters are those of key `k`, under either suite.
fn text_forms(column: &str) -> String {
    format!(
        "CAST(substr(NEW.{column}, 1, 12) AS TEXT) IN ({}, {})",
        text_prefix(0xE701),
        text_prefix(0xE702),
    )
}

/// `ps1.` and the base64 of magic, suite and key id: 48 bits, so 8 whole characters.
fn text_prefix(magic_and_suite: i64) -> String {
    let bits = magic_and_suite << 32;
    let letters: Vec<String> = (0..8)
        .rev()
        .map(|place| {
            format!(
                "substr('{URL_SAFE}', ((({bits} | k.key_id) >> {}) & 63) + 1, 1)",
                6 * place
            )
        })
        .collect();
    format!("'ps1.' || {}", letters.join(" || "))
}

#[cfg(test)]
mod tests;
