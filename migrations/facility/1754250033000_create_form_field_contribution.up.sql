-- 1754250033000 create_form_field_contribution
-- Purpose: the table form_field_contribution: who filled in which field of a placement, and when.
-- HIPAA: the origin of each entry (45 CFR 164.312(c)); names of fields, no values.
-- Depends on: 1754250030000 create_placement_info, 1754250032000 create_contributor

SELECT facility_migration_begin('form_field_contribution');

CREATE TABLE IF NOT EXISTS form_field_contribution (id uuid CONSTRAINT form_field_contribution_pkey PRIMARY KEY);

ALTER TABLE form_field_contribution
    ADD COLUMN IF NOT EXISTS tenant_id         uuid,
    ADD COLUMN IF NOT EXISTS placement_info_id uuid,
    ADD COLUMN IF NOT EXISTS contributor_id    uuid,
    ADD COLUMN IF NOT EXISTS field_name        text,
    ADD COLUMN IF NOT EXISTS contributed_at    timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS created_at        timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at        timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS deleted_at        timestamptz;

SELECT facility_migration_require('form_field_contribution',
    'tenant_id', 'placement_info_id', 'contributor_id', 'field_name');
SELECT facility_migration_constrain('form_field_contribution', 'form_field_contribution_tenant_id_id_key',
    'UNIQUE (tenant_id, id)');
SELECT facility_migration_constrain('form_field_contribution', 'form_field_contribution_tenant_id_fkey',
    'FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE RESTRICT');
SELECT facility_migration_constrain('form_field_contribution', 'form_field_contribution_placement_info_id_fkey',
    'FOREIGN KEY (tenant_id, placement_info_id) REFERENCES placement_info (tenant_id, id) ON DELETE CASCADE');
-- A contributor with contributions stays. Looked at when the transaction ends: a placement takes its
-- contributors and their contributions with it, in whatever order.
SELECT facility_migration_constrain('form_field_contribution', 'form_field_contribution_contributor_id_fkey',
    'FOREIGN KEY (tenant_id, contributor_id) REFERENCES contributor (tenant_id, id) DEFERRABLE INITIALLY DEFERRED');

CREATE INDEX IF NOT EXISTS form_field_contribution_tenant_id_placement_info_id_idx
    ON form_field_contribution (tenant_id, placement_info_id, field_name, contributed_at);
CREATE INDEX IF NOT EXISTS form_field_contribution_tenant_id_contributor_id_idx
    ON form_field_contribution (tenant_id, contributor_id);
CREATE INDEX IF NOT EXISTS form_field_contribution_live_idx
    ON form_field_contribution (tenant_id, contributed_at) WHERE deleted_at IS NULL;

COMMENT ON TABLE form_field_contribution IS 'Who filled in which field of a placement, and when.';
COMMENT ON COLUMN form_field_contribution.field_name IS 'The name of the field, never what was filled in.';

SELECT facility_migration_end('form_field_contribution');
