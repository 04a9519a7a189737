-- Undoes 20251104010600_schema_clinical.

DROP TABLE treatment_plans;
DROP TABLE mental_health_records;
DROP TABLE medical_history;
DROP TABLE lab_results;
DROP TABLE clinical_protocols;
DROP TABLE clinical_notes;
DROP TABLE clinic_visits;
