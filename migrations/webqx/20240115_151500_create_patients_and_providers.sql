-- 20240115151500 create_patients_and_providers
-- Purpose: the tables patients and providers: who is treated, and who treats.
-- HIPAA: demographic data and the medical record number are identifiers (45 CFR 164.514(b)(2)).
-- Depends on: 20240115143000 create_users_table

BEGIN;

CREATE TABLE patients (
    id            serial      PRIMARY KEY,
    user_id       integer     UNIQUE REFERENCES users (id) ON DELETE SET NULL,
    mrn           varchar(50) UNIQUE,
    first_name    varchar(100),
    last_name     varchar(100),
    date_of_birth date,
    address       text,
    phone         varchar(20),
    created_at    timestamp   NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at    timestamp   NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE providers (
    id         serial      PRIMARY KEY,
    user_id    integer     UNIQUE REFERENCES users (id) ON DELETE SET NULL,
    npi        varchar(10) UNIQUE CONSTRAINT providers_npi_check CHECK (npi ~ '^[0-9]{10}$'),
    specialty  varchar(100),
    created_at timestamp   NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamp   NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE INDEX idx_providers_specialty ON providers (specialty);

COMMENT ON TABLE patients IS 'Who is treated.';
COMMENT ON COLUMN patients.user_id IS 'The account the patient signs in with; one at most, and none for many.';
COMMENT ON COLUMN patients.mrn IS 'PHI: medical record number';
COMMENT ON COLUMN patients.first_name IS 'PHI: given name';
COMMENT ON COLUMN patients.last_name IS 'PHI: family name';
COMMENT ON COLUMN patients.date_of_birth IS 'PHI: date of birth';
COMMENT ON COLUMN patients.address IS 'PHI: postal address';
COMMENT ON COLUMN patients.phone IS 'PHI: telephone number';
COMMENT ON TABLE providers IS 'Who treats.';
COMMENT ON COLUMN providers.npi IS 'National Provider Identifier, ten digits; in a public register.';

COMMIT;
