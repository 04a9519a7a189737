//! Marks: how the guards know which writer they see.
//! Owns `phiseal_mark`, by which an application declares that it seals values itself,
//! `phiseal_guard_mark` of the engine and the guards, and what a committed mark means. No committed
//! row ever lets a writer past a guard. An application's mark cannot be committed (a deferred
//! foreign key to no row); the engine's mark counts only on the connection whose last INSERT it
//! was. The number of the engine's mark names the table and the change that it allows: `-2^63 + (32
//! bits of the label's digest, 2 of the change, 28 random)`.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::super::connect::{commit, write_transaction};
use super::super::guard;
use super::super::sql::{bound, run, scalar};
use crate::store::Result;
use crate::store::change::{Change, label_digest};

/// The number of random bits in a mark's number; the bits of the change are above them.
const CHANCE_BITS: u32 = 28;
/// The number of bits that say which change a mark allows.
const CHANGE_BITS: u32 = 2;

/// The first and last number of the marks for one table.
pub(crate) fn numbers(label: &str) -> (i64, i64) {
    let [a, b, c, d, ..] = label_digest(label);
    let digest = i64::from(u32::from_be_bytes([a, b, c, d]));
    let bits = CHANCE_BITS + CHANGE_BITS;
    let first = i64::MIN + (digest << bits);
    (first, first + (1 << bits) - 1)
}

/// The bits of a change.
pub(crate) fn bits(change: Change) -> i64 {
    match change {
        Change::Seal => 0,
        Change::InPlace => 1,
        Change::Restore => 2,
        Change::Clear => 3,
    }
}

/// An SQL expression for the bits of the change in a mark's number.
pub(crate) fn change_of(number: &str) -> String {
    format!("(({number} >> {CHANCE_BITS}) & {})", (1 << CHANGE_BITS) - 1)
}

/// An SQL expression for the number of a new mark; its last bits are random.
pub(crate) fn number(first: i64, change: i64) -> String {
    // SQLite reads -2^63 as a floating-point number.
    let first = first + (change << CHANCE_BITS) + 1;
    format!("({first} - 1 + (random() & {}))", (1 << CHANCE_BITS) - 1)
}

/// Marks what the connection writes until its next INSERT as the engine's: this change of the table
/// with this label.
pub(crate) async fn as_engine(
    conn: &mut SqliteConnection,
    change: Change,
    label: &str,
) -> Result<()> {
    let mark = format!(
        "INSERT INTO phiseal_guard_mark (id, mark) VALUES ({}, 'engine')",
        number(numbers(label).0, bits(change))
    );
    run(conn, mark).await
}

/// Removes the engine's marks, and those that a guard left behind (`UPDATE OR FAIL`), which have no
/// effect.
pub(crate) async fn clear(conn: &mut SqliteConnection) -> Result<()> {
    bound("DELETE FROM phiseal_guard_mark", [])
        .execute(conn)
        .await?;
    Ok(())
}

/// Prepares the file before a command writes: records committed marks as gaps and removes them, and
/// renews outdated guards.
pub(crate) async fn start_writing(conn: &mut SqliteConnection) -> Result<()> {
    const NOTE: &str = "INSERT INTO phiseal_guard_gaps (mark) SELECT DISTINCT mark FROM phiseal_mark \
        WHERE mark <> 'guard'";
    if strays(conn).await?.is_empty()
        && left(conn).await? == 0
        && guard::outdated(conn).await?.is_empty()
    {
        return Ok(());
    }
    let mut transaction = write_transaction(conn).await?;
    run(&mut transaction, NOTE).await?;
    run(&mut transaction, "DELETE FROM phiseal_mark").await?;
    clear(&mut transaction).await?;
    guard::renew(&mut transaction).await?;
    commit(transaction).await
}

/// The times in which the guards could be bypassed, each as one line of a message.
pub(crate) async fn gaps(conn: &mut SqliteConnection) -> Result<Vec<String>> {
    const GAPS: &str =
        "SELECT found_at, mark FROM phiseal_guard_gaps WHERE verified_at IS NULL ORDER BY gap_id";
    let mut gaps: Vec<String> = strays(conn)
        .await?
        .iter()
        .map(|mark| {
            format!("the mark '{mark}' stands in phiseal_mark, committed: somebody forced it")
        })
        .collect();
    for row in bound(GAPS, []).fetch_all(&mut *conn).await? {
        let found_at: String = row.try_get(0)?;
        let mark: String = row.try_get(1)?;
        gaps.push(format!(
            "the mark '{mark}' stood in phiseal_mark, committed, when it was found at {found_at}: guards of an \
             earlier version let past whoever wrote before"
        ));
    }
    for table in guard::outdated(conn).await? {
        gaps.push(format!(
            "the guard of table {} is an earlier version's, or was made when the table was called otherwise",
            table.label()
        ));
    }
    Ok(gaps)
}

/// Closes these gaps, after every sealed value was opened and compared.
pub(crate) async fn verified(conn: &mut SqliteConnection) -> Result<()> {
    const OPEN: &str = "SELECT count(*) FROM phiseal_guard_gaps WHERE verified_at IS NULL";
    const CLOSE: &str = "UPDATE phiseal_guard_gaps SET verified_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') \
        WHERE verified_at IS NULL";
    if count(conn, OPEN).await? == 0 {
        return Ok(());
    }
    let mut transaction = write_transaction(conn).await?;
    run(&mut transaction, CLOSE).await?;
    commit(transaction).await
}

/// The marks that are committed now, except those left by guards of an earlier version.
async fn strays(conn: &mut SqliteConnection) -> Result<Vec<String>> {
    const MARKS: &str =
        "SELECT DISTINCT mark FROM phiseal_mark WHERE mark <> 'guard' ORDER BY mark";
    Ok(scalar(MARKS, []).fetch_all(conn).await?)
}

/// How many marks are stored, of the engine, the guards and applications.
async fn left(conn: &mut SqliteConnection) -> Result<i64> {
    const LEFT: &str =
        "SELECT (SELECT count(*) FROM phiseal_guard_mark) + (SELECT count(*) FROM phiseal_mark)";
    count(conn, LEFT).await
}

async fn count(conn: &mut SqliteConnection, sql: &str) -> Result<i64> {
    Ok(scalar(sql, []).fetch_one(conn).await?)
}

#[cfg(test)]
mod tests;
