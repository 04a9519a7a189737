//! The engine's mark, for tests that do what the engine does, or will do, by hand.

use sha2::{Digest, Sha256};

/// Statements under the engine's mark in PostgreSQL: `seal`, `in_place`, `restore` or `clear` of a table.
pub fn marked(change: &str, label: &str, sql: &str) -> String {
    format!("BEGIN; {}; {sql}; COMMIT", mark(change, label))
}

/// The statement that sets the mark.
fn mark(change: &str, label: &str) -> String {
    let digest = hex::encode(&Sha256::digest(label.as_bytes())[..8]);
    format!("SET LOCAL phiseal.change = '{change} {digest}'")
}

/// The same in SQLite, for a transaction of its own.
pub fn marked_in_sqlite(change: &str, label: &str, sql: &str) -> String {
    let digest = Sha256::digest(label.as_bytes());
    let digest = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    let change = ["seal", "in_place", "restore", "clear"]
        .iter()
        .position(|name| *name == change)
        .unwrap() as i64;
    let id = i64::MIN + (i64::from(digest) << 30) + (change << 28) + 7;
    format!(
        "BEGIN IMMEDIATE; INSERT INTO phiseal_guard_mark VALUES ({id}, 'engine'); {sql};
         DELETE FROM phiseal_guard_mark; COMMIT"
    )
}

/// Drops the checks of the form of sealed values, so that a test can put something else there.
pub fn formless(table: &str) -> String {
    format!(
        "DO $$ DECLARE k record; BEGIN FOR k IN SELECT conname FROM pg_constraint WHERE conrelid = '{table}'::regclass \
         AND conname LIKE 'phiseal\\_form\\_%' LOOP EXECUTE format('ALTER TABLE {table} DROP CONSTRAINT %I', k.conname); \
         END LOOP; END $$;"
    )
}

/// Statements in PostgreSQL while the guard of a table is switched off, as an owner does who means to.
pub fn unguarded(table: &str, sql: &str) -> String {
    let each = |does: &str| {
        ["~phiseal_i", "~phiseal_u"]
            .map(|name| format!("ALTER TABLE {table} {does} TRIGGER \"{name}\";"))
            .concat()
    };
    format!(
        "BEGIN; {} {sql}; {} COMMIT",
        each("DISABLE"),
        each("ENABLE ALWAYS")
    )
}
