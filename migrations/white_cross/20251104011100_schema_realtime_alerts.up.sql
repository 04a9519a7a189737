-- 20251104011100_schema_realtime_alerts
-- Purpose: alert rules, alerts, subscriptions and delivery.
-- HIPAA: PHI in alert_instances, alert_delivery_log; they have soft deletes and audit fields.
-- Depends on: 000100_enums_core, 000200_enums_features, 000300_enums_operations. Foreign keys come
--     later, when all tables are there.

CREATE TABLE alert_definitions (
    id                      uuid            NOT NULL DEFAULT gen_random_uuid(),
    district_id             uuid,
    school_id               uuid,
    name                    varchar(200)    NOT NULL,
    description             text,
    category                alert_category  NOT NULL,
    severity                alert_severity  NOT NULL,
    rule                    jsonb           NOT NULL DEFAULT '{}',
    escalate_after_minutes  integer,
    escalate_to             user_role,
    is_active               boolean         NOT NULL DEFAULT true,
    created_at              timestamptz     NOT NULL DEFAULT now(),
    updated_at              timestamptz     NOT NULL DEFAULT now(),
    CONSTRAINT alert_definitions_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE alert_definitions IS
    'A rule that raises alerts.';
COMMENT ON COLUMN alert_definitions.rule IS
    'Condition that raises the alert; names columns and limits, no person.';

CREATE TABLE alert_instances (
    id                   uuid            NOT NULL DEFAULT gen_random_uuid(),
    alert_definition_id  uuid            NOT NULL,
    student_id           uuid,
    school_id            uuid,
    acknowledged_by      uuid,
    resolved_by          uuid,
    status               alert_status    NOT NULL DEFAULT 'ACTIVE',
    severity             alert_severity  NOT NULL,
    title                text,
    message              text,
    raised_at            timestamptz     NOT NULL DEFAULT now(),
    acknowledged_at      timestamptz,
    resolved_at          timestamptz,
    escalate_at          timestamptz,
    escalated_at         timestamptz,
    expires_at           timestamptz,
    created_by           uuid,
    updated_by           uuid,
    created_at           timestamptz     NOT NULL DEFAULT now(),
    updated_at           timestamptz     NOT NULL DEFAULT now(),
    deleted_at           timestamptz,
    CONSTRAINT alert_instances_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE alert_instances IS
    'An alert that was raised, live or past.';
COMMENT ON COLUMN alert_instances.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE alert_subscriptions (
    id                   uuid                NOT NULL DEFAULT gen_random_uuid(),
    user_id              uuid                NOT NULL,
    alert_definition_id  uuid,
    categories           alert_category[]    NOT NULL DEFAULT '{}',
    channels             delivery_channel[]  NOT NULL DEFAULT '{}',
    minimum_severity     alert_severity      NOT NULL DEFAULT 'INFO',
    quiet_from           time,
    quiet_until          time,
    is_active            boolean             NOT NULL DEFAULT true,
    created_at           timestamptz         NOT NULL DEFAULT now(),
    updated_at           timestamptz         NOT NULL DEFAULT now(),
    CONSTRAINT alert_subscriptions_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE alert_subscriptions IS
    'Which alerts a user wants, and how.';
COMMENT ON COLUMN alert_subscriptions.categories IS
    'Subscribed categories, where no definition is named.';

CREATE TABLE alert_delivery_log (
    id                 uuid              NOT NULL DEFAULT gen_random_uuid(),
    alert_instance_id  uuid              NOT NULL,
    user_id            uuid,
    channel            delivery_channel  NOT NULL,
    status             delivery_status   NOT NULL DEFAULT 'QUEUED',
    recipient          text,
    sent_at            timestamptz,
    delivered_at       timestamptz,
    attempts           smallint          NOT NULL DEFAULT 0,
    error_code         varchar(50),
    created_by         uuid,
    updated_by         uuid,
    created_at         timestamptz       NOT NULL DEFAULT now(),
    updated_at         timestamptz       NOT NULL DEFAULT now(),
    deleted_at         timestamptz,
    CONSTRAINT alert_delivery_log_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE alert_delivery_log IS
    'Delivery of an alert over one channel.';
COMMENT ON COLUMN alert_delivery_log.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';
