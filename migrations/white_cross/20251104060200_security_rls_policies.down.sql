-- Undoes 20251104060200_security_rls_policies.

DO $$
DECLARE
    tab text;
    policy text;
BEGIN
    FOREACH tab IN ARRAY ARRAY[
        'users', 'sessions', 'students', 'emergency_contacts', 'contacts', 'health_records', 'allergies',
        'chronic_conditions', 'vaccinations', 'immunizations', 'screenings', 'growth_measurements',
        'vital_signs', 'student_medications', 'medication_logs', 'prescriptions',
        'student_drug_allergies', 'clinic_visits', 'clinical_notes', 'lab_results', 'medical_history',
        'mental_health_records', 'treatment_plans', 'appointments', 'appointment_reminders',
        'appointment_waitlist', 'incident_reports', 'witness_statements', 'conversation_participants',
        'messages', 'message_delivery', 'device_tokens', 'push_notifications', 'alert_instances',
        'alert_delivery_log', 'audit_logs', 'phi_disclosures', 'phi_disclosure_audits',
        'consent_signatures', 'report_instances', 'configuration_history', 'webhooks',
        'data_integrity_checksums', 'tamper_alerts', 'integration_configs', 'sync_queue_items',
        'sync_conflicts', 'sis_sync_conflicts', 'sis_sync_configs', 'sis_sync_errors',
        'registry_connections', 'registry_submissions', 'follow_up_actions', 'follow_up_appointments',
        'academic_transcripts', 'symptom_tracking', 'outbreak_case_clusters', 'immunization_reminders',
        'medicaid_eligibility', 'billing_claims', 'documents', 'shared_documents', 'document_access_log'
    ] LOOP
        FOR policy IN
            SELECT p.polname
              FROM pg_catalog.pg_policy AS p
             WHERE p.polrelid = tab::regclass
               AND p.polname IN ('app_reach', 'app_roles', 'app_select', 'app_insert', 'app_update', 'app_delete')
        LOOP
            EXECUTE format('DROP POLICY %I ON %I', policy, tab);
        END LOOP;
        EXECUTE format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY', tab);
    END LOOP;
END $$;
