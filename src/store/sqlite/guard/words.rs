//! The words that the guard's triggers are made of: marks, refusals, comparisons, key ids.
//! Owns their SQL, each an expression or a statement by itself. Old and new are compared exactly.

use super::super::statement::literal;
use super::super::value::SEALED_TEXT;
use crate::ident::Ident;

const URL_SAFE: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Marks the guard's own nested update. Within a trigger's program, and in those of the triggers it sets off,
/// `last_insert_rowid()` is the program's own: so the mark is seen there, and nowhere else.
pub(super) const MARK: &str = "INSERT INTO phiseal_guard_mark (id, mark) VALUES \
    ((random() | (-9223372036854775807 - 1)) & -4611686018427387905, 'guard');";

/// Takes the mark away again.
pub(super) const UNMARK: &str = "DELETE FROM phiseal_guard_mark WHERE id = last_insert_rowid();";

/// Whether the writer is the engine, or the guard itself.
pub(super) fn is_ours(mark: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM phiseal_guard_mark WHERE id = last_insert_rowid() AND mark = {})",
        literal(mark)
    )
}

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

/// Refuses the statement where a condition holds.
pub(super) fn refuse(condition: &str, reason: &str) -> String {
    let reason = literal(&format!("phiseal: {reason}"));
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
