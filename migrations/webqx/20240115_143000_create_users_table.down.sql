-- 20240115143000 create_users_table, undone

BEGIN;

-- Tables that the way up found are kept, without what it added.
DO $$
BEGIN
    IF obj_description('user_audit_log'::regclass, 'pg_class') LIKE '%Made by phiseal.' THEN
        DROP TABLE user_audit_log;
    ELSE
        DROP INDEX idx_user_audit_log_user, idx_user_audit_log_changed_by;
        COMMENT ON COLUMN user_audit_log.changed_fields IS NULL;
    END IF;
    IF obj_description('users'::regclass, 'pg_class') LIKE '%Made by phiseal.' THEN
        DROP TABLE users;
    ELSE
        DROP INDEX idx_users_email, idx_users_role, idx_users_active;
        COMMENT ON COLUMN users.role IS NULL;
        COMMENT ON COLUMN users.email IS NULL;
        COMMENT ON COLUMN users.first_name IS NULL;
        COMMENT ON COLUMN users.last_name IS NULL;
        COMMENT ON COLUMN users.phone IS NULL;
        COMMENT ON COLUMN users.date_of_birth IS NULL;
    END IF;
END $$;

COMMIT;
