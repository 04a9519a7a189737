-- 1754250020000 create_tenant
-- Purpose: the extensions, the functions by which this set meets tables that are there already, and tenant.
-- HIPAA: a tenant is the border that no client's data crosses (45 CFR 164.312(a)(1)).
-- Depends on: nothing. Where an extension is missing, CREATE on the database.

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['uuid-ossp', 'pg_trgm'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = wanted) THEN
            EXECUTE format('CREATE EXTENSION %I', wanted);
            EXECUTE format('COMMENT ON EXTENSION %I IS %L', wanted, 'phiseal: {"made": true}');
        END IF;
    END LOOP;
END $$;

-- Where an extension lives: not always in a schema of the search path.
CREATE FUNCTION facility_extension_schema(extension text) RETURNS text
    LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT quote_ident(n.nspname)
    FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
    WHERE e.extname = extension
$$;

-- What this set makes is marked at the end of its comment, and the way down undoes what is marked:
--   made      the table or type
--   added     the column, constraint, index or trigger of a table that was there
--   before    the comment that was there
--   not_null  the column was nullable
--   row_security  whether it was enabled
CREATE FUNCTION facility_migration_mark(comment text, mark jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    SELECT coalesce(comment || chr(10), '') || 'phiseal: ' || mark::text
$$;

CREATE FUNCTION facility_migration_marked(comment text) RETURNS jsonb
    LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    SELECT substring(comment FROM 'phiseal: ([{].*[}])$')::jsonb
$$;

-- Notes, until the transaction ends, what there is of a table that is about to be made.
CREATE FUNCTION facility_migration_begin(table_name text) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    met regclass := to_regclass(format('%I.%I', current_schema(), table_name));
    fault text;
BEGIN
    IF met IS NOT NULL THEN
        SELECT CASE
            WHEN c.relkind NOT IN ('r', 'p') THEN 'is there already, and is no table'
            WHEN a.attnum IS NULL THEN 'is there already, without a column id'
            WHEN a.atttypid <> 'pg_catalog.uuid'::regtype THEN 'is there already, and its id is no uuid'
            WHEN NOT EXISTS (
                SELECT FROM pg_catalog.pg_index i
                WHERE i.indrelid = met AND i.indisunique AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum
                  AND i.indpred IS NULL AND i.indisvalid) THEN 'is there already, and its id is no key'
        END INTO fault
        FROM pg_catalog.pg_class c
        LEFT JOIN pg_catalog.pg_attribute a
            ON a.attrelid = c.oid AND a.attname = 'id' AND NOT a.attisdropped
        WHERE c.oid = met;
        IF fault IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'wrong_object_type', TABLE = table_name,
                MESSAGE = format('%s %s', met, fault),
                HINT = 'rename it, or give it a primary key id of type uuid';
        END IF;
    END IF;
    PERFORM set_config('facility.migration', jsonb_build_object(
        'table', table_name,
        'there', met IS NOT NULL,
        'comment', obj_description(met, 'pg_class'),
        'columns', coalesce((
            SELECT jsonb_object_agg(a.attname, col_description(met, a.attnum))
            FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = met AND a.attnum > 0 AND NOT a.attisdropped), '{}'),
        'indexes', coalesce((
            SELECT jsonb_agg(c.relname)
            FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
            WHERE i.indrelid = met), '[]'),
        'not_null', '[]'::jsonb)::text, true);
END $$;

-- NOT NULL for columns that this set adds, and for tenant_id in any case. Rows that were there and
-- would break it are kept: then the column stays nullable, with a warning.
CREATE FUNCTION facility_migration_require(table_name text, VARIADIC required text[]) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    noted jsonb := current_setting('facility.migration')::jsonb;
    met regclass := format('%I.%I', current_schema(), table_name)::regclass;
    wanted text;
    was_there boolean;
    missing boolean;
BEGIN
    FOREACH wanted IN ARRAY required LOOP
        was_there := noted -> 'columns' ? wanted;
        CONTINUE WHEN was_there AND (wanted <> 'tenant_id' OR (
            SELECT a.attnotnull FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = met AND a.attname = wanted));
        EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE %I IS NULL)', met, wanted) INTO missing;
        IF missing THEN
            RAISE WARNING '%.% stays nullable: rows that were there have no value', met, wanted;
            CONTINUE;
        END IF;
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', met, wanted);
        IF was_there THEN
            noted := jsonb_set(noted, '{not_null}', noted -> 'not_null' || to_jsonb(wanted));
        END IF;
    END LOOP;
    PERFORM set_config('facility.migration', noted::text, true);
END $$;

-- A constraint, unless one of that name is there. Rows that were there are kept, with a warning: where
-- they break a foreign key, it holds for new rows only; where they break a CHECK, it is left out, since
-- it would refuse every update of them, that of the sealing too.
CREATE FUNCTION facility_migration_constrain(table_name text, constraint_name text, definition text)
    RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    noted jsonb := coalesce(nullif(current_setting('facility.migration', true), ''), '{}')::jsonb;
    met regclass := format('%I.%I', current_schema(), table_name)::regclass;
    made_here boolean := noted ->> 'table' = table_name AND NOT (noted ->> 'there')::boolean;
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_constraint c
               WHERE c.conrelid = met AND c.conname = constraint_name) THEN
        RETURN;
    END IF;
    IF definition NOT LIKE 'FOREIGN KEY%' THEN
        BEGIN
            EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s', met, constraint_name, definition);
        EXCEPTION WHEN check_violation THEN
            RAISE WARNING '% of % is left out: rows that were there break it', constraint_name, met;
            RETURN;
        END;
    ELSE
        EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s NOT VALID', met, constraint_name, definition);
        BEGIN
            EXECUTE format('ALTER TABLE %s VALIDATE CONSTRAINT %I', met, constraint_name);
        EXCEPTION WHEN foreign_key_violation THEN
            RAISE WARNING '% of % holds for new rows only: rows that were there break it',
                constraint_name, met;
        END;
    END IF;
    IF made_here IS NOT TRUE THEN
        EXECUTE format('COMMENT ON CONSTRAINT %I ON %s IS %L', constraint_name, met,
            facility_migration_mark(NULL, '{"added": true}'));
    END IF;
END $$;

-- A trigger, unless one of that name is there.
CREATE FUNCTION facility_migration_trigger(
    table_name text, trigger_name text, event text, what text, always boolean DEFAULT false)
    RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    met regclass := format('%I.%I', current_schema(), table_name)::regclass;
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_trigger t
               WHERE t.tgrelid = met AND t.tgname = trigger_name AND NOT t.tgisinternal) THEN
        RAISE WARNING 'trigger % of % was there and stays as it is', trigger_name, met;
        RETURN;
    END IF;
    EXECUTE format('CREATE TRIGGER %I %s ON %s %s', trigger_name, event, met, what);
    EXECUTE format('COMMENT ON TRIGGER %I ON %s IS %L', trigger_name, met,
        facility_migration_mark(NULL, '{"added": true}'));
    IF always THEN
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', met, trigger_name);
    END IF;
END $$;

-- Marks the table, or what was added to it.
CREATE FUNCTION facility_migration_end(table_name text) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    noted jsonb := current_setting('facility.migration')::jsonb;
    met regclass := format('%I.%I', current_schema(), table_name)::regclass;
    now_said text := obj_description(met, 'pg_class');
    part record;
    mark jsonb;
BEGIN
    IF NOT (noted ->> 'there')::boolean THEN
        EXECUTE format('ALTER TABLE %s ALTER COLUMN id SET DEFAULT %s.uuid_generate_v4()',
            met, facility_extension_schema('uuid-ossp'));
        EXECUTE format('COMMENT ON TABLE %s IS %L', met,
            facility_migration_mark(now_said, '{"made": true}'));
        RETURN;
    END IF;
    IF now_said IS DISTINCT FROM noted ->> 'comment' THEN
        EXECUTE format('COMMENT ON TABLE %s IS %L', met,
            facility_migration_mark(now_said, jsonb_build_object('before', noted ->> 'comment')));
    END IF;
    FOR part IN
        SELECT a.attname AS name, col_description(met, a.attnum) AS comment,
               noted -> 'columns' ? a.attname::text AS was_there,
               noted -> 'columns' ->> a.attname::text AS said
        FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = met AND a.attnum > 0 AND NOT a.attisdropped
    LOOP
        mark := '{}';
        IF NOT part.was_there THEN
            mark := '{"added": true}';
            PERFORM FROM jsonb_object_keys(noted -> 'columns') there (name)
            WHERE lower(there.name) = replace(part.name, '_', '');
            IF FOUND THEN
                RAISE WARNING '% has a column like % in other letters: its values are neither copied nor sealed',
                    met, part.name;
            END IF;
        ELSIF part.comment IS DISTINCT FROM part.said THEN
            mark := jsonb_build_object('before', part.said);
        END IF;
        IF noted -> 'not_null' ? part.name THEN
            mark := jsonb_build_object('before', part.said, 'not_null', true);
        END IF;
        IF mark <> '{}' THEN
            EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', met, part.name,
                facility_migration_mark(part.comment, mark));
        END IF;
    END LOOP;
    FOR part IN
        SELECT i.indexrelid::regclass AS name
        FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
        WHERE i.indrelid = met AND NOT noted -> 'indexes' ? c.relname::text
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
                          WHERE k.conrelid = met AND k.conindid = i.indexrelid
                            AND k.contype IN ('p', 'u', 'x'))
    LOOP
        EXECUTE format('COMMENT ON INDEX %s IS %L', part.name,
            facility_migration_mark(NULL, '{"added": true}'));
    END LOOP;
END $$;

-- The way down of one part: dropped if this set made it.
CREATE FUNCTION facility_migration_drop(kind text, table_name text, part_name text) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    met regclass := to_regclass(format('%I.%I', current_schema(), table_name));
    comment text;
BEGIN
    IF kind = 'CONSTRAINT' THEN
        SELECT obj_description(c.oid, 'pg_constraint') INTO comment
        FROM pg_catalog.pg_constraint c WHERE c.conrelid = met AND c.conname = part_name;
    ELSE
        SELECT obj_description(t.oid, 'pg_trigger') INTO comment
        FROM pg_catalog.pg_trigger t WHERE t.tgrelid = met AND t.tgname = part_name;
    END IF;
    IF facility_migration_marked(comment) ? 'added' THEN
        IF kind = 'CONSTRAINT' THEN
            EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', met, part_name);
        ELSE
            EXECUTE format('DROP TRIGGER %I ON %s', part_name, met);
        END IF;
    END IF;
END $$;

-- The way down of a table: dropped if this set made it, else rid of what this set added.
CREATE FUNCTION facility_migration_undo(table_name text) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    met regclass := to_regclass(format('%I.%I', current_schema(), table_name));
    mark jsonb := facility_migration_marked(obj_description(met, 'pg_class'));
    part record;
    sealed boolean;
BEGIN
    IF met IS NULL THEN
        RETURN;
    ELSIF mark ? 'made' THEN
        EXECUTE format('DROP TABLE %s', met);
        RETURN;
    END IF;
    -- A sealed value may be the only one left: nothing is undone while there is one.
    FOR part IN
        SELECT a.attname AS name FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = met AND a.attnum > 0 AND NOT a.attisdropped
          AND a.attname LIKE '%!_sealed' ESCAPE '!'
          AND facility_migration_marked(col_description(met, a.attnum)) ? 'added'
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE %I IS NOT NULL)', met, part.name) INTO sealed;
        IF sealed THEN
            RAISE EXCEPTION USING ERRCODE = 'object_in_use', TABLE = table_name, COLUMN = part.name,
                MESSAGE = format('%s.%s holds sealed values', met, part.name),
                HINT = 'phiseal restore --drop-sealed';
        END IF;
    END LOOP;
    IF mark ? 'before' THEN
        EXECUTE format('COMMENT ON TABLE %s IS %L', met, mark ->> 'before');
    END IF;
    FOR part IN
        SELECT c.conname AS name FROM pg_catalog.pg_constraint c
        WHERE c.conrelid = met
          AND facility_migration_marked(obj_description(c.oid, 'pg_constraint')) ? 'added'
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', met, part.name);
    END LOOP;
    FOR part IN
        SELECT i.indexrelid::regclass AS name FROM pg_catalog.pg_index i
        WHERE i.indrelid = met
          AND facility_migration_marked(obj_description(i.indexrelid, 'pg_class')) ? 'added'
    LOOP
        EXECUTE format('DROP INDEX %s', part.name);
    END LOOP;
    FOR part IN
        SELECT a.attname AS name, facility_migration_marked(col_description(met, a.attnum)) AS mark
        FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = met AND a.attnum > 0 AND NOT a.attisdropped
          AND facility_migration_marked(col_description(met, a.attnum)) IS NOT NULL
    LOOP
        IF part.mark ? 'added' THEN
            EXECUTE format('ALTER TABLE %s DROP COLUMN %I', met, part.name);
            CONTINUE;
        END IF;
        IF part.mark ? 'not_null' THEN
            EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', met, part.name);
        END IF;
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', met, part.name, part.mark ->> 'before');
    END LOOP;
    RAISE NOTICE '% was there before this set and stays', met;
END $$;

REVOKE EXECUTE ON FUNCTION
    facility_extension_schema(text), facility_migration_mark(text, jsonb), facility_migration_marked(text),
    facility_migration_begin(text), facility_migration_require(text, text[]),
    facility_migration_constrain(text, text, text),
    facility_migration_trigger(text, text, text, text, boolean), facility_migration_end(text),
    facility_migration_drop(text, text, text), facility_migration_undo(text)
    FROM PUBLIC;

SELECT facility_migration_begin('tenant');

CREATE TABLE IF NOT EXISTS tenant (id uuid CONSTRAINT tenant_pkey PRIMARY KEY);

ALTER TABLE tenant
    ADD COLUMN IF NOT EXISTS name       text,
    ADD COLUMN IF NOT EXISTS slug       text,
    ADD COLUMN IF NOT EXISTS is_active  boolean     NOT NULL DEFAULT true,
    ADD COLUMN IF NOT EXISTS created_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS deleted_at timestamptz;

SELECT facility_migration_require('tenant', 'name', 'slug');
SELECT facility_migration_constrain('tenant', 'tenant_slug_key', 'UNIQUE (slug)');
SELECT facility_migration_constrain('tenant', 'tenant_slug_check',
    'CHECK (slug ~ ''^[a-z0-9]+(-[a-z0-9]+)*$'')');
SELECT facility_migration_constrain('tenant', 'tenant_name_check', 'CHECK (btrim(name) <> '''')');

CREATE INDEX IF NOT EXISTS tenant_name_idx ON tenant (name) WHERE deleted_at IS NULL;

COMMENT ON TABLE tenant IS 'An organisation whose data no other sees.';
COMMENT ON COLUMN tenant.slug IS 'Short name for addresses: small letters, digits and hyphens.';

SELECT facility_migration_end('tenant');
