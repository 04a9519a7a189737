-- 1754250031000 create_metadata, undone

SELECT facility_migration_undo('metadata');
