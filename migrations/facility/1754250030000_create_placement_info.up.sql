-- 1754250030000 create_placement_info
-- Purpose: the table placement_info: a client's stay at a facility, and all that has to be known for it.
-- HIPAA: the medical history of a stay; each of its texts has a sealed column beside it.
-- Depends on: 1754250023000 create_client

SELECT facility_migration_begin('placement_info');

CREATE TABLE IF NOT EXISTS placement_info (id uuid CONSTRAINT placement_info_pkey PRIMARY KEY);

ALTER TABLE placement_info
    ADD COLUMN IF NOT EXISTS tenant_id        uuid,
    ADD COLUMN IF NOT EXISTS client_id        uuid,
    ADD COLUMN IF NOT EXISTS facility_id      uuid,
    ADD COLUMN IF NOT EXISTS diagnosis        text,
    ADD COLUMN IF NOT EXISTS diagnosis_sealed bytea,
    ADD COLUMN IF NOT EXISTS allergies        text,
    ADD COLUMN IF NOT EXISTS allergies_sealed bytea,
    ADD COLUMN IF NOT EXISTS history          text,
    ADD COLUMN IF NOT EXISTS history_sealed   bytea,
    ADD COLUMN IF NOT EXISTS behaviour        text,
    ADD COLUMN IF NOT EXISTS behaviour_sealed bytea,
    ADD COLUMN IF NOT EXISTS diet             text,
    ADD COLUMN IF NOT EXISTS diet_sealed      bytea,
    ADD COLUMN IF NOT EXISTS mobility         text,
    ADD COLUMN IF NOT EXISTS mobility_sealed  bytea,
    ADD COLUMN IF NOT EXISTS insurance        text,
    ADD COLUMN IF NOT EXISTS insurance_sealed bytea,
    ADD COLUMN IF NOT EXISTS guardian         text,
    ADD COLUMN IF NOT EXISTS guardian_sealed  bytea,
    ADD COLUMN IF NOT EXISTS notes            text,
    ADD COLUMN IF NOT EXISTS notes_sealed     bytea,
    ADD COLUMN IF NOT EXISTS placed_on        date,
    ADD COLUMN IF NOT EXISTS ended_on         date,
    ADD COLUMN IF NOT EXISTS created_at       timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at       timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS deleted_at       timestamptz;

SELECT facility_migration_require('placement_info', 'tenant_id', 'client_id', 'facility_id');
SELECT facility_migration_constrain('placement_info', 'placement_info_tenant_id_id_key', 'UNIQUE (tenant_id, id)');
SELECT facility_migration_constrain('placement_info', 'placement_info_tenant_id_fkey',
    'FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE RESTRICT');
SELECT facility_migration_constrain('placement_info', 'placement_info_client_id_fkey',
    'FOREIGN KEY (tenant_id, client_id) REFERENCES client (tenant_id, id) ON DELETE CASCADE');
SELECT facility_migration_constrain('placement_info', 'placement_info_facility_id_fkey',
    'FOREIGN KEY (tenant_id, facility_id) REFERENCES facility (tenant_id, id) ON DELETE RESTRICT');
SELECT facility_migration_constrain('placement_info', 'placement_info_time_check', 'CHECK (ended_on >= placed_on)');

CREATE INDEX IF NOT EXISTS placement_info_tenant_id_client_id_idx
    ON placement_info (tenant_id, client_id, placed_on);
CREATE INDEX IF NOT EXISTS placement_info_tenant_id_facility_id_idx
    ON placement_info (tenant_id, facility_id, placed_on);
CREATE INDEX IF NOT EXISTS placement_info_tenant_id_current_idx
    ON placement_info (tenant_id, facility_id) WHERE ended_on IS NULL AND deleted_at IS NULL;

COMMENT ON TABLE placement_info IS
    'A client''s stay at a facility, and what has to be known for it. Each column x_sealed takes the sealed form of x.';
COMMENT ON COLUMN placement_info.diagnosis IS 'PHI: diagnoses';
COMMENT ON COLUMN placement_info.allergies IS 'PHI: allergies and reactions';
COMMENT ON COLUMN placement_info.history IS 'PHI: medical and social history';
COMMENT ON COLUMN placement_info.behaviour IS 'PHI: behaviour, and what helps';
COMMENT ON COLUMN placement_info.diet IS 'PHI: diet for medical or religious reasons';
COMMENT ON COLUMN placement_info.mobility IS 'PHI: mobility and aids';
COMMENT ON COLUMN placement_info.insurance IS 'PHI: insurer and member number';
COMMENT ON COLUMN placement_info.guardian IS 'PHI: name and contact of the guardian';
COMMENT ON COLUMN placement_info.notes IS 'PHI: notes';

SELECT facility_migration_end('placement_info');
