//! Procedures of several phases, such as a restore that drops the sealed columns.
//! Owns the SQL on `procedures`. The recorded phase is the one that comes next; whoever asks for a
//! procedure that is unfinished goes on there.

use async_trait::async_trait;
use sqlx::Row;

use super::dialect::Dialect;
use super::session::{
    OwnTables, OwnTransaction, Session, in_transaction, own_row, statement, word,
};
use crate::store::{ProcedureKind, ProcedureRecord, Result, StoreError};

/// The phases of long procedures.
///
/// Contract: as [`Store`](crate::store::Store).
#[async_trait]
pub trait Procedures: Send + Sync {
    /// Begins a procedure in this phase, or returns the unfinished one of this kind and these columns.
    async fn begin_procedure(
        &self,
        kind: ProcedureKind,
        table_label: &str,
        columns: &str,
        phase: &str,
        params: &str,
        actor: &str,
    ) -> Result<ProcedureRecord>;

    /// Moves an unfinished procedure from one phase to another, with new parameters if there are any.
    /// Returns [`StoreError::Held`] if it is in neither phase: another command has moved it on.
    async fn set_phase(
        &self,
        procedure_id: i64,
        from: &str,
        to: &str,
        params: Option<&str>,
    ) -> Result<()>;

    /// For how many seconds an unfinished procedure has been in its phase, by the database's clock.
    async fn seconds_in_phase(&self, procedure_id: i64) -> Result<f64>;

    /// Stores the report of an unfinished procedure.
    async fn set_report(&self, procedure_id: i64, report: &str) -> Result<()>;

    /// Ends a procedure; one that has ended keeps its outcome.
    async fn finish_procedure(&self, procedure_id: i64, outcome: &str) -> Result<()>;

    /// Procedures, the newest first, at most `limit`. Unfinished ones come before all others, and are
    /// returned whatever the limit.
    async fn procedures(&self, limit: u32) -> Result<Vec<ProcedureRecord>>;
}

#[async_trait]
impl<S: OwnTables> Procedures for S {
    async fn begin_procedure(
        &self,
        kind: ProcedureKind,
        table_label: &str,
        columns: &str,
        phase: &str,
        params: &str,
        actor: &str,
    ) -> Result<ProcedureRecord> {
        in_transaction!(self.begin_write(), |session| begin(
            session,
            kind,
            table_label,
            columns,
            phase,
            params,
            actor
        ))
    }

    async fn set_phase(
        &self,
        procedure_id: i64,
        from: &str,
        to: &str,
        params: Option<&str>,
    ) -> Result<()> {
        in_transaction!(self.begin_write(), |session| set_phase(
            session,
            procedure_id,
            from,
            to,
            params
        ))
    }

    async fn seconds_in_phase(&self, procedure_id: i64) -> Result<f64> {
        in_transaction!(self.begin_read(), |session| seconds_in_phase(
            session,
            procedure_id
        ))
    }

    async fn set_report(&self, procedure_id: i64, report: &str) -> Result<()> {
        in_transaction!(self.begin_write(), |session| set_report(
            session,
            procedure_id,
            report
        ))
    }

    async fn finish_procedure(&self, procedure_id: i64, outcome: &str) -> Result<()> {
        in_transaction!(self.begin_write(), |session| finish(
            session,
            procedure_id,
            outcome
        ))
    }

    async fn procedures(&self, limit: u32) -> Result<Vec<ProcedureRecord>> {
        in_transaction!(self.begin_read(), |session| list(session, limit))
    }
}

fn columns_read(dialect: &impl Dialect) -> String {
    format!(
        "procedure_id, kind, table_label, columns, params, phase, {} AS phase_since, actor, \
           {} AS started_at, {} AS finished_at, outcome, report",
        dialect.time_text("phase_since"),
        dialect.time_text("started_at"),
        dialect.time_text("finished_at"),
    )
}

fn select(dialect: &impl Dialect, rest: &str) -> String {
    format!(
        "SELECT {} FROM {} {rest}",
        columns_read(dialect),
        dialect.table("procedures"),
    )
}

/// Begins a procedure, or returns the unfinished one of this kind and these columns.
pub(crate) async fn begin<S: Session>(
    session: &mut S,
    kind: ProcedureKind,
    table_label: &str,
    columns: &str,
    phase: &str,
    params: &str,
    actor: &str,
) -> Result<ProcedureRecord> {
    // One statement, so that the unfinished one cannot end before it is read.
    let sql = format!(
        "INSERT INTO {} AS p (kind, table_label, columns, phase, params, actor) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (kind, table_label, columns) WHERE finished_at IS NULL DO UPDATE SET actor = p.actor \
         RETURNING {}",
        session.dialect().table("procedures"),
        columns_read(session.dialect()),
    );
    let insert = statement(sql)
        .bind(kind.as_str())
        .bind(table_label)
        .bind(columns)
        .bind(phase)
        .bind(params)
        .bind(actor);
    session.fetch_one(insert, "the procedure").await
}

/// Moves an unfinished procedure on from one phase to another. An error if it is not in that phase.
pub(crate) async fn set_phase<S: Session>(
    session: &mut S,
    procedure_id: i64,
    from: &str,
    to: &str,
    params: Option<&str>,
) -> Result<()> {
    let sql = format!(
        "UPDATE {} SET phase = $3, phase_since = CASE WHEN phase = $3 THEN phase_since ELSE {} END, \
           params = coalesce($4, params) \
         WHERE procedure_id = $1 AND finished_at IS NULL AND phase IN ($2, $3)",
        session.dialect().table("procedures"),
        session.dialect().now(),
    );
    let update = statement(sql)
        .bind(procedure_id)
        .bind(from)
        .bind(to)
        .bind(params);
    match session.execute(update).await? {
        1 => Ok(()),
        _ => Err(StoreError::Held {
            table: format!("of procedure {procedure_id}"),
            holder: "another command has moved this procedure on".to_owned(),
        }),
    }
}

/// For how many seconds an unfinished procedure has been in its phase.
pub(crate) async fn seconds_in_phase<S: Session>(
    session: &mut S,
    procedure_id: i64,
) -> Result<f64> {
    let sql = format!(
        "SELECT {} FROM {} WHERE procedure_id = $1 AND finished_at IS NULL",
        session.dialect().seconds_until("phase_since"),
        session.dialect().table("procedures"),
    );
    let query = statement(sql).bind(procedure_id);
    let until: Seconds = session.fetch_one(query, "the unfinished procedure").await?;
    Ok(-until.0)
}

/// A number of seconds.
struct Seconds(f64);

own_row!(Seconds, "a time that is no number of seconds", |row| {
    Seconds(row.try_get(0)?)
});

/// Stores the report of an unfinished procedure.
pub(crate) async fn set_report<S: Session>(
    session: &mut S,
    procedure_id: i64,
    report: &str,
) -> Result<()> {
    let sql = format!(
        "UPDATE {} SET report = $2 WHERE procedure_id = $1 AND finished_at IS NULL",
        session.dialect().table("procedures"),
    );
    let update = statement(sql).bind(procedure_id).bind(report);
    session.execute(update).await?;
    Ok(())
}

/// Ends a procedure. One that has ended keeps its outcome.
pub(crate) async fn finish<S: Session>(
    session: &mut S,
    procedure_id: i64,
    outcome: &str,
) -> Result<()> {
    let sql = format!(
        "UPDATE {} SET finished_at = {}, outcome = $2 WHERE procedure_id = $1 AND finished_at IS NULL",
        session.dialect().table("procedures"),
        session.dialect().now(),
    );
    let update = statement(sql).bind(procedure_id).bind(outcome);
    session.execute(update).await?;
    Ok(())
}

/// Ends the unfinished procedures of this kind on a table: all, or those of these columns.
pub(crate) async fn finish_of<S: Session>(
    session: &mut S,
    kind: ProcedureKind,
    table_label: &str,
    columns: Option<&str>,
    outcome: &str,
) -> Result<()> {
    let sql = format!(
        "UPDATE {} SET finished_at = {}, outcome = $4 \
         WHERE kind = $1 AND table_label = $2 AND ($3 IS NULL OR columns = $3) AND finished_at IS NULL",
        session.dialect().table("procedures"),
        session.dialect().now(),
    );
    let update = statement(sql)
        .bind(kind.as_str())
        .bind(table_label)
        .bind(columns)
        .bind(outcome);
    session.execute(update).await?;
    Ok(())
}

/// The unfinished procedures, and the newest ones up to `limit`.
pub(crate) async fn list<S: Session>(session: &mut S, limit: u32) -> Result<Vec<ProcedureRecord>> {
    let table = session.dialect().table("procedures");
    let rest = format!(
        "WHERE finished_at IS NULL OR procedure_id IN \
           (SELECT procedure_id FROM {table} ORDER BY procedure_id DESC LIMIT $1) \
         ORDER BY finished_at IS NOT NULL, procedure_id DESC"
    );
    let sql = select(session.dialect(), &rest);
    session.fetch(statement(sql).bind(limit)).await
}

own_row!(
    ProcedureRecord,
    "a procedure of another form than this program makes",
    |row| ProcedureRecord {
        procedure_id: row.try_get("procedure_id")?,
        kind: word(row, "kind")?,
        table_label: row.try_get("table_label")?,
        columns: row.try_get("columns")?,
        params: row.try_get("params")?,
        phase: row.try_get("phase")?,
        phase_since: row.try_get("phase_since")?,
        actor: row.try_get("actor")?,
        started_at: row.try_get("started_at")?,
        finished_at: row.try_get("finished_at")?,
        outcome: row.try_get("outcome")?,
        report: row.try_get("report")?,
    }
);
