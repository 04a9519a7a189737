-- 20251104011200_schema_audit
-- Purpose: the audit log, and the accounting of disclosures with its own audit.
-- HIPAA: PHI in phi_disclosures; they have soft deletes and audit fields; append-only: audit_logs,
--     phi_disclosure_audits.
-- Depends on: 000100_enums_core, 000200_enums_features. Foreign keys come later, when all tables
--     are there.

CREATE TABLE audit_logs (
    id               uuid         NOT NULL DEFAULT gen_random_uuid(),
    user_id          uuid,
    action           varchar(50)  NOT NULL,
    entity_type      varchar(63)  NOT NULL,
    entity_id        uuid,
    description      text,
    performed_by     text,
    changed_columns  text[],
    ip_address       inet,
    user_agent       text,
    engine_run       bigint,
    created_at       timestamptz  NOT NULL DEFAULT now(),
    updated_at       timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT audit_logs_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE audit_logs IS
    'Who did what to which row, and when. Append-only; kept seven years. Holds names of columns'
    ' and ids of rows, never values.';
COMMENT ON COLUMN audit_logs.entity_type IS 'Name of the table.';
COMMENT ON COLUMN audit_logs.entity_id IS
    'Id of the row; NULL where the entry is of the whole table.';
COMMENT ON COLUMN audit_logs.performed_by IS
    'Who acted, where it is no user: a job or a migration.';
COMMENT ON COLUMN audit_logs.changed_columns IS
    'Names of the columns that changed, never their values.';
COMMENT ON COLUMN audit_logs.engine_run IS 'Run of the sealing engine; one entry a run and table.';

CREATE TABLE phi_disclosures (
    id                     uuid                NOT NULL DEFAULT gen_random_uuid(),
    student_id             uuid                NOT NULL,
    disclosed_by           uuid                NOT NULL,
    authorization_id       uuid,
    disclosure_type        disclosure_type     NOT NULL,
    purpose                disclosure_purpose  NOT NULL,
    method                 disclosure_method   NOT NULL,
    recipient_type         recipient_type      NOT NULL,
    recipient_name         text,
    recipient_address      text,
    information_disclosed  text,
    purpose_detail         text,
    notes                  text,
    disclosed_at           timestamptz         NOT NULL DEFAULT now(),
    follow_up_required     boolean             NOT NULL DEFAULT false,
    follow_up_on           date,
    follow_up_status       follow_up_status    NOT NULL DEFAULT 'NOT_NEEDED',
    retain_until           date                NOT NULL DEFAULT ((now() AT TIME ZONE 'UTC') + interval '6 years')::date,
    created_by             uuid,
    updated_by             uuid,
    created_at             timestamptz         NOT NULL DEFAULT now(),
    updated_at             timestamptz         NOT NULL DEFAULT now(),
    deleted_at             timestamptz,
    CONSTRAINT phi_disclosures_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE phi_disclosures IS
    'A disclosure of PHI to an outside party, kept at least six years (45 CFR 164.528).';
COMMENT ON COLUMN phi_disclosures.retain_until IS
    'Not to be deleted before this day; at least six years after the disclosure.';
COMMENT ON COLUMN phi_disclosures.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE phi_disclosure_audits (
    id                 uuid         NOT NULL DEFAULT gen_random_uuid(),
    phi_disclosure_id  uuid         NOT NULL,
    actor_id           uuid,
    action             varchar(50)  NOT NULL,
    changed_columns    text[],
    performed_by       text,
    ip_address         inet,
    user_agent         text,
    created_at         timestamptz  NOT NULL DEFAULT now(),
    updated_at         timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT phi_disclosure_audits_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE phi_disclosure_audits IS
    'Every change of a disclosure. Append-only; names of columns, never values.';
COMMENT ON COLUMN phi_disclosure_audits.changed_columns IS
    'Names of the columns that changed, never their values.';
