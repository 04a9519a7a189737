//! The words that the guard's triggers are made of: marks, refusals, comparisons, key ids.
//! Owns their SQL, each an expression or a statement by itself. Old and new are compared exactly.

use super::super::mark::{change_of, number, numbers};
use super::super::statement::literal;
use super::super::value::SEALED_TEXT;
use crate::ident::Ident;

const URL_SAFE: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The marks that are for one table.
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

    /// Marks the guard's own nested update. Within a trigger's program, and in those of the triggers it sets
    /// off, `last_insert_rowid()` is the program's own: so the mark is seen there, and nowhere else.
    pub(super) fn mark(&self) -> String {
        format!(
            "INSERT INTO phiseal_guard_mark (id, mark) VALUES ({}, 'guard');",
            number(self.first, 0)
        )
    }

    /// Whether the update is the guard's own.
    pub(super) fn is_nested(&self) -> String {
        format!(
            "EXISTS (SELECT 1 FROM phiseal_guard_mark WHERE id = last_insert_rowid() AND mark = 'guard' AND {})",
            self.is_of_table()
        )
    }

    /// What the engine says that it changes here, as a number; NULL where it says nothing of this table.
    pub(super) fn change(&self) -> String {
        format!(
            "(SELECT {} FROM phiseal_guard_mark WHERE id = last_insert_rowid() AND mark = 'engine' AND {})",
            change_of("id"),
            self.is_of_table()
        )
    }

    /// The number of the note that the statement names a blind index, for the row that was `OLD`.
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

/// Takes the mark away again.
pub(super) const UNMARK: &str = "DELETE FROM phiseal_guard_mark WHERE id = last_insert_rowid();";

/// Whether the writer seals values itself. No transaction commits with this mark in it.
pub(super) fn trusted() -> String {
    "EXISTS (SELECT 1 FROM phiseal_mark WHERE mark = 'sealer')".to_owned()
}

/// Has the mark that is about to be trusted checked against its foreign key once more, in this transaction: a
/// committed one then keeps whoever would profit from it from committing, or is refused.
pub(super) fn prove(condition: &str) -> String {
    format!("UPDATE phiseal_mark SET mark = mark WHERE mark = 'sealer' AND ({condition});")
}

/// Whether the guard's trigger of this name is of another table than its statements change.
pub(super) fn names_another_table(trigger: &Ident) -> String {
    format!(
        "NOT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND name = {} \
         AND instr(sql, 'UPDATE \"' || replace(tbl_name, '\"', '\"\"') || '\" SET') > 0)",
        literal(trigger.as_str())
    )
}

/// A value sealed under a key that is not active.
pub(super) const KEY_NOT_ACTIVE: &str = "PS002";
/// A sealed value without its plaintext, from a writer that is not trusted.
pub(super) const NOT_TRUSTED: &str = "PS003";
/// Key or tenant of a row changed whose plaintext is gone.
pub(super) const MOVED: &str = "PS004";
/// The guard names another table.
pub(super) const NOT_ITS_TABLE: &str = "PS005";
/// A seal changed alone, by a writer that is not trusted.
pub(super) const SEAL_CHANGED: &str = "PS006";

/// Refuses the statement where a condition holds. SQLite has no codes for this: the message begins with ours.
pub(super) fn refuse(condition: &str, code: &str, reason: &str) -> String {
    let reason = literal(&format!("phiseal {code}: {reason}"));
    format!("SELECT RAISE(ABORT, {reason}) WHERE {condition};")
}

/// Whether the update changes a column.
pub(super) fn changed(column: &str) -> String {
    differ(&format!("OLD.{column}"), &format!("NEW.{column}"))
}

/// By class and bytes, so that no collation and no affinity hides a change. A cast of REAL keeps 15
/// digits only, so those are compared as numbers.
pub(super) fn differ(one: &str, other: &str) -> String {
    format!(
        "(typeof({one}) <> typeof({other}) OR CASE typeof({one}) WHEN 'real' THEN {one} <> {other} \
         ELSE CAST({one} AS BLOB) IS NOT CAST({other} AS BLOB) END)"
    )
}

/// Whether a value is text that begins as sealed text does.
pub(super) fn is_sealed_text(side: &str, column: &str) -> String {
    let prefix = String::from_utf8_lossy(SEALED_TEXT);
    format!("(typeof({side}.{column}) = 'text' AND substr({side}.{column}, 1, 4) = '{prefix}')")
}

/// The first twelve characters are those of key `k`, under either suite.
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
