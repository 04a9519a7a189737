-- 20251104010600_schema_clinical
-- Purpose: clinic visits, notes, protocols, laboratory results, history, mental health, treatment
--     plans.
-- HIPAA: PHI in clinic_visits, clinical_notes, lab_results, medical_history, mental_health_records,
--     treatment_plans; they have soft deletes and audit fields.
-- Depends on: 000200_enums_features, 000300_enums_operations. Foreign keys come later, when all
--     tables are there.

CREATE TABLE clinic_visits (
    id                    uuid         NOT NULL DEFAULT gen_random_uuid(),
    student_id            uuid         NOT NULL,
    school_id             uuid         NOT NULL,
    nurse_id              uuid,
    checked_in_at         timestamptz  NOT NULL DEFAULT now(),
    checked_out_at        timestamptz,
    class_minutes_missed  integer,
    disposition           disposition,
    reason                text,
    symptoms              text[],
    assessment            text,
    treatment             text,
    notes                 text,
    guardian_notified     boolean      NOT NULL DEFAULT false,
    created_by            uuid,
    updated_by            uuid,
    created_at            timestamptz  NOT NULL DEFAULT now(),
    updated_at            timestamptz  NOT NULL DEFAULT now(),
    deleted_at            timestamptz,
    CONSTRAINT clinic_visits_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE clinic_visits IS
    'A visit to the school clinic, from check-in to check-out.';
COMMENT ON COLUMN clinic_visits.checked_out_at IS 'NULL while the student is still in the clinic.';
COMMENT ON COLUMN clinic_visits.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE clinical_notes (
    id               uuid                NOT NULL DEFAULT gen_random_uuid(),
    student_id       uuid                NOT NULL,
    clinic_visit_id  uuid,
    author_id        uuid,
    note_type        clinical_note_type  NOT NULL DEFAULT 'SOAP',
    written_at       timestamptz         NOT NULL DEFAULT now(),
    subjective       text,
    objective        text,
    assessment       text,
    plan             text,
    signed_at        timestamptz,
    is_confidential  boolean             NOT NULL DEFAULT false,
    created_by       uuid,
    updated_by       uuid,
    created_at       timestamptz         NOT NULL DEFAULT now(),
    updated_at       timestamptz         NOT NULL DEFAULT now(),
    deleted_at       timestamptz,
    CONSTRAINT clinical_notes_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE clinical_notes IS
    'A clinical note in the SOAP form.';
COMMENT ON COLUMN clinical_notes.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE clinical_protocols (
    id            uuid           NOT NULL DEFAULT gen_random_uuid(),
    approved_by   uuid,
    name          varchar(200)   NOT NULL,
    category      varchar(100),
    version       integer        NOT NULL DEFAULT 1,
    content       text,
    steps         jsonb          NOT NULL DEFAULT '[]',
    status        policy_status  NOT NULL DEFAULT 'DRAFT',
    approved_at   timestamptz,
    effective_on  date,
    review_on     date,
    created_at    timestamptz    NOT NULL DEFAULT now(),
    updated_at    timestamptz    NOT NULL DEFAULT now(),
    CONSTRAINT clinical_protocols_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE clinical_protocols IS
    'How a condition is to be treated at school.';
COMMENT ON COLUMN clinical_protocols.steps IS 'The steps in order: what to do, when to call whom.';

CREATE TABLE lab_results (
    id                uuid               NOT NULL DEFAULT gen_random_uuid(),
    student_id        uuid               NOT NULL,
    health_record_id  uuid,
    ordered_by        uuid,
    status            lab_result_status  NOT NULL DEFAULT 'ORDERED',
    ordered_at        timestamptz,
    collected_at      timestamptz,
    resulted_at       timestamptz,
    test_code         varchar(20),
    test_name         text,
    result_value      text,
    unit              varchar(30),
    reference_range   text,
    is_abnormal       boolean            NOT NULL DEFAULT false,
    interpretation    text,
    notes             text,
    created_by        uuid,
    updated_by        uuid,
    created_at        timestamptz        NOT NULL DEFAULT now(),
    updated_at        timestamptz        NOT NULL DEFAULT now(),
    deleted_at        timestamptz,
    CONSTRAINT lab_results_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE lab_results IS
    'Result of a laboratory test.';
COMMENT ON COLUMN lab_results.test_code IS 'LOINC code.';
COMMENT ON COLUMN lab_results.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE medical_history (
    id                 uuid         NOT NULL DEFAULT gen_random_uuid(),
    student_id         uuid         NOT NULL,
    is_family_history  boolean      NOT NULL DEFAULT false,
    condition          text,
    details            text,
    relative           text,
    onset_on           date,
    resolved_on        date,
    created_by         uuid,
    updated_by         uuid,
    created_at         timestamptz  NOT NULL DEFAULT now(),
    updated_at         timestamptz  NOT NULL DEFAULT now(),
    deleted_at         timestamptz,
    CONSTRAINT medical_history_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE medical_history IS
    'Past conditions of a student or of the family.';
COMMENT ON COLUMN medical_history.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE mental_health_records (
    id                  uuid                       NOT NULL DEFAULT gen_random_uuid(),
    student_id          uuid                       NOT NULL,
    counselor_id        uuid,
    record_type         mental_health_record_type  NOT NULL,
    recorded_at         timestamptz                NOT NULL DEFAULT now(),
    presenting_problem  text,
    assessment          text,
    risk                text,
    counseling_notes    text,
    plan                text,
    next_session_on     date,
    is_confidential     boolean                    NOT NULL DEFAULT true,
    created_by          uuid,
    updated_by          uuid,
    created_at          timestamptz                NOT NULL DEFAULT now(),
    updated_at          timestamptz                NOT NULL DEFAULT now(),
    deleted_at          timestamptz,
    CONSTRAINT mental_health_records_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE mental_health_records IS
    'Mental health record with counseling notes. Sensitive: for counselors only.';
COMMENT ON COLUMN mental_health_records.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE treatment_plans (
    id                    uuid                   NOT NULL DEFAULT gen_random_uuid(),
    student_id            uuid                   NOT NULL,
    chronic_condition_id  uuid,
    status                treatment_plan_status  NOT NULL DEFAULT 'DRAFT',
    starts_on             date,
    ends_on               date,
    review_on             date,
    diagnosis             text,
    goals                 text,
    interventions         text,
    notes                 text,
    created_by            uuid,
    updated_by            uuid,
    created_at            timestamptz            NOT NULL DEFAULT now(),
    updated_at            timestamptz            NOT NULL DEFAULT now(),
    deleted_at            timestamptz,
    CONSTRAINT treatment_plans_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE treatment_plans IS
    'A plan of treatment, with goals.';
COMMENT ON COLUMN treatment_plans.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';
