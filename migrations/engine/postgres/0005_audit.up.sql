-- The audit chain. Entries are numbered without gaps by the appender, which locks the head row.

CREATE TABLE {{schema}}.audit_log (
    entry_id bigint      PRIMARY KEY CHECK (entry_id >= 1),
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor    text        NOT NULL,
    action   text        NOT NULL,
    subject  text        NOT NULL,
    key_id   integer,
    prev_mac bytea       NOT NULL,
    mac      bytea       NOT NULL
);

CREATE TRIGGER audit_log_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON {{schema}}.audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION {{schema}}.refuse_statement('the audit log is append-only');
ALTER TABLE {{schema}}.audit_log ENABLE ALWAYS TRIGGER audit_log_append_only;

-- entry_id 0 and an empty mac are the head of an empty log.
CREATE TABLE {{schema}}.audit_head (
    id       integer PRIMARY KEY CHECK (id = 1),
    entry_id bigint  NOT NULL,
    mac      bytea   NOT NULL
);

INSERT INTO {{schema}}.audit_head (id, entry_id, mac)
    VALUES (1, 0, '');

CREATE TRIGGER audit_head_kept
    BEFORE DELETE OR TRUNCATE ON {{schema}}.audit_head
    FOR EACH STATEMENT EXECUTE FUNCTION {{schema}}.refuse_statement('the head of the audit log is kept');
ALTER TABLE {{schema}}.audit_head ENABLE ALWAYS TRIGGER audit_head_kept;
