-- 20251104030500_indexes_specialized
-- Purpose: 27 indexes: JSONB and arrays, full text, parts of tables.
-- HIPAA: no PHI is indexed.
-- Depends on: all constraint migrations, whose unique keys serve as indexes.

-- Each statement runs by itself, outside a transaction, beside reads and writes, and may be run again.

-- JSONB and arrays, by containment. PHI columns of these types have none.
CREATE INDEX CONCURRENTLY IF NOT EXISTS health_records_metadata_idx
    ON health_records USING gin (metadata jsonb_path_ops);
CREATE INDEX CONCURRENTLY IF NOT EXISTS alert_definitions_rule_idx
    ON alert_definitions USING gin (rule jsonb_path_ops);
CREATE INDEX CONCURRENTLY IF NOT EXISTS analytics_reports_results_idx
    ON analytics_reports USING gin (results jsonb_path_ops);
CREATE INDEX CONCURRENTLY IF NOT EXISTS health_metric_snapshots_dimensions_idx
    ON health_metric_snapshots USING gin (dimensions jsonb_path_ops);
CREATE INDEX CONCURRENTLY IF NOT EXISTS performance_metrics_labels_idx
    ON performance_metrics USING gin (labels jsonb_path_ops);
CREATE INDEX CONCURRENTLY IF NOT EXISTS threat_detections_details_idx
    ON threat_detections USING gin (details jsonb_path_ops);
CREATE INDEX CONCURRENTLY IF NOT EXISTS integration_configs_settings_idx
    ON integration_configs USING gin (settings jsonb_path_ops);
CREATE INDEX CONCURRENTLY IF NOT EXISTS vaccination_schedules_state_requirements_idx
    ON vaccination_schedules USING gin (state_requirements jsonb_path_ops);
CREATE INDEX CONCURRENTLY IF NOT EXISTS system_configurations_tags_idx
    ON system_configurations USING gin (tags);

-- Full text, over columns that hold no PHI.
CREATE INDEX CONCURRENTLY IF NOT EXISTS drug_catalog_generic_name_drug_class_fts_idx
    ON drug_catalog USING gin (to_tsvector('simple', generic_name || ' ' || coalesce(drug_class, '')));
CREATE INDEX CONCURRENTLY IF NOT EXISTS clinical_protocols_name_content_fts_idx
    ON clinical_protocols USING gin (to_tsvector('simple', name || ' ' || coalesce(content, '')));
CREATE INDEX CONCURRENTLY IF NOT EXISTS policy_documents_title_content_fts_idx
    ON policy_documents USING gin (to_tsvector('simple', title || ' ' || coalesce(content, '')));
CREATE INDEX CONCURRENTLY IF NOT EXISTS training_modules_title_description_fts_idx
    ON training_modules USING gin (to_tsvector('simple', title || ' ' || coalesce(description, '')));
CREATE INDEX CONCURRENTLY IF NOT EXISTS message_templates_name_body_fts_idx
    ON message_templates USING gin (to_tsvector('simple', name || ' ' || body));

-- Partial: what waits, runs out or is looked through for work.
CREATE INDEX CONCURRENTLY IF NOT EXISTS appointment_reminders_send_at_pending_idx
    ON appointment_reminders (send_at) WHERE status = 'PENDING';
CREATE INDEX CONCURRENTLY IF NOT EXISTS immunization_reminders_send_at_pending_idx
    ON immunization_reminders (send_at) WHERE status = 'PENDING';
CREATE INDEX CONCURRENTLY IF NOT EXISTS immunizations_next_due_on_due_idx
    ON immunizations (next_due_on) WHERE status IN ('DUE', 'OVERDUE') AND deleted_at IS NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS chronic_conditions_care_plan_review_on_active_idx
    ON chronic_conditions (care_plan_review_on) WHERE status = 'ACTIVE' AND deleted_at IS NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS allergies_epipen_expires_on_required_idx
    ON allergies (epipen_expires_on) WHERE epipen_required AND deleted_at IS NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS follow_up_actions_due_on_open_idx
    ON follow_up_actions (due_on) WHERE status IN ('PENDING', 'SCHEDULED', 'OVERDUE');
CREATE INDEX CONCURRENTLY IF NOT EXISTS consent_signatures_expires_on_granted_idx
    ON consent_signatures (expires_on) WHERE status = 'GRANTED';
CREATE INDEX CONCURRENTLY IF NOT EXISTS purchase_orders_expected_on_ordered_idx
    ON purchase_orders (expected_on) WHERE status = 'ORDERED';
CREATE INDEX CONCURRENTLY IF NOT EXISTS licenses_expires_on_active_idx
    ON licenses (expires_on) WHERE is_active;
CREATE INDEX CONCURRENTLY IF NOT EXISTS report_schedules_next_run_at_active_idx
    ON report_schedules (next_run_at) WHERE is_active;
CREATE INDEX CONCURRENTLY IF NOT EXISTS sync_queue_items_next_attempt_at_pending_idx
    ON sync_queue_items (next_attempt_at) WHERE status = 'PENDING';
CREATE INDEX CONCURRENTLY IF NOT EXISTS cache_entries_expires_at_idx
    ON cache_entries (expires_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS students_deleted_at_idx
    ON students (deleted_at) WHERE deleted_at IS NOT NULL;
