-- 20251104011600_schema_pdf_reports
-- Purpose: report templates and reports made from them.
-- HIPAA: PHI in report_instances; they have soft deletes and audit fields.
-- Depends on: 000200_enums_features. Foreign keys come later, when all tables are there.

CREATE TABLE report_definitions (
    id           uuid             NOT NULL DEFAULT gen_random_uuid(),
    name         varchar(200)     NOT NULL,
    category     report_category  NOT NULL,
    description  text,
    template     jsonb            NOT NULL DEFAULT '{}',
    version      integer          NOT NULL DEFAULT 1,
    is_active    boolean          NOT NULL DEFAULT true,
    created_at   timestamptz      NOT NULL DEFAULT now(),
    updated_at   timestamptz      NOT NULL DEFAULT now(),
    CONSTRAINT report_definitions_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE report_definitions IS
    'A template of a report.';
COMMENT ON COLUMN report_definitions.template IS 'Layout and queries by name, no values.';

CREATE TABLE report_instances (
    id                    uuid           NOT NULL DEFAULT gen_random_uuid(),
    report_definition_id  uuid           NOT NULL,
    report_schedule_id    uuid,
    requested_by          uuid,
    status                report_status  NOT NULL DEFAULT 'QUEUED',
    format                export_format  NOT NULL DEFAULT 'PDF',
    parameters            jsonb,
    file_name             text,
    file_size             bigint,
    file_sha256           bytea,
    started_at            timestamptz,
    finished_at           timestamptz,
    expires_at            timestamptz,
    error_code            varchar(50),
    created_by            uuid,
    updated_by            uuid,
    created_at            timestamptz    NOT NULL DEFAULT now(),
    updated_at            timestamptz    NOT NULL DEFAULT now(),
    deleted_at            timestamptz,
    CONSTRAINT report_instances_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE report_instances IS
    'A report that was made, until it expires.';
COMMENT ON COLUMN report_instances.file_sha256 IS 'Of the file as stored, which is encrypted.';
COMMENT ON COLUMN report_instances.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';
