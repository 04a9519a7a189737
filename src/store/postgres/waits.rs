//! What our sessions wait for, and who holds it.
//! Owns the notes that long work leaves about itself, and the SQL that looks at waiting sessions.
//! Describes a session by its process id and application, never by its query. Our own sessions are
//! those of our login from this host; behind a pooler no process id of ours would last.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::PostgresStore;
use super::sql::{query, scalar, tuple};
use crate::store::{Result, Waits};

/// A session `s`, for messages. The times are in UTC, so that the text does not change.
pub(super) const WHO: &str = "('process ' || s.pid || ' (' \
     || coalesce(nullif(s.application_name, ''), s.backend_type, 'no name') || coalesce(', ' || s.state, '') \
     || coalesce(', since ' || to_char(s.xact_start AT TIME ZONE 'UTC', 'HH24:MI:SS') || ' UTC', '') || ')')";

/// The sessions `a` of this program on this host.
const OURS: &str = "a.application_name LIKE 'phiseal%' AND a.usename = session_user \
     AND a.datname = current_database() AND a.client_addr IS NOT DISTINCT FROM inet_client_addr() \
     AND a.pid <> pg_backend_pid()";

/// The notes of one store. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Notes(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    last_id: u64,
    open: Vec<Open>,
    notices: Vec<String>,
}

/// Work under way that waits, or may.
struct Open {
    id: u64,
    /// What is waited for. Empty: nothing as yet.
    what: String,
    /// The statement that may take long, by which its session is found.
    statement: Option<String>,
    /// Who was last seen to hold it up.
    held_by: Option<String>,
}

/// A note, which ends when it is dropped.
pub(super) struct Note {
    notes: Notes,
    id: u64,
}

impl Notes {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a note about a wait.
    pub(super) fn open(&self, what: impl Into<String>) -> Note {
        self.add(what.into(), None)
    }

    /// Opens a note about a statement that may take long.
    pub(super) fn running(&self, what: impl Into<String>, statement: &str) -> Note {
        self.add(what.into(), Some(statement.to_owned()))
    }

    fn add(&self, what: String, statement: Option<String>) -> Note {
        let mut inner = self.inner();
        inner.last_id += 1;
        let id = inner.last_id;
        inner.open.push(Open {
            id,
            what,
            statement,
            held_by: None,
        });
        Note {
            notes: self.clone(),
            id,
        }
    }

    /// Leaves a notice for the operator.
    pub(super) fn tell(&self, notice: String) {
        self.inner().notices.push(notice);
    }

    /// What is waited for by work without a statement of its own.
    fn waits(&self) -> Vec<String> {
        let inner = self.inner();
        let plain = inner.open.iter().filter(|open| open.statement.is_none());
        let said = plain.filter(|open| !open.what.is_empty());
        said.map(|open| open.what.clone()).collect()
    }

    fn statements(&self) -> Vec<String> {
        let inner = self.inner();
        let statements = inner.open.iter().filter_map(|one| one.statement.clone());
        statements.collect()
    }

    /// What a session does whose query begins like this, and notes who holds it up.
    fn of_query(&self, query: &str, held_by: Option<&str>) -> Option<String> {
        let mut inner = self.inner();
        // The server keeps only the first bytes of a query.
        let is_it = |open: &&mut Open| {
            (open.statement.as_ref()).is_some_and(|sql| !query.is_empty() && sql.starts_with(query))
        };
        let open = inner.open.iter_mut().find(is_it)?;
        if let Some(who) = held_by {
            open.held_by = Some(who.to_owned());
        }
        Some(open.what.clone())
    }
}

impl Note {
    /// Changes what is waited for.
    pub(super) fn say(&self, what: String) {
        let mut inner = self.notes.inner();
        if let Some(open) = inner.open.iter_mut().find(|open| open.id == self.id) {
            open.what = what;
        }
    }

    /// Who was last seen to hold the statement up.
    pub(super) fn held_by(&self) -> Option<String> {
        let inner = self.notes.inner();
        let open = inner.open.iter().find(|open| open.id == self.id)?;
        open.held_by.clone()
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        self.notes.inner().open.retain(|open| open.id != self.id);
    }
}

#[async_trait]
impl Waits for PostgresStore {
    async fn waits(&self) -> Result<Vec<String>> {
        let mut waits = self.notes.waits();
        let (committing, others): (Vec<_>, Vec<_>) =
            (sessions(self).await?.into_iter()).partition(|waiting| waiting.standby);
        if !committing.is_empty() {
            waits.push(of_commits(&committing));
        }
        for text in others.iter().map(|waiting| waiting.text(&self.notes)) {
            if !waits.contains(&text) {
                waits.push(text);
            }
        }
        Ok(waits)
    }

    async fn interrupt(&self) -> Result<()> {
        let statements = self.notes.statements();
        if statements.is_empty() {
            return Ok(());
        }
        // Only the role that logged in may cancel what its own sessions do.
        let mut tx = self.begin_as_login().await?;
        query(format!(
            "SELECT pg_cancel_backend(a.pid) FROM pg_catalog.pg_stat_activity AS a WHERE {OURS} \
               AND a.state = 'active' AND a.query <> '' \
               AND EXISTS (SELECT FROM unnest($1) AS t(sql) WHERE left(t.sql, length(a.query)) = a.query)"
        ))
        .bind(statements)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await
    }

    fn notices(&self) -> Vec<String> {
        std::mem::take(&mut self.notes.inner().notices)
    }
}

/// A session of ours that waits, or builds an index.
#[derive(Default)]
struct Waiting {
    pid: i32,
    query: String,
    standby: bool,
    phase: Option<String>,
    held_by: Option<String>,
}

impl Waiting {
    fn text(&self, notes: &Notes) -> String {
        let who = self.held_by.as_deref();
        let held = who.map_or_else(String::new, |who| format!(": {who}"));
        let what = notes.of_query(&self.query, who);
        match (&self.phase, what) {
            (Some(phase), what) => {
                let what = what.unwrap_or_else(|| "an index that is built".to_owned());
                format!("{what} ({phase}){held}")
            }
            (None, Some(what)) => format!("{what}{held}"),
            (None, None) => format!("a lock{held}"),
        }
    }
}

/// What sessions wait for whose COMMIT waits for a standby.
fn of_commits(waiting: &[Waiting]) -> String {
    let pids: Vec<String> = waiting.iter().map(|one| one.pid.to_string()).collect();
    format!(
        "the synchronous standby, which has not confirmed a COMMIT of process {}",
        pids.join(", ")
    )
}

type Row = (i32, String, bool, Option<String>, Option<String>);

/// The sessions of ours that have waited for over a second, or have built an index for that long.
async fn sessions(store: &PostgresStore) -> Result<Vec<Waiting>> {
    let sql = format!(
        "SELECT a.pid, coalesce(a.query, ''), a.wait_event IS NOT DISTINCT FROM 'SyncRep', p.phase, \
           CASE WHEN a.wait_event_type = 'Lock' THEN (SELECT string_agg(DISTINCT \
             CASE b.pid WHEN 0 THEN 'a prepared transaction' ELSE coalesce({WHO}, 'process ' || b.pid) END, '; ') \
             FROM unnest(pg_blocking_pids(a.pid)) AS b(pid) \
             LEFT JOIN pg_catalog.pg_stat_activity AS s ON s.pid = b.pid) END \
         FROM pg_catalog.pg_stat_activity AS a \
         LEFT JOIN pg_catalog.pg_stat_progress_create_index AS p ON p.pid = a.pid \
         WHERE {OURS} AND a.state = 'active' AND a.query_start < clock_timestamp() - interval '1 second' \
           AND (a.wait_event_type = 'Lock' OR a.wait_event = 'SyncRep' OR p.pid IS NOT NULL) \
         ORDER BY a.pid LIMIT 10"
    );
    // Only the role that logged in sees what its own sessions wait for.
    let mut tx = store.begin_as_login().await?;
    let rows: Vec<Row> = tuple(sql).fetch_all(&mut *tx).await?;
    tx.commit().await?;
    let waiting = |(pid, query, standby, phase, held_by)| Waiting {
        pid,
        query,
        standby,
        phase,
        held_by,
    };
    Ok(rows.into_iter().map(waiting).collect())
}

/// Who holds a lock of any kind on a table or its partitions: what a strong lock waits for.
pub(super) async fn holders(store: &PostgresStore, table_name: &str) -> Result<Vec<String>> {
    of_lock(store, table_name, "").await
}

/// Who vacuums or analyses a table, or builds an index on it.
pub(super) async fn maintainers(store: &PostgresStore, relation: &str) -> Result<Vec<String>> {
    of_lock(store, relation, "AND l.mode = 'ShareUpdateExclusiveLock'").await
}

async fn of_lock(store: &PostgresStore, table_name: &str, which: &str) -> Result<Vec<String>> {
    let sql = format!(
        "SELECT DISTINCT coalesce({WHO}, 'a prepared transaction') FROM pg_catalog.pg_locks AS l \
         LEFT JOIN pg_catalog.pg_stat_activity AS s ON s.pid = l.pid \
         WHERE l.granted AND l.relation IN (SELECT relid FROM pg_partition_tree(to_regclass($1)) \
               UNION SELECT to_regclass($1)::oid) \
           AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) \
           AND l.pid IS DISTINCT FROM pg_backend_pid() {which} ORDER BY 1 LIMIT 3"
    );
    in_transaction!(store.begin_as_login(), |tx| scalar(sql)
        .bind(table_name.to_owned())
        .fetch_all(&mut **tx))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATE: &str = "CREATE INDEX CONCURRENTLY \"i\" ON public.t (a)";

    fn waiting(query: &str, phase: Option<&str>, held_by: Option<&str>) -> Waiting {
        Waiting {
            pid: 7,
            query: query.to_owned(),
            phase: phase.map(str::to_owned),
            held_by: held_by.map(str::to_owned),
            ..Waiting::default()
        }
    }

    #[test]
    fn a_note_is_said_as_long_as_it_is_held_and_no_statement_ever_is() {
        let notes = Notes::default();
        let note = notes.open("");
        assert_eq!(notes.waits(), Vec::<String>::new());
        note.say("a lock on t, attempt 5".to_owned());
        let build = notes.running("the index i on t", CREATE);
        assert_eq!(notes.waits(), ["a lock on t, attempt 5"]);
        drop(note);
        assert_eq!(notes.waits(), Vec::<String>::new());
        assert_eq!(notes.statements(), [CREATE]);
        drop(build);
        assert_eq!(notes.statements(), Vec::<String>::new());
    }

    #[test]
    fn a_wait_says_what_for_and_who_holds_it() {
        let notes = Notes::default();
        let build = notes.running("the index i on t", CREATE);
        let phase = Some("waiting for old snapshots");
        let who = "process 9 (psql, idle in transaction)";
        // The server cuts the text of a query off.
        let seen = waiting(&CREATE[..20], phase, Some(who)).text(&notes);
        assert_eq!(
            seen,
            format!("the index i on t (waiting for old snapshots): {who}")
        );
        assert_eq!(build.held_by().as_deref(), Some(who));
        // Once it goes on, who held it up is still known.
        let later = waiting(CREATE, Some("building index"), None).text(&notes);
        assert_eq!(later, "the index i on t (building index)");
        assert_eq!(build.held_by().as_deref(), Some(who));
        let other = waiting("SELECT 1", None, Some(who)).text(&notes);
        assert_eq!(other, format!("a lock: {who}"));
        let commits = [waiting("COMMIT", None, None), waiting("COMMIT", None, None)];
        assert!(of_commits(&commits).ends_with("a COMMIT of process 7, 7"));
    }
}
