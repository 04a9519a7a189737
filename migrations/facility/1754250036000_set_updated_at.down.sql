-- 1754250036000 set_updated_at, undone

SELECT facility_migration_drop('TRIGGER', changing, changing || '_updated_at')
FROM unnest(ARRAY[
    'tenant', 'user', 'facility', 'client', 'facility_staff', 'address', 'specialist', 'medication',
    'placement_info', 'metadata', 'contributor', 'form_field_contribution', 'placement_info_specialists']) changing;
DROP FUNCTION facility_set_updated_at();
