//! The SQL fragments of the guard's triggers: marks, refusals, comparisons, key ids. Each is an
//! expression or a statement by itself. They compare old and new exactly.

use super::super::sql::literal;
use super::super::value::SEALED_TEXT;
use super::mark::{change_of, number, numbers};
use crate::ident::Ident;
use crate::store::text::joined;

/// The length of the shortest sealed value, in bytes.
const ENVELOPE_MIN: usize = 34;

const URL_SAFE: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The numbers of marks that count for one table.
pub(super) struct Marks {
    first: i64,
    last: i64,
    label: String,
}

impl Marks {
    pub(super) fn of(label: &str) -> Self {
        let (first, last) = numbers(label);
        Self {
            first,
            last,
            label: label.to_owned(),
        }
    }

    /// Marks the guard's own nested update. In a trigger's program, and in the triggers that it
    /// fires, `last_insert_rowid()` is local to the program, so only these see the mark.
    pub(super) fn mark(&self) -> String {
        format!(
            "INSERT INTO phiseal_guard_mark (id, mark) VALUES ({}, 'guard');",
            number(self.first, 0)
        )
    }

    /// The condition that the update is the guard's own.
    pub(super) fn is_nested(&self) -> String {
        format!(
            "EXISTS (SELECT 1 FROM phiseal_guard_mark WHERE id = last_insert_rowid() AND mark = 'guard' AND {})",
            self.is_of_table()
        )
    }

    /// The change of this table that the engine's mark allows, as a number; NULL if there is no
    /// mark for this table.
    pub(super) fn change(&self) -> String {
        format!(
            "(SELECT {} FROM phiseal_guard_mark WHERE id = last_insert_rowid() AND mark = 'engine' AND {})",
            change_of("id"),
            self.is_of_table()
        )
    }

    /// The number of the record that a statement names a blind index, for the row `OLD`.
    pub(super) fn note(&self, index: &str, rowid: Option<&str>) -> String {
        let (first, _) = numbers(&format!("{}\0{index}", self.label));
        let row = rowid.map_or_else(
            || "0".to_owned(),
            |rowid| format!("(OLD.{rowid} & 1073741823)"),
        );
        format!("({} - 1 + {row})", first + 1)
    }

    fn is_of_table(&self) -> String {
        format!("id BETWEEN {} - 1 AND {}", self.first + 1, self.last)
    }
}

/// Removes the mark.
pub(super) const UNMARK: &str = "DELETE FROM phiseal_guard_mark WHERE id = last_insert_rowid();";

/// The condition that the writer is a sealer. No transaction can commit with this mark in it.
pub(super) fn trusted() -> String {
    "EXISTS (SELECT 1 FROM phiseal_mark WHERE mark = 'sealer')".to_owned()
}

/// Makes SQLite check the sealer's mark against its foreign key again, in this transaction, before
/// the guard trusts it. If a mark was committed, the update is refused or the transaction cannot
/// commit.
pub(super) fn prove(condition: &str) -> String {
    format!("UPDATE phiseal_mark SET mark = mark WHERE mark = 'sealer' AND ({condition});")
}

/// The condition that the guard's trigger of this name updates another table than its own.
pub(super) fn names_another_table(trigger: &Ident) -> String {
    format!(
        "NOT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND name = {} \
         AND instr(sql, 'UPDATE \"' || replace(tbl_name, '\"', '\"\"') || '\" SET') > 0)",
        literal(trigger.as_str())
    )
}

/// A value is sealed under a key that is not active.
pub(super) const KEY_NOT_ACTIVE: &str = "PS002";
/// An untrusted writer wrote a sealed value without its plaintext.
pub(super) const NOT_TRUSTED: &str = "PS003";
/// The key or tenant of a row changed, and its plaintext is gone.
pub(super) const MOVED: &str = "PS004";
/// The guard updates another table.
pub(super) const NOT_ITS_TABLE: &str = "PS005";
/// An untrusted writer changed a sealed value alone.
pub(super) const SEAL_CHANGED: &str = "PS006";
/// A plaintext is written to a field that takes none any more.
pub(super) const FROZEN: &str = "PS007";

/// Refuses the statement if a condition holds. SQLite has no codes for this, so the message begins
/// with phiseal's.
pub(super) fn refuse(condition: &str, code: &str, reason: &str) -> String {
    let reason = literal(&format!("phiseal {code}: {reason}"));
    format!("SELECT RAISE(ABORT, {reason}) WHERE {condition};")
}

/// The condition that the update changes a column.
pub(super) fn changed(column: &str) -> String {
    differ(&format!("OLD.{column}"), &format!("NEW.{column}"))
}

/// The condition that two values differ by class or bytes, whatever their collation and affinity. A
/// cast of REAL keeps only 15 digits, so REALs are compared as numbers.
pub(super) fn differ(one: &str, other: &str) -> String {
    format!(
        "(typeof({one}) <> typeof({other}) OR CASE typeof({one}) WHEN 'real' THEN {one} <> {other} \
         ELSE CAST({one} AS BLOB) IS NOT CAST({other} AS BLOB) END)"
    )
}

/// The condition that a value is text with the prefix of the text form.
pub(super) fn is_sealed_text(side: &str, column: &str) -> String {
    let prefix = String::from_utf8_lossy(SEALED_TEXT);
    format!("(typeof({side}.{column}) = 'text' AND substr({side}.{column}, 1, 4) = '{prefix}')")
}

/// The condition that a value has the text form of a sealed value: `ps1.`, then base64 of at least
/// 34 bytes, which begin with 0xE7, suite 1 or 2, and a key id below 2^31.
pub(in crate::store::sqlite) fn has_text_form(value: &str) -> String {
    format!(
        "(typeof({value}) = 'text' AND length({value}) >= 50 AND CAST(substr({value}, 1, 7) AS TEXT) \
         IN ('ps1.5wE', 'ps1.5wF', 'ps1.5wI', 'ps1.5wJ'))"
    )
}

/// The condition that a value has the form of a sealed value, as text or as bytes.
pub(in crate::store::sqlite) fn has_form(value: &str, text: bool) -> String {
    match text {
        true => has_text_form(value),
        false => format!(
            "(typeof({value}) = 'blob' AND length({value}) >= {ENVELOPE_MIN} \
             AND substr({value}, 1, 2) IN (x'e701', x'e702'))"
        ),
    }
}

/// The condition that the first twelve characters are those of key `k`, under either suite.
pub(super) fn text_forms(column: &str) -> String {
    format!(
        "CAST(substr(NEW.{column}, 1, 12) AS TEXT) IN ({}, {})",
        text_prefix(0xE701),
        text_prefix(0xE702),
    )
}

/// `ps1.` and the base64 of magic, suite and key id: 48 bits, so 8 whole characters.
fn text_prefix(magic_and_suite: i64) -> String {
    let bits = magic_and_suite << 32;
    let letters = joined((0..8).rev(), " || ", |place| {
        format!(
            "substr('{URL_SAFE}', ((({bits} | k.key_id) >> {}) & 63) + 1, 1)",
            6 * place
        )
    });
    format!("'ps1.' || {}", letters)
}
