//! The words that the guard's triggers are made of: marks, refusals, comparisons, key ids.
//! Owns their SQL, each an expression or a statement by itself. Old and new are compared exactly.

use super::super::value::SEALED_TEXT;

const URL_SAFE: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Marks the guard's own nested update.
pub(super) const MARK: &str = "INSERT INTO phiseal_mark (mark) VALUES ('guard');";

/// One of them only: guards nest.
pub(super) const UNMARK: &str = "DELETE FROM phiseal_mark \
    WHERE rowid = (SELECT max(rowid) FROM phiseal_mark WHERE mark = 'guard');";

/// Whether this mark stands.
pub(super) fn marked(mark: &str) -> String {
    format!("EXISTS (SELECT 1 FROM phiseal_mark WHERE mark = '{mark}')")
}

/// Refuses the statement where a condition holds.
pub(super) fn refuse(condition: &str, reason: &str) -> String {
    format!("SELECT RAISE(ABORT, 'phiseal: {reason}') WHERE {condition};")
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
