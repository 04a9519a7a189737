-- 1754250023000 create_client, undone

SELECT facility_migration_undo('client');
