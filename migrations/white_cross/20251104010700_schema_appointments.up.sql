-- 20251104010700_schema_appointments
-- Purpose: appointments, their reminders and the waiting list.
-- HIPAA: PHI in appointments, appointment_reminders, appointment_waitlist; they have soft deletes
--     and audit fields.
-- Depends on: 000100_enums_core, 000200_enums_features, 000300_enums_operations. Foreign keys come
--     later, when all tables are there.

CREATE TABLE appointments (
    id                uuid                NOT NULL DEFAULT gen_random_uuid(),
    student_id        uuid                NOT NULL,
    nurse_id          uuid,
    appointment_type  appointment_type    NOT NULL,
    status            appointment_status  NOT NULL DEFAULT 'SCHEDULED',
    scheduled_at      timestamptz         NOT NULL,
    duration_minutes  integer             NOT NULL DEFAULT 15,
    reason            text,
    notes             text,
    cancelled_at      timestamptz,
    created_by        uuid,
    updated_by        uuid,
    created_at        timestamptz         NOT NULL DEFAULT now(),
    updated_at        timestamptz         NOT NULL DEFAULT now(),
    deleted_at        timestamptz,
    CONSTRAINT appointments_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE appointments IS
    'An appointment of a student with a nurse.';
COMMENT ON COLUMN appointments.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE appointment_reminders (
    id              uuid              NOT NULL DEFAULT gen_random_uuid(),
    appointment_id  uuid              NOT NULL,
    channel         delivery_channel  NOT NULL,
    status          reminder_status   NOT NULL DEFAULT 'PENDING',
    send_at         timestamptz       NOT NULL,
    sent_at         timestamptz,
    recipient       text,
    message         text,
    created_by      uuid,
    updated_by      uuid,
    created_at      timestamptz       NOT NULL DEFAULT now(),
    updated_at      timestamptz       NOT NULL DEFAULT now(),
    deleted_at      timestamptz,
    CONSTRAINT appointment_reminders_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE appointment_reminders IS
    'A reminder of an appointment.';
COMMENT ON COLUMN appointment_reminders.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE appointment_waitlist (
    id                uuid              NOT NULL DEFAULT gen_random_uuid(),
    student_id        uuid              NOT NULL,
    nurse_id          uuid,
    appointment_type  appointment_type  NOT NULL,
    status            waitlist_status   NOT NULL DEFAULT 'WAITING',
    priority          message_priority  NOT NULL DEFAULT 'NORMAL',
    wanted_from       date,
    wanted_until      date,
    offered_at        timestamptz,
    reason            text,
    notes             text,
    created_by        uuid,
    updated_by        uuid,
    created_at        timestamptz       NOT NULL DEFAULT now(),
    updated_at        timestamptz       NOT NULL DEFAULT now(),
    deleted_at        timestamptz,
    CONSTRAINT appointment_waitlist_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE appointment_waitlist IS
    'A student waiting for an appointment.';
COMMENT ON COLUMN appointment_waitlist.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';
