-- The functions as an earlier version of the program expects them. Guards stay as they are: that version
-- takes them for missing, and makes its own with its next backfill.

CREATE OR REPLACE FUNCTION {{schema}}.encryption_keys_moved() RETURNS trigger
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

GRANT EXECUTE ON FUNCTION {{schema}}.refuse_statement(), {{schema}}.encryption_keys_lifecycle(),
    {{schema}}.encryption_keys_moved(), {{schema}}.key_rotation_history_frozen(),
    {{schema}}.encrypted_field_metadata_frozen() TO PUBLIC;
