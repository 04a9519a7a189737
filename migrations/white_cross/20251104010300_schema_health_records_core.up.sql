-- 20251104010300_schema_health_records_core
-- Purpose: health records, allergies and chronic conditions.
-- HIPAA: PHI in health_records, allergies, chronic_conditions; they have soft deletes and audit
--     fields.
-- Depends on: 000100_enums_core. Foreign keys come later, when all tables are there.

CREATE TABLE health_records (
    id                   uuid                NOT NULL DEFAULT gen_random_uuid(),
    student_id           uuid                NOT NULL,
    record_type          health_record_type  NOT NULL,
    record_date          date                NOT NULL DEFAULT CURRENT_DATE,
    title                text,
    description          text,
    provider_name        text,
    provider_npi         varchar(10),
    facility_name        varchar(200),
    facility_npi         varchar(10),
    diagnosis            text,
    diagnosis_code       text,
    treatment            text,
    follow_up_required   boolean             NOT NULL DEFAULT false,
    follow_up_date       date,
    follow_up_status     follow_up_status    NOT NULL DEFAULT 'NOT_NEEDED',
    follow_up_completed  boolean             NOT NULL DEFAULT false,
    is_confidential      boolean             NOT NULL DEFAULT false,
    attachments          jsonb,
    metadata             jsonb               NOT NULL DEFAULT '{}',
    notes                text,
    created_by           uuid,
    updated_by           uuid,
    created_at           timestamptz         NOT NULL DEFAULT now(),
    updated_at           timestamptz         NOT NULL DEFAULT now(),
    deleted_at           timestamptz,
    CONSTRAINT health_records_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE health_records IS
    'An entry in a student''s health record. Kept as long as state law says.';
COMMENT ON COLUMN health_records.provider_npi IS 'National Provider Identifier, 10 digits.';
COMMENT ON COLUMN health_records.facility_npi IS 'National Provider Identifier, 10 digits.';
COMMENT ON COLUMN health_records.metadata IS
    'About the record, not the person: source system, import batch. No PHI.';
COMMENT ON COLUMN health_records.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE allergies (
    id                  uuid              NOT NULL DEFAULT gen_random_uuid(),
    student_id          uuid              NOT NULL,
    health_record_id    uuid,
    verified_by         uuid,
    allergy_type        allergy_type      NOT NULL,
    severity            allergy_severity  NOT NULL,
    allergen            text,
    reactions           text,
    treatment           text,
    emergency_protocol  text,
    notes               text,
    epipen_required     boolean           NOT NULL DEFAULT false,
    epipen_location     varchar(200),
    epipen_expires_on   date,
    verified_at         timestamptz,
    is_active           boolean           NOT NULL DEFAULT true,
    created_by          uuid,
    updated_by          uuid,
    created_at          timestamptz       NOT NULL DEFAULT now(),
    updated_at          timestamptz       NOT NULL DEFAULT now(),
    deleted_at          timestamptz,
    CONSTRAINT allergies_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE allergies IS
    'An allergy of a student, with what to do in an emergency.';
COMMENT ON COLUMN allergies.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE chronic_conditions (
    id                   uuid                NOT NULL DEFAULT gen_random_uuid(),
    student_id           uuid                NOT NULL,
    health_record_id     uuid,
    condition            text,
    icd10_code           text,
    severity             condition_severity  NOT NULL DEFAULT 'MILD',
    status               condition_status    NOT NULL DEFAULT 'ACTIVE',
    diagnosed_on         date,
    care_plan            text,
    care_plan_review_on  date,
    restrictions         text,
    notes                text,
    created_by           uuid,
    updated_by           uuid,
    created_at           timestamptz         NOT NULL DEFAULT now(),
    updated_at           timestamptz         NOT NULL DEFAULT now(),
    deleted_at           timestamptz,
    CONSTRAINT chronic_conditions_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE chronic_conditions IS
    'A lasting condition of a student and its care plan.';
COMMENT ON COLUMN chronic_conditions.care_plan_review_on IS
    'When the care plan is to be looked at again.';
COMMENT ON COLUMN chronic_conditions.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';
