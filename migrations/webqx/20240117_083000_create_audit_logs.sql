-- 20240117083000 create_audit_logs
-- Purpose: the table audit_logs; both audit tables take rows, and keep them for seven years.
-- HIPAA: audit controls (45 CFR 164.312(b)), kept longer than the six years of 45 CFR 164.316(b)(2)(i).
-- Depends on: 20240115143000 create_users_table

BEGIN;

CREATE TABLE audit_logs (
    id          serial      PRIMARY KEY,
    user_id     integer     REFERENCES users (id) ON DELETE RESTRICT,
    action      varchar(50) NOT NULL,
    entity_type varchar(63),
    entity_id   integer,
    details     jsonb,
    ip_address  inet,
    user_agent  text,
    created_at  timestamp   NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE INDEX idx_audit_logs_user ON audit_logs (user_id, created_at);
CREATE INDEX idx_audit_logs_entity ON audit_logs (entity_type, entity_id, created_at);
CREATE INDEX idx_audit_logs_created ON audit_logs (created_at);

COMMENT ON TABLE audit_logs IS 'Who did what. Rows are added, never changed, and deleted by purge_audit_logs() only.';
COMMENT ON COLUMN audit_logs.entity_type IS 'The table of what was acted on.';
COMMENT ON COLUMN audit_logs.entity_id IS 'The id of what was acted on; it may be gone since.';
COMMENT ON COLUMN audit_logs.details IS 'Names of fields and ids of rows, never values.';

-- What was written before this may go. The stamps have no time zone, so a day is added: it is late
-- enough whatever zone a session wrote them in.
CREATE FUNCTION webqx_audit_cutoff() RETURNS timestamp
    LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT (now() AT TIME ZONE 'UTC') - interval '7 years 1 day'
$$;

-- Rows under seven years are deleted by nobody. Older ones only within purge_audit_logs(), which works
-- as the owner of the table.
CREATE FUNCTION webqx_keep_audit() RETURNS trigger
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_LEVEL = 'ROW' THEN
        IF current_setting('webqx.purge', true) = 'on' AND OLD.created_at < webqx_audit_cutoff()
           AND current_user = (SELECT pg_get_userbyid(c.relowner) FROM pg_catalog.pg_class c WHERE c.oid = TG_RELID)
        THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', TABLE = TG_TABLE_NAME,
        MESSAGE = format('%s of %s is refused: its rows are kept for seven years', TG_OP, TG_TABLE_NAME),
        HINT = 'rows over seven years old are deleted by purge_audit_logs()';
END $$;

CREATE TRIGGER user_audit_log_keep_rows BEFORE DELETE ON user_audit_log
    FOR EACH ROW EXECUTE FUNCTION webqx_keep_audit();
CREATE TRIGGER user_audit_log_keep BEFORE UPDATE OR TRUNCATE ON user_audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION webqx_keep_audit();
CREATE TRIGGER audit_logs_keep_rows BEFORE DELETE ON audit_logs
    FOR EACH ROW EXECUTE FUNCTION webqx_keep_audit();
CREATE TRIGGER audit_logs_keep BEFORE UPDATE OR TRUNCATE ON audit_logs
    FOR EACH STATEMENT EXECUTE FUNCTION webqx_keep_audit();

-- Under session_replication_role as well.
ALTER TABLE user_audit_log ENABLE ALWAYS TRIGGER user_audit_log_keep_rows;
ALTER TABLE user_audit_log ENABLE ALWAYS TRIGGER user_audit_log_keep;
ALTER TABLE audit_logs ENABLE ALWAYS TRIGGER audit_logs_keep_rows;
ALTER TABLE audit_logs ENABLE ALWAYS TRIGGER audit_logs_keep;

-- Deletes what is over seven years old, says how much, and writes that down.
CREATE FUNCTION purge_audit_logs(OUT user_audit_log_rows bigint, OUT audit_logs_rows bigint)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    -- Within this call, or until the caller's transaction rolls back.
    PERFORM set_config('webqx.purge', 'on', true);
    DELETE FROM user_audit_log WHERE created_at < webqx_audit_cutoff();
    GET DIAGNOSTICS user_audit_log_rows = ROW_COUNT;
    DELETE FROM audit_logs WHERE created_at < webqx_audit_cutoff();
    GET DIAGNOSTICS audit_logs_rows = ROW_COUNT;
    INSERT INTO audit_logs (action, entity_type, details)
    VALUES ('audit.purge', 'audit_logs', jsonb_build_object(
        'session_user', session_user, 'before', webqx_audit_cutoff(),
        'user_audit_log', user_audit_log_rows, 'audit_logs', audit_logs_rows));
    PERFORM set_config('webqx.purge', '', true);
END $$;
COMMENT ON FUNCTION purge_audit_logs() IS
    'Deletes audit rows over seven years old. GRANT EXECUTE to who keeps the records; nobody else has it.';

REVOKE EXECUTE ON FUNCTION webqx_keep_audit(), purge_audit_logs() FROM PUBLIC;

COMMIT;
