-- 1754250034000 create_placement_info_specialists, undone

SELECT facility_migration_undo('placement_info_specialists');
