-- Undoes 20251104000200_enums_features.

-- RESTRICT: fails while a column, a function or another object uses the type.

DROP TYPE sis_job_status;
DROP TYPE sync_direction;
DROP TYPE sis_vendor;
DROP TYPE submission_status;
DROP TYPE registry_protocol;
DROP TYPE document_access_action;
DROP TYPE share_permission;
DROP TYPE export_job_status;
DROP TYPE export_format;
DROP TYPE report_status;
DROP TYPE report_category;
DROP TYPE claim_status;
DROP TYPE reminder_status;
DROP TYPE disposition;
DROP TYPE drug_evidence_level;
DROP TYPE drug_interaction_severity;
DROP TYPE delivery_channel;
DROP TYPE alert_status;
DROP TYPE alert_category;
DROP TYPE alert_severity;
DROP TYPE recipient_type;
DROP TYPE disclosure_method;
DROP TYPE disclosure_purpose;
DROP TYPE disclosure_type;
