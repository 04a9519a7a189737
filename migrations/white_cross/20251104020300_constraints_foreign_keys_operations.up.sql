-- 20251104020300_constraints_foreign_keys_operations
-- Purpose: 121 foreign keys: messages, alerts, audit, compliance, inventory, reports,
--     configuration, integrations, documents.
-- HIPAA: the audit log, disclosures, consents, configuration history and document access are kept
--     by RESTRICT.
-- Depends on: all schema migrations.

-- Logs and kept records hold RESTRICT: what they speak of cannot be deleted before them. The deferred
-- keys are of rows under two parents, checked once both are gone.

ALTER TABLE conversations
    ADD CONSTRAINT conversations_school_id_fkey
        FOREIGN KEY (school_id) REFERENCES schools (id) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE conversation_participants
    ADD CONSTRAINT conversation_participants_conversation_id_fkey
        FOREIGN KEY (conversation_id) REFERENCES conversations (id) ON DELETE CASCADE,
    ADD CONSTRAINT conversation_participants_user_id_fkey
        FOREIGN KEY (user_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE messages
    ADD CONSTRAINT messages_conversation_id_fkey
        FOREIGN KEY (conversation_id) REFERENCES conversations (id) ON DELETE CASCADE,
    ADD CONSTRAINT messages_sender_id_fkey
        FOREIGN KEY (sender_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT messages_template_id_fkey
        FOREIGN KEY (template_id) REFERENCES message_templates (id) ON DELETE SET NULL,
    ADD CONSTRAINT messages_reply_to_id_fkey
        FOREIGN KEY (reply_to_id) REFERENCES messages (id) ON DELETE SET NULL;

ALTER TABLE message_delivery
    ADD CONSTRAINT message_delivery_message_id_fkey
        FOREIGN KEY (message_id) REFERENCES messages (id) ON DELETE CASCADE,
    ADD CONSTRAINT message_delivery_recipient_id_fkey
        FOREIGN KEY (recipient_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE message_templates
    ADD CONSTRAINT message_templates_district_id_fkey
        FOREIGN KEY (district_id) REFERENCES districts (id) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE message_reactions
    ADD CONSTRAINT message_reactions_message_id_fkey
        FOREIGN KEY (message_id) REFERENCES messages (id) ON DELETE CASCADE,
    ADD CONSTRAINT message_reactions_user_id_fkey
        FOREIGN KEY (user_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE message_read
    ADD CONSTRAINT message_read_message_id_fkey
        FOREIGN KEY (message_id) REFERENCES messages (id) ON DELETE CASCADE,
    ADD CONSTRAINT message_read_user_id_fkey
        FOREIGN KEY (user_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE emergency_broadcasts
    ADD CONSTRAINT emergency_broadcasts_district_id_fkey
        FOREIGN KEY (district_id) REFERENCES districts (id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT emergency_broadcasts_school_id_fkey
        FOREIGN KEY (school_id) REFERENCES schools (id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT emergency_broadcasts_sent_by_fkey
        FOREIGN KEY (sent_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE device_tokens
    ADD CONSTRAINT device_tokens_user_id_fkey
        FOREIGN KEY (user_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE push_notifications
    ADD CONSTRAINT push_notifications_user_id_fkey
        FOREIGN KEY (user_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT push_notifications_device_token_id_fkey
        FOREIGN KEY (device_token_id) REFERENCES device_tokens (id) ON DELETE SET NULL;

ALTER TABLE alert_definitions
    ADD CONSTRAINT alert_definitions_district_id_fkey
        FOREIGN KEY (district_id) REFERENCES districts (id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT alert_definitions_school_id_fkey
        FOREIGN KEY (school_id) REFERENCES schools (id) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE alert_instances
    ADD CONSTRAINT alert_instances_alert_definition_id_fkey
        FOREIGN KEY (alert_definition_id) REFERENCES alert_definitions (id) DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT alert_instances_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE,
    ADD CONSTRAINT alert_instances_school_id_fkey
        FOREIGN KEY (school_id) REFERENCES schools (id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT alert_instances_acknowledged_by_fkey
        FOREIGN KEY (acknowledged_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT alert_instances_resolved_by_fkey
        FOREIGN KEY (resolved_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE alert_subscriptions
    ADD CONSTRAINT alert_subscriptions_user_id_fkey
        FOREIGN KEY (user_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT alert_subscriptions_alert_definition_id_fkey
        FOREIGN KEY (alert_definition_id) REFERENCES alert_definitions (id) ON DELETE CASCADE;

ALTER TABLE alert_delivery_log
    ADD CONSTRAINT alert_delivery_log_alert_instance_id_fkey
        FOREIGN KEY (alert_instance_id) REFERENCES alert_instances (id) ON DELETE CASCADE,
    ADD CONSTRAINT alert_delivery_log_user_id_fkey
        FOREIGN KEY (user_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE audit_logs
    ADD CONSTRAINT audit_logs_user_id_fkey
        FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE RESTRICT;

ALTER TABLE phi_disclosures
    ADD CONSTRAINT phi_disclosures_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE RESTRICT,
    ADD CONSTRAINT phi_disclosures_disclosed_by_fkey
        FOREIGN KEY (disclosed_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE RESTRICT,
    ADD CONSTRAINT phi_disclosures_authorization_id_fkey
        FOREIGN KEY (authorization_id) REFERENCES consent_signatures (id) ON DELETE SET NULL;

ALTER TABLE phi_disclosure_audits
    ADD CONSTRAINT phi_disclosure_audits_phi_disclosure_id_fkey
        FOREIGN KEY (phi_disclosure_id) REFERENCES phi_disclosures (id) ON DELETE RESTRICT,
    ADD CONSTRAINT phi_disclosure_audits_actor_id_fkey
        FOREIGN KEY (actor_id) REFERENCES users (id) ON DELETE RESTRICT;

ALTER TABLE consent_forms
    ADD CONSTRAINT consent_forms_school_id_fkey
        FOREIGN KEY (school_id) REFERENCES schools (id) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE consent_signatures
    ADD CONSTRAINT consent_signatures_consent_form_id_fkey
        FOREIGN KEY (consent_form_id) REFERENCES consent_forms (id) ON DELETE RESTRICT,
    ADD CONSTRAINT consent_signatures_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE RESTRICT;

ALTER TABLE compliance_reports
    ADD CONSTRAINT compliance_reports_district_id_fkey
        FOREIGN KEY (district_id) REFERENCES districts (id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT compliance_reports_school_id_fkey
        FOREIGN KEY (school_id) REFERENCES schools (id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT compliance_reports_generated_by_fkey
        FOREIGN KEY (generated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE compliance_checklist_items
    ADD CONSTRAINT compliance_checklist_items_compliance_report_id_fkey
        FOREIGN KEY (compliance_report_id) REFERENCES compliance_reports (id) ON DELETE CASCADE,
    ADD CONSTRAINT compliance_checklist_items_assigned_to_id_fkey
        FOREIGN KEY (assigned_to_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE compliance_violations
    ADD CONSTRAINT compliance_violations_compliance_report_id_fkey
        FOREIGN KEY (compliance_report_id) REFERENCES compliance_reports (id) ON DELETE SET NULL,
    ADD CONSTRAINT compliance_violations_reported_by_fkey
        FOREIGN KEY (reported_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE policy_documents
    ADD CONSTRAINT policy_documents_approved_by_fkey
        FOREIGN KEY (approved_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE policy_acknowledgments
    ADD CONSTRAINT policy_acknowledgments_policy_document_id_fkey
        FOREIGN KEY (policy_document_id) REFERENCES policy_documents (id) ON DELETE CASCADE,
    ADD CONSTRAINT policy_acknowledgments_user_id_fkey
        FOREIGN KEY (user_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE remediation_actions
    ADD CONSTRAINT remediation_actions_compliance_violation_id_fkey
        FOREIGN KEY (compliance_violation_id) REFERENCES compliance_violations (id) ON DELETE CASCADE,
    ADD CONSTRAINT remediation_actions_assigned_to_id_fkey
        FOREIGN KEY (assigned_to_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE inventory_items
    ADD CONSTRAINT inventory_items_school_id_fkey
        FOREIGN KEY (school_id) REFERENCES schools (id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT inventory_items_supplier_id_fkey
        FOREIGN KEY (supplier_id) REFERENCES suppliers (id) ON DELETE SET NULL;

ALTER TABLE inventory_transactions
    ADD CONSTRAINT inventory_transactions_inventory_item_id_fkey
        FOREIGN KEY (inventory_item_id) REFERENCES inventory_items (id) ON DELETE CASCADE,
    ADD CONSTRAINT inventory_transactions_purchase_order_id_fkey
        FOREIGN KEY (purchase_order_id) REFERENCES purchase_orders (id) ON DELETE SET NULL,
    ADD CONSTRAINT inventory_transactions_performed_by_fkey
        FOREIGN KEY (performed_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE maintenance_logs
    ADD CONSTRAINT maintenance_logs_inventory_item_id_fkey
        FOREIGN KEY (inventory_item_id) REFERENCES inventory_items (id) ON DELETE CASCADE,
    ADD CONSTRAINT maintenance_logs_performed_by_fkey
        FOREIGN KEY (performed_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE purchase_orders
    ADD CONSTRAINT purchase_orders_school_id_fkey
        FOREIGN KEY (school_id) REFERENCES schools (id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT purchase_orders_vendor_id_fkey
        FOREIGN KEY (vendor_id) REFERENCES vendors (id) ON DELETE RESTRICT,
    ADD CONSTRAINT purchase_orders_ordered_by_fkey
        FOREIGN KEY (ordered_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT purchase_orders_approved_by_fkey
        FOREIGN KEY (approved_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE purchase_order_items
    ADD CONSTRAINT purchase_order_items_purchase_order_id_fkey
        FOREIGN KEY (purchase_order_id) REFERENCES purchase_orders (id) ON DELETE CASCADE,
    ADD CONSTRAINT purchase_order_items_inventory_item_id_fkey
        FOREIGN KEY (inventory_item_id) REFERENCES inventory_items (id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE analytics_reports
    ADD CONSTRAINT analytics_reports_district_id_fkey
        FOREIGN KEY (district_id) REFERENCES districts (id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT analytics_reports_school_id_fkey
        FOREIGN KEY (school_id) REFERENCES schools (id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT analytics_reports_generated_by_fkey
        FOREIGN KEY (generated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE health_metric_snapshots
    ADD CONSTRAINT health_metric_snapshots_district_id_fkey
        FOREIGN KEY (district_id) REFERENCES districts (id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT health_metric_snapshots_school_id_fkey
        FOREIGN KEY (school_id) REFERENCES schools (id) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE report_schedules
    ADD CONSTRAINT report_schedules_report_definition_id_fkey
        FOREIGN KEY (report_definition_id) REFERENCES report_definitions (id) ON DELETE CASCADE,
    ADD CONSTRAINT report_schedules_owner_id_fkey
        FOREIGN KEY (owner_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE report_instances
    ADD CONSTRAINT report_instances_report_definition_id_fkey
        FOREIGN KEY (report_definition_id) REFERENCES report_definitions (id) ON DELETE RESTRICT,
    ADD CONSTRAINT report_instances_report_schedule_id_fkey
        FOREIGN KEY (report_schedule_id) REFERENCES report_schedules (id) ON DELETE SET NULL,
    ADD CONSTRAINT report_instances_requested_by_fkey
        FOREIGN KEY (requested_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE system_configurations
    ADD CONSTRAINT system_configurations_district_id_fkey
        FOREIGN KEY (district_id) REFERENCES districts (id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT system_configurations_school_id_fkey
        FOREIGN KEY (school_id) REFERENCES schools (id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT system_configurations_user_id_fkey
        FOREIGN KEY (user_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE configuration_history
    ADD CONSTRAINT configuration_history_system_configuration_id_fkey
        FOREIGN KEY (system_configuration_id) REFERENCES system_configurations (id) ON DELETE RESTRICT,
    ADD CONSTRAINT configuration_history_changed_by_fkey
        FOREIGN KEY (changed_by) REFERENCES users (id) ON DELETE RESTRICT;

ALTER TABLE licenses
    ADD CONSTRAINT licenses_district_id_fkey
        FOREIGN KEY (district_id) REFERENCES districts (id) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE threat_detections
    ADD CONSTRAINT threat_detections_user_id_fkey
        FOREIGN KEY (user_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE webhooks
    ADD CONSTRAINT webhooks_district_id_fkey
        FOREIGN KEY (district_id) REFERENCES districts (id) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE sync_state
    ADD CONSTRAINT sync_state_integration_config_id_fkey
        FOREIGN KEY (integration_config_id) REFERENCES integration_configs (id) ON DELETE CASCADE;

ALTER TABLE tamper_alerts
    ADD CONSTRAINT tamper_alerts_checksum_id_fkey
        FOREIGN KEY (checksum_id) REFERENCES data_integrity_checksums (id) ON DELETE RESTRICT;

ALTER TABLE integration_configs
    ADD CONSTRAINT integration_configs_district_id_fkey
        FOREIGN KEY (district_id) REFERENCES districts (id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT integration_configs_school_id_fkey
        FOREIGN KEY (school_id) REFERENCES schools (id) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE integration_logs
    ADD CONSTRAINT integration_logs_integration_config_id_fkey
        FOREIGN KEY (integration_config_id) REFERENCES integration_configs (id) ON DELETE CASCADE;

ALTER TABLE sync_sessions
    ADD CONSTRAINT sync_sessions_integration_config_id_fkey
        FOREIGN KEY (integration_config_id) REFERENCES integration_configs (id) ON DELETE CASCADE,
    ADD CONSTRAINT sync_sessions_user_id_fkey
        FOREIGN KEY (user_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE sync_queue_items
    ADD CONSTRAINT sync_queue_items_sync_session_id_fkey
        FOREIGN KEY (sync_session_id) REFERENCES sync_sessions (id) ON DELETE CASCADE;

ALTER TABLE sync_conflicts
    ADD CONSTRAINT sync_conflicts_sync_queue_item_id_fkey
        FOREIGN KEY (sync_queue_item_id) REFERENCES sync_queue_items (id) ON DELETE CASCADE,
    ADD CONSTRAINT sync_conflicts_resolved_by_fkey
        FOREIGN KEY (resolved_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE sis_sync_conflicts
    ADD CONSTRAINT sis_sync_conflicts_sis_sync_job_id_fkey
        FOREIGN KEY (sis_sync_job_id) REFERENCES sis_sync_jobs (id) ON DELETE CASCADE,
    ADD CONSTRAINT sis_sync_conflicts_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE,
    ADD CONSTRAINT sis_sync_conflicts_resolved_by_fkey
        FOREIGN KEY (resolved_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE sis_sync_configs
    ADD CONSTRAINT sis_sync_configs_district_id_fkey
        FOREIGN KEY (district_id) REFERENCES districts (id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT sis_sync_configs_school_id_fkey
        FOREIGN KEY (school_id) REFERENCES schools (id) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE sis_sync_jobs
    ADD CONSTRAINT sis_sync_jobs_sis_sync_config_id_fkey
        FOREIGN KEY (sis_sync_config_id) REFERENCES sis_sync_configs (id) ON DELETE CASCADE,
    ADD CONSTRAINT sis_sync_jobs_triggered_by_fkey
        FOREIGN KEY (triggered_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE sis_sync_errors
    ADD CONSTRAINT sis_sync_errors_sis_sync_job_id_fkey
        FOREIGN KEY (sis_sync_job_id) REFERENCES sis_sync_jobs (id) ON DELETE CASCADE,
    ADD CONSTRAINT sis_sync_errors_resolved_by_fkey
        FOREIGN KEY (resolved_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE registry_connections
    ADD CONSTRAINT registry_connections_district_id_fkey
        FOREIGN KEY (district_id) REFERENCES districts (id) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE registry_submissions
    ADD CONSTRAINT registry_submissions_registry_connection_id_fkey
        FOREIGN KEY (registry_connection_id) REFERENCES registry_connections (id) DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT registry_submissions_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE,
    ADD CONSTRAINT registry_submissions_vaccination_id_fkey
        FOREIGN KEY (vaccination_id) REFERENCES vaccinations (id) ON DELETE SET NULL;

ALTER TABLE budget_categories
    ADD CONSTRAINT budget_categories_district_id_fkey
        FOREIGN KEY (district_id) REFERENCES districts (id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT budget_categories_school_id_fkey
        FOREIGN KEY (school_id) REFERENCES schools (id) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE budget_transactions
    ADD CONSTRAINT budget_transactions_budget_category_id_fkey
        FOREIGN KEY (budget_category_id) REFERENCES budget_categories (id) ON DELETE RESTRICT,
    ADD CONSTRAINT budget_transactions_purchase_order_id_fkey
        FOREIGN KEY (purchase_order_id) REFERENCES purchase_orders (id) ON DELETE SET NULL;

ALTER TABLE scheduled_exports
    ADD CONSTRAINT scheduled_exports_district_id_fkey
        FOREIGN KEY (district_id) REFERENCES districts (id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT scheduled_exports_owner_id_fkey
        FOREIGN KEY (owner_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE export_jobs
    ADD CONSTRAINT export_jobs_scheduled_export_id_fkey
        FOREIGN KEY (scheduled_export_id) REFERENCES scheduled_exports (id) ON DELETE SET NULL,
    ADD CONSTRAINT export_jobs_requested_by_fkey
        FOREIGN KEY (requested_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE documents
    ADD CONSTRAINT documents_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE,
    ADD CONSTRAINT documents_uploaded_by_fkey
        FOREIGN KEY (uploaded_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE shared_documents
    ADD CONSTRAINT shared_documents_document_id_fkey
        FOREIGN KEY (document_id) REFERENCES documents (id) ON DELETE CASCADE,
    ADD CONSTRAINT shared_documents_shared_by_fkey
        FOREIGN KEY (shared_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT shared_documents_recipient_id_fkey
        FOREIGN KEY (recipient_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE document_access_log
    ADD CONSTRAINT document_access_log_shared_document_id_fkey
        FOREIGN KEY (shared_document_id) REFERENCES shared_documents (id) ON DELETE RESTRICT,
    ADD CONSTRAINT document_access_log_user_id_fkey
        FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE RESTRICT;
