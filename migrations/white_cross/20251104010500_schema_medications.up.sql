-- 20251104010500_schema_medications
-- Purpose: medications in stock, assigned, given and prescribed; the drug catalog with
--     interactions.
-- HIPAA: PHI in student_medications, medication_logs, prescriptions, student_drug_allergies; they
--     have soft deletes and audit fields.
-- Depends on: 000100_enums_core, 000200_enums_features, 000300_enums_operations. Foreign keys come
--     later, when all tables are there.

CREATE TABLE medications (
    id                   uuid          NOT NULL DEFAULT gen_random_uuid(),
    school_id            uuid          NOT NULL,
    name                 varchar(200)  NOT NULL,
    generic_name         varchar(200),
    dosage_form          varchar(50),
    strength             varchar(50),
    ndc                  varchar(13),
    is_controlled        boolean       NOT NULL DEFAULT false,
    controlled_schedule  varchar(3),
    stock_quantity       integer       NOT NULL DEFAULT 0,
    reorder_level        integer       NOT NULL DEFAULT 0,
    expires_on           date,
    is_active            boolean       NOT NULL DEFAULT true,
    created_at           timestamptz   NOT NULL DEFAULT now(),
    updated_at           timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT medications_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE medications IS
    'A school''s stock of a medication.';
COMMENT ON COLUMN medications.ndc IS 'National Drug Code with hyphens.';
COMMENT ON COLUMN medications.controlled_schedule IS
    'DEA schedule, II to V, of a controlled substance.';

CREATE TABLE student_medications (
    id                   uuid            NOT NULL DEFAULT gen_random_uuid(),
    student_id           uuid            NOT NULL,
    medication_id        uuid            NOT NULL,
    dosage               text,
    frequency            text,
    instructions         text,
    reason               text,
    prescriber_name      text,
    starts_on            date,
    ends_on              date,
    is_active            boolean         NOT NULL DEFAULT true,
    consent_status       consent_status  NOT NULL DEFAULT 'PENDING',
    consent_received_on  date,
    created_by           uuid,
    updated_by           uuid,
    created_at           timestamptz     NOT NULL DEFAULT now(),
    updated_at           timestamptz     NOT NULL DEFAULT now(),
    deleted_at           timestamptz,
    CONSTRAINT student_medications_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE student_medications IS
    'A medication a student is to be given, and when.';
COMMENT ON COLUMN student_medications.consent_status IS 'Consent of a parent or guardian.';
COMMENT ON COLUMN student_medications.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE medication_logs (
    id                     uuid                   NOT NULL DEFAULT gen_random_uuid(),
    student_medication_id  uuid                   NOT NULL,
    administered_by        uuid,
    witnessed_by           uuid,
    status                 medication_log_status  NOT NULL DEFAULT 'GIVEN',
    scheduled_at           timestamptz,
    administered_at        timestamptz            NOT NULL DEFAULT now(),
    dosage_given           text,
    side_effects           text,
    refusal_reason         text,
    notes                  text,
    created_by             uuid,
    updated_by             uuid,
    created_at             timestamptz            NOT NULL DEFAULT now(),
    updated_at             timestamptz            NOT NULL DEFAULT now(),
    deleted_at             timestamptz,
    CONSTRAINT medication_logs_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE medication_logs IS
    'The administration trail: one row for each dose given, refused or missed.';
COMMENT ON COLUMN medication_logs.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE prescriptions (
    id               uuid                 NOT NULL DEFAULT gen_random_uuid(),
    student_id       uuid                 NOT NULL,
    visit_id         uuid,
    drug_id          uuid,
    status           prescription_status  NOT NULL DEFAULT 'PENDING',
    drug_name        text,
    strength         text,
    dosage           text,
    instructions     text,
    quantity         integer,
    refills          smallint             NOT NULL DEFAULT 0,
    prescriber_name  text,
    pharmacy         text,
    rx_number        text,
    prescribed_on    date,
    expires_on       date,
    created_by       uuid,
    updated_by       uuid,
    created_at       timestamptz          NOT NULL DEFAULT now(),
    updated_at       timestamptz          NOT NULL DEFAULT now(),
    deleted_at       timestamptz,
    CONSTRAINT prescriptions_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE prescriptions IS
    'A prescription for a student.';
COMMENT ON COLUMN prescriptions.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE drug_catalog (
    id             uuid          NOT NULL DEFAULT gen_random_uuid(),
    rxcui          varchar(8),
    ndc            varchar(13),
    generic_name   varchar(300)  NOT NULL,
    brand_names    text[]        NOT NULL DEFAULT '{}',
    drug_class     varchar(200),
    dosage_form    varchar(100),
    strength       varchar(100),
    is_controlled  boolean       NOT NULL DEFAULT false,
    is_active      boolean       NOT NULL DEFAULT true,
    created_at     timestamptz   NOT NULL DEFAULT now(),
    updated_at     timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT drug_catalog_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE drug_catalog IS
    'Drugs as the FDA lists them.';
COMMENT ON COLUMN drug_catalog.rxcui IS 'RxNorm concept identifier.';
COMMENT ON COLUMN drug_catalog.ndc IS 'National Drug Code with hyphens.';

CREATE TABLE drug_interactions (
    id               uuid                       NOT NULL DEFAULT gen_random_uuid(),
    drug_1_id        uuid                       NOT NULL,
    drug_2_id        uuid                       NOT NULL,
    severity         drug_interaction_severity  NOT NULL DEFAULT 'UNKNOWN',
    evidence_level   drug_evidence_level,
    mechanism        text,
    clinical_effect  text,
    management       text,
    source           varchar(200),
    created_at       timestamptz                NOT NULL DEFAULT now(),
    updated_at       timestamptz                NOT NULL DEFAULT now(),
    CONSTRAINT drug_interactions_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE drug_interactions IS
    'What two drugs do together. A pair stands once, the lower id first.';

CREATE TABLE student_drug_allergies (
    id            uuid              NOT NULL DEFAULT gen_random_uuid(),
    student_id    uuid              NOT NULL,
    drug_id       uuid              NOT NULL,
    allergy_id    uuid,
    severity      allergy_severity  NOT NULL,
    reaction      text,
    notes         text,
    confirmed_on  date,
    is_active     boolean           NOT NULL DEFAULT true,
    created_by    uuid,
    updated_by    uuid,
    created_at    timestamptz       NOT NULL DEFAULT now(),
    updated_at    timestamptz       NOT NULL DEFAULT now(),
    deleted_at    timestamptz,
    CONSTRAINT student_drug_allergies_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE student_drug_allergies IS
    'A drug a student must not be given; compared with interactions before a dose.';
COMMENT ON COLUMN student_drug_allergies.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';
