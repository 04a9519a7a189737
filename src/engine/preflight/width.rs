//! E0227: a column sealed in place that has a limit of characters. The sealed text is longer than
//! any value that fits, so the limit has to go; the message says how long the sealed text can get.

use super::{Dialect, Findings, Preflight};

/// The most bytes of a character in UTF-8.
const BYTES_PER_CHAR_MAX: u64 = 4;
/// Bytes of magic, suite, key id, nonce and tag (docs/FORMAT.md).
const ENVELOPE_BYTES: u64 = 34;
/// Characters of the prefix `ps1.`.
const PREFIX_CHARS: u64 = 4;

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    if p.dialect == Dialect::Sqlite || p.purpose.is_restore() {
        return;
    }
    for (_, field) in p.fields().filter(|(_, field)| field.in_place()) {
        let Some(column) = field.column.filter(|column| !column.array) else {
            continue;
        };
        let blank_padded = column.base_type == "bpchar";
        if !blank_padded && column.char_limit.is_none() {
            continue;
        }
        let need = match column.char_limit {
            Some(chars) => format!(
                "{chars} characters can need {} when sealed",
                sealed_chars_max(chars, field.plan.pad_to)
            ),
            None => "spaces at the end are not kept".to_owned(),
        };
        out.refuse(
            "E0227",
            p.plan,
            Some(field.name()),
            format!("{} cannot hold sealed text: {need}", column.sql_type),
            format!(
                "ALTER TABLE {} ALTER COLUMN {} TYPE text",
                p.plan.name.quoted(),
                field.plan.name.quoted()
            ),
        );
    }
}

/// The longest sealed text of a value of so many characters, padded to a multiple of `pad_to` bytes
/// unless that is 0.
pub(super) fn sealed_chars_max(chars: u32, pad_to: u32) -> u64 {
    let plain = u64::from(chars) * BYTES_PER_CHAR_MAX;
    let padded = match u64::from(pad_to) {
        0 => plain,
        // The end mark 0x80 always takes a byte.
        bucket => (plain + 1).div_ceil(bucket) * bucket,
    };
    PREFIX_CHARS + (4 * (padded + ENVELOPE_BYTES)).div_ceil(3)
}
