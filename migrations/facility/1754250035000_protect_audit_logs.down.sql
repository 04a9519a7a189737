-- 1754250035000 protect_audit_logs, undone

SELECT facility_migration_drop('TRIGGER', 'system_audit_log', 'system_audit_log_append_only');
SELECT facility_migration_drop('TRIGGER', 'user_action_audit_log', 'user_action_audit_log_append_only');
DROP FUNCTION facility_refuse_change();
