-- 20251104012800_schema_immunization_dashboard
-- Purpose: the vaccination schedule and reminders of doses due.
-- HIPAA: PHI in immunization_reminders; they have soft deletes and audit fields.
-- Depends on: 000100_enums_core, 000200_enums_features. Foreign keys come later, when all tables
--     are there.

CREATE TABLE vaccination_schedules (
    id                      uuid          NOT NULL DEFAULT gen_random_uuid(),
    vaccine_type            vaccine_type  NOT NULL,
    cvx_code                text          NOT NULL,
    dose_number             smallint      NOT NULL DEFAULT 1,
    description             text,
    recommended_age_months  smallint,
    minimum_age_months      smallint,
    minimum_interval_days   smallint,
    state_requirements      jsonb         NOT NULL DEFAULT '{}',
    is_active               boolean       NOT NULL DEFAULT true,
    created_at              timestamptz   NOT NULL DEFAULT now(),
    updated_at              timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT vaccination_schedules_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE vaccination_schedules IS
    'The doses a child should have, by CVX code, and what states require.';
COMMENT ON COLUMN vaccination_schedules.cvx_code IS 'CVX code: text, with leading zeros.';
COMMENT ON COLUMN vaccination_schedules.recommended_age_months IS
    'NULL until the district enters its schedule.';
COMMENT ON COLUMN vaccination_schedules.minimum_interval_days IS 'Since the dose before.';
COMMENT ON COLUMN vaccination_schedules.state_requirements IS
    'By state: the grade from which the dose is required.';

CREATE TABLE immunization_reminders (
    id                       uuid              NOT NULL DEFAULT gen_random_uuid(),
    student_id               uuid              NOT NULL,
    vaccination_schedule_id  uuid,
    channel                  delivery_channel  NOT NULL DEFAULT 'EMAIL',
    status                   reminder_status   NOT NULL DEFAULT 'PENDING',
    due_on                   date              NOT NULL,
    send_at                  timestamptz,
    sent_at                  timestamptz,
    recipient                text,
    message                  text,
    created_by               uuid,
    updated_by               uuid,
    created_at               timestamptz       NOT NULL DEFAULT now(),
    updated_at               timestamptz       NOT NULL DEFAULT now(),
    deleted_at               timestamptz,
    CONSTRAINT immunization_reminders_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE immunization_reminders IS
    'A reminder that a dose is due.';
COMMENT ON COLUMN immunization_reminders.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';
