//! What the guard refuses of a frozen field: any plaintext, and whatever would make an old one the only
//! copy again.

use super::GuardField;
use super::form::looks_sealed;
use super::functions::raise;

/// A plaintext is written to a field that takes none any more.
const FROZEN: &str = "PS007";

/// What a frozen field with a plaintext column refuses of an UPDATE: any change of the plaintext,
/// unless a sealer removes it and writes the sealed value or deletes both, and a sealed value that is
/// removed while its plaintext stays.
pub(super) fn frozen_update(field: &GuardField) -> String {
    let Some(plain) = field.beside().filter(|_| field.frozen) else {
        return String::new();
    };
    if field.is_hidden() {
        // A sealer that deletes a value cannot name the hidden column.
        return format!(
            "  IF trusted AND resealed AND NEW.{s} IS NULL AND NOT changed THEN NEW.{p} := NULL; changed := true; END IF;\n\
             \x20 IF changed AND NOT (trusted AND NEW.{p} IS NULL AND (resealed OR NEW.{s} IS NULL)) THEN\n    {}\n  END IF;\n",
            refuse_plaintext(field),
            p = plain.quoted(),
            s = field.holder.quoted(),
        );
    }
    format!(
        "  IF changed AND NOT (trusted AND NEW.{p} IS NULL AND (resealed OR NEW.{s} IS NULL))\n\
         \x20   OR trusted AND resealed AND NEW.{s} IS NULL AND NEW.{p} IS NOT NULL THEN\n    {}\n  END IF;\n",
        refuse_plaintext(field),
        p = plain.quoted(),
        s = field.holder.quoted(),
    )
}

/// What a frozen field in place refuses if `condition` holds: a value that is not in the sealed form.
pub(super) fn no_plaintext_in_place(field: &GuardField, condition: &str) -> String {
    let value = format!("NEW.{}", field.holder.quoted());
    format!(
        "  IF {condition} AND {value} IS NOT NULL AND NOT {} THEN\n    {}\n  END IF;\n",
        looks_sealed(&value),
        refuse_plaintext(field),
    )
}

/// Refuses the statement, and tells its developer what to do.
pub(super) fn refuse_plaintext(field: &GuardField) -> String {
    raise(
        FROZEN,
        field.name(),
        "this column takes no plaintext any more",
        "seal the value in the application, write the sealed value only (SET LOCAL phiseal.sealer = 'on'), \
         and leave the plaintext out; to delete a value, set both to NULL",
    )
}
