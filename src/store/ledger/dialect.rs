//! What differs between databases in the SQL on our own tables.
//! Owns the list of differences; a store implements it once. Everything else in `store/ledger` is
//! SQL that PostgreSQL and SQLite from 3.39 on read alike; the program carries a newer SQLite:
//! `$1` for values, `IS DISTINCT FROM`, `RETURNING`, `ON CONFLICT`, `UPDATE … FROM`.

use crate::error::round_trip::StoreError;

/// The SQL of one database, as far as it is not the same everywhere. Each method returns the text of
/// an expression or a clause. A `value` is a placeholder such as `$2`; a `column` may be qualified.
pub(crate) trait Dialect: Clone + Send + Sync {
    /// The name of one of our own tables, qualified and quoted as this database needs it.
    fn table(&self, name: &str) -> String;

    /// The database's present time, as it is stored.
    fn now(&self) -> &'static str;

    /// A stored time as text: RFC 3339, UTC.
    fn time_text(&self, column: &str) -> String;

    /// A time to store, from RFC 3339 text.
    fn time_value(&self, value: &str) -> String;

    /// The present time as text: RFC 3339, UTC.
    fn now_text(&self) -> String;

    /// The time that is so many seconds from now.
    fn seconds_from_now(&self, value: &str) -> String;

    /// How many seconds from now a stored time is; negative once it is over.
    fn seconds_until(&self, column: &str) -> String;

    /// The clause that locks the rows of a SELECT until the transaction ends; empty where a writing
    /// transaction is the only writer anyway.
    fn for_update(&self) -> &'static str;

    /// Like [`Dialect::for_update`], but leaves out rows that another transaction has locked.
    fn for_update_skip_locked(&self) -> &'static str;

    /// Whether a column holds an integer. Only SQLite can store anything else in our columns.
    fn is_integer(&self, column: &str) -> String;

    /// Whether a column holds bytes.
    fn is_bytes(&self, column: &str) -> String;

    /// Whether the present transaction wrote the row `t` of `key_transitions`. `before` is the number
    /// of the newest row when the transaction began ([`Session::newest_change`]).
    ///
    /// [`Session::newest_change`]: super::session::Session::newest_change
    fn is_ours(&self, before: i64) -> String;

    /// Whether a statement failed because a row with the same unique key exists.
    fn is_duplicate(&self, error: &StoreError) -> bool;
}
