-- 1754250022000 create_facility, undone

SELECT facility_migration_undo('facility');
