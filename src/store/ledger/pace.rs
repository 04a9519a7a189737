//! Requests of operators to runs, and what each process says of its work.
//! Owns the SQL on `pace_requests` and `pace_reports`. All times are the database's.

use async_trait::async_trait;
use sqlx::Row;

use super::dialect::Dialect;
use super::session::{
    OwnTables, OwnTransaction, Session, in_transaction, optional_word, own_row, statement, word,
};
use crate::pace::PaceRequestKind;
use crate::store::{PaceReport, PaceRequest, PaceTable, Result};

/// After how many seconds a report is deleted.
const REPORT_KEPT_SECONDS: f64 = 86_400.0;

#[async_trait]
impl<S: OwnTables> PaceTable for S {
    async fn pace_requests(&self) -> Result<Vec<PaceRequest>> {
        in_transaction!(self.begin_read(), |session| requests(session))
    }

    async fn put_pace_request(&self, request: &PaceRequest) -> Result<()> {
        in_transaction!(self.begin_write(), |session| put_request(session, request))
    }

    async fn withdraw_pace_request(
        &self,
        kind: PaceRequestKind,
        table_label: Option<&str>,
    ) -> Result<u64> {
        in_transaction!(self.begin_write(), |session| withdraw_request(
            session,
            kind,
            table_label
        ))
    }

    async fn report_pace(&self, report: &PaceReport) -> Result<()> {
        in_transaction!(self.begin_write(), |session| put_report(session, report))
    }

    async fn withdraw_pace_report(&self, holder: &str, table_label: &str) -> Result<()> {
        in_transaction!(self.begin_write(), |session| withdraw_report(
            session,
            holder,
            table_label
        ))
    }

    async fn pace_reports(&self) -> Result<Vec<PaceReport>> {
        in_transaction!(self.begin_read(), |session| reports(session))
    }
}

/// The requests that are not over.
async fn requests<S: Session>(session: &mut S) -> Result<Vec<PaceRequest>> {
    let dialect = session.dialect();
    let sql = format!(
        "SELECT table_label, kind, pace, rows_per_second_max, {} AS seconds, actor, {} AS requested_at \
         FROM {} WHERE until IS NULL OR until > {} ORDER BY table_label, kind",
        dialect.seconds_until("until"),
        dialect.time_text("requested_at"),
        dialect.table("pace_requests"),
        dialect.now(),
    );
    session.fetch(statement(sql)).await
}

/// Adds a request, or replaces the one of the same kind for the same table.
async fn put_request<S: Session>(session: &mut S, request: &PaceRequest) -> Result<()> {
    let dialect = session.dialect();
    let until = match request.seconds {
        Some(_) => dialect.seconds_from_now("$6"),
        None => "NULL".to_owned(),
    };
    let sql = format!(
        "INSERT INTO {} (table_label, kind, pace, rows_per_second_max, actor, requested_at, until) \
         VALUES ($1, $2, $3, $4, $5, {}, {until}) \
         ON CONFLICT (table_label, kind) DO UPDATE SET pace = excluded.pace, \
           rows_per_second_max = excluded.rows_per_second_max, actor = excluded.actor, \
           requested_at = excluded.requested_at, until = excluded.until",
        dialect.table("pace_requests"),
        dialect.now(),
    );
    let mut insert = statement(sql)
        .bind(&request.table_label)
        .bind(request.kind.as_str())
        .bind(request.pace.map(crate::pace::Pace::as_str))
        .bind(request.rows_per_second_max)
        .bind(&request.actor);
    if let Some(seconds) = request.seconds {
        insert = insert.bind(seconds);
    }
    session.execute(insert).await?;
    Ok(())
}

/// Withdraws the requests of this kind, and returns how many of them held until then.
async fn withdraw_request<S: Session>(
    session: &mut S,
    kind: PaceRequestKind,
    table_label: Option<&str>,
) -> Result<u64> {
    let dialect = session.dialect();
    let table = dialect.table("pace_requests");
    let over = format!(
        "DELETE FROM {table} WHERE kind = $1 AND until <= {}",
        dialect.now()
    );
    let held = format!("DELETE FROM {table} WHERE kind = $1 AND ($2 IS NULL OR table_label = $2)");
    let over = statement(over).bind(kind.as_str());
    session.execute(over).await?;
    let held = statement(held).bind(kind.as_str()).bind(table_label);
    session.execute(held).await
}

/// Adds or replaces a report.
async fn put_report<S: Session>(session: &mut S, report: &PaceReport) -> Result<()> {
    let dialect = session.dialect();
    let table = dialect.table("pace_reports");
    let put = format!(
        "INSERT INTO {table} (holder, table_label, kind, run_id, duty, waits_for, waits_seconds, \
           rows_per_second, transactions, reported_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, {}) \
         ON CONFLICT (holder, table_label) DO UPDATE SET kind = excluded.kind, run_id = excluded.run_id, \
           duty = excluded.duty, waits_for = excluded.waits_for, waits_seconds = excluded.waits_seconds, \
           rows_per_second = excluded.rows_per_second, transactions = excluded.transactions, \
           reported_at = excluded.reported_at",
        dialect.now(),
    );
    let put = statement(put)
        .bind(&report.holder)
        .bind(&report.table_label)
        .bind(&report.kind)
        .bind(report.run_id)
        .bind(report.duty)
        .bind(&report.waits_for)
        .bind(report.waits_seconds)
        .bind(report.rows_per_second)
        .bind(report.transactions);
    session.execute(put).await?;
    Ok(())
}

/// Deletes a report, and those that are older than a day.
async fn withdraw_report<S: Session>(
    session: &mut S,
    holder: &str,
    table_label: &str,
) -> Result<()> {
    let dialect = session.dialect();
    let sql = format!(
        "DELETE FROM {} WHERE (holder = $1 AND table_label = $2) OR reported_at < {}",
        dialect.table("pace_reports"),
        dialect.seconds_from_now("$3"),
    );
    let delete = (statement(sql).bind(holder).bind(table_label)).bind(-REPORT_KEPT_SECONDS);
    session.execute(delete).await?;
    Ok(())
}

/// All reports, the newest first.
async fn reports<S: Session>(session: &mut S) -> Result<Vec<PaceReport>> {
    let dialect = session.dialect();
    let sql = format!(
        "SELECT holder, table_label, kind, run_id, duty, waits_for, waits_seconds, rows_per_second, \
           transactions, {} AS until_report FROM {} ORDER BY reported_at DESC, holder, table_label",
        dialect.seconds_until("reported_at"),
        dialect.table("pace_reports"),
    );
    session.fetch(statement(sql)).await
}

own_row!(
    PaceRequest,
    "a request of another form than this program makes",
    |row| PaceRequest {
        table_label: row.try_get("table_label")?,
        kind: word(row, "kind")?,
        pace: optional_word(row, "pace")?,
        rows_per_second_max: row.try_get("rows_per_second_max")?,
        seconds: row.try_get("seconds")?,
        actor: row.try_get("actor")?,
        requested_at: row.try_get("requested_at")?,
    }
);

own_row!(
    PaceReport,
    "a report of another form than this program makes",
    |row| PaceReport {
        holder: row.try_get("holder")?,
        table_label: row.try_get("table_label")?,
        kind: row.try_get("kind")?,
        run_id: row.try_get("run_id")?,
        duty: row.try_get("duty")?,
        waits_for: row.try_get("waits_for")?,
        waits_seconds: row.try_get("waits_seconds")?,
        rows_per_second: row.try_get("rows_per_second")?,
        transactions: row.try_get("transactions")?,
        seconds_ago: -row.try_get::<f64, _>("until_report")?,
    }
);
