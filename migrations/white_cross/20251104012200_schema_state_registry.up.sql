-- 20251104012200_schema_state_registry
-- Purpose: reports to state immunization registries.
-- HIPAA: PHI in registry_submissions; they have soft deletes and audit fields.
-- Depends on: 000200_enums_features. Foreign keys come later, when all tables are there.

CREATE TABLE registry_connections (
    id                 uuid               NOT NULL DEFAULT gen_random_uuid(),
    district_id        uuid               NOT NULL,
    state              varchar(2)         NOT NULL,
    name               varchar(200)       NOT NULL,
    protocol           registry_protocol  NOT NULL,
    endpoint           text,
    facility_code      varchar(50),
    credentials        text,
    is_active          boolean            NOT NULL DEFAULT true,
    last_submitted_at  timestamptz,
    created_at         timestamptz        NOT NULL DEFAULT now(),
    updated_at         timestamptz        NOT NULL DEFAULT now(),
    CONSTRAINT registry_connections_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE registry_connections IS
    'Connection to a state''s immunization registry; a district may have several.';
COMMENT ON COLUMN registry_connections.credentials IS 'Secret: sealed by the application.';

CREATE TABLE registry_submissions (
    id                      uuid               NOT NULL DEFAULT gen_random_uuid(),
    registry_connection_id  uuid               NOT NULL,
    student_id              uuid               NOT NULL,
    vaccination_id          uuid,
    status                  submission_status  NOT NULL DEFAULT 'PENDING',
    hl7_message             text,
    response                text,
    error_code              varchar(50),
    attempts                smallint           NOT NULL DEFAULT 0,
    submitted_at            timestamptz,
    acknowledged_at         timestamptz,
    next_retry_at           timestamptz,
    created_by              uuid,
    updated_by              uuid,
    created_at              timestamptz        NOT NULL DEFAULT now(),
    updated_at              timestamptz        NOT NULL DEFAULT now(),
    deleted_at              timestamptz,
    CONSTRAINT registry_submissions_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE registry_submissions IS
    'A vaccination reported to a registry, and its answer.';
COMMENT ON COLUMN registry_submissions.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';
