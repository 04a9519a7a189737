-- Undoes 20251104013000_schema_export_scheduling.

DROP TABLE export_jobs;
DROP TABLE scheduled_exports;
