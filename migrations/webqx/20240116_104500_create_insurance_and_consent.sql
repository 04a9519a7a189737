-- 20240116104500 create_insurance_and_consent
-- Purpose: the tables insurance_info and consent_records.
-- HIPAA: member numbers are identifiers (45 CFR 164.514(b)(2)(i)(I)); consents are kept, so a patient
--   with one is not deleted (45 CFR 164.508(b)(6), 164.530(j)).
-- Depends on: 20240115151500 create_patients_and_providers

BEGIN;

CREATE TABLE insurance_info (
    id           serial    PRIMARY KEY,
    patient_id   integer   NOT NULL REFERENCES patients (id) ON DELETE CASCADE,
    payer        varchar(255),
    member_id    varchar(50),
    group_number varchar(50),
    valid_from   date,
    valid_until  date,
    created_at   timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at   timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT insurance_info_time_check CHECK (valid_until >= valid_from)
);

CREATE TABLE consent_records (
    id           serial      PRIMARY KEY,
    patient_id   integer     NOT NULL REFERENCES patients (id) ON DELETE RESTRICT,
    type         varchar(50) NOT NULL,
    signature    text,
    granted_at   timestamp   NOT NULL DEFAULT CURRENT_TIMESTAMP,
    withdrawn_at timestamp,
    created_at   timestamp   NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at   timestamp   NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT consent_records_time_check CHECK (withdrawn_at >= granted_at)
);

CREATE INDEX idx_insurance_info_patient ON insurance_info (patient_id);
CREATE INDEX idx_insurance_info_member ON insurance_info (member_id);
CREATE INDEX idx_consent_records_patient ON consent_records (patient_id, type);
CREATE INDEX idx_consent_records_in_force ON consent_records (type) WHERE withdrawn_at IS NULL;

COMMENT ON TABLE insurance_info IS 'Who pays for a patient.';
COMMENT ON COLUMN insurance_info.member_id IS 'PHI: member number';
COMMENT ON COLUMN insurance_info.group_number IS 'PHI: group number';
COMMENT ON TABLE consent_records IS 'What a patient agreed to, and when that was taken back.';
COMMENT ON COLUMN consent_records.signature IS 'PHI: signature';

COMMIT;
