-- 20251104012700_schema_outbreak_detection
-- Purpose: symptoms, outbreaks and clusters of cases.
-- HIPAA: PHI in symptom_tracking, outbreak_case_clusters; they have soft deletes and audit fields.
-- Depends on: 000200_enums_features. Foreign keys come later, when all tables are there.

CREATE TABLE symptom_tracking (
    id               uuid          NOT NULL DEFAULT gen_random_uuid(),
    student_id       uuid          NOT NULL,
    school_id        uuid          NOT NULL,
    clinic_visit_id  uuid,
    onset_on         date          NOT NULL DEFAULT CURRENT_DATE,
    reported_at      timestamptz   NOT NULL DEFAULT now(),
    symptoms         text[],
    temperature_c    numeric(4,1),
    notes            text,
    created_by       uuid,
    updated_by       uuid,
    created_at       timestamptz   NOT NULL DEFAULT now(),
    updated_at       timestamptz   NOT NULL DEFAULT now(),
    deleted_at       timestamptz,
    CONSTRAINT symptom_tracking_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE symptom_tracking IS
    'Symptoms of one student on one day, from which outbreaks are found.';
COMMENT ON COLUMN symptom_tracking.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE outbreak_alerts (
    id                            uuid            NOT NULL DEFAULT gen_random_uuid(),
    district_id                   uuid,
    school_id                     uuid,
    syndrome                      varchar(100)    NOT NULL,
    severity                      alert_severity  NOT NULL,
    status                        alert_status    NOT NULL DEFAULT 'ACTIVE',
    algorithm                     varchar(50),
    observed                      integer         NOT NULL,
    expected                      numeric(10,2),
    threshold                     numeric(10,2),
    affected_grades               text[]          NOT NULL DEFAULT '{}',
    detected_at                   timestamptz     NOT NULL DEFAULT now(),
    resolved_at                   timestamptz,
    reported_to_health_agency_at  timestamptz,
    created_at                    timestamptz     NOT NULL DEFAULT now(),
    updated_at                    timestamptz     NOT NULL DEFAULT now(),
    CONSTRAINT outbreak_alerts_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE outbreak_alerts IS
    'More cases than expected. Counts only.';
COMMENT ON COLUMN outbreak_alerts.algorithm IS 'EARS C1, C2 or C3, for instance.';

CREATE TABLE outbreak_case_clusters (
    id                 uuid         NOT NULL DEFAULT gen_random_uuid(),
    outbreak_alert_id  uuid         NOT NULL,
    school_id          uuid,
    case_count         integer      NOT NULL DEFAULT 0,
    first_onset_on     date,
    last_onset_on      date,
    location           text,
    notes              text,
    created_by         uuid,
    updated_by         uuid,
    created_at         timestamptz  NOT NULL DEFAULT now(),
    updated_at         timestamptz  NOT NULL DEFAULT now(),
    deleted_at         timestamptz,
    CONSTRAINT outbreak_case_clusters_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE outbreak_case_clusters IS
    'Cases of an outbreak at one place; few of them may point to a person.';
COMMENT ON COLUMN outbreak_case_clusters.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';
