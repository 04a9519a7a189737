-- 1754250031000 create_metadata
-- Purpose: the table metadata: the forms that are filled in, and their versions.
-- HIPAA: fields of forms, without a client's data.
-- Depends on: 1754250020000 create_tenant

SELECT facility_migration_begin('metadata');

CREATE TABLE IF NOT EXISTS metadata (id uuid CONSTRAINT metadata_pkey PRIMARY KEY);

ALTER TABLE metadata
    ADD COLUMN IF NOT EXISTS tenant_id  uuid,
    ADD COLUMN IF NOT EXISTS form_name  text,
    ADD COLUMN IF NOT EXISTS version    integer     NOT NULL DEFAULT 1,
    ADD COLUMN IF NOT EXISTS schema     jsonb       NOT NULL DEFAULT '{}',
    ADD COLUMN IF NOT EXISTS created_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS deleted_at timestamptz;

SELECT facility_migration_require('metadata', 'tenant_id', 'form_name');
SELECT facility_migration_constrain('metadata', 'metadata_tenant_id_id_key', 'UNIQUE (tenant_id, id)');
SELECT facility_migration_constrain('metadata', 'metadata_tenant_id_fkey',
    'FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE RESTRICT');
SELECT facility_migration_constrain('metadata', 'metadata_version_check', 'CHECK (version > 0)');

CREATE UNIQUE INDEX IF NOT EXISTS metadata_live_key ON metadata (tenant_id, form_name, version)
    WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS metadata_schema_idx ON metadata USING gin (schema jsonb_path_ops);

COMMENT ON TABLE metadata IS 'The forms that are filled in, by version.';
COMMENT ON COLUMN metadata.schema IS 'Fields of the form and their types, without anything filled in.';

SELECT facility_migration_end('metadata');
