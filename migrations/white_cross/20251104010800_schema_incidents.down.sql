-- Undoes 20251104010800_schema_incidents.

DROP TABLE witness_statements;
DROP TABLE incident_reports;
