-- Rows that could not be processed: a keyed tag names the row, its key is stored sealed only.

CREATE TABLE {{schema}}.quarantine (
    quarantine_id   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id          bigint      REFERENCES {{schema}}.runs,
    table_label     text        NOT NULL,
    column_label    text,
    row_tag         text        NOT NULL CHECK (row_tag ~ '^[0-9a-f]{16}$'),
    key_sealed      bytea       NOT NULL,
    key_id          integer     NOT NULL,
    step            text        NOT NULL,
    reason          text        NOT NULL,
    sqlstate        text,
    constraint_name text,
    state           text        NOT NULL DEFAULT 'open' CHECK (state IN
        ('open', 'retry', 'skipped', 'resolved')),
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    resolved_at     timestamptz
);

CREATE INDEX quarantine_by_table ON {{schema}}.quarantine (table_label, state);

CREATE UNIQUE INDEX quarantine_one_unresolved
    ON {{schema}}.quarantine (table_label, row_tag, (coalesce(column_label, '')))
    WHERE state <> 'resolved';
