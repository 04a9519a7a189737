-- Undoes 20251104050300_triggers_audit_phi. Entries of audit_logs stay.

DROP FUNCTION record_phi_access(text, uuid, disclosure_purpose);

DO $$
DECLARE
    tab text;
BEGIN
    FOREACH tab IN ARRAY audit_phi_tables() LOOP
        EXECUTE format('DROP TRIGGER audit_phi_update ON %I', tab);
        EXECUTE format('DROP TRIGGER audit_phi_truncate ON %I', tab);
        EXECUTE format('DROP TRIGGER audit_phi_row ON %I', tab);
        EXECUTE format('DROP TRIGGER audit_phi_engine ON %I', tab);
        EXECUTE format('DROP TRIGGER audit_phi_claim ON %I', tab);
    END LOOP;
END $$;
DROP FUNCTION audit_phi_claim();
DROP FUNCTION audit_phi_engine();
DROP FUNCTION audit_phi_row();
DROP FUNCTION audit_phi_tables();
