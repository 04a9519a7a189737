-- 1754250022000 create_facility
-- Purpose: the table facility: where clients live or are treated.
-- HIPAA: belongs to one tenant, by its key as well (45 CFR 164.312(a)(1)).
-- Depends on: 1754250020000 create_tenant

SELECT facility_migration_begin('facility');

CREATE TABLE IF NOT EXISTS facility (id uuid CONSTRAINT facility_pkey PRIMARY KEY);

ALTER TABLE facility
    ADD COLUMN IF NOT EXISTS tenant_id      uuid,
    ADD COLUMN IF NOT EXISTS address_id     uuid,
    ADD COLUMN IF NOT EXISTS name           text,
    ADD COLUMN IF NOT EXISTS phone          text,
    ADD COLUMN IF NOT EXISTS license_number text,
    ADD COLUMN IF NOT EXISTS is_active      boolean     NOT NULL DEFAULT true,
    ADD COLUMN IF NOT EXISTS created_at     timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at     timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS deleted_at     timestamptz;

SELECT facility_migration_require('facility', 'tenant_id', 'name');
SELECT facility_migration_constrain('facility', 'facility_tenant_id_id_key', 'UNIQUE (tenant_id, id)');
SELECT facility_migration_constrain('facility', 'facility_tenant_id_fkey',
    'FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE RESTRICT');

CREATE INDEX IF NOT EXISTS facility_tenant_id_address_id_idx ON facility (tenant_id, address_id);
CREATE INDEX IF NOT EXISTS facility_tenant_id_name_idx ON facility (tenant_id, name) WHERE deleted_at IS NULL;

COMMENT ON TABLE facility IS 'Where clients live or are treated.';
COMMENT ON COLUMN facility.address_id IS 'Its postal address; set to NULL when that is deleted.';

SELECT facility_migration_end('facility');
