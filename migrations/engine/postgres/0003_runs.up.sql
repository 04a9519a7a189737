-- Runs and their lanes. One run at a time works on a table: runs_one_open sees to it.

CREATE TABLE {{schema}}.runs (
    run_id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind           text        NOT NULL CHECK (kind IN
        ('backfill', 'rotate', 'reindex', 'restore', 'finalize', 'destroy')),
    table_label    text        NOT NULL,
    digest         text        NOT NULL,
    state          text        NOT NULL DEFAULT 'running' CHECK (state IN
        ('running', 'interrupted', 'done', 'failed')),
    params         text        NOT NULL DEFAULT '{}',
    started_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at    timestamptz,
    actor          text        NOT NULL,
    rows_found     bigint      NOT NULL DEFAULT 0,
    rows_written   bigint      NOT NULL DEFAULT 0,
    values_written bigint      NOT NULL DEFAULT 0,
    conflicts      bigint      NOT NULL DEFAULT 0,
    quarantined    bigint      NOT NULL DEFAULT 0,
    error_code     text,
    CHECK (finished_at IS NULL OR state IN ('done', 'failed')),
    CHECK (state <> 'done' OR finished_at IS NOT NULL)
);

CREATE UNIQUE INDEX runs_one_open ON {{schema}}.runs (table_label) WHERE finished_at IS NULL;

-- A lane is updated by every batch: room in the page keeps those updates heap-only.
CREATE TABLE {{schema}}.lanes (
    run_id         bigint      NOT NULL REFERENCES {{schema}}.runs,
    lane_no        integer     NOT NULL CHECK (lane_no >= 0),
    relation       text        NOT NULL,
    -- Keys above lower, up to upper; NULL is an open end. Keys up to cursor are done; NULL is the start.
    lower          bytea,
    upper          bytea,
    cursor         bytea,
    seq            bigint      NOT NULL DEFAULT 0,
    fence          bigint      NOT NULL DEFAULT 0,
    holder         text,
    lease_until    timestamptz,
    state          text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done')),
    rows_found     bigint      NOT NULL DEFAULT 0,
    rows_written   bigint      NOT NULL DEFAULT 0,
    values_written bigint      NOT NULL DEFAULT 0,
    conflicts      bigint      NOT NULL DEFAULT 0,
    quarantined    bigint      NOT NULL DEFAULT 0,
    updated_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (run_id, lane_no)
) WITH (fillfactor = 50);

-- What each rotation found and re-sealed, by lane and by the key a value was sealed under: added to
-- in the transaction of the rows, so that an interruption loses no count.
CREATE TABLE {{schema}}.rotation_counts (
    run_id        bigint  NOT NULL,
    lane_no       integer NOT NULL,
    history_id    bigint  NOT NULL REFERENCES {{schema}}.key_rotation_history,
    from_key_id   integer NOT NULL REFERENCES {{schema}}.encryption_keys,
    rows_found    bigint  NOT NULL DEFAULT 0,
    rows_resealed bigint  NOT NULL DEFAULT 0,
    conflicts     bigint  NOT NULL DEFAULT 0,
    quarantined   bigint  NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, lane_no, history_id, from_key_id),
    FOREIGN KEY (run_id, lane_no) REFERENCES {{schema}}.lanes
) WITH (fillfactor = 50);

CREATE INDEX rotation_counts_by_rotation ON {{schema}}.rotation_counts (history_id);
