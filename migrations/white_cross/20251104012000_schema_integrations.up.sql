-- 20251104012000_schema_integrations
-- Purpose: integrations, and what devices and other systems exchange.
-- HIPAA: PHI in sync_queue_items, sync_conflicts, sis_sync_conflicts; they have soft deletes and
--     audit fields.
-- Depends on: 000200_enums_features, 000300_enums_operations. Foreign keys come later, when all
--     tables are there.

CREATE TABLE integration_configs (
    id                uuid            NOT NULL DEFAULT gen_random_uuid(),
    district_id       uuid,
    school_id         uuid,
    name              varchar(200)    NOT NULL,
    integration_type  varchar(50)     NOT NULL,
    direction         sync_direction  NOT NULL DEFAULT 'INBOUND',
    endpoint          text,
    credentials       text,
    settings          jsonb           NOT NULL DEFAULT '{}',
    is_active         boolean         NOT NULL DEFAULT true,
    last_synced_at    timestamptz,
    created_at        timestamptz     NOT NULL DEFAULT now(),
    updated_at        timestamptz     NOT NULL DEFAULT now(),
    CONSTRAINT integration_configs_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE integration_configs IS
    'A connection to another system.';
COMMENT ON COLUMN integration_configs.credentials IS 'Secret: sealed by the application.';

CREATE TABLE integration_logs (
    id                     uuid         NOT NULL DEFAULT gen_random_uuid(),
    integration_config_id  uuid         NOT NULL,
    action                 varchar(50)  NOT NULL,
    status                 sync_status  NOT NULL,
    records_processed      integer      NOT NULL DEFAULT 0,
    records_failed         integer      NOT NULL DEFAULT 0,
    duration_ms            integer,
    error_code             varchar(50),
    created_at             timestamptz  NOT NULL DEFAULT now(),
    updated_at             timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT integration_logs_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE integration_logs IS
    'What an integration did. Counts and codes, no payload.';

CREATE TABLE sync_sessions (
    id                     uuid          NOT NULL DEFAULT gen_random_uuid(),
    integration_config_id  uuid          NOT NULL,
    user_id                uuid,
    device_id              varchar(100),
    status                 sync_status   NOT NULL DEFAULT 'PENDING',
    started_at             timestamptz   NOT NULL DEFAULT now(),
    finished_at            timestamptz,
    items_total            integer       NOT NULL DEFAULT 0,
    items_failed           integer       NOT NULL DEFAULT 0,
    created_at             timestamptz   NOT NULL DEFAULT now(),
    updated_at             timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT sync_sessions_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE sync_sessions IS
    'A device that exchanges data after working offline.';

CREATE TABLE sync_queue_items (
    id               uuid         NOT NULL DEFAULT gen_random_uuid(),
    sync_session_id  uuid         NOT NULL,
    entity_type      varchar(63)  NOT NULL,
    entity_id        uuid,
    operation        varchar(10)  NOT NULL,
    status           sync_status  NOT NULL DEFAULT 'PENDING',
    payload          jsonb,
    attempts         smallint     NOT NULL DEFAULT 0,
    next_attempt_at  timestamptz,
    created_by       uuid,
    updated_by       uuid,
    created_at       timestamptz  NOT NULL DEFAULT now(),
    updated_at       timestamptz  NOT NULL DEFAULT now(),
    deleted_at       timestamptz,
    CONSTRAINT sync_queue_items_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE sync_queue_items IS
    'One change waiting to be exchanged.';
COMMENT ON COLUMN sync_queue_items.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE sync_conflicts (
    id                  uuid         NOT NULL DEFAULT gen_random_uuid(),
    sync_queue_item_id  uuid         NOT NULL,
    resolved_by         uuid,
    column_name         varchar(63)  NOT NULL,
    local_value         jsonb,
    remote_value        jsonb,
    resolution          varchar(20),
    resolved_at         timestamptz,
    created_by          uuid,
    updated_by          uuid,
    created_at          timestamptz  NOT NULL DEFAULT now(),
    updated_at          timestamptz  NOT NULL DEFAULT now(),
    deleted_at          timestamptz,
    CONSTRAINT sync_conflicts_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE sync_conflicts IS
    'A change that both sides made.';
COMMENT ON COLUMN sync_conflicts.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE sis_sync_conflicts (
    id               uuid         NOT NULL DEFAULT gen_random_uuid(),
    sis_sync_job_id  uuid         NOT NULL,
    student_id       uuid,
    resolved_by      uuid,
    column_name      varchar(63)  NOT NULL,
    local_value      jsonb,
    sis_value        jsonb,
    resolution       varchar(20),
    resolved_at      timestamptz,
    created_by       uuid,
    updated_by       uuid,
    created_at       timestamptz  NOT NULL DEFAULT now(),
    updated_at       timestamptz  NOT NULL DEFAULT now(),
    deleted_at       timestamptz,
    CONSTRAINT sis_sync_conflicts_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE sis_sync_conflicts IS
    'A value that differs between here and the student information system.';
COMMENT ON COLUMN sis_sync_conflicts.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';
