-- 20251104020500_constraints_checks_and_uniques
-- Purpose: 20 unique keys, 4 unique indexes over expressions or parts of a table, 107 checks.
-- HIPAA: disclosures are kept six years (45 CFR 164.528); breach notices are due within 60 days (45
--     CFR 164.404).
-- Depends on: all schema migrations.

-- Unique keys and ranges. None of the checks looks at a PHI column: its plaintext may go, once sealed.
-- A check of a column that is NULL holds.

ALTER TABLE districts
    ADD CONSTRAINT districts_code_key UNIQUE (code),
    ADD CONSTRAINT districts_state_check CHECK (state ~ '^[A-Z]{2}$');

ALTER TABLE schools
    ADD CONSTRAINT schools_code_key UNIQUE (code),
    ADD CONSTRAINT schools_state_check CHECK (state ~ '^[A-Z]{2}$'),
    ADD CONSTRAINT schools_total_enrollment_check CHECK (total_enrollment >= 0);

ALTER TABLE users
    ADD CONSTRAINT users_email_key UNIQUE (email),
    ADD CONSTRAINT users_failed_login_attempts_check CHECK (failed_login_attempts >= 0);

ALTER TABLE sessions
    ADD CONSTRAINT sessions_token_hash_key UNIQUE (token_hash),
    ADD CONSTRAINT sessions_token_hash_check CHECK (octet_length(token_hash) = 32),
    ADD CONSTRAINT sessions_expires_at_check CHECK (expires_at > created_at);

ALTER TABLE students
    ADD CONSTRAINT students_student_number_key UNIQUE (student_number),
    ADD CONSTRAINT students_medical_record_number_key UNIQUE (medical_record_number);

ALTER TABLE emergency_contacts
    ADD CONSTRAINT emergency_contacts_authorization_level_check
        CHECK (authorization_level BETWEEN 1 AND 3),
    ADD CONSTRAINT emergency_contacts_priority_check CHECK (priority >= 1);

ALTER TABLE health_records
    ADD CONSTRAINT health_records_provider_npi_check CHECK (provider_npi ~ '^[0-9]{10}$'),
    ADD CONSTRAINT health_records_facility_npi_check CHECK (facility_npi ~ '^[0-9]{10}$');

ALTER TABLE vaccinations
    ADD CONSTRAINT vaccinations_cvx_code_check CHECK (cvx_code ~ '^[0-9]{2,3}$'),
    ADD CONSTRAINT vaccinations_doses_check CHECK (dose_number >= 1 AND dose_number <= total_doses),
    ADD CONSTRAINT vaccinations_vis_given_on_check CHECK (vis_given_on >= vis_edition_on);

ALTER TABLE immunizations
    ADD CONSTRAINT immunizations_doses_check CHECK (doses_required >= 1 AND doses_received >= 0);

ALTER TABLE medications
    ADD CONSTRAINT medications_stock_quantity_check CHECK (stock_quantity >= 0),
    ADD CONSTRAINT medications_reorder_level_check CHECK (reorder_level >= 0),
    ADD CONSTRAINT medications_controlled_schedule_check
        CHECK (controlled_schedule IN ('II', 'III', 'IV', 'V'));

ALTER TABLE student_medications
    ADD CONSTRAINT student_medications_ends_on_check CHECK (ends_on >= starts_on);

ALTER TABLE prescriptions
    ADD CONSTRAINT prescriptions_quantity_check CHECK (quantity > 0),
    ADD CONSTRAINT prescriptions_refills_check CHECK (refills >= 0),
    ADD CONSTRAINT prescriptions_expires_on_check CHECK (expires_on >= prescribed_on);

ALTER TABLE drug_interactions
    ADD CONSTRAINT drug_interactions_pair_check CHECK (drug_1_id < drug_2_id);

ALTER TABLE clinic_visits
    ADD CONSTRAINT clinic_visits_checked_out_at_check CHECK (checked_out_at >= checked_in_at),
    ADD CONSTRAINT clinic_visits_class_minutes_missed_check CHECK (class_minutes_missed >= 0);

ALTER TABLE medical_history
    ADD CONSTRAINT medical_history_resolved_on_check CHECK (resolved_on >= onset_on);

ALTER TABLE treatment_plans
    ADD CONSTRAINT treatment_plans_ends_on_check CHECK (ends_on >= starts_on);

ALTER TABLE appointments
    ADD CONSTRAINT appointments_duration_minutes_check CHECK (duration_minutes BETWEEN 1 AND 480);

ALTER TABLE appointment_waitlist
    ADD CONSTRAINT appointment_waitlist_wanted_until_check CHECK (wanted_until >= wanted_from);

ALTER TABLE incident_reports
    ADD CONSTRAINT incident_reports_witness_count_check CHECK (witness_count >= 0);

ALTER TABLE conversation_participants
    ADD CONSTRAINT conversation_participants_conversation_id_user_id_key UNIQUE (conversation_id, user_id),
    ADD CONSTRAINT conversation_participants_left_at_check CHECK (left_at >= joined_at);

ALTER TABLE message_delivery
    ADD CONSTRAINT message_delivery_attempts_check CHECK (attempts >= 0);

ALTER TABLE message_reactions
    ADD CONSTRAINT message_reactions_message_id_user_id_emoji_key UNIQUE (message_id, user_id, emoji);

ALTER TABLE message_read
    ADD CONSTRAINT message_read_message_id_user_id_key UNIQUE (message_id, user_id);

ALTER TABLE device_tokens
    ADD CONSTRAINT device_tokens_token_key UNIQUE (token);

ALTER TABLE emergency_broadcasts
    ADD CONSTRAINT emergency_broadcasts_recipient_count_check CHECK (recipient_count >= 0);

ALTER TABLE alert_definitions
    ADD CONSTRAINT alert_definitions_escalate_after_minutes_check CHECK (escalate_after_minutes > 0);

ALTER TABLE alert_subscriptions
    ADD CONSTRAINT alert_subscriptions_quiet_check
        CHECK ((quiet_from IS NULL) = (quiet_until IS NULL));

ALTER TABLE alert_delivery_log
    ADD CONSTRAINT alert_delivery_log_attempts_check CHECK (attempts >= 0);

ALTER TABLE phi_disclosures
    ADD CONSTRAINT phi_disclosures_retain_until_check
        CHECK (retain_until >= ((disclosed_at AT TIME ZONE 'UTC') + interval '6 years')::date);

ALTER TABLE consent_forms
    ADD CONSTRAINT consent_forms_school_id_title_version_key UNIQUE (school_id, title, version),
    ADD CONSTRAINT consent_forms_version_check CHECK (version >= 1),
    ADD CONSTRAINT consent_forms_expires_on_check CHECK (expires_on >= effective_on);

ALTER TABLE compliance_reports
    ADD CONSTRAINT compliance_reports_owner_check CHECK (num_nonnulls(district_id, school_id) >= 1),
    ADD CONSTRAINT compliance_reports_period_check CHECK (period_end >= period_start);

ALTER TABLE compliance_violations
    ADD CONSTRAINT compliance_violations_individuals_affected_check
        CHECK (individuals_affected >= 0),
    ADD CONSTRAINT compliance_violations_notify_by_check
        CHECK (notify_by <= (discovered_at AT TIME ZONE 'UTC')::date + 60);

ALTER TABLE policy_documents
    ADD CONSTRAINT policy_documents_title_version_key UNIQUE (title, version),
    ADD CONSTRAINT policy_documents_version_check CHECK (version >= 1);

ALTER TABLE policy_acknowledgments
    ADD CONSTRAINT policy_acknowledgments_policy_document_id_user_id_key UNIQUE (policy_document_id, user_id);

ALTER TABLE data_retention_policies
    ADD CONSTRAINT data_retention_policies_table_name_key UNIQUE (table_name),
    ADD CONSTRAINT data_retention_policies_retain_years_check CHECK (retain_years BETWEEN 1 AND 100);

ALTER TABLE vendors
    ADD CONSTRAINT vendors_rating_check CHECK (rating BETWEEN 0 AND 5);

ALTER TABLE suppliers
    ADD CONSTRAINT suppliers_lead_time_days_check CHECK (lead_time_days >= 0);

ALTER TABLE inventory_items
    ADD CONSTRAINT inventory_items_quantity_check CHECK (quantity >= 0),
    ADD CONSTRAINT inventory_items_reorder_level_check CHECK (reorder_level >= 0),
    ADD CONSTRAINT inventory_items_unit_cost_check CHECK (unit_cost >= 0);

ALTER TABLE inventory_transactions
    ADD CONSTRAINT inventory_transactions_quantity_check CHECK (quantity <> 0);

ALTER TABLE maintenance_logs
    ADD CONSTRAINT maintenance_logs_cost_check CHECK (cost >= 0);

ALTER TABLE purchase_orders
    ADD CONSTRAINT purchase_orders_school_id_order_number_key UNIQUE (school_id, order_number),
    ADD CONSTRAINT purchase_orders_total_check CHECK (total >= 0),
    ADD CONSTRAINT purchase_orders_expected_on_check CHECK (expected_on >= ordered_on);

ALTER TABLE purchase_order_items
    ADD CONSTRAINT purchase_order_items_quantity_check CHECK (quantity > 0),
    ADD CONSTRAINT purchase_order_items_received_quantity_check CHECK (received_quantity >= 0),
    ADD CONSTRAINT purchase_order_items_unit_cost_check CHECK (unit_cost >= 0);

ALTER TABLE analytics_reports
    ADD CONSTRAINT analytics_reports_period_check CHECK (period_end >= period_start);

ALTER TABLE health_metric_snapshots
    ADD CONSTRAINT health_metric_snapshots_owner_check
        CHECK (num_nonnulls(district_id, school_id) >= 1),
    ADD CONSTRAINT health_metric_snapshots_population_check CHECK (population >= 0);

ALTER TABLE report_definitions
    ADD CONSTRAINT report_definitions_name_version_key UNIQUE (name, version),
    ADD CONSTRAINT report_definitions_version_check CHECK (version >= 1);

ALTER TABLE report_instances
    ADD CONSTRAINT report_instances_file_size_check CHECK (file_size >= 0),
    ADD CONSTRAINT report_instances_file_sha256_check CHECK (octet_length(file_sha256) = 32);

ALTER TABLE system_configurations
    ADD CONSTRAINT system_configurations_scope_check CHECK (CASE scope
            WHEN 'SYSTEM' THEN num_nonnulls(district_id, school_id, user_id) = 0
            WHEN 'DISTRICT' THEN district_id IS NOT NULL AND num_nonnulls(school_id, user_id) = 0
            WHEN 'SCHOOL' THEN school_id IS NOT NULL AND num_nonnulls(district_id, user_id) = 0
            ELSE user_id IS NOT NULL AND num_nonnulls(district_id, school_id) = 0
        END),
    ADD CONSTRAINT system_configurations_range_check CHECK (min_value <= max_value);

ALTER TABLE licenses
    ADD CONSTRAINT licenses_license_key_hash_key UNIQUE (license_key_hash),
    ADD CONSTRAINT licenses_license_key_hash_check CHECK (octet_length(license_key_hash) = 32),
    ADD CONSTRAINT licenses_limits_check CHECK (max_users > 0 AND max_students > 0),
    ADD CONSTRAINT licenses_expires_on_check CHECK (expires_on >= issued_on);

ALTER TABLE backup_logs
    ADD CONSTRAINT backup_logs_size_bytes_check CHECK (size_bytes >= 0),
    ADD CONSTRAINT backup_logs_checksum_check CHECK (octet_length(checksum) = 32),
    ADD CONSTRAINT backup_logs_finished_at_check CHECK (finished_at >= started_at);

ALTER TABLE webhooks
    ADD CONSTRAINT webhooks_url_check CHECK (url LIKE 'https://%'),
    ADD CONSTRAINT webhooks_failure_count_check CHECK (failure_count >= 0);

ALTER TABLE sync_state
    ADD CONSTRAINT sync_state_integration_config_id_entity_type_key UNIQUE (integration_config_id, entity_type);

ALTER TABLE cache_entries
    ADD CONSTRAINT cache_entries_key_key UNIQUE (key);

ALTER TABLE data_integrity_checksums
    ADD CONSTRAINT data_integrity_checksums_checksum_check CHECK (octet_length(checksum) = 32);

ALTER TABLE tamper_alerts
    ADD CONSTRAINT tamper_alerts_sequence_key UNIQUE (sequence),
    ADD CONSTRAINT tamper_alerts_sequence_check CHECK (sequence >= 1),
    ADD CONSTRAINT tamper_alerts_previous_hash_check CHECK (octet_length(previous_hash) = 32),
    ADD CONSTRAINT tamper_alerts_entry_hash_check CHECK (octet_length(entry_hash) = 32);

ALTER TABLE integration_logs
    ADD CONSTRAINT integration_logs_records_check
        CHECK (records_processed >= 0 AND records_failed >= 0);

ALTER TABLE sync_sessions
    ADD CONSTRAINT sync_sessions_items_check
        CHECK (items_total >= 0 AND items_failed BETWEEN 0 AND items_total);

ALTER TABLE sync_queue_items
    ADD CONSTRAINT sync_queue_items_operation_check
        CHECK (operation IN ('INSERT', 'UPDATE', 'DELETE')),
    ADD CONSTRAINT sync_queue_items_attempts_check CHECK (attempts >= 0);

ALTER TABLE sync_conflicts
    ADD CONSTRAINT sync_conflicts_resolution_check
        CHECK (resolution IN ('LOCAL', 'REMOTE', 'MERGED', 'DISMISSED'));

ALTER TABLE sis_sync_conflicts
    ADD CONSTRAINT sis_sync_conflicts_resolution_check
        CHECK (resolution IN ('LOCAL', 'SIS', 'MERGED', 'DISMISSED'));

ALTER TABLE sis_sync_jobs
    ADD CONSTRAINT sis_sync_jobs_records_check
        CHECK (records_total >= 0 AND records_failed BETWEEN 0 AND records_total);

ALTER TABLE sis_sync_errors
    ADD CONSTRAINT sis_sync_errors_resolution_check
        CHECK (resolution IN ('FIXED', 'RETRIED', 'DISMISSED'));

ALTER TABLE registry_connections
    ADD CONSTRAINT registry_connections_state_check CHECK (state ~ '^[A-Z]{2}$');

ALTER TABLE registry_submissions
    ADD CONSTRAINT registry_submissions_attempts_check CHECK (attempts >= 0);

ALTER TABLE follow_up_actions
    ADD CONSTRAINT follow_up_actions_origin_check
        CHECK (num_nonnulls(incident_report_id, health_record_id) >= 1);

ALTER TABLE budget_categories
    ADD CONSTRAINT budget_categories_allocated_check CHECK (allocated >= 0),
    ADD CONSTRAINT budget_categories_fiscal_year_check CHECK (fiscal_year BETWEEN 2000 AND 2199);

ALTER TABLE budget_transactions
    ADD CONSTRAINT budget_transactions_amount_check CHECK (amount <> 0);

ALTER TABLE training_modules
    ADD CONSTRAINT training_modules_duration_minutes_check CHECK (duration_minutes > 0),
    ADD CONSTRAINT training_modules_passing_score_check CHECK (passing_score BETWEEN 0 AND 100);

ALTER TABLE outbreak_alerts
    ADD CONSTRAINT outbreak_alerts_counts_check
        CHECK (observed >= 0 AND expected >= 0 AND threshold >= 0);

ALTER TABLE outbreak_case_clusters
    ADD CONSTRAINT outbreak_case_clusters_case_count_check CHECK (case_count >= 0),
    ADD CONSTRAINT outbreak_case_clusters_last_onset_on_check
        CHECK (last_onset_on >= first_onset_on);

ALTER TABLE vaccination_schedules
    ADD CONSTRAINT vaccination_schedules_cvx_code_check CHECK (cvx_code ~ '^[0-9]{2,3}$'),
    ADD CONSTRAINT vaccination_schedules_dose_number_check CHECK (dose_number >= 1),
    ADD CONSTRAINT vaccination_schedules_ages_check
        CHECK (minimum_age_months >= 0 AND recommended_age_months >= minimum_age_months),
    ADD CONSTRAINT vaccination_schedules_minimum_interval_days_check
        CHECK (minimum_interval_days > 0);

ALTER TABLE medicaid_eligibility
    ADD CONSTRAINT medicaid_eligibility_valid_until_check CHECK (valid_until >= valid_from);

ALTER TABLE billing_claims
    ADD CONSTRAINT billing_claims_amounts_check CHECK (amount_billed >= 0 AND amount_paid >= 0);

ALTER TABLE export_jobs
    ADD CONSTRAINT export_jobs_row_count_check CHECK (row_count >= 0),
    ADD CONSTRAINT export_jobs_file_size_check CHECK (file_size >= 0),
    ADD CONSTRAINT export_jobs_file_sha256_check CHECK (octet_length(file_sha256) = 32);

ALTER TABLE documents
    ADD CONSTRAINT documents_size_bytes_check CHECK (size_bytes >= 0);

ALTER TABLE shared_documents
    ADD CONSTRAINT shared_documents_download_limit_check CHECK (download_limit > 0),
    ADD CONSTRAINT shared_documents_download_count_check CHECK (download_count >= 0);

-- One value of a setting in one place.
CREATE UNIQUE INDEX system_configurations_key_scope_idx
    ON system_configurations (
        key, scope,
        coalesce(district_id, school_id, user_id, '00000000-0000-0000-0000-000000000000')
    );

-- One live row for a series, or a term.
CREATE UNIQUE INDEX immunizations_student_id_vaccine_type_idx
    ON immunizations (student_id, vaccine_type)
    WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX academic_transcripts_student_id_academic_year_term_idx
    ON academic_transcripts (student_id, academic_year, term)
    WHERE deleted_at IS NULL;

-- One entry for a run of the sealing engine and a table.
CREATE UNIQUE INDEX audit_logs_entity_type_engine_run_idx
    ON audit_logs (entity_type, engine_run)
    WHERE engine_run IS NOT NULL;
