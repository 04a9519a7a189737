-- 1754250035000 protect_audit_logs
-- Purpose: rows of user_action_audit_log and system_audit_log are added, never changed or deleted.
-- HIPAA: a trail that can be edited proves nothing (45 CFR 164.312(b), 164.312(c)(1)); kept for six years
--   at least (45 CFR 164.316(b)(2)(i)).
-- Depends on: 1754250024000 create_user_action_audit_log, 1754250026000 create_system_audit_log

CREATE FUNCTION facility_refuse_change() RETURNS trigger
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', TABLE = TG_TABLE_NAME,
        MESSAGE = format('%s of %s is refused: its rows are added, never changed or deleted', TG_OP, TG_TABLE_NAME);
END $$;
REVOKE EXECUTE ON FUNCTION facility_refuse_change() FROM PUBLIC;

-- ALWAYS: under session_replication_role as well. For each statement: also one that finds no row.
SELECT facility_migration_trigger('user_action_audit_log', 'user_action_audit_log_append_only',
    'BEFORE UPDATE OR DELETE OR TRUNCATE', 'FOR EACH STATEMENT EXECUTE FUNCTION facility_refuse_change()', true);
SELECT facility_migration_trigger('system_audit_log', 'system_audit_log_append_only',
    'BEFORE UPDATE OR DELETE OR TRUNCATE', 'FOR EACH STATEMENT EXECUTE FUNCTION facility_refuse_change()', true);
