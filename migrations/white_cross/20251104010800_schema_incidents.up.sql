-- 20251104010800_schema_incidents
-- Purpose: incident reports and what witnesses said.
-- HIPAA: PHI in incident_reports, witness_statements; they have soft deletes and audit fields.
-- Depends on: 000100_enums_core, 000300_enums_operations. Foreign keys come later, when all tables
--     are there.

CREATE TABLE incident_reports (
    id                    uuid               NOT NULL DEFAULT gen_random_uuid(),
    student_id            uuid               NOT NULL,
    school_id             uuid               NOT NULL,
    reported_by           uuid,
    incident_type         incident_type      NOT NULL,
    severity              incident_severity  NOT NULL,
    occurred_at           timestamptz        NOT NULL,
    location              varchar(200),
    description           text,
    injuries              text,
    actions_taken         text,
    witness_count         smallint           NOT NULL DEFAULT 0,
    guardian_notified     boolean            NOT NULL DEFAULT false,
    guardian_notified_at  timestamptz,
    follow_up_required    boolean            NOT NULL DEFAULT false,
    follow_up_notes       text,
    created_by            uuid,
    updated_by            uuid,
    created_at            timestamptz        NOT NULL DEFAULT now(),
    updated_at            timestamptz        NOT NULL DEFAULT now(),
    deleted_at            timestamptz,
    CONSTRAINT incident_reports_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE incident_reports IS
    'An injury, illness or other incident at school.';
COMMENT ON COLUMN incident_reports.witness_count IS
    'How many witnesses there were; what they say is in witness_statements.';
COMMENT ON COLUMN incident_reports.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE witness_statements (
    id                  uuid          NOT NULL DEFAULT gen_random_uuid(),
    incident_report_id  uuid          NOT NULL,
    taken_by            uuid,
    witness_type        witness_type  NOT NULL,
    witness_name        text,
    witness_contact     text,
    statement           text,
    taken_at            timestamptz   NOT NULL DEFAULT now(),
    is_verified         boolean       NOT NULL DEFAULT false,
    created_by          uuid,
    updated_by          uuid,
    created_at          timestamptz   NOT NULL DEFAULT now(),
    updated_at          timestamptz   NOT NULL DEFAULT now(),
    deleted_at          timestamptz,
    CONSTRAINT witness_statements_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE witness_statements IS
    'What a witness of an incident said.';
COMMENT ON COLUMN witness_statements.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';
