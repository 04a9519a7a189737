-- 1754250027000 create_address
-- Purpose: the table address, of several kinds of entity, and the key of facility to it.
-- HIPAA: all geographic parts below the state are identifiers (45 CFR 164.514(b)(2)(i)(B)).
-- Depends on: 1754250022000 create_facility

SELECT facility_migration_begin('address');

CREATE TABLE IF NOT EXISTS address (id uuid CONSTRAINT address_pkey PRIMARY KEY);

ALTER TABLE address
    ADD COLUMN IF NOT EXISTS tenant_id          uuid,
    ADD COLUMN IF NOT EXISTS entity_type        text,
    ADD COLUMN IF NOT EXISTS entity_id          uuid,
    ADD COLUMN IF NOT EXISTS line1              text,
    ADD COLUMN IF NOT EXISTS line1_sealed       bytea,
    ADD COLUMN IF NOT EXISTS line2              text,
    ADD COLUMN IF NOT EXISTS line2_sealed       bytea,
    ADD COLUMN IF NOT EXISTS city               text,
    ADD COLUMN IF NOT EXISTS city_sealed        bytea,
    ADD COLUMN IF NOT EXISTS postal_code        text,
    ADD COLUMN IF NOT EXISTS postal_code_sealed bytea,
    ADD COLUMN IF NOT EXISTS state              text,
    ADD COLUMN IF NOT EXISTS created_at         timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at         timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS deleted_at         timestamptz;

SELECT facility_migration_require('address', 'tenant_id');
SELECT facility_migration_constrain('address', 'address_tenant_id_id_key', 'UNIQUE (tenant_id, id)');
SELECT facility_migration_constrain('address', 'address_tenant_id_fkey',
    'FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE RESTRICT');
SELECT facility_migration_constrain('address', 'address_entity_type_check',
    'CHECK (entity_type IN (''tenant'', ''user'', ''facility'', ''client'', ''specialist''))');

CREATE INDEX IF NOT EXISTS address_tenant_id_entity_idx ON address (tenant_id, entity_type, entity_id)
    WHERE deleted_at IS NULL;

COMMENT ON TABLE address IS
    'Postal addresses of several kinds of entity. Each column x_sealed takes the sealed form of x.';
COMMENT ON COLUMN address.entity_type IS 'The table of whose address it is.';
COMMENT ON COLUMN address.entity_id IS
    'Whose address it is: an id in the table that entity_type names, without a foreign key.';
COMMENT ON COLUMN address.line1 IS 'PHI: street and number';
COMMENT ON COLUMN address.line2 IS 'PHI: apartment, floor';
COMMENT ON COLUMN address.city IS 'PHI: city';
COMMENT ON COLUMN address.postal_code IS 'PHI: postal code';

SELECT facility_migration_end('address');

-- ON DELETE SET NULL of a key of two columns would set tenant_id to NULL as well (naming one column
-- needs PostgreSQL 15), so a trigger takes its place. It works as its owner: who may delete an address
-- need not be allowed to change what refers to it.
CREATE FUNCTION facility_address_leaves() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    EXECUTE format('UPDATE %I SET address_id = NULL WHERE tenant_id = $1 AND address_id = $2', TG_ARGV[0])
        USING OLD.tenant_id, OLD.id;
    RETURN OLD;
END $$;
REVOKE EXECUTE ON FUNCTION facility_address_leaves() FROM PUBLIC;

SELECT facility_migration_constrain('facility', 'facility_address_id_fkey',
    'FOREIGN KEY (tenant_id, address_id) REFERENCES address (tenant_id, id)');
SELECT facility_migration_trigger('address', 'address_leaves_facility', 'BEFORE DELETE',
    'FOR EACH ROW EXECUTE FUNCTION facility_address_leaves(''facility'')');
