-- Undoes 20251104010300_schema_health_records_core.

DROP TABLE chronic_conditions;
DROP TABLE allergies;
DROP TABLE health_records;
