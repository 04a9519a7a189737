-- The audit chain. Entries are numbered without gaps by the appender, inside BEGIN IMMEDIATE.

CREATE TABLE phiseal_audit_log (
    entry_id INTEGER PRIMARY KEY CHECK (entry_id >= 1),
    at       TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    actor    TEXT    NOT NULL,
    action   TEXT    NOT NULL,
    subject  TEXT    NOT NULL,
    key_id   INTEGER,
    prev_mac BLOB    NOT NULL,
    mac      BLOB    NOT NULL
) STRICT;

-- INSERT OR REPLACE deletes the row in its way without firing a DELETE trigger.
CREATE TRIGGER phiseal_audit_log_insert BEFORE INSERT ON phiseal_audit_log
    WHEN EXISTS (SELECT 1 FROM phiseal_audit_log WHERE entry_id = NEW.entry_id)
BEGIN
    SELECT RAISE(ABORT, 'INSERT refused on audit_log: the audit log is append-only');
END;

CREATE TRIGGER phiseal_audit_log_update BEFORE UPDATE ON phiseal_audit_log
BEGIN
    SELECT RAISE(ABORT, 'UPDATE refused on audit_log: the audit log is append-only');
END;

CREATE TRIGGER phiseal_audit_log_delete BEFORE DELETE ON phiseal_audit_log
BEGIN
    SELECT RAISE(ABORT, 'DELETE refused on audit_log: the audit log is append-only');
END;

-- entry_id 0 and an empty mac are the head of an empty log.
CREATE TABLE phiseal_audit_head (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    entry_id INTEGER NOT NULL,
    mac      BLOB    NOT NULL
) STRICT;

INSERT INTO phiseal_audit_head (id, entry_id, mac) VALUES (1, 0, x'');

CREATE TRIGGER phiseal_audit_head_kept BEFORE DELETE ON phiseal_audit_head
BEGIN
    SELECT RAISE(ABORT, 'DELETE refused on audit_head: the head of the audit log is kept');
END;
