-- 1754250030000 create_placement_info, undone

SELECT facility_migration_undo('placement_info');
