-- 1754250034000 create_placement_info_specialists
-- Purpose: the table placement_info_specialists: which specialists treat a client during a placement.
-- HIPAA: ids only.
-- Depends on: 1754250028000 create_specialist, 1754250030000 create_placement_info

SELECT facility_migration_begin('placement_info_specialists');

CREATE TABLE IF NOT EXISTS placement_info_specialists (
    id uuid CONSTRAINT placement_info_specialists_pkey PRIMARY KEY
);

ALTER TABLE placement_info_specialists
    ADD COLUMN IF NOT EXISTS tenant_id         uuid,
    ADD COLUMN IF NOT EXISTS placement_info_id uuid,
    ADD COLUMN IF NOT EXISTS specialist_id     uuid,
    ADD COLUMN IF NOT EXISTS created_at        timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at        timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS deleted_at        timestamptz;

SELECT facility_migration_require('placement_info_specialists', 'tenant_id', 'placement_info_id', 'specialist_id');
SELECT facility_migration_constrain('placement_info_specialists', 'placement_info_specialists_tenant_id_id_key',
    'UNIQUE (tenant_id, id)');
SELECT facility_migration_constrain('placement_info_specialists', 'placement_info_specialists_tenant_id_fkey',
    'FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE RESTRICT');
SELECT facility_migration_constrain('placement_info_specialists', 'placement_info_specialists_placement_info_id_fkey',
    'FOREIGN KEY (tenant_id, placement_info_id) REFERENCES placement_info (tenant_id, id) ON DELETE CASCADE');
SELECT facility_migration_constrain('placement_info_specialists', 'placement_info_specialists_specialist_id_fkey',
    'FOREIGN KEY (tenant_id, specialist_id) REFERENCES specialist (tenant_id, id) ON DELETE CASCADE');

CREATE UNIQUE INDEX IF NOT EXISTS placement_info_specialists_live_key
    ON placement_info_specialists (tenant_id, placement_info_id, specialist_id) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS placement_info_specialists_tenant_id_placement_info_id_idx
    ON placement_info_specialists (tenant_id, placement_info_id);
CREATE INDEX IF NOT EXISTS placement_info_specialists_tenant_id_specialist_id_idx
    ON placement_info_specialists (tenant_id, specialist_id);

COMMENT ON TABLE placement_info_specialists IS
    'Which specialists treat a client during a placement. One undeleted row for each pair.';

SELECT facility_migration_end('placement_info_specialists');
