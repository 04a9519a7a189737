-- 20240116104500 create_insurance_and_consent, undone

BEGIN;

DROP TABLE consent_records;
DROP TABLE insurance_info;

COMMIT;
