-- 1754250023000 create_client
-- Purpose: the table client: who is in care, and the search for names.
-- HIPAA: names, date of birth and contact data are identifiers (45 CFR 164.514(b)(2)); each has a column
--   for its sealed form beside it.
-- Depends on: 1754250022000 create_facility

SELECT facility_migration_begin('client');

CREATE TABLE IF NOT EXISTS client (id uuid CONSTRAINT client_pkey PRIMARY KEY);

ALTER TABLE client
    ADD COLUMN IF NOT EXISTS tenant_id            uuid,
    ADD COLUMN IF NOT EXISTS facility_id          uuid,
    ADD COLUMN IF NOT EXISTS first_name           text,
    ADD COLUMN IF NOT EXISTS first_name_sealed    bytea,
    ADD COLUMN IF NOT EXISTS last_name            text,
    ADD COLUMN IF NOT EXISTS last_name_sealed     bytea,
    ADD COLUMN IF NOT EXISTS date_of_birth        date,
    ADD COLUMN IF NOT EXISTS date_of_birth_sealed bytea,
    ADD COLUMN IF NOT EXISTS phone                text,
    ADD COLUMN IF NOT EXISTS phone_sealed         bytea,
    ADD COLUMN IF NOT EXISTS email                text,
    ADD COLUMN IF NOT EXISTS email_sealed         bytea,
    ADD COLUMN IF NOT EXISTS admitted_on          date,
    ADD COLUMN IF NOT EXISTS discharged_on        date,
    ADD COLUMN IF NOT EXISTS status               text        NOT NULL DEFAULT 'PENDING',
    ADD COLUMN IF NOT EXISTS created_at           timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at           timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS deleted_at           timestamptz;

SELECT facility_migration_require('client', 'tenant_id', 'facility_id');
SELECT facility_migration_constrain('client', 'client_tenant_id_id_key', 'UNIQUE (tenant_id, id)');
SELECT facility_migration_constrain('client', 'client_tenant_id_fkey',
    'FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE RESTRICT');
SELECT facility_migration_constrain('client', 'client_facility_id_fkey',
    'FOREIGN KEY (tenant_id, facility_id) REFERENCES facility (tenant_id, id) ON DELETE RESTRICT');
SELECT facility_migration_constrain('client', 'client_stay_check', 'CHECK (discharged_on >= admitted_on)');
SELECT facility_migration_constrain('client', 'client_status_check',
    'CHECK (status IN (''PENDING'', ''ACTIVE'', ''DISCHARGED''))');

CREATE INDEX IF NOT EXISTS client_tenant_id_facility_id_idx ON client (tenant_id, facility_id);
CREATE INDEX IF NOT EXISTS client_tenant_id_status_idx ON client (tenant_id, status, admitted_on)
    WHERE deleted_at IS NULL;

-- Search by a part of the name. It reads the plaintext, and ends with it.
DO $$
BEGIN
    EXECUTE format(
        'CREATE INDEX IF NOT EXISTS client_names_trgm_idx ON client
             USING gin (first_name %1$s.gin_trgm_ops, last_name %1$s.gin_trgm_ops) WHERE deleted_at IS NULL',
        facility_extension_schema('pg_trgm'));
END $$;

COMMENT ON TABLE client IS 'A person in care. Each column x_sealed takes the sealed form of x.';
COMMENT ON COLUMN client.first_name IS 'PHI: given name';
COMMENT ON COLUMN client.last_name IS 'PHI: family name';
COMMENT ON COLUMN client.date_of_birth IS 'PHI: date of birth';
COMMENT ON COLUMN client.phone IS 'PHI: telephone number';
COMMENT ON COLUMN client.email IS 'PHI: e-mail address';

SELECT facility_migration_end('client');
