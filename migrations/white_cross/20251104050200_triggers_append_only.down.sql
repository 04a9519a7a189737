-- Undoes 20251104050200_triggers_append_only. The logs and disclosures can be changed again; rows stay.

DROP TRIGGER disclosure_audit_update ON phi_disclosures;
DROP TRIGGER disclosure_audit_insert ON phi_disclosures;
DROP FUNCTION disclosure_audit();
DROP FUNCTION audit_changed_columns(anyelement, anyelement);
DROP FUNCTION audit_performer();
DROP FUNCTION audit_actor();

DROP TRIGGER disclosure_retention_update ON phi_disclosures;
DROP TRIGGER disclosure_retention_truncate ON phi_disclosures;
DROP TRIGGER disclosure_retention_delete ON phi_disclosures;
DROP FUNCTION disclosure_refuse();

DO $$
DECLARE
    log text;
BEGIN
    FOREACH log IN ARRAY ARRAY[
        'audit_logs', 'configuration_history', 'document_access_log', 'phi_disclosure_audits', 'tamper_alerts'
    ] LOOP
        EXECUTE format('DROP TRIGGER append_only_truncate ON %I', log);
        EXECUTE format('DROP TRIGGER append_only_statement ON %I', log);
        EXECUTE format('DROP TRIGGER append_only_row ON %I', log);
    END LOOP;
END $$;
DROP FUNCTION append_only_refuse();
