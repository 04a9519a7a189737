//! The demo's school in PostgreSQL: a schema of its own, removed with everything in it.

use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};

use super::{SealedStudent, Student};
use crate::ident::{Ident, TableName};
use crate::store::Result;
use crate::store::postgres::opening::{Opening, READ_COMMITTED};
use crate::store::postgres::sql::{query, raw};

/// How long the removal waits for a killed process's last statement.
const REMOVAL_WAIT_MS: u32 = 30_000;

pub(super) async fn build(
    conn: &mut PgConnection,
    schema: &Ident,
    table: &TableName,
) -> Result<()> {
    run(
        conn,
        format!(
            "{begin} CREATE SCHEMA {schema}; \
             CREATE TABLE {table} ( \
                 id bigint PRIMARY KEY, \
                 first_name text NOT NULL, \
                 last_name text NOT NULL, \
                 date_of_birth date, \
                 ssn text, \
                 guardian_phone text, \
                 medical_notes text); \
             COMMIT",
            begin = Opening::default().begin(READ_COMMITTED),
            schema = schema.quoted(),
            table = table.quoted(),
        ),
    )
    .await
}

pub(super) async fn enroll(
    conn: &mut PgConnection,
    table: &TableName,
    students: &[Student],
) -> Result<()> {
    let texts = |of: fn(&Student) -> Option<&String>| -> Vec<Option<String>> {
        students
            .iter()
            .map(|student| of(student).cloned())
            .collect()
    };
    let begun = conn.begin_with(Opening::begin_as_login()).await;
    let mut tx = begun?;
    query(format!(
        "INSERT INTO {} (id, first_name, last_name, date_of_birth, ssn, guardian_phone, medical_notes) \
         SELECT a, b, c, d::date, e, f, g FROM unnest($1::int8[], $2::text[], $3::text[], $4::text[], \
         $5::text[], $6::text[], $7::text[]) AS s (a, b, c, d, e, f, g)",
        table.quoted()
    ))
    .bind(students.iter().map(|student| student.id).collect::<Vec<i64>>())
    .bind(texts(|student| Some(&student.first_name)))
    .bind(texts(|student| Some(&student.last_name)))
    .bind(texts(|student| Some(&student.date_of_birth)))
    .bind(texts(|student| student.ssn.as_ref()))
    .bind(texts(|student| student.guardian_phone.as_ref()))
    .bind(texts(|student| student.medical_notes.as_ref()))
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

pub(super) async fn analyze(conn: &mut PgConnection, table: &TableName) -> Result<()> {
    run(conn, format!("ANALYZE {}", table.quoted())).await
}

pub(super) async fn page(
    conn: &mut PgConnection,
    sql: String,
    after: i64,
    limit: i64,
) -> Result<Vec<SealedStudent>> {
    let begun = conn.begin_with(Opening::begin_as_login()).await;
    let mut tx = begun?;
    let rows = query(sql)
        .bind(after)
        .bind(limit)
        .fetch_all(&mut *tx)
        .await?;
    tx.commit().await?;
    let student = |row: &PgRow| {
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
    conn: &mut PgConnection,
    sql: String,
    index: &[u8],
) -> Result<Vec<(i64, String, String)>> {
    let begun = conn.begin_with(Opening::begin_as_login()).await;
    let mut tx = begun?;
    let rows = query(sql).bind(index).fetch_all(&mut *tx).await?;
    tx.commit().await?;
    let found = |row: &PgRow| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
    rows.iter().map(found).collect()
}

pub(super) async fn demolish(conn: &mut PgConnection, schemas: &[&Ident]) -> Result<()> {
    let names: Vec<String> = schemas.iter().map(|schema| schema.quoted()).collect();
    run(
        conn,
        format!(
            "BEGIN; SET LOCAL lock_timeout = {REMOVAL_WAIT_MS}; SET LOCAL client_min_messages = warning; \
             DROP SCHEMA IF EXISTS {} CASCADE; COMMIT",
            names.join(", ")
        ),
    )
    .await
}

async fn run(conn: &mut PgConnection, sql: String) -> Result<()> {
    Ok(raw(sql).execute(conn).await.map(drop)?)
}
