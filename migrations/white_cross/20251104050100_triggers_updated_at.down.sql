-- Undoes 20251104050100_triggers_updated_at.

DO $$
DECLARE
    tab regclass;
BEGIN
    FOR tab IN
        SELECT t.tgrelid FROM pg_catalog.pg_trigger AS t WHERE t.tgfoid = 'updated_at_touch()'::regprocedure
    LOOP
        EXECUTE format('DROP TRIGGER updated_at_touch ON %s', tab);
    END LOOP;
END $$;
DROP FUNCTION updated_at_touch();
