-- Security of the set facility, tried with real roles: the isolation of tenants, the append-only logs, what goes and
-- what stays on DELETE, checks and updated_at. Run as a superuser, as one string or script, on a database with all
-- migrations of the set and no rows. Every expectation is checked: a wrong outcome raises "EXPECTED …" and ends the
-- script. The last row is 'all hold'; everything is rolled back, the roles too.
--     psql -v ON_ERROR_STOP=1 -f facility.sql
--
-- phiseal_test_facility_app is the application: no owner, no BYPASSRLS. SELECT, INSERT, UPDATE, DELETE and TRUNCATE are
-- granted to it, so that what refuses is a policy or a trigger and not a missing GRANT. phiseal_test_facility_owner
-- owns the tables. SET SESSION AUTHORIZATION stands for a connection as that role.

BEGIN;
SET LOCAL client_min_messages = 'warning';

CREATE ROLE phiseal_test_facility_app LOGIN;
CREATE ROLE phiseal_test_facility_clerk LOGIN;
CREATE ROLE phiseal_test_facility_owner LOGIN;

DO $do$
DECLARE
    r record;
BEGIN
    EXECUTE format('GRANT CREATE, USAGE ON SCHEMA %I TO phiseal_test_facility_owner', current_schema());
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO phiseal_test_facility_app, phiseal_test_facility_clerk',
                   current_schema());
    FOR r IN SELECT c.oid::regclass AS rel FROM pg_class c
              WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO phiseal_test_facility_owner', r.rel);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON %s TO phiseal_test_facility_app', r.rel);
    END LOOP;
    FOR r IN SELECT p.oid::regprocedure AS fn FROM pg_proc p
              WHERE p.pronamespace = current_schema()::regnamespace
                AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e') LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO phiseal_test_facility_owner', r.fn);
    END LOOP;
END $do$;

CREATE SCHEMA expect;
GRANT USAGE ON SCHEMA expect TO PUBLIC;
SELECT set_config('search_path', current_setting('search_path') || ', expect', true);

-- Runs a statement that must fail with this SQLSTATE, or one of these, separated by |. What is looked at when a
-- transaction ends is looked at here.
CREATE FUNCTION expect.refused(p_sql text, p_states text) RETURNS void LANGUAGE plpgsql AS $do$
BEGIN
    BEGIN
        EXECUTE p_sql;
        SET CONSTRAINTS ALL IMMEDIATE;
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

-- Runs an INSERT, UPDATE or DELETE that must meet this many rows, and hold when the transaction ends.
CREATE FUNCTION expect.meets(p_sql text, p_rows bigint) RETURNS void LANGUAGE plpgsql AS $do$
DECLARE
    n bigint;
BEGIN
    EXECUTE p_sql;
    GET DIAGNOSTICS n = ROW_COUNT;
    SET CONSTRAINTS ALL IMMEDIATE;
    SET CONSTRAINTS ALL DEFERRED;
    IF n <> p_rows THEN
        RAISE EXCEPTION 'EXPECTED % rows but met %: %', p_rows, n, p_sql;
    END IF;
END $do$;

-- Ids that can be read: a digit for the table, a letter for the tenant.
-- 0 tenant, 1 user, 2 address, 3 facility, 4 client, 5 specialist, 6 placement_info, 7 contributor.
CREATE FUNCTION expect.id(p_name text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $do$
    SELECT (left(p_name, 1) || '0000000-0000-4000-8000-00000000000' || right(p_name, 1))::uuid
$do$;

-- The tenant that the session works for: a letter stands for its id, anything else for itself.
CREATE FUNCTION expect.as_tenant(p_tenant text) RETURNS void LANGUAGE sql AS $do$
    SELECT set_config('app.tenant_id', CASE WHEN p_tenant ~ '^[a-cA-C]$'
        THEN '00000000-0000-4000-8000-00000000000' || p_tenant ELSE p_tenant END, true)
$do$;

-- How many rows of each table the caller sees, in the order of the tables' names.
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

-- Neither log can be changed, a statement that meets no row included.
CREATE FUNCTION expect.immutable() RETURNS void LANGUAGE plpgsql AS $do$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['user_action_audit_log', 'system_audit_log'] LOOP
        PERFORM expect.refused(format('UPDATE %I SET created_at = now()', t), '42501');
        PERFORM expect.refused(format('UPDATE %I SET created_at = now() WHERE false', t), '42501');
        PERFORM expect.refused(format('DELETE FROM %I', t), '42501');
        PERFORM expect.refused(format('DELETE FROM %I WHERE false', t), '42501');
        PERFORM expect.refused(format('TRUNCATE %I', t), '42501');
    END LOOP;
END $do$;

-- Two tenants with a row in every table, and one row of system_audit_log that is of no tenant; written an hour ago.
SET SESSION AUTHORIZATION phiseal_test_facility_owner;
INSERT INTO tenant (id, name, slug) SELECT id('0' || t), upper(t), t FROM unnest(ARRAY['a', 'b']) t;
INSERT INTO "user" (id, tenant_id, email, role)
    SELECT id('1' || t), id('0' || t), t || '@example.org', 'STAFF' FROM unnest(ARRAY['a', 'b']) t;
INSERT INTO address (id, tenant_id, entity_type, line1)
    SELECT id('2' || t), id('0' || t), 'facility', '1 High Street' FROM unnest(ARRAY['a', 'b']) t;
INSERT INTO facility (id, tenant_id, name, address_id, created_at, updated_at)
    SELECT id('3' || t), id('0' || t), 'House ' || t, id('2' || t), h, h
      FROM unnest(ARRAY['a', 'b']) t, (SELECT now() - interval '1 hour') ago (h);
INSERT INTO client (id, tenant_id, facility_id, first_name, last_name, created_at, updated_at)
    SELECT id('4' || t), id('0' || t), id('3' || t), 'Ann', 'Lee', h, h
      FROM unnest(ARRAY['a', 'b']) t, (SELECT now() - interval '1 hour') ago (h);
INSERT INTO specialist (id, tenant_id, full_name, address_id)
    SELECT id('5' || t), id('0' || t), 'Dr Lind', id('2' || t) FROM unnest(ARRAY['a', 'b']) t;
INSERT INTO placement_info (id, tenant_id, client_id, facility_id, diagnosis)
    SELECT id('6' || t), id('0' || t), id('4' || t), id('3' || t), 'E11.9' FROM unnest(ARRAY['a', 'b']) t;
INSERT INTO contributor (id, tenant_id, placement_info_id, user_id)
    SELECT id('7' || t), id('0' || t), id('6' || t), id('1' || t) FROM unnest(ARRAY['a', 'b']) t;
INSERT INTO form_field_contribution (tenant_id, placement_info_id, contributor_id, field_name)
    SELECT id('0' || t), id('6' || t), id('7' || t), 'diagnosis' FROM unnest(ARRAY['a', 'b']) t;
INSERT INTO placement_info_specialists (tenant_id, placement_info_id, specialist_id)
    SELECT id('0' || t), id('6' || t), id('5' || t) FROM unnest(ARRAY['a', 'b']) t;
INSERT INTO medication (tenant_id, client_id, name)
    SELECT id('0' || t), id('4' || t), 'Metformin' FROM unnest(ARRAY['a', 'b']) t;
INSERT INTO facility_staff (tenant_id, facility_id, user_id)
    SELECT id('0' || t), id('3' || t), id('1' || t) FROM unnest(ARRAY['a', 'b']) t;
INSERT INTO metadata (tenant_id, form_name) SELECT id('0' || t), 'intake' FROM unnest(ARRAY['a', 'b']) t;
INSERT INTO user_action_audit_log (tenant_id, user_id, action)
    SELECT id('0' || t), id('1' || t), 'client.read' FROM unnest(ARRAY['a', 'b']) t;
INSERT INTO system_audit_log (tenant_id, event)
    SELECT id('0' || t), 'backup' FROM unnest(ARRAY['a', 'b']) t UNION ALL SELECT NULL, 'start';
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;

-- 1. Isolation --------------------------------------------------------------------------------------------------------

SET SESSION AUTHORIZATION phiseal_test_facility_app;

-- Without a tenant, with an empty one, with one that is no uuid, with one that does not exist: nothing.
SELECT gives('SELECT seen()', '0 0 0 0 0 0 0 0 0 0 0 0 0 0 0');
-- Not even by naming itself beforehand does a role make a tenant.
SELECT set_config('app.tenant_id', id('0c')::text, true);
SELECT refused($$INSERT INTO tenant (id, name, slug) VALUES (id('0c'), 'C', 'c')$$, '42501');
SELECT as_tenant('');
SELECT gives('SELECT seen()', '0 0 0 0 0 0 0 0 0 0 0 0 0 0 0');
SELECT as_tenant(''' OR true --');
SELECT gives('SELECT seen()', '0 0 0 0 0 0 0 0 0 0 0 0 0 0 0');
SELECT as_tenant('c');
SELECT gives('SELECT seen()', '0 0 0 0 0 0 0 0 0 0 0 0 0 0 0');
-- One row a table, and none of system_audit_log that is of no tenant. In capital letters it is the same tenant.
SELECT as_tenant('A');
SELECT gives('SELECT seen()', '1 1 1 1 1 1 1 1 1 1 1 1 1 1 1');
SELECT gives('SELECT name FROM tenant', 'A');
-- Rows of B cannot be read, changed, deleted, written, or moved there.
SELECT gives($$SELECT count(*) FROM client WHERE tenant_id = id('0b')$$, '0');
SELECT meets($$UPDATE client SET status = 'ACTIVE' WHERE id = id('4b')$$, 0);
SELECT meets($$DELETE FROM client WHERE id = id('4b')$$, 0);
SELECT refused($$INSERT INTO client (tenant_id, facility_id) VALUES (id('0b'), id('3b'))$$, '42501');
SELECT refused($$UPDATE metadata SET tenant_id = id('0b')$$, '42501');
SELECT refused($$INSERT INTO tenant (name, slug) VALUES ('C', 'c')$$, '42501');
SELECT refused($$INSERT INTO system_audit_log (event) VALUES ('of no tenant')$$, '42501');
-- A policy that others add does not widen that.
RESET SESSION AUTHORIZATION;
CREATE POLICY others ON client USING (true);
SET SESSION AUTHORIZATION phiseal_test_facility_app;
SELECT gives('SELECT count(*) FROM client', '1');
SELECT refused($$INSERT INTO client (tenant_id, facility_id) VALUES (id('0b'), id('3b'))$$, '42501');
-- Foreign keys: nothing of A refers to anything of B.
SELECT refused($$UPDATE client SET facility_id = id('3b')$$, '23503');
SELECT refused($$INSERT INTO medication (tenant_id, client_id) VALUES (id('0a'), id('4b'))$$, '23503');
SELECT refused($$INSERT INTO facility_staff (tenant_id, facility_id, user_id) VALUES (id('0a'), id('3a'), id('1b'))$$,
    '23503');
-- The tenant's own rows are written.
SELECT meets($$UPDATE client SET status = 'ACTIVE'$$, 1);
-- The owner sees all, and is held by foreign keys too.
SET SESSION AUTHORIZATION phiseal_test_facility_owner;
SELECT gives('SELECT seen()', '2 2 2 2 2 2 2 2 2 2 2 3 2 2 2');
SELECT refused($$UPDATE client SET facility_id = id('3b') WHERE id = id('4a')$$, '23503');

-- 2. Append-only logs -------------------------------------------------------------------------------------------------

-- As the application, as the owner, as a superuser, and under the replica role: UPDATE, DELETE and TRUNCATE are
-- refused, a statement that meets no row too. New rows are taken.
SET SESSION AUTHORIZATION phiseal_test_facility_app;
SELECT as_tenant('a');
SELECT meets($$INSERT INTO user_action_audit_log (tenant_id, user_id, action)
    VALUES (id('0a'), id('1a'), 'client.update')$$, 1);
SELECT immutable();
SET SESSION AUTHORIZATION phiseal_test_facility_owner;
SELECT immutable();
SELECT refused('TRUNCATE tenant CASCADE', '42501');
RESET SESSION AUTHORIZATION;
SELECT immutable();
SELECT refused('TRUNCATE tenant CASCADE', '42501');
SET LOCAL session_replication_role = 'replica';
SELECT immutable();
SET LOCAL session_replication_role = 'origin';
-- Who is in the log stays.
SET SESSION AUTHORIZATION phiseal_test_facility_owner;
SELECT refused($$DELETE FROM "user" WHERE id = id('1a')$$, '23001|23503');

-- 3. updated_at -------------------------------------------------------------------------------------------------------

-- It moves with a change, not with an update that changes nothing, not for the sealing engine.
SELECT meets('UPDATE facility SET updated_at = updated_at', 2);
SELECT gives('SELECT count(*) FROM facility WHERE updated_at = created_at', '2');
SELECT meets($$UPDATE facility SET phone = '555-0100' WHERE id = id('3b')$$, 1);
SELECT gives('SELECT id = id(''3b'') FROM facility WHERE updated_at > created_at', 'true');
SELECT set_config('phiseal.engine', 'on', true);
SELECT meets($$UPDATE client SET first_name_sealed = '\x00' WHERE updated_at = created_at$$, 1);
SELECT set_config('phiseal.engine', '', true);
SELECT gives('SELECT count(*) FROM client WHERE first_name_sealed IS NOT NULL AND updated_at = created_at', '1');

-- 4. Deletes ----------------------------------------------------------------------------------------------------------

-- An address in use goes, and what referred to it stays in its tenant; as a role that may not change facility.
GRANT SELECT, DELETE ON address TO phiseal_test_facility_clerk;
SET SESSION AUTHORIZATION phiseal_test_facility_clerk;
SELECT as_tenant('a');
SELECT refused('UPDATE facility SET address_id = NULL', '42501');
SELECT meets('DELETE FROM address', 1);
SET SESSION AUTHORIZATION phiseal_test_facility_owner;
SELECT gives($$SELECT count(*) FROM facility WHERE address_id IS NULL AND tenant_id = id('0a')$$, '1');
SELECT gives('SELECT count(*) FROM specialist WHERE address_id IS NULL', '1');
SELECT gives('SELECT count(*) FROM facility WHERE address_id IS NOT NULL', '1');
-- A contributor with contributions stays, and a facility with clients, and a tenant with rows.
SELECT refused($$DELETE FROM contributor WHERE id = id('7a')$$, '23503');
SELECT refused($$DELETE FROM facility WHERE id = id('3a')$$, '23001|23503');
SELECT refused($$DELETE FROM tenant WHERE slug = 'a'$$, '23001|23503');
-- A client takes medication, placement, contributors, contributions and the specialists' rows along.
SELECT meets($$DELETE FROM client WHERE id = id('4a')$$, 1);
SELECT gives('SELECT count(*) FROM medication', '1');
SELECT gives('SELECT count(*) FROM placement_info', '1');
SELECT gives('SELECT count(*) FROM contributor', '1');
SELECT gives('SELECT count(*) FROM form_field_contribution', '1');
SELECT gives('SELECT count(*) FROM placement_info_specialists', '1');
SELECT gives('SELECT count(*) FROM specialist', '2');

-- 5. Checks -----------------------------------------------------------------------------------------------------------

SELECT refused($$INSERT INTO "user" (tenant_id, email) VALUES (id('0b'), 'no address')$$, '23514');
SELECT refused($$UPDATE client SET admitted_on = '2024-02-02', discharged_on = '2024-02-01'$$, '23514');
SELECT meets($$UPDATE client SET admitted_on = '2024-02-02', discharged_on = '2024-02-02'$$, 1);
SELECT refused($$UPDATE medication SET starts_on = '2024-02-02', ends_on = '2024-02-01'$$, '23514');
SELECT refused($$UPDATE placement_info SET placed_on = '2024-02-02', ended_on = '2024-02-01'$$, '23514');
SELECT refused($$UPDATE facility_staff SET starts_on = '2024-02-02', ends_on = '2024-02-01'$$, '23514');
SELECT refused($$INSERT INTO system_audit_log (user_id, event) VALUES (id('1b'), 'x')$$, '23514');
-- One live pair; a deleted one does not count.
SELECT refused($$INSERT INTO facility_staff (tenant_id, facility_id, user_id)
    SELECT tenant_id, facility_id, user_id FROM facility_staff LIMIT 1$$, '23505');
SELECT meets('UPDATE facility_staff SET deleted_at = now()', 2);
SELECT meets($$INSERT INTO facility_staff (tenant_id, facility_id, user_id)
    SELECT tenant_id, facility_id, user_id FROM facility_staff LIMIT 1$$, 1);

-- 6. Search -----------------------------------------------------------------------------------------------------------

SELECT gives($$SELECT count(*) FROM pg_indexes WHERE schemaname = current_schema()
    AND indexname = 'client_names_trgm_idx' AND indexdef LIKE '%gin_trgm_ops%'$$, '1');
RESET SESSION AUTHORIZATION;

SELECT 'all hold' AS outcome;
ROLLBACK;
