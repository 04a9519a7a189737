-- Undoes 20251104011200_schema_audit.

DROP TABLE phi_disclosure_audits;
DROP TABLE phi_disclosures;
DROP TABLE audit_logs;
