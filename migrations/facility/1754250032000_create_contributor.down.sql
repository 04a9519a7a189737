-- 1754250032000 create_contributor, undone

SELECT facility_migration_undo('contributor');
