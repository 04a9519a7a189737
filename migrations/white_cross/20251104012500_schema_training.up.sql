-- 20251104012500_schema_training
-- Purpose: training modules.
-- HIPAA: no PHI.
-- Depends on: nothing. Foreign keys come later, when all tables are there.

CREATE TABLE training_modules (
    id                uuid          NOT NULL DEFAULT gen_random_uuid(),
    title             varchar(200)  NOT NULL,
    category          varchar(100),
    description       text,
    content           jsonb         NOT NULL DEFAULT '{}',
    duration_minutes  integer,
    passing_score     smallint,
    is_required       boolean       NOT NULL DEFAULT false,
    is_active         boolean       NOT NULL DEFAULT true,
    created_at        timestamptz   NOT NULL DEFAULT now(),
    updated_at        timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT training_modules_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE training_modules IS
    'Training for staff.';
