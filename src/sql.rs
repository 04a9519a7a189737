//! The SQL that an application runs on its own connections to work with sealed values.
//! Owns these texts; they hold no value, and the application's driver runs them. Where the plan names
//! another schema for phiseal's own tables, put its name in place of `phiseal.`.

/// The keys, for a [`KeySource`](crate::keys::KeySource) on PostgreSQL: the columns of
/// [`KeyColumns`](crate::keys::KeyColumns). The role needs USAGE on the schema and SELECT on the table.
pub const KEYS: &str = "SELECT key_id::bigint, tenant, purpose, version, status, kek_ref, wrapped_key, check_value \
     FROM phiseal.encryption_keys";

/// As [`KEYS`], for SQLite.
pub const KEYS_SQLITE: &str = "SELECT key_id, tenant, purpose, version, status, kek_ref, wrapped_key, check_value \
     FROM phiseal_encryption_keys";

/// How one column is sealed, on PostgreSQL: the columns of [`FieldColumns`](crate::FieldColumns). Its
/// parameters are the labels of the table and of the column. The role needs SELECT on the table.
pub const FIELD: &str = "SELECT table_label, column_label, source_type, pad_to, blind_index_normaliser, \
     blind_index_bits FROM phiseal.encrypted_field_metadata WHERE table_label = $1 AND column_label = $2";

/// As [`FIELD`], for SQLite, where a column of any type can hold text.
pub const FIELD_SQLITE: &str = "SELECT table_label, column_label, '', pad_to, blind_index_normaliser, \
     blind_index_bits FROM phiseal_encrypted_field_metadata WHERE table_label = ?1 AND column_label = ?2";

/// Says that this transaction seals its values itself, on PostgreSQL: run it first in each transaction
/// that writes a sealed column, else the guard refuses the write (SQLSTATE PS003 or PS006).
pub const SEALER: &str = "SET LOCAL phiseal.sealer = 'on'";

/// As [`SEALER`], for SQLite: after `PRAGMA foreign_keys = ON` and `BEGIN IMMEDIATE`.
pub const SEALER_SQLITE: &str = "INSERT INTO phiseal_mark VALUES ('sealer')";

/// Takes the mark of [`SEALER_SQLITE`] back, before COMMIT, which fails otherwise.
pub const SEALER_END_SQLITE: &str = "DELETE FROM phiseal_mark";

/// The SQLSTATE of a value that was sealed under a key which is no longer active: load the keys again
/// ([`KeyCache::reload`](crate::keys::KeyCache::reload)), seal the value again, and run the whole
/// transaction again. In SQLite the message begins with `phiseal PS002: `.
pub const STALE_KEY: &str = "PS002";
