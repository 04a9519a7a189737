-- Undoes 20251104010500_schema_medications.

DROP TABLE student_drug_allergies;
DROP TABLE drug_interactions;
DROP TABLE drug_catalog;
DROP TABLE prescriptions;
DROP TABLE medication_logs;
DROP TABLE student_medications;
DROP TABLE medications;
