-- 20251104050200_triggers_append_only
-- Purpose: the five logs take rows and never change them; disclosures stay for their six years, and
--     every change of one is written to phi_disclosure_audits.
-- HIPAA: accounting of disclosures for six years (45 CFR 164.528); audit controls (45 CFR 164.312(b));
--     integrity (45 CFR 164.312(c)). Audits hold names of columns and ids, never values.
-- Depends on: 011200_schema_audit, 011700_schema_system_configuration, 011900_schema_tamper_alerts,
--     013100_schema_document_sharing, 020300_constraints_foreign_keys_operations.

-- Append-only logs. ENABLE ALWAYS: the replica role is refused too.

CREATE FUNCTION append_only_refuse() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'restrict_violation',
        MESSAGE = format('%s is append-only: %s is refused', TG_TABLE_NAME, TG_OP),
        SCHEMA = TG_TABLE_SCHEMA,
        TABLE = TG_TABLE_NAME;
END $$;
COMMENT ON FUNCTION append_only_refuse() IS 'Refuses UPDATE, DELETE and TRUNCATE of an append-only table.';

-- The row trigger refuses every change. The statement trigger says so where no row is met, as when
-- row-level security hides them all; not to the foreign keys' own updates, which mostly meet none.
DO $$
DECLARE
    log text;
BEGIN
    FOREACH log IN ARRAY ARRAY[
        'audit_logs', 'configuration_history', 'document_access_log', 'phi_disclosure_audits', 'tamper_alerts'
    ] LOOP
        EXECUTE format('CREATE TRIGGER append_only_row BEFORE UPDATE OR DELETE ON %I
            FOR EACH ROW EXECUTE FUNCTION append_only_refuse()', log);
        EXECUTE format('CREATE TRIGGER append_only_statement BEFORE UPDATE OR DELETE ON %I
            FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION append_only_refuse()', log);
        EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON %I
            FOR EACH STATEMENT EXECUTE FUNCTION append_only_refuse()', log);
        EXECUTE format('ALTER TABLE %I
            ENABLE ALWAYS TRIGGER append_only_row,
            ENABLE ALWAYS TRIGGER append_only_statement,
            ENABLE ALWAYS TRIGGER append_only_truncate', log);
    END LOOP;
END $$;

-- Disclosures: kept until retain_until, which moves only forward.

CREATE FUNCTION disclosure_refuse() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'restrict_violation',
        MESSAGE = CASE TG_OP
            WHEN 'UPDATE' THEN 'the retention of a disclosure is not shortened'
            WHEN 'DELETE' THEN 'a disclosure is kept until its retention ends'
            ELSE 'disclosures are not truncated'
        END,
        SCHEMA = TG_TABLE_SCHEMA,
        TABLE = TG_TABLE_NAME;
END $$;
COMMENT ON FUNCTION disclosure_refuse() IS 'Refuses what would end the retention of a disclosure early.';

-- The day is that of UTC, as in the column's default: a session's time zone does not move it.
CREATE TRIGGER disclosure_retention_delete BEFORE DELETE ON phi_disclosures
    FOR EACH ROW WHEN (OLD.retain_until > (now() AT TIME ZONE 'UTC')::date)
    EXECUTE FUNCTION disclosure_refuse();
CREATE TRIGGER disclosure_retention_truncate BEFORE TRUNCATE ON phi_disclosures
    FOR EACH STATEMENT EXECUTE FUNCTION disclosure_refuse();
CREATE TRIGGER disclosure_retention_update BEFORE UPDATE ON phi_disclosures
    FOR EACH ROW WHEN (NEW.retain_until < OLD.retain_until)
    EXECUTE FUNCTION disclosure_refuse();
ALTER TABLE phi_disclosures
    ENABLE ALWAYS TRIGGER disclosure_retention_delete,
    ENABLE ALWAYS TRIGGER disclosure_retention_truncate,
    ENABLE ALWAYS TRIGGER disclosure_retention_update;

-- Who acts, and what changed. The audit triggers use these too.

CREATE FUNCTION audit_actor() RETURNS uuid
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    claimed text := lower(current_setting('app.user_id', true));
BEGIN
    IF claimed ~ '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$' THEN
        RETURN (SELECT u.id FROM users AS u WHERE u.id = claimed::uuid);
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION audit_actor() IS 'The user named by the setting app.user_id; NULL if there is none.';

CREATE FUNCTION audit_performer() RETURNS text
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
    RETURN session_user
        || coalesce(' as ' || nullif(nullif(current_setting('role'), 'none'), session_user), '');
END $$;
COMMENT ON FUNCTION audit_performer() IS
    'The login of the session and the role it has taken on: what a setting cannot claim.';

-- Compared as text, which sees 1.0 become 1.00 and works for columns added later. Of all changes it misses
-- one: a JSON null that becomes NULL, or the other way round.
CREATE FUNCTION audit_changed_columns(p_old anyelement, p_new anyelement) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
    RETURN (
        SELECT coalesce(array_agg(c.name), '{}')
          FROM ROWS FROM (json_each_text(to_json(p_new)), json_each_text(to_json(p_old)))
            AS c (name, new_value, old_name, old_value)
         WHERE c.new_value IS DISTINCT FROM c.old_value AND c.name <> 'updated_at'
    );
END $$;
COMMENT ON FUNCTION audit_changed_columns(anyelement, anyelement) IS
    'Names of the columns in which two rows of a table differ, updated_at left out.';

CREATE FUNCTION disclosure_audit() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO phi_disclosure_audits
        (phi_disclosure_id, actor_id, action, changed_columns, performed_by, ip_address)
    VALUES (
        NEW.id, audit_actor(), TG_OP,
        CASE TG_OP WHEN 'UPDATE' THEN audit_changed_columns(OLD, NEW) END,
        audit_performer(), inet_client_addr()
    );
    RETURN NULL;
END $$;
COMMENT ON FUNCTION disclosure_audit() IS 'Writes a change of a disclosure to phi_disclosure_audits.';

CREATE TRIGGER disclosure_audit_insert AFTER INSERT ON phi_disclosures
    FOR EACH ROW EXECUTE FUNCTION disclosure_audit();
-- Sealing changes no disclosure.
CREATE TRIGGER disclosure_audit_update AFTER UPDATE ON phi_disclosures
    FOR EACH ROW
    WHEN (current_setting('phiseal.engine', true) IS DISTINCT FROM 'on' AND OLD *<> NEW)
    EXECUTE FUNCTION disclosure_audit();
