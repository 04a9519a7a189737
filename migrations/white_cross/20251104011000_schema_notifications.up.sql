-- 20251104011000_schema_notifications
-- Purpose: broadcasts, devices and push notifications.
-- HIPAA: PHI in push_notifications; they have soft deletes and audit fields.
-- Depends on: 000200_enums_features, 000300_enums_operations. Foreign keys come later, when all
--     tables are there.

CREATE TABLE emergency_broadcasts (
    id               uuid                NOT NULL DEFAULT gen_random_uuid(),
    district_id      uuid                NOT NULL,
    school_id        uuid,
    sent_by          uuid,
    severity         alert_severity      NOT NULL DEFAULT 'EMERGENCY',
    title            varchar(200)        NOT NULL,
    message          text                NOT NULL,
    channels         delivery_channel[]  NOT NULL DEFAULT '{}',
    sent_at          timestamptz,
    expires_at       timestamptz,
    recipient_count  integer             NOT NULL DEFAULT 0,
    created_at       timestamptz         NOT NULL DEFAULT now(),
    updated_at       timestamptz         NOT NULL DEFAULT now(),
    CONSTRAINT emergency_broadcasts_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE emergency_broadcasts IS
    'A message to all of a school or district. Names no student.';

CREATE TABLE device_tokens (
    id            uuid             NOT NULL DEFAULT gen_random_uuid(),
    user_id       uuid             NOT NULL,
    platform      device_platform  NOT NULL,
    token         text             NOT NULL,
    device_name   varchar(200),
    is_active     boolean          NOT NULL DEFAULT true,
    last_used_at  timestamptz,
    created_at    timestamptz      NOT NULL DEFAULT now(),
    updated_at    timestamptz      NOT NULL DEFAULT now(),
    CONSTRAINT device_tokens_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE device_tokens IS
    'A device that takes push notifications.';
COMMENT ON COLUMN device_tokens.token IS 'Secret: address of the device at the push service.';

CREATE TABLE push_notifications (
    id               uuid              NOT NULL DEFAULT gen_random_uuid(),
    user_id          uuid              NOT NULL,
    device_token_id  uuid,
    status           delivery_status   NOT NULL DEFAULT 'QUEUED',
    priority         message_priority  NOT NULL DEFAULT 'NORMAL',
    title            text,
    body             text,
    sent_at          timestamptz,
    delivered_at     timestamptz,
    opened_at        timestamptz,
    error_code       varchar(50),
    created_by       uuid,
    updated_by       uuid,
    created_at       timestamptz       NOT NULL DEFAULT now(),
    updated_at       timestamptz       NOT NULL DEFAULT now(),
    deleted_at       timestamptz,
    CONSTRAINT push_notifications_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE push_notifications IS
    'A push notification to a user.';
COMMENT ON COLUMN push_notifications.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';
