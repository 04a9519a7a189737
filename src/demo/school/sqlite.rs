//! The demo's school in SQLite: one table in a file of its own.

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::{SealedStudent, Student};
use crate::ident::TableName;
use crate::store::Result;
use crate::store::sqlite::connect::{commit, write_transaction};
use crate::store::sqlite::sql::{Bind, bound, run};

/// Students in one statement; seven values each, of 32766 that a statement may have.
const STUDENTS_PER_INSERT: usize = 500;

pub(super) async fn build(conn: &mut SqliteConnection, table: &TableName) -> Result<()> {
    run(
        conn,
        format!(
            "CREATE TABLE {} ( \
                 id INTEGER PRIMARY KEY, \
                 first_name TEXT NOT NULL, \
                 last_name TEXT NOT NULL, \
                 date_of_birth TEXT, \
                 ssn TEXT, \
                 guardian_phone TEXT, \
                 medical_notes TEXT)",
            table.quoted()
        ),
    )
    .await
}

pub(super) async fn enroll(
    conn: &mut SqliteConnection,
    table: &TableName,
    students: &[Student],
) -> Result<()> {
    let mut tx = write_transaction(conn).await?;
    for some in students.chunks(STUDENTS_PER_INSERT) {
        let rows = vec!["(?, ?, ?, ?, ?, ?, ?)"; some.len()].join(", ");
        let sql = format!(
            "INSERT INTO {} (id, first_name, last_name, date_of_birth, ssn, guardian_phone, medical_notes) \
             VALUES {rows}",
            table.quoted()
        );
        bound(sql, some.iter().flat_map(values))
            .execute(&mut *tx)
            .await?;
    }
    commit(tx).await
}

fn values(student: &Student) -> [Bind; 7] {
    let text = |text: &Option<String>| Bind::from(text);
    [
        Bind::from(student.id),
        Bind::from(student.first_name.clone()),
        Bind::from(student.last_name.clone()),
        Bind::from(student.date_of_birth.clone()),
        text(&student.ssn),
        text(&student.guardian_phone),
        text(&student.medical_notes),
    ]
}

pub(super) async fn analyze(conn: &mut SqliteConnection, table: &TableName) -> Result<()> {
    run(conn, format!("ANALYZE {}", table.quoted())).await
}

pub(super) async fn page(
    conn: &mut SqliteConnection,
    sql: String,
    after: i64,
    limit: i64,
) -> Result<Vec<SealedStudent>> {
    let rows = bound(sql, [Bind::from(after), Bind::from(limit)])
        .fetch_all(conn)
        .await?;
    let student = |row: &SqliteRow| {
        Ok(SealedStudent {
            id: row.try_get(0)?,
            first_name: row.try_get(1)?,
            last_name: row.try_get(2)?,
            date_of_birth: row.try_get(3)?,
            ssn: row.try_get(4)?,
            ssn_index: row.try_get(5)?,
            guardian_phone: row.try_get(6)?,
            medical_notes: row.try_get(7)?,
        })
    };
    rows.iter().map(student).collect()
}

pub(super) async fn find(
    conn: &mut SqliteConnection,
    sql: String,
    index: &[u8],
) -> Result<Vec<(i64, String, String)>> {
    let rows = bound(sql, [Bind::from(index.to_vec())])
        .fetch_all(conn)
        .await?;
    let found = |row: &SqliteRow| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
    rows.iter().map(found).collect()
}
