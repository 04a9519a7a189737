-- 1754250028000 create_specialist, undone

SELECT facility_migration_drop('TRIGGER', 'address', 'address_leaves_specialist');
SELECT facility_migration_undo('specialist');
