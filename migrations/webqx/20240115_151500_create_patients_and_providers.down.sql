-- 20240115151500 create_patients_and_providers, undone

BEGIN;

DROP TABLE providers;
DROP TABLE patients;

COMMIT;
