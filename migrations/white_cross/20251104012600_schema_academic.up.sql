-- 20251104012600_schema_academic
-- Purpose: transcripts: grades and attendance.
-- HIPAA: PHI in academic_transcripts; they have soft deletes and audit fields.
-- Depends on: nothing. Foreign keys come later, when all tables are there.

CREATE TABLE academic_transcripts (
    id             uuid          NOT NULL DEFAULT gen_random_uuid(),
    student_id     uuid          NOT NULL,
    school_id      uuid,
    academic_year  varchar(9)    NOT NULL,
    term           varchar(20)   NOT NULL,
    grade_level    varchar(10),
    grades         jsonb,
    gpa            numeric(4,2),
    attendance     jsonb,
    notes          text,
    created_by     uuid,
    updated_by     uuid,
    created_at     timestamptz   NOT NULL DEFAULT now(),
    updated_at     timestamptz   NOT NULL DEFAULT now(),
    deleted_at     timestamptz,
    CONSTRAINT academic_transcripts_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE academic_transcripts IS
    'Grades and attendance of a term. An education record, sealed like a health record.';
COMMENT ON COLUMN academic_transcripts.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';
