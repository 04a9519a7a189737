-- Undoes 20251104012000_schema_integrations.

DROP TABLE sis_sync_conflicts;
DROP TABLE sync_conflicts;
DROP TABLE sync_queue_items;
DROP TABLE sync_sessions;
DROP TABLE integration_logs;
DROP TABLE integration_configs;
