-- 1754250032000 create_contributor
-- Purpose: the table contributor: which users have a part in a placement.
-- HIPAA: who had to do with a client's record (45 CFR 164.312(b)).
-- Depends on: 1754250021000 create_user, 1754250030000 create_placement_info

SELECT facility_migration_begin('contributor');

CREATE TABLE IF NOT EXISTS contributor (id uuid CONSTRAINT contributor_pkey PRIMARY KEY);

ALTER TABLE contributor
    ADD COLUMN IF NOT EXISTS tenant_id         uuid,
    ADD COLUMN IF NOT EXISTS placement_info_id uuid,
    ADD COLUMN IF NOT EXISTS user_id           uuid,
    ADD COLUMN IF NOT EXISTS role              text,
    ADD COLUMN IF NOT EXISTS created_at        timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at        timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS deleted_at        timestamptz;

SELECT facility_migration_require('contributor', 'tenant_id', 'placement_info_id', 'user_id');
SELECT facility_migration_constrain('contributor', 'contributor_tenant_id_id_key', 'UNIQUE (tenant_id, id)');
SELECT facility_migration_constrain('contributor', 'contributor_tenant_id_fkey',
    'FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE RESTRICT');
SELECT facility_migration_constrain('contributor', 'contributor_placement_info_id_fkey',
    'FOREIGN KEY (tenant_id, placement_info_id) REFERENCES placement_info (tenant_id, id) ON DELETE CASCADE');
SELECT facility_migration_constrain('contributor', 'contributor_user_id_fkey',
    'FOREIGN KEY (tenant_id, user_id) REFERENCES "user" (tenant_id, id) ON DELETE RESTRICT');

CREATE UNIQUE INDEX IF NOT EXISTS contributor_live_key ON contributor (tenant_id, placement_info_id, user_id)
    WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS contributor_tenant_id_placement_info_id_idx
    ON contributor (tenant_id, placement_info_id);
CREATE INDEX IF NOT EXISTS contributor_tenant_id_user_id_idx ON contributor (tenant_id, user_id);

COMMENT ON TABLE contributor IS 'Which users have a part in a placement. One undeleted row for each pair.';
COMMENT ON COLUMN contributor.role IS 'Their part: what they are asked to fill in.';

SELECT facility_migration_end('contributor');
