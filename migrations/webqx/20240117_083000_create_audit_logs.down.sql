-- 20240117083000 create_audit_logs, undone

BEGIN;

DROP FUNCTION purge_audit_logs();
DROP TRIGGER user_audit_log_keep ON user_audit_log;
DROP TRIGGER user_audit_log_keep_rows ON user_audit_log;
DROP TABLE audit_logs;
DROP FUNCTION webqx_keep_audit();
DROP FUNCTION webqx_audit_cutoff();

COMMIT;
