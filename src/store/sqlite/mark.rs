//! Marks: how the guards know who writes.
//! Owns `phiseal_mark`, by which an application says that it seals values itself, and `phiseal_guard_mark`
//! of the engine and the guards; and what a mark that was committed means. Always holds: no committed row
//! lets anybody past a guard. An application's mark cannot be committed (a deferred foreign key to no row);
//! the engine's counts on the connection whose last INSERT it was, and on no other. Its number names the table
//! and the change that it is for: `-2^63 + (32 bits of the label's digest, 2 of the change, 28 by chance)`.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::connection::{commit, write_transaction};
use super::fault;
use super::guard;
use super::statement::{bound, run};
use crate::store::Result;
use crate::store::change::{Change, label_digest};

/// How many bits of a mark's number are by chance; above them stand those of the change.
const CHANCE_BITS: u32 = 28;
/// How many bits of a mark's number say the change.
const CHANGE_BITS: u32 = 2;

/// The numbers of the marks that are for one table: the first and the last.
pub(super) fn numbers(label: &str) -> (i64, i64) {
    let [a, b, c, d, ..] = label_digest(label);
    let digest = i64::from(u32::from_be_bytes([a, b, c, d]));
    let bits = CHANCE_BITS + CHANGE_BITS;
    let first = i64::MIN + (digest << bits);
    (first, first + (1 << bits) - 1)
}

/// The bits of a change.
pub(super) fn bits(change: Change) -> i64 {
    match change {
        Change::Seal => 0,
        Change::InPlace => 1,
        Change::Restore => 2,
        Change::Clear => 3,
    }
}

/// The bits of the change in a mark's number, as SQL.
pub(super) fn change_of(number: &str) -> String {
    format!("(({number} >> {CHANCE_BITS}) & {})", (1 << CHANGE_BITS) - 1)
}

/// A number of a mark, as SQL; the last bits are by chance.
pub(super) fn number(first: i64, change: i64) -> String {
    // SQLite reads -2^63 as a floating-point number.
    let first = first + (change << CHANCE_BITS) + 1;
    format!("({first} - 1 + (random() & {}))", (1 << CHANCE_BITS) - 1)
}

/// Marks what the connection writes next, up to its next INSERT, as the engine's: this change of the
/// table of this label.
pub(super) async fn as_engine(
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

/// Takes the engine's marks away, and what a guard left of its own (`UPDATE OR FAIL`), which is nothing to anybody.
pub(super) async fn clear(conn: &mut SqliteConnection) -> Result<()> {
    bound("DELETE FROM phiseal_guard_mark", [])
        .execute(conn)
        .await
        .map(|_| ())
        .map_err(fault::of)
}

/// Before a command writes: no mark stands, what stood is noted, and every guard is one of this program's.
pub(super) async fn start_writing(conn: &mut SqliteConnection) -> Result<()> {
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

/// What the guards could not be relied upon for, and since when, each in one line for a person.
pub(super) async fn gaps(conn: &mut SqliteConnection) -> Result<Vec<String>> {
    const GAPS: &str =
        "SELECT found_at, mark FROM phiseal_guard_gaps WHERE verified_at IS NULL ORDER BY gap_id";
    let mut gaps: Vec<String> = strays(conn)
        .await?
        .iter()
        .map(|mark| {
            format!("the mark '{mark}' stands in phiseal_mark, committed: somebody forced it")
        })
        .collect();
    for row in bound(GAPS, [])
        .fetch_all(&mut *conn)
        .await
        .map_err(fault::of)?
    {
        let found_at: String = row.try_get(0).map_err(fault::of)?;
        let mark: String = row.try_get(1).map_err(fault::of)?;
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

/// Every sealed value was opened and compared: what was written through a gap is known to be right.
pub(super) async fn verified(conn: &mut SqliteConnection) -> Result<()> {
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

/// The marks that are committed now, less what guards of an earlier version left.
async fn strays(conn: &mut SqliteConnection) -> Result<Vec<String>> {
    const MARKS: &str =
        "SELECT DISTINCT mark FROM phiseal_mark WHERE mark <> 'guard' ORDER BY mark";
    let rows = bound(MARKS, []).fetch_all(conn).await.map_err(fault::of)?;
    rows.iter()
        .map(|row| row.try_get(0).map_err(fault::of))
        .collect()
}

/// How many marks the engine or a guard left.
async fn left(conn: &mut SqliteConnection) -> Result<i64> {
    const LEFT: &str =
        "SELECT (SELECT count(*) FROM phiseal_guard_mark) + (SELECT count(*) FROM phiseal_mark)";
    count(conn, LEFT).await
}

async fn count(conn: &mut SqliteConnection, sql: &str) -> Result<i64> {
    let row = bound(sql, []).fetch_one(conn).await.map_err(fault::of)?;
    row.try_get(0).map_err(fault::of)
}

#[cfg(test)]
mod tests;
