-- 1754250026000 create_system_audit_log, undone

SELECT facility_migration_undo('system_audit_log');
