-- 1754250025000 create_facility_staff
-- Purpose: the table facility_staff: which user works at which facility, and when.
-- HIPAA: what a workforce member may see follows from where they work (45 CFR 164.308(a)(3)).
-- Depends on: 1754250021000 create_user, 1754250022000 create_facility

SELECT facility_migration_begin('facility_staff');

CREATE TABLE IF NOT EXISTS facility_staff (id uuid CONSTRAINT facility_staff_pkey PRIMARY KEY);

ALTER TABLE facility_staff
    ADD COLUMN IF NOT EXISTS tenant_id   uuid,
    ADD COLUMN IF NOT EXISTS facility_id uuid,
    ADD COLUMN IF NOT EXISTS user_id     uuid,
    ADD COLUMN IF NOT EXISTS role        text,
    ADD COLUMN IF NOT EXISTS starts_on   date        NOT NULL DEFAULT current_date,
    ADD COLUMN IF NOT EXISTS ends_on     date,
    ADD COLUMN IF NOT EXISTS created_at  timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at  timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS deleted_at  timestamptz;

SELECT facility_migration_require('facility_staff', 'tenant_id', 'facility_id', 'user_id');
SELECT facility_migration_constrain('facility_staff', 'facility_staff_tenant_id_id_key', 'UNIQUE (tenant_id, id)');
SELECT facility_migration_constrain('facility_staff', 'facility_staff_tenant_id_fkey',
    'FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE RESTRICT');
SELECT facility_migration_constrain('facility_staff', 'facility_staff_facility_id_fkey',
    'FOREIGN KEY (tenant_id, facility_id) REFERENCES facility (tenant_id, id) ON DELETE CASCADE');
SELECT facility_migration_constrain('facility_staff', 'facility_staff_user_id_fkey',
    'FOREIGN KEY (tenant_id, user_id) REFERENCES "user" (tenant_id, id) ON DELETE CASCADE');
SELECT facility_migration_constrain('facility_staff', 'facility_staff_time_check', 'CHECK (ends_on >= starts_on)');

CREATE UNIQUE INDEX IF NOT EXISTS facility_staff_live_key
    ON facility_staff (tenant_id, facility_id, user_id) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS facility_staff_tenant_id_facility_id_idx ON facility_staff (tenant_id, facility_id);
CREATE INDEX IF NOT EXISTS facility_staff_tenant_id_user_id_idx ON facility_staff (tenant_id, user_id);

COMMENT ON TABLE facility_staff IS 'Which user works at which facility, and when. One undeleted row for each pair.';
COMMENT ON COLUMN facility_staff.role IS 'What they do there; "user".role says what they may do in the program.';

SELECT facility_migration_end('facility_staff');
