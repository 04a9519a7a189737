-- Nobody gains rights through our functions: they run with the rights of whoever calls them, nobody else
-- may hang them on a table, and each looks at the table it is fired for.

CREATE OR REPLACE FUNCTION {{schema}}.encryption_keys_moved() RETURNS trigger
    LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- The schema may be renamed: its name stands in no function's body.
    note text := format('INSERT INTO %I.key_transitions (key_id, from_status, to_status, actor, reason) '
        'VALUES ($1, $2, $3, $4, $5)', TG_TABLE_SCHEMA);
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_trigger t
          JOIN pg_class c ON c.oid = t.tgrelid
          JOIN pg_proc p ON p.oid = t.tgfoid AND p.pronamespace = c.relnamespace
         WHERE t.tgrelid = TG_RELID AND t.tgname = TG_NAME AND c.relname = 'encryption_keys'
    ) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS001', TABLE = TG_TABLE_NAME,
            MESSAGE = 'this function is for the table encryption_keys of its own schema';
    END IF;
    IF TG_OP = 'INSERT' THEN
        EXECUTE note USING NEW.key_id, NULL::text, NEW.status, NEW.created_by, NEW.reason;
    ELSIF NEW.status <> OLD.status THEN
        EXECUTE note USING NEW.key_id, OLD.status, NEW.status, coalesce(NEW.changed_by, session_user::text), NEW.reason;
    END IF;
    RETURN NULL;
END $$;

REVOKE ALL ON FUNCTION {{schema}}.refuse_statement(), {{schema}}.encryption_keys_lifecycle(),
    {{schema}}.encryption_keys_moved(), {{schema}}.key_rotation_history_frozen(),
    {{schema}}.encrypted_field_metadata_frozen() FROM PUBLIC;

-- Guards of an earlier version go on, with the rights of whoever writes the row, until the next backfill
-- replaces them. What they call takes no lock any more: whoever changes a key waits for the
-- transactions that may have looked at it before. It tells a caller nothing that SELECT on
-- encryption_keys does not.
SELECT set_config('phiseal.own_table', min(tableoid::bigint)::text, true) FROM {{schema}}.audit_head;
DO $$
DECLARE
    own oid := (SELECT relnamespace FROM pg_class WHERE oid = current_setting('phiseal.own_table')::oid);
    routine record;
    owner name;
BEGIN
    FOR routine IN
        SELECT p.oid, n.nspname, p.proname, p.oid::regprocedure AS signature, p.prosrc
          FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE p.pronamespace = own AND p.proowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)
           AND p.proname ~ '^guard_(insert_|update_|require_active$)'
    LOOP
        IF routine.proname = 'guard_require_active' THEN
            EXECUTE format('CREATE OR REPLACE FUNCTION %I.guard_require_active(id bigint, owner text) RETURNS void '
                'LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS %L',
                routine.nspname, replace(routine.prosrc, 'FOR SHARE', ''));
            CONTINUE;
        END IF;
        EXECUTE format('ALTER FUNCTION %s SECURITY INVOKER', routine.signature);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', routine.signature);
        -- The server asks for this right again when the owner of a table attaches a partition.
        FOR owner IN
            SELECT DISTINCT r.rolname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
              JOIN pg_roles r ON r.oid = c.relowner WHERE t.tgfoid = routine.oid
        LOOP
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', routine.signature, owner);
        END LOOP;
    END LOOP;
END $$;
