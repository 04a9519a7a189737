-- 20240116090000 create_clinical_tables, undone

BEGIN;

DROP TABLE prescriptions;
DROP TABLE medical_records;
DROP TABLE appointments;

COMMIT;
