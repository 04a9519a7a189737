-- Our tables for every SQLite from 3.17 on: before 3.37 a file with a STRICT table in it cannot be opened at all.
-- STRICT says nothing of how a row is stored, so only the text of the schema is written anew, with CHECK in its place
-- (https://sqlite.org/lang_altertable.html, "Making Other Kinds Of Table Schema Changes"): every row, index,
-- trigger and sequence stays as it is, byte for byte.

PRAGMA writable_schema = ON;

UPDATE sqlite_master SET sql = substr(sql, 1, length(sql) - 9) || ',
    CHECK (typeof(version) = ''integer'' AND typeof(check_value) = ''blob'' AND typeof(wrapped_key) IN
        (''blob'', ''null'') AND ''blob'' NOT IN (typeof(tenant), typeof(purpose),
        typeof(algorithm), typeof(status), typeof(kek_ref), typeof(created_at),
        typeof(activated_at), typeof(deactivated_at), typeof(compromised_at),
        typeof(destroyed_at), typeof(rotation_due_at), typeof(created_by), typeof(reason),
        typeof(changed_by)))
)'
    WHERE type = 'table' AND name = 'phiseal_encryption_keys' AND substr(sql, -9) = char(10) || ') STRICT';

UPDATE sqlite_master SET sql = substr(sql, 1, length(sql) - 9) || ',
    CHECK (typeof(key_id) = ''integer'' AND ''blob'' NOT IN (typeof(from_status), typeof(to_status),
        typeof(at), typeof(actor), typeof(reason)))
)'
    WHERE type = 'table' AND name = 'phiseal_key_transitions' AND substr(sql, -9) = char(10) || ') STRICT';

UPDATE sqlite_master SET sql = substr(sql, 1, length(sql) - 9) || ',
    CHECK (typeof(rows_found) = ''integer'' AND typeof(rows_resealed) = ''integer'' AND typeof(conflicts) =
        ''integer'' AND typeof(quarantined) = ''integer'' AND typeof(from_key_id) IN
        (''integer'', ''null'') AND typeof(to_key_id) IN (''integer'', ''null'') AND
        typeof(run_id) IN (''integer'', ''null'') AND ''blob'' NOT IN (typeof(kind),
        typeof(from_kek_ref), typeof(to_kek_ref), typeof(reason), typeof(started_at),
        typeof(finished_at), typeof(actor), typeof(census), typeof(outcome)))
)'
    WHERE type = 'table' AND name = 'phiseal_key_rotation_history' AND substr(sql, -9) = char(10) || ') STRICT';

UPDATE sqlite_master SET sql = substr(sql, 1, length(sql) - 9) || ',
    CHECK (typeof(pad_to) = ''integer'' AND typeof(values_sealed) = ''integer'' AND
        typeof(blind_index_bits) IN (''integer'', ''null'') AND typeof(blind_index_key_id) IN
        (''integer'', ''null'') AND ''blob'' NOT IN (typeof(table_label), typeof(column_label),
        typeof(schema_name), typeof(table_name), typeof(column_name), typeof(sealed_column),
        typeof(blind_index_column), typeof(blind_index_next), typeof(blind_index_normaliser),
        typeof(tenant_column), typeof(key_columns), typeof(key_types), typeof(source_type),
        typeof(form), typeof(state), typeof(created_at), typeof(updated_at)))
)'
    WHERE type = 'table' AND name = 'phiseal_encrypted_field_metadata' AND substr(sql, -9) = char(10) || ') STRICT';

UPDATE sqlite_master SET sql = substr(sql, 1, length(sql) - 9) || ',
    CHECK (typeof(rows_found) = ''integer'' AND typeof(rows_written) = ''integer'' AND
        typeof(values_written) = ''integer'' AND typeof(conflicts) = ''integer'' AND
        typeof(quarantined) = ''integer'' AND ''blob'' NOT IN (typeof(kind),
        typeof(table_label), typeof(digest), typeof(state), typeof(params), typeof(started_at),
        typeof(finished_at), typeof(actor), typeof(error_code)))
)'
    WHERE type = 'table' AND name = 'phiseal_runs' AND substr(sql, -9) = char(10) || ') STRICT';

UPDATE sqlite_master SET sql = substr(sql, 1, length(sql) - 9) || ',
    CHECK (typeof(run_id) = ''integer'' AND typeof(lane_no) = ''integer'' AND typeof(seq) = ''integer'' AND
        typeof(fence) = ''integer'' AND typeof(rows_found) = ''integer'' AND
        typeof(rows_written) = ''integer'' AND typeof(values_written) = ''integer'' AND
        typeof(conflicts) = ''integer'' AND typeof(quarantined) = ''integer'' AND typeof(lower)
        IN (''blob'', ''null'') AND typeof(upper) IN (''blob'', ''null'') AND typeof(cursor) IN
        (''blob'', ''null'') AND ''blob'' NOT IN (typeof(relation), typeof(holder),
        typeof(lease_until), typeof(state), typeof(updated_at)))
)'
    WHERE type = 'table' AND name = 'phiseal_lanes' AND substr(sql, -9) = char(10) || ') STRICT';

UPDATE sqlite_master SET sql = substr(sql, 1, length(sql) - 9) || ',
    CHECK (typeof(run_id) = ''integer'' AND typeof(lane_no) = ''integer'' AND typeof(history_id) =
        ''integer'' AND typeof(from_key_id) = ''integer'' AND typeof(rows_found) = ''integer''
        AND typeof(rows_resealed) = ''integer'' AND typeof(conflicts) = ''integer'' AND
        typeof(quarantined) = ''integer'')
)'
    WHERE type = 'table' AND name = 'phiseal_rotation_counts' AND substr(sql, -9) = char(10) || ') STRICT';

UPDATE sqlite_master SET sql = substr(sql, 1, length(sql) - 9) || ',
    CHECK (typeof(key_id) = ''integer'' AND typeof(run_id) IN (''integer'', ''null'') AND
        typeof(key_sealed) = ''blob'' AND ''blob'' NOT IN (typeof(table_label),
        typeof(column_label), typeof(row_tag), typeof(step), typeof(reason), typeof(sqlstate),
        typeof(constraint_name), typeof(state), typeof(created_at), typeof(resolved_at)))
)'
    WHERE type = 'table' AND name = 'phiseal_quarantine' AND substr(sql, -9) = char(10) || ') STRICT';

UPDATE sqlite_master SET sql = substr(sql, 1, length(sql) - 9) || ',
    CHECK (typeof(key_id) IN (''integer'', ''null'') AND typeof(prev_mac) = ''blob'' AND typeof(mac) =
        ''blob'' AND ''blob'' NOT IN (typeof(at), typeof(actor), typeof(action),
        typeof(subject)))
)'
    WHERE type = 'table' AND name = 'phiseal_audit_log' AND substr(sql, -9) = char(10) || ') STRICT';

UPDATE sqlite_master SET sql = substr(sql, 1, length(sql) - 9) || ',
    CHECK (typeof(entry_id) = ''integer'' AND typeof(mac) = ''blob'')
)'
    WHERE type = 'table' AND name = 'phiseal_audit_head' AND substr(sql, -9) = char(10) || ') STRICT';

-- The history of migrations, too. (It has no other columns than these.)
UPDATE sqlite_master SET sql = substr(sql, 1, length(sql) - 7)
    WHERE type = 'table' AND name = 'phiseal_migrations_engine' AND substr(sql, -8) = ') STRICT';

PRAGMA writable_schema = RESET;

-- iif() came with SQLite 3.32.
DROP TRIGGER phiseal_encryption_keys_update;

CREATE TRIGGER phiseal_encryption_keys_update BEFORE UPDATE ON phiseal_encryption_keys
BEGIN
    SELECT RAISE(ABORT, 'UPDATE refused on encryption_keys: the identity of a key never changes')
        WHERE (NEW.key_id, NEW.tenant, NEW.purpose, NEW.version, NEW.algorithm,
               NEW.check_value, NEW.created_at, NEW.created_by)
              IS NOT
              (OLD.key_id, OLD.tenant, OLD.purpose, OLD.version, OLD.algorithm,
               OLD.check_value, OLD.created_at, OLD.created_by);
    -- The one change of a time let through is the stamping by another trigger, which
    -- fills an empty column of the status the row has just taken.
    SELECT RAISE(ABORT, 'UPDATE refused on encryption_keys: lifecycle times are stamped by the database')
        WHERE (NEW.activated_at, NEW.deactivated_at, NEW.compromised_at, NEW.destroyed_at)
              IS NOT
              (OLD.activated_at, OLD.deactivated_at, OLD.compromised_at, OLD.destroyed_at)
          AND (NEW.activated_at, NEW.deactivated_at, NEW.compromised_at, NEW.destroyed_at)
              IS NOT
              (coalesce(OLD.activated_at, CASE OLD.status WHEN 'active' THEN NEW.activated_at END),
               coalesce(OLD.deactivated_at, CASE OLD.status WHEN 'deactivated' THEN NEW.deactivated_at END),
               coalesce(OLD.compromised_at, CASE OLD.status WHEN 'compromised' THEN NEW.compromised_at END),
               coalesce(OLD.destroyed_at, CASE OLD.status WHEN 'destroyed' THEN NEW.destroyed_at END));
    SELECT RAISE(ABORT, 'UPDATE refused on encryption_keys: no such change of status')
        WHERE NEW.status <> OLD.status AND NOT CASE OLD.status
            WHEN 'pre_active'  THEN NEW.status IN ('active', 'destroyed', 'compromised')
            WHEN 'active'      THEN NEW.status IN ('suspended', 'deactivated', 'compromised')
            WHEN 'suspended'   THEN NEW.status IN ('active', 'deactivated', 'compromised')
            WHEN 'deactivated' THEN NEW.status IN ('compromised', 'destroyed')
            WHEN 'compromised' THEN NEW.status = 'destroyed'
            ELSE 0 END;
    SELECT RAISE(ABORT, 'UPDATE refused on encryption_keys: a destroyed key stays destroyed')
        WHERE OLD.status = 'destroyed'
          AND (NEW.wrapped_key, NEW.kek_ref) IS NOT (OLD.wrapped_key, OLD.kek_ref);
    SELECT RAISE(ABORT, 'UPDATE refused on encryption_keys: wrapped_key is NULL once the key is destroyed, and only then')
        WHERE (NEW.status = 'destroyed') <> (NEW.wrapped_key IS NULL);
    SELECT RAISE(ABORT, 'UPDATE refused on encryption_keys: another key is active')
        WHERE NEW.status = 'active' AND OLD.status <> 'active'
          AND EXISTS (SELECT 1 FROM phiseal_encryption_keys AS k
                      WHERE k.tenant = NEW.tenant AND k.purpose = NEW.purpose
                        AND k.status = 'active');
END;

-- What the guards let pass while they could be relied upon by nobody: a mark that stood committed.
CREATE TABLE phiseal_guard_gaps (
    gap_id      INTEGER PRIMARY KEY AUTOINCREMENT,
    found_at    TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    mark        TEXT    NOT NULL,
    -- When every sealed value of the file was opened and compared again.
    verified_at TEXT
);

INSERT INTO phiseal_guard_gaps (mark) SELECT DISTINCT mark FROM phiseal_mark;

DROP TABLE phiseal_mark;

-- Parent of no row, ever: see below.
CREATE TABLE phiseal_mark_never (
    mark TEXT PRIMARY KEY CHECK (mark IS NULL)
);

-- How the guards know that an application seals values itself: it inserts 'sealer' at the start of its
-- transaction and deletes it before the end. A mark refers to a row that does not exist, so no transaction
-- that checks foreign keys commits with one in it, and from any other no mark is taken. A guard that is to trust
-- a mark updates it first, so that the reference is checked in the transaction at hand, whoever's the mark was.
-- ('guard' is what guards made before this migration write in a nested update; to those made since it means nothing.)
CREATE TABLE phiseal_mark (
    mark TEXT NOT NULL CHECK (mark IN ('sealer', 'guard'))
        REFERENCES phiseal_mark_never (mark) DEFERRABLE INITIALLY DEFERRED
);

-- Two numbers that are equal. Counting the one up counts the other up only where foreign keys are checked.
CREATE TABLE phiseal_mark_cause (
    number INTEGER PRIMARY KEY
);

CREATE TABLE phiseal_mark_effect (
    number INTEGER NOT NULL REFERENCES phiseal_mark_cause (number) ON UPDATE CASCADE
);

INSERT INTO phiseal_mark_cause (number) VALUES (1);
INSERT INTO phiseal_mark_effect (number) VALUES (1);

CREATE TRIGGER phiseal_mark_insert AFTER INSERT ON phiseal_mark
    WHEN NEW.mark <> 'guard'
BEGIN
    SELECT RAISE(ABORT, 'phiseal: phiseal_mark_cause and phiseal_mark_effect differ, so no mark can be taken')
        WHERE (SELECT number FROM phiseal_mark_cause) IS NOT (SELECT number FROM phiseal_mark_effect);
    UPDATE phiseal_mark_cause SET number = number + 1;
    SELECT RAISE(ABORT, 'phiseal: a mark needs PRAGMA foreign_keys = ON, said before its transaction')
        WHERE (SELECT number FROM phiseal_mark_cause) IS NOT (SELECT number FROM phiseal_mark_effect);
END;

CREATE TRIGGER phiseal_mark_update AFTER UPDATE ON phiseal_mark
BEGIN
    SELECT RAISE(ABORT, 'UPDATE refused on mark: a mark is inserted and deleted')
        WHERE NEW.mark <> OLD.mark;
    SELECT RAISE(ABORT, 'phiseal: phiseal_mark_cause and phiseal_mark_effect differ, so no mark can be taken')
        WHERE (SELECT number FROM phiseal_mark_cause) IS NOT (SELECT number FROM phiseal_mark_effect);
    UPDATE phiseal_mark_cause SET number = number + 1;
    SELECT RAISE(ABORT, 'phiseal: a mark needs PRAGMA foreign_keys = ON, said before its transaction')
        WHERE (SELECT number FROM phiseal_mark_cause) IS NOT (SELECT number FROM phiseal_mark_effect);
END;

-- How the guards know the engine, and their own nested updates. A row counts only while it is what its own
-- connection inserted last: to every other connection, and after any other INSERT, it is nothing. No rowid that
-- SQLite or an application would choose is so low.
CREATE TABLE phiseal_guard_mark (
    id   INTEGER PRIMARY KEY CHECK (id < -4611686018427387904),
    mark TEXT    NOT NULL CHECK (mark IN ('engine', 'guard'))
);
