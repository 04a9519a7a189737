-- 20251104011300_schema_compliance
-- Purpose: consents, compliance reports, violations, policies and retention.
-- HIPAA: PHI in consent_signatures; they have soft deletes and audit fields.
-- Depends on: 000300_enums_operations. Foreign keys come later, when all tables are there.

CREATE TABLE consent_forms (
    id            uuid          NOT NULL DEFAULT gen_random_uuid(),
    school_id     uuid          NOT NULL,
    title         varchar(200)  NOT NULL,
    form_type     varchar(50),
    version       integer       NOT NULL DEFAULT 1,
    content       text          NOT NULL,
    effective_on  date,
    expires_on    date,
    is_active     boolean       NOT NULL DEFAULT true,
    created_at    timestamptz   NOT NULL DEFAULT now(),
    updated_at    timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT consent_forms_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE consent_forms IS
    'A form by which a guardian consents.';

CREATE TABLE consent_signatures (
    id               uuid            NOT NULL DEFAULT gen_random_uuid(),
    consent_form_id  uuid            NOT NULL,
    student_id       uuid            NOT NULL,
    status           consent_status  NOT NULL DEFAULT 'PENDING',
    signer_name      text,
    relationship     text,
    signature        bytea,
    signed_at        timestamptz,
    withdrawn_at     timestamptz,
    expires_on       date,
    created_by       uuid,
    updated_by       uuid,
    created_at       timestamptz     NOT NULL DEFAULT now(),
    updated_at       timestamptz     NOT NULL DEFAULT now(),
    deleted_at       timestamptz,
    CONSTRAINT consent_signatures_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE consent_signatures IS
    'A signed consent. Cannot go while the form or the student is there; nor they while it is.';
COMMENT ON COLUMN consent_signatures.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE compliance_reports (
    id            uuid                    NOT NULL DEFAULT gen_random_uuid(),
    district_id   uuid,
    school_id     uuid,
    generated_by  uuid,
    report_type   varchar(50)             NOT NULL,
    title         varchar(200)            NOT NULL,
    status        compliance_item_status  NOT NULL DEFAULT 'OPEN',
    period_start  date,
    period_end    date,
    due_on        date,
    submitted_at  timestamptz,
    summary       jsonb                   NOT NULL DEFAULT '{}',
    created_at    timestamptz             NOT NULL DEFAULT now(),
    updated_at    timestamptz             NOT NULL DEFAULT now(),
    CONSTRAINT compliance_reports_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE compliance_reports IS
    'A report of compliance over a period.';
COMMENT ON COLUMN compliance_reports.summary IS 'Counts only.';

CREATE TABLE compliance_checklist_items (
    id                    uuid                    NOT NULL DEFAULT gen_random_uuid(),
    compliance_report_id  uuid                    NOT NULL,
    assigned_to_id        uuid,
    requirement           text                    NOT NULL,
    citation              varchar(100),
    status                compliance_item_status  NOT NULL DEFAULT 'OPEN',
    due_on                date,
    completed_at          timestamptz,
    created_at            timestamptz             NOT NULL DEFAULT now(),
    updated_at            timestamptz             NOT NULL DEFAULT now(),
    CONSTRAINT compliance_checklist_items_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE compliance_checklist_items IS
    'One requirement of a compliance report.';
COMMENT ON COLUMN compliance_checklist_items.citation IS
    'Where the requirement stands: 45 CFR 164.312(b), for instance.';

CREATE TABLE compliance_violations (
    id                    uuid                    NOT NULL DEFAULT gen_random_uuid(),
    compliance_report_id  uuid,
    reported_by           uuid,
    severity              violation_severity      NOT NULL,
    status                compliance_item_status  NOT NULL DEFAULT 'OPEN',
    title                 varchar(200)            NOT NULL,
    description           text,
    is_breach             boolean                 NOT NULL DEFAULT false,
    discovered_at         timestamptz             NOT NULL DEFAULT now(),
    individuals_affected  integer,
    notify_by             date,
    notified_at           timestamptz,
    resolved_at           timestamptz,
    created_at            timestamptz             NOT NULL DEFAULT now(),
    updated_at            timestamptz             NOT NULL DEFAULT now(),
    CONSTRAINT compliance_violations_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE compliance_violations IS
    'A violation, breaches among them, with what breach notification asks for (45 CFR 164.404).';
COMMENT ON COLUMN compliance_violations.notify_by IS 'Last day to notify: 60 days after discovery.';

CREATE TABLE policy_documents (
    id            uuid           NOT NULL DEFAULT gen_random_uuid(),
    approved_by   uuid,
    title         varchar(200)   NOT NULL,
    category      varchar(100),
    version       integer        NOT NULL DEFAULT 1,
    status        policy_status  NOT NULL DEFAULT 'DRAFT',
    content       text,
    approved_at   timestamptz,
    effective_on  date,
    review_on     date,
    created_at    timestamptz    NOT NULL DEFAULT now(),
    updated_at    timestamptz    NOT NULL DEFAULT now(),
    CONSTRAINT policy_documents_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE policy_documents IS
    'A policy of the district.';

CREATE TABLE policy_acknowledgments (
    id                  uuid         NOT NULL DEFAULT gen_random_uuid(),
    policy_document_id  uuid         NOT NULL,
    user_id             uuid         NOT NULL,
    acknowledged_at     timestamptz  NOT NULL DEFAULT now(),
    version             integer      NOT NULL DEFAULT 1,
    created_at          timestamptz  NOT NULL DEFAULT now(),
    updated_at          timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT policy_acknowledgments_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE policy_acknowledgments IS
    'That a user has read a policy.';

CREATE TABLE data_retention_policies (
    id            uuid              NOT NULL DEFAULT gen_random_uuid(),
    table_name    varchar(63)       NOT NULL,
    retain_years  smallint,
    action        retention_action  NOT NULL DEFAULT 'RETAIN',
    counted_from  varchar(63)       NOT NULL DEFAULT 'created_at',
    legal_basis   text              NOT NULL,
    is_active     boolean           NOT NULL DEFAULT true,
    created_at    timestamptz       NOT NULL DEFAULT now(),
    updated_at    timestamptz       NOT NULL DEFAULT now(),
    CONSTRAINT data_retention_policies_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE data_retention_policies IS
    'How long rows of a table are kept, and what happens then.';
COMMENT ON COLUMN data_retention_policies.retain_years IS 'NULL: as long as state law says.';
COMMENT ON COLUMN data_retention_policies.counted_from IS 'Column from which the years count.';

CREATE TABLE remediation_actions (
    id                       uuid                    NOT NULL DEFAULT gen_random_uuid(),
    compliance_violation_id  uuid                    NOT NULL,
    assigned_to_id           uuid,
    description              text                    NOT NULL,
    status                   compliance_item_status  NOT NULL DEFAULT 'OPEN',
    due_on                   date,
    completed_at             timestamptz,
    created_at               timestamptz             NOT NULL DEFAULT now(),
    updated_at               timestamptz             NOT NULL DEFAULT now(),
    CONSTRAINT remediation_actions_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE remediation_actions IS
    'What is done about a violation.';
