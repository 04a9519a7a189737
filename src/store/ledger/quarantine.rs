//! The quarantine: rows and values that could not be processed.
//! Owns its SQL. The row keys in it are sealed, and the row tags are keyed digests. A row is entered
//! once, however often it fails.

use sqlx::Row;

use super::dialect::Dialect;
use super::session::{Session, Statement, id_list, own_row, rows_at_once, statement, word};
use crate::store::{
    NewQuarantine, OpenRows, QuarantineCount, QuarantineRecord, QuarantineState, QuarantineSummary,
    Resealed, Result,
};

/// Enters rows. A row that was to be tried again and failed again becomes open again.
pub(crate) async fn insert<S: Session>(session: &mut S, rows: &[NewQuarantine]) -> Result<()> {
    let sql = format!(
        "INSERT INTO {} AS q (run_id, table_label, column_label, row_tag, key_sealed, key_id, step, reason, \
           sqlstate, constraint_name, state) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'open') \
         ON CONFLICT (table_label, row_tag, coalesce(column_label, '')) WHERE state <> 'resolved' \
         DO UPDATE SET run_id = excluded.run_id, key_sealed = excluded.key_sealed, key_id = excluded.key_id, \
           step = CASE WHEN q.state = 'open' AND excluded.step = 'verify' THEN q.step ELSE excluded.step END, \
           reason = excluded.reason, sqlstate = excluded.sqlstate, constraint_name = excluded.constraint_name, \
           state = CASE WHEN q.state = 'retry' THEN 'open' ELSE q.state END",
        session.dialect().table("quarantine")
    );
    for row in rows {
        let insert = statement(sql.clone())
            .bind(row.run_id)
            .bind(&row.table_label)
            .bind(&row.column_label)
            .bind(&row.row_tag)
            .bind(&row.key_sealed)
            .bind(row.key_id)
            .bind(&row.step)
            .bind(&row.reason)
            .bind(&row.sqlstate)
            .bind(&row.constraint_name);
        session.execute(insert).await?;
    }
    Ok(())
}

/// The entries of one table or of all tables that are not resolved.
pub(crate) async fn list<S: Session>(
    session: &mut S,
    table_label: Option<&str>,
) -> Result<Vec<QuarantineRecord>> {
    let sql = format!(
        "{} AND ($1 IS NULL OR table_label = $1) ORDER BY quarantine_id",
        entries(session.dialect())
    );
    session.fetch(statement(sql).bind(table_label)).await
}

/// The statement of the entries that are not resolved, for a condition to follow.
fn entries(dialect: &impl Dialect) -> String {
    format!(
        "SELECT quarantine_id, run_id, table_label, column_label, row_tag, key_sealed, \
           CAST(key_id AS bigint) AS key_id, step, reason, sqlstate, constraint_name, state, \
           {} AS created_at, {} AS resolved_at \
         FROM {} WHERE state <> 'resolved'",
        dialect.time_text("created_at"),
        dialect.time_text("resolved_at"),
        dialect.table("quarantine")
    )
}

/// Counts the entries of some tables, or of all, and reads the first ones.
pub(crate) async fn summary<S: Session>(
    session: &mut S,
    table_labels: &[String],
    first: u32,
) -> Result<QuarantineSummary> {
    let table = session.dialect().table("quarantine");
    let groups = "table_label, column_label, step, state, reason, key_id";
    let counts = statement(format!(
        "SELECT table_label, column_label, step, state, reason, CAST(key_id AS bigint) AS key_id, \
           count(*) AS entries FROM {table} WHERE state <> 'resolved'"
    ));
    let counts = of_tables(counts, table_labels).then(&format!(
        " GROUP BY {groups} ORDER BY count(*) DESC, {groups}"
    ));
    let open = statement(format!(
        "SELECT table_label, count(DISTINCT row_tag) AS entries FROM {table} WHERE state = 'open'"
    ));
    let open = of_tables(open, table_labels).then(" GROUP BY table_label ORDER BY table_label");
    let listed = of_tables(statement(entries(session.dialect())), table_labels).then(&format!(
        " ORDER BY CASE state WHEN 'open' THEN 0 ELSE 1 END, quarantine_id LIMIT {first}"
    ));
    Ok(QuarantineSummary {
        counts: session.fetch(counts).await?,
        open_rows: session.fetch(open).await?,
        first: session.fetch(listed).await?,
    })
}

/// Adds the condition that an entry is of one of these tables, if any is named.
fn of_tables(mut statement: Statement, table_labels: &[String]) -> Statement {
    for (at, label) in table_labels.iter().enumerate() {
        let before = if at == 0 {
            " AND table_label IN ("
        } else {
            ", "
        };
        statement = statement.bind(label).then(&format!("{before}${}", at + 1));
    }
    match table_labels.is_empty() {
        true => statement,
        false => statement.then(")"),
    }
}

/// Sets the state of entries.
pub(crate) async fn set_state<S: Session>(
    session: &mut S,
    ids: &[i64],
    state: QuarantineState,
) -> Result<()> {
    let sql = format!(
        "UPDATE {} SET state = $1, resolved_at = CASE WHEN $1 = 'resolved' THEN {} END WHERE quarantine_id IN ",
        session.dialect().table("quarantine"),
        session.dialect().now(),
    );
    for part in ids.chunks(1000) {
        let list = id_list(part.iter().copied());
        let update = statement(format!("{sql}({list})")).bind(state.as_str());
        session.execute(update).await?;
    }
    Ok(())
}

/// Replaces sealed row keys by the same keys, sealed again. An entry that holds another one by now is
/// left unchanged.
pub(crate) async fn reseal<S: Session>(session: &mut S, rows: &[Resealed]) -> Result<()> {
    let table = session.dialect().table("quarantine");
    for part in rows.chunks(rows_at_once(4)) {
        let mut update = statement("WITH n (id, before, sealed, key_id) AS (VALUES");
        for row in part {
            update = update.row([
                row.quarantine_id.into(),
                (&row.before).into(),
                (&row.key_sealed).into(),
                row.key_id.into(),
            ]);
        }
        let update = update.then(&format!(
            ") UPDATE {table} AS q SET key_sealed = n.sealed, key_id = n.key_id \
             FROM n WHERE q.quarantine_id = n.id AND q.key_sealed = n.before"
        ));
        session.execute(update).await?;
    }
    Ok(())
}

own_row!(
    QuarantineRecord,
    "a quarantine entry of another form than this program makes",
    |row| QuarantineRecord {
        quarantine_id: row.try_get("quarantine_id")?,
        row: NewQuarantine {
            run_id: row.try_get("run_id")?,
            table_label: row.try_get("table_label")?,
            column_label: row.try_get("column_label")?,
            row_tag: row.try_get("row_tag")?,
            key_sealed: row.try_get("key_sealed")?,
            key_id: row.try_get("key_id")?,
            step: row.try_get("step")?,
            reason: row.try_get("reason")?,
            sqlstate: row.try_get("sqlstate")?,
            constraint_name: row.try_get("constraint_name")?,
        },
        state: word(row, "state")?,
        created_at: row.try_get("created_at")?,
        resolved_at: row.try_get("resolved_at")?,
    }
);

own_row!(
    QuarantineCount,
    "a quarantine entry of another form than this program makes",
    |row| QuarantineCount {
        table_label: row.try_get("table_label")?,
        column_label: row.try_get("column_label")?,
        step: row.try_get("step")?,
        state: word(row, "state")?,
        reason: row.try_get("reason")?,
        key_id: row.try_get("key_id")?,
        entries: row.try_get::<i64, _>("entries")?.unsigned_abs(),
    }
);

own_row!(
    OpenRows,
    "a quarantine entry of another form than this program makes",
    |row| OpenRows {
        table_label: row.try_get("table_label")?,
        rows: row.try_get::<i64, _>("entries")?.unsigned_abs(),
    }
);
