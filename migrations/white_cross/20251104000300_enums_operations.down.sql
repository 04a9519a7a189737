-- Undoes 20251104000300_enums_operations.

-- RESTRICT: fails while a column, a function or another object uses the type.

DROP TYPE sync_status;
DROP TYPE purchase_order_status;
DROP TYPE inventory_transaction_type;
DROP TYPE retention_action;
DROP TYPE policy_status;
DROP TYPE violation_severity;
DROP TYPE compliance_item_status;
DROP TYPE consent_status;
DROP TYPE device_platform;
DROP TYPE conversation_type;
DROP TYPE delivery_status;
DROP TYPE message_priority;
DROP TYPE witness_type;
DROP TYPE waitlist_status;
DROP TYPE medication_log_status;
DROP TYPE mental_health_record_type;
DROP TYPE clinical_note_type;
DROP TYPE treatment_plan_status;
DROP TYPE lab_result_status;
DROP TYPE immunization_status;
