-- 20251104012900_schema_medicaid_billing
-- Purpose: Medicaid eligibility and claims.
-- HIPAA: PHI in medicaid_eligibility, billing_claims; they have soft deletes and audit fields.
-- Depends on: 000200_enums_features. Foreign keys come later, when all tables are there.

CREATE TABLE medicaid_eligibility (
    id              uuid         NOT NULL DEFAULT gen_random_uuid(),
    student_id      uuid         NOT NULL,
    medicaid_id     text,
    is_eligible     boolean,
    checked_at      timestamptz  NOT NULL DEFAULT now(),
    valid_from      date,
    valid_until     date,
    payer_response  jsonb,
    created_by      uuid,
    updated_by      uuid,
    created_at      timestamptz  NOT NULL DEFAULT now(),
    updated_at      timestamptz  NOT NULL DEFAULT now(),
    deleted_at      timestamptz,
    CONSTRAINT medicaid_eligibility_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE medicaid_eligibility IS
    'Whether a student was eligible when asked.';
COMMENT ON COLUMN medicaid_eligibility.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE billing_claims (
    id                       uuid           NOT NULL DEFAULT gen_random_uuid(),
    student_id               uuid           NOT NULL,
    clinic_visit_id          uuid,
    medicaid_eligibility_id  uuid,
    status                   claim_status   NOT NULL DEFAULT 'DRAFT',
    claim_number             text,
    service_on               date           NOT NULL,
    diagnosis_codes          text[],
    procedure_codes          text[],
    amount_billed            numeric(12,2)  NOT NULL DEFAULT 0,
    amount_paid              numeric(12,2),
    submitted_at             timestamptz,
    paid_on                  date,
    denial_code              varchar(20),
    payer_response           jsonb,
    created_by               uuid,
    updated_by               uuid,
    created_at               timestamptz    NOT NULL DEFAULT now(),
    updated_at               timestamptz    NOT NULL DEFAULT now(),
    deleted_at               timestamptz,
    CONSTRAINT billing_claims_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE billing_claims IS
    'A claim on form CMS-1500. Keeps its student from being deleted.';
COMMENT ON COLUMN billing_claims.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';
