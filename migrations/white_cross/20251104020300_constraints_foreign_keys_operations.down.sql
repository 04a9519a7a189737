-- Undoes 20251104020300_constraints_foreign_keys_operations.

ALTER TABLE document_access_log
    DROP CONSTRAINT document_access_log_user_id_fkey,
    DROP CONSTRAINT document_access_log_shared_document_id_fkey;

ALTER TABLE shared_documents
    DROP CONSTRAINT shared_documents_recipient_id_fkey,
    DROP CONSTRAINT shared_documents_shared_by_fkey,
    DROP CONSTRAINT shared_documents_document_id_fkey;

ALTER TABLE documents
    DROP CONSTRAINT documents_uploaded_by_fkey,
    DROP CONSTRAINT documents_student_id_fkey;

ALTER TABLE export_jobs
    DROP CONSTRAINT export_jobs_requested_by_fkey,
    DROP CONSTRAINT export_jobs_scheduled_export_id_fkey;

ALTER TABLE scheduled_exports
    DROP CONSTRAINT scheduled_exports_owner_id_fkey,
    DROP CONSTRAINT scheduled_exports_district_id_fkey;

ALTER TABLE budget_transactions
    DROP CONSTRAINT budget_transactions_purchase_order_id_fkey,
    DROP CONSTRAINT budget_transactions_budget_category_id_fkey;

ALTER TABLE budget_categories
    DROP CONSTRAINT budget_categories_school_id_fkey,
    DROP CONSTRAINT budget_categories_district_id_fkey;

ALTER TABLE registry_submissions
    DROP CONSTRAINT registry_submissions_vaccination_id_fkey,
    DROP CONSTRAINT registry_submissions_student_id_fkey,
    DROP CONSTRAINT registry_submissions_registry_connection_id_fkey;

ALTER TABLE registry_connections
    DROP CONSTRAINT registry_connections_district_id_fkey;

ALTER TABLE sis_sync_errors
    DROP CONSTRAINT sis_sync_errors_resolved_by_fkey,
    DROP CONSTRAINT sis_sync_errors_sis_sync_job_id_fkey;

ALTER TABLE sis_sync_jobs
    DROP CONSTRAINT sis_sync_jobs_triggered_by_fkey,
    DROP CONSTRAINT sis_sync_jobs_sis_sync_config_id_fkey;

ALTER TABLE sis_sync_configs
    DROP CONSTRAINT sis_sync_configs_school_id_fkey,
    DROP CONSTRAINT sis_sync_configs_district_id_fkey;

ALTER TABLE sis_sync_conflicts
    DROP CONSTRAINT sis_sync_conflicts_resolved_by_fkey,
    DROP CONSTRAINT sis_sync_conflicts_student_id_fkey,
    DROP CONSTRAINT sis_sync_conflicts_sis_sync_job_id_fkey;

ALTER TABLE sync_conflicts
    DROP CONSTRAINT sync_conflicts_resolved_by_fkey,
    DROP CONSTRAINT sync_conflicts_sync_queue_item_id_fkey;

ALTER TABLE sync_queue_items
    DROP CONSTRAINT sync_queue_items_sync_session_id_fkey;

ALTER TABLE sync_sessions
    DROP CONSTRAINT sync_sessions_user_id_fkey,
    DROP CONSTRAINT sync_sessions_integration_config_id_fkey;

ALTER TABLE integration_logs
    DROP CONSTRAINT integration_logs_integration_config_id_fkey;

ALTER TABLE integration_configs
    DROP CONSTRAINT integration_configs_school_id_fkey,
    DROP CONSTRAINT integration_configs_district_id_fkey;

ALTER TABLE tamper_alerts
    DROP CONSTRAINT tamper_alerts_checksum_id_fkey;

ALTER TABLE sync_state
    DROP CONSTRAINT sync_state_integration_config_id_fkey;

ALTER TABLE webhooks
    DROP CONSTRAINT webhooks_district_id_fkey;

ALTER TABLE threat_detections
    DROP CONSTRAINT threat_detections_user_id_fkey;

ALTER TABLE licenses
    DROP CONSTRAINT licenses_district_id_fkey;

ALTER TABLE configuration_history
    DROP CONSTRAINT configuration_history_changed_by_fkey,
    DROP CONSTRAINT configuration_history_system_configuration_id_fkey;

ALTER TABLE system_configurations
    DROP CONSTRAINT system_configurations_user_id_fkey,
    DROP CONSTRAINT system_configurations_school_id_fkey,
    DROP CONSTRAINT system_configurations_district_id_fkey;

ALTER TABLE report_instances
    DROP CONSTRAINT report_instances_requested_by_fkey,
    DROP CONSTRAINT report_instances_report_schedule_id_fkey,
    DROP CONSTRAINT report_instances_report_definition_id_fkey;

ALTER TABLE report_schedules
    DROP CONSTRAINT report_schedules_owner_id_fkey,
    DROP CONSTRAINT report_schedules_report_definition_id_fkey;

ALTER TABLE health_metric_snapshots
    DROP CONSTRAINT health_metric_snapshots_school_id_fkey,
    DROP CONSTRAINT health_metric_snapshots_district_id_fkey;

ALTER TABLE analytics_reports
    DROP CONSTRAINT analytics_reports_generated_by_fkey,
    DROP CONSTRAINT analytics_reports_school_id_fkey,
    DROP CONSTRAINT analytics_reports_district_id_fkey;

ALTER TABLE purchase_order_items
    DROP CONSTRAINT purchase_order_items_inventory_item_id_fkey,
    DROP CONSTRAINT purchase_order_items_purchase_order_id_fkey;

ALTER TABLE purchase_orders
    DROP CONSTRAINT purchase_orders_approved_by_fkey,
    DROP CONSTRAINT purchase_orders_ordered_by_fkey,
    DROP CONSTRAINT purchase_orders_vendor_id_fkey,
    DROP CONSTRAINT purchase_orders_school_id_fkey;

ALTER TABLE maintenance_logs
    DROP CONSTRAINT maintenance_logs_performed_by_fkey,
    DROP CONSTRAINT maintenance_logs_inventory_item_id_fkey;

ALTER TABLE inventory_transactions
    DROP CONSTRAINT inventory_transactions_performed_by_fkey,
    DROP CONSTRAINT inventory_transactions_purchase_order_id_fkey,
    DROP CONSTRAINT inventory_transactions_inventory_item_id_fkey;

ALTER TABLE inventory_items
    DROP CONSTRAINT inventory_items_supplier_id_fkey,
    DROP CONSTRAINT inventory_items_school_id_fkey;

ALTER TABLE remediation_actions
    DROP CONSTRAINT remediation_actions_assigned_to_id_fkey,
    DROP CONSTRAINT remediation_actions_compliance_violation_id_fkey;

ALTER TABLE policy_acknowledgments
    DROP CONSTRAINT policy_acknowledgments_user_id_fkey,
    DROP CONSTRAINT policy_acknowledgments_policy_document_id_fkey;

ALTER TABLE policy_documents
    DROP CONSTRAINT policy_documents_approved_by_fkey;

ALTER TABLE compliance_violations
    DROP CONSTRAINT compliance_violations_reported_by_fkey,
    DROP CONSTRAINT compliance_violations_compliance_report_id_fkey;

ALTER TABLE compliance_checklist_items
    DROP CONSTRAINT compliance_checklist_items_assigned_to_id_fkey,
    DROP CONSTRAINT compliance_checklist_items_compliance_report_id_fkey;

ALTER TABLE compliance_reports
    DROP CONSTRAINT compliance_reports_generated_by_fkey,
    DROP CONSTRAINT compliance_reports_school_id_fkey,
    DROP CONSTRAINT compliance_reports_district_id_fkey;

ALTER TABLE consent_signatures
    DROP CONSTRAINT consent_signatures_student_id_fkey,
    DROP CONSTRAINT consent_signatures_consent_form_id_fkey;

ALTER TABLE consent_forms
    DROP CONSTRAINT consent_forms_school_id_fkey;

ALTER TABLE phi_disclosure_audits
    DROP CONSTRAINT phi_disclosure_audits_actor_id_fkey,
    DROP CONSTRAINT phi_disclosure_audits_phi_disclosure_id_fkey;

ALTER TABLE phi_disclosures
    DROP CONSTRAINT phi_disclosures_authorization_id_fkey,
    DROP CONSTRAINT phi_disclosures_disclosed_by_fkey,
    DROP CONSTRAINT phi_disclosures_student_id_fkey;

ALTER TABLE audit_logs
    DROP CONSTRAINT audit_logs_user_id_fkey;

ALTER TABLE alert_delivery_log
    DROP CONSTRAINT alert_delivery_log_user_id_fkey,
    DROP CONSTRAINT alert_delivery_log_alert_instance_id_fkey;

ALTER TABLE alert_subscriptions
    DROP CONSTRAINT alert_subscriptions_alert_definition_id_fkey,
    DROP CONSTRAINT alert_subscriptions_user_id_fkey;

ALTER TABLE alert_instances
    DROP CONSTRAINT alert_instances_resolved_by_fkey,
    DROP CONSTRAINT alert_instances_acknowledged_by_fkey,
    DROP CONSTRAINT alert_instances_school_id_fkey,
    DROP CONSTRAINT alert_instances_student_id_fkey,
    DROP CONSTRAINT alert_instances_alert_definition_id_fkey;

ALTER TABLE alert_definitions
    DROP CONSTRAINT alert_definitions_school_id_fkey,
    DROP CONSTRAINT alert_definitions_district_id_fkey;

ALTER TABLE push_notifications
    DROP CONSTRAINT push_notifications_device_token_id_fkey,
    DROP CONSTRAINT push_notifications_user_id_fkey;

ALTER TABLE device_tokens
    DROP CONSTRAINT device_tokens_user_id_fkey;

ALTER TABLE emergency_broadcasts
    DROP CONSTRAINT emergency_broadcasts_sent_by_fkey,
    DROP CONSTRAINT emergency_broadcasts_school_id_fkey,
    DROP CONSTRAINT emergency_broadcasts_district_id_fkey;

ALTER TABLE message_read
    DROP CONSTRAINT message_read_user_id_fkey,
    DROP CONSTRAINT message_read_message_id_fkey;

ALTER TABLE message_reactions
    DROP CONSTRAINT message_reactions_user_id_fkey,
    DROP CONSTRAINT message_reactions_message_id_fkey;

ALTER TABLE message_templates
    DROP CONSTRAINT message_templates_district_id_fkey;

ALTER TABLE message_delivery
    DROP CONSTRAINT message_delivery_recipient_id_fkey,
    DROP CONSTRAINT message_delivery_message_id_fkey;

ALTER TABLE messages
    DROP CONSTRAINT messages_reply_to_id_fkey,
    DROP CONSTRAINT messages_template_id_fkey,
    DROP CONSTRAINT messages_sender_id_fkey,
    DROP CONSTRAINT messages_conversation_id_fkey;

ALTER TABLE conversation_participants
    DROP CONSTRAINT conversation_participants_user_id_fkey,
    DROP CONSTRAINT conversation_participants_conversation_id_fkey;

ALTER TABLE conversations
    DROP CONSTRAINT conversations_school_id_fkey;
