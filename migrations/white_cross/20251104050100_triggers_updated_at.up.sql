-- 20251104050100_triggers_updated_at
-- Purpose: updated_at follows every change of a row, in the 107 tables whose rows change. The five
--     append-only logs have none.
-- HIPAA: when a record was last changed (45 CFR 164.312(c)). Sealing does not count as a change: it
--     writes only sealed columns and must leave all others as they are.
-- Depends on: all schema migrations.

CREATE FUNCTION updated_at_touch() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END $$;
COMMENT ON FUNCTION updated_at_touch() IS 'Sets updated_at of a row that changes.';

-- OLD *<> NEW compares images, of columns added later too: an UPDATE that changes nothing touches nothing.
DO $$
DECLARE
    tab text;
BEGIN
    FOREACH tab IN ARRAY ARRAY[
        'districts', 'schools', 'users', 'sessions', 'students', 'emergency_contacts', 'contacts',
        'health_records', 'allergies', 'chronic_conditions', 'vaccinations', 'immunizations',
        'screenings', 'growth_measurements', 'vital_signs', 'medications', 'student_medications',
        'medication_logs', 'prescriptions', 'drug_catalog', 'drug_interactions', 'student_drug_allergies',
        'clinic_visits', 'clinical_notes', 'clinical_protocols', 'lab_results', 'medical_history',
        'mental_health_records', 'treatment_plans', 'appointments', 'appointment_reminders',
        'appointment_waitlist', 'incident_reports', 'witness_statements', 'conversations',
        'conversation_participants', 'messages', 'message_delivery', 'message_templates',
        'message_reactions', 'message_read', 'emergency_broadcasts', 'device_tokens',
        'push_notifications', 'alert_definitions', 'alert_instances', 'alert_subscriptions',
        'alert_delivery_log', 'phi_disclosures', 'consent_forms', 'consent_signatures',
        'compliance_reports', 'compliance_checklist_items', 'compliance_violations', 'policy_documents',
        'policy_acknowledgments', 'data_retention_policies', 'remediation_actions', 'vendors',
        'suppliers', 'inventory_items', 'inventory_transactions', 'maintenance_logs', 'purchase_orders',
        'purchase_order_items', 'analytics_reports', 'health_metric_snapshots', 'report_schedules',
        'report_definitions', 'report_instances', 'system_configurations', 'licenses', 'backup_logs',
        'performance_metrics', 'threat_detections', 'webhooks', 'sync_state', 'cache_entries',
        'data_integrity_checksums', 'integration_configs', 'integration_logs', 'sync_sessions',
        'sync_queue_items', 'sync_conflicts', 'sis_sync_conflicts', 'sis_sync_configs', 'sis_sync_jobs',
        'sis_sync_errors', 'registry_connections', 'registry_submissions', 'follow_up_actions',
        'follow_up_appointments', 'budget_categories', 'budget_transactions', 'training_modules',
        'academic_transcripts', 'symptom_tracking', 'outbreak_alerts', 'outbreak_case_clusters',
        'vaccination_schedules', 'immunization_reminders', 'medicaid_eligibility', 'billing_claims',
        'scheduled_exports', 'export_jobs', 'documents', 'shared_documents'
    ] LOOP
        EXECUTE format('CREATE TRIGGER updated_at_touch BEFORE UPDATE ON %I FOR EACH ROW
            WHEN (current_setting(''phiseal.engine'', true) IS DISTINCT FROM ''on'' AND OLD *<> NEW)
            EXECUTE FUNCTION updated_at_touch()', tab);
    END LOOP;
END $$;
