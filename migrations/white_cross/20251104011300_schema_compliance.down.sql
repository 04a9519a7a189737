-- Undoes 20251104011300_schema_compliance.

DROP TABLE remediation_actions;
DROP TABLE data_retention_policies;
DROP TABLE policy_acknowledgments;
DROP TABLE policy_documents;
DROP TABLE compliance_violations;
DROP TABLE compliance_checklist_items;
DROP TABLE compliance_reports;
DROP TABLE consent_signatures;
DROP TABLE consent_forms;
