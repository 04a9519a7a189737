--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: phiseal; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA phiseal;


--
-- Name: encrypted_field_metadata_frozen(); Type: FUNCTION; Schema: phiseal; Owner: -
--

CREATE FUNCTION phiseal.encrypted_field_metadata_frozen() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    fault text;
BEGIN
    IF (NEW.field_id, NEW.table_label, NEW.column_label, NEW.created_at)
       IS DISTINCT FROM (OLD.field_id, OLD.table_label, OLD.column_label, OLD.created_at) THEN
        fault := 'the labels of a field never change';
    -- The row key of every sealed value was made with these tags.
    ELSIF OLD.state NOT IN ('declared', 'restored') AND NEW.key_types <> OLD.key_types THEN
        fault := 'the row key of a sealed field never changes';
    END IF;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS001', TABLE = TG_TABLE_NAME,
            MESSAGE = format('%s refused on %s: %s', TG_OP, TG_TABLE_NAME, fault);
    END IF;
    RETURN NEW;
END $$;


--
-- Name: encryption_keys_lifecycle(); Type: FUNCTION; Schema: phiseal; Owner: -
--

CREATE FUNCTION phiseal.encryption_keys_lifecycle() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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


--
-- Name: encryption_keys_moved(); Type: FUNCTION; Schema: phiseal; Owner: -
--

CREATE FUNCTION phiseal.encryption_keys_moved() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
END $_$;


--
-- Name: guard_insert_245fab202bd40a40(); Type: FUNCTION; Schema: phiseal; Owner: -
--

CREATE FUNCTION phiseal.guard_insert_245fab202bd40a40() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  trusted boolean := coalesce(current_setting('phiseal.sealer', true), '') = 'on' OR current_setting('session_replication_role') = 'replica';
BEGIN
  IF trusted THEN
    IF NEW."reason_sealed" IS NOT NULL THEN PERFORM "phiseal".guard_require_active(coalesce(nullif('x' || encode(substr(NEW."reason_sealed", 3, 4), 'hex'), 'x')::bit(32)::bigint, -1), ''); END IF;
ELSIF NEW."reason" IS NULL AND NEW."reason_sealed" IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'PS001', TABLE = TG_TABLE_NAME, COLUMN = 'reason', MESSAGE = 'phiseal: a sealed value without its plaintext is taken from a trusted writer only (SET LOCAL phiseal.sealer = ''on'')';
ELSE
    NEW."reason_sealed" := NULL;
  END IF;
  RETURN NEW;
END $$;


--
-- Name: guard_insert_8ac4f21ffdcb4955(); Type: FUNCTION; Schema: phiseal; Owner: -
--

CREATE FUNCTION phiseal.guard_insert_8ac4f21ffdcb4955() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
  trusted boolean := coalesce(current_setting('phiseal.sealer', true), '') = 'on' OR current_setting('session_replication_role') = 'replica';
BEGIN
  IF trusted THEN
    IF NEW."name_sealed" IS NOT NULL THEN PERFORM "phiseal".guard_require_active(coalesce(nullif('x' || encode(substr(NEW."name_sealed", 3, 4), 'hex'), 'x')::bit(32)::bigint, -1), ''); END IF;
ELSIF NEW."name" IS NULL AND NEW."name_sealed" IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'PS001', TABLE = TG_TABLE_NAME, COLUMN = 'name', MESSAGE = 'phiseal: a sealed value without its plaintext is taken from a trusted writer only (SET LOCAL phiseal.sealer = ''on'')';
ELSE
    NEW."name_sealed" := NULL;
  END IF;
  IF coalesce(NEW."note"::text ~ '^ps1\.5w[EFIJ][A-Za-z0-9_-]{43,}$', false) AND EXISTS (SELECT 1 FROM "phiseal".encryption_keys k WHERE k.key_id = coalesce(nullif('x' || encode(substr(decode(translate(substr(NEW."note"::text, 5, 8), '-_', '+/'), 'base64'), 3, 4), 'hex'), 'x')::bit(32)::bigint, -1)) THEN
    PERFORM "phiseal".guard_require_active(coalesce(nullif('x' || encode(substr(decode(translate(substr(NEW."note"::text, 5, 8), '-_', '+/'), 'base64'), 3, 4), 'hex'), 'x')::bit(32)::bigint, -1), '');
  END IF;
 
  IF trusted THEN
    IF NEW."ssn_sealed" IS NOT NULL THEN PERFORM "phiseal".guard_require_active(coalesce(nullif('x' || encode(substr(NEW."ssn_sealed", 3, 4), 'hex'), 'x')::bit(32)::bigint, -1), ''); END IF;
ELSIF NEW."ssn" IS NULL AND NEW."ssn_sealed" IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'PS001', TABLE = TG_TABLE_NAME, COLUMN = 'ssn', MESSAGE = 'phiseal: a sealed value without its plaintext is taken from a trusted writer only (SET LOCAL phiseal.sealer = ''on'')';
ELSE
    NEW."ssn_sealed" := NULL; NEW."ssn_bidx" := NULL;
  END IF;
  RETURN NEW;
END $_$;


--
-- Name: guard_insert_8fac4fa44d77277c(); Type: FUNCTION; Schema: phiseal; Owner: -
--

CREATE FUNCTION phiseal.guard_insert_8fac4fa44d77277c() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  trusted boolean := coalesce(current_setting('phiseal.sealer', true), '') = 'on' OR current_setting('session_replication_role') = 'replica';
BEGIN
  IF trusted THEN
    IF NEW."code_sealed" IS NOT NULL THEN PERFORM "phiseal".guard_require_active(coalesce(nullif('x' || encode(substr(NEW."code_sealed", 3, 4), 'hex'), 'x')::bit(32)::bigint, -1), ''); END IF;
ELSIF NEW."code" IS NULL AND NEW."code_sealed" IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'PS001', TABLE = TG_TABLE_NAME, COLUMN = 'code', MESSAGE = 'phiseal: a sealed value without its plaintext is taken from a trusted writer only (SET LOCAL phiseal.sealer = ''on'')';
ELSE
    NEW."code_sealed" := NULL;
  END IF;
  RETURN NEW;
END $$;


--
-- Name: guard_insert_a0581cf906d838dc(); Type: FUNCTION; Schema: phiseal; Owner: -
--

CREATE FUNCTION phiseal.guard_insert_a0581cf906d838dc() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  trusted boolean := coalesce(current_setting('phiseal.sealer', true), '') = 'on' OR current_setting('session_replication_role') = 'replica';
BEGIN
  IF trusted THEN
    IF NEW."phone_sealed" IS NOT NULL THEN PERFORM "phiseal".guard_require_active(coalesce(nullif('x' || encode(substr(NEW."phone_sealed", 3, 4), 'hex'), 'x')::bit(32)::bigint, -1), coalesce(NEW."clinic"::text, '')); END IF;
ELSIF NEW."phone" IS NULL AND NEW."phone_sealed" IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'PS001', TABLE = TG_TABLE_NAME, COLUMN = 'phone', MESSAGE = 'phiseal: a sealed value without its plaintext is taken from a trusted writer only (SET LOCAL phiseal.sealer = ''on'')';
ELSE
    NEW."phone_sealed" := NULL;
  END IF;
  RETURN NEW;
END $$;


--
-- Name: guard_insert_b2852c9ff2f8f54c(); Type: FUNCTION; Schema: phiseal; Owner: -
--

CREATE FUNCTION phiseal.guard_insert_b2852c9ff2f8f54c() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  trusted boolean := coalesce(current_setting('phiseal.sealer', true), '') = 'on' OR current_setting('session_replication_role') = 'replica';
BEGIN
  IF trusted THEN
    IF NEW."memo_sealed" IS NOT NULL THEN PERFORM "phiseal".guard_require_active(coalesce(nullif('x' || encode(substr(NEW."memo_sealed", 3, 4), 'hex'), 'x')::bit(32)::bigint, -1), ''); END IF;
ELSIF NEW."memo" IS NULL AND NEW."memo_sealed" IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'PS001', TABLE = TG_TABLE_NAME, COLUMN = 'memo', MESSAGE = 'phiseal: a sealed value without its plaintext is taken from a trusted writer only (SET LOCAL phiseal.sealer = ''on'')';
ELSE
    NEW."memo_sealed" := NULL;
  END IF;
  RETURN NEW;
END $$;


--
-- Name: guard_require_active(bigint, text); Type: FUNCTION; Schema: phiseal; Owner: -
--

CREATE FUNCTION phiseal.guard_require_active(id bigint, owner text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  PERFORM 1 FROM "phiseal".encryption_keys k WHERE k.key_id = id AND k.tenant = owner AND k.purpose = 'cell' AND k.status = 'active' FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'PS001', MESSAGE = 'phiseal: a value sealed under a key that is not active is refused', HINT = 'load the keys again, seal the value again';
  END IF;
END $$;


--
-- Name: guard_update_245fab202bd40a40(); Type: FUNCTION; Schema: phiseal; Owner: -
--

CREATE FUNCTION phiseal.guard_update_245fab202bd40a40() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  trusted boolean := coalesce(current_setting('phiseal.sealer', true), '') = 'on' OR current_setting('session_replication_role') = 'replica';
  moved boolean := ROW(OLD."clinic", OLD."id")::record *<> ROW(NEW."clinic", NEW."id")::record;
  changed boolean;
  resealed boolean;
BEGIN
  changed := ROW(OLD."reason")::record *<> ROW(NEW."reason")::record;
  resealed := ROW(OLD."reason_sealed")::record *<> ROW(NEW."reason_sealed")::record;
  IF trusted AND NEW."reason_sealed" IS NOT NULL AND ROW(OLD."reason_sealed")::record *<> ROW(NEW."reason_sealed")::record THEN
    PERFORM "phiseal".guard_require_active(coalesce(nullif('x' || encode(substr(NEW."reason_sealed", 3, 4), 'hex'), 'x')::bit(32)::bigint, -1), '');
    IF NOT changed THEN NEW."reason" := NULL; END IF;
  ELSIF moved AND OLD."reason" IS NULL AND NEW."reason" IS NULL AND OLD."reason_sealed" IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'PS001', TABLE = TG_TABLE_NAME, COLUMN = 'reason', MESSAGE = 'phiseal: the key or tenant of a row whose plaintext is gone cannot change: its sealed value would not open';
  ELSIF moved OR changed THEN
    NEW."reason_sealed" := NULL;
  ELSIF resealed AND NOT trusted THEN
    NEW."reason_sealed" := OLD."reason_sealed";
  END IF;
  RETURN NEW;
END $$;


--
-- Name: guard_update_8ac4f21ffdcb4955(); Type: FUNCTION; Schema: phiseal; Owner: -
--

CREATE FUNCTION phiseal.guard_update_8ac4f21ffdcb4955() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
  trusted boolean := coalesce(current_setting('phiseal.sealer', true), '') = 'on' OR current_setting('session_replication_role') = 'replica';
  moved boolean := ROW(OLD."id")::record *<> ROW(NEW."id")::record;
  changed boolean;
  resealed boolean;
BEGIN
  changed := ROW(OLD."name")::record *<> ROW(NEW."name")::record;
  resealed := ROW(OLD."name_sealed")::record *<> ROW(NEW."name_sealed")::record;
  IF trusted AND NEW."name_sealed" IS NOT NULL AND ROW(OLD."name_sealed")::record *<> ROW(NEW."name_sealed")::record THEN
    PERFORM "phiseal".guard_require_active(coalesce(nullif('x' || encode(substr(NEW."name_sealed", 3, 4), 'hex'), 'x')::bit(32)::bigint, -1), '');
    IF NOT changed THEN NEW."name" := NULL; END IF;
  ELSIF moved AND OLD."name" IS NULL AND NEW."name" IS NULL AND OLD."name_sealed" IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'PS001', TABLE = TG_TABLE_NAME, COLUMN = 'name', MESSAGE = 'phiseal: the key or tenant of a row whose plaintext is gone cannot change: its sealed value would not open';
  ELSIF moved OR changed THEN
    NEW."name_sealed" := NULL;
  ELSIF resealed AND NOT trusted THEN
    NEW."name_sealed" := OLD."name_sealed";
  END IF;
  changed := ROW(OLD."note")::record *<> ROW(NEW."note")::record;
  IF moved AND NOT trusted AND coalesce(NEW."note"::text ~ '^ps1\.5w[EFIJ][A-Za-z0-9_-]{43,}$', false) THEN
    RAISE EXCEPTION USING ERRCODE = 'PS001', TABLE = TG_TABLE_NAME, COLUMN = 'note', MESSAGE = 'phiseal: the key or tenant of a row sealed in place cannot change: its value would not open';
  ELSIF changed THEN
    IF coalesce(NEW."note"::text ~ '^ps1\.5w[EFIJ][A-Za-z0-9_-]{43,}$', false) AND EXISTS (SELECT 1 FROM "phiseal".encryption_keys k WHERE k.key_id = coalesce(nullif('x' || encode(substr(decode(translate(substr(NEW."note"::text, 5, 8), '-_', '+/'), 'base64'), 3, 4), 'hex'), 'x')::bit(32)::bigint, -1)) THEN
    PERFORM "phiseal".guard_require_active(coalesce(nullif('x' || encode(substr(decode(translate(substr(NEW."note"::text, 5, 8), '-_', '+/'), 'base64'), 3, 4), 'hex'), 'x')::bit(32)::bigint, -1), '');
  END IF;
  END IF;
  changed := ROW(OLD."ssn")::record *<> ROW(NEW."ssn")::record;
  resealed := ROW(OLD."ssn_sealed", OLD."ssn_bidx")::record *<> ROW(NEW."ssn_sealed", NEW."ssn_bidx")::record;
  IF trusted AND NEW."ssn_sealed" IS NOT NULL AND ROW(OLD."ssn_sealed")::record *<> ROW(NEW."ssn_sealed")::record THEN
    PERFORM "phiseal".guard_require_active(coalesce(nullif('x' || encode(substr(NEW."ssn_sealed", 3, 4), 'hex'), 'x')::bit(32)::bigint, -1), '');
    IF NOT changed THEN NEW."ssn" := NULL; END IF;
  ELSIF moved AND OLD."ssn" IS NULL AND NEW."ssn" IS NULL AND OLD."ssn_sealed" IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'PS001', TABLE = TG_TABLE_NAME, COLUMN = 'ssn', MESSAGE = 'phiseal: the key or tenant of a row whose plaintext is gone cannot change: its sealed value would not open';
  ELSIF moved OR changed THEN
    NEW."ssn_sealed" := NULL; NEW."ssn_bidx" := NULL;
  ELSIF resealed AND NOT trusted THEN
    NEW."ssn_sealed" := OLD."ssn_sealed"; NEW."ssn_bidx" := OLD."ssn_bidx";
  END IF;
  RETURN NEW;
END $_$;


--
-- Name: guard_update_8fac4fa44d77277c(); Type: FUNCTION; Schema: phiseal; Owner: -
--

CREATE FUNCTION phiseal.guard_update_8fac4fa44d77277c() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  trusted boolean := coalesce(current_setting('phiseal.sealer', true), '') = 'on' OR current_setting('session_replication_role') = 'replica';
  moved boolean := ROW(OLD."id")::record *<> ROW(NEW."id")::record;
  changed boolean;
  resealed boolean;
BEGIN
  changed := ROW(OLD."code")::record *<> ROW(NEW."code")::record;
  resealed := ROW(OLD."code_sealed")::record *<> ROW(NEW."code_sealed")::record;
  IF trusted AND NEW."code_sealed" IS NOT NULL AND ROW(OLD."code_sealed")::record *<> ROW(NEW."code_sealed")::record THEN
    PERFORM "phiseal".guard_require_active(coalesce(nullif('x' || encode(substr(NEW."code_sealed", 3, 4), 'hex'), 'x')::bit(32)::bigint, -1), '');
    IF NOT changed THEN NEW."code" := NULL; END IF;
  ELSIF moved AND OLD."code" IS NULL AND NEW."code" IS NULL AND OLD."code_sealed" IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'PS001', TABLE = TG_TABLE_NAME, COLUMN = 'code', MESSAGE = 'phiseal: the key or tenant of a row whose plaintext is gone cannot change: its sealed value would not open';
  ELSIF moved OR changed THEN
    NEW."code_sealed" := NULL;
  ELSIF resealed AND NOT trusted THEN
    NEW."code_sealed" := OLD."code_sealed";
  END IF;
  RETURN NEW;
END $$;


--
-- Name: guard_update_a0581cf906d838dc(); Type: FUNCTION; Schema: phiseal; Owner: -
--

CREATE FUNCTION phiseal.guard_update_a0581cf906d838dc() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  trusted boolean := coalesce(current_setting('phiseal.sealer', true), '') = 'on' OR current_setting('session_replication_role') = 'replica';
  moved boolean := ROW(OLD."id", OLD."clinic")::record *<> ROW(NEW."id", NEW."clinic")::record;
  changed boolean;
  resealed boolean;
BEGIN
  changed := ROW(OLD."phone")::record *<> ROW(NEW."phone")::record;
  resealed := ROW(OLD."phone_sealed")::record *<> ROW(NEW."phone_sealed")::record;
  IF trusted AND NEW."phone_sealed" IS NOT NULL AND ROW(OLD."phone_sealed")::record *<> ROW(NEW."phone_sealed")::record THEN
    PERFORM "phiseal".guard_require_active(coalesce(nullif('x' || encode(substr(NEW."phone_sealed", 3, 4), 'hex'), 'x')::bit(32)::bigint, -1), coalesce(NEW."clinic"::text, ''));
    IF NOT changed THEN NEW."phone" := NULL; END IF;
  ELSIF moved AND OLD."phone" IS NULL AND NEW."phone" IS NULL AND OLD."phone_sealed" IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'PS001', TABLE = TG_TABLE_NAME, COLUMN = 'phone', MESSAGE = 'phiseal: the key or tenant of a row whose plaintext is gone cannot change: its sealed value would not open';
  ELSIF moved OR changed THEN
    NEW."phone_sealed" := NULL;
  ELSIF resealed AND NOT trusted THEN
    NEW."phone_sealed" := OLD."phone_sealed";
  END IF;
  RETURN NEW;
END $$;


--
-- Name: guard_update_b2852c9ff2f8f54c(); Type: FUNCTION; Schema: phiseal; Owner: -
--

CREATE FUNCTION phiseal.guard_update_b2852c9ff2f8f54c() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  trusted boolean := coalesce(current_setting('phiseal.sealer', true), '') = 'on' OR current_setting('session_replication_role') = 'replica';
  moved boolean := ROW(OLD."id")::record *<> ROW(NEW."id")::record;
  changed boolean;
  resealed boolean;
BEGIN
  changed := ROW(OLD."memo")::record *<> ROW(NEW."memo")::record;
  resealed := ROW(OLD."memo_sealed")::record *<> ROW(NEW."memo_sealed")::record;
  IF trusted AND NEW."memo_sealed" IS NOT NULL AND ROW(OLD."memo_sealed")::record *<> ROW(NEW."memo_sealed")::record THEN
    PERFORM "phiseal".guard_require_active(coalesce(nullif('x' || encode(substr(NEW."memo_sealed", 3, 4), 'hex'), 'x')::bit(32)::bigint, -1), '');
    IF NOT changed THEN NEW."memo" := NULL; END IF;
  ELSIF moved AND OLD."memo" IS NULL AND NEW."memo" IS NULL AND OLD."memo_sealed" IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'PS001', TABLE = TG_TABLE_NAME, COLUMN = 'memo', MESSAGE = 'phiseal: the key or tenant of a row whose plaintext is gone cannot change: its sealed value would not open';
  ELSIF moved OR changed THEN
    NEW."memo_sealed" := NULL;
  ELSIF resealed AND NOT trusted THEN
    NEW."memo_sealed" := OLD."memo_sealed";
  END IF;
  RETURN NEW;
END $$;


--
-- Name: key_rotation_history_frozen(); Type: FUNCTION; Schema: phiseal; Owner: -
--

CREATE FUNCTION phiseal.key_rotation_history_frozen() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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


--
-- Name: refuse_statement(); Type: FUNCTION; Schema: phiseal; Owner: -
--

CREATE FUNCTION phiseal.refuse_statement() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'PS001', TABLE = TG_TABLE_NAME,
        MESSAGE = format('%s refused on %s: %s', TG_OP, TG_TABLE_NAME, TG_ARGV[0]);
END $$;


--
-- Name: refuse(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.refuse() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN
        RAISE EXCEPTION 'refused' USING ERRCODE = '23514', CONSTRAINT = 'code_length'; END $$;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: audit_head; Type: TABLE; Schema: phiseal; Owner: -
--

CREATE TABLE phiseal.audit_head (
    id integer NOT NULL,
    entry_id bigint NOT NULL,
    mac bytea NOT NULL,
    CONSTRAINT audit_head_id_check CHECK ((id = 1))
);


--
-- Name: audit_log; Type: TABLE; Schema: phiseal; Owner: -
--

CREATE TABLE phiseal.audit_log (
    entry_id bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    key_id integer,
    prev_mac bytea NOT NULL,
    mac bytea NOT NULL,
    CONSTRAINT audit_log_entry_id_check CHECK ((entry_id >= 1))
);


--
-- Name: encrypted_field_metadata; Type: TABLE; Schema: phiseal; Owner: -
--

CREATE TABLE phiseal.encrypted_field_metadata (
    field_id bigint NOT NULL,
    table_label text NOT NULL,
    column_label text NOT NULL,
    schema_name text NOT NULL,
    table_name text NOT NULL,
    column_name text NOT NULL,
    sealed_column text,
    blind_index_column text,
    blind_index_next text,
    blind_index_normaliser text,
    blind_index_bits integer,
    blind_index_key_id integer,
    tenant_column text,
    key_columns text NOT NULL,
    key_types text NOT NULL,
    source_type text NOT NULL,
    form text NOT NULL,
    pad_to integer DEFAULT 0 NOT NULL,
    state text DEFAULT 'declared'::text NOT NULL,
    values_sealed bigint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT encrypted_field_metadata_blind_index_bits_check CHECK (((blind_index_bits >= 8) AND (blind_index_bits <= 256))),
    CONSTRAINT encrypted_field_metadata_check CHECK (((form = 'in_place'::text) = (sealed_column IS NULL))),
    CONSTRAINT encrypted_field_metadata_check1 CHECK (((blind_index_column IS NULL) = (blind_index_normaliser IS NULL))),
    CONSTRAINT encrypted_field_metadata_check2 CHECK (((blind_index_next IS NULL) OR (blind_index_column IS NOT NULL))),
    CONSTRAINT encrypted_field_metadata_check3 CHECK (((blind_index_column IS NULL) = (blind_index_bits IS NULL))),
    CONSTRAINT encrypted_field_metadata_form_check CHECK ((form = ANY (ARRAY['beside'::text, 'in_place'::text]))),
    CONSTRAINT encrypted_field_metadata_pad_to_check CHECK ((pad_to >= 0)),
    CONSTRAINT encrypted_field_metadata_state_check CHECK ((state = ANY (ARRAY['declared'::text, 'prepared'::text, 'sealing'::text, 'sealed'::text, 'verified'::text, 'opened'::text, 'finalized'::text, 'scrubbed'::text, 'restored'::text])))
);


--
-- Name: encrypted_field_metadata_field_id_seq; Type: SEQUENCE; Schema: phiseal; Owner: -
--

ALTER TABLE phiseal.encrypted_field_metadata ALTER COLUMN field_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME phiseal.encrypted_field_metadata_field_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: encryption_keys; Type: TABLE; Schema: phiseal; Owner: -
--

CREATE TABLE phiseal.encryption_keys (
    key_id integer NOT NULL,
    tenant text DEFAULT ''::text NOT NULL,
    purpose text NOT NULL,
    version integer NOT NULL,
    algorithm text NOT NULL,
    status text DEFAULT 'pre_active'::text NOT NULL,
    kek_ref text NOT NULL,
    wrapped_key bytea,
    check_value bytea NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    activated_at timestamp with time zone,
    deactivated_at timestamp with time zone,
    compromised_at timestamp with time zone,
    destroyed_at timestamp with time zone,
    rotation_due_at timestamp with time zone,
    created_by text NOT NULL,
    reason text,
    changed_by text,
    CONSTRAINT encryption_keys_algorithm_check CHECK ((algorithm = 'AES-256-GCM'::text)),
    CONSTRAINT encryption_keys_check CHECK (((status = 'destroyed'::text) = (wrapped_key IS NULL))),
    CONSTRAINT encryption_keys_key_id_check CHECK ((key_id >= 1)),
    CONSTRAINT encryption_keys_purpose_check CHECK ((purpose = ANY (ARRAY['cell'::text, 'blind_index'::text]))),
    CONSTRAINT encryption_keys_status_check CHECK ((status = ANY (ARRAY['pre_active'::text, 'active'::text, 'suspended'::text, 'deactivated'::text, 'compromised'::text, 'destroyed'::text]))),
    CONSTRAINT encryption_keys_version_check CHECK ((version >= 1))
);


--
-- Name: key_rotation_history; Type: TABLE; Schema: phiseal; Owner: -
--

CREATE TABLE phiseal.key_rotation_history (
    history_id bigint NOT NULL,
    kind text DEFAULT 'rotate'::text NOT NULL,
    from_key_id integer,
    to_key_id integer,
    from_kek_ref text,
    to_kek_ref text,
    reason text NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    finished_at timestamp with time zone,
    actor text NOT NULL,
    run_id bigint,
    rows_found bigint DEFAULT 0 NOT NULL,
    rows_resealed bigint DEFAULT 0 NOT NULL,
    conflicts bigint DEFAULT 0 NOT NULL,
    quarantined bigint DEFAULT 0 NOT NULL,
    census text,
    outcome text,
    CONSTRAINT key_rotation_history_check CHECK ((from_key_id <> to_key_id)),
    CONSTRAINT key_rotation_history_check1 CHECK (((kind = 'rewrap'::text) = ((from_key_id IS NULL) AND (to_key_id IS NULL)))),
    CONSTRAINT key_rotation_history_check2 CHECK (((kind = 'rewrap'::text) = (to_kek_ref IS NOT NULL))),
    CONSTRAINT key_rotation_history_check3 CHECK (((finished_at IS NULL) OR (outcome IS NOT NULL))),
    CONSTRAINT key_rotation_history_kind_check CHECK ((kind = ANY (ARRAY['rotate'::text, 'compromise'::text, 'rewrap'::text])))
);


--
-- Name: key_rotation_history_history_id_seq; Type: SEQUENCE; Schema: phiseal; Owner: -
--

ALTER TABLE phiseal.key_rotation_history ALTER COLUMN history_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME phiseal.key_rotation_history_history_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: key_transitions; Type: TABLE; Schema: phiseal; Owner: -
--

CREATE TABLE phiseal.key_transitions (
    transition_id bigint NOT NULL,
    key_id integer NOT NULL,
    from_status text,
    to_status text NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    actor text NOT NULL,
    reason text
);


--
-- Name: key_transitions_transition_id_seq; Type: SEQUENCE; Schema: phiseal; Owner: -
--

ALTER TABLE phiseal.key_transitions ALTER COLUMN transition_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME phiseal.key_transitions_transition_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: lanes; Type: TABLE; Schema: phiseal; Owner: -
--

CREATE TABLE phiseal.lanes (
    run_id bigint NOT NULL,
    lane_no integer NOT NULL,
    relation text NOT NULL,
    lower bytea,
    upper bytea,
    cursor bytea,
    seq bigint DEFAULT 0 NOT NULL,
    fence bigint DEFAULT 0 NOT NULL,
    holder text,
    lease_until timestamp with time zone,
    state text DEFAULT 'open'::text NOT NULL,
    rows_found bigint DEFAULT 0 NOT NULL,
    rows_written bigint DEFAULT 0 NOT NULL,
    values_written bigint DEFAULT 0 NOT NULL,
    conflicts bigint DEFAULT 0 NOT NULL,
    quarantined bigint DEFAULT 0 NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT lanes_lane_no_check CHECK ((lane_no >= 0)),
    CONSTRAINT lanes_state_check CHECK ((state = ANY (ARRAY['open'::text, 'done'::text])))
)
WITH (fillfactor='50');


--
-- Name: migration_lock; Type: TABLE; Schema: phiseal; Owner: -
--

CREATE TABLE phiseal.migration_lock (
    set_name text NOT NULL
);


--
-- Name: migrations_engine; Type: TABLE; Schema: phiseal; Owner: -
--

CREATE TABLE phiseal.migrations_engine (
    version bigint NOT NULL,
    name text NOT NULL,
    checksum bytea NOT NULL,
    applied_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    progress text
);


--
-- Name: quarantine; Type: TABLE; Schema: phiseal; Owner: -
--

CREATE TABLE phiseal.quarantine (
    quarantine_id bigint NOT NULL,
    run_id bigint,
    table_label text NOT NULL,
    column_label text,
    row_tag text NOT NULL,
    key_sealed bytea NOT NULL,
    key_id integer NOT NULL,
    step text NOT NULL,
    reason text NOT NULL,
    sqlstate text,
    constraint_name text,
    state text DEFAULT 'open'::text NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    resolved_at timestamp with time zone,
    CONSTRAINT quarantine_row_tag_check CHECK ((row_tag ~ '^[0-9a-f]{16}$'::text)),
    CONSTRAINT quarantine_state_check CHECK ((state = ANY (ARRAY['open'::text, 'retry'::text, 'skipped'::text, 'resolved'::text])))
);


--
-- Name: quarantine_quarantine_id_seq; Type: SEQUENCE; Schema: phiseal; Owner: -
--

ALTER TABLE phiseal.quarantine ALTER COLUMN quarantine_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME phiseal.quarantine_quarantine_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: rotation_counts; Type: TABLE; Schema: phiseal; Owner: -
--

CREATE TABLE phiseal.rotation_counts (
    run_id bigint NOT NULL,
    lane_no integer NOT NULL,
    history_id bigint NOT NULL,
    from_key_id integer NOT NULL,
    rows_found bigint DEFAULT 0 NOT NULL,
    rows_resealed bigint DEFAULT 0 NOT NULL,
    conflicts bigint DEFAULT 0 NOT NULL,
    quarantined bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');


--
-- Name: runs; Type: TABLE; Schema: phiseal; Owner: -
--

CREATE TABLE phiseal.runs (
    run_id bigint NOT NULL,
    kind text NOT NULL,
    table_label text NOT NULL,
    digest text NOT NULL,
    state text DEFAULT 'running'::text NOT NULL,
    params text DEFAULT '{}'::text NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    finished_at timestamp with time zone,
    actor text NOT NULL,
    rows_found bigint DEFAULT 0 NOT NULL,
    rows_written bigint DEFAULT 0 NOT NULL,
    values_written bigint DEFAULT 0 NOT NULL,
    conflicts bigint DEFAULT 0 NOT NULL,
    quarantined bigint DEFAULT 0 NOT NULL,
    error_code text,
    CONSTRAINT runs_check CHECK (((finished_at IS NULL) OR (state = ANY (ARRAY['done'::text, 'failed'::text])))),
    CONSTRAINT runs_check1 CHECK (((state <> 'done'::text) OR (finished_at IS NOT NULL))),
    CONSTRAINT runs_kind_check CHECK ((kind = ANY (ARRAY['backfill'::text, 'rotate'::text, 'reindex'::text, 'restore'::text, 'finalize'::text, 'destroy'::text]))),
    CONSTRAINT runs_state_check CHECK ((state = ANY (ARRAY['running'::text, 'interrupted'::text, 'done'::text, 'failed'::text])))
);


--
-- Name: runs_run_id_seq; Type: SEQUENCE; Schema: phiseal; Owner: -
--

ALTER TABLE phiseal.runs ALTER COLUMN run_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME phiseal.runs_run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: clinics; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.clinics (
    id integer NOT NULL,
    clinic text NOT NULL,
    phone text,
    phone_sealed bytea
);


--
-- Name: letters; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.letters (
    id integer NOT NULL,
    body text
);


--
-- Name: orders; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.orders (
    id integer NOT NULL,
    memo text,
    memo_sealed bytea
);


--
-- Name: people; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.people (
    id integer NOT NULL,
    ssn text,
    name text,
    note text,
    ssn_sealed bytea,
    ssn_bidx bytea,
    name_sealed bytea
);


--
-- Name: refused; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.refused (
    id integer NOT NULL,
    code text,
    code_sealed bytea
);


--
-- Name: visits; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.visits (
    clinic integer NOT NULL,
    id integer NOT NULL,
    reason text,
    reason_sealed bytea
);


--
-- Data for Name: audit_head; Type: TABLE DATA; Schema: phiseal; Owner: -
--

COPY phiseal.audit_head (id, entry_id, mac) FROM stdin;
1	25	\\x9f38c62d0bb27a7489b8d5ead0b4d25db571b69b046d3b677b18fe3892253d63
\.


--
-- Data for Name: audit_log; Type: TABLE DATA; Schema: phiseal; Owner: -
--

COPY phiseal.audit_log (entry_id, at, actor, action, subject, key_id, prev_mac, mac) FROM stdin;
1	2026-11-28 13:56:27.068633+00	operator@vm	key.create	{"key_id":345276054,"purpose":"cell","tenant":"","version":1}	345276054	\\x	\\xd8b8f7a8173c619d271c94bee7c942be4db47c35464b60fdee72d47b10306393
2	2026-11-28 13:56:27.08602+00	operator@vm	key.create	{"key_id":844464728,"purpose":"blind_index","tenant":"","version":1}	345276054	\\xd8b8f7a8173c619d271c94bee7c942be4db47c35464b60fdee72d47b10306393	\\x346f8c92af7dc5d4186ce197eb2e0e893f1f85d9dba0dde553345bb9555d6220
3	2026-11-28 13:56:27.866461+00	operator@vm	backfill.begin	{"conflicts":0,"quarantined":0,"rows_found":0,"rows_written":0,"run_id":null,"table":"public.people","values_written":0}	345276054	\\x346f8c92af7dc5d4186ce197eb2e0e893f1f85d9dba0dde553345bb9555d6220	\\x9d86a72e1783ab25cc3709e14761aa996f3d9702448713f27cdf64081f0faa11
4	2026-11-28 13:56:27.923738+00	operator@vm	backfill.end	{"conflicts":0,"quarantined":0,"rows_found":60,"rows_written":60,"run_id":1,"table":"public.people","values_written":172}	345276054	\\x9d86a72e1783ab25cc3709e14761aa996f3d9702448713f27cdf64081f0faa11	\\x0bd564a10c98a1ca3b378c87313c2c05a66c153b71082264cb21f7fc73f784ef
5	2026-11-28 13:56:28.070817+00	operator@vm	backfill.begin	{"conflicts":0,"quarantined":0,"rows_found":0,"rows_written":0,"run_id":null,"table":"public.clinics","values_written":0}	345276054	\\x0bd564a10c98a1ca3b378c87313c2c05a66c153b71082264cb21f7fc73f784ef	\\xbcdb9d1217b391b69d3449714f520d7f41c57155c2b9b5cef5a46e9c61a25f6c
6	2026-11-28 13:56:28.165266+00	operator@vm	backfill.end	{"conflicts":0,"quarantined":0,"rows_found":40,"rows_written":40,"run_id":2,"table":"public.clinics","values_written":40}	345276054	\\xbcdb9d1217b391b69d3449714f520d7f41c57155c2b9b5cef5a46e9c61a25f6c	\\xbd5a0da7ed141017bf9130bfd518cfefcd2aaf463ead566c0331abfefc102170
7	2026-11-28 13:56:28.25391+00	operator@vm	backfill.begin	{"conflicts":0,"quarantined":0,"rows_found":0,"rows_written":0,"run_id":null,"table":"public.visits","values_written":0}	345276054	\\xbd5a0da7ed141017bf9130bfd518cfefcd2aaf463ead566c0331abfefc102170	\\x98d0f2327b1fdb0a7b4c5e685fb8cf61aab3b8a96af9bbcd980e19743e22e02b
8	2026-11-28 13:56:28.360736+00	operator@vm	backfill.end	{"conflicts":0,"quarantined":0,"rows_found":165,"rows_written":165,"run_id":3,"table":"public.visits","values_written":165}	345276054	\\x98d0f2327b1fdb0a7b4c5e685fb8cf61aab3b8a96af9bbcd980e19743e22e02b	\\x011782dae3eb2540af978e3a2110ab9fd40eedabd8a14714745fa4cc87cc866f
9	2026-11-28 13:56:28.469572+00	operator@vm	backfill.begin	{"conflicts":0,"quarantined":0,"rows_found":0,"rows_written":0,"run_id":null,"table":"public.letters","values_written":0}	345276054	\\x011782dae3eb2540af978e3a2110ab9fd40eedabd8a14714745fa4cc87cc866f	\\x973d7f556103d9cb2def0d891b76f595bd7659b2f58365a6b0c764d5819a0b91
10	2026-11-28 13:56:28.542969+00	operator@vm	backfill.end	{"conflicts":0,"quarantined":0,"rows_found":30,"rows_written":30,"run_id":4,"table":"public.letters","values_written":30}	345276054	\\x973d7f556103d9cb2def0d891b76f595bd7659b2f58365a6b0c764d5819a0b91	\\x80470cf7821337ad3639bb22fd4c3f0f471e815f448abb2bfdfb75a6a1b46d51
11	2026-11-28 13:56:28.67474+00	operator@vm	backfill.begin	{"conflicts":0,"quarantined":0,"rows_found":0,"rows_written":0,"run_id":null,"table":"public.refused","values_written":0}	345276054	\\x80470cf7821337ad3639bb22fd4c3f0f471e815f448abb2bfdfb75a6a1b46d51	\\xf96c545e1e8425b7ac02430e8610169f7946f5f5993ef406df6161910494bb45
12	2026-11-28 13:56:28.777471+00	operator@vm	backfill.end	{"conflicts":0,"quarantined":1,"rows_found":3,"rows_written":2,"run_id":5,"table":"public.refused","values_written":2}	345276054	\\xf96c545e1e8425b7ac02430e8610169f7946f5f5993ef406df6161910494bb45	\\xd9a34cb9151cdfabfd1dde53758e8d8b8e1ee150386cfd1b954a4a59f7f205d7
13	2026-11-28 13:56:28.998491+00	operator@vm	restore.begin	{"conflicts":0,"quarantined":0,"rows_found":0,"rows_written":0,"run_id":null,"table":"public.letters","values_written":0}	345276054	\\xd9a34cb9151cdfabfd1dde53758e8d8b8e1ee150386cfd1b954a4a59f7f205d7	\\x2327d1b8d17aa8bfb4f0317899e8905ab614faa60be2a0cbc3ec38559c40963b
14	2026-11-28 13:56:29.05372+00	operator@vm	restore.end	{"conflicts":0,"quarantined":0,"rows_found":0,"rows_written":0,"run_id":6,"table":"public.letters","values_written":0}	345276054	\\x2327d1b8d17aa8bfb4f0317899e8905ab614faa60be2a0cbc3ec38559c40963b	\\x5c594c913e1c93026d668f767089058a05df5e2cc15f14604f39b4ca4cdaedad
15	2026-11-28 13:56:29.577951+00	operator@vm	rotate.begin	{"conflicts":0,"from_key_id":345276054,"history_id":1,"kind":"rotate","outcome":null,"quarantined":0,"reason":"scheduled rotation","rows_found":0,"rows_resealed":0,"to_key_id":1311177581}	1311177581	\\x5c594c913e1c93026d668f767089058a05df5e2cc15f14604f39b4ca4cdaedad	\\xbe4ef10a94c38ae86d44f878d0bb0ba50fdde740a3e2ffe75bc392c2034f851b
16	2026-11-28 13:56:29.581416+00	operator@vm	rotate.begin	{"conflicts":0,"from_key_id":584155688,"history_id":2,"kind":"rotate","outcome":null,"quarantined":0,"reason":"scheduled rotation","rows_found":0,"rows_resealed":0,"to_key_id":1874615333}	1311177581	\\xbe4ef10a94c38ae86d44f878d0bb0ba50fdde740a3e2ffe75bc392c2034f851b	\\x46a56d79009ade65068a6897e4749491334aeb9f3250747406fc306cb9824dd5
17	2026-11-28 13:56:29.582694+00	operator@vm	rotate.begin	{"conflicts":0,"from_key_id":95959786,"history_id":3,"kind":"rotate","outcome":null,"quarantined":0,"reason":"scheduled rotation","rows_found":0,"rows_resealed":0,"to_key_id":667905129}	1311177581	\\x46a56d79009ade65068a6897e4749491334aeb9f3250747406fc306cb9824dd5	\\xaed0cc33d60eb053b1b5193ddb7a3846554d5eaaa4b57be447a7422c906366b1
18	2026-11-28 13:56:29.600691+00	operator@vm	rotate.begin	{"conflicts":0,"quarantined":0,"rows_found":0,"rows_written":0,"run_id":null,"table":"public.clinics","values_written":0}	1311177581	\\xaed0cc33d60eb053b1b5193ddb7a3846554d5eaaa4b57be447a7422c906366b1	\\x1190fc865a20740a92c9ecad8bb7d6097dab2e901efb9ed7c3b9f06311cfd515
19	2026-11-28 13:56:29.729217+00	operator@vm	rotate.end	{"conflicts":0,"quarantined":0,"rows_found":40,"rows_written":40,"run_id":7,"table":"public.clinics","values_written":40}	1311177581	\\x1190fc865a20740a92c9ecad8bb7d6097dab2e901efb9ed7c3b9f06311cfd515	\\x259903e2b9a0b13e56767b78505df5d3cff4c99222e43ef9237d17198e86361c
20	2026-11-28 13:56:29.737561+00	operator@vm	rotate.begin	{"conflicts":0,"quarantined":0,"rows_found":0,"rows_written":0,"run_id":null,"table":"public.people","values_written":0}	1311177581	\\x259903e2b9a0b13e56767b78505df5d3cff4c99222e43ef9237d17198e86361c	\\x0e45535241012d76cd61654f2a1e266e352edeedc76b0a97e639331b78c22c36
21	2026-11-28 13:56:29.835096+00	operator@vm	rotate.end	{"conflicts":0,"quarantined":0,"rows_found":60,"rows_written":60,"run_id":8,"table":"public.people","values_written":172}	1311177581	\\x0e45535241012d76cd61654f2a1e266e352edeedc76b0a97e639331b78c22c36	\\x3132760ff22da7ab9499c43dc2610cb7815a9fda3230154033b2c92d059b5a7f
22	2026-11-28 13:56:29.844928+00	operator@vm	rotate.begin	{"conflicts":0,"quarantined":0,"rows_found":0,"rows_written":0,"run_id":null,"table":"public.refused","values_written":0}	1311177581	\\x3132760ff22da7ab9499c43dc2610cb7815a9fda3230154033b2c92d059b5a7f	\\x310658f9ac553e2754536228a18f0efc079fada1a164987142039aa8d793012c
23	2026-11-28 13:56:29.912236+00	operator@vm	rotate.end	{"conflicts":0,"quarantined":0,"rows_found":2,"rows_written":2,"run_id":9,"table":"public.refused","values_written":2}	1311177581	\\x310658f9ac553e2754536228a18f0efc079fada1a164987142039aa8d793012c	\\x052c21eaa7b5609c3223ac6ac64c69c8696f9db2673c454330244f50789487ad
24	2026-11-28 13:56:29.944451+00	operator@vm	rotate.begin	{"conflicts":0,"quarantined":0,"rows_found":0,"rows_written":0,"run_id":null,"table":"public.visits","values_written":0}	1311177581	\\x052c21eaa7b5609c3223ac6ac64c69c8696f9db2673c454330244f50789487ad	\\x712560c489acb6079c7b26af4fd010671d197969fe606af9f35c470535fbef2d
25	2026-11-28 13:56:33.72389+00	operator@vm	backfill.begin	{"conflicts":0,"quarantined":0,"rows_found":0,"rows_written":0,"run_id":null,"table":"public.orders","values_written":0}	1311177581	\\x712560c489acb6079c7b26af4fd010671d197969fe606af9f35c470535fbef2d	\\x9f38c62d0bb27a7489b8d5ead0b4d25db571b69b046d3b677b18fe3892253d63
\.


--
-- Data for Name: encrypted_field_metadata; Type: TABLE DATA; Schema: phiseal; Owner: -
--

COPY phiseal.encrypted_field_metadata (field_id, table_label, column_label, schema_name, table_name, column_name, sealed_column, blind_index_column, blind_index_next, blind_index_normaliser, blind_index_bits, blind_index_key_id, tenant_column, key_columns, key_types, source_type, form, pad_to, state, values_sealed, created_at, updated_at) FROM stdin;
4	public.clinics	phone	public	clinics	phone	phone_sealed	\N	\N	\N	\N	\N	clinic	["id"]	["i"]	text	beside	0	sealed	0	2026-11-28 13:56:28.046526+00	2026-11-28 13:56:28.169677+00
5	public.visits	reason	public	visits	reason	reason_sealed	\N	\N	\N	\N	\N	\N	["clinic","id"]	["i","i"]	text	beside	0	sealed	0	2026-11-28 13:56:28.22945+00	2026-11-28 13:56:28.363004+00
7	public.refused	code	public	refused	code	code_sealed	\N	\N	\N	\N	\N	\N	["id"]	["i"]	text	beside	0	sealing	0	2026-11-28 13:56:28.637457+00	2026-11-28 13:56:28.651463+00
1	public.people	ssn	public	people	ssn	ssn_sealed	ssn_bidx	\N	digits	128	\N	\N	["id"]	["i"]	text	beside	0	verified	0	2026-11-28 13:56:27.841556+00	2026-11-28 13:56:28.903554+00
2	public.people	name	public	people	name	name_sealed	\N	\N	\N	\N	\N	\N	["id"]	["i"]	text	beside	32	verified	0	2026-11-28 13:56:27.842165+00	2026-11-28 13:56:28.905441+00
3	public.people	note	public	people	note	\N	\N	\N	\N	\N	\N	\N	["id"]	["i"]	text	in_place	0	opened	0	2026-11-28 13:56:27.842393+00	2026-11-28 13:56:28.909554+00
6	public.letters	body	public	letters	body	body_sealed	\N	\N	\N	\N	\N	\N	["id"]	["i"]	text	beside	0	restored	0	2026-11-28 13:56:28.44734+00	2026-11-28 13:56:29.065069+00
8	public.orders	memo	public	orders	memo	memo_sealed	\N	\N	\N	\N	\N	\N	["id"]	["i"]	text	beside	0	sealing	0	2026-11-28 13:56:33.676756+00	2026-11-28 13:56:33.707759+00
\.


--
-- Data for Name: encryption_keys; Type: TABLE DATA; Schema: phiseal; Owner: -
--

COPY phiseal.encryption_keys (key_id, tenant, purpose, version, algorithm, status, kek_ref, wrapped_key, check_value, created_at, activated_at, deactivated_at, compromised_at, destroyed_at, rotation_due_at, created_by, reason, changed_by) FROM stdin;
844464728		blind_index	1	AES-256-GCM	active	wk:7778cf1e0fed0d84	\\xe8012c4d0b48233d4f689b79828e72b4add5340b5d64f87d75ea16222d93421b19727627b5b7e6bd13983d47650a83495b648b48ef46560a734b6e43105c	\\x397800d4ba995a88cf4ad6d107ebb0ac8dfa68d4500c076f46861fdfd911ab7e	2026-11-28 13:56:27.081445+00	2026-11-28 13:56:27.084488+00	\N	\N	\N	2027-01-01 00:00:00+00	operator@vm	\N	operator@vm
345276054		cell	1	AES-256-GCM	deactivated	wk:7778cf1e0fed0d84	\\xe801aa757a9b0d0e1d68acf4ead3b93a57c102024334940a05ca236a8da4e263a73111dc0233d4cf1823a74a15ef880e9fa04ea569557756d3dc1701ef0c	\\x8a03cc536de5bb7911fe45ed64e9f3ab46c394f678105ae819c64869dbecc9d0	2026-11-28 13:56:27.04636+00	2026-11-28 13:56:27.05495+00	2026-11-28 13:56:29.56761+00	\N	\N	2027-01-01 00:00:00+00	operator@vm	scheduled rotation	operator@vm
584155688	k0	cell	1	AES-256-GCM	deactivated	wk:7778cf1e0fed0d84	\\xe8016589ab2c4228004df8d81a997678f835f7cb79d8593a9c71f9e09cf33b8f2d8c411728cc28961dadb6cbc930d66ab27a82d837eb71669ed4637eb002	\\x15a5492599579b76d0037e56f320cda49cb0858e2c72619078bf597c21e540aa	2026-11-28 13:56:28.101293+00	2026-11-28 13:56:28.108815+00	2026-11-28 13:56:29.567716+00	\N	\N	2027-01-01 00:00:00+00	operator@vm	scheduled rotation	operator@vm
95959786	k1	cell	1	AES-256-GCM	deactivated	wk:7778cf1e0fed0d84	\\xe801146b49d61e5c9cb8f481e3d6d519d439f4fa185ee16abb290bcb0cfa49d301091a512af8a6e71f0db018a7cd96cd348832a29023ad73d2b291d5bdaf	\\xae6ba8d2ab2153f1b0e0c27c63b6de34a8ac35ee553e1e126fd6c9e7be9d232e	2026-11-28 13:56:28.116624+00	2026-11-28 13:56:28.119662+00	2026-11-28 13:56:29.567734+00	\N	\N	2027-01-01 00:00:00+00	operator@vm	scheduled rotation	operator@vm
1311177581		cell	2	AES-256-GCM	active	wk:7778cf1e0fed0d84	\\xe801f6c037a13e80288c04a90a1e70b77378167d5138b819606c4c0eb8cdb5b938bed11eecf5d27bc2f90f15660c3cf7d8a12569d896b88bae5b212ee302	\\x9d58896a8d7ed15a1a946009e1fc2955077d6ac781f038bcf786162965178022	2026-11-28 13:56:29.504782+00	2026-11-28 13:56:29.568792+00	\N	\N	\N	2027-01-01 00:00:00+00	operator@vm	scheduled rotation	operator@vm
1874615333	k0	cell	2	AES-256-GCM	active	wk:7778cf1e0fed0d84	\\xe8018fd139755c974e83dc898ecf9ee70d07dd11ac3efc4eb6691cda55d062e6520b1246b3b98f628323587e65398392e37d527bf8826419a610055a0da5	\\x1b8b95a8a6c5893c80e735401771e616fa278e2c48e460b1c6a8f9eb624b4b5c	2026-11-28 13:56:29.505935+00	2026-11-28 13:56:29.568853+00	\N	\N	\N	2027-01-01 00:00:00+00	operator@vm	scheduled rotation	operator@vm
667905129	k1	cell	2	AES-256-GCM	active	wk:7778cf1e0fed0d84	\\xe80193be2a5e40a5608d59a9db90cb6abfca63ca609e588708069ed58bc5ccb4a044ea0d5297a85ee74de4717096c37ebeaeed085683116bdb873d5f192e	\\x5cd005ad72e46004d37fe7ce146108406629277936c5d1c04bdaf79ecdcaef56	2026-11-28 13:56:29.505954+00	2026-11-28 13:56:29.568864+00	\N	\N	\N	2027-01-01 00:00:00+00	operator@vm	scheduled rotation	operator@vm
\.


--
-- Data for Name: key_rotation_history; Type: TABLE DATA; Schema: phiseal; Owner: -
--

COPY phiseal.key_rotation_history (history_id, kind, from_key_id, to_key_id, from_kek_ref, to_kek_ref, reason, started_at, finished_at, actor, run_id, rows_found, rows_resealed, conflicts, quarantined, census, outcome) FROM stdin;
1	rotate	345276054	1311177581	\N	\N	scheduled rotation	2026-11-28 13:56:29.569361+00	\N	operator@vm	\N	0	0	0	0	\N	\N
2	rotate	584155688	1874615333	\N	\N	scheduled rotation	2026-11-28 13:56:29.569538+00	\N	operator@vm	\N	0	0	0	0	\N	\N
3	rotate	95959786	667905129	\N	\N	scheduled rotation	2026-11-28 13:56:29.569543+00	\N	operator@vm	\N	0	0	0	0	\N	\N
\.


--
-- Data for Name: key_transitions; Type: TABLE DATA; Schema: phiseal; Owner: -
--

COPY phiseal.key_transitions (transition_id, key_id, from_status, to_status, at, actor, reason) FROM stdin;
1	345276054	\N	pre_active	2026-11-28 13:56:27.04794+00	operator@vm	\N
2	345276054	pre_active	active	2026-11-28 13:56:27.055424+00	operator@vm	\N
3	844464728	\N	pre_active	2026-11-28 13:56:27.081773+00	operator@vm	\N
4	844464728	pre_active	active	2026-11-28 13:56:27.084934+00	operator@vm	\N
5	584155688	\N	pre_active	2026-11-28 13:56:28.10173+00	operator@vm	tenant first met
6	584155688	pre_active	active	2026-11-28 13:56:28.109193+00	operator@vm	tenant first met
7	95959786	\N	pre_active	2026-11-28 13:56:28.116799+00	operator@vm	tenant first met
8	95959786	pre_active	active	2026-11-28 13:56:28.119786+00	operator@vm	tenant first met
9	1311177581	\N	pre_active	2026-11-28 13:56:29.506185+00	operator@vm	scheduled rotation
10	1874615333	\N	pre_active	2026-11-28 13:56:29.506599+00	operator@vm	scheduled rotation
11	667905129	\N	pre_active	2026-11-28 13:56:29.506664+00	operator@vm	scheduled rotation
12	345276054	active	deactivated	2026-11-28 13:56:29.567976+00	operator@vm	scheduled rotation
13	584155688	active	deactivated	2026-11-28 13:56:29.568175+00	operator@vm	scheduled rotation
14	95959786	active	deactivated	2026-11-28 13:56:29.568239+00	operator@vm	scheduled rotation
15	1311177581	pre_active	active	2026-11-28 13:56:29.568919+00	operator@vm	scheduled rotation
16	1874615333	pre_active	active	2026-11-28 13:56:29.568989+00	operator@vm	scheduled rotation
17	667905129	pre_active	active	2026-11-28 13:56:29.569023+00	operator@vm	scheduled rotation
\.


--
-- Data for Name: lanes; Type: TABLE DATA; Schema: phiseal; Owner: -
--

COPY phiseal.lanes (run_id, lane_no, relation, lower, upper, cursor, seq, fence, holder, lease_until, state, rows_found, rows_written, values_written, conflicts, quarantined, updated_at) FROM stdin;
1	0	public.people	\N	\N	\N	1	1	\N	\N	done	60	60	172	0	0	2026-11-28 13:56:27.897175+00
1	1000000	public.people	\N	\N	\N	0	1	\N	\N	done	0	0	0	0	0	2026-11-28 13:56:27.906189+00
2	0	public.clinics	\N	\N	\N	8	1	\N	\N	done	40	40	40	0	0	2026-11-28 13:56:28.146618+00
2	1000000	public.clinics	\N	\N	\N	0	1	\N	\N	done	0	0	0	0	0	2026-11-28 13:56:28.159057+00
3	0	public.visits	\N	\N	\N	8	1	\N	\N	done	165	165	165	0	0	2026-11-28 13:56:28.330191+00
3	1000000	public.visits	\N	\N	\N	0	1	\N	\N	done	0	0	0	0	0	2026-11-28 13:56:28.343453+00
4	0	public.letters	\N	\N	\N	8	1	\N	\N	done	30	30	30	0	0	2026-11-28 13:56:28.521206+00
4	1000000	public.letters	\N	\N	\N	0	1	\N	\N	done	0	0	0	0	0	2026-11-28 13:56:28.535089+00
5	0	public.refused	\N	\N	\N	8	1	\N	\N	done	3	2	2	0	1	2026-11-28 13:56:28.737574+00
5	1000000	public.refused	\N	\N	\N	0	1	\N	\N	done	0	0	0	0	0	2026-11-28 13:56:28.768274+00
6	0	public.letters	\N	\N	\N	1	1	\N	\N	done	0	0	0	0	0	2026-11-28 13:56:29.028061+00
6	1000000	public.letters	\N	\N	\N	0	1	\N	\N	done	0	0	0	0	0	2026-11-28 13:56:29.045205+00
7	0	public.clinics	\N	\N	\N	8	1	\N	\N	done	40	40	40	0	0	2026-11-28 13:56:29.708858+00
7	1000000	public.clinics	\N	\N	\N	0	1	\N	\N	done	0	0	0	0	0	2026-11-28 13:56:29.71984+00
8	0	public.people	\N	\N	\N	8	1	\N	\N	done	60	60	172	0	0	2026-11-28 13:56:29.808571+00
8	1000000	public.people	\N	\N	\N	0	1	\N	\N	done	0	0	0	0	0	2026-11-28 13:56:29.825416+00
9	0	public.refused	\N	\N	\N	8	1	\N	\N	done	2	2	2	0	0	2026-11-28 13:56:29.893695+00
9	1000000	public.refused	\N	\N	\N	0	1	\N	\N	done	0	0	0	0	0	2026-11-28 13:56:29.909357+00
10	0	public.visits	\\x7b2273746f72616765223a223137363637222c226669727374223a302c22626c6f636b223a302c226c696e65223a302c2270617373223a302c22706173736573223a387d	\\x7b2273746f72616765223a223137363637222c226669727374223a343239343936373239352c22626c6f636b223a343239343936373239352c226c696e65223a302c2270617373223a302c22706173736573223a387d	\\x7b2273746f72616765223a223137363637222c226669727374223a302c22626c6f636b223a302c226c696e65223a302c2270617373223a312c22706173736573223a387d	1	1	vm/9543c995-eda0-4a20-b5a6-b721a6e83186/12566/1445941/0	2026-11-28 13:56:44.958843+00	open	20	20	20	0	0	2026-11-28 13:56:29.958844+00
11	0	public.orders	\\x7b2273746f72616765223a223137363734222c226669727374223a302c22626c6f636b223a302c226c696e65223a302c2270617373223a302c22706173736573223a387d	\\x7b2273746f72616765223a223137363734222c226669727374223a343239343936373239352c22626c6f636b223a343239343936373239352c226c696e65223a302c2270617373223a302c22706173736573223a387d	\\x7b2273746f72616765223a223137363734222c226669727374223a302c22626c6f636b223a302c226c696e65223a302c2270617373223a312c22706173736573223a387d	1	1	vm/9543c995-eda0-4a20-b5a6-b721a6e83186/12690/1446362/0	2026-11-28 13:56:48.8014+00	open	20	20	20	0	0	2026-11-28 13:56:33.8014+00
\.


--
-- Data for Name: migration_lock; Type: TABLE DATA; Schema: phiseal; Owner: -
--

COPY phiseal.migration_lock (set_name) FROM stdin;
engine
\.


--
-- Data for Name: migrations_engine; Type: TABLE DATA; Schema: phiseal; Owner: -
--

COPY phiseal.migrations_engine (version, name, checksum, applied_at, progress) FROM stdin;
1	keys	\\x722a9fce815be47836d000186ccde6f6db322f48504c31cb66263297508fd341	2026-11-28 13:56:26.982941+00	\N
2	fields	\\x3288908b15bc59794cbfeaa58bf551a2873123dc14a22872b98dc039b18929ca	2026-11-28 13:56:26.992675+00	\N
3	runs	\\x12f35f680666c025dd4a55315b6ab641086dafb44aa1343d378907d2755cd810	2026-11-28 13:56:26.997481+00	\N
4	quarantine	\\xb83f90bd16f524acb0ae87a326cba842c29bc392c9ca359753f59a19db9d3718	2026-11-28 13:56:27.000481+00	\N
5	audit	\\x0f2f55489fdbebda6ea54bbacb48d45d75040a9a4f8eebad576fe90edfd95e38	2026-11-28 13:56:27.004465+00	\N
\.


--
-- Data for Name: quarantine; Type: TABLE DATA; Schema: phiseal; Owner: -
--

COPY phiseal.quarantine (quarantine_id, run_id, table_label, column_label, row_tag, key_sealed, key_id, step, reason, sqlstate, constraint_name, state, created_at, resolved_at) FROM stdin;
1	5	public.refused	\N	6733ca2f8fcde0fa	\\xe70114947e96f039f35c7d7f4d85e1f4e70d89be91f18adc77c74c3e4b39462c757da267d0ad00	345276054	backfill	the database refused the row	23514	code_length	open	2026-11-28 13:56:28.732622+00	\N
\.


--
-- Data for Name: rotation_counts; Type: TABLE DATA; Schema: phiseal; Owner: -
--

COPY phiseal.rotation_counts (run_id, lane_no, history_id, from_key_id, rows_found, rows_resealed, conflicts, quarantined) FROM stdin;
7	0	3	95959786	20	20	0	0
7	0	2	584155688	20	20	0	0
8	0	1	345276054	60	60	0	0
9	0	1	345276054	2	2	0	0
10	0	1	345276054	20	20	0	0
\.


--
-- Data for Name: runs; Type: TABLE DATA; Schema: phiseal; Owner: -
--

COPY phiseal.runs (run_id, kind, table_label, digest, state, params, started_at, finished_at, actor, rows_found, rows_written, values_written, conflicts, quarantined, error_code) FROM stdin;
1	backfill	public.people	3b2fdbfc42c4de410f8061abaf2a40b48f7776878996a5721da604272d428971	done	{"columns":["ssn","name","note"]}	2026-11-28 13:56:27.865129+00	2026-11-28 13:56:27.923222+00	operator@vm	60	60	172	0	0	\N
2	backfill	public.clinics	7ba96a84bac92469f3c47b0cc5d7372466ece34b37388c09d0ed9ec0f04e1007	done	{"columns":["phone"]}	2026-11-28 13:56:28.069547+00	2026-11-28 13:56:28.164762+00	operator@vm	40	40	40	0	0	\N
3	backfill	public.visits	dc326088ae02f4f188b3565bff2150eff7b504652d105429bd47448554fc2770	done	{"columns":["reason"]}	2026-11-28 13:56:28.252665+00	2026-11-28 13:56:28.357439+00	operator@vm	165	165	165	0	0	\N
4	backfill	public.letters	18fcb5595ce510f09ad7770dd7e8d9236bbfe14c56b514d54c47c58ffffdb7da	done	{"columns":["body"]}	2026-11-28 13:56:28.468241+00	2026-11-28 13:56:28.54215+00	operator@vm	30	30	30	0	0	\N
5	backfill	public.refused	33370fa86122d08a2cd373949ad540d845d90035bde2dae70fe4c95bbdb53557	done	{"columns":["code"]}	2026-11-28 13:56:28.673435+00	2026-11-28 13:56:28.776668+00	operator@vm	3	2	2	0	1	\N
6	restore	public.letters	18fcb5595ce510f09ad7770dd7e8d9236bbfe14c56b514d54c47c58ffffdb7da	done	{"columns":["body"]}	2026-11-28 13:56:28.997033+00	2026-11-28 13:56:29.052991+00	operator@vm	0	0	0	0	0	\N
7	rotate	public.clinics	7ba96a84bac92469f3c47b0cc5d7372466ece34b37388c09d0ed9ec0f04e1007	done	{"columns":["phone"]}	2026-11-28 13:56:29.599671+00	2026-11-28 13:56:29.725492+00	operator@vm	40	40	40	0	0	\N
8	rotate	public.people	9b4be4ab3394824916a8fba295cc10d7452ec9d9cd98dea6815269e1dde3e034	done	{"columns":["ssn","name","note"]}	2026-11-28 13:56:29.736968+00	2026-11-28 13:56:29.834377+00	operator@vm	60	60	172	0	0	\N
9	rotate	public.refused	33370fa86122d08a2cd373949ad540d845d90035bde2dae70fe4c95bbdb53557	done	{"columns":["code"]}	2026-11-28 13:56:29.844191+00	2026-11-28 13:56:29.911755+00	operator@vm	2	2	2	0	0	\N
10	rotate	public.visits	dc326088ae02f4f188b3565bff2150eff7b504652d105429bd47448554fc2770	running	{"columns":["reason"]}	2026-11-28 13:56:29.943633+00	\N	operator@vm	0	0	0	0	0	\N
11	backfill	public.orders	67f2a6a0caf4ed7aae4604433b06b18d9a8ea6f4b30f3d0e5f2e3859029f8aa2	running	{"columns":["memo"]}	2026-11-28 13:56:33.722796+00	\N	operator@vm	0	0	0	0	0	\N
\.


--
-- Data for Name: clinics; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.clinics (id, clinic, phone, phone_sealed) FROM stdin;
17	k1	555-17	\\xe70127cf6c694f987fb1339c7e612c14b1a853c121afbe11ff453c5d5358beaa32989a6dc7f69c69
3	k1	555-3	\\xe70127cf6c6968c79585764a6639328ec79094237d9cfd4c56226ef26f071d4a94b612d26a386b
28	k0	555-28	\\xe7016fbc5c251ba018cb6b917c67b73ff8331725eea1b83a5c96d66383e1b1661baf0ba6b008ee55
14	k0	555-14	\\xe7016fbc5c25adc2057e1775cc3b97e5d2f27475728321d160d703834a9b1b541b273eb02e7c9f2f
39	k1	555-39	\\xe70127cf6c6904cf74d1cfb201038596b1d2f915ac0ef83b691d80144981ad357a41a7961e391238
8	k0	555-8	\\xe7016fbc5c25fbc39ce2741d8275a0a7ddacb280caf535816533a78faaa942f44587bc45458098
25	k1	555-25	\\xe70127cf6c6939eae591cc6b83be634960929fa883a840fecbbb4d043ff801a3262e5d47de002638
11	k1	555-11	\\xe70127cf6c696f97c1e3c48474afc86e414baac9a9f4ac89dfa0680218a3164e532bfcca13db0b0b
36	k0	555-36	\\xe7016fbc5c25f8894f88b35fedad1df3db0674f34c5ed27f411aa1a4175e18cc974f6e1e8e9e13ee
22	k0	555-22	\\xe7016fbc5c2508cc054a5b40578bb2c8e9c9de2a6ac263b86e62dabd4a1a1d9f9cf8b0909a7c7e2a
16	k0	555-16	\\xe7016fbc5c25e81571a46dcd7c438eb302c38df632413c7fa45e9a62134a8e4d1ef373f83897d3eb
33	k1	555-33	\\xe70127cf6c69051c4cafe07cff012ded9bc7fa864ac3d0c7372ae4fa5362ac3171d9b43a3b4fb84a
19	k1	555-19	\\xe70127cf6c693b79217652080299e103b984f1d212243c1d96b04c592b5d27a94da92b821e9492ce
5	k1	555-5	\\xe70127cf6c6911c0da653e51c722fef1900e67c081e59ab621621809274375b35d2e0536fac4c9
30	k0	555-30	\\xe7016fbc5c25b9b93277ad1d41154163230f693dfce796489c2843559f15f5d61a1436af4d08a7b7
24	k0	555-24	\\xe7016fbc5c259ad7d1faf39257acd1786181652ded32505920e27c1360c82ab527044a44c5fc6598
2	k0	555-2	\\xe7016fbc5c25e55a868a1fdd81931b802a55e283357bb4d405a17a1b09a84538ffe509437dfa95
27	k1	555-27	\\xe70127cf6c6924b4fc6e1246e197ed500940ea77a36a9fd4b00a2226cd6b2f65295e6dd9d79d9ead
13	k1	555-13	\\xe70127cf6c694d89ca987e72b0a02f0938f695f7ef4274dd59c0a7289f85b6a62560ec8b75bbe857
38	k0	555-38	\\xe7016fbc5c2524d752e8a71effd9d27e4ee7f08f572ee3e86bb28d7567ab3f627a34b56043cd878c
32	k0	555-32	\\xe7016fbc5c257191b9c485a6918d3fbbc6cd38cf2f95ca929d9e8288297e98d8725aae6542e70673
10	k0	555-10	\\xe7016fbc5c25ac592bf3be1c36d4c2361b734242f69c11999652e8c4a9854bb7e22bafa39a3f56ca
35	k1	555-35	\\xe70127cf6c6931025f231c64d62f1eaa33763934cc726e622e96996a2c03692776be0c1ea043a71e
21	k1	555-21	\\xe70127cf6c695e8edc10f425d0eed071699a6de94e024f01d498da2edd28b5820d43463eef7ed33b
7	k1	555-7	\\xe70127cf6c69c746a3c85fbae085ffc779f939f0488645a524f1859e4d68f7b1d91ca439bdbda2
40	k0	555-40	\\xe7016fbc5c25e7354851f2286e3c9cdf0a4a92237d7924f1de5b8f4bfe7c6894a794e2bb392e8800
18	k0	555-18	\\xe7016fbc5c25ef4037c255b470f1729cd8941168ee9335de2916ed33f7339a6b65388cacca5f35bf
4	k0	555-4	\\xe7016fbc5c2585a69f01f709de9c7a268913ab53b8704725c261cccdaf99bdf8b490fb38e6f846
29	k1	555-29	\\xe70127cf6c69637b9e88120fbb1612097398162528e6b054a842815960dab4450d874de3005cc9a0
15	k1	555-15	\\xe70127cf6c695e0334b43ce1f351af642c54f8db81f4642db58fb210eb56ff23723c09478dd2a6a9
1	k1	555-1	\\xe70127cf6c696d752783ed68071e6b62fffe824555e64138397e98e39c15605f96873f83e5e5aa
26	k0	555-26	\\xe7016fbc5c252edf248c32540fb12d7dca3e10c0528cd2d2a478221050e9d8097aad3fbee83f46fb
12	k0	555-12	\\xe7016fbc5c25d0538c89ea90eb3ab465ee288b5775f174edca2dcc8921babfa86938ea209b77c821
37	k1	555-37	\\xe70127cf6c69fed4bc1114916cd29a96072607c1f53077b569b06d9ef3d4ce42e55c9faa6b2d0246
23	k1	555-23	\\xe70127cf6c690b061a34a82bc7d8b03e290bd276c91057fc5ae2d2d3ffb96c1bed318d21a5c7b4f6
9	k1	555-9	\\xe70127cf6c69d7955aade66d32b93165b0f3731060ff4d3f17775cb7874424da667327d2a6ca9b
34	k0	555-34	\\xe7016fbc5c25abb1e1a967ca15f6574909f40094f52730d0afe9455614624124e119d4039956c75f
20	k0	555-20	\\xe7016fbc5c25a802acd3f0247fe42c81a36018f8f48926329ac6f90177b45114762a55d6abe2506e
6	k0	555-6	\\xe7016fbc5c258c75aaf86293c9700172daf465e140b04d14be5b3f21c87da25ceb6ecb1e9f227f
31	k1	555-31	\\xe70127cf6c693afe92072ea28d5ffc89b312a20fc1b52043954bc7f2bcea159b455ccd75ec79f6f4
\.


--
-- Data for Name: letters; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.letters (id, body) FROM stdin;
8	body 8
16	body 16
24	body 24
1	body 1
9	body 9
17	body 17
25	body 25
2	body 2
10	body 10
18	body 18
26	body 26
3	body 3
11	body 11
19	body 19
27	body 27
4	body 4
12	body 12
20	body 20
28	body 28
5	body 5
13	body 13
21	body 21
29	body 29
6	body 6
14	body 14
22	body 22
30	body 30
7	body 7
15	body 15
23	body 23
\.


--
-- Data for Name: orders; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.orders (id, memo, memo_sealed) FROM stdin;
1	memo 1	\N
2	memo 2	\N
3	memo 3	\N
4	memo 4	\N
5	memo 5	\N
6	memo 6	\N
7	memo 7	\N
9	memo 9	\N
10	memo 10	\N
11	memo 11	\N
12	memo 12	\N
13	memo 13	\N
14	memo 14	\N
15	memo 15	\N
17	memo 17	\N
18	memo 18	\N
19	memo 19	\N
20	memo 20	\N
21	memo 21	\N
22	memo 22	\N
23	memo 23	\N
25	memo 25	\N
26	memo 26	\N
27	memo 27	\N
28	memo 28	\N
29	memo 29	\N
30	memo 30	\N
31	memo 31	\N
33	memo 33	\N
34	memo 34	\N
35	memo 35	\N
36	memo 36	\N
37	memo 37	\N
38	memo 38	\N
39	memo 39	\N
41	memo 41	\N
42	memo 42	\N
43	memo 43	\N
44	memo 44	\N
45	memo 45	\N
46	memo 46	\N
47	memo 47	\N
49	memo 49	\N
50	memo 50	\N
51	memo 51	\N
52	memo 52	\N
53	memo 53	\N
54	memo 54	\N
55	memo 55	\N
57	memo 57	\N
58	memo 58	\N
59	memo 59	\N
60	memo 60	\N
61	memo 61	\N
62	memo 62	\N
63	memo 63	\N
65	memo 65	\N
66	memo 66	\N
67	memo 67	\N
68	memo 68	\N
69	memo 69	\N
70	memo 70	\N
71	memo 71	\N
73	memo 73	\N
74	memo 74	\N
75	memo 75	\N
76	memo 76	\N
77	memo 77	\N
78	memo 78	\N
79	memo 79	\N
81	memo 81	\N
82	memo 82	\N
83	memo 83	\N
84	memo 84	\N
85	memo 85	\N
86	memo 86	\N
87	memo 87	\N
89	memo 89	\N
90	memo 90	\N
91	memo 91	\N
92	memo 92	\N
93	memo 93	\N
94	memo 94	\N
95	memo 95	\N
97	memo 97	\N
98	memo 98	\N
99	memo 99	\N
100	memo 100	\N
101	memo 101	\N
102	memo 102	\N
103	memo 103	\N
105	memo 105	\N
106	memo 106	\N
107	memo 107	\N
108	memo 108	\N
109	memo 109	\N
110	memo 110	\N
111	memo 111	\N
113	memo 113	\N
114	memo 114	\N
115	memo 115	\N
116	memo 116	\N
117	memo 117	\N
118	memo 118	\N
119	memo 119	\N
121	memo 121	\N
122	memo 122	\N
123	memo 123	\N
124	memo 124	\N
125	memo 125	\N
126	memo 126	\N
127	memo 127	\N
129	memo 129	\N
130	memo 130	\N
131	memo 131	\N
132	memo 132	\N
133	memo 133	\N
134	memo 134	\N
135	memo 135	\N
137	memo 137	\N
138	memo 138	\N
139	memo 139	\N
140	memo 140	\N
141	memo 141	\N
142	memo 142	\N
143	memo 143	\N
145	memo 145	\N
146	memo 146	\N
147	memo 147	\N
148	memo 148	\N
149	memo 149	\N
150	memo 150	\N
151	memo 151	\N
153	memo 153	\N
154	memo 154	\N
155	memo 155	\N
156	memo 156	\N
157	memo 157	\N
158	memo 158	\N
159	memo 159	\N
161	memo 161	\N
162	memo 162	\N
163	memo 163	\N
164	memo 164	\N
165	memo 165	\N
8	memo 8	\\xe7014e26fb6d5ad55be77936e94c7e5e8394e67cdf3f49c183280450bb7a5120ee2ff6c34f2172e5
16	memo 16	\\xe7014e26fb6db2a76b93340a68051f742d29e9347197d543bf1ca75c332b0a3617ae6a83017a7212ed
24	memo 24	\\xe7014e26fb6dc7b61f348f7bfa23c61088aa84d1c5d54a603c1c57bce8fe43f69b387cfcbcd63c28ae
32	memo 32	\\xe7014e26fb6da88b7974de4401e6c65c1e588642b56b1d5f24a1cd01ef33d0eecfc39122e3b0c44d6c
40	memo 40	\\xe7014e26fb6d91804166efbc92faf022a09beb88b7a2adef67f4a8de1fb4ee355c2239684f0ab2eed2
48	memo 48	\\xe7014e26fb6d001499e67fbcd7a7ae765f36c6372b52bb91a813e8555a478b64f761046418bf92a704
56	memo 56	\\xe7014e26fb6d7bc085b93e38cee88885e16927c5215c7518f14e07af3482fbfb24cdcddf54e3863134
64	memo 64	\\xe7014e26fb6d14af60512c7b0a61570caa627a9a2bd866e233ed3566b054cc036574c672ec35c7cfc0
72	memo 72	\\xe7014e26fb6d1ba973a264e437fa0086ef77f631f68e69ce05e41eaa8dd4cefc68b2657e6b25e099e8
80	memo 80	\\xe7014e26fb6dea4afbe217589a26a3633cd69ba27db240a6af989a143ca545eec991977a81a72c5cc7
88	memo 88	\\xe7014e26fb6dae8ad7dcc90d9daf2b1fc5901f8a7e8376d0d092b2b96e011d930447047963fa41a5a1
96	memo 96	\\xe7014e26fb6de6176f7fabccbd5716f4c47426dc45425a81b684ffee5a401071ddffa1cfec04f1a2b9
104	memo 104	\\xe7014e26fb6d25c765699f876243c3474cac661499c480745c167f9571190dfb2e558fa681aaac4fa3ef
112	memo 112	\\xe7014e26fb6de1225c89353be24d7bc4fb4c3151241dd9d5079247cabe0e6a8d7466522d909167911650
120	memo 120	\\xe7014e26fb6d56011d555c76b940efde9827153f112a348129a36f472eeb7fe8e19ce1f5128cf291a3b9
128	memo 128	\\xe7014e26fb6dc63c6503b6d06c330874975618c43a0b11ae9fb032b9cc49b6c10aca8c9beeb21e504914
136	memo 136	\\xe7014e26fb6d3f813261a3467b9fc7ee099a962ce090da477385fcccd4f6a7743a4514cac7db72fa8415
144	memo 144	\\xe7014e26fb6dd9e51c0ef2a8904c4e1f8a5041c9572b685a4c3a6fa90900a28d41fb5a4b5da8f18f81a9
152	memo 152	\\xe7014e26fb6df43d65ca984c99e27beacfc30bff4269cffa18fa944f3b290c18e8f86e018c9768fd1cf7
160	memo 160	\\xe7014e26fb6d8a857eb423cdc5251a2b90d880c7de4a1c720283758cec1fee5f35820e5441c06540be78
\.


--
-- Data for Name: people; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.people (id, ssn, name, note, ssn_sealed, ssn_bidx, name_sealed) FROM stdin;
21	900-12-21	\N	ps1.5wFOJvtta6A6hew-ZUnu858XWrVWjhqIcJZFC3dtoYoGFA0qj7_6pvc	\\xe7014e26fb6d58c798c1fe748d794bd2b4c38e3ce30c8ad45f96fe1a24e03ee8d6f17ef72311e56a4da376	\\x903bef78570ca75bc276fad67523ae3d	\N
56	\N	\N	ps1.5wFOJvttMDo0h_gX5YaySkkg8iw1krgVZRpQxz-HPDN1H3J8hfIFVcg	\\xe7014e26fb6dcb4292fa056c562fcffcfd817ad31b64f98ba6ede883eba775ac9e6152eadeb1b6bc96cf2f	\\xa46c51bb8c297c274c2227b7bd640c57	\N
4	\N	Zoë 4	ps1.5wFOJvttxMIFfa35is8ax6krAS6xsjruce_wUOpc8AOwAVOSfwB9MA	\\xe7014e26fb6d6a5c13f2304ead38d06176832396574a38ad02a247b1465cf3369e391104b23c236654cf	\\xa52277ecc5618c6cf589be8e248eba53	\\xe7024e26fb6d85a36eefb6a0f234d00dd002e235811caf30f2a2ea05d59bc494b7b8c013e942f25a8dc21cc9ec8ea243c28b631eee58279d1457fda8c7068e908c0f
20	\N	Zoë 20	ps1.5wFOJvtt_4DL6GOz1O1HClocWVX4J-VA8VjMGCex2DxkndVWQRo8_Z8	\\xe7014e26fb6d1227e3ece55ddb7d1b2e821181781e2940666c4364083bb991a03ee33d05e00ca4ddb30250	\\xcf12da655a5af5fac244e3feb067827c	\\xe7024e26fb6d15982a316c60e6e33dbb30db744509990b400e53f6121a524999fd2f7e97b5bf3451e1cedda6b3568320b80f623bf8c02337875e974cbe9862d6e749
38	\N	Zoë 38	ps1.5wFOJvtt6E0s_lL3Jpo6T7EFmFdKnAf4K2yguf4OGl_adP7xw2TAeJs	\\xe7014e26fb6d1209b5e7d4d35fdee4551b6de19f7ffe7a1b8a3debbaaeb00c6e2f1329ab71373965ed8207	\\xc874b116e81eb685bca3928212469d46	\\xe7024e26fb6ddb482cca0f73e319bcd0610f7a4f6a8b21451e85ba3af11b9bdd0c194f94b88a4f76c70274e663a553b547a41167229f2c7aceec65b9e69986bfcec3
54	\N	Zoë 54	ps1.5wFOJvttP9jTTYL3hC0WXiaCJv8jBMhPX2gTJft9KSMw1jIDrwGOtfM	\\xe7014e26fb6d07ba2c25f4f942ed354a5d9c49ef386756bd0ada764d72cae44435885a4804e971e7f3b622	\\xd0d578ec5b08fb972170acfc9b130821	\\xe7024e26fb6d5dca7d0b5ef1ae68b276bcc411c4e616a868a0aeba31aedafccb14ac7b53930b956b80a4890d0464ddb11381d1549c27066dd802aa808892445bc1c7
5	900-12-5	Zoë 5	ps1.5wFOJvttzg9iih-x4rNi_XX_JGPQ4U2s7Qxz-WjxXLao7jObwG-A6A	\\xe7014e26fb6dc70290ca71427a0235ca01197238a1fa0585f9d286a53a8223b9e3987db760fb3d0eec57	\\x0d5b1c7f027c84ea6fd2c085ed36f644	\\xe7024e26fb6d70a58c6a8313fed4c840decdb70ea5990b90af9f21644f527a238d39c2df69c3fecdea2ed0b4af3eaecdcd2b2f3d9930bee70c16335e72bbe9cce6b7
13	900-12-13	Zoë 13	ps1.5wFOJvttv1MsyVds46IABTbDHuCH9B7elQEW31O6GjimniP6IZCpD3Q	\\xe7014e26fb6d70fce57231c7afea044ca3d545088187c441467f0dd461e2b36050b3d647fd150cf2bab82f	\\xfb5107e5cf44ad6e4f0c464a3c6c6e1e	\\xe7024e26fb6dc55848b8821996fd30abfa1d31dc53787a7a6bef60bb3f54c80d4587bed135fe29e80ccc8fb0dd2d53e1d436384af87df428aba2c9b9d7ec04acda15
29	900-12-29	Zoë 29	ps1.5wFOJvttz5nS_GHi4Luy7CLwPBaIdaswC2WlGV5gPwxpZ7j8U_Yo2bM	\\xe7014e26fb6d99ca7cf6afa1469a11b924d8ae4b09f006af50f4008623999b34a9d939c0151c1576347639	\\x98794b706a4d62dcf8ae90191ae68d95	\\xe7024e26fb6d17e21aa6b29d9e3f9f6de7c2d63b95101fae943dfcb37ec05af29b087927549831e226ea8d6c01388a9cfee87863a60acb628963ad559ff81c335142
37	900-12-37	Zoë 37	ps1.5wFOJvttOzQklP1ZPXVXy--MlJB77Gg2ygIQEM1WH070Dm1Mil1nFvE	\\xe7014e26fb6d40c868857a4c02970b0c8c54ee3d8bddb9845add1a571026107a02d2ca885398952b0a6cdc	\\x8ee04509c08ac1de3ad6fa95a534ec91	\\xe7024e26fb6df488f363cecc811ff85be122130b05762c443a305cd87d53ee47f789700527a33d0ac0c3c8f0e8201a7dce5e5c2fbabaf3e48dbdb72b1af0c981eda1
45	900-12-45	Zoë 45	ps1.5wFOJvttrzt_AzGXgzYL3DSTpkIu1akAaBUB0l8r5tV1yZk-3d5dAbM	\\xe7014e26fb6dfd6ba002980490ff7feac046cbaf0d3f94130edb150d0d087f25718d58d6704203e713661c	\\x49ee1b818e7d488ea6840ed6a22e4cbb	\\xe7024e26fb6d0105a0d4e10d23f4610e277e921531db0e67b899cf8a62db1daeafd93448897412f9063b26fe42a4e278574863bcee6bcf44c4eb4f6bd5981b7d0eab
53	900-12-53	Zoë 53	ps1.5wFOJvttT5vVCay6Qu803syAmXfDtgN3oDvOlhub7ax7u7VHNEyaglA	\\xe7014e26fb6dfde9a270dd5ed9729b6d4aaf852c9d7daf2219e7a7f24fb02d8c9996f0e82b63f4b47472de	\\x254dea53aa2cd710666b7b948d3bbd58	\\xe7024e26fb6ddecd8bcefe3a3949f9449b36522c1dc2883332fc6ff03bb648c14742c42ad26be65b679499f1b1a832c57ff4f7c815aad9c810c8e428dbcd2be2a47e
55	900-12-55	Zoë 55	ps1.5wFOJvttuoPnyWcRINoXcshgEQ1lWIojDvlUm_eM6nOt2QIzUbfLlM8	\\xe7014e26fb6dd5256536ae6ce2daff20f5a482d52208599dba6d21ada4e21ebce9b03f6ab9644eada046db	\\xaaf652fe0bd092c44abfec205b0288e4	\\xe7024e26fb6d26760421157f26caf4c8f367a8ec208a99150d4f43715a2ca204f50587038dddbeca83b12fe79e31b3cdf8ee2da6236fddcb45a2485eb068302c023b
6	\N	Zoë 6	ps1.5wFOJvttXHcn-hiT13QixoUSIm9d75C1QhhsFfxdAYIwRa4QVCltGw	\\xe7014e26fb6dc9f7639da2de5a14f098d124925e26ae9affab5b883ffc744963ab2f4879b29a2ada3761	\\x7ba7267597e47981ea28720d0ca0ecb3	\\xe7024e26fb6d61e43230d898d3844f4066d24b994e1105fe5d7df165698d599b1aefe278eed0a97098d99635fdc5451deed5ff9c8e47b648f68826a176c1bed5a408
22	\N	Zoë 22	ps1.5wFOJvttli5y-ZpP1YV32sY7Vd07RYePhhAfEVR_-qy9SMijmSZO2nQ	\\xe7014e26fb6dff4be34042255d2910b99a5a955a69f857984502bca4a62d165d4af338e1417a7309f131e2	\\x0d964ede9e08f02b386e1d4541745a50	\\xe7024e26fb6df6fc8c4cd7fe4996bba29c773532f50b10312ee0c3899448dad18a1f73891404076cd581d224941399adbcb6ed3e55ca48b835685e70eb3752e1c8c9
40	\N	Zoë 40	ps1.5wFOJvttfbjcQOm-77qH5fi4YbokNmUCWllrHk4TC5khDPF80247aic	\\xe7014e26fb6dd150edf51ce8bd8c867fa1483aad9619ca416e2b14f352c2136a733aa524757a4ae48e64c5	\\x1d65112c939088540789d4a73207165b	\\xe7024e26fb6df1c269f15ddfec039e41edb8ee85ab9a98c4cee867d62f6d922390197f9d3eb8e979ba68ad691a2ea4fa94723535a48bf32251e50f43e7f26c6b107a
8	\N	Zoë 8	ps1.5wFOJvttmTlAV_iOUbX4t1Ps_vkPmss42N2e9amPIR6EnbgHofVG3Q	\\xe7014e26fb6d04cf43c82ac02604a5c253d1c12458d89a8a1ab7e18910944bf1350c82a302ef977e6c7d	\\x49d6ec900a8536dbef3640a732141945	\\xe7024e26fb6ddf5e45c121cdee45ff57143445026a478bbf6ecd43e7153d4ccc3b0fd83ad04885005c9026312be345005ec04f03186ffef09db1351f78a133beee60
24	\N	Zoë 24	ps1.5wFOJvttHN6eX1ZvwrsCbcLno0w1siKSQoVsZg1QQueciRSXibTM4vg	\\xe7014e26fb6d95067d59185b5afeba633dd3e7758b99d0ba5d9214bceaf73e6836688a962006531ca18582	\\x7b797d3779769a6ee3e67975c70cfe3b	\\xe7024e26fb6d3bef3ca0496834bc9bc6bce343a851b4c38e479396497dee342daa945433e4fd50648f545c669d62e826e3a1ad02ac6af08cd60632a5ac115927b1fb
42	\N	\N	ps1.5wFOJvttXzR0-KcS_eiTyrJm00M_smEQ4KXH77i0rvTNet4jCBsKMFI	\\xe7014e26fb6dc0fb4b8ab3d886ea4b6c71da42993c3830635d0ce58bd7d7d7c56979637216ba742d679dbd	\\x301a61f2597185f62e9fc451e40edf65	\N
58	\N	Zoë 58	ps1.5wFOJvtt1Ob8bCwiKyQDueXlbDiv0tUydbDQlunr9uFEL5ttbxpiffw	\\xe7014e26fb6d35e977a0cf1a599c3d033e1a2b1d0089e0d651e381ec039ced7ff1767f9dc8f7cd9bd6c668	\\xf76a4ed2a8f74108ab98b5cabd96285a	\\xe7024e26fb6d36a195cbabd26aac4b56beb3e7f28673bbec0f14d4595c97961749eb6aa7fcbd8712dfee7ed1968c967a19174e6d445943623d9fd4df057de6c1c2d1
7	900-12-7	\N	ps1.5wFOJvttAk9aQMAnipcTRoy_qtcjHzFG4V2FzAioCe11BBTLYOjScQ	\\xe7014e26fb6d0e5afade2f5f11ca8df2189a9d932bc59d9095c9134514bbef4eab19b941e9da23e8b568	\\x715ba2d52c0ef56d64cd1212dd69f512	\N
15	900-12-15	Zoë 15	ps1.5wFOJvttrpwoNYWR2Q34q8_EqUlrolArWVqMsyUHnuWrEd4H2vE4JIY	\\xe7014e26fb6d4dec27a30baa38bc5d7e4a9f844c1d011b9283452f2316f18d5e997150f59cdd58c4549c6d	\\x239cf2857c3ea047b4df081d763b6ccb	\\xe7024e26fb6d315ff17c19568d83222d24966d7a57bdeefc1653a53ef8284bf9b78bf7b8dafbcaa34952276ff8e5f77cc7cb33f4d31eb76143fd5a08f605e413536a
23	900-12-23	Zoë 23	ps1.5wFOJvttw9eGqjWhhI2V4Lh__--lKipdWLw1-8GBEcHb_1h4mLHSIog	\\xe7014e26fb6d77e9cc4383a918c9efc6d3979754d22777e19c37097b15a3a2040c625cfa469e6883c1105b	\\xeaea25af96fa4be5dfb9886af912c0c1	\\xe7024e26fb6d6c153acf46c68457c541cb3ca1b9bc6b517e2a12218ac2f52d2472ed6d8a9554aa25a13eaa4d83d8269895b1ca6b1f0df4336a263f1e2096b69e717f
31	900-12-31	Zoë 31	ps1.5wFOJvttgC_6QgIC6ZhfrkioBJNfTU5PazXKht4Xi3k67uJPkRWZSaM	\\xe7014e26fb6ddf6c8bea633fa02341b4fbf72f39cdcd77e6e52217286c3082743c94485dc277fb30d5c0a0	\\xa3f2e0836139e63302bd8fb2d71f6d35	\\xe7024e26fb6d892f9bff9dd05835d9f25c09d57f94aea2a30e4363a8c457f1a28f8a2078e902303052f62cf395a76ba61a68d212010f4b27334acdf46d2eb6d641c4
39	900-12-39	Zoë 39	ps1.5wFOJvtt154ezKGpmDnDME3Cjn91Xb_9qZSvxMszRSZpUtNQAq-qbac	\\xe7014e26fb6d12cd2e31f594f9d356cab92584fc9c0c2a027e463049f73afb05ea1e9f171febf137f93518	\\x318fc80ac4cc07be9aafb506e5ac8dfe	\\xe7024e26fb6d70cfed8f0dc96a33d464d8e1ffb15752bfccca480b195241fd3fecf72917d5208a02e0781ba96c4f3db9a9013af01bcdf91037d943fd24072bbf904b
47	900-12-47	Zoë 47	ps1.5wFOJvttwS9KEVR9ClBc6K3kY6khU7Gj_xH9-7Ei6weNAeESp4EQ7Go	\\xe7014e26fb6d69f50b5a96469116406802dced6a73b36bc74b7bef22aacc8fbdb24bf53bb673da66146969	\\xec8006d56fa08af24d99db4717609d62	\\xe7024e26fb6d5cf5ff1f2413e1387fe4f0f7300cb7bbefdb731b3a2b2e8bdc62998401f227123af69c109f386a6bdc6fda79d185164275a776f5399f7219b8c71511
28	\N	\N	ps1.5wFOJvttyERfGxqxKZqg-4xWlj86IDFYU5CnONJysSX4H04tx9O_wHY	\\xe7014e26fb6d0ebd8e36f6d2ba1d9953377c99191cf6733b37236863d2104f121bca766538435378b92ae4	\\x710bb4b3ebed4738f2fa35f34ae40870	\N
57	900-12-57	Zoë 57	ps1.5wFOJvttq5u_NtxhI3RgHXjeoonghd9F7WyEKK6pe7qRJFGS-V4TVv4	\\xe7014e26fb6da04c5863283431ae9d4cfd5b980b87a097030b5e42c225c20636e8f2155cd6557d00c80721	\\x3ad8d990643878958c7cf30cef3802cc	\\xe7024e26fb6dc50bd396ea2bfcec6784d60de05fdf7d4ca1877390cbcb6b0b3c2105b34888406c9738493383d33929d4de65fe6a496d483be192cb538166e9eae8d4
10	\N	Zoë 10	ps1.5wFOJvtt_Q3wjqB4kTdsJ0Bhv5TaFsgfEH9vYVxwpSjnwFOvgMolv7E	\\xe7014e26fb6d87ba5444d4c1454a5990c3284aa6b75528ab046677cef64368d0a6aac3c791cf969463f91c	\\x577e333df445bce84127cd026ed93977	\\xe7024e26fb6d911da3fa2364855330803d737747b52cc1de0e76b6fb4ab15c56038114c4e247a1bc34f242e7ffd7b0ce440709c41dcaf561edfce71642abcf09b1e0
26	\N	Zoë 26	ps1.5wFOJvttiSNUr7aq9wTmL0x0RwFQWDS1ZPEYtP0oNZspx5_m6oXa0vo	\\xe7014e26fb6d49334094984c2208988f21442310c4b294fe924b2586ee38d8f08bc78c775ca05fdd803409	\\x7bf5d0f3af0b0303d7e16fd4632ea084	\\xe7024e26fb6d597655be69eef681d30c3bec97a205c3ccec698c5e2f4f6cf2c02c909187f0e50dba920e4fb78e63f75a216acc00cd39545078198feba7fa9433cc8d
44	\N	Zoë 44	ps1.5wFOJvttnzBm9NXUPqtuXjOzFOtL6VFi9PVh1yz8x6oNI8YmwSB_elo	\\xe7014e26fb6d9bcc442087b17aeeab3e0cb4e9d45d31f28a98b0317b3a7a9f9d61574a03343840762f93a0	\\x53e3aeebc3446326e3fdc748d60b26d1	\\xe7024e26fb6dc03dd3ab0bbb84ea89d886c83d7c25cc24aac7126009476da7a66717accec03132eb500961e2b0b05614ccb980df6e546944d3e1e64d1eedf7462ebd
60	\N	Zoë 60	ps1.5wFOJvttTl0Nug9RRLfHeGhnJO39ejU0hXo-Ht4xkWobRsshTjURmfI	\\xe7014e26fb6d4ffc936e957c31e344f687fa966b3d4b5bd9640cc146ea8cda18420e9c92762398bcb3d301	\\xcc7df3252daa2633d7f8a3fb43563f50	\\xe7024e26fb6d632ffabab3380e2923f052f5de52f058ca8fbe0294eb84bd04153e4ccec690b627aadda15183f82f20f8e8491905d6b9abec1af92e0150672c644349
12	\N	Zoë 12	ps1.5wFOJvtt9DvF-ts2dkGQ5U8eMHD5-7ZhKPyXg9QCjhgtk0zZJCwkQtI	\\xe7014e26fb6d187bcf420966bd0dd2ba54d225a0b702c56ee4eb20632227da05eb11198308af6e7ec05025	\\xb8447d1d463ae934aa5cf4fc56d6b21f	\\xe7024e26fb6dd15e5af91a1a8c835c00ead170863017f11cdfce1c2ab4081d95488cc3afbd727bafabf72e82ca416fa94e4c42076c60129195da3ca063d0fc44d2a3
30	\N	Zoë 30	ps1.5wFOJvttN1Sy_13JJPPOtF2sAEGkaUsdIMzXYf1Tj840Rxw_x9w2hx0	\\xe7014e26fb6df8c48546b53950163f8537caf0dc17d0884ec05a5789936e17c6258c14537c9f9993896e6e	\\xaf45336be7be458f5cf39373f9bf9708	\\xe7024e26fb6dc330ebd588b7817aa7e342b2d077edfd8535afdf4b6bbda34d46dc4482812a6b5d0d1c3bd954f9de590817196eb43b95c987134ee6390508e6fb8f7f
46	\N	Zoë 46	ps1.5wFOJvttPcKkuawpCII9UHAUClgiCKb8BaM7cc1d5pp8PticRYQzCoo	\\xe7014e26fb6dfa39fc339e8453a0d58ad3b21f4552e4c7199945cbd690b889bd2ef83deb57f0848fa4bb01	\\x2b3d0cf50912fff8776030afbaf5ba92	\\xe7024e26fb6d74f56f39e27b2c7976e93d0c152e5d572f3a0b2ac2ff590185e0bfa5eac66ba98a81bb86c70c8d04d19f64393a7618d89ec459520af98594a00e86af
1	900-12-1	Zoë 1	ps1.5wFOJvttaqK0tXfolqqOkMrClqy8QZ97gfLkOqXtr1yomcZ6Ly7yqg	\\xe7014e26fb6d4a344ce151cf2bc1c8557843eefc7975aa0b096479f623880db56c0b4f35679fa0d182a7	\\xa80ee89b5e1c8dd69f0326ca43d85283	\\xe7024e26fb6d844b937f861718be2c874761774e2025039f226be0c12ed6a3942d6687f939605cf0360cc25574ed30325fcedee3c8f8311c637f539c39da758abfdf
9	900-12-9	Zoë 9	ps1.5wFOJvttpw99VKzQCg3fVIdIzUL1TrJHRH32Ul0m8FNGLn_4wl0fyA	\\xe7014e26fb6d2e4906094684fc62f5b3d980100adcae73078cf0e7fc4f7f22b6a38049f266f04ef5fb31	\\x1175d0c09c9100878304e0dcd5c395d6	\\xe7024e26fb6d01cad43bca53e078645571e2173184d8551f02547a8ab4066705a78487398c1d1bb97cae4986d9d6d6a271d5dd87e913fd2690427980ca573b92adbf
17	900-12-17	Zoë 17	ps1.5wFOJvttKxOLeseWlYKoroNoKV2EhkemS9I-KmLigXKNuC_IUUFNnAo	\\xe7014e26fb6d7c6e1fc12df718750c28451cf6225d6cf9020c6ad142590472efe890e5d2b9aadde295623c	\\x4341e74b05c5615219f626ccf69b5ca5	\\xe7024e26fb6df7adb2e6e514e8bcf6f7b8070116b65d13a18c94b49acc33030c94e1630dbc80e17de184c036a9a9b34a76d33debf8432bfcb3272f5b40bb409af1f8
25	900-12-25	Zoë 25	ps1.5wFOJvtt5pwHICdL9CrcSJfsv4FXIacY8Kj0neHxQEouNtuTPDEfgCw	\\xe7014e26fb6d26284f17a617004627387fc66b60588c890a9b2b1a2c8964a745d8a992c086a62dc5496347	\\x38f7c884f4fdea7c5a0451811de95f06	\\xe7024e26fb6df349c5995251f647cfb8fe7ff01e8563038343e1cb822d2ce1e17cb1e76d24daaa7851f632225db9365fe4f04de9d9c3790dcb59f96391934e84d24e
33	900-12-33	Zoë 33	ps1.5wFOJvtt1mQ_QyskdE5p8QFIkRa7CDkA5YKBT8wtfUJK7hbsYNv0jmE	\\xe7014e26fb6d7f3ddc8ec50a9045478b92d3bddd6bbd82b74d3de47723fe2188107d204b8b7d2c5da839d8	\\x2f54e2eaa7f035864026f01fbb99bdad	\\xe7024e26fb6dad379cbb1ad15b341e3283929f0545857e60780c7f9de3720179f46e68cceb69b124ef807cd1814491189db12417c054c8d6cc2ceecfefc7928b9ec2
41	900-12-41	Zoë 41	ps1.5wFOJvttyMAYq_jcrVfJw_Cmf6X2LLvyb3YBxJ7Ju05HtAwcosSdRjw	\\xe7014e26fb6dcd185eb59f1f4b7b33c88c5416fb98e6c4bbc540bcc5cd536c40b0fbcfaf25677bb898d678	\\xea5e7eab462322ec193235eaf88e50ef	\\xe7024e26fb6db06e92946701451fcd2b0564120ab2d558fa455bbcf295a0537f17c1740d263072f2a78c557812c5eec3a729f567f69fb71030c3599165d6442dd8fd
49	900-12-49	\N	ps1.5wFOJvttvr33dkCtKCIHGPBJeKXYtjdb45H06njMJyQ-lcMN5ImBNH8	\\xe7014e26fb6d98fe6315cb3d55be7213c2015f0e784a6540828a1caab0c0264b78888a6c805419e1012575	\\x87a4eb3cdabac0625f7c69b8b274757f	\N
59	900-12-59	Zoë 59	ps1.5wFOJvttKwvahaVbQm3faPMPSCCjuQaApBpmLjZR1AVkQxeJLCVWdT4	\\xe7014e26fb6d6fd3b42e09eb536dce2efe83c577c5d61ccd2a718472cf62468cda855e401bd52dc06c5c94	\\x25ad07ba6ac8fa0d466b7ad696f3fe21	\\xe7024e26fb6d9b926f2aeb059ec7f47a252e08dcce3f106a9b847d69003e23e9f915e6bd37fcc0b342fc3180ed871011ada9f704b135b7547837f5964c9c10786b9c
14	\N	\N	ps1.5wFOJvttBfNJculaSFmREIwpjdD89R9KvQaI7LjdsEnxEbdOFKwKnGo	\\xe7014e26fb6dd2519d9da4210111df2348e3ac59f048ba7cefcdd4d98196acf2cf938dfd9c31c4947dbd25	\\xd11924312e3bcb0278ae37199f6a9514	\N
32	\N	Zoë 32	ps1.5wFOJvttNSBvD652e6vY2wrKmIV19alWITk8pO9AnSQ8gRWvXph6td4	\\xe7014e26fb6dbee6875c70c0c3612ae820f7439827157f32e87ea1391ed6ad087db42abf87f6d2b1f94c53	\\x85c3927af310d1a3602956c4e44a683d	\\xe7024e26fb6de71b6f1b215d68d89f836092463a4351c194e489cd3cb973bb47c190c70bd0f2f74f514700ee11d9b04a40eaadaafa5862f6f25940f1e8d52eefeb61
48	\N	Zoë 48	ps1.5wFOJvttZZ2q_y47qKtDuhOLv1aiSCBN5MsaC8HDsBg3iaMvYm5NJyM	\\xe7014e26fb6dfc04726ecee9caffc796c112b4e498b43598bd0648ca875aa3ee4fa4a4bfe1a8a0636f1a56	\\x9b86e76f3ca1dde684152acda15e9ec3	\\xe7024e26fb6d658cfad64b983fd2f8cc52719cb30069468f71be15e8e0a74190e6065afbd4922ba88a822cef2248eb8b211d2592b6c0285fda18c1210e2c17225725
16	\N	Zoë 16	ps1.5wFOJvtt5DStBHMPEQ8TJs-gcIK-X06XfWIYyWBeOy_2VRuz4jjpX4w	\\xe7014e26fb6d95aa08869ba1108ba8cebbe13458202c425a7663abfa1cae0d6d83e138f14c16a49a306b5c	\\x3ad6381e4e6262516e0235cc38681fef	\\xe7024e26fb6d8ffabbebaaeba24b7b30828457694ec1f85a1ccfdfde84601acd0d783498686d48807dbaa9754596a94b8d087d3abe58a5507b6f17548f767421c9c0
34	\N	Zoë 34	ps1.5wFOJvttRCPnB5ucsj7KnIG-_a6-h_41v2rWfpDZuKhv60h2xXqqWfA	\\xe7014e26fb6ded715d6abe107bd64077c8a4268c721c70f1d047425a29e1c91b940922316ed9f1392d4994	\\x5d0e1d24da1958fdeb443c4cfc89538a	\\xe7024e26fb6d59a8e7064dd262e4ecfdb517c1ae614882272b4a7358871938f887d660707bc335df02206029095ccb66b7218b61ff47beb65ef3e23eb256761c771e
50	\N	Zoë 50	ps1.5wFOJvtt6SofyfX31D0R4npziiCGSXek0-_LszQB0g8fCCSv2kfx1BM	\\xe7014e26fb6d311a6b042753c8fd97e4d95867849a3ac7b3247b39e8696d4d5d89711662dbdb40cc8e9e8f	\\xdd118f77e0c4a5cf94af3d1a0541df6b	\\xe7024e26fb6d00b71c1fc6592829cbf0def2c6f040087870e932dbbf768e8f3f0fb22c9341775750f517ad2768a6da8f24f1f77d137348accc9639e982cd39d5e6f8
3	900-12-3	Zoë 3	ps1.5wFOJvttNgSpwH13vSV6_ozZJSsd55UZmO6M8QXv_i81A3ErTKh7eg	\\xe7014e26fb6d25f9372f3c2fcfafb34202478eed81ad8655cf3643f5abbd1085e59c533bf0b5acbf31ef	\\x0038d5db22c47425ec94645fe97927b1	\\xe7024e26fb6d9ab857cd181035c02d5c578cb2ab5ac4289c247198a0086b873356d730d63e6fba92e379402d26e46d63e1723a9561b405809d734c25409bf3de0e59
11	900-12-11	Zoë 11	ps1.5wFOJvttY6szsRPAY2UeX0iB8RG9r6m8kCnw57wiWG4gMc43U3_kQBo	\\xe7014e26fb6d7cb132e522bb991105235b58faebc9ace589dfc8c23dd15efb41dc611654c7a6c67f5162a3	\\x1a1bd8a10d8f793a55dcb4c5aeb386d5	\\xe7024e26fb6d52729a6e60a3bc7c4bdeb417c0cd061f3253e7781e55985c979b1a5efe16a6c64f86d7d58d085da92255281522a8388de94d10f878c3e81106a19331
19	900-12-19	Zoë 19	ps1.5wFOJvttGXjORbIFu-Uqeqvz5LBVlQIlBTIxKQwOug2FQGpxFFnJOrE	\\xe7014e26fb6d3a500f438cf39f15073499b332062362f3adfcf2ff7580d0b01fecf8980f372a6783546fc5	\\xe12cd2bacd656bbd7aa6f2ae9d6a1448	\\xe7024e26fb6dd3145709f85e0e7aca7273c05f61419c7ab74068f6411a80a8c593f162d3d8aa35e6a30a02620bdf127704aea25f75bcddb6e6204e13b6d2b6c7f25e
27	900-12-27	Zoë 27	ps1.5wFOJvttbuus3GpZzJYk818XiBbKv6m6IxdJSMi7cfKfZ3la0_7pVpI	\\xe7014e26fb6d3545498a31ffd9a5f86b5f0131454ec12d5f164d6b53483b63a53cb9b9f6203f3d2ae8a5e7	\\x73d95a6b52fb3dcc7391eb44006ba296	\\xe7024e26fb6dc133721c7e264876ebc6c3833d48b10ab0747e342e3a21fa46451f3f694f8989678987180c1444d81794dcf5486f5d4348965b65614fdf60f41ae9c6
35	900-12-35	\N	ps1.5wFOJvtt4dDucwWM0dHtFNGrK6l3m-_Ft8KJ9GgCUtelUhqc9NNFRIU	\\xe7014e26fb6de1b044438b5df87bc63798afe5438f6614d47b6b67edd468be517eb654f2ed2af9db2f41c8	\\x01822bee5e542e8e33e8a37d87a60a6b	\N
43	900-12-43	Zoë 43	ps1.5wFOJvttxQQPKNrwC57MEIcUZVQF_xCEi9PKFeq7v4HoR3tRJmUhcZM	\\xe7014e26fb6dfe1c92446720e1a2a01789bb36beaea4bd8b61ae0f4ecf2b166ff02656464f760fdb8ae512	\\xc145e3bf0d3ddb64ba40ef0cb7ca1664	\\xe7024e26fb6df0b5d9a690b5d9ec0a9a02d29e1745db6bc2a625d7731be1708717c17424a0c937c938f28ec627258b8ced5340250cf812919ceb048b0e1160ce60e1
51	900-12-51	Zoë 51	ps1.5wFOJvttyFC-kYz7Cbp0Cm1wXh3RInQQGiJqFGPggL7CNDHS2cia2C8	\\xe7014e26fb6ddb9dfe30a7be91874cb621917db72841ad9a91193abe2977808895d899dd9b50f540cf38ff	\\xf264dfaf705fbafdbbf597d90a31f6be	\\xe7024e26fb6d456e07061c911fbdb324d40cda699c4ead9aac35453ad5623cea9e5104f36c3a73b190e03b617c15e7ea1f23fdd1be4686aaac9e493662ba5056a570
2	\N	Zoë 2	ps1.5wFOJvttIHjLaMLlZ2qIx6iJuAw5eGqzNIij0EwCbxFFzzFzgpaUCQ	\\xe7014e26fb6db1e786d6416953b4b876a02b2819e20f2cc3d6093d252ce5ad4235aeb6c6861da23b2c0e	\\x62f2736ac5d20c9462c5098bba538874	\\xe7024e26fb6d8fa55a24dcb407cdb950865708868b7c902996a817a18bff3d47fe5baa43e382a1021411a8dc775715388432499004d547eacc186c0e4c9d7eb7dc81
18	\N	Zoë 18	ps1.5wFOJvttLc2dwbHm9zOBrps28LfvDNcaGpKb6RVarkzW-aqf4TckU_g	\\xe7014e26fb6de12ac8943c0897cd423f4c5bf644f040869ba43790cd71c92f4e5471c54e8cd097c9d8a1b3	\\x41a7fe37171433b6872b65c8967cd973	\\xe7024e26fb6df91808150aeb4e12e6ff3892646083da8a14bddcb485a9a6eb2b31449ef33d8df45fd7760a9da1a23cb5dcc9a7858e43c1137118810acfffd4a5e5c0
36	\N	Zoë 36	ps1.5wFOJvttOJKveebgJk-84iFGQlPDMlOJVL7m5_dAIjX6cC5kTs4nmD0	\\xe7014e26fb6d7cbe42e40caa90cad7d2df19fa5ce809d297f82714208f908c26b54aaef9ae7e9b4ba19472	\\x0fc3b3edcc05f9f2fd2e9349eeae60e9	\\xe7024e26fb6d29a58d26f9550c1fcc3b0a7d891d5b32eceee47f1cd17073221c9f9560d792c6033ea733af3ff1d65d3b55794b47b7bfb01e1097df67b853d68995b8
52	\N	Zoë 52	ps1.5wFOJvtt0TlTOLwzovyWZ9R7uXeXqK5YnsbWBAJZlBobqaw1EdchAA8	\\xe7014e26fb6d01fc5bda91d19f525af0c363a252c24d70d6e58005c9610fb1e260fce5a5d315ee4bc72c71	\\x417be78dd4aac5548042333aa108c528	\\xe7024e26fb6d6cfe4ae8ea62510a8400b557e03f6fda399468cba5e20a678975d67d08c1269fd2a12c43faef8065b59306d8528bebce8b7dfe4a6d0590bcd700504f
\.


--
-- Data for Name: refused; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.refused (id, code, code_sealed) FROM stdin;
3	three, which is far too long	\N
1	one	\\xe7014e26fb6d83442670b5b84b793ef8487c9daeb865660f197ef14e3ece2abfdd05dc26f4
2	two	\\xe7014e26fb6db92083be3069574c37a85b4ddcd1d4c86bed24561db912f60ee2468366ca11
\.


--
-- Data for Name: visits; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.visits (clinic, id, reason, reason_sealed) FROM stdin;
2	8	reason 8	\\xe70114947e96a1c2ed8cf934765c4a32bfcb72752efed9ae44326d4f068eb329bc0ae0fd0709573b6824
1	16	reason 16	\\xe70114947e96c73d8bbc8e57c3e6cf1ccfc1b73416b573877cd45a387e1609a4c0fc4c6c755060fae02eb7
0	24	reason 24	\\xe70114947e963578b9afc7547f6017e8f72adb232f3314523fe55b62eeeb2f1f607300e1494f9b2f2cd7e9
2	32	reason 32	\\xe70114947e9606fab1d2e4fd29dd6da7dfbd9283f33f7e75ae12f97e51619bf136d5f84effe65629e86718
1	40	reason 40	\\xe70114947e96250371da45b85a092b2c8110141c491ad13775b8bbc5418fac945e1007669408d6371bd1e0
0	48	reason 48	\\xe70114947e96091ec6ff6ff3bd41d899b6efa89c792f094bf9b39a84548c3a3d397be70a171abb7e64bd92
2	56	reason 56	\\xe70114947e96a9575e62e9d1e7457fa2cb4c457f0dcbc5f856f74dd9d9fecff4cbc3781e8f34e510e5f87a
0	72	reason 72	\\xe70114947e96a5be4bb2f8ecb9511df707c80ab4a7b085be7141c32c24032e3d6126877e0d8f42627fae6b
2	80	reason 80	\\xe70114947e96b6ed8864cc92ba01b9e0521462133ad8da3a1351aaabb9a6f327061b8d0d07eeb24012ac1f
1	88	reason 88	\\xe70114947e967289b4a7f0cce367542ba6a6286fd79315fbb91ef69eec6868d166b908ad186d9569674464
0	96	reason 96	\\xe70114947e96e0f8f191ff10d7cbfe75b45f820fce3230458fbd24535bc8c50deca3aa526bfefd19275506
2	104	reason 104	\\xe70114947e960075f46a23e49a4fd48ad7af8fead1c0ab2b0df645983651e6c50c4747d07fbdde6dbce3cef1
1	112	reason 112	\\xe70114947e9699988b5f713e91bd2123db344296c1f93dd1bdb07e630ee8257ba1603020460a88ab28c50773
0	120	reason 120	\\xe70114947e96d0703105b74a2f0cc1d2b2f7fc3e7a55d5bfe2948d96cabf5b4572c0299daf1b5b1bb732f21f
1	136	reason 136	\\xe70114947e9618625d8469b37264674385e3c43635ebc6dd65718002759c0c30ea4133bc824a4bcd1b376baa
0	144	reason 144	\\xe70114947e961e512d77710d7dbc631d9302d8ad358052bba66a52d2040a0b93585d1c0021894d66b27c6287
2	152	reason 152	\\xe70114947e96dbe624032138eec1c90bb49e2b0a1a01ed2dd44bd310805f97494afede1e8ad2268b2033b56a
0	165	reason 165	\\xe70114947e96541af6994d57f92aa278262ce19d944abc016e3d1fa3a41a64d14b0ba391ad147e52c69e5658
1	1	reason 1	\\xe70114947e9642170b69251988e5505a1e8e97ab593e58c8f3227bf134a36fe38a6dcb2232fea3d431d9
0	9	reason 9	\\xe70114947e9670350a314b4cfea879c1df8f208e55288af58ad0cba9ac3fe0dfdcf84fdc2b6b4111ecd3
2	17	reason 17	\\xe70114947e965bd58a5816d2e3a02bb6ff7bdd8ee443260213d8c05d12e877ada06e759af391aa17edfac5
0	33	reason 33	\\xe70114947e96a0c53060d1f063527d8ab9c113e40868d462692f8f577c6690d1e2b1f638751b12d3b0fdbd
2	41	reason 41	\\xe70114947e96a963d9ffb501051a6dcd3c1903dac50c65b9ddf8fa5ae042a62c0ba70d1d398abd49d5a1cd
1	49	reason 49	\\xe70114947e960cb7c014608899197ff9e0b1bad7feedf8e78bc2202961f59dbf07d1fbf49643b64ff5914c
0	57	reason 57	\\xe70114947e961059ec523843fe77e1d59807bc407f9b92a495ee74fca192f7be101f7572c7d66e1d0dabd1
2	65	reason 65	\\xe70114947e968a862319e49d3ba864a225adff533d2ebff7cffc1426087efc39574e04f5c1fd3750c01868
1	73	reason 73	\\xe70114947e960befc4c1839d42e11b9f3a53a05687e5390a0f4a2ebb7f04ce85e73b99b9d8491d6c9b29ad
0	81	reason 81	\\xe70114947e961da20fd6a7e213a14d2d0d4801f5d66afe6a0942a4f1b742e9c973db62f41c8c0941faaa85
1	97	reason 97	\\xe70114947e96be59a2a852136353a155c034cdd49adc6fae79a6b9c4cd12d09a2ac226d2cfe93daf3a7dcb
0	105	reason 105	\\xe70114947e964da0f5a27feaf575e78469d61d87af2d7497a4e247bb7d4c85aa089d6f423f06e758cc6e0162
2	113	reason 113	\\xe70114947e9693a734d960558a8339da7a739a35473382780e80e91f3f0ba5696489baa5b86aa2eb3bc60986
1	121	reason 121	\\xe70114947e964af059dc9ecd0a942d5dabdfe97c38816f46bc4c196b1987ff61b9121669c35e8950786a4a86
0	129	reason 129	\\xe70114947e96042e46f49434f73243ad7ade36b47479ed904bc8b3da0b2921b2f7dc73fd85674ad3796b7b6a
2	137	reason 137	\\xe70114947e9691e79989e9d30c4d1fabb92f181beae641b8fddf3033c2fcc750a91b1b0720405ac631431bc7
1	145	reason 145	\\xe70114947e968e27a6c3db5962207a76faddb0bf9049480f44dcdab3301105252fcc8103812f0be0357bcb9d
2	158	reason 158	\\xe70114947e9697b6aa3d938b70537e971912d7a416d72a0b0517c29f9db61fd0dc2c391bf69ee19fcd7b4353
2	2	reason 2	\\xe70114947e96dec6af17b8b766de0bc0d613083464cbaf276369dccbf37f8e01a85cb4fe9f9cab543f29
1	10	reason 10	\\xe70114947e96dbfb236dbbe32a026c9045bce9bb53355ffcefcbad5df1b737b9bb32c908042a6913385622
0	18	reason 18	\\xe70114947e96da65a2719d2a832532f22a60501c95c46fb070d0aa4dd2ec488f094a551de5609319a79006
2	26	reason 26	\\xe70114947e969a1d95b030e0c09de7b48140af20c4cf8724c241146c9e45d1e06430acfaa7580ce472b10c
1	34	reason 34	\\xe70114947e96945db4e8602f3dfdb20569cdd7d48f291053e0cc9128939a022086e66e42ca3cbbbe2085d5
0	42	reason 42	\\xe70114947e963875e164fea967d155cab1fb4b7e91a7ec836bda53f50e89b287362fe9ad8b3604c2d5f2a2
1	58	reason 58	\\xe70114947e960b4ede737c6f526e4b2e0699bbf2334b3836ac858afe40e03c340205ed66dc96bc23bfe4cf
0	66	reason 66	\\xe70114947e96d595bb69b3c405a859c61e7af63f8fedc7eb590e34ec3740a98948477f48abb9c665036862
2	74	reason 74	\\xe70114947e96f59088ddfd720efb6db002849c44208452ca62e580cec4155bdac146ff77c8b8cb3c6faeaa
1	82	reason 82	\\xe70114947e9697e9093ea5cca7b9854f15f08653812190f8faa7ab6c6ade2b3e39c5f8e78b5c7d061fb4d5
0	90	reason 90	\\xe70114947e9633b7a8a02b97d0e6f98ac11cfed158c13eb999bcc8b55ae094843116716fade77c1650eec7
2	98	reason 98	\\xe70114947e96cd9f785396d83ade0443d8d2f7a80ece855078091137a4e259aedd3746275173a3b70dc41a
1	106	reason 106	\\xe70114947e9602bd4ca8091b1faf83ce9a7edd1800121749cc6ae30bd081ca6ad0c78d995aed7f345a3c0853
2	122	reason 122	\\xe70114947e961bc778247ee618c9ddd3571dabe78ca6a4cf6dd21253ace3e669d5a980d0a85a943281bcec5e
1	130	reason 130	\\xe70114947e968f52443214af3a3d850589856031e306b4ef59e317d1282fcec9ae63fb3ba32c00baed56e65f
0	138	reason 138	\\xe70114947e96ff3f1e3355e9051ca6f94a359206cfa4932f7357bf8ff774c6cce9fd2150109fd8593c4df315
2	146	reason 146	\\xe70114947e9657c2985e69b1165daefc05d66dd7ab0fcc5d2e409f99843531a87050ab4de9331681b75db7ad
1	154	reason 154	\\xe70114947e96c6753ff4ca4292b146d9d2305c31f6691bf6d0a4f3cfc172273796ad43ec8d808ea905a3a8e9
0	159	reason 159	\\xe70114947e962f7db74654a304fd8197ffe171007f514e23a85ab85441230d2cbfe100f94468e1ec79b14ab0
0	3	reason 3	\\xe70114947e96c24aec33cd3f644fe4cebce30d586eea694cc2375aa3e3ae9108e68546cce9903f3b5498
1	19	reason 19	\\xe70114947e9692adda33680fdb9dd729fcaab4138a77874fa3e1d5b897bd5ced4f5055b938527da2d968f3
0	27	reason 27	\\xe70114947e96a384d8f095efe5e1e2725e7b2546048ac93bf27c5ffe18f5f206c871fc928b5a25e0970b26
2	35	reason 35	\\xe70114947e96383ec1f5d857ce8f989c7f7a2bf696a086f907819d695afdf705b969a7a662d2e25f336f79
1	43	reason 43	\\xe70114947e96b9f20ea1741dfb302529bd3b81090901c6122198915ae0cb1e973cb93ddbe8e0e77872fef2
0	51	reason 51	\\xe70114947e96317b71e66ce49cbc6830678c3f7fb55d18cd875b9a7729efabdb2fc37ecc33a886203eb83b
2	59	reason 59	\\xe70114947e965d3ce3418bac133ddf403bee466e19aca655ec91e15e67131722ab96d0263bafbf835c8741
1	67	reason 67	\\xe70114947e961a6944df5389fb2fcbed447acbd99677860ffd185e108cccfce144f8717152a180ba2922f9
2	83	reason 83	\\xe70114947e96be2e9f352ec835f1a821556a31be50f126c94a4f2b67d740510202394d8e7b7dcbca2ff568
1	91	reason 91	\\xe70114947e969c345ee245ac6904e8e72e8442e225eb0ed11c7e706efad8837451e8f93d168b9c46018e09
0	99	reason 99	\\xe70114947e9622cff178cfec19c02cbd628a08787728bfd1d52fe224837c9d221a2bdc6bf90a7ef1277d5b
2	107	reason 107	\\xe70114947e965dc21f7b8677feac9711060189d405add6b8019288c5a983d6a715732e71a16e6f6d503da891
1	115	reason 115	\\xe70114947e9673c42b56d89a76e33c45d0137a80b53151913627a640562c6aeac5a53e59bd7e31d33d4fd6c9
0	123	reason 123	\\xe70114947e9646625d5dba28f4da90e8a8d2259888648f54d8506f68fc8b557fb1b334ab2d307fb88d100e3c
2	131	reason 131	\\xe70114947e96030f0ac37f6345fd89ed82fe00f6b400de4afb25fa69953bf619c63f807e792519f83ce3735e
0	147	reason 147	\\xe70114947e96321c2cae507b62f3d714ae78f37540801e134f56f374ce3721d6a36effa587ef902f9943c7a0
2	155	reason 155	\\xe70114947e96a485adbe85a4b07276694b4a9f90761e2c0bb1d9d22439ab597571f21d86d71dc5b19c4b591b
1	160	reason 160	\\xe70114947e9623bcf18608ec616dd058150b2170b287e012a7f78196fe4c4e28b5193cbd75459e920b00142a
1	4	reason 4	\\xe70114947e965bfe65e210c9c83cb5b894cc1910e78d3391a3bb8fbb7b3e40d91526f018f576fdd7699c
0	12	reason 12	\\xe70114947e960c8ee536851e774008ea5a7e1d3d7114cfd3a074d4f48daafc9e5af092e8285f9f55a7b737
2	20	reason 20	\\xe70114947e96063c8f67b15aee626774812818083de7a5c8538197d765781564b3361388b86672b9597712
1	28	reason 28	\\xe70114947e968fcdcf6ab4fccadd404e428c60db671bb60f6a1ca63d3623d2a034301e4b532937ea8523c9
0	36	reason 36	\\xe70114947e962b120b994588d607b66858c723a4fbff04999ed7013e7f21b9a056619b8fe946a35545b704
2	44	reason 44	\\xe70114947e9645376ca42bbedf96600c7219a87ac7db02a2f735d7225c7444079fafadaef6b84056154e8b
1	52	reason 52	\\xe70114947e9666b62263fa2178f028ed4019b1b7b87e4f754aa23f7f2258bb046e4d025b7000f417033661
0	60	reason 60	\\xe70114947e96e41398a25822140e7273031cc3c13323ea65a0fe687571c65185d510233ffcda2eb0b8c282
1	76	reason 76	\\xe70114947e966dfd8c3fd44c671e3df7a684de4811638a7b693ee8abfcefa218248495c230bedf4c05e447
0	84	reason 84	\\xe70114947e9646969c3ffb81cec1e2b03462538d813fb8b77e850445c97d52fd932d05810fada023c74999
2	92	reason 92	\\xe70114947e968794dbc45546d6881692c571a4cd8478c1970f21f4adc065589b526500484e08bd84fe76a9
1	100	reason 100	\\xe70114947e962fcee53e6d55e15304d3ebef8b27130dd088b8ab54482ef0a3fcafd3fc5ee23ec115ea5f1730
0	108	reason 108	\\xe70114947e96c893159af134108dd1e4ff31911dcaea0ab962dac97d518f6b90dbb748c0771be600408fd179
2	116	reason 116	\\xe70114947e96286ae637e73c9e1a190ea137eaddad016a543ece4d20c9d84aa70d0b96d0aada5ae61bf05302
1	124	reason 124	\\xe70114947e963d1ee172bf9da22efbd18af0c74aa4d7fd05cb264ade4a7df336022843bb6ff124e122f07aea
2	140	reason 140	\\xe70114947e96bd0804c0ecac42b1e7d96a02f90f77094e63f7ad4220f2412b7a2025c141381e4d996e112392
1	148	reason 148	\\xe70114947e962213841991eacc0432f8249566b4bd9c9fbbcf025e5fd5dc5e6716f3017297382a99a71bd8d9
0	156	reason 156	\\xe70114947e967432a0085106479bf33b6f59b7d78791eb7b30b0961886263e62d9811a8df6a1343fcea13fb7
2	161	reason 161	\\xe70114947e96f621c256310623383d1d08c4f1170c5c0ce20d98a0d03c18ecab16bff65272dd2dffe4470b9d
2	5	reason 5	\\xe70114947e96aff61b450b56059c8ab315b046b64af56a63ad4c6e597d717c7ee601a560bf016a7e2fb3
1	13	reason 13	\\xe70114947e96b3d6ecad8e4fe96b230bfca7449a56d3beaff51a30da1463b3c8d4143b806ff20a09443caa
0	21	reason 21	\\xe70114947e96c5ea793acdbb21c43c391617e72ede377aa3f39725e1b73f11c59efcfe42f018ad6be587bd
1	37	reason 37	\\xe70114947e9683aa68f357315620ff90a70d1e364ba3ead8f6c22f3f632fd71299d539baf2d4014e200825
0	45	reason 45	\\xe70114947e96822a83dd329dc4b32d48ecf8256a7654f650d092f031a23230a8c4ba21c9caaa57552e8104
2	53	reason 53	\\xe70114947e96a95c45f780d6e927bc2df0150a10bf1cf82e5a428fe7654d3bfbf0e241c38d30a5dfdf00b4
1	61	reason 61	\\xe70114947e96efef5bf68dc0b03306646d3ce0762e54c96e064bfd0422beaef59a7a3ee1adb20070c04230
0	69	reason 69	\\xe70114947e965be3161e8cb2f7ccaa463a701615ecea17e4ef172e9d5e95031c7f8ef47cccc6a644b2404f
2	77	reason 77	\\xe70114947e9652a78766ab411bc164bf60ccc0ec26222ed285692506fddff6e6ae8b8b8e9b412aaef2cedb
1	85	reason 85	\\xe70114947e96c10c548a6c158c70cfcc51fc35d19b3b0e5c8179d8f0a6e8d600c558888432cbabdc9114a4
2	101	reason 101	\\xe70114947e96dbf696c131f0d3da48b5b4cb758ce5cb22e4a9147ec7c15c3caa8ae00f9dedc078b134b301ec
1	109	reason 109	\\xe70114947e96406f746ad0408d832139954c0803365bba82f372abac137c8b30d5955df2e3456b09be4e80c3
0	117	reason 117	\\xe70114947e9625dfd89598c56818e2aa993b4da5d95ddee1fb0faefac7784ea4b8fc401fb76fea859c773f20
2	125	reason 125	\\xe70114947e96bfc9ac1f1ada83c76067a0dc7ac6899482eb3c78fd5150a9c35e0605783a56e560cf0679f4a8
1	133	reason 133	\\xe70114947e96d73dd0667b962515944260e6864ca24c6f3eaf47096f5c6979fafa96b5e808ffcb27caab20b8
0	141	reason 141	\\xe70114947e96f1fd4a56a286b1422d22e828e4817ffc34dcebf34662352bb8b129193815934b32401d51d75e
2	149	reason 149	\\xe70114947e9679004d403019da35d3c4b98f7e6bb6b21ff8d3443424a138cdea9a7206f0b19f69a6d1654087
0	162	reason 162	\\xe70114947e96a7660e29ef81bd62f1e8341c5fa83bd3ec539b0b5b112c0ca5575260cd7a3623098a792abf4d
0	6	reason 6	\\xe70114947e96425b8e44e2813ece168ccb9c802b2b52ebfdccfedfe98f07ca787a7d4e964171b1813a80
2	14	reason 14	\\xe70114947e96b45c436357730cf5fea2e6fb9cd83a1601a5952d66e3db4e2a6a5d5d89d9435f7377466f80
1	22	reason 22	\\xe70114947e96ac1bbb9184812da6a3080232c65d33d67656a07916fff9854b4e5f6d27835b697bec06a5ac
0	30	reason 30	\\xe70114947e9678aaeae822051dccda00b8e04b3de7c45c0ce9124607f91bd5167aa910a98a5d03a92a931f
2	38	reason 38	\\xe70114947e9615a0ba6d1531e129cda59804b3a6ad0557c4479674e20ae5564c9c9bd54b624497b16c2101
1	46	reason 46	\\xe70114947e9626c7514b89096ec168e69417e0f2e68fbeaade9c8b11a9f50136dcdc5a61ec6c1fb68736c7
2	62	reason 62	\\xe70114947e967565e25ce4ee8f003df1fd61459746e89a8df8ced3ffbaff521784778f1ae73f2f3c37d341
1	70	reason 70	\\xe70114947e963914287678a166227b48b7f05867b5a77581562ff723196e69349d3a3eea108cbcafe057f0
0	78	reason 78	\\xe70114947e96057a4a8051574067d8b3f6ab1ac99d2d4275bfee4465b9ba371a753bfc6d1a01a73de2d073
2	86	reason 86	\\xe70114947e96410b9a4cdefe2b378fea70b46297467b3b8eb4c481a3238a18ef369f0e2ab2c86386f0bd4e
1	94	reason 94	\\xe70114947e96c77c706ea4808f6a2e707e8df360fbce6fc626f8e083ebb64125801a80b9eabd316f764431
0	102	reason 102	\\xe70114947e969b75e9bf52b619f426aa3c076acf2a78b20c45558522ceba26b556f44ecf6f60bc04f0bf4211
2	110	reason 110	\\xe70114947e965afe058f986d528044df28d39d103a13beb40a11a84180a9fa121dbb5d3b28513ea550b1400f
0	126	reason 126	\\xe70114947e96dca39516656ec930b4a139c956b8eeb64580b57cecaa321d8bae350aa8c69887b128893de47d
2	134	reason 134	\\xe70114947e960b03490c5b45c95f6aca9aad485f7666b6085911ba2183a1a449a50f4e36831945c88dba9a1e
1	142	reason 142	\\xe70114947e96a4d08fa008cd736fbc49b4f8e62ae795b8119d5fe46fc00eadb99ab5155972608f40701d1b56
0	150	reason 150	\\xe70114947e960eb13f4ffe4d8f36961c3de0dd1bcf564a8c6f1bd1d672cc85466ca8de0794d85441c95d815f
1	163	reason 163	\\xe70114947e965af0e338f1cc6d37e7d14ea9fde54c3db4714be53c416a53187481475592c2f3282cd5257c31
1	7	reason 7	\\xe70114947e9656a6830649c7217252f25f916314a4e661dbcc1ee9534fe892924a171afd020e4faba090
0	15	reason 15	\\xe70114947e9665763075941f3f0b96b597c41fca2470caeb6f2190402d4827695a92167afd9fe8688f249c
1	31	reason 31	\\xe70114947e96e19eed193518d0ec85221bd432ab7d68bc2cd1703036a2fce909ede4c78127b7667eef1266
0	39	reason 39	\\xe70114947e9647710c606e7edc7a05a265314802f196bdc42892fb07aaa58a3590dca108ebce1f97a9f3f3
2	47	reason 47	\\xe70114947e96237495534ef6667550f1cb75b5e805d6eba150659087611d60abc5424a5167ed8f093a6d75
1	55	reason 55	\\xe70114947e962cd55ef22be3a21f618e73d0d774874350f50d2f9e534be18fa2eab423399242226a81c3af
0	63	reason 63	\\xe70114947e96836d589ccabf21b5347977849422d3bd178fbefcb43b80230ba3c232529561767814a55a4b
2	71	reason 71	\\xe70114947e96a194478bdcbcf06484ca859fe25b129cc5cc2a836770fe3362ecb2258e70e90fd5db72cefe
1	79	reason 79	\\xe70114947e96f8b3f83c5c2d285bf578b6b4deaa328077f29b4903419ecb009b6e724eec368e4ae781e317
2	95	reason 95	\\xe70114947e96a1f0ab7e846a08ed3c3a827d39b41090164c4944e414adf662132ccaabcc4d97cc85d269cf
1	103	reason 103	\\xe70114947e96a3bbf55948e230c198cc6e4852a6466e898942db7fb52f3d91b8446e22396546040893bff024
0	111	reason 111	\\xe70114947e96ee393173f11e667545e2ef2d3ef0ae69edc2e313c11b7d0dbddb25a5d1efd749474633aaffdf
2	119	reason 119	\\xe70114947e96c4e123f537093a7a526f7c0720a99766728b1f0698bb85732d5a04179278dfb1f670d0f16b3b
1	127	reason 127	\\xe70114947e966b9b34d7a7cd77c0a1ccd5d1b391bd8deaeab6ebb5119693f2c31b2428a5b5fc99c17c240e96
0	135	reason 135	\\xe70114947e96d02bcfddc5b26015a21095df09d5d793ddad159c11c5a6eba4f750b068354493499717cfc793
2	143	reason 143	\\xe70114947e96810cc717cd32ec28c1b245dff714fe22b8d277eed47e489a2a4fbd5eb414d67e8d5d8bde3a34
2	164	reason 164	\\xe70114947e968e376737cd2707aab77f257c8448d1145f97ec6900858b90cc38baea169ec78158ba5d21a9da
1	64	reason 64	\\xe7014e26fb6d61b7edbab08ae6c83a845a1b60b45e4e1fd827d48982396a726824565de8facf37a94c8ecb
2	128	reason 128	\\xe7014e26fb6d184c61e3bee3c4ae0b5b639fa2634e20a526dcea17a4892db67fcee6caff7084c60f43dbd45a
1	25	reason 25	\\xe7014e26fb6d579a8d1968f300b477a029dbb8b4b849cea6a44d2b98af5552019b9086fd8d374b5d0cfaf9
2	89	reason 89	\\xe7014e26fb6d17de45c227e6be976fe0ceddf5c54a5ca265082192c171705789cc6de7dbb99e56d141d769
0	153	reason 153	\\xe7014e26fb6db3fc536606ae93b5a1c289aeb375c095a522c680f406c8cbb9e261b1df19d4012b6c24efc68a
2	50	reason 50	\\xe7014e26fb6d83797ed5a580d8b4d90224f0ba79b7d5bcdd2dc45b3f50e3401874514f39d3570dd39fdcda
0	114	reason 114	\\xe7014e26fb6d4cfd2d7874d3f21895fb76534042257d277b7a9fcecd84913e413f7b1c3b3a617bcdb8c5c48f
2	11	reason 11	\\xe7014e26fb6d21c288da1ce88fe920597975f19f1c33134b904e2f7bcf083ca05f82765fb79d861e05ff92
0	75	reason 75	\\xe7014e26fb6dc53c3279e3e30f4fa7e1982824ffd9b326e580dff136a1c3eec29bf257e63679cb9f585724
1	139	reason 139	\\xe7014e26fb6dda908a3831419438c21843d887056799fc37b21f9f726646b62d2da7439c087c9ee2ba5c6d76
2	68	reason 68	\\xe7014e26fb6d75da60ea448bd474c9ba20a65807de5ce91239741eed31090f98ea53650f25a59788278060
0	132	reason 132	\\xe7014e26fb6dd4de4c6f11ef6fa703beecde710cdeb79679584ccd0356ad557d803943b9612fc993702317ac
2	29	reason 29	\\xe7014e26fb6db399a073902972d1451f757b023fae8c85536890133e8f641fd0cfdcf93e4c922e080343b1
0	93	reason 93	\\xe7014e26fb6df636e8faa794f52ff074d8ba783504a4dd3dc7ef232557f5311e8ffb815d83e091d680365c
1	157	reason 157	\\xe7014e26fb6dc1dde0f7790bd49fbb0666c83c31fa1e97cf403250feb1cb343325431999cde6e5c1d27768a3
0	54	reason 54	\\xe7014e26fb6dcf7dcbcf835f92422f2e1a0bc76b5ea2eed68578ac733ab5297dbd90a6d4aa48fbdbe36987
1	118	reason 118	\\xe7014e26fb6d570cc48ef3a5c4b0b3b875b91f6425091129bf67669cc3d7a8f464831945a5aec914f1b88a1d
2	23	reason 23	\\xe7014e26fb6dc17a59fbd068930ef98605a07d1a7577ed6098b3a99c3601f325c4232f5b2ca3ec987c34b3
0	87	reason 87	\\xe7014e26fb6d435388110eccaba7789dc8df2fb7c6bf1d7c030bba89f668144b0f72be73a8f7c034ad7046
1	151	reason 151	\\xe7014e26fb6d575f45f4d5762c843d4a986cd110e78bf4043e39bf6169e824c96fcf12ed32fbcc5146d4a963
\.


--
-- Name: encrypted_field_metadata_field_id_seq; Type: SEQUENCE SET; Schema: phiseal; Owner: -
--

SELECT pg_catalog.setval('phiseal.encrypted_field_metadata_field_id_seq', 8, true);


--
-- Name: key_rotation_history_history_id_seq; Type: SEQUENCE SET; Schema: phiseal; Owner: -
--

SELECT pg_catalog.setval('phiseal.key_rotation_history_history_id_seq', 3, true);


--
-- Name: key_transitions_transition_id_seq; Type: SEQUENCE SET; Schema: phiseal; Owner: -
--

SELECT pg_catalog.setval('phiseal.key_transitions_transition_id_seq', 17, true);


--
-- Name: quarantine_quarantine_id_seq; Type: SEQUENCE SET; Schema: phiseal; Owner: -
--

SELECT pg_catalog.setval('phiseal.quarantine_quarantine_id_seq', 1, true);


--
-- Name: runs_run_id_seq; Type: SEQUENCE SET; Schema: phiseal; Owner: -
--

SELECT pg_catalog.setval('phiseal.runs_run_id_seq', 11, true);


--
-- Name: audit_head audit_head_pkey; Type: CONSTRAINT; Schema: phiseal; Owner: -
--

ALTER TABLE ONLY phiseal.audit_head
    ADD CONSTRAINT audit_head_pkey PRIMARY KEY (id);


--
-- Name: audit_log audit_log_pkey; Type: CONSTRAINT; Schema: phiseal; Owner: -
--

ALTER TABLE ONLY phiseal.audit_log
    ADD CONSTRAINT audit_log_pkey PRIMARY KEY (entry_id);


--
-- Name: encrypted_field_metadata encrypted_field_metadata_pkey; Type: CONSTRAINT; Schema: phiseal; Owner: -
--

ALTER TABLE ONLY phiseal.encrypted_field_metadata
    ADD CONSTRAINT encrypted_field_metadata_pkey PRIMARY KEY (field_id);


--
-- Name: encrypted_field_metadata encrypted_field_metadata_table_label_column_label_key; Type: CONSTRAINT; Schema: phiseal; Owner: -
--

ALTER TABLE ONLY phiseal.encrypted_field_metadata
    ADD CONSTRAINT encrypted_field_metadata_table_label_column_label_key UNIQUE (table_label, column_label);


--
-- Name: encryption_keys encryption_keys_pkey; Type: CONSTRAINT; Schema: phiseal; Owner: -
--

ALTER TABLE ONLY phiseal.encryption_keys
    ADD CONSTRAINT encryption_keys_pkey PRIMARY KEY (key_id);


--
-- Name: encryption_keys encryption_keys_tenant_purpose_version_key; Type: CONSTRAINT; Schema: phiseal; Owner: -
--

ALTER TABLE ONLY phiseal.encryption_keys
    ADD CONSTRAINT encryption_keys_tenant_purpose_version_key UNIQUE (tenant, purpose, version);


--
-- Name: key_rotation_history key_rotation_history_pkey; Type: CONSTRAINT; Schema: phiseal; Owner: -
--

ALTER TABLE ONLY phiseal.key_rotation_history
    ADD CONSTRAINT key_rotation_history_pkey PRIMARY KEY (history_id);


--
-- Name: key_transitions key_transitions_pkey; Type: CONSTRAINT; Schema: phiseal; Owner: -
--

ALTER TABLE ONLY phiseal.key_transitions
    ADD CONSTRAINT key_transitions_pkey PRIMARY KEY (transition_id);


--
-- Name: lanes lanes_pkey; Type: CONSTRAINT; Schema: phiseal; Owner: -
--

ALTER TABLE ONLY phiseal.lanes
    ADD CONSTRAINT lanes_pkey PRIMARY KEY (run_id, lane_no);


--
-- Name: migration_lock migration_lock_pkey; Type: CONSTRAINT; Schema: phiseal; Owner: -
--

ALTER TABLE ONLY phiseal.migration_lock
    ADD CONSTRAINT migration_lock_pkey PRIMARY KEY (set_name);


--
-- Name: migrations_engine migrations_engine_pkey; Type: CONSTRAINT; Schema: phiseal; Owner: -
--

ALTER TABLE ONLY phiseal.migrations_engine
    ADD CONSTRAINT migrations_engine_pkey PRIMARY KEY (version);


--
-- Name: quarantine quarantine_pkey; Type: CONSTRAINT; Schema: phiseal; Owner: -
--

ALTER TABLE ONLY phiseal.quarantine
    ADD CONSTRAINT quarantine_pkey PRIMARY KEY (quarantine_id);


--
-- Name: rotation_counts rotation_counts_pkey; Type: CONSTRAINT; Schema: phiseal; Owner: -
--

ALTER TABLE ONLY phiseal.rotation_counts
    ADD CONSTRAINT rotation_counts_pkey PRIMARY KEY (run_id, lane_no, history_id, from_key_id);


--
-- Name: runs runs_pkey; Type: CONSTRAINT; Schema: phiseal; Owner: -
--

ALTER TABLE ONLY phiseal.runs
    ADD CONSTRAINT runs_pkey PRIMARY KEY (run_id);


--
-- Name: clinics clinics_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.clinics
    ADD CONSTRAINT clinics_pkey PRIMARY KEY (id);


--
-- Name: letters letters_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.letters
    ADD CONSTRAINT letters_pkey PRIMARY KEY (id);


--
-- Name: orders orders_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);


--
-- Name: people people_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.people
    ADD CONSTRAINT people_pkey PRIMARY KEY (id);


--
-- Name: refused refused_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.refused
    ADD CONSTRAINT refused_pkey PRIMARY KEY (id);


--
-- Name: visits visits_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.visits
    ADD CONSTRAINT visits_pkey PRIMARY KEY (clinic, id);


--
-- Name: encryption_keys_one_active; Type: INDEX; Schema: phiseal; Owner: -
--

CREATE UNIQUE INDEX encryption_keys_one_active ON phiseal.encryption_keys USING btree (tenant, purpose) WHERE (status = 'active'::text);


--
-- Name: key_rotation_history_one_open; Type: INDEX; Schema: phiseal; Owner: -
--

CREATE UNIQUE INDEX key_rotation_history_one_open ON phiseal.key_rotation_history USING btree (COALESCE(from_key_id, 0)) WHERE (finished_at IS NULL);


--
-- Name: key_transitions_by_key; Type: INDEX; Schema: phiseal; Owner: -
--

CREATE INDEX key_transitions_by_key ON phiseal.key_transitions USING btree (key_id);


--
-- Name: quarantine_by_table; Type: INDEX; Schema: phiseal; Owner: -
--

CREATE INDEX quarantine_by_table ON phiseal.quarantine USING btree (table_label, state);


--
-- Name: quarantine_one_unresolved; Type: INDEX; Schema: phiseal; Owner: -
--

CREATE UNIQUE INDEX quarantine_one_unresolved ON phiseal.quarantine USING btree (table_label, row_tag, COALESCE(column_label, ''::text)) WHERE (state <> 'resolved'::text);


--
-- Name: rotation_counts_by_rotation; Type: INDEX; Schema: phiseal; Owner: -
--

CREATE INDEX rotation_counts_by_rotation ON phiseal.rotation_counts USING btree (history_id);


--
-- Name: runs_one_open; Type: INDEX; Schema: phiseal; Owner: -
--

CREATE UNIQUE INDEX runs_one_open ON phiseal.runs USING btree (table_label) WHERE (finished_at IS NULL);


--
-- Name: people_ssn_bidx_phiseal; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX people_ssn_bidx_phiseal ON public.people USING btree (ssn_bidx);


--
-- Name: audit_head audit_head_kept; Type: TRIGGER; Schema: phiseal; Owner: -
--

CREATE TRIGGER audit_head_kept BEFORE DELETE OR TRUNCATE ON phiseal.audit_head FOR EACH STATEMENT EXECUTE FUNCTION phiseal.refuse_statement('the head of the audit log is kept');

ALTER TABLE phiseal.audit_head ENABLE ALWAYS TRIGGER audit_head_kept;


--
-- Name: audit_log audit_log_append_only; Type: TRIGGER; Schema: phiseal; Owner: -
--

CREATE TRIGGER audit_log_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON phiseal.audit_log FOR EACH STATEMENT EXECUTE FUNCTION phiseal.refuse_statement('the audit log is append-only');

ALTER TABLE phiseal.audit_log ENABLE ALWAYS TRIGGER audit_log_append_only;


--
-- Name: encrypted_field_metadata encrypted_field_metadata_frozen; Type: TRIGGER; Schema: phiseal; Owner: -
--

CREATE TRIGGER encrypted_field_metadata_frozen BEFORE UPDATE ON phiseal.encrypted_field_metadata FOR EACH ROW EXECUTE FUNCTION phiseal.encrypted_field_metadata_frozen();


--
-- Name: encrypted_field_metadata encrypted_field_metadata_kept; Type: TRIGGER; Schema: phiseal; Owner: -
--

CREATE TRIGGER encrypted_field_metadata_kept BEFORE DELETE OR TRUNCATE ON phiseal.encrypted_field_metadata FOR EACH STATEMENT EXECUTE FUNCTION phiseal.refuse_statement('labels are never freed');

ALTER TABLE phiseal.encrypted_field_metadata ENABLE ALWAYS TRIGGER encrypted_field_metadata_kept;


--
-- Name: encryption_keys encryption_keys_kept; Type: TRIGGER; Schema: phiseal; Owner: -
--

CREATE TRIGGER encryption_keys_kept BEFORE DELETE OR TRUNCATE ON phiseal.encryption_keys FOR EACH STATEMENT EXECUTE FUNCTION phiseal.refuse_statement('keys are destroyed, never deleted');

ALTER TABLE phiseal.encryption_keys ENABLE ALWAYS TRIGGER encryption_keys_kept;


--
-- Name: encryption_keys encryption_keys_lifecycle; Type: TRIGGER; Schema: phiseal; Owner: -
--

CREATE TRIGGER encryption_keys_lifecycle BEFORE INSERT OR UPDATE ON phiseal.encryption_keys FOR EACH ROW EXECUTE FUNCTION phiseal.encryption_keys_lifecycle();

ALTER TABLE phiseal.encryption_keys ENABLE ALWAYS TRIGGER encryption_keys_lifecycle;


--
-- Name: encryption_keys encryption_keys_moved; Type: TRIGGER; Schema: phiseal; Owner: -
--

CREATE TRIGGER encryption_keys_moved AFTER INSERT OR UPDATE ON phiseal.encryption_keys FOR EACH ROW EXECUTE FUNCTION phiseal.encryption_keys_moved();

ALTER TABLE phiseal.encryption_keys ENABLE ALWAYS TRIGGER encryption_keys_moved;


--
-- Name: key_rotation_history key_rotation_history_frozen; Type: TRIGGER; Schema: phiseal; Owner: -
--

CREATE TRIGGER key_rotation_history_frozen BEFORE UPDATE ON phiseal.key_rotation_history FOR EACH ROW EXECUTE FUNCTION phiseal.key_rotation_history_frozen();

ALTER TABLE phiseal.key_rotation_history ENABLE ALWAYS TRIGGER key_rotation_history_frozen;


--
-- Name: key_rotation_history key_rotation_history_kept; Type: TRIGGER; Schema: phiseal; Owner: -
--

CREATE TRIGGER key_rotation_history_kept BEFORE DELETE OR TRUNCATE ON phiseal.key_rotation_history FOR EACH STATEMENT EXECUTE FUNCTION phiseal.refuse_statement('rotation history is kept');

ALTER TABLE phiseal.key_rotation_history ENABLE ALWAYS TRIGGER key_rotation_history_kept;


--
-- Name: key_transitions key_transitions_kept; Type: TRIGGER; Schema: phiseal; Owner: -
--

CREATE TRIGGER key_transitions_kept BEFORE DELETE OR UPDATE OR TRUNCATE ON phiseal.key_transitions FOR EACH STATEMENT EXECUTE FUNCTION phiseal.refuse_statement('what happened to a key is kept');

ALTER TABLE phiseal.key_transitions ENABLE ALWAYS TRIGGER key_transitions_kept;


--
-- Name: refused a_refuse; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER a_refuse BEFORE UPDATE ON public.refused FOR EACH ROW WHEN ((length(new.code) > 20)) EXECUTE FUNCTION public.refuse();


--
-- Name: clinics ~phiseal_i; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER "~phiseal_i" BEFORE INSERT ON public.clinics FOR EACH ROW WHEN (((current_setting('phiseal.engine'::text, true) IS DISTINCT FROM 'on'::text) AND (new.phone_sealed IS NOT NULL))) EXECUTE FUNCTION phiseal.guard_insert_a0581cf906d838dc();

ALTER TABLE public.clinics ENABLE ALWAYS TRIGGER "~phiseal_i";


--
-- Name: orders ~phiseal_i; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER "~phiseal_i" BEFORE INSERT ON public.orders FOR EACH ROW WHEN (((current_setting('phiseal.engine'::text, true) IS DISTINCT FROM 'on'::text) AND (new.memo_sealed IS NOT NULL))) EXECUTE FUNCTION phiseal.guard_insert_b2852c9ff2f8f54c();

ALTER TABLE public.orders ENABLE ALWAYS TRIGGER "~phiseal_i";


--
-- Name: people ~phiseal_i; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER "~phiseal_i" BEFORE INSERT ON public.people FOR EACH ROW WHEN (((current_setting('phiseal.engine'::text, true) IS DISTINCT FROM 'on'::text) AND ((new.name_sealed IS NOT NULL) OR (new.note IS NOT NULL) OR (new.ssn_sealed IS NOT NULL) OR (new.ssn_bidx IS NOT NULL)))) EXECUTE FUNCTION phiseal.guard_insert_8ac4f21ffdcb4955();

ALTER TABLE public.people ENABLE ALWAYS TRIGGER "~phiseal_i";


--
-- Name: refused ~phiseal_i; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER "~phiseal_i" BEFORE INSERT ON public.refused FOR EACH ROW WHEN (((current_setting('phiseal.engine'::text, true) IS DISTINCT FROM 'on'::text) AND (new.code_sealed IS NOT NULL))) EXECUTE FUNCTION phiseal.guard_insert_8fac4fa44d77277c();

ALTER TABLE public.refused ENABLE ALWAYS TRIGGER "~phiseal_i";


--
-- Name: visits ~phiseal_i; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER "~phiseal_i" BEFORE INSERT ON public.visits FOR EACH ROW WHEN (((current_setting('phiseal.engine'::text, true) IS DISTINCT FROM 'on'::text) AND (new.reason_sealed IS NOT NULL))) EXECUTE FUNCTION phiseal.guard_insert_245fab202bd40a40();

ALTER TABLE public.visits ENABLE ALWAYS TRIGGER "~phiseal_i";


--
-- Name: clinics ~phiseal_u; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER "~phiseal_u" BEFORE UPDATE ON public.clinics FOR EACH ROW WHEN (((current_setting('phiseal.engine'::text, true) IS DISTINCT FROM 'on'::text) AND (ROW(old.id, old.clinic, old.phone, old.phone_sealed) *<> ROW(new.id, new.clinic, new.phone, new.phone_sealed)))) EXECUTE FUNCTION phiseal.guard_update_a0581cf906d838dc();

ALTER TABLE public.clinics ENABLE ALWAYS TRIGGER "~phiseal_u";


--
-- Name: orders ~phiseal_u; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER "~phiseal_u" BEFORE UPDATE ON public.orders FOR EACH ROW WHEN (((current_setting('phiseal.engine'::text, true) IS DISTINCT FROM 'on'::text) AND (ROW(old.id, old.memo, old.memo_sealed) *<> ROW(new.id, new.memo, new.memo_sealed)))) EXECUTE FUNCTION phiseal.guard_update_b2852c9ff2f8f54c();

ALTER TABLE public.orders ENABLE ALWAYS TRIGGER "~phiseal_u";


--
-- Name: people ~phiseal_u; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER "~phiseal_u" BEFORE UPDATE ON public.people FOR EACH ROW WHEN (((current_setting('phiseal.engine'::text, true) IS DISTINCT FROM 'on'::text) AND (ROW(old.id, old.name, old.name_sealed, old.note, old.ssn, old.ssn_sealed, old.ssn_bidx) *<> ROW(new.id, new.name, new.name_sealed, new.note, new.ssn, new.ssn_sealed, new.ssn_bidx)))) EXECUTE FUNCTION phiseal.guard_update_8ac4f21ffdcb4955();

ALTER TABLE public.people ENABLE ALWAYS TRIGGER "~phiseal_u";


--
-- Name: refused ~phiseal_u; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER "~phiseal_u" BEFORE UPDATE ON public.refused FOR EACH ROW WHEN (((current_setting('phiseal.engine'::text, true) IS DISTINCT FROM 'on'::text) AND (ROW(old.id, old.code, old.code_sealed) *<> ROW(new.id, new.code, new.code_sealed)))) EXECUTE FUNCTION phiseal.guard_update_8fac4fa44d77277c();

ALTER TABLE public.refused ENABLE ALWAYS TRIGGER "~phiseal_u";


--
-- Name: visits ~phiseal_u; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER "~phiseal_u" BEFORE UPDATE ON public.visits FOR EACH ROW WHEN (((current_setting('phiseal.engine'::text, true) IS DISTINCT FROM 'on'::text) AND (ROW(old.clinic, old.id, old.reason, old.reason_sealed) *<> ROW(new.clinic, new.id, new.reason, new.reason_sealed)))) EXECUTE FUNCTION phiseal.guard_update_245fab202bd40a40();

ALTER TABLE public.visits ENABLE ALWAYS TRIGGER "~phiseal_u";


--
-- Name: encrypted_field_metadata encrypted_field_metadata_blind_index_key_id_fkey; Type: FK CONSTRAINT; Schema: phiseal; Owner: -
--

ALTER TABLE ONLY phiseal.encrypted_field_metadata
    ADD CONSTRAINT encrypted_field_metadata_blind_index_key_id_fkey FOREIGN KEY (blind_index_key_id) REFERENCES phiseal.encryption_keys(key_id);


--
-- Name: key_rotation_history key_rotation_history_from_key_id_fkey; Type: FK CONSTRAINT; Schema: phiseal; Owner: -
--

ALTER TABLE ONLY phiseal.key_rotation_history
    ADD CONSTRAINT key_rotation_history_from_key_id_fkey FOREIGN KEY (from_key_id) REFERENCES phiseal.encryption_keys(key_id);


--
-- Name: key_rotation_history key_rotation_history_to_key_id_fkey; Type: FK CONSTRAINT; Schema: phiseal; Owner: -
--

ALTER TABLE ONLY phiseal.key_rotation_history
    ADD CONSTRAINT key_rotation_history_to_key_id_fkey FOREIGN KEY (to_key_id) REFERENCES phiseal.encryption_keys(key_id);


--
-- Name: key_transitions key_transitions_key_id_fkey; Type: FK CONSTRAINT; Schema: phiseal; Owner: -
--

ALTER TABLE ONLY phiseal.key_transitions
    ADD CONSTRAINT key_transitions_key_id_fkey FOREIGN KEY (key_id) REFERENCES phiseal.encryption_keys(key_id);


--
-- Name: lanes lanes_run_id_fkey; Type: FK CONSTRAINT; Schema: phiseal; Owner: -
--

ALTER TABLE ONLY phiseal.lanes
    ADD CONSTRAINT lanes_run_id_fkey FOREIGN KEY (run_id) REFERENCES phiseal.runs(run_id);


--
-- Name: quarantine quarantine_run_id_fkey; Type: FK CONSTRAINT; Schema: phiseal; Owner: -
--

ALTER TABLE ONLY phiseal.quarantine
    ADD CONSTRAINT quarantine_run_id_fkey FOREIGN KEY (run_id) REFERENCES phiseal.runs(run_id);


--
-- Name: rotation_counts rotation_counts_from_key_id_fkey; Type: FK CONSTRAINT; Schema: phiseal; Owner: -
--

ALTER TABLE ONLY phiseal.rotation_counts
    ADD CONSTRAINT rotation_counts_from_key_id_fkey FOREIGN KEY (from_key_id) REFERENCES phiseal.encryption_keys(key_id);


--
-- Name: rotation_counts rotation_counts_history_id_fkey; Type: FK CONSTRAINT; Schema: phiseal; Owner: -
--

ALTER TABLE ONLY phiseal.rotation_counts
    ADD CONSTRAINT rotation_counts_history_id_fkey FOREIGN KEY (history_id) REFERENCES phiseal.key_rotation_history(history_id);


--
-- Name: rotation_counts rotation_counts_run_id_lane_no_fkey; Type: FK CONSTRAINT; Schema: phiseal; Owner: -
--

ALTER TABLE ONLY phiseal.rotation_counts
    ADD CONSTRAINT rotation_counts_run_id_lane_no_fkey FOREIGN KEY (run_id, lane_no) REFERENCES phiseal.lanes(run_id, lane_no);


--
-- PostgreSQL database dump complete
--


