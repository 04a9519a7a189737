-- 1754250029000 create_medication
-- Purpose: the table medication: what a client takes.
-- HIPAA: a drug tells the illness (45 CFR 160.103, health information); sealed columns beside.
-- Depends on: 1754250023000 create_client

SELECT facility_migration_begin('medication');

CREATE TABLE IF NOT EXISTS medication (id uuid CONSTRAINT medication_pkey PRIMARY KEY);

ALTER TABLE medication
    ADD COLUMN IF NOT EXISTS tenant_id           uuid,
    ADD COLUMN IF NOT EXISTS client_id           uuid,
    ADD COLUMN IF NOT EXISTS name                text,
    ADD COLUMN IF NOT EXISTS name_sealed         bytea,
    ADD COLUMN IF NOT EXISTS dosage              text,
    ADD COLUMN IF NOT EXISTS dosage_sealed       bytea,
    ADD COLUMN IF NOT EXISTS frequency           text,
    ADD COLUMN IF NOT EXISTS frequency_sealed    bytea,
    ADD COLUMN IF NOT EXISTS instructions        text,
    ADD COLUMN IF NOT EXISTS instructions_sealed bytea,
    ADD COLUMN IF NOT EXISTS prescriber          text,
    ADD COLUMN IF NOT EXISTS prescriber_sealed   bytea,
    ADD COLUMN IF NOT EXISTS starts_on           date,
    ADD COLUMN IF NOT EXISTS ends_on             date,
    ADD COLUMN IF NOT EXISTS created_at          timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at          timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS deleted_at          timestamptz;

SELECT facility_migration_require('medication', 'tenant_id', 'client_id');
SELECT facility_migration_constrain('medication', 'medication_tenant_id_id_key', 'UNIQUE (tenant_id, id)');
SELECT facility_migration_constrain('medication', 'medication_tenant_id_fkey',
    'FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE RESTRICT');
SELECT facility_migration_constrain('medication', 'medication_client_id_fkey',
    'FOREIGN KEY (tenant_id, client_id) REFERENCES client (tenant_id, id) ON DELETE CASCADE');
SELECT facility_migration_constrain('medication', 'medication_time_check', 'CHECK (ends_on >= starts_on)');

CREATE INDEX IF NOT EXISTS medication_tenant_id_client_id_idx ON medication (tenant_id, client_id);
CREATE INDEX IF NOT EXISTS medication_tenant_id_starts_on_idx ON medication (tenant_id, starts_on, ends_on)
    WHERE deleted_at IS NULL;

COMMENT ON TABLE medication IS 'What a client takes. Each column x_sealed takes the sealed form of x.';
COMMENT ON COLUMN medication.name IS 'PHI: name of the drug';
COMMENT ON COLUMN medication.dosage IS 'PHI: dose';
COMMENT ON COLUMN medication.frequency IS 'PHI: how often it is taken';
COMMENT ON COLUMN medication.instructions IS 'PHI: how it is taken';
COMMENT ON COLUMN medication.prescriber IS 'PHI: who prescribed it';

SELECT facility_migration_end('medication');
