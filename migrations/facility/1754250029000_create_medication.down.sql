-- 1754250029000 create_medication, undone

SELECT facility_migration_undo('medication');
