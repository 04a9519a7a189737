-- Data keys and the history of their rotations (NIST SP 800-57 Part 1, key states).
-- INSERT OR REPLACE and UPDATE OR REPLACE delete the row in their way without firing its DELETE
-- trigger, so a row that would be replaced is refused before.

CREATE TABLE phiseal_encryption_keys (
    key_id          INTEGER PRIMARY KEY CHECK (key_id BETWEEN 1 AND 2147483647),
    tenant          TEXT    NOT NULL DEFAULT '',
    purpose         TEXT    NOT NULL CHECK (purpose IN ('cell', 'blind_index')),
    version         INTEGER NOT NULL CHECK (version >= 1),
    algorithm       TEXT    NOT NULL CHECK (algorithm = 'AES-256-GCM'),
    status          TEXT    NOT NULL DEFAULT 'pre_active' CHECK (status IN
        ('pre_active', 'active', 'suspended', 'deactivated', 'compromised', 'destroyed')),
    kek_ref         TEXT    NOT NULL,
    wrapped_key     BLOB,
    check_value     BLOB    NOT NULL,
    created_at      TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    activated_at    TEXT,
    deactivated_at  TEXT,
    compromised_at  TEXT,
    destroyed_at    TEXT,
    rotation_due_at TEXT,
    created_by      TEXT    NOT NULL,
    reason          TEXT,
    -- Who asked for the last change of status; copied into key_transitions.
    changed_by      TEXT,
    UNIQUE (tenant, purpose, version),
    CHECK ((status = 'destroyed') = (wrapped_key IS NULL))
) STRICT;

CREATE UNIQUE INDEX phiseal_encryption_keys_one_active
    ON phiseal_encryption_keys (tenant, purpose) WHERE status = 'active';

CREATE TRIGGER phiseal_encryption_keys_insert BEFORE INSERT ON phiseal_encryption_keys
BEGIN
    SELECT RAISE(ABORT, 'INSERT refused on encryption_keys: a key is created pre_active or active')
        WHERE NEW.status NOT IN ('pre_active', 'active');
    SELECT RAISE(ABORT, 'INSERT refused on encryption_keys: wrapped_key is NULL only once the key is destroyed')
        WHERE NEW.wrapped_key IS NULL;
    SELECT RAISE(ABORT, 'INSERT refused on encryption_keys: lifecycle times are stamped by the database')
        WHERE coalesce(NEW.activated_at, NEW.deactivated_at,
                       NEW.compromised_at, NEW.destroyed_at) IS NOT NULL;
    SELECT RAISE(ABORT, 'INSERT refused on encryption_keys: the key exists already')
        WHERE EXISTS (SELECT 1 FROM phiseal_encryption_keys AS k
                      WHERE k.key_id = NEW.key_id
                         OR (k.tenant = NEW.tenant AND k.purpose = NEW.purpose
                             AND k.version = NEW.version));
    SELECT RAISE(ABORT, 'INSERT refused on encryption_keys: another key is active')
        WHERE NEW.status = 'active'
          AND EXISTS (SELECT 1 FROM phiseal_encryption_keys AS k
                      WHERE k.tenant = NEW.tenant AND k.purpose = NEW.purpose
                        AND k.status = 'active');
END;

CREATE TRIGGER phiseal_encryption_keys_update BEFORE UPDATE ON phiseal_encryption_keys
BEGIN
    SELECT RAISE(ABORT, 'UPDATE refused on encryption_keys: the identity of a key never changes')
        WHERE (NEW.key_id, NEW.tenant, NEW.purpose, NEW.version, NEW.algorithm,
               NEW.check_value, NEW.created_at, NEW.created_by)
              IS NOT
              (OLD.key_id, OLD.tenant, OLD.purpose, OLD.version, OLD.algorithm,
               OLD.check_value, OLD.created_at, OLD.created_by);
    -- The one change of a time let through is the stamping by the trigger below, which
    -- fills an empty column of the status the row has just taken.
    SELECT RAISE(ABORT, 'UPDATE refused on encryption_keys: lifecycle times are stamped by the database')
        WHERE (NEW.activated_at, NEW.deactivated_at, NEW.compromised_at, NEW.destroyed_at)
              IS NOT
              (OLD.activated_at, OLD.deactivated_at, OLD.compromised_at, OLD.destroyed_at)
          AND (NEW.activated_at, NEW.deactivated_at, NEW.compromised_at, NEW.destroyed_at)
              IS NOT
              (coalesce(OLD.activated_at, iif(OLD.status = 'active', NEW.activated_at, NULL)),
               coalesce(OLD.deactivated_at, iif(OLD.status = 'deactivated', NEW.deactivated_at, NULL)),
               coalesce(OLD.compromised_at, iif(OLD.status = 'compromised', NEW.compromised_at, NULL)),
               coalesce(OLD.destroyed_at, iif(OLD.status = 'destroyed', NEW.destroyed_at, NULL)));
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

-- Resuming a suspended key keeps the day it first became active.
CREATE TRIGGER phiseal_encryption_keys_stamp_insert AFTER INSERT ON phiseal_encryption_keys
    WHEN NEW.status = 'active'
BEGIN
    UPDATE phiseal_encryption_keys SET activated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
        WHERE key_id = NEW.key_id;
END;

CREATE TRIGGER phiseal_encryption_keys_stamp_update AFTER UPDATE OF status ON phiseal_encryption_keys
    WHEN NEW.status <> OLD.status
BEGIN
    UPDATE phiseal_encryption_keys SET activated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
        WHERE key_id = NEW.key_id AND status = 'active' AND activated_at IS NULL;
    UPDATE phiseal_encryption_keys SET deactivated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
        WHERE key_id = NEW.key_id AND status = 'deactivated' AND deactivated_at IS NULL;
    UPDATE phiseal_encryption_keys SET compromised_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
        WHERE key_id = NEW.key_id AND status = 'compromised' AND compromised_at IS NULL;
    UPDATE phiseal_encryption_keys SET destroyed_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
        WHERE key_id = NEW.key_id AND status = 'destroyed' AND destroyed_at IS NULL;
END;

CREATE TRIGGER phiseal_encryption_keys_kept BEFORE DELETE ON phiseal_encryption_keys
BEGIN
    SELECT RAISE(ABORT, 'DELETE refused on encryption_keys: keys are destroyed, never deleted');
END;

-- Every change of a key's status: when, who, why. Written by the database itself.
CREATE TABLE phiseal_key_transitions (
    transition_id INTEGER PRIMARY KEY AUTOINCREMENT,
    key_id        INTEGER NOT NULL REFERENCES phiseal_encryption_keys,
    from_status   TEXT,
    to_status     TEXT    NOT NULL,
    at            TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    actor         TEXT    NOT NULL,
    reason        TEXT
) STRICT;

CREATE INDEX phiseal_key_transitions_by_key ON phiseal_key_transitions (key_id);

CREATE TRIGGER phiseal_encryption_keys_made AFTER INSERT ON phiseal_encryption_keys
BEGIN
    INSERT INTO phiseal_key_transitions (key_id, from_status, to_status, actor, reason)
        VALUES (NEW.key_id, NULL, NEW.status, NEW.created_by, NEW.reason);
END;

CREATE TRIGGER phiseal_encryption_keys_moved AFTER UPDATE OF status ON phiseal_encryption_keys
    WHEN NEW.status <> OLD.status
BEGIN
    INSERT INTO phiseal_key_transitions (key_id, from_status, to_status, actor, reason)
        VALUES (NEW.key_id, OLD.status, NEW.status, coalesce(NEW.changed_by, 'unknown'), NEW.reason);
END;

CREATE TRIGGER phiseal_key_transitions_insert BEFORE INSERT ON phiseal_key_transitions
    WHEN EXISTS (SELECT 1 FROM phiseal_key_transitions WHERE transition_id = NEW.transition_id)
BEGIN
    SELECT RAISE(ABORT, 'INSERT refused on key_transitions: what happened to a key is kept');
END;

CREATE TRIGGER phiseal_key_transitions_frozen BEFORE UPDATE ON phiseal_key_transitions
BEGIN
    SELECT RAISE(ABORT, 'UPDATE refused on key_transitions: what happened to a key is kept');
END;

CREATE TRIGGER phiseal_key_transitions_kept BEFORE DELETE ON phiseal_key_transitions
BEGIN
    SELECT RAISE(ABORT, 'DELETE refused on key_transitions: what happened to a key is kept');
END;

-- A rotation is of data keys and re-seals rows. A rewrap is of the wrapping key: it touches no row
-- of the application, and counts keys where a rotation counts rows.
CREATE TABLE phiseal_key_rotation_history (
    history_id    INTEGER PRIMARY KEY AUTOINCREMENT,
    kind          TEXT    NOT NULL DEFAULT 'rotate' CHECK (kind IN ('rotate', 'compromise', 'rewrap')),
    from_key_id   INTEGER REFERENCES phiseal_encryption_keys,
    to_key_id     INTEGER REFERENCES phiseal_encryption_keys,
    from_kek_ref  TEXT,
    to_kek_ref    TEXT,
    reason        TEXT    NOT NULL,
    started_at    TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    finished_at   TEXT,
    actor         TEXT    NOT NULL,
    run_id        INTEGER,
    rows_found    INTEGER NOT NULL DEFAULT 0,
    rows_resealed INTEGER NOT NULL DEFAULT 0,
    conflicts     INTEGER NOT NULL DEFAULT 0,
    quarantined   INTEGER NOT NULL DEFAULT 0,
    -- Values under each key of this rotation's tenant when it ended, as JSON: {"17": 0, "23": 512}.
    census        TEXT,
    outcome       TEXT,
    CHECK (from_key_id <> to_key_id),
    CHECK ((kind = 'rewrap') = (from_key_id IS NULL AND to_key_id IS NULL)),
    CHECK ((kind = 'rewrap') = (to_kek_ref IS NOT NULL)),
    CHECK (finished_at IS NULL OR outcome IS NOT NULL)
) STRICT;

-- One unfinished rotation for each key that is left, and one unfinished rewrap.
CREATE UNIQUE INDEX phiseal_key_rotation_history_one_open
    ON phiseal_key_rotation_history (coalesce(from_key_id, 0)) WHERE finished_at IS NULL;

CREATE TRIGGER phiseal_key_rotation_history_insert BEFORE INSERT ON phiseal_key_rotation_history
    WHEN EXISTS (SELECT 1 FROM phiseal_key_rotation_history WHERE history_id = NEW.history_id)
BEGIN
    SELECT RAISE(ABORT, 'INSERT refused on key_rotation_history: rotation history is kept');
END;

CREATE TRIGGER phiseal_key_rotation_history_frozen BEFORE UPDATE ON phiseal_key_rotation_history
BEGIN
    SELECT RAISE(ABORT, 'UPDATE refused on key_rotation_history: a finished rotation never changes')
        WHERE OLD.finished_at IS NOT NULL;
    -- The run is opened after the rotation is written down, so its id may be filled in once.
    SELECT RAISE(ABORT, 'UPDATE refused on key_rotation_history: the identity of a rotation never changes')
        WHERE (NEW.history_id, NEW.kind, NEW.from_key_id, NEW.to_key_id, NEW.from_kek_ref, NEW.to_kek_ref,
               NEW.reason, NEW.started_at, NEW.actor)
              IS NOT
              (OLD.history_id, OLD.kind, OLD.from_key_id, OLD.to_key_id, OLD.from_kek_ref, OLD.to_kek_ref,
               OLD.reason, OLD.started_at, OLD.actor)
           OR (OLD.run_id IS NOT NULL AND NEW.run_id IS NOT OLD.run_id);
END;

CREATE TRIGGER phiseal_key_rotation_history_kept BEFORE DELETE ON phiseal_key_rotation_history
BEGIN
    SELECT RAISE(ABORT, 'DELETE refused on key_rotation_history: rotation history is kept');
END;
