DROP TABLE phiseal_guard_mark;
DROP TABLE phiseal_mark;
DROP TABLE phiseal_mark_effect;
DROP TABLE phiseal_mark_cause;
DROP TABLE phiseal_mark_never;
DROP TABLE phiseal_guard_gaps;

-- How the guards know who writes: a writer inserts its mark at the start of its transaction and
-- deletes it before the end, so that nobody else ever sees it. 'engine' passes the guards, 'sealer'
-- is an application that seals values itself, 'guard' a guard's own nested update. Not unique:
-- guards nest.
CREATE TABLE phiseal_mark (
    mark TEXT NOT NULL CHECK (mark IN ('engine', 'sealer', 'guard'))
) STRICT;

DROP TRIGGER phiseal_encryption_keys_update;

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

-- What the way up put in the place of STRICT.
PRAGMA writable_schema = ON;

UPDATE sqlite_master SET sql =
        substr(sql, 1, instr(sql, ',' || char(10) || '    CHECK (typeof(') - 1) || char(10) || ') STRICT'
    WHERE type = 'table' AND name GLOB 'phiseal_*' AND instr(sql, ',' || char(10) || '    CHECK (typeof(') > 0;

PRAGMA writable_schema = RESET;
