-- Rows that could not be processed: a keyed tag names the row, its key is stored sealed only.

CREATE TABLE phiseal_quarantine (
    quarantine_id   INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id          INTEGER REFERENCES phiseal_runs,
    table_label     TEXT    NOT NULL,
    column_label    TEXT,
    row_tag         TEXT    NOT NULL CHECK (length(row_tag) = 16 AND row_tag NOT GLOB '*[^0-9a-f]*'),
    key_sealed      BLOB    NOT NULL,
    key_id          INTEGER NOT NULL,
    step            TEXT    NOT NULL,
    reason          TEXT    NOT NULL,
    sqlstate        TEXT,
    constraint_name TEXT,
    state           TEXT    NOT NULL DEFAULT 'open' CHECK (state IN
        ('open', 'retry', 'skipped', 'resolved')),
    created_at      TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    resolved_at     TEXT
) STRICT;

CREATE INDEX phiseal_quarantine_by_table ON phiseal_quarantine (table_label, state);

CREATE UNIQUE INDEX phiseal_quarantine_one_unresolved
    ON phiseal_quarantine (table_label, row_tag, coalesce(column_label, ''))
    WHERE state <> 'resolved';
