-- 20251104013100_schema_document_sharing
-- Purpose: documents, shares and who opened them.
-- HIPAA: PHI in documents, shared_documents; they have soft deletes and audit fields; append-only:
--     document_access_log.
-- Depends on: 000200_enums_features. Foreign keys come later, when all tables are there.

CREATE TABLE documents (
    id             uuid          NOT NULL DEFAULT gen_random_uuid(),
    student_id     uuid          NOT NULL,
    uploaded_by    uuid,
    document_type  varchar(50)   NOT NULL,
    file_name      text,
    description    text,
    content        bytea,
    mime_type      varchar(100),
    size_bytes     bigint,
    expires_on     date,
    created_by     uuid,
    updated_by     uuid,
    created_at     timestamptz   NOT NULL DEFAULT now(),
    updated_at     timestamptz   NOT NULL DEFAULT now(),
    deleted_at     timestamptz,
    CONSTRAINT documents_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE documents IS
    'A document about a student: attachments, letters, scans.';
COMMENT ON COLUMN documents.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE shared_documents (
    id               uuid              NOT NULL DEFAULT gen_random_uuid(),
    document_id      uuid              NOT NULL,
    shared_by        uuid,
    recipient_id     uuid,
    permission       share_permission  NOT NULL DEFAULT 'VIEW',
    recipient_email  text,
    password_hash    varchar(255),
    expires_at       timestamptz,
    download_limit   integer,
    download_count   integer           NOT NULL DEFAULT 0,
    revoked_at       timestamptz,
    created_by       uuid,
    updated_by       uuid,
    created_at       timestamptz       NOT NULL DEFAULT now(),
    updated_at       timestamptz       NOT NULL DEFAULT now(),
    deleted_at       timestamptz,
    CONSTRAINT shared_documents_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE shared_documents IS
    'A document shared with somebody, for a time.';
COMMENT ON COLUMN shared_documents.password_hash IS
    'Hash of the password that opens the share, never the password.';
COMMENT ON COLUMN shared_documents.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE document_access_log (
    id                  uuid                    NOT NULL DEFAULT gen_random_uuid(),
    shared_document_id  uuid                    NOT NULL,
    user_id             uuid,
    action              document_access_action  NOT NULL,
    accessed_at         timestamptz             NOT NULL DEFAULT now(),
    ip_address          inet,
    user_agent          text,
    created_at          timestamptz             NOT NULL DEFAULT now(),
    updated_at          timestamptz             NOT NULL DEFAULT now(),
    CONSTRAINT document_access_log_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE document_access_log IS
    'Who opened a shared document. Append-only.';
