-- Undoes 20251104011900_schema_tamper_alerts.

DROP TABLE tamper_alerts;
DROP TABLE data_integrity_checksums;
