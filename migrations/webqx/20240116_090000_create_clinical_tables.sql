-- 20240116090000 create_clinical_tables
-- Purpose: the tables appointments, medical_records and prescriptions.
-- HIPAA: health information (45 CFR 160.103).
-- Depends on: 20240115151500 create_patients_and_providers

BEGIN;

CREATE TABLE appointments (
    id           serial      PRIMARY KEY,
    patient_id   integer     NOT NULL REFERENCES patients (id) ON DELETE CASCADE,
    provider_id  integer     REFERENCES providers (id) ON DELETE SET NULL,
    scheduled_at timestamp   NOT NULL,
    status       varchar(50) NOT NULL DEFAULT 'requested' CONSTRAINT appointments_status_check
                 CHECK (status IN ('requested', 'scheduled', 'completed', 'cancelled', 'no_show')),
    reason       text,
    notes        text,
    created_at   timestamp   NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at   timestamp   NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE medical_records (
    id             serial      PRIMARY KEY,
    patient_id     integer     NOT NULL REFERENCES patients (id) ON DELETE CASCADE,
    provider_id    integer     REFERENCES providers (id) ON DELETE SET NULL,
    appointment_id integer     REFERENCES appointments (id) ON DELETE SET NULL,
    recorded_at    timestamp   NOT NULL DEFAULT CURRENT_TIMESTAMP,
    diagnosis      text,
    treatment      text,
    notes          text,
    created_at     timestamp   NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at     timestamp   NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE prescriptions (
    id            serial    PRIMARY KEY,
    patient_id    integer   NOT NULL REFERENCES patients (id) ON DELETE CASCADE,
    provider_id   integer   REFERENCES providers (id) ON DELETE SET NULL,
    drug_name     varchar(255),
    dosage        varchar(100),
    instructions  text,
    prescribed_on date      NOT NULL DEFAULT CURRENT_DATE,
    expires_on    date,
    created_at    timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at    timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT prescriptions_time_check CHECK (expires_on >= prescribed_on)
);

CREATE INDEX idx_appointments_patient ON appointments (patient_id, scheduled_at);
CREATE INDEX idx_appointments_provider ON appointments (provider_id, scheduled_at);
CREATE INDEX idx_medical_records_patient ON medical_records (patient_id, recorded_at);
CREATE INDEX idx_medical_records_provider ON medical_records (provider_id);
CREATE INDEX idx_medical_records_appointment ON medical_records (appointment_id);
CREATE INDEX idx_prescriptions_patient ON prescriptions (patient_id, prescribed_on);
CREATE INDEX idx_prescriptions_provider ON prescriptions (provider_id);

COMMENT ON TABLE appointments IS 'Appointments of patients with providers.';
COMMENT ON COLUMN appointments.reason IS 'PHI: reason of the visit';
COMMENT ON COLUMN appointments.notes IS 'PHI: notes';
COMMENT ON TABLE medical_records IS 'What was found and done.';
COMMENT ON COLUMN medical_records.diagnosis IS 'PHI: diagnosis';
COMMENT ON COLUMN medical_records.treatment IS 'PHI: treatment';
COMMENT ON COLUMN medical_records.notes IS 'PHI: notes';
COMMENT ON TABLE prescriptions IS 'What was prescribed.';
COMMENT ON COLUMN prescriptions.drug_name IS 'PHI: name of the drug';
COMMENT ON COLUMN prescriptions.dosage IS 'PHI: dose';
COMMENT ON COLUMN prescriptions.instructions IS 'PHI: how it is taken';

COMMIT;
