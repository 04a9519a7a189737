-- 20251104011800_schema_system_management
-- Purpose: licences, backups, metrics, intrusions, webhooks, synchronisation state, cache.
-- HIPAA: no PHI.
-- Depends on: 000200_enums_features, 000300_enums_operations. Foreign keys come later, when all
--     tables are there.

CREATE TABLE licenses (
    id                uuid         NOT NULL DEFAULT gen_random_uuid(),
    district_id       uuid         NOT NULL,
    license_key_hash  bytea        NOT NULL,
    license_type      varchar(50)  NOT NULL,
    max_users         integer,
    max_students      integer,
    features          text[]       NOT NULL DEFAULT '{}',
    issued_on         date         NOT NULL DEFAULT CURRENT_DATE,
    expires_on        date,
    is_active         boolean      NOT NULL DEFAULT true,
    created_at        timestamptz  NOT NULL DEFAULT now(),
    updated_at        timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT licenses_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE licenses IS
    'A licence of a district.';
COMMENT ON COLUMN licenses.license_key_hash IS
    'SHA-256 of the licence key; the key itself is not stored.';

CREATE TABLE backup_logs (
    id                 uuid         NOT NULL DEFAULT gen_random_uuid(),
    backup_type        varchar(50)  NOT NULL,
    status             sync_status  NOT NULL DEFAULT 'PENDING',
    location           text,
    size_bytes         bigint,
    checksum           bytea,
    started_at         timestamptz,
    finished_at        timestamptz,
    restore_tested_at  timestamptz,
    error_code         varchar(50),
    created_at         timestamptz  NOT NULL DEFAULT now(),
    updated_at         timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT backup_logs_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE backup_logs IS
    'A backup that ran.';
COMMENT ON COLUMN backup_logs.checksum IS 'SHA-256 of the backup, which is encrypted.';

CREATE TABLE performance_metrics (
    id           uuid           NOT NULL DEFAULT gen_random_uuid(),
    name         varchar(100)   NOT NULL,
    value        numeric(18,4)  NOT NULL,
    unit         varchar(20),
    measured_at  timestamptz    NOT NULL DEFAULT now(),
    labels       jsonb          NOT NULL DEFAULT '{}',
    created_at   timestamptz    NOT NULL DEFAULT now(),
    updated_at   timestamptz    NOT NULL DEFAULT now(),
    CONSTRAINT performance_metrics_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE performance_metrics IS
    'A measurement of the system.';
COMMENT ON COLUMN performance_metrics.labels IS 'Host, route, job. No person.';

CREATE TABLE threat_detections (
    id           uuid            NOT NULL DEFAULT gen_random_uuid(),
    user_id      uuid,
    threat_type  varchar(100)    NOT NULL,
    severity     alert_severity  NOT NULL,
    detected_at  timestamptz     NOT NULL DEFAULT now(),
    ip_address   inet,
    user_agent   text,
    details      jsonb           NOT NULL DEFAULT '{}',
    is_resolved  boolean         NOT NULL DEFAULT false,
    resolved_at  timestamptz,
    created_at   timestamptz     NOT NULL DEFAULT now(),
    updated_at   timestamptz     NOT NULL DEFAULT now(),
    CONSTRAINT threat_detections_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE threat_detections IS
    'A suspected intrusion; altered data is in tamper_alerts.';
COMMENT ON COLUMN threat_detections.details IS 'Of the request, not of its contents.';

CREATE TABLE webhooks (
    id              uuid          NOT NULL DEFAULT gen_random_uuid(),
    district_id     uuid          NOT NULL,
    name            varchar(200)  NOT NULL,
    url             text          NOT NULL,
    events          text[]        NOT NULL DEFAULT '{}',
    signing_secret  text,
    is_active       boolean       NOT NULL DEFAULT true,
    last_called_at  timestamptz,
    failure_count   integer       NOT NULL DEFAULT 0,
    created_at      timestamptz   NOT NULL DEFAULT now(),
    updated_at      timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT webhooks_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE webhooks IS
    'Where events are sent.';
COMMENT ON COLUMN webhooks.signing_secret IS 'Secret: sealed by the application.';

CREATE TABLE sync_state (
    id                     uuid         NOT NULL DEFAULT gen_random_uuid(),
    integration_config_id  uuid         NOT NULL,
    entity_type            varchar(63)  NOT NULL,
    status                 sync_status  NOT NULL DEFAULT 'PENDING',
    cursor_value           text,
    last_synced_at         timestamptz,
    created_at             timestamptz  NOT NULL DEFAULT now(),
    updated_at             timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT sync_state_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE sync_state IS
    'How far a synchronisation has come.';
COMMENT ON COLUMN sync_state.cursor_value IS 'Place in the source from which the next run goes on.';

CREATE UNLOGGED TABLE cache_entries (
    id          uuid          NOT NULL DEFAULT gen_random_uuid(),
    key         varchar(255)  NOT NULL,
    value       jsonb,
    expires_at  timestamptz   NOT NULL,
    created_at  timestamptz   NOT NULL DEFAULT now(),
    updated_at  timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT cache_entries_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE cache_entries IS
    'A cache: unlogged, emptied by a crash, holds no PHI.';
