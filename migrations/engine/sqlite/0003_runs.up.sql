-- Runs and their lanes. One run at a time works on a table: the partial index sees to it.

CREATE TABLE phiseal_runs (
    run_id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind           TEXT    NOT NULL CHECK (kind IN
        ('backfill', 'rotate', 'reindex', 'restore', 'finalize', 'destroy')),
    table_label    TEXT    NOT NULL,
    digest         TEXT    NOT NULL,
    state          TEXT    NOT NULL DEFAULT 'running' CHECK (state IN
        ('running', 'interrupted', 'done', 'failed')),
    params         TEXT    NOT NULL DEFAULT '{}',
    started_at     TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    finished_at    TEXT,
    actor          TEXT    NOT NULL,
    rows_found     INTEGER NOT NULL DEFAULT 0,
    rows_written   INTEGER NOT NULL DEFAULT 0,
    values_written INTEGER NOT NULL DEFAULT 0,
    conflicts      INTEGER NOT NULL DEFAULT 0,
    quarantined    INTEGER NOT NULL DEFAULT 0,
    error_code     TEXT,
    CHECK (finished_at IS NULL OR state IN ('done', 'failed')),
    CHECK (state <> 'done' OR finished_at IS NOT NULL)
) STRICT;

CREATE UNIQUE INDEX phiseal_runs_one_open ON phiseal_runs (table_label) WHERE finished_at IS NULL;

CREATE TABLE phiseal_lanes (
    run_id         INTEGER NOT NULL REFERENCES phiseal_runs,
    lane_no        INTEGER NOT NULL CHECK (lane_no >= 0),
    relation       TEXT    NOT NULL,
    -- Keys above lower, up to upper; NULL is an open end. Keys up to cursor are done; NULL is the start.
    lower          BLOB,
    upper          BLOB,
    cursor         BLOB,
    seq            INTEGER NOT NULL DEFAULT 0,
    fence          INTEGER NOT NULL DEFAULT 0,
    holder         TEXT,
    lease_until    TEXT,
    state          TEXT    NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done')),
    rows_found     INTEGER NOT NULL DEFAULT 0,
    rows_written   INTEGER NOT NULL DEFAULT 0,
    values_written INTEGER NOT NULL DEFAULT 0,
    conflicts      INTEGER NOT NULL DEFAULT 0,
    quarantined    INTEGER NOT NULL DEFAULT 0,
    updated_at     TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    PRIMARY KEY (run_id, lane_no)
) STRICT;

-- How the guards know who writes: a writer inserts its mark at the start of its transaction and
-- deletes it before the end, so that nobody else ever sees it. 'engine' passes the guards, 'sealer'
-- is an application that seals values itself, 'guard' a guard's own nested update. Not unique:
-- guards nest.
CREATE TABLE phiseal_mark (
    mark TEXT NOT NULL CHECK (mark IN ('engine', 'sealer', 'guard'))
) STRICT;

-- What each rotation found and re-sealed, by lane and by the key a value was sealed under: added to
-- in the transaction of the rows, so that an interruption loses no count.
CREATE TABLE phiseal_rotation_counts (
    run_id        INTEGER NOT NULL,
    lane_no       INTEGER NOT NULL,
    history_id    INTEGER NOT NULL REFERENCES phiseal_key_rotation_history,
    from_key_id   INTEGER NOT NULL REFERENCES phiseal_encryption_keys,
    rows_found    INTEGER NOT NULL DEFAULT 0,
    rows_resealed INTEGER NOT NULL DEFAULT 0,
    conflicts     INTEGER NOT NULL DEFAULT 0,
    quarantined   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, lane_no, history_id, from_key_id),
    FOREIGN KEY (run_id, lane_no) REFERENCES phiseal_lanes
) STRICT;

CREATE INDEX phiseal_rotation_counts_by_rotation ON phiseal_rotation_counts (history_id);
