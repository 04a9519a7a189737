-- Data keys and the history of their rotations (NIST SP 800-57 Part 1, key states).
-- Refusals raise SQLSTATE PS001, outside classes 22 and 23: those are bisected as data errors.

CREATE FUNCTION {{schema}}.refuse_statement() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'PS001', TABLE = TG_TABLE_NAME,
        MESSAGE = format('%s refused on %s: %s', TG_OP, TG_TABLE_NAME, TG_ARGV[0]);
END $$;

CREATE TABLE {{schema}}.encryption_keys (
    key_id          integer     PRIMARY KEY CHECK (key_id >= 1),
    tenant          text        NOT NULL DEFAULT '',
    purpose         text        NOT NULL CHECK (purpose IN ('cell', 'blind_index')),
    version         integer     NOT NULL CHECK (version >= 1),
    algorithm       text        NOT NULL CHECK (algorithm = 'AES-256-GCM'),
    status          text        NOT NULL DEFAULT 'pre_active' CHECK (status IN
        ('pre_active', 'active', 'suspended', 'deactivated', 'compromised', 'destroyed')),
    kek_ref         text        NOT NULL,
    wrapped_key     bytea,
    check_value     bytea       NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    activated_at    timestamptz,
    deactivated_at  timestamptz,
    compromised_at  timestamptz,
    destroyed_at    timestamptz,
    rotation_due_at timestamptz,
    created_by      text        NOT NULL,
    reason          text,
    -- Who asked for the last change of status; copied into key_transitions.
    changed_by      text,
    UNIQUE (tenant, purpose, version),
    CHECK ((status = 'destroyed') = (wrapped_key IS NULL))
);

CREATE UNIQUE INDEX encryption_keys_one_active
    ON {{schema}}.encryption_keys (tenant, purpose) WHERE status = 'active';

CREATE FUNCTION {{schema}}.encryption_keys_lifecycle() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fault text;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status NOT IN ('pre_active', 'active') THEN
            fault := 'a key is created pre_active or active';
        ELSIF NEW.wrapped_key IS NULL THEN
            fault := 'wrapped_key is NULL only once the key is destroyed';
        ELSIF num_nonnulls(NEW.activated_at, NEW.deactivated_at,
                           NEW.compromised_at, NEW.destroyed_at) > 0 THEN
            fault := 'lifecycle times are stamped by the database';
        ELSIF NEW.status = 'active' THEN
            NEW.activated_at := clock_timestamp();
        END IF;
    ELSIF (NEW.key_id, NEW.tenant, NEW.purpose, NEW.version, NEW.algorithm,
           NEW.check_value, NEW.created_at, NEW.created_by)
          IS DISTINCT FROM
          (OLD.key_id, OLD.tenant, OLD.purpose, OLD.version, OLD.algorithm,
           OLD.check_value, OLD.created_at, OLD.created_by) THEN
        fault := 'the identity of a key never changes';
    ELSIF (NEW.activated_at, NEW.deactivated_at, NEW.compromised_at, NEW.destroyed_at)
          IS DISTINCT FROM
          (OLD.activated_at, OLD.deactivated_at, OLD.compromised_at, OLD.destroyed_at) THEN
        fault := 'lifecycle times are stamped by the database';
    ELSIF NEW.status <> OLD.status AND NOT (CASE OLD.status
            WHEN 'pre_active'  THEN NEW.status IN ('active', 'destroyed', 'compromised')
            WHEN 'active'      THEN NEW.status IN ('suspended', 'deactivated', 'compromised')
            WHEN 'suspended'   THEN NEW.status IN ('active', 'deactivated', 'compromised')
            WHEN 'deactivated' THEN NEW.status IN ('compromised', 'destroyed')
            WHEN 'compromised' THEN NEW.status = 'destroyed'
            ELSE false END) THEN
        fault := format('a key does not go from %s to %s', OLD.status, NEW.status);
    ELSIF OLD.status = 'destroyed' AND (NEW.wrapped_key, NEW.kek_ref)
            IS DISTINCT FROM (OLD.wrapped_key, OLD.kek_ref) THEN
        fault := 'a destroyed key stays destroyed';
    ELSIF (NEW.status = 'destroyed') <> (NEW.wrapped_key IS NULL) THEN
        fault := 'wrapped_key is NULL once the key is destroyed, and only then';
    ELSIF NEW.status <> OLD.status THEN
        CASE NEW.status
            -- Resuming a suspended key keeps the day it first became active.
            WHEN 'active'      THEN NEW.activated_at := coalesce(OLD.activated_at, clock_timestamp());
            WHEN 'deactivated' THEN NEW.deactivated_at := clock_timestamp();
            WHEN 'compromised' THEN NEW.compromised_at := clock_timestamp();
            WHEN 'destroyed'   THEN NEW.destroyed_at := clock_timestamp();
            ELSE NULL;
        END CASE;
    END IF;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS001', TABLE = TG_TABLE_NAME,
            MESSAGE = format('%s refused on %s: %s', TG_OP, TG_TABLE_NAME, fault);
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER encryption_keys_lifecycle
    BEFORE INSERT OR UPDATE ON {{schema}}.encryption_keys
    FOR EACH ROW EXECUTE FUNCTION {{schema}}.encryption_keys_lifecycle();

CREATE TRIGGER encryption_keys_kept
    BEFORE DELETE OR TRUNCATE ON {{schema}}.encryption_keys
    FOR EACH STATEMENT EXECUTE FUNCTION {{schema}}.refuse_statement('keys are destroyed, never deleted');
ALTER TABLE {{schema}}.encryption_keys ENABLE ALWAYS TRIGGER encryption_keys_kept;

-- Every change of a key's status: when, who, why. Written by the database itself.
CREATE TABLE {{schema}}.key_transitions (
    transition_id bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key_id        integer     NOT NULL REFERENCES {{schema}}.encryption_keys,
    from_status   text,
    to_status     text        NOT NULL,
    at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor         text        NOT NULL,
    reason        text
);

CREATE INDEX key_transitions_by_key ON {{schema}}.key_transitions (key_id);

CREATE FUNCTION {{schema}}.encryption_keys_moved() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- The schema may be renamed: its name stands in no function's body.
    note text := format('INSERT INTO %I.key_transitions (key_id, from_status, to_status, actor, reason) '
        'VALUES ($1, $2, $3, $4, $5)', TG_TABLE_SCHEMA);
BEGIN
    IF TG_OP = 'INSERT' THEN
        EXECUTE note USING NEW.key_id, NULL::text, NEW.status, NEW.created_by, NEW.reason;
    ELSIF NEW.status <> OLD.status THEN
        EXECUTE note USING NEW.key_id, OLD.status, NEW.status, coalesce(NEW.changed_by, session_user::text), NEW.reason;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER encryption_keys_moved
    AFTER INSERT OR UPDATE ON {{schema}}.encryption_keys
    FOR EACH ROW EXECUTE FUNCTION {{schema}}.encryption_keys_moved();
ALTER TABLE {{schema}}.encryption_keys ENABLE ALWAYS TRIGGER encryption_keys_moved;

CREATE TRIGGER key_transitions_kept
    BEFORE UPDATE OR DELETE OR TRUNCATE ON {{schema}}.key_transitions
    FOR EACH STATEMENT EXECUTE FUNCTION {{schema}}.refuse_statement('what happened to a key is kept');
ALTER TABLE {{schema}}.key_transitions ENABLE ALWAYS TRIGGER key_transitions_kept;

-- A rotation is of data keys and re-seals rows. A rewrap is of the wrapping key: it touches no row
-- of the application, and counts keys where a rotation counts rows.
CREATE TABLE {{schema}}.key_rotation_history (
    history_id    bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind          text        NOT NULL DEFAULT 'rotate' CHECK (kind IN ('rotate', 'compromise', 'rewrap')),
    from_key_id   integer     REFERENCES {{schema}}.encryption_keys,
    to_key_id     integer     REFERENCES {{schema}}.encryption_keys,
    from_kek_ref  text,
    to_kek_ref    text,
    reason        text        NOT NULL,
    started_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at   timestamptz,
    actor         text        NOT NULL,
    run_id        bigint,
    rows_found    bigint      NOT NULL DEFAULT 0,
    rows_resealed bigint      NOT NULL DEFAULT 0,
    conflicts     bigint      NOT NULL DEFAULT 0,
    quarantined   bigint      NOT NULL DEFAULT 0,
    -- Values under each key of this rotation's tenant when it ended, as JSON: {"17": 0, "23": 512}.
    census        text,
    outcome       text,
    CHECK (from_key_id <> to_key_id),
    CHECK ((kind = 'rewrap') = (from_key_id IS NULL AND to_key_id IS NULL)),
    CHECK ((kind = 'rewrap') = (to_kek_ref IS NOT NULL)),
    CHECK (finished_at IS NULL OR outcome IS NOT NULL)
);

-- One unfinished rotation for each key that is left, and one unfinished rewrap.
CREATE UNIQUE INDEX key_rotation_history_one_open
    ON {{schema}}.key_rotation_history (coalesce(from_key_id, 0)) WHERE finished_at IS NULL;

CREATE FUNCTION {{schema}}.key_rotation_history_frozen() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fault text;
BEGIN
    IF OLD.finished_at IS NOT NULL THEN
        fault := 'a finished rotation never changes';
    ELSIF (NEW.history_id, NEW.kind, NEW.from_key_id, NEW.to_key_id, NEW.from_kek_ref, NEW.to_kek_ref,
           NEW.reason, NEW.started_at, NEW.actor)
          IS DISTINCT FROM
          (OLD.history_id, OLD.kind, OLD.from_key_id, OLD.to_key_id, OLD.from_kek_ref, OLD.to_kek_ref,
           OLD.reason, OLD.started_at, OLD.actor)
          -- The run is opened after the rotation is written down, so its id may be filled in once.
          OR (OLD.run_id IS NOT NULL AND NEW.run_id IS DISTINCT FROM OLD.run_id) THEN
        fault := 'the identity of a rotation never changes';
    END IF;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS001', TABLE = TG_TABLE_NAME,
            MESSAGE = format('%s refused on %s: %s', TG_OP, TG_TABLE_NAME, fault);
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER key_rotation_history_frozen
    BEFORE UPDATE ON {{schema}}.key_rotation_history
    FOR EACH ROW EXECUTE FUNCTION {{schema}}.key_rotation_history_frozen();

CREATE TRIGGER key_rotation_history_kept
    BEFORE DELETE OR TRUNCATE ON {{schema}}.key_rotation_history
    FOR EACH STATEMENT EXECUTE FUNCTION {{schema}}.refuse_statement('rotation history is kept');
ALTER TABLE {{schema}}.key_rotation_history ENABLE ALWAYS TRIGGER key_rotation_history_kept;
ALTER TABLE {{schema}}.key_rotation_history ENABLE ALWAYS TRIGGER key_rotation_history_frozen;
ALTER TABLE {{schema}}.encryption_keys ENABLE ALWAYS TRIGGER encryption_keys_lifecycle;
