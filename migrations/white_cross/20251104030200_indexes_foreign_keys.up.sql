-- 20251104030200_indexes_foreign_keys
-- Purpose: 256 indexes: each of the 308 foreign key columns leads a whole index, and these are the
--     columns that no other index leads.
-- HIPAA: ids only.
-- Depends on: all constraint migrations, whose unique keys serve as indexes.

-- Each statement runs by itself, outside a transaction, beside reads and writes, and may be run again.

CREATE INDEX CONCURRENTLY IF NOT EXISTS sessions_user_id_idx
    ON sessions (user_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS students_created_by_idx
    ON students (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS students_updated_by_idx
    ON students (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS emergency_contacts_student_id_idx
    ON emergency_contacts (student_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS emergency_contacts_created_by_idx
    ON emergency_contacts (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS emergency_contacts_updated_by_idx
    ON emergency_contacts (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS contacts_student_id_idx
    ON contacts (student_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS contacts_school_id_idx
    ON contacts (school_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS contacts_created_by_idx
    ON contacts (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS contacts_updated_by_idx
    ON contacts (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS health_records_created_by_idx
    ON health_records (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS health_records_updated_by_idx
    ON health_records (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS allergies_student_id_idx
    ON allergies (student_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS allergies_health_record_id_idx
    ON allergies (health_record_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS allergies_verified_by_idx
    ON allergies (verified_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS allergies_created_by_idx
    ON allergies (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS allergies_updated_by_idx
    ON allergies (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS chronic_conditions_student_id_idx
    ON chronic_conditions (student_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS chronic_conditions_health_record_id_idx
    ON chronic_conditions (health_record_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS chronic_conditions_created_by_idx
    ON chronic_conditions (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS chronic_conditions_updated_by_idx
    ON chronic_conditions (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS vaccinations_health_record_id_idx
    ON vaccinations (health_record_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS vaccinations_administered_by_idx
    ON vaccinations (administered_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS vaccinations_created_by_idx
    ON vaccinations (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS vaccinations_updated_by_idx
    ON vaccinations (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS immunizations_student_id_idx
    ON immunizations (student_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS immunizations_last_dose_id_idx
    ON immunizations (last_dose_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS immunizations_created_by_idx
    ON immunizations (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS immunizations_updated_by_idx
    ON immunizations (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS screenings_student_id_idx
    ON screenings (student_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS screenings_health_record_id_idx
    ON screenings (health_record_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS screenings_screened_by_idx
    ON screenings (screened_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS screenings_created_by_idx
    ON screenings (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS screenings_updated_by_idx
    ON screenings (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS growth_measurements_student_id_idx
    ON growth_measurements (student_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS growth_measurements_health_record_id_idx
    ON growth_measurements (health_record_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS growth_measurements_measured_by_idx
    ON growth_measurements (measured_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS growth_measurements_created_by_idx
    ON growth_measurements (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS growth_measurements_updated_by_idx
    ON growth_measurements (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS vital_signs_student_id_idx
    ON vital_signs (student_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS vital_signs_clinic_visit_id_idx
    ON vital_signs (clinic_visit_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS vital_signs_measured_by_idx
    ON vital_signs (measured_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS vital_signs_created_by_idx
    ON vital_signs (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS vital_signs_updated_by_idx
    ON vital_signs (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS medications_school_id_idx
    ON medications (school_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS student_medications_medication_id_idx
    ON student_medications (medication_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS student_medications_created_by_idx
    ON student_medications (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS student_medications_updated_by_idx
    ON student_medications (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS medication_logs_witnessed_by_idx
    ON medication_logs (witnessed_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS medication_logs_created_by_idx
    ON medication_logs (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS medication_logs_updated_by_idx
    ON medication_logs (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS prescriptions_student_id_idx
    ON prescriptions (student_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS prescriptions_visit_id_idx
    ON prescriptions (visit_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS prescriptions_drug_id_idx
    ON prescriptions (drug_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS prescriptions_created_by_idx
    ON prescriptions (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS prescriptions_updated_by_idx
    ON prescriptions (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS drug_interactions_drug_2_id_idx
    ON drug_interactions (drug_2_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS student_drug_allergies_drug_id_idx
    ON student_drug_allergies (drug_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS student_drug_allergies_allergy_id_idx
    ON student_drug_allergies (allergy_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS student_drug_allergies_created_by_idx
    ON student_drug_allergies (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS student_drug_allergies_updated_by_idx
    ON student_drug_allergies (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS clinic_visits_school_id_idx
    ON clinic_visits (school_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS clinic_visits_nurse_id_idx
    ON clinic_visits (nurse_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS clinic_visits_created_by_idx
    ON clinic_visits (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS clinic_visits_updated_by_idx
    ON clinic_visits (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS clinical_notes_student_id_idx
    ON clinical_notes (student_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS clinical_notes_clinic_visit_id_idx
    ON clinical_notes (clinic_visit_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS clinical_notes_author_id_idx
    ON clinical_notes (author_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS clinical_notes_created_by_idx
    ON clinical_notes (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS clinical_notes_updated_by_idx
    ON clinical_notes (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS clinical_protocols_approved_by_idx
    ON clinical_protocols (approved_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS lab_results_student_id_idx
    ON lab_results (student_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS lab_results_health_record_id_idx
    ON lab_results (health_record_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS lab_results_ordered_by_idx
    ON lab_results (ordered_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS lab_results_created_by_idx
    ON lab_results (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS lab_results_updated_by_idx
    ON lab_results (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS medical_history_student_id_idx
    ON medical_history (student_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS medical_history_created_by_idx
    ON medical_history (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS medical_history_updated_by_idx
    ON medical_history (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS mental_health_records_student_id_idx
    ON mental_health_records (student_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS mental_health_records_counselor_id_idx
    ON mental_health_records (counselor_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS mental_health_records_created_by_idx
    ON mental_health_records (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS mental_health_records_updated_by_idx
    ON mental_health_records (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS treatment_plans_student_id_idx
    ON treatment_plans (student_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS treatment_plans_chronic_condition_id_idx
    ON treatment_plans (chronic_condition_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS treatment_plans_created_by_idx
    ON treatment_plans (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS treatment_plans_updated_by_idx
    ON treatment_plans (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS appointments_nurse_id_idx
    ON appointments (nurse_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS appointments_created_by_idx
    ON appointments (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS appointments_updated_by_idx
    ON appointments (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS appointment_reminders_appointment_id_idx
    ON appointment_reminders (appointment_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS appointment_reminders_created_by_idx
    ON appointment_reminders (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS appointment_reminders_updated_by_idx
    ON appointment_reminders (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS appointment_waitlist_student_id_idx
    ON appointment_waitlist (student_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS appointment_waitlist_nurse_id_idx
    ON appointment_waitlist (nurse_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS appointment_waitlist_created_by_idx
    ON appointment_waitlist (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS appointment_waitlist_updated_by_idx
    ON appointment_waitlist (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS incident_reports_school_id_idx
    ON incident_reports (school_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS incident_reports_created_by_idx
    ON incident_reports (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS incident_reports_updated_by_idx
    ON incident_reports (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS witness_statements_incident_report_id_idx
    ON witness_statements (incident_report_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS witness_statements_taken_by_idx
    ON witness_statements (taken_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS witness_statements_created_by_idx
    ON witness_statements (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS witness_statements_updated_by_idx
    ON witness_statements (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS conversations_school_id_idx
    ON conversations (school_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS conversation_participants_user_id_idx
    ON conversation_participants (user_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_template_id_idx
    ON messages (template_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_reply_to_id_idx
    ON messages (reply_to_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_created_by_idx
    ON messages (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_updated_by_idx
    ON messages (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS message_delivery_message_id_idx
    ON message_delivery (message_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS message_delivery_recipient_id_idx
    ON message_delivery (recipient_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS message_delivery_created_by_idx
    ON message_delivery (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS message_delivery_updated_by_idx
    ON message_delivery (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS message_templates_district_id_idx
    ON message_templates (district_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS message_reactions_user_id_idx
    ON message_reactions (user_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS message_read_user_id_idx
    ON message_read (user_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS emergency_broadcasts_district_id_idx
    ON emergency_broadcasts (district_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS emergency_broadcasts_school_id_idx
    ON emergency_broadcasts (school_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS emergency_broadcasts_sent_by_idx
    ON emergency_broadcasts (sent_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS device_tokens_user_id_idx
    ON device_tokens (user_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS push_notifications_user_id_idx
    ON push_notifications (user_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS push_notifications_device_token_id_idx
    ON push_notifications (device_token_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS push_notifications_created_by_idx
    ON push_notifications (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS push_notifications_updated_by_idx
    ON push_notifications (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_definitions_district_id_idx
    ON alert_definitions (district_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_instances_school_id_idx
    ON alert_instances (school_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_instances_acknowledged_by_idx
    ON alert_instances (acknowledged_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_instances_resolved_by_idx
    ON alert_instances (resolved_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_instances_created_by_idx
    ON alert_instances (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_instances_updated_by_idx
    ON alert_instances (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_subscriptions_alert_definition_id_idx
    ON alert_subscriptions (alert_definition_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_delivery_log_created_by_idx
    ON alert_delivery_log (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_delivery_log_updated_by_idx
    ON alert_delivery_log (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS phi_disclosures_created_by_idx
    ON phi_disclosures (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS phi_disclosures_updated_by_idx
    ON phi_disclosures (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS consent_signatures_consent_form_id_idx
    ON consent_signatures (consent_form_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS consent_signatures_student_id_idx
    ON consent_signatures (student_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS consent_signatures_created_by_idx
    ON consent_signatures (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS consent_signatures_updated_by_idx
    ON consent_signatures (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS compliance_reports_district_id_idx
    ON compliance_reports (district_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS compliance_reports_school_id_idx
    ON compliance_reports (school_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS compliance_reports_generated_by_idx
    ON compliance_reports (generated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS compliance_checklist_items_compliance_report_id_idx
    ON compliance_checklist_items (compliance_report_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS compliance_checklist_items_assigned_to_id_idx
    ON compliance_checklist_items (assigned_to_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS compliance_violations_compliance_report_id_idx
    ON compliance_violations (compliance_report_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS compliance_violations_reported_by_idx
    ON compliance_violations (reported_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS policy_documents_approved_by_idx
    ON policy_documents (approved_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS policy_acknowledgments_user_id_idx
    ON policy_acknowledgments (user_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS remediation_actions_compliance_violation_id_idx
    ON remediation_actions (compliance_violation_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS remediation_actions_assigned_to_id_idx
    ON remediation_actions (assigned_to_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS inventory_items_supplier_id_idx
    ON inventory_items (supplier_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS inventory_transactions_purchase_order_id_idx
    ON inventory_transactions (purchase_order_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS inventory_transactions_performed_by_idx
    ON inventory_transactions (performed_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS maintenance_logs_inventory_item_id_idx
    ON maintenance_logs (inventory_item_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS maintenance_logs_performed_by_idx
    ON maintenance_logs (performed_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS purchase_orders_vendor_id_idx
    ON purchase_orders (vendor_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS purchase_orders_ordered_by_idx
    ON purchase_orders (ordered_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS purchase_orders_approved_by_idx
    ON purchase_orders (approved_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS purchase_order_items_purchase_order_id_idx
    ON purchase_order_items (purchase_order_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS purchase_order_items_inventory_item_id_idx
    ON purchase_order_items (inventory_item_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS analytics_reports_district_id_idx
    ON analytics_reports (district_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS analytics_reports_school_id_idx
    ON analytics_reports (school_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS analytics_reports_generated_by_idx
    ON analytics_reports (generated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS health_metric_snapshots_district_id_idx
    ON health_metric_snapshots (district_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS health_metric_snapshots_school_id_idx
    ON health_metric_snapshots (school_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS report_schedules_report_definition_id_idx
    ON report_schedules (report_definition_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS report_schedules_owner_id_idx
    ON report_schedules (owner_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS report_instances_report_schedule_id_idx
    ON report_instances (report_schedule_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS report_instances_requested_by_idx
    ON report_instances (requested_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS report_instances_created_by_idx
    ON report_instances (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS report_instances_updated_by_idx
    ON report_instances (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS system_configurations_district_id_idx
    ON system_configurations (district_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS system_configurations_school_id_idx
    ON system_configurations (school_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS system_configurations_user_id_idx
    ON system_configurations (user_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS configuration_history_system_configuration_id_idx
    ON configuration_history (system_configuration_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS configuration_history_changed_by_idx
    ON configuration_history (changed_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS licenses_district_id_idx
    ON licenses (district_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS threat_detections_user_id_idx
    ON threat_detections (user_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS webhooks_district_id_idx
    ON webhooks (district_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS tamper_alerts_checksum_id_idx
    ON tamper_alerts (checksum_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS integration_configs_district_id_idx
    ON integration_configs (district_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS integration_configs_school_id_idx
    ON integration_configs (school_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS integration_logs_integration_config_id_idx
    ON integration_logs (integration_config_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS sync_sessions_integration_config_id_idx
    ON sync_sessions (integration_config_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS sync_sessions_user_id_idx
    ON sync_sessions (user_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS sync_queue_items_sync_session_id_idx
    ON sync_queue_items (sync_session_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS sync_queue_items_created_by_idx
    ON sync_queue_items (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS sync_queue_items_updated_by_idx
    ON sync_queue_items (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS sync_conflicts_sync_queue_item_id_idx
    ON sync_conflicts (sync_queue_item_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS sync_conflicts_resolved_by_idx
    ON sync_conflicts (resolved_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS sync_conflicts_created_by_idx
    ON sync_conflicts (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS sync_conflicts_updated_by_idx
    ON sync_conflicts (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS sis_sync_conflicts_sis_sync_job_id_idx
    ON sis_sync_conflicts (sis_sync_job_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS sis_sync_conflicts_student_id_idx
    ON sis_sync_conflicts (student_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS sis_sync_conflicts_resolved_by_idx
    ON sis_sync_conflicts (resolved_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS sis_sync_conflicts_created_by_idx
    ON sis_sync_conflicts (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS sis_sync_conflicts_updated_by_idx
    ON sis_sync_conflicts (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS sis_sync_configs_school_id_idx
    ON sis_sync_configs (school_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS sis_sync_jobs_triggered_by_idx
    ON sis_sync_jobs (triggered_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS sis_sync_errors_sis_sync_job_id_idx
    ON sis_sync_errors (sis_sync_job_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS sis_sync_errors_resolved_by_idx
    ON sis_sync_errors (resolved_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS sis_sync_errors_created_by_idx
    ON sis_sync_errors (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS sis_sync_errors_updated_by_idx
    ON sis_sync_errors (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS registry_connections_district_id_idx
    ON registry_connections (district_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS registry_submissions_registry_connection_id_idx
    ON registry_submissions (registry_connection_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS registry_submissions_vaccination_id_idx
    ON registry_submissions (vaccination_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS registry_submissions_created_by_idx
    ON registry_submissions (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS registry_submissions_updated_by_idx
    ON registry_submissions (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS follow_up_actions_incident_report_id_idx
    ON follow_up_actions (incident_report_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS follow_up_actions_health_record_id_idx
    ON follow_up_actions (health_record_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS follow_up_actions_assigned_to_id_idx
    ON follow_up_actions (assigned_to_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS follow_up_actions_created_by_idx
    ON follow_up_actions (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS follow_up_actions_updated_by_idx
    ON follow_up_actions (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS follow_up_appointments_follow_up_action_id_idx
    ON follow_up_appointments (follow_up_action_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS follow_up_appointments_appointment_id_idx
    ON follow_up_appointments (appointment_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS follow_up_appointments_created_by_idx
    ON follow_up_appointments (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS follow_up_appointments_updated_by_idx
    ON follow_up_appointments (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS budget_categories_district_id_idx
    ON budget_categories (district_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS budget_categories_school_id_idx
    ON budget_categories (school_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS budget_transactions_budget_category_id_idx
    ON budget_transactions (budget_category_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS budget_transactions_purchase_order_id_idx
    ON budget_transactions (purchase_order_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS academic_transcripts_student_id_idx
    ON academic_transcripts (student_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS academic_transcripts_school_id_idx
    ON academic_transcripts (school_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS academic_transcripts_created_by_idx
    ON academic_transcripts (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS academic_transcripts_updated_by_idx
    ON academic_transcripts (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS symptom_tracking_clinic_visit_id_idx
    ON symptom_tracking (clinic_visit_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS symptom_tracking_created_by_idx
    ON symptom_tracking (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS symptom_tracking_updated_by_idx
    ON symptom_tracking (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS outbreak_alerts_district_id_idx
    ON outbreak_alerts (district_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS outbreak_case_clusters_school_id_idx
    ON outbreak_case_clusters (school_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS outbreak_case_clusters_created_by_idx
    ON outbreak_case_clusters (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS outbreak_case_clusters_updated_by_idx
    ON outbreak_case_clusters (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS immunization_reminders_student_id_idx
    ON immunization_reminders (student_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS immunization_reminders_vaccination_schedule_id_idx
    ON immunization_reminders (vaccination_schedule_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS immunization_reminders_created_by_idx
    ON immunization_reminders (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS immunization_reminders_updated_by_idx
    ON immunization_reminders (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS medicaid_eligibility_created_by_idx
    ON medicaid_eligibility (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS medicaid_eligibility_updated_by_idx
    ON medicaid_eligibility (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS billing_claims_clinic_visit_id_idx
    ON billing_claims (clinic_visit_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS billing_claims_medicaid_eligibility_id_idx
    ON billing_claims (medicaid_eligibility_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS billing_claims_created_by_idx
    ON billing_claims (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS billing_claims_updated_by_idx
    ON billing_claims (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS scheduled_exports_district_id_idx
    ON scheduled_exports (district_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS scheduled_exports_owner_id_idx
    ON scheduled_exports (owner_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS export_jobs_scheduled_export_id_idx
    ON export_jobs (scheduled_export_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS export_jobs_requested_by_idx
    ON export_jobs (requested_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS documents_student_id_idx
    ON documents (student_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS documents_uploaded_by_idx
    ON documents (uploaded_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS documents_created_by_idx
    ON documents (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS documents_updated_by_idx
    ON documents (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS shared_documents_shared_by_idx
    ON shared_documents (shared_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS shared_documents_recipient_id_idx
    ON shared_documents (recipient_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS shared_documents_created_by_idx
    ON shared_documents (created_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS shared_documents_updated_by_idx
    ON shared_documents (updated_by);
CREATE INDEX CONCURRENTLY IF NOT EXISTS document_access_log_user_id_idx
    ON document_access_log (user_id);
