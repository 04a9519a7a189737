-- 20251104010400_schema_health_records_complete
-- Purpose: vaccinations and series, screenings, growth and vital signs.
-- HIPAA: PHI in vaccinations, immunizations, screenings, growth_measurements, vital_signs; they
--     have soft deletes and audit fields.
-- Depends on: 000100_enums_core, 000300_enums_operations. Foreign keys come later, when all tables
--     are there.

CREATE TABLE vaccinations (
    id                 uuid                       NOT NULL DEFAULT gen_random_uuid(),
    student_id         uuid                       NOT NULL,
    health_record_id   uuid,
    administered_by    uuid,
    vaccine_type       vaccine_type               NOT NULL,
    cvx_code           text,
    vaccine_name       text,
    dose_number        smallint,
    total_doses        smallint,
    administered_on    date,
    site               administration_site,
    route              administration_route,
    lot_number         text,
    lot_expires_on     date,
    compliance_status  vaccine_compliance_status  NOT NULL DEFAULT 'COMPLIANT',
    next_due_on        date,
    vfc_eligible       boolean                    NOT NULL DEFAULT false,
    vis_given_on       date,
    vis_edition_on     date,
    adverse_reaction   text,
    notes              text,
    created_by         uuid,
    updated_by         uuid,
    created_at         timestamptz                NOT NULL DEFAULT now(),
    updated_at         timestamptz                NOT NULL DEFAULT now(),
    deleted_at         timestamptz,
    CONSTRAINT vaccinations_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE vaccinations IS
    'One dose given to a student.';
COMMENT ON COLUMN vaccinations.cvx_code IS
    'CVX code of the product given: text, with leading zeros.';
COMMENT ON COLUMN vaccinations.vfc_eligible IS 'Vaccines for Children programme.';
COMMENT ON COLUMN vaccinations.vis_given_on IS
    'When the Vaccine Information Statement was handed out.';
COMMENT ON COLUMN vaccinations.vis_edition_on IS 'Date printed on that statement.';
COMMENT ON COLUMN vaccinations.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE immunizations (
    id                uuid                 NOT NULL DEFAULT gen_random_uuid(),
    student_id        uuid                 NOT NULL,
    last_dose_id      uuid,
    vaccine_type      vaccine_type         NOT NULL,
    status            immunization_status  NOT NULL DEFAULT 'DUE',
    doses_required    smallint,
    doses_received    smallint             NOT NULL DEFAULT 0,
    next_due_on       date,
    exemption_reason  text,
    exempt_until      date,
    notes             text,
    created_by        uuid,
    updated_by        uuid,
    created_at        timestamptz          NOT NULL DEFAULT now(),
    updated_at        timestamptz          NOT NULL DEFAULT now(),
    deleted_at        timestamptz,
    CONSTRAINT immunizations_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE immunizations IS
    'State of a vaccine series per student; a dose is a row of vaccinations.';
COMMENT ON COLUMN immunizations.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE screenings (
    id                 uuid               NOT NULL DEFAULT gen_random_uuid(),
    student_id         uuid               NOT NULL,
    health_record_id   uuid,
    screened_by        uuid,
    screening_type     screening_type     NOT NULL,
    screened_on        date               NOT NULL DEFAULT CURRENT_DATE,
    outcome            screening_outcome,
    results            jsonb,
    referral_required  boolean            NOT NULL DEFAULT false,
    referral_to        text,
    referred_on        date,
    follow_up_status   follow_up_status   NOT NULL DEFAULT 'NOT_NEEDED',
    follow_up_on       date,
    notes              text,
    created_by         uuid,
    updated_by         uuid,
    created_at         timestamptz        NOT NULL DEFAULT now(),
    updated_at         timestamptz        NOT NULL DEFAULT now(),
    deleted_at         timestamptz,
    CONSTRAINT screenings_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE screenings IS
    'A health screening and the referral that may follow.';
COMMENT ON COLUMN screenings.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE growth_measurements (
    id                 uuid          NOT NULL DEFAULT gen_random_uuid(),
    student_id         uuid          NOT NULL,
    health_record_id   uuid,
    measured_by        uuid,
    measured_on        date          NOT NULL DEFAULT CURRENT_DATE,
    height_cm          numeric(5,2),
    weight_kg          numeric(5,2),
    bmi                numeric(5,2),
    height_percentile  numeric(5,2),
    weight_percentile  numeric(5,2),
    bmi_percentile     numeric(5,2),
    notes              text,
    created_by         uuid,
    updated_by         uuid,
    created_at         timestamptz   NOT NULL DEFAULT now(),
    updated_at         timestamptz   NOT NULL DEFAULT now(),
    deleted_at         timestamptz,
    CONSTRAINT growth_measurements_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE growth_measurements IS
    'Height, weight and where they stand among children of the same age and sex.';
COMMENT ON COLUMN growth_measurements.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE vital_signs (
    id                 uuid                 NOT NULL DEFAULT gen_random_uuid(),
    student_id         uuid                 NOT NULL,
    clinic_visit_id    uuid,
    measured_by        uuid,
    measured_at        timestamptz          NOT NULL DEFAULT now(),
    temperature_c      numeric(4,1),
    heart_rate         integer,
    respiratory_rate   integer,
    systolic           integer,
    diastolic          integer,
    oxygen_saturation  numeric(4,1),
    pain_score         smallint,
    consciousness      consciousness_level,
    notes              text,
    created_by         uuid,
    updated_by         uuid,
    created_at         timestamptz          NOT NULL DEFAULT now(),
    updated_at         timestamptz          NOT NULL DEFAULT now(),
    deleted_at         timestamptz,
    CONSTRAINT vital_signs_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE vital_signs IS
    'Vital signs taken at one time.';
COMMENT ON COLUMN vital_signs.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';
