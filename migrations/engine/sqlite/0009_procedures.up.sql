-- What a lane is for, and how far a procedure of several phases has come.

ALTER TABLE phiseal_lanes ADD COLUMN kind TEXT NOT NULL DEFAULT 'range' CHECK (kind IN ('range', 'sweep'));
-- Until now the number of a lane said it.
UPDATE phiseal_lanes SET kind = 'sweep' WHERE lane_no >= 1000000;

CREATE TABLE phiseal_procedures (
    procedure_id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind         TEXT NOT NULL CHECK (kind IN ('restore', 'finalize', 'scrub')),
    -- What it works on: the label of a table and the labels of columns, separated by ", ".
    table_label  TEXT NOT NULL,
    columns      TEXT NOT NULL,
    params       TEXT NOT NULL DEFAULT '{}',
    -- The phase that comes next: all before it are done.
    phase        TEXT NOT NULL,
    phase_since  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    actor        TEXT NOT NULL,
    started_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    finished_at  TEXT,
    -- How it ended, without any value.
    outcome      TEXT,
    CHECK (finished_at IS NULL OR outcome IS NOT NULL),
    CHECK ('blob' NOT IN (typeof(kind), typeof(table_label), typeof(columns), typeof(params), typeof(phase),
        typeof(phase_since), typeof(actor), typeof(started_at), typeof(finished_at), typeof(outcome)))
);

-- One unfinished procedure of a kind for the same columns: whoever asks for it again goes on with it.
CREATE UNIQUE INDEX phiseal_procedures_one_open ON phiseal_procedures (kind, table_label, columns)
    WHERE finished_at IS NULL;

CREATE TRIGGER phiseal_procedures_kept BEFORE DELETE ON phiseal_procedures
BEGIN
    SELECT RAISE(ABORT, 'DELETE refused on procedures: what was done to a table is kept');
END;
