-- Undoes 20251104011800_schema_system_management.

DROP TABLE cache_entries;
DROP TABLE sync_state;
DROP TABLE webhooks;
DROP TABLE threat_detections;
DROP TABLE performance_metrics;
DROP TABLE backup_logs;
DROP TABLE licenses;
