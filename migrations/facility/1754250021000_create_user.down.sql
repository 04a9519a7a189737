-- 1754250021000 create_user, undone

SELECT facility_migration_undo('user');

-- Only a type that the way up made; refused while another column is of it.
DO $$
BEGIN
    PERFORM FROM pg_catalog.pg_type t
    WHERE t.typname = 'user_role_enum' AND t.typnamespace = current_schema()::regnamespace
      AND facility_migration_marked(obj_description(t.oid, 'pg_type')) ? 'made';
    IF FOUND THEN
        DROP TYPE user_role_enum;
    END IF;
END $$;
