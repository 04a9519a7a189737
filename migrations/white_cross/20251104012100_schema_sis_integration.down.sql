-- Undoes 20251104012100_schema_sis_integration.

DROP TABLE sis_sync_errors;
DROP TABLE sis_sync_jobs;
DROP TABLE sis_sync_configs;
