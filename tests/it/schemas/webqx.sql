-- Security of the set webqx, tried with real roles: what patients, providers and administrators see and write, the
-- seven years of the audit tables, and the rules of the tables. Run as a superuser, as one string or script, on a
-- database with all migrations of the set and no rows. Every expectation is checked: a wrong outcome raises
-- "EXPECTED …" and ends the script. The last row is 'all hold'; everything is rolled back, the roles too.
--     psql -v ON_ERROR_STOP=1 -f webqx.sql
--
-- phiseal_test_webqx_app is the application: no owner, no BYPASSRLS. SELECT, INSERT, UPDATE, DELETE and TRUNCATE are
-- granted to it, so that what refuses is a policy or a trigger and not a missing GRANT. phiseal_test_webqx_owner owns
-- the tables, phiseal_test_webqx_auditor keeps the records. SET SESSION AUTHORIZATION stands for a connection as that
-- role.

BEGIN;
SET LOCAL client_min_messages = 'warning';

CREATE ROLE phiseal_test_webqx_app LOGIN;
CREATE ROLE phiseal_test_webqx_auditor LOGIN;
CREATE ROLE phiseal_test_webqx_owner LOGIN;

DO $do$
DECLARE
    r record;
BEGIN
    EXECUTE format('GRANT CREATE, USAGE ON SCHEMA %I TO phiseal_test_webqx_owner', current_schema());
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO phiseal_test_webqx_app, phiseal_test_webqx_auditor', current_schema());
    FOR r IN SELECT c.oid::regclass AS rel FROM pg_class c
              WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO phiseal_test_webqx_owner', r.rel);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON %s TO phiseal_test_webqx_app', r.rel);
    END LOOP;
    EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO phiseal_test_webqx_app', current_schema());
    FOR r IN SELECT p.oid::regprocedure AS fn FROM pg_proc p
              WHERE p.pronamespace = current_schema()::regnamespace
                AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e') LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO phiseal_test_webqx_owner', r.fn);
    END LOOP;
END $do$;

CREATE SCHEMA expect;
GRANT USAGE ON SCHEMA expect TO PUBLIC;
SELECT set_config('search_path', current_setting('search_path') || ', expect', true);

-- Runs a statement that must fail with this SQLSTATE, or one of these, separated by |.
CREATE FUNCTION expect.refused(p_sql text, p_states text) RETURNS void LANGUAGE plpgsql AS $do$
BEGIN
    BEGIN
        EXECUTE p_sql;
    EXCEPTION WHEN OTHERS THEN
        IF SQLSTATE <> ALL (string_to_array(p_states, '|')) THEN
            RAISE EXCEPTION 'EXPECTED % but got % (%): %', p_states, SQLSTATE, SQLERRM, p_sql;
        END IF;
        RETURN;
    END;
    RAISE EXCEPTION 'EXPECTED % but it passed: %', p_states, p_sql;
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

-- Who the session works for, as the application says it.
CREATE FUNCTION expect.as_user(p_user text, p_role text) RETURNS void LANGUAGE sql AS $do$
    SELECT set_config('app.user_id', p_user, true), set_config('app.user_role', p_role, true)
$do$;

-- How many rows of each table the caller sees, in the order of the tables' names: appointments, audit_logs,
-- consent_records, insurance_info, medical_records, patients, prescriptions, providers, user_audit_log, users.
CREATE FUNCTION expect.seen() RETURNS text LANGUAGE plpgsql AS $do$
DECLARE
    tab regclass;
    n bigint;
    all_of_them bigint[] := '{}';
BEGIN
    FOR tab IN SELECT c.oid FROM pg_class c
                WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' ORDER BY c.relname LOOP
        EXECUTE format('SELECT count(*) FROM %s', tab) INTO n;
        all_of_them := all_of_them || n;
    END LOOP;
    RETURN array_to_string(all_of_them, ' ');
END $do$;

-- A claim that shows no row of any table.
CREATE FUNCTION expect.blind(p_user text, p_role text) RETURNS void LANGUAGE sql AS $do$
    SELECT expect.as_user(p_user, p_role);
    SELECT expect.gives('SELECT expect.seen()', '0 0 0 0 0 0 0 0 0 0')
$do$;

-- What no setting allows: the rows of retention below, 1 and 2, are under seven years old.
CREATE FUNCTION expect.kept() RETURNS void LANGUAGE plpgsql AS $do$
BEGIN
    PERFORM expect.refused($$UPDATE audit_logs SET action = 'y'$$, '42501');
    PERFORM expect.refused($$UPDATE user_audit_log SET action = 'y' WHERE false$$, '42501');
    PERFORM expect.refused($$DELETE FROM audit_logs$$, '42501');
    PERFORM expect.refused($$DELETE FROM user_audit_log$$, '42501');
    PERFORM expect.refused($$DELETE FROM audit_logs WHERE id = 1$$, '42501');
    PERFORM expect.refused($$DELETE FROM audit_logs WHERE id = 2$$, '42501');
    PERFORM expect.refused($$TRUNCATE audit_logs$$, '42501');
    PERFORM expect.refused($$TRUNCATE user_audit_log$$, '42501');
    PERFORM expect.refused($$TRUNCATE users CASCADE$$, '42501');
END $do$;

-- Ids begin at 1, however often this ran: a sequence that restarts is set back with the rest.
CREATE FUNCTION expect.restart() RETURNS void LANGUAGE plpgsql AS $do$
DECLARE
    r record;
BEGIN
    FOR r IN SELECT c.oid::regclass AS rel FROM pg_class c
              WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'S' LOOP
        EXECUTE format('ALTER SEQUENCE %s RESTART', r.rel);
    END LOOP;
END $do$;

SAVEPOINT no_rows;

-- 1. Access -----------------------------------------------------------------------------------------------------------

-- 1 admin, 2 and 3 providers, 4 and 5 patients, 6 an inactive admin, 7 of an unknown role.
-- Patient 1 (Ann) is of provider 1, patient 2 (Bob) of provider 2, patient 3 of nobody.
SET SESSION AUTHORIZATION phiseal_test_webqx_owner;
SELECT restart();
INSERT INTO users (email, password_hash, role, is_active) VALUES
    ('admin@example.org', 'x', 'admin', true), ('p2@example.org', 'x', 'provider', true),
    ('p3@example.org', 'x', 'provider', true), ('ann@example.org', 'x', 'patient', true),
    ('bob@example.org', 'x', 'patient', true), ('old@example.org', 'x', 'admin', false),
    ('odd@example.org', 'x', 'odd', true);
INSERT INTO providers (user_id, npi) VALUES (2, '1000000002'), (3, '1000000003');
INSERT INTO patients (user_id, mrn) VALUES (4, 'M-4'), (5, 'M-5'), (NULL, 'M-6');
INSERT INTO appointments (patient_id, provider_id, scheduled_at, status)
    VALUES (1, 1, now(), 'scheduled'), (2, 2, now(), 'scheduled');
INSERT INTO medical_records (patient_id, provider_id, appointment_id) VALUES (1, 1, 1), (2, 2, 2);
INSERT INTO prescriptions (patient_id, provider_id) VALUES (1, 1), (2, 2);
INSERT INTO insurance_info (patient_id, member_id) VALUES (1, 'A-1'), (2, 'B-2');
INSERT INTO consent_records (patient_id, type) VALUES (1, 'treatment'), (2, 'treatment');
INSERT INTO audit_logs (user_id, action) VALUES (4, 'login'), (5, 'login');
INSERT INTO user_audit_log (user_id, changed_by, action) VALUES (4, 1, 'create'), (5, 1, 'create');

SET SESSION AUTHORIZATION phiseal_test_webqx_app;
-- Nobody said: nothing.
SELECT gives('SELECT seen()', '0 0 0 0 0 0 0 0 0 0');
-- A user without a role, a role without a user, a role that is not the user's, a malformed user, an inactive one:
-- nothing.
SELECT blind('1', '');
SELECT blind('', 'admin');
SELECT blind('4', 'admin');
SELECT blind('99999999999999999999', 'admin');
SELECT blind('4294967297', 'admin');
SELECT blind('1 OR true', 'admin');
SELECT blind('6', 'admin');
-- An unknown role: oneself and nothing else.
SELECT as_user('7', 'odd');
SELECT gives('SELECT seen()', '0 0 0 0 0 0 0 0 0 1');
-- The administrator: all.
SELECT as_user('1', 'admin');
SELECT gives('SELECT seen()', '2 2 2 2 2 3 2 2 2 7');

-- The patient: their own.
SELECT as_user('4', 'patient');
SELECT gives('SELECT seen()', '1 1 1 1 1 1 1 2 1 1');
SELECT gives('SELECT mrn FROM patients', 'M-4');
-- Nobody gives themselves another role.
SELECT refused($$UPDATE users SET role = 'admin'$$, '42501');
SELECT meets($$UPDATE users SET phone = '555-0104'$$, 1);
SELECT meets($$UPDATE patients SET mrn = 'M-1'$$, 0);
SELECT refused($$INSERT INTO appointments (patient_id, provider_id, scheduled_at) VALUES (2, 2, now())$$, '42501');
SELECT refused($$INSERT INTO appointments (patient_id, provider_id, scheduled_at, status)
    VALUES (1, 2, now(), 'completed')$$, '42501');
SELECT refused($$INSERT INTO medical_records (patient_id) VALUES (1)$$, '42501');
SELECT refused($$INSERT INTO audit_logs (user_id, action) VALUES (5, 'login')$$, '42501');
SELECT meets($$INSERT INTO audit_logs (user_id, action) VALUES (4, 'record.read')$$, 1);
-- A consent that was withdrawn stays so.
SELECT meets($$UPDATE consent_records SET withdrawn_at = granted_at + interval '1 day'$$, 1);
SELECT meets($$UPDATE consent_records SET withdrawn_at = NULL$$, 0);

-- The provider: rows of their patients.
SELECT as_user('2', 'provider');
SELECT gives('SELECT seen()', '1 0 1 1 1 1 1 2 0 1');
-- No provider makes somebody their patient,
SELECT refused($$INSERT INTO appointments (patient_id, provider_id, scheduled_at) VALUES (2, 1, now())$$, '42501');
SELECT refused($$UPDATE appointments SET patient_id = 2$$, '42501');
SELECT refused($$INSERT INTO prescriptions (patient_id, provider_id) VALUES (3, 1)$$, '42501');
SELECT refused($$UPDATE medical_records SET patient_id = 2$$, '42501');
-- nor writes under another's name.
SELECT refused($$INSERT INTO medical_records (patient_id, provider_id) VALUES (1, 2)$$, '42501');
SELECT meets($$INSERT INTO medical_records (patient_id, provider_id) VALUES (1, 1)$$, 1);
SELECT meets($$UPDATE appointments SET status = 'completed'$$, 1);
-- What is over is not cancelled.
SELECT as_user('4', 'patient');
SELECT meets($$UPDATE appointments SET status = 'cancelled' WHERE status = 'completed'$$, 0);

-- A patient lets a provider in, and with the appointment cancelled out again.
SELECT as_user('4', 'patient');
SELECT meets($$INSERT INTO appointments (patient_id, provider_id, scheduled_at) VALUES (1, 2, now())$$, 1);
SELECT as_user('3', 'provider');
SELECT gives($$SELECT string_agg(mrn, ' ' ORDER BY mrn) FROM patients$$, 'M-4 M-5');
SELECT as_user('4', 'patient');
SELECT meets($$UPDATE appointments SET status = 'cancelled' WHERE provider_id = 2$$, 1);
SELECT as_user('3', 'provider');
SELECT gives($$SELECT string_agg(mrn, ' ' ORDER BY mrn) FROM patients$$, 'M-5');
ROLLBACK TO no_rows;

-- 2. Seven years ------------------------------------------------------------------------------------------------------

-- Of each table: one row of today, one of seven years less a day, two over seven years.
GRANT EXECUTE ON FUNCTION purge_audit_logs() TO phiseal_test_webqx_auditor;
SET SESSION AUTHORIZATION phiseal_test_webqx_owner;
SELECT restart();
INSERT INTO users (email, password_hash, role) VALUES ('admin@example.org', 'x', 'admin');
INSERT INTO user_audit_log (user_id, action, created_at)
    SELECT 1, 'x', now() - age::interval FROM unnest(ARRAY['0', '7 years -1 day', '7 years 3 days', '20 years']) age;
INSERT INTO audit_logs (user_id, action, created_at) SELECT user_id, action, created_at FROM user_audit_log ORDER BY id;

-- Refused to the owner and to a superuser, whatever is set.
SELECT kept();
SELECT refused($$DELETE FROM user_audit_log WHERE created_at < now() - interval '10 years'$$, '42501');
SELECT set_config('webqx.purge', 'on', true);
SELECT kept();
SELECT set_config('webqx.purge', '', true);
RESET SESSION AUTHORIZATION;
SELECT kept();
SET LOCAL session_replication_role = 'replica';
SELECT kept();
SELECT refused($$DELETE FROM audit_logs WHERE id = 4$$, '42501');
SET LOCAL session_replication_role = 'origin';
SELECT set_config('webqx.purge', 'on', true);
SELECT kept();
SELECT refused($$DELETE FROM audit_logs WHERE id = 4$$, '42501');

-- Refused to the application, as an administrator, whatever is set.
SET SESSION AUTHORIZATION phiseal_test_webqx_app;
SELECT as_user('1', 'admin');
SELECT gives('SELECT count(*) FROM audit_logs', '4');
SELECT meets('DELETE FROM audit_logs', 0);
SELECT refused($$UPDATE audit_logs SET action = 'y'$$, '42501');
SELECT refused('TRUNCATE audit_logs', '42501');
SELECT refused('SELECT purge_audit_logs()', '42501');
SELECT set_config('webqx.purge', '', true);

-- Who keeps the records purges, and nothing else. The setting ends with the function.
SET SESSION AUTHORIZATION phiseal_test_webqx_auditor;
SELECT gives($$SELECT concat_ws(' ', user_audit_log_rows, audit_logs_rows) FROM purge_audit_logs()$$, '2 2');
SELECT gives($$SELECT coalesce(current_setting('webqx.purge', true), '')$$, '');
SELECT gives($$SELECT concat_ws(' ', user_audit_log_rows, audit_logs_rows) FROM purge_audit_logs()$$, '0 0');
SELECT refused('SELECT count(*) FROM audit_logs', '42501');
SET SESSION AUTHORIZATION phiseal_test_webqx_owner;
SELECT gives('SELECT count(*) FROM user_audit_log', '2');
SELECT gives('SELECT count(*) FROM audit_logs', '4');
-- The purge is in the log, with who called it.
SELECT gives($$SELECT concat_ws(' ', details ->> 'session_user', details ->> 'audit_logs', details ->> 'user_audit_log')
    FROM audit_logs WHERE action = 'audit.purge' ORDER BY id LIMIT 1$$, 'phiseal_test_webqx_auditor 2 2');
-- After it the owner is refused as before.
SELECT meets($$INSERT INTO audit_logs (action, created_at) VALUES ('x', now() - interval '20 years')$$, 1);
SELECT refused($$DELETE FROM audit_logs WHERE created_at < now() - interval '10 years'$$, '42501');
-- Who is in a log stays.
SELECT refused('DELETE FROM users', '23001|23503');
ROLLBACK TO no_rows;

-- 3. Rules ------------------------------------------------------------------------------------------------------------

SET SESSION AUTHORIZATION phiseal_test_webqx_owner;
SELECT restart();
INSERT INTO users (email, password_hash) VALUES ('a@example.org', 'x'), ('A@example.org', 'x');
SELECT refused($$INSERT INTO users (email, password_hash) VALUES ('a@example.org', 'x')$$, '23505');
SELECT gives($$SELECT concat_ws(' ', role, is_active, email_verified) FROM users WHERE email = 'a@example.org'$$,
    'patient t f');
INSERT INTO patients (user_id) VALUES (1);
INSERT INTO providers (user_id) VALUES (2);
INSERT INTO appointments (patient_id, provider_id, scheduled_at) VALUES (1, 1, now());
INSERT INTO medical_records (patient_id, provider_id, appointment_id) VALUES (1, 1, 1);
INSERT INTO prescriptions (patient_id, provider_id) VALUES (1, 1);
INSERT INTO insurance_info (patient_id) VALUES (1);
INSERT INTO consent_records (patient_id, type) VALUES (1, 'treatment');
SELECT refused($$UPDATE prescriptions SET expires_on = prescribed_on - 1$$, '23514');
SELECT refused($$UPDATE consent_records SET withdrawn_at = granted_at - interval '1 s'$$, '23514');
-- A user goes, the patient stays; a patient with a consent stays; without one all of it goes.
SELECT meets($$DELETE FROM users WHERE id = 1$$, 1);
SELECT gives('SELECT seen()', '1 0 1 1 1 1 1 1 0 1');
SELECT refused('DELETE FROM patients', '23001|23503');
SELECT meets('DELETE FROM consent_records', 1);
SELECT meets('DELETE FROM patients', 1);
SELECT gives('SELECT seen()', '0 0 0 0 0 0 0 1 0 1');
-- The index that doubles UNIQUE.
SELECT gives($$SELECT string_agg(indexname, ' ' ORDER BY indexname) FROM pg_indexes
    WHERE schemaname = current_schema() AND tablename = 'users' AND indexdef LIKE '%(email)'$$,
    'idx_users_email users_email_key');
RESET SESSION AUTHORIZATION;

SELECT 'all hold' AS outcome;
ROLLBACK;
