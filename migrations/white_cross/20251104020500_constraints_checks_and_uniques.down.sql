-- Undoes 20251104020500_constraints_checks_and_uniques.

DROP INDEX audit_logs_entity_type_engine_run_idx;
DROP INDEX academic_transcripts_student_id_academic_year_term_idx;
DROP INDEX immunizations_student_id_vaccine_type_idx;
DROP INDEX system_configurations_key_scope_idx;

ALTER TABLE shared_documents
    DROP CONSTRAINT shared_documents_download_count_check,
    DROP CONSTRAINT shared_documents_download_limit_check;

ALTER TABLE documents
    DROP CONSTRAINT documents_size_bytes_check;

ALTER TABLE export_jobs
    DROP CONSTRAINT export_jobs_file_sha256_check,
    DROP CONSTRAINT export_jobs_file_size_check,
    DROP CONSTRAINT export_jobs_row_count_check;

ALTER TABLE billing_claims
    DROP CONSTRAINT billing_claims_amounts_check;

ALTER TABLE medicaid_eligibility
    DROP CONSTRAINT medicaid_eligibility_valid_until_check;

ALTER TABLE vaccination_schedules
    DROP CONSTRAINT vaccination_schedules_minimum_interval_days_check,
    DROP CONSTRAINT vaccination_schedules_ages_check,
    DROP CONSTRAINT vaccination_schedules_dose_number_check,
    DROP CONSTRAINT vaccination_schedules_cvx_code_check;

ALTER TABLE outbreak_case_clusters
    DROP CONSTRAINT outbreak_case_clusters_last_onset_on_check,
    DROP CONSTRAINT outbreak_case_clusters_case_count_check;

ALTER TABLE outbreak_alerts
    DROP CONSTRAINT outbreak_alerts_counts_check;

ALTER TABLE training_modules
    DROP CONSTRAINT training_modules_passing_score_check,
    DROP CONSTRAINT training_modules_duration_minutes_check;

ALTER TABLE budget_transactions
    DROP CONSTRAINT budget_transactions_amount_check;

ALTER TABLE budget_categories
    DROP CONSTRAINT budget_categories_fiscal_year_check,
    DROP CONSTRAINT budget_categories_allocated_check;

ALTER TABLE follow_up_actions
    DROP CONSTRAINT follow_up_actions_origin_check;

ALTER TABLE registry_submissions
    DROP CONSTRAINT registry_submissions_attempts_check;

ALTER TABLE registry_connections
    DROP CONSTRAINT registry_connections_state_check;

ALTER TABLE sis_sync_errors
    DROP CONSTRAINT sis_sync_errors_resolution_check;

ALTER TABLE sis_sync_jobs
    DROP CONSTRAINT sis_sync_jobs_records_check;

ALTER TABLE sis_sync_conflicts
    DROP CONSTRAINT sis_sync_conflicts_resolution_check;

ALTER TABLE sync_conflicts
    DROP CONSTRAINT sync_conflicts_resolution_check;

ALTER TABLE sync_queue_items
    DROP CONSTRAINT sync_queue_items_attempts_check,
    DROP CONSTRAINT sync_queue_items_operation_check;

ALTER TABLE sync_sessions
    DROP CONSTRAINT sync_sessions_items_check;

ALTER TABLE integration_logs
    DROP CONSTRAINT integration_logs_records_check;

ALTER TABLE tamper_alerts
    DROP CONSTRAINT tamper_alerts_entry_hash_check,
    DROP CONSTRAINT tamper_alerts_previous_hash_check,
    DROP CONSTRAINT tamper_alerts_sequence_check,
    DROP CONSTRAINT tamper_alerts_sequence_key;

ALTER TABLE data_integrity_checksums
    DROP CONSTRAINT data_integrity_checksums_checksum_check;

ALTER TABLE cache_entries
    DROP CONSTRAINT cache_entries_key_key;

ALTER TABLE sync_state
    DROP CONSTRAINT sync_state_integration_config_id_entity_type_key;

ALTER TABLE webhooks
    DROP CONSTRAINT webhooks_failure_count_check,
    DROP CONSTRAINT webhooks_url_check;

ALTER TABLE backup_logs
    DROP CONSTRAINT backup_logs_finished_at_check,
    DROP CONSTRAINT backup_logs_checksum_check,
    DROP CONSTRAINT backup_logs_size_bytes_check;

ALTER TABLE licenses
    DROP CONSTRAINT licenses_expires_on_check,
    DROP CONSTRAINT licenses_limits_check,
    DROP CONSTRAINT licenses_license_key_hash_check,
    DROP CONSTRAINT licenses_license_key_hash_key;

ALTER TABLE system_configurations
    DROP CONSTRAINT system_configurations_range_check,
    DROP CONSTRAINT system_configurations_scope_check;

ALTER TABLE report_instances
    DROP CONSTRAINT report_instances_file_sha256_check,
    DROP CONSTRAINT report_instances_file_size_check;

ALTER TABLE report_definitions
    DROP CONSTRAINT report_definitions_version_check,
    DROP CONSTRAINT report_definitions_name_version_key;

ALTER TABLE health_metric_snapshots
    DROP CONSTRAINT health_metric_snapshots_population_check,
    DROP CONSTRAINT health_metric_snapshots_owner_check;

ALTER TABLE analytics_reports
    DROP CONSTRAINT analytics_reports_period_check;

ALTER TABLE purchase_order_items
    DROP CONSTRAINT purchase_order_items_unit_cost_check,
    DROP CONSTRAINT purchase_order_items_received_quantity_check,
    DROP CONSTRAINT purchase_order_items_quantity_check;

ALTER TABLE purchase_orders
    DROP CONSTRAINT purchase_orders_expected_on_check,
    DROP CONSTRAINT purchase_orders_total_check,
    DROP CONSTRAINT purchase_orders_school_id_order_number_key;

ALTER TABLE maintenance_logs
    DROP CONSTRAINT maintenance_logs_cost_check;

ALTER TABLE inventory_transactions
    DROP CONSTRAINT inventory_transactions_quantity_check;

ALTER TABLE inventory_items
    DROP CONSTRAINT inventory_items_unit_cost_check,
    DROP CONSTRAINT inventory_items_reorder_level_check,
    DROP CONSTRAINT inventory_items_quantity_check;

ALTER TABLE suppliers
    DROP CONSTRAINT suppliers_lead_time_days_check;

ALTER TABLE vendors
    DROP CONSTRAINT vendors_rating_check;

ALTER TABLE data_retention_policies
    DROP CONSTRAINT data_retention_policies_retain_years_check,
    DROP CONSTRAINT data_retention_policies_table_name_key;

ALTER TABLE policy_acknowledgments
    DROP CONSTRAINT policy_acknowledgments_policy_document_id_user_id_key;

ALTER TABLE policy_documents
    DROP CONSTRAINT policy_documents_version_check,
    DROP CONSTRAINT policy_documents_title_version_key;

ALTER TABLE compliance_violations
    DROP CONSTRAINT compliance_violations_notify_by_check,
    DROP CONSTRAINT compliance_violations_individuals_affected_check;

ALTER TABLE compliance_reports
    DROP CONSTRAINT compliance_reports_period_check,
    DROP CONSTRAINT compliance_reports_owner_check;

ALTER TABLE consent_forms
    DROP CONSTRAINT consent_forms_expires_on_check,
    DROP CONSTRAINT consent_forms_version_check,
    DROP CONSTRAINT consent_forms_school_id_title_version_key;

ALTER TABLE phi_disclosures
    DROP CONSTRAINT phi_disclosures_retain_until_check;

ALTER TABLE alert_delivery_log
    DROP CONSTRAINT alert_delivery_log_attempts_check;

ALTER TABLE alert_subscriptions
    DROP CONSTRAINT alert_subscriptions_quiet_check;

ALTER TABLE alert_definitions
    DROP CONSTRAINT alert_definitions_escalate_after_minutes_check;

ALTER TABLE emergency_broadcasts
    DROP CONSTRAINT emergency_broadcasts_recipient_count_check;

ALTER TABLE device_tokens
    DROP CONSTRAINT device_tokens_token_key;

ALTER TABLE message_read
    DROP CONSTRAINT message_read_message_id_user_id_key;

ALTER TABLE message_reactions
    DROP CONSTRAINT message_reactions_message_id_user_id_emoji_key;

ALTER TABLE message_delivery
    DROP CONSTRAINT message_delivery_attempts_check;

ALTER TABLE conversation_participants
    DROP CONSTRAINT conversation_participants_left_at_check,
    DROP CONSTRAINT conversation_participants_conversation_id_user_id_key;

ALTER TABLE incident_reports
    DROP CONSTRAINT incident_reports_witness_count_check;

ALTER TABLE appointment_waitlist
    DROP CONSTRAINT appointment_waitlist_wanted_until_check;

ALTER TABLE appointments
    DROP CONSTRAINT appointments_duration_minutes_check;

ALTER TABLE treatment_plans
    DROP CONSTRAINT treatment_plans_ends_on_check;

ALTER TABLE medical_history
    DROP CONSTRAINT medical_history_resolved_on_check;

ALTER TABLE clinic_visits
    DROP CONSTRAINT clinic_visits_class_minutes_missed_check,
    DROP CONSTRAINT clinic_visits_checked_out_at_check;

ALTER TABLE drug_interactions
    DROP CONSTRAINT drug_interactions_pair_check;

ALTER TABLE prescriptions
    DROP CONSTRAINT prescriptions_expires_on_check,
    DROP CONSTRAINT prescriptions_refills_check,
    DROP CONSTRAINT prescriptions_quantity_check;

ALTER TABLE student_medications
    DROP CONSTRAINT student_medications_ends_on_check;

ALTER TABLE medications
    DROP CONSTRAINT medications_controlled_schedule_check,
    DROP CONSTRAINT medications_reorder_level_check,
    DROP CONSTRAINT medications_stock_quantity_check;

ALTER TABLE immunizations
    DROP CONSTRAINT immunizations_doses_check;

ALTER TABLE vaccinations
    DROP CONSTRAINT vaccinations_vis_given_on_check,
    DROP CONSTRAINT vaccinations_doses_check,
    DROP CONSTRAINT vaccinations_cvx_code_check;

ALTER TABLE health_records
    DROP CONSTRAINT health_records_facility_npi_check,
    DROP CONSTRAINT health_records_provider_npi_check;

ALTER TABLE emergency_contacts
    DROP CONSTRAINT emergency_contacts_priority_check,
    DROP CONSTRAINT emergency_contacts_authorization_level_check;

ALTER TABLE students
    DROP CONSTRAINT students_medical_record_number_key,
    DROP CONSTRAINT students_student_number_key;

ALTER TABLE sessions
    DROP CONSTRAINT sessions_expires_at_check,
    DROP CONSTRAINT sessions_token_hash_check,
    DROP CONSTRAINT sessions_token_hash_key;

ALTER TABLE users
    DROP CONSTRAINT users_failed_login_attempts_check,
    DROP CONSTRAINT users_email_key;

ALTER TABLE schools
    DROP CONSTRAINT schools_total_enrollment_check,
    DROP CONSTRAINT schools_state_check,
    DROP CONSTRAINT schools_code_key;

ALTER TABLE districts
    DROP CONSTRAINT districts_state_check,
    DROP CONSTRAINT districts_code_key;
