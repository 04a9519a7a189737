-- 20251104012300_schema_follow_ups
-- Purpose: follow-up actions and appointments.
-- HIPAA: PHI in follow_up_actions, follow_up_appointments; they have soft deletes and audit fields.
-- Depends on: 000100_enums_core, 000300_enums_operations. Foreign keys come later, when all tables
--     are there.

CREATE TABLE follow_up_actions (
    id                  uuid              NOT NULL DEFAULT gen_random_uuid(),
    incident_report_id  uuid,
    health_record_id    uuid,
    assigned_to_id      uuid,
    status              follow_up_status  NOT NULL DEFAULT 'PENDING',
    priority            message_priority  NOT NULL DEFAULT 'NORMAL',
    due_on              date,
    completed_at        timestamptz,
    description         text,
    notes               text,
    created_by          uuid,
    updated_by          uuid,
    created_at          timestamptz       NOT NULL DEFAULT now(),
    updated_at          timestamptz       NOT NULL DEFAULT now(),
    deleted_at          timestamptz,
    CONSTRAINT follow_up_actions_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE follow_up_actions IS
    'What is to be done after an incident or a health record.';
COMMENT ON COLUMN follow_up_actions.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE follow_up_appointments (
    id                   uuid                NOT NULL DEFAULT gen_random_uuid(),
    follow_up_action_id  uuid                NOT NULL,
    appointment_id       uuid,
    status               appointment_status  NOT NULL DEFAULT 'SCHEDULED',
    scheduled_at         timestamptz,
    reason               text,
    notes                text,
    created_by           uuid,
    updated_by           uuid,
    created_at           timestamptz         NOT NULL DEFAULT now(),
    updated_at           timestamptz         NOT NULL DEFAULT now(),
    deleted_at           timestamptz,
    CONSTRAINT follow_up_appointments_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE follow_up_appointments IS
    'An appointment that a follow-up action led to.';
COMMENT ON COLUMN follow_up_appointments.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';
