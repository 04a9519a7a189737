-- 20251104050300_triggers_audit_phi
-- Purpose: every change of the 49 PHI tables is written to audit_logs, one entry a row; a run of the
--     sealing engine is one entry a table. record_phi_access writes down a reading, which no trigger sees.
-- HIPAA: audit controls (45 CFR 164.312(b)). An entry holds the action, the table, the row's id, the names
--     of the changed columns, the user and the login: never a value.
-- Depends on: 020500_constraints_checks_and_uniques (one entry a run and table),
--     050200_triggers_append_only (who acts, what changed).

CREATE FUNCTION audit_phi_tables() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
    SELECT ARRAY[
        'students', 'emergency_contacts', 'contacts', 'health_records', 'allergies', 'chronic_conditions',
        'vaccinations', 'immunizations', 'screenings', 'growth_measurements', 'vital_signs',
        'student_medications', 'medication_logs', 'prescriptions', 'student_drug_allergies',
        'clinic_visits', 'clinical_notes', 'lab_results', 'medical_history', 'mental_health_records',
        'treatment_plans', 'appointments', 'appointment_reminders', 'appointment_waitlist',
        'incident_reports', 'witness_statements', 'messages', 'message_delivery', 'push_notifications',
        'alert_instances', 'alert_delivery_log', 'phi_disclosures', 'consent_signatures',
        'report_instances', 'sync_queue_items', 'sync_conflicts', 'sis_sync_conflicts', 'sis_sync_errors',
        'registry_submissions', 'follow_up_actions', 'follow_up_appointments', 'academic_transcripts',
        'symptom_tracking', 'outbreak_case_clusters', 'immunization_reminders', 'medicaid_eligibility',
        'billing_claims', 'documents', 'shared_documents'
    ]
$$;
COMMENT ON FUNCTION audit_phi_tables() IS 'The tables that hold PHI and are audited.';

CREATE FUNCTION audit_phi_row() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO audit_logs
        (user_id, action, entity_type, entity_id, description, performed_by, changed_columns, ip_address)
    VALUES (
        audit_actor(), TG_OP, TG_TABLE_NAME,
        CASE TG_OP WHEN 'DELETE' THEN OLD.id WHEN 'TRUNCATE' THEN NULL ELSE NEW.id END,
        'written by a trigger of the table', audit_performer(),
        CASE TG_OP WHEN 'UPDATE' THEN audit_changed_columns(OLD, NEW) END,
        inet_client_addr()
    );
    RETURN NULL;
END $$;
COMMENT ON FUNCTION audit_phi_row() IS 'Writes the change of a row, or a TRUNCATE, to audit_logs.';

-- The engine names its run; without a number of a run, each of its statements is an entry.
CREATE FUNCTION audit_phi_engine() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    run bigint := substring(current_setting('phiseal.run', true) FROM '^[0-9]{1,18}$');
BEGIN
    IF NOT EXISTS (SELECT FROM audit_logs AS a WHERE a.entity_type = TG_TABLE_NAME AND a.engine_run = run) THEN
        INSERT INTO audit_logs (user_id, action, entity_type, description, performed_by, ip_address, engine_run)
        VALUES (
            audit_actor(), 'ENGINE', TG_TABLE_NAME, 'a run of the sealing engine',
            audit_performer(), inet_client_addr(), run
        )
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION audit_phi_engine() IS 'Writes a run of the sealing engine to audit_logs, once for each table.';

-- A setting is no privilege: whoever says phiseal.engine = 'on' must also own the table or bypass its
-- policies. The rights of the caller count, so this is no SECURITY DEFINER; those of the login too, or a
-- foreign key's update, which runs as the owner, would lend them.
CREATE FUNCTION audit_phi_claim() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (
        SELECT
          FROM pg_catalog.pg_class AS c, pg_catalog.pg_roles AS r
         WHERE c.oid = TG_RELID
           AND r.rolname IN (current_user, session_user)
           AND NOT (r.rolsuper OR r.rolbypassrls OR pg_has_role(r.oid, c.relowner, 'MEMBER'))
    ) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'insufficient_privilege',
            MESSAGE = format('only an owner of %s, or a role that bypasses row-level security, is the sealing engine',
                             TG_TABLE_NAME),
            HINT = 'RESET phiseal.engine',
            SCHEMA = TG_TABLE_SCHEMA,
            TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION audit_phi_claim() IS 'Refuses phiseal.engine to those who could not be the sealing engine.';

-- The engine only updates: its INSERT, DELETE and TRUNCATE, if there were any, are audited as everybody's.
DO $$
DECLARE
    tab text;
BEGIN
    FOREACH tab IN ARRAY audit_phi_tables() LOOP
        EXECUTE format('CREATE TRIGGER audit_phi_claim BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %I
            FOR EACH STATEMENT WHEN (current_setting(''phiseal.engine'', true) = ''on'')
            EXECUTE FUNCTION audit_phi_claim()', tab);
        EXECUTE format('CREATE TRIGGER audit_phi_engine AFTER UPDATE ON %I
            FOR EACH STATEMENT WHEN (current_setting(''phiseal.engine'', true) = ''on'')
            EXECUTE FUNCTION audit_phi_engine()', tab);
        EXECUTE format('CREATE TRIGGER audit_phi_row AFTER INSERT OR DELETE ON %I
            FOR EACH ROW EXECUTE FUNCTION audit_phi_row()', tab);
        EXECUTE format('CREATE TRIGGER audit_phi_truncate AFTER TRUNCATE ON %I
            FOR EACH STATEMENT EXECUTE FUNCTION audit_phi_row()', tab);
        EXECUTE format('CREATE TRIGGER audit_phi_update AFTER UPDATE ON %I FOR EACH ROW
            WHEN (current_setting(''phiseal.engine'', true) IS DISTINCT FROM ''on'' AND OLD *<> NEW)
            EXECUTE FUNCTION audit_phi_row()', tab);
    END LOOP;
END $$;

-- Readings. The purpose is one of a list: a text could hold PHI.
CREATE FUNCTION record_phi_access(p_table text, p_id uuid, p_purpose disclosure_purpose) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    actor uuid := audit_actor();
BEGIN
    IF p_table IS NULL OR p_table <> ALL (audit_phi_tables()) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value', MESSAGE = 'record_phi_access: no such table of PHI';
    END IF;
    IF p_purpose IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'null_value_not_allowed', MESSAGE = 'record_phi_access: a reading has a purpose';
    END IF;
    IF actor IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'insufficient_privilege',
            MESSAGE = 'record_phi_access: a reading is a user''s',
            HINT = 'SET LOCAL app.user_id to the id of the user';
    END IF;
    INSERT INTO audit_logs (user_id, action, entity_type, entity_id, description, performed_by, ip_address)
    VALUES (actor, 'READ', p_table, p_id, 'purpose: ' || p_purpose, audit_performer(), inet_client_addr());
END $$;
COMMENT ON FUNCTION record_phi_access(text, uuid, disclosure_purpose) IS
    'Writes down that the user reads a row of PHI (without an id: several rows of the table), and why.';
REVOKE EXECUTE ON FUNCTION record_phi_access(text, uuid, disclosure_purpose) FROM PUBLIC;
