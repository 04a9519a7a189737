-- 1754250020000 create_tenant, undone

SELECT facility_migration_undo('tenant');

DROP FUNCTION facility_migration_undo(text);
DROP FUNCTION facility_migration_drop(text, text, text);
DROP FUNCTION facility_migration_end(text);
DROP FUNCTION facility_migration_trigger(text, text, text, text, boolean);
DROP FUNCTION facility_migration_constrain(text, text, text);
DROP FUNCTION facility_migration_require(text, text[]);
DROP FUNCTION facility_migration_begin(text);
DROP FUNCTION facility_migration_marked(text);
DROP FUNCTION facility_migration_mark(text, jsonb);
DROP FUNCTION facility_extension_schema(text);

-- Only the extensions that the way up made; one that something else uses by now stays.
DO $$
DECLARE
    made record;
BEGIN
    FOR made IN
        SELECT e.extname FROM pg_catalog.pg_extension e
        WHERE e.extname IN ('uuid-ossp', 'pg_trgm')
          AND obj_description(e.oid, 'pg_extension') = 'phiseal: {"made": true}'
    LOOP
        BEGIN
            EXECUTE format('DROP EXTENSION %I', made.extname);
        EXCEPTION WHEN dependent_objects_still_exist THEN
            RAISE NOTICE 'the extension % stays: something else uses it', made.extname;
        END;
    END LOOP;
END $$;
