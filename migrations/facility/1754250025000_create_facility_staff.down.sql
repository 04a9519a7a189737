-- 1754250025000 create_facility_staff, undone

SELECT facility_migration_undo('facility_staff');
