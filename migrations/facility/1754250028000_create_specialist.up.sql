-- 1754250028000 create_specialist
-- Purpose: the table specialist: who treats clients from outside.
-- HIPAA: who treats whom tells what for; name, contact data and notes have sealed columns beside them.
-- Depends on: 1754250027000 create_address

SELECT facility_migration_begin('specialist');

CREATE TABLE IF NOT EXISTS specialist (id uuid CONSTRAINT specialist_pkey PRIMARY KEY);

ALTER TABLE specialist
    ADD COLUMN IF NOT EXISTS tenant_id        uuid,
    ADD COLUMN IF NOT EXISTS address_id       uuid,
    ADD COLUMN IF NOT EXISTS full_name        text,
    ADD COLUMN IF NOT EXISTS full_name_sealed bytea,
    ADD COLUMN IF NOT EXISTS phone            text,
    ADD COLUMN IF NOT EXISTS phone_sealed     bytea,
    ADD COLUMN IF NOT EXISTS email            text,
    ADD COLUMN IF NOT EXISTS email_sealed     bytea,
    ADD COLUMN IF NOT EXISTS notes            text,
    ADD COLUMN IF NOT EXISTS notes_sealed     bytea,
    ADD COLUMN IF NOT EXISTS npi              text,
    ADD COLUMN IF NOT EXISTS created_at       timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at       timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS deleted_at       timestamptz;

SELECT facility_migration_require('specialist', 'tenant_id');
SELECT facility_migration_constrain('specialist', 'specialist_tenant_id_id_key', 'UNIQUE (tenant_id, id)');
SELECT facility_migration_constrain('specialist', 'specialist_tenant_id_fkey',
    'FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE RESTRICT');
SELECT facility_migration_constrain('specialist', 'specialist_address_id_fkey',
    'FOREIGN KEY (tenant_id, address_id) REFERENCES address (tenant_id, id)');
SELECT facility_migration_constrain('specialist', 'specialist_npi_check', 'CHECK (npi ~ ''^[0-9]{10}$'')');
SELECT facility_migration_trigger('address', 'address_leaves_specialist', 'BEFORE DELETE',
    'FOR EACH ROW EXECUTE FUNCTION facility_address_leaves(''specialist'')');

CREATE INDEX IF NOT EXISTS specialist_tenant_id_address_id_idx ON specialist (tenant_id, address_id);
CREATE INDEX IF NOT EXISTS specialist_tenant_id_npi_idx ON specialist (tenant_id, npi) WHERE deleted_at IS NULL;

COMMENT ON TABLE specialist IS 'Who treats clients from outside. Each column x_sealed takes the sealed form of x.';
COMMENT ON COLUMN specialist.npi IS 'National Provider Identifier, ten digits; in a public register.';
COMMENT ON COLUMN specialist.full_name IS 'PHI: name of who treats the client';
COMMENT ON COLUMN specialist.phone IS 'PHI: telephone number';
COMMENT ON COLUMN specialist.email IS 'PHI: e-mail address';
COMMENT ON COLUMN specialist.notes IS 'PHI: notes on treatment';

SELECT facility_migration_end('specialist');
