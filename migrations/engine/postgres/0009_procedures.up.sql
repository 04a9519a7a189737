-- What a lane is for, and how far a procedure of several phases has come.

ALTER TABLE {{schema}}.lanes ADD COLUMN kind text NOT NULL DEFAULT 'range' CHECK (kind IN ('range', 'sweep'));
-- Until now the number of a lane said it.
UPDATE {{schema}}.lanes SET kind = 'sweep' WHERE lane_no >= 1000000;

CREATE TABLE {{schema}}.procedures (
    procedure_id bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind         text        NOT NULL CHECK (kind IN ('restore', 'finalize', 'scrub')),
    -- What it works on: the label of a table and the labels of columns, separated by ", ".
    table_label  text        NOT NULL,
    columns      text        NOT NULL,
    params       text        NOT NULL DEFAULT '{}',
    -- The phase that comes next: all before it are done.
    phase        text        NOT NULL,
    phase_since  timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor        text        NOT NULL,
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at  timestamptz,
    -- How it ended, without any value.
    outcome      text,
    CHECK (finished_at IS NULL OR outcome IS NOT NULL)
);

-- One unfinished procedure of a kind for the same columns: whoever asks for it again goes on with it.
CREATE UNIQUE INDEX procedures_one_open ON {{schema}}.procedures (kind, table_label, columns)
    WHERE finished_at IS NULL;

CREATE TRIGGER procedures_kept
    BEFORE DELETE OR TRUNCATE ON {{schema}}.procedures
    FOR EACH STATEMENT EXECUTE FUNCTION {{schema}}.refuse_statement('what was done to a table is kept');
ALTER TABLE {{schema}}.procedures ENABLE ALWAYS TRIGGER procedures_kept;
