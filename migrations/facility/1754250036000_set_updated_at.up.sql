-- 1754250036000 set_updated_at
-- Purpose: updated_at follows every change of a row. Not of the two audit logs, which do not change.
-- HIPAA: when a record was changed (45 CFR 164.312(c)).
-- Depends on: the tables, 1754250020000 to 1754250034000

CREATE FUNCTION facility_set_updated_at() RETURNS trigger
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION facility_set_updated_at() FROM PUBLIC;

-- Sealing changes no fact about anybody, so it is not written down as a change. Rows are compared by
-- image: a type without equality, json for one, would fail otherwise.
SELECT facility_migration_trigger(changing, changing || '_updated_at', 'BEFORE UPDATE',
    'FOR EACH ROW WHEN (current_setting(''phiseal.engine'', true) IS DISTINCT FROM ''on'' AND OLD *<> NEW)
     EXECUTE FUNCTION facility_set_updated_at()')
FROM unnest(ARRAY[
    'tenant', 'user', 'facility', 'client', 'facility_staff', 'address', 'specialist', 'medication',
    'placement_info', 'metadata', 'contributor', 'form_field_contribution', 'placement_info_specialists']) changing;
