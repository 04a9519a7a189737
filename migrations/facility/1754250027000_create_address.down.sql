-- 1754250027000 create_address, undone

SELECT facility_migration_drop('CONSTRAINT', 'facility', 'facility_address_id_fkey');
SELECT facility_migration_drop('TRIGGER', 'address', 'address_leaves_facility');
DROP FUNCTION facility_address_leaves();
SELECT facility_migration_undo('address');
