-- 20251104012100_schema_sis_integration
-- Purpose: synchronisation with student information systems.
-- HIPAA: PHI in sis_sync_errors; they have soft deletes and audit fields.
-- Depends on: 000200_enums_features. Foreign keys come later, when all tables are there.

CREATE TABLE sis_sync_configs (
    id              uuid            NOT NULL DEFAULT gen_random_uuid(),
    district_id     uuid            NOT NULL,
    school_id       uuid,
    vendor          sis_vendor      NOT NULL,
    direction       sync_direction  NOT NULL DEFAULT 'INBOUND',
    endpoint        text,
    credentials     text,
    field_mapping   jsonb           NOT NULL DEFAULT '{}',
    cron            varchar(100),
    is_active       boolean         NOT NULL DEFAULT true,
    last_synced_at  timestamptz,
    created_at      timestamptz     NOT NULL DEFAULT now(),
    updated_at      timestamptz     NOT NULL DEFAULT now(),
    CONSTRAINT sis_sync_configs_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE sis_sync_configs IS
    'Connection to a student information system.';
COMMENT ON COLUMN sis_sync_configs.credentials IS 'Secret: sealed by the application.';
COMMENT ON COLUMN sis_sync_configs.field_mapping IS 'Which field there is which column here.';
COMMENT ON COLUMN sis_sync_configs.cron IS 'Five fields, UTC.';

CREATE TABLE sis_sync_jobs (
    id                  uuid            NOT NULL DEFAULT gen_random_uuid(),
    sis_sync_config_id  uuid            NOT NULL,
    triggered_by        uuid,
    status              sis_job_status  NOT NULL DEFAULT 'PENDING',
    direction           sync_direction  NOT NULL,
    started_at          timestamptz,
    finished_at         timestamptz,
    records_total       integer         NOT NULL DEFAULT 0,
    records_failed      integer         NOT NULL DEFAULT 0,
    created_at          timestamptz     NOT NULL DEFAULT now(),
    updated_at          timestamptz     NOT NULL DEFAULT now(),
    CONSTRAINT sis_sync_jobs_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE sis_sync_jobs IS
    'A run of such a connection.';

CREATE TABLE sis_sync_errors (
    id               uuid         NOT NULL DEFAULT gen_random_uuid(),
    sis_sync_job_id  uuid         NOT NULL,
    resolved_by      uuid,
    error_code       varchar(50)  NOT NULL,
    source_record    jsonb,
    detail           text,
    resolution       varchar(20),
    resolved_at      timestamptz,
    created_by       uuid,
    updated_by       uuid,
    created_at       timestamptz  NOT NULL DEFAULT now(),
    updated_at       timestamptz  NOT NULL DEFAULT now(),
    deleted_at       timestamptz,
    CONSTRAINT sis_sync_errors_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE sis_sync_errors IS
    'A record that could not be taken over.';
COMMENT ON COLUMN sis_sync_errors.resolved_at IS 'NULL while open.';
COMMENT ON COLUMN sis_sync_errors.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';
