-- 20251104010200_schema_students
-- Purpose: students and the people around them.
-- HIPAA: PHI in students, emergency_contacts, contacts; they have soft deletes and audit fields.
-- Depends on: 000100_enums_core. Foreign keys come later, when all tables are there.

CREATE TABLE students (
    id                     uuid          NOT NULL DEFAULT gen_random_uuid(),
    school_id              uuid,
    district_id            uuid,
    nurse_id               uuid,
    student_number         varchar(50),
    first_name             varchar(100),
    last_name              varchar(100),
    date_of_birth          date,
    grade                  varchar(10),
    gender                 gender,
    photo                  text,
    medical_record_number  varchar(50),
    ssn                    varchar(20),
    is_active              boolean       NOT NULL DEFAULT true,
    enrolled_on            date,
    created_by             uuid,
    updated_by             uuid,
    created_at             timestamptz   NOT NULL DEFAULT now(),
    updated_at             timestamptz   NOT NULL DEFAULT now(),
    deleted_at             timestamptz,
    CONSTRAINT students_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE students IS
    'A student. Demographic data; most of it identifies a person (45 CFR 164.514(b)).';
COMMENT ON COLUMN students.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE emergency_contacts (
    id                   uuid         NOT NULL DEFAULT gen_random_uuid(),
    student_id           uuid         NOT NULL,
    first_name           text,
    last_name            text,
    relationship         varchar(50),
    phone                text,
    alternate_phone      text,
    email                text,
    address              text,
    authorization_level  smallint     NOT NULL DEFAULT 1,
    is_primary           boolean      NOT NULL DEFAULT false,
    priority             smallint     NOT NULL DEFAULT 1,
    is_active            boolean      NOT NULL DEFAULT true,
    created_by           uuid,
    updated_by           uuid,
    created_at           timestamptz  NOT NULL DEFAULT now(),
    updated_at           timestamptz  NOT NULL DEFAULT now(),
    deleted_at           timestamptz,
    CONSTRAINT emergency_contacts_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE emergency_contacts IS
    'Whom to call about a student, in order of priority.';
COMMENT ON COLUMN emergency_contacts.authorization_level IS
    '1 may be told, 2 may decide, 3 may take the student home.';
COMMENT ON COLUMN emergency_contacts.priority IS 'Order of calling, 1 first.';
COMMENT ON COLUMN emergency_contacts.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE contacts (
    id            uuid          NOT NULL DEFAULT gen_random_uuid(),
    student_id    uuid          NOT NULL,
    school_id     uuid,
    contact_type  contact_type  NOT NULL DEFAULT 'GUARDIAN',
    first_name    text,
    last_name     text,
    organization  varchar(200),
    email         text,
    phone         text,
    address       text,
    notes         text,
    is_active     boolean       NOT NULL DEFAULT true,
    created_by    uuid,
    updated_by    uuid,
    created_at    timestamptz   NOT NULL DEFAULT now(),
    updated_at    timestamptz   NOT NULL DEFAULT now(),
    deleted_at    timestamptz,
    CONSTRAINT contacts_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE contacts IS
    'Guardians, providers and others who have to do with a student.';
COMMENT ON COLUMN contacts.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';
