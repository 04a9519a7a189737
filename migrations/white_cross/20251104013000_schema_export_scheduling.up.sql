-- 20251104013000_schema_export_scheduling
-- Purpose: scheduled exports and their runs.
-- HIPAA: no PHI.
-- Depends on: 000200_enums_features. Foreign keys come later, when all tables are there.

CREATE TABLE scheduled_exports (
    id           uuid           NOT NULL DEFAULT gen_random_uuid(),
    district_id  uuid           NOT NULL,
    owner_id     uuid,
    name         varchar(200)   NOT NULL,
    entity_type  varchar(63)    NOT NULL,
    format       export_format  NOT NULL DEFAULT 'CSV',
    cron         varchar(100)   NOT NULL,
    destination  text,
    filters      jsonb          NOT NULL DEFAULT '{}',
    next_run_at  timestamptz,
    last_run_at  timestamptz,
    is_active    boolean        NOT NULL DEFAULT true,
    created_at   timestamptz    NOT NULL DEFAULT now(),
    updated_at   timestamptz    NOT NULL DEFAULT now(),
    CONSTRAINT scheduled_exports_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE scheduled_exports IS
    'When data is exported, and where to.';
COMMENT ON COLUMN scheduled_exports.cron IS 'Five fields, UTC.';
COMMENT ON COLUMN scheduled_exports.destination IS 'Where to; without credentials.';

CREATE TABLE export_jobs (
    id                   uuid               NOT NULL DEFAULT gen_random_uuid(),
    scheduled_export_id  uuid,
    requested_by         uuid,
    status               export_job_status  NOT NULL DEFAULT 'QUEUED',
    format               export_format      NOT NULL DEFAULT 'CSV',
    started_at           timestamptz,
    finished_at          timestamptz,
    row_count            bigint,
    file_size            bigint,
    file_sha256          bytea,
    expires_at           timestamptz,
    error_code           varchar(50),
    created_at           timestamptz        NOT NULL DEFAULT now(),
    updated_at           timestamptz        NOT NULL DEFAULT now(),
    CONSTRAINT export_jobs_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE export_jobs IS
    'A run of an export.';
COMMENT ON COLUMN export_jobs.file_sha256 IS 'Of the file as stored, which is encrypted.';
