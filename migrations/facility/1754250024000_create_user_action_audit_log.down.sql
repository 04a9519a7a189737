-- 1754250024000 create_user_action_audit_log, undone

SELECT facility_migration_undo('user_action_audit_log');
