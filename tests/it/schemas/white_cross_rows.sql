-- What white_cross.sql stands on: three roles, functions that check, and a row in every table. Run before it, in the
-- same string or session, as a superuser, on a database with all migrations of the set and no rows of its own.
-- It begins the transaction that white_cross.sql rolls back; nothing of it stays, the roles neither.
--     psql -v ON_ERROR_STOP=1 -f white_cross_rows.sql -f white_cross.sql
--
-- phiseal_test_white_cross_app is the application: no owner, no BYPASSRLS. SELECT, INSERT, UPDATE, DELETE and TRUNCATE
-- are granted to it, on the views too, so that what refuses is a policy or a trigger and not a missing GRANT.
-- phiseal_test_white_cross_owner owns the tables. SET SESSION AUTHORIZATION stands for a connection as that role.

BEGIN;
SET LOCAL client_min_messages = 'warning';

CREATE ROLE phiseal_test_white_cross_app LOGIN;
CREATE ROLE phiseal_test_white_cross_owner LOGIN;
CREATE ROLE phiseal_test_white_cross_engine LOGIN BYPASSRLS;

DO $do$
DECLARE
    owner text := 'phiseal_test_white_cross_owner';
    users text := 'phiseal_test_white_cross_app, phiseal_test_white_cross_engine';
    r record;
BEGIN
    EXECUTE format('GRANT CREATE, USAGE ON SCHEMA %I TO %s', current_schema(), owner);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %s', current_schema(), users);
    FOR r IN SELECT c.oid::regclass AS rel, c.relkind FROM pg_class c
              WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'v') LOOP
        EXECUTE format('ALTER %s %s OWNER TO %s', CASE r.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, r.rel, owner);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON %s TO %s', r.rel, users);
    END LOOP;
    FOR r IN SELECT p.oid::regprocedure AS fn FROM pg_proc p
              WHERE p.pronamespace = current_schema()::regnamespace
                AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e') LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO %s', r.fn, owner);
    END LOOP;
END $do$;

CREATE SCHEMA expect;
GRANT USAGE ON SCHEMA expect TO PUBLIC;
SELECT set_config('search_path', current_setting('search_path') || ', expect', true);

-- Runs a statement that must fail with this SQLSTATE, and with a message that holds no value: all values written here
-- hold the word secret.
CREATE FUNCTION expect.refused(p_sql text, p_state text) RETURNS void LANGUAGE plpgsql AS $do$
BEGIN
    BEGIN
        EXECUTE p_sql;
    EXCEPTION WHEN OTHERS THEN
        IF SQLSTATE <> p_state THEN
            RAISE EXCEPTION 'EXPECTED % but got % (%): %', p_state, SQLSTATE, SQLERRM, p_sql;
        END IF;
        IF SQLERRM ~ 'secret' THEN
            RAISE EXCEPTION 'EXPECTED a message without values: %', SQLERRM;
        END IF;
        RETURN;
    END;
    RAISE EXCEPTION 'EXPECTED % but it passed: %', p_state, p_sql;
END $do$;

-- Runs a query whose first value must be this text.
CREATE FUNCTION expect.gives(p_sql text, p_expected text) RETURNS void LANGUAGE plpgsql AS $do$
DECLARE
    got text;
BEGIN
    EXECUTE p_sql INTO got;
    IF got IS DISTINCT FROM p_expected THEN
        RAISE EXCEPTION 'EXPECTED % but got %: %', p_expected, got, p_sql;
    END IF;
END $do$;

-- Runs an INSERT, UPDATE or DELETE that must meet this many rows.
CREATE FUNCTION expect.meets(p_sql text, p_rows bigint) RETURNS void LANGUAGE plpgsql AS $do$
DECLARE
    n bigint;
BEGIN
    EXECUTE p_sql;
    GET DIAGNOSTICS n = ROW_COUNT;
    IF n <> p_rows THEN
        RAISE EXCEPTION 'EXPECTED % rows but met %: %', p_rows, n, p_sql;
    END IF;
END $do$;

-- Ids that can be read, by their last two digits: district d1, school s1, user u1, student t1; or the digits.
CREATE FUNCTION expect.id(p_name text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $do$
    SELECT ('00000000-0000-4000-8000-0000000000' || translate(p_name, 'dsut', '1234'))::uuid
$do$;

-- The context of a user, as the application sets it. A short name stands for its id.
CREATE FUNCTION expect.as_user(p_user text, p_role text, p_school text, p_district text) RETURNS void
LANGUAGE sql AS $do$
    SELECT set_config('app.' || name, CASE WHEN value ~ '^[dsu][0-9]$' THEN expect.id(value)::text ELSE value END, true)
      FROM (VALUES ('user_id', coalesce(p_user, '')), ('user_role', coalesce(p_role, '')),
                   ('school_id', coalesce(p_school, '')), ('district_id', coalesce(p_district, ''))) AS s (name, value)
$do$;

-- How many PHI tables show the caller a row, and which do not.
CREATE FUNCTION expect.seen(OUT tables bigint, OUT unseen text) LANGUAGE plpgsql AS $do$
DECLARE
    tab text;
    found_one boolean;
BEGIN
    tables := 0;
    FOREACH tab IN ARRAY audit_phi_tables() LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %I)', tab) INTO found_one;
        IF found_one THEN
            tables := tables + 1;
        ELSE
            unseen := concat_ws(' ', unseen, tab);
        END IF;
    END LOOP;
END $do$;

-- A context that shows no row of any PHI table.
CREATE FUNCTION expect.blind(p_user text, p_role text, p_school text, p_district text) RETURNS void
LANGUAGE plpgsql AS $do$
BEGIN
    PERFORM expect.as_user(p_user, p_role, p_school, p_district);
    PERFORM expect.gives('SELECT tables FROM expect.seen()', '0');
END $do$;

-- The logs that take rows and never change them.
CREATE FUNCTION expect.logs() RETURNS text[] LANGUAGE sql IMMUTABLE AS $do$
    SELECT '{audit_logs,configuration_history,document_access_log,phi_disclosure_audits,tamper_alerts}'::text[]
$do$;

-- Neither they nor disclosures that are still to be kept can be changed.
CREATE FUNCTION expect.immutable() RETURNS void LANGUAGE plpgsql AS $do$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY expect.logs() LOOP
        PERFORM expect.refused(format('UPDATE %I SET created_at = now()', t), '23001');
        PERFORM expect.refused(format('UPDATE %I SET created_at = now() WHERE false', t), '23001');
        PERFORM expect.refused(format('DELETE FROM %I', t), '23001');
        PERFORM expect.refused(format('TRUNCATE %I CASCADE', t), '23001');
    END LOOP;
    PERFORM expect.refused('DELETE FROM phi_disclosures WHERE retain_until > current_date', '23001');
    PERFORM expect.refused('UPDATE phi_disclosures SET retain_until = retain_until - 1', '23001');
    PERFORM expect.refused('TRUNCATE phi_disclosures CASCADE', '23001');
    PERFORM expect.refused('TRUNCATE users CASCADE', '23001');
END $do$;

-- A trigger that deletes from the log it is told.
CREATE TABLE expect.way_round (log text);
CREATE FUNCTION expect.go_round() RETURNS trigger LANGUAGE plpgsql AS $do$
BEGIN
    EXECUTE format('DELETE FROM %I', NEW.log);
    RETURN NEW;
END $do$;
CREATE TRIGGER go_round BEFORE INSERT ON expect.way_round FOR EACH ROW EXECUTE FUNCTION expect.go_round();

-- A row in every table: required columns only, foreign keys to the first row of the parent.
CREATE FUNCTION expect.fill() RETURNS void LANGUAGE plpgsql AS $do$
DECLARE
    todo text[];
    tab text;
    col record;
    names text;
    vals text;
    ready boolean;
    has_parent boolean;
    pass int;
BEGIN
    SELECT array_agg(relname::text ORDER BY relname) INTO todo FROM pg_class
     WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r';
    FOR pass IN 1 .. 12 LOOP
        FOREACH tab IN ARRAY todo LOOP
            EXECUTE format('SELECT EXISTS (SELECT FROM %I)', tab) INTO ready;
            CONTINUE WHEN ready OR tab = 'data_integrity_checksums';     -- triggers write these
            names := ''; vals := ''; ready := true;
            FOR col IN
                SELECT a.attname, a.atttypid, t.typtype, t.typname, f.confrelid::regclass AS parent
                  FROM pg_attribute a
                  JOIN pg_type t ON t.oid = a.atttypid
                  LEFT JOIN pg_constraint f
                    ON f.conrelid = a.attrelid AND f.contype = 'f' AND f.conkey = ARRAY[a.attnum]
                 WHERE a.attrelid = tab::regclass AND a.attnum > 0 AND NOT a.attisdropped
                   AND (a.attnotnull AND NOT a.atthasdef
                        OR a.attname IN ('district_id', 'incident_report_id', 'student_id')
                        -- of logs, the user
                        OR a.attname IN ('user_id', 'actor_id', 'requested_by', 'sender_id'))
                   -- a setting is nobody's, since its scope is SYSTEM
                   AND NOT (tab = 'system_configurations' AND a.attname IN ('district_id', 'user_id'))
            LOOP
                IF col.parent IS NOT NULL THEN
                    EXECUTE format('SELECT EXISTS (SELECT FROM %s)', col.parent) INTO has_parent;
                    ready := ready AND has_parent;
                END IF;
                names := names || ', ' || quote_ident(col.attname);
                vals := vals || ', ' || CASE
                    WHEN tab = 'drug_interactions' AND col.attname = 'drug_1_id'
                        THEN '(SELECT min(id::text)::uuid FROM drug_catalog)'
                    WHEN tab = 'drug_interactions' AND col.attname = 'drug_2_id'
                        THEN '(SELECT max(id::text)::uuid FROM drug_catalog)'
                    WHEN col.parent IS NOT NULL
                        THEN format('(SELECT id FROM %s ORDER BY created_at LIMIT 1)', col.parent)
                    WHEN tab = 'tamper_alerts' AND col.attname = 'sequence' THEN '1'
                    WHEN tab = 'budget_categories' AND col.attname = 'fiscal_year' THEN '2025'
                    WHEN tab = 'sync_queue_items' AND col.attname = 'operation' THEN '''INSERT'''
                    WHEN tab = 'webhooks' AND col.attname = 'url' THEN '''https://example.org/'''
                    WHEN col.attname = 'state' THEN '''NV'''
                    WHEN col.attname = 'cvx_code' THEN '''999'''
                    WHEN col.attname = 'dose_number' THEN '9'
                    WHEN col.typtype = 'e' THEN (
                        SELECT quote_literal(enumlabel) FROM pg_enum
                         WHERE enumtypid = col.atttypid ORDER BY enumsortorder LIMIT 1)
                    WHEN col.typname IN ('text', 'varchar') THEN quote_literal('secret')
                    WHEN col.typname IN ('int2', 'int4', 'int8', 'numeric') THEN '1'
                    WHEN col.typname = 'bytea' THEN 'sha256(''secret'')'
                    WHEN col.typname = 'bool' THEN 'false'
                    WHEN col.typname = 'date' THEN 'current_date'
                    WHEN col.typname = 'timestamptz' THEN 'now() + interval ''1 day'''
                    WHEN col.typname = 'jsonb' THEN '''{}'''
                    ELSE 'NULL'
                END;
            END LOOP;
            IF ready THEN
                EXECUTE CASE names
                    WHEN '' THEN format('INSERT INTO %I DEFAULT VALUES', tab)
                    ELSE format('INSERT INTO %I (%s) VALUES (%s)', tab, substr(names, 3), substr(vals, 3))
                END;
                IF tab = 'drug_catalog' THEN
                    INSERT INTO drug_catalog (generic_name) VALUES ('secret 2');
                END IF;
            END IF;
        END LOOP;
    END LOOP;
    FOREACH tab IN ARRAY todo LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %I)', tab) INTO ready;
        IF NOT ready THEN
            RAISE EXCEPTION 'EXPECTED a row in %', tab;
        END IF;
    END LOOP;
END $do$;

-- The rows, written by the owner. District North: schools Elm and Oak. District South: school Ash.
SET SESSION AUTHORIZATION phiseal_test_white_cross_owner;
INSERT INTO districts (id, name, code, created_at) VALUES
    (id('d1'), 'North', 'N', now() - interval '2 days'), (id('d2'), 'South', 'S', now() - interval '1 day');
INSERT INTO schools (id, district_id, name, code, created_at) VALUES
    (id('s1'), id('d1'), 'Elm', 'E', now() - interval '2 days'),
    (id('s2'), id('d1'), 'Oak', 'O', now() - interval '1 day'),
    (id('s3'), id('d2'), 'Ash', 'A', now() - interval '1 day');
INSERT INTO users (id, email, password, first_name, last_name, role, school_id, district_id, created_at)
SELECT id(name), name || '@example.org', 'secret', 'U', right(name, 1), role::user_role, id(school), id(district),
       now() - CASE name WHEN 'u1' THEN interval '2 days' ELSE '0' END
  FROM (VALUES ('u1', 'ADMIN', NULL, NULL), ('u2', 'DISTRICT_ADMIN', NULL, 'd1'), ('u3', 'SCHOOL_ADMIN', 's1', NULL),
               ('u4', 'NURSE', 's1', NULL), ('u5', 'COUNSELOR', 's1', NULL), ('u6', 'VIEWER', 's1', NULL),
               ('u7', 'NURSE', 's3', NULL)) AS u (name, role, school, district);
SELECT as_user('u1', NULL, NULL, NULL);
INSERT INTO students (id, school_id, district_id, first_name, last_name, created_at) VALUES
    (id('t1'), id('s1'), id('d1'), 'secret', 'secret', now() - interval '2 days'),
    (id('t2'), id('s2'), id('d1'), 'secret', 'secret', now()),
    (id('t3'), id('s3'), id('d2'), 'secret', 'secret', now()),
    (id('t4'), NULL, id('d1'), 'secret', 'secret', now());
SELECT fill();
INSERT INTO health_records (student_id, record_type, title, is_confidential)
    VALUES (id('t1'), 'OTHER', 'secret', true);
RESET SESSION AUTHORIZATION;
