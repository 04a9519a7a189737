-- 20251104030400_indexes_features
-- Purpose: 61 indexes of the feature tables, six of them unique.
-- HIPAA: no PHI is indexed.
-- Depends on: all constraint migrations, whose unique keys serve as indexes.

-- Each statement runs by itself, outside a transaction, beside reads and writes, and may be run again.

-- Disclosures: 11
CREATE INDEX CONCURRENTLY IF NOT EXISTS phi_disclosures_student_id_disclosed_at_idx
    ON phi_disclosures (student_id, disclosed_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS phi_disclosures_disclosed_by_idx
    ON phi_disclosures (disclosed_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS phi_disclosures_disclosure_type_idx
    ON phi_disclosures (disclosure_type);
CREATE INDEX CONCURRENTLY IF NOT EXISTS phi_disclosures_purpose_idx
    ON phi_disclosures (purpose);
CREATE INDEX CONCURRENTLY IF NOT EXISTS phi_disclosures_recipient_type_idx
    ON phi_disclosures (recipient_type);
CREATE INDEX CONCURRENTLY IF NOT EXISTS phi_disclosures_disclosed_at_idx
    ON phi_disclosures (disclosed_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS phi_disclosures_follow_up_on_open_idx
    ON phi_disclosures (follow_up_on) WHERE follow_up_required AND follow_up_status <> 'COMPLETED';
CREATE INDEX CONCURRENTLY IF NOT EXISTS phi_disclosures_retain_until_idx
    ON phi_disclosures (retain_until);
CREATE INDEX CONCURRENTLY IF NOT EXISTS phi_disclosures_authorization_id_idx
    ON phi_disclosures (authorization_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS phi_disclosure_audits_phi_disclosure_id_created_at_idx
    ON phi_disclosure_audits (phi_disclosure_id, created_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS phi_disclosure_audits_actor_id_created_at_idx
    ON phi_disclosure_audits (actor_id, created_at);

-- Alerts: 16
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_definitions_category_idx
    ON alert_definitions (category);
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_definitions_severity_idx
    ON alert_definitions (severity);
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_definitions_school_id_idx
    ON alert_definitions (school_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_definitions_id_active_idx
    ON alert_definitions (id) WHERE is_active;
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_instances_status_severity_idx
    ON alert_instances (status, severity);
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_instances_school_id_status_live_idx
    ON alert_instances (school_id, status) WHERE status IN ('ACTIVE', 'ACKNOWLEDGED', 'ESCALATED');
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_instances_student_id_idx
    ON alert_instances (student_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_instances_alert_definition_id_raised_at_idx
    ON alert_instances (alert_definition_id, raised_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_instances_raised_at_idx
    ON alert_instances (raised_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_instances_expires_at_live_idx
    ON alert_instances (expires_at)
    WHERE expires_at IS NOT NULL AND status IN ('ACTIVE', 'ACKNOWLEDGED', 'ESCALATED');
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_instances_escalate_at_active_idx
    ON alert_instances (escalate_at) WHERE escalate_at IS NOT NULL AND status = 'ACTIVE';
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS alert_subscriptions_user_id_alert_definition_id_idx
    ON alert_subscriptions (user_id, alert_definition_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_subscriptions_categories_idx
    ON alert_subscriptions USING gin (categories);
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_delivery_log_alert_instance_id_idx
    ON alert_delivery_log (alert_instance_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_delivery_log_user_id_sent_at_idx
    ON alert_delivery_log (user_id, sent_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_delivery_log_sent_at_failed_idx
    ON alert_delivery_log (sent_at) WHERE status = 'FAILED';

-- Checksums and tamper alerts: 3
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS data_integrity_checksums_table_name_record_id_idx
    ON data_integrity_checksums (table_name, record_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS tamper_alerts_severity_detected_at_idx
    ON tamper_alerts (severity, detected_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS tamper_alerts_table_name_record_id_idx
    ON tamper_alerts (table_name, record_id);

-- Drugs: 5
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS drug_catalog_rxcui_idx
    ON drug_catalog (rxcui);
CREATE INDEX CONCURRENTLY IF NOT EXISTS drug_catalog_generic_name_idx
    ON drug_catalog (generic_name);
CREATE INDEX CONCURRENTLY IF NOT EXISTS drug_catalog_brand_names_idx
    ON drug_catalog USING gin (brand_names);
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS drug_interactions_drug_1_id_drug_2_id_idx
    ON drug_interactions (drug_1_id, drug_2_id);
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS student_drug_allergies_student_id_drug_id_idx
    ON student_drug_allergies (student_id, drug_id);

-- Outbreaks: 6
CREATE INDEX CONCURRENTLY IF NOT EXISTS symptom_tracking_school_id_onset_on_idx
    ON symptom_tracking (school_id, onset_on);
CREATE INDEX CONCURRENTLY IF NOT EXISTS symptom_tracking_student_id_onset_on_idx
    ON symptom_tracking (student_id, onset_on);
CREATE INDEX CONCURRENTLY IF NOT EXISTS outbreak_alerts_school_id_detected_at_idx
    ON outbreak_alerts (school_id, detected_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS outbreak_alerts_status_live_idx
    ON outbreak_alerts (status) WHERE status IN ('ACTIVE', 'ACKNOWLEDGED', 'ESCALATED');
CREATE INDEX CONCURRENTLY IF NOT EXISTS outbreak_alerts_affected_grades_idx
    ON outbreak_alerts USING gin (affected_grades);
CREATE INDEX CONCURRENTLY IF NOT EXISTS outbreak_case_clusters_outbreak_alert_id_idx
    ON outbreak_case_clusters (outbreak_alert_id);

-- Clinic visits: 2
CREATE INDEX CONCURRENTLY IF NOT EXISTS clinic_visits_student_id_checked_in_at_idx
    ON clinic_visits (student_id, checked_in_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS clinic_visits_school_id_present_idx
    ON clinic_visits (school_id) WHERE checked_out_at IS NULL;

-- Immunization dashboard: 2
CREATE INDEX CONCURRENTLY IF NOT EXISTS immunization_reminders_status_due_on_idx
    ON immunization_reminders (status, due_on);
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS vaccination_schedules_cvx_code_dose_number_idx
    ON vaccination_schedules (cvx_code, dose_number);

-- Medicaid: 3
CREATE INDEX CONCURRENTLY IF NOT EXISTS medicaid_eligibility_student_id_checked_at_idx
    ON medicaid_eligibility (student_id, checked_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS billing_claims_status_submitted_at_idx
    ON billing_claims (status, submitted_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS billing_claims_student_id_service_on_idx
    ON billing_claims (student_id, service_on);

-- Reports: 2
CREATE INDEX CONCURRENTLY IF NOT EXISTS report_instances_report_definition_id_created_at_idx
    ON report_instances (report_definition_id, created_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS report_instances_expires_at_idx
    ON report_instances (expires_at);

-- Exports: 2
CREATE INDEX CONCURRENTLY IF NOT EXISTS scheduled_exports_next_run_at_active_idx
    ON scheduled_exports (next_run_at) WHERE is_active;
CREATE INDEX CONCURRENTLY IF NOT EXISTS export_jobs_status_started_at_idx
    ON export_jobs (status, started_at);

-- Document sharing: 3
CREATE INDEX CONCURRENTLY IF NOT EXISTS shared_documents_document_id_idx
    ON shared_documents (document_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS shared_documents_expires_at_live_idx
    ON shared_documents (expires_at) WHERE expires_at IS NOT NULL AND revoked_at IS NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS document_access_log_shared_document_id_created_at_idx
    ON document_access_log (shared_document_id, created_at);

-- State registries: 3
CREATE INDEX CONCURRENTLY IF NOT EXISTS registry_connections_state_idx
    ON registry_connections (state);
CREATE INDEX CONCURRENTLY IF NOT EXISTS registry_submissions_status_next_retry_at_retry_idx
    ON registry_submissions (status, next_retry_at) WHERE next_retry_at IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS registry_submissions_student_id_idx
    ON registry_submissions (student_id);

-- Student information systems: 3
CREATE INDEX CONCURRENTLY IF NOT EXISTS sis_sync_configs_district_id_idx
    ON sis_sync_configs (district_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS sis_sync_jobs_sis_sync_config_id_started_at_idx
    ON sis_sync_jobs (sis_sync_config_id, started_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS sis_sync_errors_sis_sync_job_id_open_idx
    ON sis_sync_errors (sis_sync_job_id) WHERE resolved_at IS NULL;
